"""A campaign is drafted, countersigned by somebody else and funded; rounds take their money from it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import msgspec
import pytest

from livehub import database
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.errors import OutOfScope, PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import Role
from livehub.kit.errors import StaleVersion
from livehub.kit.states import WrongState
from livehub.settings import Settings
from livehub.vouchers import campaign_queries, campaigns, ledger, rounds
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.errors import BudgetExhausted, Ended, NotTheDrafter, Paused, TemplateUnfit
from livehub.vouchers.models import Account, Campaign, CampaignStatus, Round, RoundStatus, Template, Validity
from tests.factories.accounts import a_bureau, a_user, an_actor
from tests.factories.vouchers import NOW, a_claimant, a_kind, a_world

NEW = campaigns.NewCampaign(name="惠农", issuer_name="北海市", budget_fen=100_000)


async def test_nobody_countersigns_what_she_drafted_or_submitted(db: Settings) -> None:
    bureau = await a_bureau()
    both = Actor(
        kind="user",
        id=7,
        centre_id=bureau.centre_id,
        grants=(Grant(Role.BUREAU, bureau.id), Grant(Role.FINANCE)),
    )
    other = an_actor(Role.FINANCE, centre_id=bureau.centre_id)
    draft = await campaigns.draft(NEW, bureau_id=bureau.id, centre_id=bureau.centre_id, actor=both, now=NOW)

    with pytest.raises(WrongState):
        await campaigns.countersign(draft.id, actor=other, now=NOW)
    submitted = await campaigns.submit(draft.id, actor=both, now=NOW)
    with pytest.raises(SecondPersonNeeded):
        await campaigns.countersign(draft.id, actor=both, now=NOW)
    with pytest.raises(PermissionMissing):
        await campaigns.countersign(draft.id, actor=an_actor(Role.STAFF, centre_id=bureau.centre_id), now=NOW)
    with pytest.raises(StaleVersion):
        await campaigns.countersign(draft.id, actor=other, now=NOW, version=submitted.version - 1)
    assert await ledger.balance(ledger.Key(draft.id, Account.AVAILABLE)) == 0
    await campaigns.countersign(draft.id, actor=other, now=NOW, version=submitted.version)

    campaign = await Campaign.get(id=draft.id)
    assert (campaign.status, campaign.approved_by_id) == (CampaignStatus.APPROVED, other.id)
    sums = await ledger.balances(draft.id)
    assert (sums[Account.TREASURY], sums[Account.AVAILABLE]) == (-100_000, 100_000)
    actions = await database.fetch("SELECT action FROM audit_entry ORDER BY id")
    assert [row["action"] for row in actions] == [
        "campaign.drafted",
        "campaign.submitted",
        "campaign.countersigned",
    ]


async def test_an_officer_of_another_bureau_finds_nothing(db: Settings) -> None:
    world = await a_world()
    stranger = an_actor(Role.BUREAU, bureau_id=world.bureau.id + 1, centre_id=world.bureau.centre_id)

    with pytest.raises(OutOfScope):
        await campaigns.pause(world.campaign.id, actor=stranger, now=NOW)


async def test_rounds_take_their_money_and_not_more(db: Settings) -> None:
    world = await a_world(a_kind(quantity=10), budget_fen=30_000)

    async def schedule(quantity: int) -> Round:
        return await rounds.schedule(
            world.campaign.id,
            templates=[a_kind(quantity=quantity)],
            claim_from=NOW,
            claim_until=NOW + timedelta(days=1),
            actor=world.officer,
            now=NOW,
        )

    with pytest.raises(BudgetExhausted):
        await schedule(6)
    second = await schedule(5)
    with pytest.raises(BudgetExhausted):
        await schedule(1)

    assert second.seq == 2
    sums = await ledger.balances(world.campaign.id)
    assert (sums[Account.AVAILABLE], sums[Account.UNISSUED]) == (0, 30_000)
    assert await Round.all().count() == 2


async def test_two_officers_allocating_at_once_cannot_overdraw(db: Settings) -> None:
    world = await a_world(a_kind(quantity=10), budget_fen=30_000)

    async def schedule() -> object:
        return await database.unit(
            lambda: rounds.schedule(
                world.campaign.id,
                templates=[a_kind(quantity=4)],
                claim_from=NOW,
                claim_until=NOW + timedelta(days=1),
                actor=world.officer,
                now=NOW,
            )
        )

    answers = await asyncio.gather(*(schedule() for _ in range(4)), return_exceptions=True)

    assert sorted(type(each).__name__ for each in answers) == ["BudgetExhausted"] * 3 + ["Round"]
    assert (await ledger.balances(world.campaign.id))[Account.AVAILABLE] == 2_000


@pytest.mark.parametrize(
    "change",
    [
        {"threshold_fen": 1999},
        {"validity_n": 0},
        {"validity": Validity.FIXED},
        {"rules": {"nonsense": {}}},
        {"rules": {"per_person": {"limit": 0}}},
    ],
)
async def test_unfit_templates_are_refused(db: Settings, change: dict[str, object]) -> None:
    world = await a_world(budget_fen=10_000_000)

    with pytest.raises(TemplateUnfit):
        await rounds.schedule(
            world.campaign.id,
            templates=[a_kind(**change)],
            claim_from=NOW,
            claim_until=NOW + timedelta(days=1),
            actor=world.officer,
            now=NOW,
        )


async def test_pausing_stops_claims_and_closing_releases_the_rest(db: Settings) -> None:
    world = await a_world(a_kind(quantity=10))
    first, second = await a_claimant(world), await a_claimant(world)
    desk = ClaimDesk(db)
    desk.start()
    try:
        await desk.claim(world.link.slug, claimant=first, key="k", now=NOW)
        await campaigns.pause(world.campaign.id, actor=world.officer, now=NOW)
        with pytest.raises(Paused):
            await desk.claim(world.link.slug, claimant=second, key="k", now=NOW)
        await campaigns.resume(world.campaign.id, actor=world.officer, now=NOW)
        closed = await rounds.close_round(world.round.id, actor=world.officer, now=NOW)
        with pytest.raises(Ended):
            await desk.claim(world.link.slug, claimant=second, key="k", now=NOW)
    finally:
        await desk.stop()

    assert closed.status is RoundStatus.CLOSED
    sums = await ledger.balances(world.campaign.id)
    assert (sums[Account.UNISSUED], sums[Account.HELD], sums[Account.RELEASED]) == (0, 2_000, 18_000)
    with pytest.raises(WrongState):
        await rounds.close_round(world.round.id, actor=world.officer, now=NOW)


async def test_closing_during_a_rush_loses_no_fen(db: Settings) -> None:
    world = await a_world(a_kind(quantity=200))
    people = [await a_claimant(world) for _ in range(150)]
    opened = [ClaimDesk(db), ClaimDesk(db)]
    for desk in opened:
        desk.start()
    try:
        claims = [
            asyncio.ensure_future(opened[n % 2].claim(world.link.slug, claimant=who, key="k", now=NOW))
            for n, who in enumerate(people)
        ]
        await asyncio.sleep(0.01)
        await database.unit(lambda: rounds.close_round(world.round.id, actor=world.officer, now=NOW))
        answers = await asyncio.gather(*claims, return_exceptions=True)
        fallbacks = sum(desk.fallbacks for desk in opened)
    finally:
        for desk in opened:
            await desk.stop()

    given = sum(not isinstance(each, Exception) for each in answers)
    assert {type(each) for each in answers if isinstance(each, Exception)} <= {Ended}
    assert (await Template.get(id=world.template.id)).issued == given
    sums = await ledger.balances(world.campaign.id)
    assert (sums[Account.HELD], sums[Account.UNISSUED]) == (given * 2000, 0)
    assert sums[Account.RELEASED] == (200 - given) * 2000
    assert fallbacks == 0


async def test_the_campaigns_page_and_list(db: Settings) -> None:
    world = await a_world(a_kind(quantity=10), budget_fen=30_000)
    scope = {"centre_id": world.bureau.centre_id}
    desk = ClaimDesk(db)
    desk.start()
    await desk.claim(world.link.slug, claimant=await a_claimant(world), key="k", now=NOW)
    await desk.stop()

    page = await campaign_queries.campaign(world.campaign.public_id, now=NOW, **scope)
    listed = await campaign_queries.campaigns(**scope)

    assert (page.worst_case_fen, page.balanced, page.rounds[0].allocated_fen) == (20_000, True, 20_000)
    assert page.rounds[0].templates[0].per_person == 1
    assert (page.figures.claimed, page.figures.left, page.funnel.matured) == (1, 9, 0)
    assert [(row.id, row.committed_fen, row.claimed) for row in listed.items] == [
        (world.campaign.public_id, 2000, 1)
    ]
    assert (await campaign_queries.campaigns(bureaus=frozenset(), **scope)).items == []


async def test_a_machine_signs_nothing_and_is_not_mistaken_for_the_user_of_its_number(db: Settings) -> None:
    bureau = await a_bureau()
    centre = {"centre_id": bureau.centre_id}
    person = await a_user(Grant(Role.FINANCE), name="同号的财务")
    officer = an_actor(Role.BUREAU, bureau_id=bureau.id, user_id=person.id, **centre)
    machine = msgspec.structs.replace(officer, kind="token")
    finance = an_actor(Role.FINANCE, user_id=person.id, **centre)
    draft = await campaigns.draft(NEW, bureau_id=bureau.id, **centre, actor=machine, now=NOW)
    await campaigns.submit(draft.id, actor=machine, now=NOW)

    waiting = await campaign_queries.to_countersign(**centre)
    seen = await campaign_queries.campaign(draft.public_id, **centre, now=NOW)
    with pytest.raises(SecondPersonNeeded):
        await campaigns.countersign(draft.id, actor=msgspec.structs.replace(finance, kind="token"), now=NOW)
    await campaigns.countersign(draft.id, actor=finance, now=NOW)

    assert (waiting, seen.submitted, seen.drafted_by) == (1, True, "")
    signed = await campaign_queries.campaign(draft.public_id, **centre, now=NOW)
    assert (signed.state, signed.approved_by) == ("approved", "同号的财务")


async def test_only_its_drafter_writes_a_draft_anew_and_it_is_submitted_again(db: Settings) -> None:
    bureau = await a_bureau()
    scope = {"centre_id": bureau.centre_id}
    hers, colleague = (an_actor(Role.BUREAU, bureau_id=bureau.id, **scope) for _ in range(2))
    finance = an_actor(Role.FINANCE, **scope)
    draft = await campaigns.draft(NEW, bureau_id=bureau.id, actor=hers, now=NOW, **scope)
    submitted = await campaigns.submit(draft.id, actor=hers, now=NOW)
    other = msgspec.structs.replace(NEW, name="惠渔", budget_fen=200_000)

    with pytest.raises(NotTheDrafter):
        await campaigns.change(draft.id, other, actor=colleague, now=NOW)
    with pytest.raises(StaleVersion):
        await campaigns.change(draft.id, other, actor=hers, now=NOW, version=submitted.version - 1)
    changed = await campaigns.change(draft.id, other, actor=hers, now=NOW, version=submitted.version)
    with pytest.raises(WrongState):
        await campaigns.countersign(draft.id, actor=finance, now=NOW)
    await campaigns.submit(draft.id, actor=colleague, now=NOW)
    signed = await campaigns.countersign(draft.id, actor=finance, now=NOW)
    with pytest.raises(WrongState):
        await campaigns.change(draft.id, NEW, actor=hers, now=NOW)

    assert (changed.name, changed.budget_fen, changed.submitted_by_id) == ("惠渔", 200_000, 0)
    assert (await Campaign.get(id=draft.id)).name == "惠渔"
    assert await ledger.balance(ledger.Key(signed.id, Account.AVAILABLE)) == 200_000
