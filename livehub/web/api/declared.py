"""A call of the API, declared beside its handler: the router and the document read the same declaration."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any, Concatenate, Generic, TypeVar

from msgspec import Struct

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit.errors import LivehubError
from livehub.web.doors import SignInAgain

ROOT = "/api/v1"

Q = TypeVar("Q")
B = TypeVar("B")
A = TypeVar("A")


class Asked(Struct, Generic[Q, B], frozen=True, kw_only=True):
    """Who asks what, and when: everything a handler needs besides the names in the path."""

    actor: Actor
    now: datetime
    query: Q
    body: B
    version: int | None = None  # of If-Match
    key: str = ""  # of Idempotency-Key
    opened: Any = None  # the application's context: desks of the group commits


Verb = Callable[Concatenate[Asked[Q, B], ...], Awaitable[A]]


class Operation(Struct, frozen=True, kw_only=True):
    """One method of one path, with everything that may be sent and answered."""

    section: str
    method: str
    path: str  # below /api/v1, names in braces
    summary: str
    needs: tuple[Permission, ...]  # any of them; none: whoever is known
    query: Any  # a Struct, None where the call takes no query
    body: Any  # a Struct, None where the call takes no body
    answer: Any  # a Struct
    status: int
    refusals: tuple[type[LivehubError], ...]  # besides those that every call may meet
    versioned: bool  # takes If-Match
    keyed: bool  # wants Idempotency-Key; a repetition is answered with 200
    in_groups: bool  # writes through a group commit only
    verb: Callable[..., Awaitable[Any]]

    @property
    def name(self) -> str:
        """The operation's id, unique in the document."""
        return f"{self.method.lower()}{re.sub(r'[^a-z]+', '_', self.path.lower()).rstrip('_')}"

    @property
    def freshly(self) -> bool:
        """Whether a login must have typed its password a short while ago."""
        return SignInAgain in self.refusals

    @property
    def names_in_path(self) -> list[str]:
        """The names that stand in the path, in order."""
        return re.findall(r"{(\w+)}", self.path)


class Section:
    """The calls about one thing, in the order in which the document shows them."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.operations: list[Operation] = []

    def get(
        self,
        path: str,
        *,
        summary: str,
        query: type[Q],
        answer: type[A],
        needs: tuple[Permission, ...] = (),
        refusals: tuple[type[LivehubError], ...] = (),
    ) -> Callable[[Verb[Q, None, A]], Verb[Q, None, A]]:
        """A question: it changes nothing."""

        def declare(verb: Verb[Q, None, A]) -> Verb[Q, None, A]:
            self.operations.append(
                Operation(
                    section=self.name,
                    method="GET",
                    path=path,
                    summary=summary,
                    needs=needs,
                    query=query,
                    body=None,
                    answer=answer,
                    status=200,
                    refusals=refusals,
                    versioned=False,
                    keyed=False,
                    in_groups=False,
                    verb=verb,
                )
            )
            return verb

        return declare

    def post(  # noqa: PLR0913 -- what a call declares
        self,
        path: str,
        *,
        summary: str,
        body: type[B],
        answer: type[A],
        needs: tuple[Permission, ...] = (),
        status: int = 200,
        refusals: tuple[type[LivehubError], ...] = (),
        versioned: bool = False,
        keyed: bool = False,
        alone: bool = False,
        query: type[Struct] | None = None,
        method: str = "POST",
    ) -> Callable[[Verb[Any, B, A]], Verb[Any, B, A]]:
        """A command; a keyed one is settled by a group commit, unless it writes ``alone``."""

        def declare(verb: Verb[Any, B, A]) -> Verb[Any, B, A]:
            self.operations.append(
                Operation(
                    section=self.name,
                    method=method,
                    path=path,
                    summary=summary,
                    needs=needs,
                    query=query,
                    body=body,
                    answer=answer,
                    status=status,
                    refusals=refusals,
                    versioned=versioned,
                    keyed=keyed,
                    in_groups=keyed and not alone,
                    verb=verb,
                )
            )
            return verb

        return declare

    def put(
        self,
        path: str,
        *,
        summary: str,
        body: type[B],
        answer: type[A],
        needs: tuple[Permission, ...] = (),
        refusals: tuple[type[LivehubError], ...] = (),
    ) -> Callable[[Verb[Any, B, A]], Verb[Any, B, A]]:
        """A command that says how everything is to be: sent twice, it is as sent once."""
        return self.post(
            path, summary=summary, body=body, answer=answer, needs=needs, refusals=refusals, method="PUT"
        )
