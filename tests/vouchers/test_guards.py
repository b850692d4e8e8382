"""The tests of the races fail when what guards against the race is taken out: the test of the tests."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from types import ModuleType, SimpleNamespace

import msgspec
import pytest

from livehub import database
from livehub.settings import Settings
from livehub.vouchers import claim_rows, holdings, latch, places, redeem_rows
from tests.vouchers import test_claims, test_drops, test_redemptions


async def drop_unique(table: str, *columns: str) -> None:
    """Take a unique constraint or index away, whatever its name is."""
    for row in await database.fetch(
        "SELECT i.relname AS name, array_agg(a.attname::text ORDER BY k.n) AS columns, c.conname AS constraint"
        " FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid"
        " JOIN LATERAL unnest(x.indkey::int[]) WITH ORDINALITY k(attnum, n) ON true"
        " JOIN pg_attribute a ON a.attrelid = x.indrelid AND a.attnum = k.attnum"
        " LEFT JOIN pg_constraint c ON c.conindid = x.indexrelid AND c.contype = 'u'"
        " WHERE x.indrelid = $1::text::regclass AND x.indisunique GROUP BY i.relname, c.conname",
        table,
    ):
        if tuple(row["columns"]) == columns:
            what = f"CONSTRAINT {row['constraint']}" if row["constraint"] else ""
            await database.execute(
                f"ALTER TABLE {table} DROP {what}" if what else f"DROP INDEX {row['name']}"
            )
            return
    raise LookupError(f"no unique {columns} on {table}")


async def drop_check(table: str, name: str) -> None:
    await database.execute(f"ALTER TABLE {table} DROP CONSTRAINT {name}")


def linger(patch: pytest.MonkeyPatch, module: ModuleType) -> None:
    """Let nobody write before two desks have come to read, so that they surely meet."""
    honest, both = module.prior, asyncio.Barrier(2)

    async def together(questions: list[object]) -> list[object]:
        is_first = not both.broken
        if is_first:
            with suppress(TimeoutError, asyncio.BrokenBarrierError):
                await asyncio.wait_for(both.wait(), timeout=5)
                await both.abort()  # once is enough
        found = await honest(questions)
        await asyncio.sleep(0.05 if is_first else 0)
        return found

    patch.setattr(module, "prior", together)


async def without_stock(patch: pytest.MonkeyPatch) -> None:
    """Claims believe in an endless stock, and no CHECK holds them."""
    honest = places._stock
    patch.setattr(places, "_stock", lambda row: msgspec.structs.replace(honest(row), left=10**9))
    await drop_check("voucher_template", "voucher_template_stock")
    await drop_check("ledger_account", "ledger_account_not_below_zero")


async def without_template_lock(patch: pytest.MonkeyPatch) -> None:
    """Two workers read the same stock: neither locks the template, and no CHECK holds them."""
    linger(patch, claim_rows)
    patch.setattr(places, "database", SimpleNamespace(with_rows=database.with_rows, dialect=lambda: "sqlite"))
    await drop_check("voucher_template", "voucher_template_stock")
    await drop_check("ledger_account", "ledger_account_not_below_zero")
    await drop_unique("idempotency_record", "kind", "key")
    await drop_unique("claim_slot", "round_id", "template_id", "platform", "person_key", "n")


async def without_checks(patch: pytest.MonkeyPatch) -> None:
    """The lock alone is gone: the CHECK still keeps the stock, but batches fail and fall back."""
    linger(patch, claim_rows)
    patch.setattr(places, "database", SimpleNamespace(with_rows=database.with_rows, dialect=lambda: "sqlite"))


async def without_person_slots(patch: pytest.MonkeyPatch) -> None:
    """Nobody counts what a person has, and the unique slot is gone."""
    honest = claim_rows._prior
    patch.setattr(claim_rows, "_prior", lambda *row: msgspec.structs.replace(honest(*row), taken=0))
    patch.setattr("livehub.vouchers.claims.Counter", _Forgetful)
    await drop_unique("claim_slot", "round_id", "template_id", "platform", "person_key", "n")


async def without_stock_and_slots(patch: pytest.MonkeyPatch) -> None:
    """Either of the two would keep one person at one voucher: both are gone."""
    await without_stock(patch)
    await without_person_slots(patch)


async def without_kept_answers(patch: pytest.MonkeyPatch) -> None:
    """Answers are not looked up, and the unique key is gone."""
    honest = claim_rows._prior
    patch.setattr(claim_rows, "_prior", lambda *row: msgspec.structs.replace(honest(*row), answer=None))
    await drop_unique("idempotency_record", "kind", "key")


async def without_one_live_use(patch: pytest.MonkeyPatch) -> None:
    """The voucher's state is not looked at, and the unique live redemption is gone."""
    patch.setattr(holdings, "why_not", lambda _holding, **_given: None)
    await drop_unique("redemption", "voucher_id")
    await drop_check("voucher_template", "voucher_template_redeemed")
    await drop_check("ledger_account", "ledger_account_not_below_zero")


