"""Centres, bureaus, users and actors for tests."""

from __future__ import annotations

import itertools
from datetime import UTC, datetime
from functools import cache

from argon2 import PasswordHasher

from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import Bureau, Centre, Membership, Role, User
from livehub.kit import ids

NOW = datetime(2026, 5, 20, 2, 0, tzinfo=UTC)  # 10:00 in Beihai
PASSWORD = "Sandworm-2026"

_numbers = itertools.count(1)


async def a_centre(name: str = "北海直播消费促进中心", city: str = "北海") -> Centre:
    return await Centre.create(public_id=ids.public_id(), name=name, city=city)


async def a_bureau(
    centre: Centre | None = None, name: str = "农业农村局", kind: str = "agriculture"
) -> Bureau:
    centre = centre or await a_centre()
    return await Bureau.create(public_id=ids.public_id(), centre_id=centre.id, name=name, kind=kind)


async def a_user(
    *grants: Grant, centre: Centre | None = None, login: str = "", name: str = "张三", active: bool = True
) -> User:
    """A user whose password is PASSWORD."""
    centre = centre or await a_centre()
    user = await User.create(
        public_id=ids.public_id(),
        centre_id=centre.id,
        login=login or f"user{next(_numbers)}",
        name=name,
        password_hash=_hash(),
        active=active,
        created_at=NOW,
    )
    for grant in grants:
        await Membership.create(
            user_id=user.id, role=grant.role, bureau_id=grant.bureau_id, merchant_id=grant.merchant_id
        )
    return user


def an_actor(
    role: Role, *, bureau_id: int = 0, merchant_id: int = 0, centre_id: int = 1, user_id: int = 0
) -> Actor:
    """Somebody with one role, who has no row."""
    return Actor(
        kind="user",
        id=user_id or next(_numbers) + 1_000_000,
        name="李四",
        centre_id=centre_id,
        grants=(Grant(role, bureau_id, merchant_id),),
        ip="198.51.100.7",
        request_id="req-1",
    )


@cache
def _hash() -> str:
    return PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(PASSWORD)
