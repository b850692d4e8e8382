"""Guards of vouchers: stock, person, key, one use, one order, the money, and who signs."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from types import ModuleType

import pytest

from livehub.vouchers import claim_rows, redeem_reads
from livehub.vouchers.claims import ClaimDesk
from tests.faults.guarding import Guard, on_both, race
from tests.faults.removing import Changed, Cut, CutText, Dropped, Removal, Unique
from tests.vouchers import (
    test_budgets,
    test_campaigns,
    test_claims,
    test_drops,
    test_identity,
    test_matching,
    test_races,
    test_redemptions,
    test_revoking,
)


def lingering(module: ModuleType, read: str) -> Callable[[pytest.MonkeyPatch], None]:
    """Let nobody decide before two desks have read, so that they surely meet."""

    async def two_desks_meet(patch: pytest.MonkeyPatch) -> None:
        honest, before, after = getattr(module, read), asyncio.Barrier(2), asyncio.Barrier(2)

        async def together(questions: list[object], **how: bool) -> list[object]:
            is_first = await _both_come(before)
            found = await honest(questions, **how)
            if is_first:
                await _both_come(after)
            return found

        patch.setattr(module, read, together)

    return two_desks_meet


async def _both_come(place: asyncio.Barrier) -> bool:
    """Wait for the other one; nobody waits a second time, nor for ever."""
    if place.broken:
        return False
    with suppress(TimeoutError, asyncio.BrokenBarrierError):
        await asyncio.wait_for(place.wait(), timeout=5)
        await place.abort()
    return True


async def nothing_is_as_last_seen(patch: pytest.MonkeyPatch) -> None:
    """Let every batch of claims be settled under lock."""

    async def missed(*_: object) -> None:
        return None

    patch.setattr(ClaimDesk, "_by_view", missed)


UNDER_LOCK = Changed(nothing_is_as_last_seen)
CLAIMS_MEET = Changed(lingering(claim_rows, "prior"))
REDEMPTIONS_MEET = Changed(lingering(redeem_reads, "read"))

STOCK_CHECKS: tuple[Removal, ...] = (
    Dropped("voucher_template_stock"),
    Dropped("ledger_account_not_below_zero"),
)
USE_CHECKS: tuple[Removal, ...] = (
    Dropped("voucher_template_redeemed"),
    Dropped("ledger_account_not_below_zero"),
)
STOCK = Cut("livehub.vouchers.places:_stock", 'row["quantity"] - row["issued"]', "10**9")
TEMPLATE_LOCK = Cut("livehub.vouchers.places:hold", " FOR UPDATE OF t FOR SHARE OF r, c", "")
PERSON = (
    Cut("livehub.vouchers.claim_deciding:Settling._give", "prior.taken + self.given[slot]", "0"),
    Unique("claim_slot", "round_id, template_id, platform, person_key, n"),
)
CLAIM_ANSWERS = (
    Cut("livehub.vouchers.claim_deciding:Settling.answer", "prior.answer is not None:", "False:"),
    Unique("idempotency_record", "kind, key"),
)
VOUCHER_AS_READ = CutText(
    "livehub.vouchers.redeem_commit:_STATEMENT",
    " AND x.version = given.read_version AND x.state = given.was",
)
NTH_USE = Dropped("redemption_nth_use_of_person")
VOUCHER_STATE = Cut(
    "livehub.vouchers.holdings:why_not",
    "used or holding.state in (VoucherState.REDEEMED, VoucherState.REFUNDED)",
    "False",
)
VOUCHER_LOCKS = Cut("livehub.vouchers.holdings:hold", " FOR UPDATE OF x")
ONE_LIVE_USE = Dropped("redemption_one_live_per_voucher")

SIXTY_FOUR = test_claims.test_one_person_with_64_requests_gets_one_voucher
FIVE_THOUSAND = test_claims.test_5000_people_with_twins_for_1000_vouchers
FIVE_ORDERS = test_redemptions.test_one_voucher_on_five_orders_is_used_once
WITHOUT_RECEIPT = test_redemptions.test_one_person_at_one_counter_without_receipts_uses_one_voucher

ONE_ACCOUNT = (
    Unique("ledger_account", "campaign_id, kind, round_id, merchant_id"),
    CutText(
        "livehub.vouchers.ledger:_OPEN",
        r" ON CONFLICT \(campaign_id, kind, round_id, merchant_id\) DO NOTHING",
    ),
)
CAMPAIGN_HOLD = 'await locks.hold("campaign", [campaign_id])'
CAMPAIGN_LOCK = Cut("livehub.vouchers.rounds:schedule", CAMPAIGN_HOLD, "pass")
LINK_LOCK = Cut("livehub.vouchers.claim_rows:_read_open", '" ORDER BY l.id FOR UPDATE OF l" if', '"" if')
TWO_ROUNDS = test_races.test_two_rounds_scheduled_at_once_come_one_after_the_other
QUOTA = test_races.test_a_links_quota_holds_over_two_kinds_at_two_desks
ENROLLED = test_races.test_a_merchant_enrolled_twice_at_once_is_enrolled_and_noted_once

GUARDS = (
    Guard(
        of="the stock and the person, either of which keeps one person at one voucher",
        out=(STOCK, *PERSON),
        behind=STOCK_CHECKS,
        race=race(SIXTY_FOUR, workers=1),
    ),
    Guard(
        of="the template's lock, for one person at two desks",
        out=(TEMPLATE_LOCK,),
        behind=(*STOCK_CHECKS, PERSON[1], CLAIM_ANSWERS[1]),
        meets=(UNDER_LOCK, CLAIMS_MEET),
        race=race(SIXTY_FOUR, workers=2),
    ),
    Guard(
        of="the template's lock, for a crowd at two desks",
        out=(TEMPLATE_LOCK,),
        behind=(*STOCK_CHECKS, PERSON[1], CLAIM_ANSWERS[1]),
        meets=(UNDER_LOCK, CLAIMS_MEET),
        race=race(test_drops.test_a_drop_gives_exactly_its_quantity_to_a_crowd_at_two_desks),
    ),
    Guard(
        of="the template's lock, with the CHECKs in place: batches fail and fall back",
        out=(TEMPLATE_LOCK,),
        meets=(UNDER_LOCK, CLAIMS_MEET),
        race=race(test_drops.test_a_drop_gives_exactly_its_quantity_to_a_crowd_at_two_desks),
    ),
    Guard(
        of="the stock, under lock",
        out=(STOCK,),
        behind=STOCK_CHECKS,
        meets=(UNDER_LOCK,),
        race=race(FIVE_THOUSAND, workers=1),
        slow=True,
    ),
    Guard(
        of="the template's lock, for five thousand",
        out=(TEMPLATE_LOCK,),
        behind=(*STOCK_CHECKS, PERSON[1], CLAIM_ANSWERS[1]),
        meets=(UNDER_LOCK, CLAIMS_MEET),
        race=race(FIVE_THOUSAND, workers=2),
        slow=True,
    ),
    Guard(
        of="the answer kept for a key",
        out=CLAIM_ANSWERS,
        race=race(FIVE_THOUSAND, workers=2),
        slow=True,
    ),
    Guard(
        of="the vouchers a person has",
        out=PERSON,
        race=race(test_claims.test_one_person_over_three_links_gets_one_voucher),
    ),
    Guard(
        of="the voucher's state",
        out=(VOUCHER_STATE, ONE_LIVE_USE),
        behind=USE_CHECKS,
        race=race(FIVE_ORDERS, workers=1),
    ),
    Guard(
        of="the voucher as it was read",
        out=(VOUCHER_AS_READ, ONE_LIVE_USE),
        behind=(*USE_CHECKS, NTH_USE),
        meets=(REDEMPTIONS_MEET,),
        race=race(FIVE_ORDERS, workers=2),
    ),
    Guard(
        of="what a person used in a shop a moment ago",
        out=(
            Cut(
                "livehub.vouchers.redeem_deciding:Settling._require_usable",
                "elif seen.recent + together:",
                "elif False:",
            ),
        ),
        race=race(WITHOUT_RECEIPT, workers=1),
    ),
    Guard(
        of="the n-th use of a person at a merchant",
        out=(NTH_USE,),
        meets=(REDEMPTIONS_MEET,),
        race=race(WITHOUT_RECEIPT, workers=2),
    ),
    Guard(
        of="the second person who countersigns",
        out=(
            Cut(
                "livehub.vouchers.campaigns:countersign",
                "permissions.require_second_person(actor, first_user_id=first)",
                "pass",
            ),
        ),
        race=race(test_campaigns.test_nobody_countersigns_what_she_drafted_or_submitted),
    ),
    Guard(
        of="the lock of a campaign whose budget is changed",
        out=(Cut("livehub.vouchers.budgets:change", CAMPAIGN_HOLD, "pass"),),
        race=race(test_budgets.test_of_two_who_read_the_same_one_changes_it),
    ),
    Guard(
        of="the lock of a campaign that is countersigned",
        out=(Cut("livehub.vouchers.campaigns:_held", CAMPAIGN_HOLD, "pass"),),
        race=race(test_races.test_two_countersign_at_once_and_the_money_comes_once),
    ),
    Guard(
        of="the lock of a campaign whose money is allocated, with the numbers of its rounds",
        out=(CAMPAIGN_LOCK,),
        race=race(TWO_ROUNDS),
    ),
    Guard(
        of="the numbers of a campaign's rounds",
        out=(Unique("campaign_round", "campaign_id, seq"), CAMPAIGN_LOCK),
        race=race(TWO_ROUNDS),
    ),
    Guard(
        of="the lock of the accounts that are posted to",
        out=(Cut("livehub.vouchers.ledger:_find", '" FOR UPDATE OF a" if', '"" if'),),
        behind=(
            CAMPAIGN_LOCK,
            Unique("campaign_round", "campaign_id, seq"),
            Dropped("ledger_account_not_below_zero"),
        ),
        race=race(test_races.test_what_is_left_of_a_budget_is_allocated_once),
    ),
    Guard(
        of="the balance that is never below zero, when nobody locks it",
        out=(Cut("livehub.vouchers.ledger:_find", '" FOR UPDATE OF a" if', '"" if'),),
        behind=(CAMPAIGN_LOCK, Unique("campaign_round", "campaign_id, seq")),
        race=race(test_races.test_what_is_left_of_a_budget_is_allocated_once),
    ),
    Guard(
        of="the locks of a round that is closed",
        out=(
            Cut(
                "livehub.vouchers.rounds:held",
                'await locks.hold("voucher_template", [row["id"] for row in rows])\n'
                '    await locks.hold("campaign_round", [round_id])',
                "pass",
            ),
        ),
        race=race(test_races.test_a_round_closed_twice_at_once_releases_its_money_once),
    ),
    Guard(
        of="the round read anew by a claim that waited",
        out=(Cut("livehub.vouchers.places:hold", " FOR SHARE OF r, c", " FOR SHARE OF c"),),
        meets=(UNDER_LOCK,),
        race=race(test_races.test_a_claim_that_waited_while_its_round_was_closed_is_refused),
    ),
    Guard(
        of="the campaign read anew by a claim that waited",
        out=(Cut("livehub.vouchers.places:hold", " FOR SHARE OF r, c", " FOR SHARE OF r"),),
        meets=(UNDER_LOCK,),
        race=race(test_races.test_a_claim_that_waited_while_its_campaign_was_paused_is_refused),
    ),
    Guard(of="the lock of a link", out=(LINK_LOCK,), meets=(UNDER_LOCK,), race=race(QUOTA)),
    Guard(
        of="the quota of a link",
        out=(Dropped("claim_link_quota"), LINK_LOCK),
        meets=(UNDER_LOCK,),
        race=race(QUOTA),
    ),
    Guard(
        of="the one voucher of an order",
        out=(Dropped("redemption_one_live_per_order"),),
        race=race(test_races.test_one_order_takes_one_voucher_of_two_people_at_two_tills),
    ),
    Guard(
        of="the one answer to a key",
        out=(Unique("idempotency_record", "kind, key"),),
        race=race(test_races.test_one_key_for_two_kinds_at_two_desks_gives_one_voucher),
    ),
    Guard(
        of="the one answer to a key, for batches under lock",
        out=(Unique("idempotency_record", "kind, key"),),
        meets=(UNDER_LOCK,),
        race=race(test_races.test_one_key_for_two_kinds_at_two_desks_gives_one_voucher),
    ),
    Guard(
        of="another try for who was second to a unique row",
        out=(
            Cut(
                "livehub.vouchers.hot:run", "isinstance(error.args[0], asyncpg.UniqueViolationError)", "False"
            ),
        ),
        meets=(UNDER_LOCK,),
        race=race(test_races.test_one_key_for_two_kinds_at_two_desks_gives_one_voucher),
    ),
    Guard(
        of="another look at what is taken, for a tap that was second to a unique row",
        out=(
            Cut(
                "livehub.vouchers.redeem_commit:_is_written",
                "isinstance(error.args[0], asyncpg.UniqueViolationError)",
                "False",
            ),
        ),
        race=race(test_races.test_one_order_takes_one_voucher_of_two_people_at_two_tills),
    ),
    *(
        Guard(
            of=f"a voucher that is {state} while a tap is decided",
            out=(VOUCHER_AS_READ,),
            race=race(test_races.test_a_voucher_changed_while_a_tap_is_decided, state=state, answer=answer),
        )
        for state, answer in test_races.CHANGED.items()
    ),
    Guard(
        of="the lock of a template that is planned",
        out=(
            Cut(
                "livehub.vouchers.drops:_plan", 'await locks.hold("voucher_template", [template_id])', "pass"
            ),
        ),
        race=race(test_races.test_two_plans_at_once_stay_within_the_stock),
    ),
    Guard(
        of="the one open drop, when two are of one kind",
        out=(
            Cut(
                "livehub.vouchers.drops:open_drop",
                'if await Drop.filter(broadcast_id=drop.broadcast_id, state="open").exists():',
                "if False:",
            ),
            Dropped("voucher_drop_one_open"),
        ),
        race=race(test_drops.test_at_most_one_drop_is_open),
    ),
    Guard(
        of="the one open drop, when two are of two kinds",
        out=(Dropped("voucher_drop_one_open"),),
        race=race(test_races.test_two_drops_of_two_kinds_opened_at_once_are_one_open_drop),
    ),
    Guard(
        of="the one link of a channel",
        out=(
            Dropped("claim_link_one_per_channel"),
            Cut(
                "livehub.vouchers.links:on_booking_approved",
                " ON CONFLICT (broadcast_id, streamer_id, platform) WHERE broadcast_id IS NOT NULL DO NOTHING",
            ),
        ),
        race=race(test_drops.test_an_approved_booking_gets_one_link_for_each_platform_once),
    ),
    Guard(
        of="a drop that is closed although it is remembered",
        out=(Cut("livehub.vouchers.claims:ClaimDesk._forget_closed", "raise StalePlace", "pass"),),
        race=race(test_races.test_a_link_leads_to_the_next_drop_although_the_last_is_remembered_sold_out),
    ),
    Guard(
        of="the one person of a phone",
        out=(
            Unique("claimant", "centre_id, person_key"),
            Cut("livehub.vouchers.identity:_make_known", " ON CONFLICT (centre_id, person_key) DO NOTHING"),
        ),
        race=race(test_races.test_a_phone_verified_at_two_doors_is_one_person),
    ),
    *on_both(
        Guard(
            of="a code that was used",
            out=(Cut("livehub.vouchers.identity:_try", " AND used_at IS NULL AND", " AND"),),
            race=race(test_races.test_a_code_tried_three_times_at_once_is_right_once),
        )
    ),
    *on_both(
        Guard(
            of="the tries of a code",
            out=(Cut("livehub.vouchers.identity:_try", "tries < $3", "CAST($3 AS bigint) IS NOT NULL"),),
            race=race(test_identity.test_five_tries_and_five_minutes),
        )
    ),
    Guard(
        of="the one enrolment of a merchant",
        out=(Unique("merchant_enrolment", "campaign_id, merchant_id"),),
        behind=ONE_ACCOUNT,
        race=race(ENROLLED, has_shop=True),
    ),
    Guard(
        of="the one offline shop of a merchant",
        out=(Unique("shop", "platform, shop_ref"),),
        race=race(ENROLLED, has_shop=False),
    ),
    Guard(
        of="the one account of a kind",
        out=ONE_ACCOUNT,
        race=race(ENROLLED, has_shop=False),
    ),
    Guard(
        of="a voucher that its order has used before",
        out=(
            Cut(
                "livehub.vouchers.matching:on_order_voucher_seen",
                "if not await _is_redeemed_by(holding, fact):",
                "if True:",
            ),
        ),
        race=race(test_matching.test_orders_of_a_broadcasts_vouchers_are_attributed_to_it),
    ),
    Guard(
        of="a drop opened where the last was sold out a moment ago",
        out=(
            Cut("livehub.vouchers.drops:open_drop", "latch.clear()", "pass"),
            Cut("livehub.vouchers.drops:_close", "latch.clear()", "pass"),
        ),
        race=race(test_races.test_a_link_leads_to_the_next_drop_although_the_last_is_remembered_sold_out),
    ),
    Guard(
        of="the lock of a template whose drop is closed",
        out=(
            Cut(
                "livehub.vouchers.drops:close_drop",
                'await locks.hold("voucher_template", [drop.template_id])',
                "pass",
            ),
        ),
        race=race(test_races.test_a_drop_closed_during_a_claim_counts_it),
    ),
    Guard(
        of="the lock of a template whose drop is opened",
        out=(
            Cut(
                "livehub.vouchers.drops:open_drop",
                'await locks.hold("voucher_template", await _templates_of(planned))',
                "pass",
            ),
        ),
        race=race(test_races.test_a_part_of_a_drop_opened_twice_at_once_leaves_the_rest_planned),
    ),
    Guard(
        of="the voucher's lock, for a till and an order",
        out=(VOUCHER_LOCKS, ONE_LIVE_USE),
        behind=USE_CHECKS,
        race=race(test_races.test_a_voucher_at_the_till_and_on_an_order_at_once_is_used_once),
    ),
    Guard(
        of="the order in which clicks are added",
        out=(Cut("livehub.vouchers.links:_add", 'if database.dialect() == "postgres":', "if False:"),),
        race=race(test_races.test_clicks_are_added_in_the_order_in_which_claims_lock_links),
    ),
    *(
        Guard(
            of=f"the order in which a batch adds what was counted {how}",
            out=(
                Cut(
                    f"livehub.vouchers.hot:{part}",
                    "ORDER BY id FOR UPDATE",  # without any the rows may come in order by the plan's chance
                    "ORDER BY id DESC FOR UPDATE",
                ),
            ),
            race=race(test_races.test_a_batch_counts_in_the_order_of_ids, how=how),
        )
        for part, how in (("ctes", "in the statement"), ("add", "before it"))
    ),
    Guard(
        of="the quota of a link, within a batch",
        out=(
            Cut(
                "livehub.vouchers.claim_deciding:Settling._require_stock",
                "if place.quota and",
                "if False and",
            ),
        ),
        behind=(Dropped("claim_link_quota"),),
        race=race(test_claims.test_a_link_gives_no_more_than_its_quota),
    ),
    Guard(
        of="the quantity of a drop",
        out=(
            Cut(
                "livehub.vouchers.claim_deciding:Settling._require_stock",
                'if place.drop_id and prior.drop_left <= self.given["drop", place.drop_id]:',
                "if False:",
            ),
        ),
        behind=(Dropped("voucher_drop_stock"),),
        race=race(test_drops.test_a_drop_gives_exactly_its_quantity_to_a_crowd_at_two_desks),
    ),
    Guard(
        of="the answer kept for a tap",
        out=(
            Cut("livehub.vouchers.redeem_deciding:Settling.answer", "seen.answer is not None:", "False:"),
            Unique("idempotency_record", "kind, key"),
        ),
        race=race(test_races.test_one_tap_at_two_desks_is_answered_alike),
    ),
    Guard(
        of="the end of an older code",
        out=(Cut("livehub.vouchers.identity:_store", " AND used_at IS NULL", " AND 1 = 0"),),
        race=race(test_identity.test_a_code_is_used_once_and_ends_with_the_next_one),
        engine="sqlite",
    ),
    Guard(
        of="the lock of a voucher that is revoked",
        out=(Cut("livehub.vouchers.revoking:revoke", " FOR NO KEY UPDATE OF x"),),
        race=race(test_revoking.test_two_who_revoke_a_voucher_at_once_revoke_it_once),
    ),
)
