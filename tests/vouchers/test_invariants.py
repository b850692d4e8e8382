"""Each invariant holds after a day of work and names what was tampered with."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.kit import invariants
from livehub.settings import Settings
from livehub.vouchers.models import Voucher
from tests.factories.vouchers import a_claimant, a_kind
from tests.vouchers.test_redemptions import a_till

TAMPERED = [
    ("vouchers.counters", "UPDATE voucher_template SET issued = issued + 1"),
    ("vouchers.counters", "UPDATE voucher_template SET redeemed = 0"),
    ("vouchers.counters", "UPDATE claim_link SET claims = claims + 1"),
    ("vouchers.ledger_entries", "UPDATE ledger_account SET balance_fen = balance_fen + 1"),
    (
        "vouchers.ledger_conservation",
        "UPDATE ledger_account SET balance_fen = 1 WHERE kind = 'round:released'",
    ),
    ("vouchers.ledger_tables", "UPDATE voucher SET state = 'revoked' WHERE state = 'issued'"),
    ("vouchers.ledger_tables", "UPDATE voucher_template SET quantity = quantity + 1"),
    ("vouchers.ledger_tables", "UPDATE redemption SET state = 'voided'"),
    ("vouchers.one_live_redemption", "UPDATE voucher SET state = 'issued'"),
    ("vouchers.one_live_redemption", "UPDATE voucher_template SET threshold_fen = 90000"),
    ("vouchers.one_live_redemption", "UPDATE redemption SET at = at + 99999999999"),
    ("vouchers.slots", "DELETE FROM claim_slot"),
    ("vouchers.slots", "UPDATE claim_slot SET n = n + 1"),
]


async def _broken() -> set[str]:
    found = invariants.discover(["livehub.vouchers"])
    return {each.name for each in found if await each.check()}


@pytest.mark.parametrize(("name", "tampering"), TAMPERED)
async def test_invariants_hold_and_catch(db: Settings, name: str, tampering: str) -> None:
    async with a_till(db, a_kind(quantity=10), budget_fen=50_000) as till:
        first, second = [await till.voucher(await a_claimant(till.world)) for _ in range(2)]
        await till.redeem(first)
    assert await Voucher.get(id=second.id)
    assert await _broken() == set()

    await database.execute(tampering)

    assert name in await _broken()
