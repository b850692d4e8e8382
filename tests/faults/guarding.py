"""What a row of the table of guards says: what is taken out, and the race that is then lost."""

from __future__ import annotations

import inspect
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
import pytest
from msgspec import Struct
from tortoise.exceptions import MultipleObjectsReturned

from livehub.settings import Settings
from livehub.vouchers import latch
from tests.factories.orders import a_world
from tests.faults.removing import Removal
from tests.heads import stopped_clock
from tests.notices.test_notices import a_channel

Engine = Literal["postgres", "sqlite"]


class Race(Struct, frozen=True):
    """A test that somebody else's interference must not make fail, with its parameters."""

    test: Callable[..., Awaitable[None]]
    given: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        given = "-".join(f"{value}" for _, value in self.given)
        return f"{self.test.__name__}[{given}]" if given else self.test.__name__

    async def run(self, db: Settings, patch: pytest.MonkeyPatch) -> None:
        """As pytest would run it, with the fixtures that tests of races ask for."""
        latch.clear()
        wanted = dict(self.given)
        for name in inspect.signature(self.test).parameters:
            match name:
                case "db":
                    wanted[name] = db
                case "monkeypatch":
                    wanted[name] = patch
                case "stopped":
                    wanted[name] = stopped_clock(patch)
                case "world":
                    wanted[name] = await a_world()
                case "sms":
                    wanted[name] = a_channel(patch)
        await self.test(**wanted)


def race(test: Callable[..., Awaitable[None]], **given: Any) -> Race:
    """A race, with its parameters by name."""
    return Race(test, tuple(sorted(given.items())))


class Guard(Struct, frozen=True, kw_only=True):
    """One guard and the race that is lost without it.

    ``behind`` stand further guards that would win the race alone; they are out as well. ``meets`` makes
    those who race surely meet.
    """

    of: str  # what it guards, in words
    out: tuple[Removal, ...]
    race: Race
    behind: tuple[Removal, ...] = ()
    meets: tuple[Removal, ...] = ()
    engine: Engine = "postgres"
    slow: bool = False

    @property
    def removed(self) -> tuple[Removal, ...]:
        """Everything that is taken out."""
        return self.meets + self.behind + self.out


def on_both(guard: Guard) -> tuple[Guard, Guard]:
    """The same row on each engine."""
    return guard, msgspec.structs.replace(guard, engine="sqlite")


# A race is lost by what it says, not by breaking down: "exactly one" is said by get() as well.
LOST = (AssertionError, pytest.fail.Exception, MultipleObjectsReturned)
