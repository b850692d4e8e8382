"""Facts handed out: each listener once, however many processes hand out, sleep or fail."""

from __future__ import annotations

from datetime import datetime

import pytest
from msgspec import Struct

from livehub import database
from livehub.kit import clock, limits, outbox
from livehub.kit.heads import WHOLE_LOOK_SECONDS, Head
from livehub.kit.limits import RateWindow
from livehub.kit.outbox import OutboxMessage
from livehub.settings import Settings
from tests.contention import meet
from tests.heads import a_snapshot, entries_read, stopped_clock

NOW = clock.from_ms(1_780_000_000_000)


class Rang(Struct, frozen=True):
    """A bell was rung."""

    bell: str


class Tower:
    """Hears bells: counted in the listener's own transaction, and as it was called."""

    def __init__(self) -> None:
        self.called: list[str] = []
        self.broken = False

    async def hear(self, fact: Rang, now: datetime) -> None:
        self.called.append(fact.bell)
        await limits.hit(fact.bell, seconds=3600, now=NOW)
        if self.broken:
            raise RuntimeError("the rope tore")


def a_tower() -> Tower:
    tower = Tower()
    outbox.connect({Rang: {"tower": tower.hear}})
    return tower


async def ring(*bells: str) -> None:
    async with database.transaction():
        for bell in bells:
            await outbox.record(Rang(bell), now=NOW)


async def time_passes() -> None:
    """Two hours of the database's clock: every lease and every wait is over."""
    await database.execute(
        "UPDATE outbox_message SET lease_until = lease_until - 7200000, next_attempt_at = next_attempt_at - 7200000"
    )


async def heard() -> dict[str, int]:
    return {each.key: each.count for each in await RateWindow.all()}


async def test_two_processes_hand_each_fact_out_once(db: Settings) -> None:
    tower = a_tower()
    bells = [f"bell{n}" for n in range(9)]
    await ring(*bells)

    async def hand_out() -> int:
        return await outbox.hand_out(now=NOW, limit=4)

    await meet(db, "SELECT 1 FROM outbox_message ORDER BY id LIMIT 1 FOR UPDATE", hand_out, hand_out)
    await hand_out()

    assert sorted(tower.called) == bells
    assert await heard() == dict.fromkeys(bells, 1)


async def test_a_fact_of_a_transaction_that_failed_is_not_told(db: Settings) -> None:
    tower = a_tower()
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await outbox.record(Rang("bell"), now=NOW)
            raise ZeroDivisionError

    assert await outbox.hand_out(now=NOW) == 0
    assert tower.called == []


async def test_a_process_that_slept_over_its_lease_leaves_nothing_behind(db: Settings) -> None:
    a_tower()
    await ring("bell")
    (slept,) = await outbox._lease(limit=1)
    await time_passes()
    (heir,) = await outbox._lease(limit=1)

    await outbox._deliver(slept, now=NOW)
    assert await heard() == {}
    await outbox._deliver(heir, now=NOW)

    assert await heard() == {"bell": 1}
    assert (await OutboxMessage.get()).status == "done"


async def test_a_failure_of_who_lost_its_lease_is_nobodys_failure(db: Settings) -> None:
    tower = a_tower()
    await ring("bell")
    (slept,) = await outbox._lease(limit=1)
    await time_passes()
    await outbox._lease(limit=1)
    before = await database.fetch("SELECT * FROM outbox_message")

    tower.broken = True
    await outbox._deliver(slept, now=NOW)

    assert await database.fetch("SELECT * FROM outbox_message") == before


async def test_a_listener_that_always_fails_is_given_up_and_wrote_nothing(db: Settings) -> None:
    tower = a_tower()
    tower.broken = True
    await ring("bell")

    for _ in range(outbox.MAX_ATTEMPTS + 3):
        await outbox.hand_out(now=NOW)
        await time_passes()

    row = await OutboxMessage.get()
    assert (row.status, row.attempts, len(tower.called)) == ("dead", outbox.MAX_ATTEMPTS, outbox.MAX_ATTEMPTS)
    assert await heard() == {}


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    return stopped_clock(monkeypatch)


async def due_before(bell: str, *, ms: int) -> None:
    """Its transaction was long: by the time it can be seen it has been due for a while."""
    await ring(bell)
    await database.execute(
        "UPDATE outbox_message SET next_attempt_at = next_attempt_at - $1 WHERE payload LIKE $2",
        ms,
        f"%{bell}%",
    )


async def test_a_fact_that_becomes_visible_late_is_heard_all_the_same(
    db: Settings, stopped: list[float]
) -> None:
    tower, head = a_tower(), Head()
    await ring("first")
    assert await outbox.hand_out(now=NOW, head=head) == 1

    await due_before("very late", ms=60_000)
    await due_before("late", ms=500)

    await outbox.hand_out(now=NOW, head=head)
    assert tower.called == ["first", "late"]
    stopped[0] += WHOLE_LOOK_SECONDS
    await outbox.hand_out(now=NOW, head=head)
    assert tower.called == ["first", "late", "very late"]


async def test_a_fact_whose_process_died_is_heard_although_the_head_is_past_it(
    db: Settings, stopped: list[float]
) -> None:
    tower, head = a_tower(), Head()
    await due_before("dropped", ms=60_000)
    await outbox._lease(limit=1)
    await ring("other")
    await outbox.hand_out(now=NOW, head=head)
    await database.execute("UPDATE outbox_message SET lease_until = 0 WHERE status = 'waiting'")

    assert await outbox.hand_out(now=NOW, head=head) == 0
    stopped[0] += WHOLE_LOOK_SECONDS
    assert await outbox.hand_out(now=NOW, head=head) == 1
    assert tower.called == ["other", "dropped"]


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_the_dead_before_the_head_are_not_read_again_and_again(
    db: Settings, stopped: list[float]
) -> None:
    """They stay in the index for as long as somebody has a snapshot in which they live."""
    tower, head = a_tower(), Head()
    async with a_snapshot(db):
        await database.execute(MANY, 2000)
        await database.execute("UPDATE outbox_message SET status = 'done'")
        await ring("last")
        assert await outbox.hand_out(now=NOW, head=head) == 1

        due = "outbox_message_due"
        assert await entries_read(outbox.hand_out(now=NOW, head=head), index=due) < 20
        assert await entries_read(outbox.hand_out(now=NOW), index=due) >= 2000
    assert tower.called == ["last"]


MANY = (
    "INSERT INTO outbox_message (kind, listener, payload, status, attempts, next_attempt_at, lease_until,"
    " lease_token, last_error, created_at)"
    " SELECT 'Rang', 'tower', '{}', 'waiting', 0, n, 0, 0, '', 0 FROM generate_series(1, $1) n"
)
