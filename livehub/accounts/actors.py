"""Who is doing something: passed into every verb, never looked up inside."""

from __future__ import annotations

from msgspec import Struct

from livehub.accounts.models import Role


class Grant(Struct, frozen=True):
    """One role, with the bureau or merchant it is for (0: none)."""

    role: Role
    bureau_id: int = 0
    merchant_id: int = 0


class Actor(Struct, frozen=True, kw_only=True):
    """A user, a token, a streamer, a claimant or the system, with where the request came from."""

    kind: str  # user | token | streamer | claimant | system
    id: int = 0
    name: str = ""
    centre_id: int = 0
    grants: tuple[Grant, ...] = ()
    ip: str = ""
    request_id: str = ""
    must_change: bool = (
        False  # her password is one that somebody else knows: nothing else before she has her own
    )

    def has(self, *roles: Role) -> bool:
        """Whether any of the roles is held."""
        return any(grant.role in roles for grant in self.grants)

    def bureaus(self) -> frozenset[int]:
        """The bureaus this actor is an officer of."""
        return frozenset(grant.bureau_id for grant in self.grants if grant.role is Role.BUREAU)


def system(name: str, *, centre_id: int = 0) -> Actor:
    """A job or command of our own."""
    return Actor(kind="system", name=name, centre_id=centre_id)