async def without_voucher_lock(patch: pytest.MonkeyPatch) -> None:
    """Two workers read the voucher as unused: neither locks it, and the unique live redemption is gone."""
    linger(patch, redeem_rows)
    patch.setattr(
        holdings, "database", SimpleNamespace(with_rows=database.with_rows, dialect=lambda: "sqlite")
    )
    await drop_unique("redemption", "voucher_id")
    await drop_check("voucher_template", "voucher_template_redeemed")
    await drop_check("ledger_account", "ledger_account_not_below_zero")


async def without_recent_uses(patch: pytest.MonkeyPatch) -> None:
    """Nobody counts what a person used in the shop a moment ago."""
    honest = redeem_rows.prior

    async def blind(questions: list[redeem_rows.Question]) -> list[redeem_rows.Prior]:
        return [msgspec.structs.replace(each, recent=0) for each in await honest(questions)]

    patch.setattr(redeem_rows, "prior", blind)
    patch.setattr("livehub.vouchers.redemptions.Counter", _Forgetful)


class _Forgetful(Counter):
    """Counts refusals as always, but remembers nothing of what was given to whom in a batch."""

    def __getitem__(self, key: object) -> int:
        return 0 if isinstance(key, tuple) and _is_person(key) else super().__getitem__(key)


def _is_person(key: tuple[object, ...]) -> bool:
    slot = len(key) == 3 and isinstance(key[2], bytes)
    return slot or (len(key) == 2 and all(isinstance(part, int) for part in key))


Race = Callable[[Settings], Awaitable[None]]

RACES: list[tuple[str, Callable[[pytest.MonkeyPatch], Awaitable[None]], Race]] = [
    (
        "a",
        without_stock_and_slots,
        lambda db: test_claims.test_one_person_with_64_requests_gets_one_voucher(db, 1),
    ),
    (
        "a",
        without_template_lock,
        lambda db: test_claims.test_one_person_with_64_requests_gets_one_voucher(db, 2),
    ),
    ("b", without_stock, lambda db: test_claims.test_5000_people_with_twins_for_1000_vouchers(db, 1)),
    ("b", without_template_lock, lambda db: test_claims.test_5000_people_with_twins_for_1000_vouchers(db, 2)),
    ("b", without_checks, lambda db: test_claims.test_5000_people_with_twins_for_1000_vouchers(db, 2)),
    ("b", without_kept_answers, lambda db: test_claims.test_5000_people_with_twins_for_1000_vouchers(db, 2)),
    ("c", without_person_slots, test_claims.test_one_person_over_three_links_gets_one_voucher),
    (
        "d",
        without_one_live_use,
        lambda db: test_redemptions.test_one_voucher_on_five_orders_is_used_once(db, 1),
    ),
    (
        "d",
        without_voucher_lock,
        lambda db: test_redemptions.test_one_voucher_on_five_orders_is_used_once(db, 2),
    ),
    (
        "one use in ten minutes",
        without_recent_uses,
        lambda db: test_redemptions.test_one_person_at_one_counter_without_receipts_uses_one_voucher(db, 1),
    ),
    (
        "drop",
        without_template_lock,
        test_drops.test_a_drop_gives_exactly_its_quantity_to_a_crowd_at_two_desks,
    ),
]


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
@pytest.mark.parametrize(
    ("guard", "race"), [row[1:] for row in RACES], ids=[f"{row[0]}-{row[1].__name__}" for row in RACES]
)
async def test_the_race_is_lost_without_its_guard(
    db: Settings,
    monkeypatch: pytest.MonkeyPatch,
    guard: Callable[[pytest.MonkeyPatch], Awaitable[None]],
    race: Race,
) -> None:
    latch.clear()
    await guard(monkeypatch)

    with pytest.raises(AssertionError) as caught:
        await race(db)
    print(f"without {guard.__name__}: {str(caught.value).splitlines()[0]}")
