"""A budget changes from what was read to what is wanted, by a second person, and never below what is committed."""

from __future__ import annotations

import asyncio

import pytest

from livehub import database
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.errors import PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import Role
from livehub.kit.errors import Invalid
from livehub.kit.states import WrongState
from livehub.settings import Settings
from livehub.vouchers import budgets, campaign_ends, ledger
from livehub.vouchers.errors import BudgetCommitted, BudgetMoved
from livehub.vouchers.models import Account, Campaign
from tests.factories.vouchers import NOW, a_kind, a_world

ALLOCATED = 2_000_000


async def test_money_comes_and_goes_and_what_is_committed_stays(db: Settings) -> None:
    world = await a_world(a_kind(), budget_fen=3_000_000)
    campaign, given = world.campaign.id, {"reason": "追加", "actor": world.finance, "now": NOW}

    await budgets.change(campaign, current_fen=3_000_000, target_fen=5_000_000, **given)
    with pytest.raises(BudgetMoved) as moved:
        await budgets.change(campaign, current_fen=3_000_000, target_fen=6_000_000, **given)
    with pytest.raises(BudgetCommitted) as committed:
        await budgets.change(campaign, current_fen=5_000_000, target_fen=ALLOCATED - 1, **given)
    least = await budgets.change(campaign, current_fen=5_000_000, target_fen=ALLOCATED, **given)
    sums = await ledger.balances(campaign)

    assert moved.value.data == {"budget_fen": 5_000_000}
    assert committed.value.data == {"least_fen": ALLOCATED}
    assert (least.budget_fen, (await Campaign.get(id=campaign)).budget_fen) == (ALLOCATED, ALLOCATED)
    assert (sums[Account.TREASURY], sums[Account.AVAILABLE]) == (-ALLOCATED, 0)
    assert ledger.is_conserved(sums)


async def test_who_drafted_machines_and_others_change_no_budget(db: Settings) -> None:
    world = await a_world(budget_fen=3_000_000)
    campaign, given = world.campaign.id, {"current_fen": 3_000_000, "target_fen": 4_000_000, "now": NOW}
    both = Actor(
        kind="user",
        id=world.officer.id,
        centre_id=world.officer.centre_id,
        grants=(Grant(Role.BUREAU, world.bureau.id), Grant(Role.FINANCE)),
    )
    machine = Actor(kind="token", id=9, centre_id=world.officer.centre_id, grants=(Grant(Role.FINANCE),))

    for actor, error in (
        (world.officer, PermissionMissing),
        (both, SecondPersonNeeded),
        (machine, SecondPersonNeeded),
    ):
        with pytest.raises(error):
            await budgets.change(campaign, reason="追加", actor=actor, **given)
    for changes in ({"target_fen": 3_000_000}, {"target_fen": 0}, {"reason": " "}):
        with pytest.raises(Invalid):
            await budgets.change(campaign, **({"reason": "追加", "actor": world.finance} | given | changes))
    await campaign_ends.end(campaign, actor=world.officer, now=NOW)
    with pytest.raises(WrongState):
        await budgets.change(campaign, reason="追加", actor=world.finance, **given)

    assert (await Campaign.get(id=campaign)).budget_fen == 3_000_000


async def test_of_two_who_read_the_same_one_changes_it(db: Settings) -> None:
    world = await a_world(budget_fen=3_000_000)

    async def once() -> bool:
        try:
            await database.unit(
                lambda: budgets.change(
                    world.campaign.id,
                    current_fen=3_000_000,
                    target_fen=3_500_000,
                    reason="追加",
                    actor=world.finance,
                    now=NOW,
                )
            )
        except BudgetMoved:
            return False
        return True

    done = await asyncio.gather(*(once() for _ in range(6)))

    assert sorted(done) == [False] * 5 + [True]
    assert (await ledger.balances(world.campaign.id))[Account.TREASURY] == -3_500_000
