"""What the database alone refuses, whatever the code above it does: the last line of defence."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import date, timedelta

import pytest
from tortoise.exceptions import BaseORMException

from livehub import database
from livehub.accounts import chain
from livehub.accounts.models import Bureau
from livehub.kit import clock
from livehub.merchants.models import Product, Qualification, SelectionReview
from livehub.orders import intake
from livehub.orders.models import LineAssignment, RollupRepair
from livehub.orders.statements.models import SettledMark, SettlementDifference, StatementLine
from livehub.reports.models import BroadcastReview, BureauReport, ClosedMonth, DayReconciliation
from livehub.settings import Settings
from livehub.settlement import collecting, opening
from livehub.settlement.case_models import CaseRow, Subject
from livehub.settlement.models import SettlementFile, SettlementHold
from livehub.settlement.repayment_models import SettlementRepayment
from livehub.vouchers import drops, refunds
from livehub.vouchers.after_models import RoundRollover
from livehub.vouchers.lottery_models import LotteryDraw, LotteryEntry, LotteryWinner
from livehub.vouchers.models import Round
from livehub.vouchers.pack_models import Pack, PackItem
from rooms.air_models import Incident, PreAirCheck, Recording
from rooms.models import Booking, Broadcast, BroadcastAccount, BroadcastRun, BroadcastState, Room
from rooms.plan_models import PlanEvent, PlanSlot, PlanVersion
from rooms.series_models import RejectedOccurrence, Series
from rooms.sharing_models import Closure, Quota, WaitlistEntry
from streamers.models import Person
from streamers.training import certificates, graduation
from streamers.training.after_models import FollowUp, Incubation, IncubationExtension, Mentor, MentorVisit
from streamers.training.models import Enrolment, OpeningApplication
from streamers.training.subsidy_models import SpotCheck, SubsidyClaim, SubsidyLine
from tests.factories.training import LATER, School, an_ended_school
from tests.factories.vouchers import NOW, a_broadcast, a_claimant
from tests.vouchers.test_drops import the_link
from tests.vouchers.test_redemptions import a_till

REFUSED: dict[str, tuple[str, ...]] = {
    "resource_claim_no_overlap": (
        "COPY resource_claim: starts_at = starts_at + 1",
        "UPDATE resource_claim SET active = true",
    ),
    "resource_claim_forward": ("UPDATE resource_claim SET ends_at = starts_at",),
    "resource_claim_of_one": (
        "UPDATE resource_claim SET closure_id = (SELECT max(id) FROM closure)",
        "UPDATE resource_claim SET booking_id = NULL",
    ),
    "closure_forward": ("UPDATE closure SET end_at = start_at",),
    "quota_not_below_zero": ('UPDATE quota SET "limit" = -1',),
    "waitlist_entry_one_offer": (
        "COPY waitlist_entry: public_id = 'another', bureau_id = (SELECT max(id) FROM bureau)",
    ),
    "waitlist_entry_one_place": ("COPY waitlist_entry: public_id = 'another', state = 'waiting'",),
    "lottery_draw_in_order": (
        "COPY lottery_draw: round_id = (SELECT max(id) FROM campaign_round), signup_until = signup_from",
        "COPY lottery_draw: round_id = (SELECT max(id) FROM campaign_round), source_at = signup_until - 1",
        "COPY lottery_draw: round_id = (SELECT max(id) FROM campaign_round), draw_at = source_at - 1",
    ),
    "lottery_draw_two_persons": (
        "COPY lottery_draw: round_id = (SELECT max(id) FROM campaign_round), confirmed_by_id = entered_by_id",
        "COPY lottery_draw: round_id = (SELECT max(id) FROM campaign_round), confirmed_by_id = -1",
        "COPY lottery_draw: round_id = (SELECT max(id) FROM campaign_round), randomness = ''",
    ),
    "lottery_draw_complete": (
        "COPY lottery_draw: round_id = (SELECT max(id) FROM campaign_round), frozen_at = NULL",
        "COPY lottery_draw: round_id = (SELECT max(id) FROM campaign_round), confirmed_at = NULL",
        "COPY lottery_draw: round_id = (SELECT max(id) FROM campaign_round), seed = NULL",
    ),
    "lottery_draw_final": (
        "UPDATE lottery_draw SET source = 'mine'",
        "UPDATE lottery_draw SET commitment = seed",
        "UPDATE lottery_draw SET list_hash = seed",
        "UPDATE lottery_draw SET randomness = '1234'",
        "UPDATE lottery_draw SET seed = list_hash",
        "DELETE FROM lottery_draw",
    ),
    "lottery_entry_append_only": (
        "UPDATE lottery_entry SET platform = 'x'",
        "DELETE FROM lottery_entry",
    ),
    "lottery_winner_append_only": (
        "UPDATE lottery_winner SET place = 9",
        "DELETE FROM lottery_winner",
    ),
    "booking_forward": ("UPDATE booking SET end_at = start_at",),
    "voucher_template_stock": ("UPDATE voucher_template SET issued = quantity + 1",),
    "voucher_template_redeemed": (
        "UPDATE voucher_template SET redeemed = issued + 1",
        "UPDATE voucher_template SET redeemed = -1",
    ),
    "voucher_template_face": (
        "UPDATE voucher_template SET face_fen = 0",
        "UPDATE voucher_template SET threshold_fen = face_fen - 1",
    ),
    "voucher_drop_stock": (
        "UPDATE voucher_drop SET claimed = quantity + 1",
        "UPDATE voucher_drop SET claimed = -1",
    ),
    "voucher_drop_each": ("UPDATE voucher_drop SET vouchers_each = 0",),
    "voucher_pack_item_some": ("UPDATE voucher_pack_item SET n = 0",),
    "claim_link_quota": ("UPDATE claim_link SET quota = 1, claims = 2",),
    "shop_evidence_floor": ("UPDATE shop SET evidence_days = 89",),
    "campaign_budget": ("UPDATE campaign SET budget_fen = 0",),
    "ledger_account_not_below_zero": (
        "UPDATE ledger_account SET balance_fen = -1 WHERE kind = 'round:held'",
    ),
    "ledger_entry_amount": (
        "COPY ledger_entry: amount_fen = 0",
        "COPY ledger_entry: credit_id = debit_id",
    ),
    "redemption_amounts": (
        "UPDATE redemption SET paid_fen = paid_fen + 1",
        "UPDATE redemption SET subsidy_fen = 0, paid_fen = order_fen",
        "UPDATE redemption SET subsidy_fen = order_fen, paid_fen = 0",
        "UPDATE redemption SET refunded_fen = order_fen + 1",
        "UPDATE redemption SET recovered_fen = subsidy_fen + 1",
    ),
    "redemption_refund_amounts": (
        "COPY redemption_refund: refund_no = 'another', cash_fen = cash_fen + 1",
        "COPY redemption_refund: refund_no = 'another', refund_fen = 0, cash_fen = 0, clawback_fen = 0",
    ),
    "round_rollover_forward": ("COPY round_rollover: source_id = target_id",),
    "redemption_one_live_per_voucher": (
        "COPY redemption: id = id + 1, public_id = 'another', order_no = 'another', nth = nth + 1",
    ),
    "redemption_one_live_per_order": (
        "COPY redemption: id = id + 1, public_id = 'another', nth = nth + 1, voucher_id = (SELECT max(id) FROM voucher)",
    ),
    "redemption_nth_use_of_person": (
        "COPY redemption: id = id + 1, public_id = 'another', order_no = 'another', state = 'refunded'",
    ),
    "broadcast_run_one_open": ("COPY broadcast_run: started_at = started_at + 1",),
    "broadcast_account_one_room": ("UPDATE broadcast_account SET room_ref = '7312'",),
    "voucher_drop_one_open": ("UPDATE voucher_drop SET state = 'open'",),
    "claim_link_one_per_channel": (
        (
            "UPDATE claim_link SET platform = '', broadcast_id = (SELECT max(broadcast_id) FROM claim_link),"
            " streamer_id = (SELECT max(streamer_id) FROM claim_link)"
        ),
    ),
    "settlement_batch_amounts": (
        "UPDATE settlement_batch SET pay_fen = -1",
        "UPDATE settlement_batch SET net_fen = 1, pay_fen = redeemed_fen - recovered_fen - 1",
    ),
    "settlement_batch_steps": ("UPDATE settlement_batch SET state = 'submitted', sha256 = NULL",),
    "settlement_line_sign": ("COPY settlement_line: refund_id = 77",),
    "settlement_line_fixed": ("UPDATE settlement_line SET batch_id = batch_id",),
    "merchant_enrolment_why_not": ("UPDATE merchant_enrolment SET status = 'rejected', reason = ''",),
    "settlement_hold_one": ("COPY settlement_hold: public_id = 'another'",),
    "integrity_case_steps": (
        "UPDATE integrity_case SET state = 'looked_at'",
        "UPDATE integrity_case SET state = 'confirmed', looked_at = 1, looked_by_id = 7",
    ),
    "integrity_case_two_people": (
        "UPDATE integrity_case SET state = 'released', looked_at = 1, ended_at = 1, opened_by_id = 7",
        "UPDATE integrity_case SET state = 'released', looked_at = 1, ended_at = 1, looked_by_id = 7, opened_by_id = 0",
    ),
    "settlement_repayment_one_receipt": ("COPY settlement_repayment: public_id = 'another'",),
    "settlement_repayment_amount": ("UPDATE settlement_repayment SET amount_fen = 0",),
    "settlement_repayment_two": (
        "UPDATE settlement_repayment SET state = 'confirmed', decided_at = 1, decided_by_id = noted_by_id",
        "UPDATE settlement_repayment SET decided_at = 1",
        "UPDATE settlement_repayment SET state = 'withdrawn'",
    ),
    "settlement_hold_of_one": ("UPDATE settlement_hold SET redemption_id = 1",),
    "person_one_of_identity": (
        (
            "UPDATE person SET identity_index = (SELECT identity_index FROM person"
            " WHERE identity_index IS NOT NULL ORDER BY id LIMIT 1)"
        ),
    ),
    "cohort_places": (
        "UPDATE cohort SET taken = capacity + 1",
        "UPDATE cohort SET taken = -1",
        "UPDATE cohort SET capacity = max_class + 1",
    ),
    "cohort_forward": ("UPDATE cohort SET ends_on = starts_on - 1",),
    "enrolment_one_of_person": ("COPY enrolment: public_id = 'another'",),
    "enrolment_place_in_line": ("UPDATE enrolment SET state = 'waitlisted', waitlist_pos = 1",),
    "opening_application_one_open": ("COPY opening_application: late_reason = 'another'",),
    "lesson_forward": ("UPDATE lesson SET ends_at = starts_at", "UPDATE lesson SET tenths = 0"),
    "score_not_below_zero": ("COPY score: attempt = 9, tenths = -1", "COPY score: attempt = 0"),
    "graduation_rule_append_only": (
        "UPDATE graduation_rule SET version = 9",
    ),  # foreign keys keep their rows
    "graduation_decision_append_only": ("UPDATE graduation_decision SET seq = 9",),
    "follow_up_day": ("COPY follow_up: seq = 9, day = 31", "COPY follow_up: seq = 9, broadcasts = -1"),
    "incubation_one_open": ("COPY incubation: public_id = 'another'",),
    "incubation_in_time": (
        "UPDATE incubation SET due_on = 20290902",
        "UPDATE incubation SET due_on = NULL",
        "UPDATE incubation SET admitted_on = 20260228",
    ),
    "incubation_forward": (
        "UPDATE incubation SET stage = 'candidate'",
        "UPDATE incubation SET extension_months = 5, due_on = 20270101",
    ),
    "subsidy_claim_people": (
        "UPDATE subsidy_claim SET people = max_class + 1",
        "UPDATE subsidy_claim SET total_fen = -1",
    ),
    "subsidy_line_amount": (
        "UPDATE subsidy_line SET amount_fen = -1",
        "UPDATE subsidy_line SET eligible = false",
        "UPDATE subsidy_line SET eligible = false, amount_fen = 0",
    ),
    "subsidy_line_one_paid": ("COPY subsidy_line: enrolment_id = (SELECT max(id) FROM enrolment)",),
    "certificate_one_issued": (
        "COPY certificate: public_id = 'another', number = 9, verify_code = 'another'",
    ),
    "settlement_difference_one_of_row": (
        "COPY settlement_difference: statement_line_id = 7, order_id = 0, line_ref = 'another'",
    ),
    "settlement_difference_one_of_line": (
        "COPY settlement_difference: statement_line_id = 0, order_id = 7, line_ref = '1'",
    ),
    "settlement_difference_explained": (
        "UPDATE settlement_difference SET state = 'explained', reason = ''",
        "UPDATE settlement_difference SET state = 'explained', reason = '扣了', explained_at = NULL",
    ),
    "broadcast_on_air_checked": ("UPDATE broadcast SET state = 'live'",),
    "incident_corrected": ("UPDATE incident SET correction = '更正'",),
    "incident_stays": ("UPDATE incident SET text = '别的'", "DELETE FROM incident"),
    "recording_kept": ("DELETE FROM recording",),
    "recording_length": ("UPDATE recording SET seconds = 0",),
    "qualification_days": ("UPDATE qualification SET issued_on = 20260302, valid_to = 20260301",),
    "qualification_withdrawn": ("UPDATE qualification SET withdrawn_at = 1",),
    "plan_version_one_published": ("COPY plan_version: number = 9",),
    "plan_version_stays": (
        "UPDATE plan_version SET number = number + 10",
        "DELETE FROM plan_version WHERE number = 2",
    ),
    "plan_slot_time": ("COPY plan_slot: ends_at = starts_at, booking = 'another'",),
    "plan_event_rises": (
        "UPDATE plan_event SET sequence = sequence - 1",
        "UPDATE plan_event SET booking = 'another'",
    ),
    "series_length": ("UPDATE series SET minutes = 0",),
    "bureau_report_forward": ("COPY bureau_report: public_id = 'another', until = since",),
    "bureau_report_signed": (
        "COPY bureau_report: public_id = 'another', signed_by_id = prepared_by_id",
        "COPY bureau_report: public_id = 'another', sha256 = NULL",
    ),
    "bureau_report_fixed": (
        "UPDATE bureau_report SET content = 'another'",
        "UPDATE bureau_report SET signed_by = 'another'",
        "UPDATE bureau_report SET state = 'draft'",
        "UPDATE bureau_report SET kind = 'another'",
        "DELETE FROM bureau_report",
    ),
    "rejected_occurrence_reason": ("UPDATE rejected_occurrence SET code = ''",),
    **{
        f"{table}_append_only": (f"UPDATE {table} SET {column} = 9", f"DELETE FROM {table}")
        for table, column in {
            "audit_entry": "bureau_id",
            "audit_link": "bureau_id",
            "ledger_entry": "campaign_id",
            "contribution_entry": "order_id",
            "follow_up": "seq",
            "incubation_extension": "months",
            "mentor_visit": "at",
            "spot_check": "at",
            "line_assignment": "order_id",
            "rollup_repair": "order_id",
            "broadcast_review": "run",
            "redemption_refund": "campaign_id",
            "statement_line": "line",
            "settlement_file": "version",
            "case_row": "row_id",
            "case_note": "by_id",
            "settled_mark": "fen",
            "day_reconciliation": "day",
            "closed_month": "month",
            "attendance": "seq",
            "score": "attempt",
            "pre_air_check": "signer_id",
            "selection_review": "meeting_on",
            "plan_slot": "room_id",
        }.items()
    },
}


@asynccontextmanager
async def something_of_everything(db: Settings) -> AsyncIterator[None]:
    """Rows in every guarded table: a voucher used, another unused, two drops, a show on air, a figure."""
    async with a_till(db) as till:
        world = till.world
        used = await till.voucher(await a_claimant(world))
        await till.voucher(await a_claimant(world))
        done = await till.redeem(used, receipt_no="r1")
        await refunds.refund(
            done.redemption,
            refund_no="T1",
            refund_fen=99,
            key="k",
            source="till",
            actor=till.cashier,
            now=NOW,
        )
        pack = await Pack.create(public_id="pack", round_id=world.round.id, name="券包")
        await PackItem.create(pack_id=pack.id, template_id=0, n=1)
        await RoundRollover.create(source_id=world.round.id, target_id=world.round.id + 1)
        show = await a_broadcast(world)
        await the_link(world, show)
        await BroadcastAccount.create(broadcast_id=show.id, platform="doudian", account_ref="another")
        await BroadcastRun.create(broadcast_id=show.id, started_at=NOW)
        for _ in range(2):
            await drops.plan(
                show.id, template_id=world.template.id, quantity=9, window_s=60, actor=world.staff, now=NOW
            )
        for active in ("true", "false"):
            await database.execute(
                "INSERT INTO resource_claim (kind, resource_id, starts_at, ends_at, booking_id, active)"
                f" SELECT 'room', room_id, start_at, end_at, id, {active} FROM booking"
            )
        await intake.run_once(now=NOW + timedelta(days=1), lease_seconds=30)
        await chain.chain_tail(NOW)
        await LineAssignment.create(
            order_id=1, line_ref="1", broadcast_id=show.id, streamer_id=0, reason="小票", actor_id=1,
            actor_name="阿海", at=NOW,
        )  # fmt: skip
        await RollupRepair.create(
            at=NOW, why="bucket", order_id=0, line_ref="", centre_id=1, day=20260302, broadcast_id=0, shop_id=1,
            streamer_id=0, product_id=0, attribution="U", was="{}", became="{}",
        )  # fmt: skip
        await BroadcastReview.create(
            broadcast_id=show.id, run=1, stage="T+0", as_of=NOW, made_at=NOW, frame="{}", figures="{}"
        )
        await StatementLine.create(
            statement_id=1, centre_id=1, shop_id=1, line=2, digest=b"1" * 16, order_ref="A", line_ref="",
            entry_ref="", settled_on=NOW.date(), sales_fen=1, fee_fen=0, commission_fen=0, freight_fen=0, other_fen=0,
        )  # fmt: skip
        await SettledMark.create(statement_line_id=1, statement_id=1, order_id=1, line_ref="1", fen=1, at=NOW)
        await DayReconciliation.create(centre_id=1, day=NOW.date(), as_of=NOW, at=NOW, made_by="x")
        await _something_shared(show.id)
        await _something_drawn(world.round.id)
        await ClosedMonth.create(centre_id=1, month=202603, as_of=NOW, at=NOW, made_by="x", snapshot="{}")
        await collecting.run(clock.local_day(NOW), actor=world.finance, now=NOW + timedelta(days=1))
        await BureauReport.create(
            public_id="report", centre_id=world.bureau.centre_id, bureau_id=world.bureau.id, kind="monthly",
            since=NOW.date(), until=NOW.date() + timedelta(days=1), axis="event", basis="G3", state="signed",
            prepared_by_id=1, prepared_by="x", prepared_at=NOW, as_of=NOW, content="{}", sha256=b"1" * 32,
            signed_by_id=2, signed_by="y", signed_at=NOW,
        )  # fmt: skip
        await SettlementFile.create(
            batch_id=1, version=1, name="x", sha256=b"1" * 32, body=b"", made_at=NOW, made_by="x"
        )
        await SettlementHold.create(
            public_id="hold",
            centre_id=1,
            merchant_id=1,
            reason="x",
            placed_by_id=1,
            placed_by="x",
            placed_at=NOW,
        )
        case = await opening.by_hand(
            subject=Subject.MERCHANT,
            subject_ref=till.merchant.public_id,
            reason="核对",
            actor=world.finance,
            now=NOW,
        )
        await CaseRow.create(case_id=case.id, kind="redemption", row_id=1)
        await SettlementRepayment.create(
            public_id="repaid", centre_id=1, campaign_id=1, amount_fen=1, reference="S-1", received_on=NOW.date(),
            noted_by_id=1, noted_by="x", noted_at=NOW,
        )  # fmt: skip
        await a_class_that_ended()
        await what_is_kept_of_shows(show)
        for of in ({"statement_line_id": 7}, {"order_id": 7, "line_ref": "1"}):
            await SettlementDifference.create(
                centre_id=1, shop_id=1, statement_id=1, kind="over", net_fen=1, settled_fen=2, state="open",
                opened_at=NOW, **of,
            )  # fmt: skip
        yield


async def what_is_kept_of_shows(show: Broadcast) -> None:
    """A show that may not go on air yet, what was noted of it, papers of a product, a published week, a series."""
    await Broadcast.filter(id=show.id).update(state=BroadcastState.PLANNED)
    booking = await Booking.get(id=show.booking_id)
    room = await Room.get(id=booking.room_id)
    await PreAirCheck.create(
        broadcast_id=show.id, subject=b"1" * 32, items="price", role="anchor", signer_kind="link", signer_id=1,
        signed_by="阿海", passed=False, at=NOW,
    )  # fmt: skip
    await Incident.create(
        public_id="incident", broadcast_id=show.id, at=NOW, category="price", text="说错了价", reported_by="阿海",
        reported_at=NOW,
    )  # fmt: skip
    await Recording.create(
        public_id="recording", broadcast_id=show.id, ref="r", seconds=60, noted_by="阿海", noted_at=NOW
    )
    product = await Product.create(
        public_id="product", centre_id=booking.centre_id, name="沙虫干", category="prepackaged", price_fen=100
    )
    await Qualification.create(
        public_id="paper", centre_id=booking.centre_id, owner_kind="product", owner_id=product.id, type="sc",
        verified_by="阿海", verified_at=NOW,
    )  # fmt: skip
    await SelectionReview.create(
        product_id=product.id, meeting_on=NOW.date(), decision="approved", decided_by="阿海", at=NOW
    )
    when = {"starts_at": booking.start_at, "ends_at": booking.end_at}
    told = {
        "room_id": room.id,
        "room": room.name,
        "bureau_id": booking.bureau_id,
        "bureau": "局",
        "title": "x",
        "crew": "",
    }
    for number, state in ((2, "published"), (1, "superseded")):
        version = await PlanVersion.create(
            centre_id=booking.centre_id,
            week=202610,
            number=number,
            state=state,
            published_at=NOW,
            published_by="x",
        )
    await PlanSlot.create(version_id=version.id, booking=booking.public_id, kind="live", **when, **told)
    await PlanEvent.create(
        centre_id=booking.centre_id, booking=booking.public_id, week=202610, changed_at=NOW, **when, **told
    )
    series = await Series.create(
        public_id="series", centre_id=booking.centre_id, room_id=room.id, bureau_id=booking.bureau_id, title="x",
        dtstart="2026-03-22T20:00", zone="Asia/Shanghai", rrule="FREQ=WEEKLY;COUNT=2", minutes=60, created_by_id=1,
        created_at=NOW,
    )  # fmt: skip
    await RejectedOccurrence.create(
        series_id=series.id, recurrence_id="2026-03-22T20:00", code="conflict", detail="占用"
    )


async def a_class_that_ended() -> None:
    """With a certificate, and an application that nobody answered."""
    school, people = await an_ended_school()
    await graduation.confirm(school.cohort.public_id, actor=school.manager, now=LATER)
    await certificates.issue(school.cohort.public_id, actor=school.manager, now=LATER)
    await _after_a_class(school, people[0])
    await OpeningApplication.create(
        cohort_id=school.cohort.id, submitted_at=NOW, submitted_by_id=1, submitted_by="阿海", roster="[]",
        answer_due_on=NOW.date(),
    )  # fmt: skip


async def _after_a_class(school: School, who: Enrolment) -> None:
    """A visit, an incubation that was given time, a claim that holds."""
    await FollowUp.create(
        enrolment_id=who.id, day=30, seq=1, broadcasts=0, elsewhere=0, net_sales_fen=0, employment="employed",
        contacted_by="阿海", at=LATER,
    )  # fmt: skip
    person = await Person.get(id=who.person_id)
    mentor = await Mentor.create(
        public_id="mentor", centre_id=person.centre_id, person_id=person.id, field="选品"
    )
    incubation = await Incubation.create(
        public_id="incubation", centre_id=person.centre_id, bureau_id=school.bureau.id, person_id=person.id,
        stage="incubating", admitted_on=date(2026, 3, 1), due_on=date(2029, 9, 1), extension_months=6,
        created_at=LATER,
    )  # fmt: skip
    of = {"incubation_id": incubation.id, "by_name": "阿海", "at": LATER}
    await IncubationExtension.create(months=6, reason="旺季", **of)
    await MentorVisit.create(mentor_id=mentor.id, on_day=date(2026, 3, 2), note="看账本", **of)
    await SpotCheck.create(enrolment_id=who.id, method="phone", confirmed=True, by_name="阿海", at=LATER)
    claim = await SubsidyClaim.create(
        public_id="claim", cohort_id=who.cohort_id, state="submitted", people=1, max_class=50, pass_rate="1",
        factor="1", per_head_fen=100, total_fen=100, made_at=LATER,
    )  # fmt: skip
    await SubsidyLine.create(
        claim_id=claim.id, enrolment_id=who.id, person_id=person.id, occupation="主播", level=5, eligible=True,
        amount_fen=100, holds=True,
    )  # fmt: skip


async def _something_shared(show_id: int) -> None:
    """A closure, a quota and an offer."""
    show = await Broadcast.get(id=show_id)
    bureau = await Bureau.create(
        public_id="another", centre_id=show.centre_id, name="商务局", kind="commerce"
    )
    of = {"centre_id": show.centre_id}
    await Closure.create(
        public_id="c1", start_at=NOW, end_at=NOW + timedelta(hours=1), reason="检修", mode="normal",
        created_by_id=0, created_at=NOW, **of,
    )  # fmt: skip
    await Quota.create(
        bureau_id=bureau.id, window="weekly", unit="bookings", limit=1, since_day=NOW.date(), **of
    )
    await WaitlistEntry.create(
        public_id="w1", bureau_id=show.bureau_id, room_id=show.room_id, start_at=NOW,
        end_at=NOW + timedelta(hours=1), wish="{}", state="offered", created_by_id=0, created_at=NOW, **of,
    )  # fmt: skip


async def _something_drawn(round_id: int) -> None:
    """A lottery with its one winner, and a round that has none."""
    campaign_id = (await Round.get(id=round_id)).campaign_id
    await Round.create(
        public_id="another",
        campaign_id=campaign_id,
        seq=9,
        claim_from=NOW,
        claim_until=NOW + timedelta(days=1),
    )
    await LotteryDraw.create(
        round_id=round_id, signup_from=NOW, signup_until=NOW + timedelta(days=1), source="双色球",
        source_at=NOW + timedelta(days=2), draw_at=NOW + timedelta(days=3), commitment=b"1" * 32, seed_sealed=b"1",
        entries=1, list_hash=b"2" * 32, frozen_at=NOW, randomness="12345", entered_by_id=1, confirmed_by_id=2,
        confirmed_at=NOW, seed=b"3" * 32, quantity=1, winners=1, drawn_at=NOW,
    )  # fmt: skip
    lot = {"round_id": round_id, "platform": "", "person_key": b"1" * 16}
    await LotteryEntry.create(id=1, public_id="lot", at=NOW, **lot)
    await LotteryWinner.create(entry_id=1, place=1, **lot)


async def outcome(statement: str) -> str:
    """Why the database refuses a statement, '' when it does not; nothing of it stays."""
    try:
        async with database.transaction():
            await database.execute(await spelled(statement))
            raise ZeroDivisionError
    except ZeroDivisionError:
        return ""
    except (BaseORMException, database.DatabaseUnavailable) as refusal:
        return str(refusal) or repr(refusal.__cause__)


async def spelled(statement: str) -> str:
    """``COPY table: column = value, …`` is the first row once more, with other values."""
    copied = re.fullmatch(r"COPY (\w+): (.+)", statement)
    if copied is None:
        return statement
    table, changes = copied[1], dict(each.split(" = ", 1) for each in copied[2].split(", "))
    row = await database.fetch_one(f"SELECT * FROM {table} ORDER BY id LIMIT 1")
    assert row is not None, table
    generated = {"id"} - changes.keys()
    columns = [name for name in row if name not in generated]
    values = ", ".join(changes.get(name, name) for name in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) SELECT {values} FROM {table} ORDER BY id LIMIT 1"


def named(guard: str) -> str:
    """How a guard of this name speaks."""
    return guard.removesuffix("_append_only") + " is append-only" if "append_only" in guard else guard


async def test_the_database_refuses_what_must_never_be(db: Settings) -> None:
    async with something_of_everything(db):
        let_in = [
            (guard, statement)
            for guard, statements in REFUSED.items()
            for statement in statements
            if not spoke(guard, await outcome(statement), db)
        ]

    assert let_in == []


def spoke(guard: str, refusal: str, db: Settings) -> bool:
    """Whether it was this guard that refused; SQLite names the columns of a unique index, not the index."""
    return named(guard) in refusal or (db.is_sqlite and "UNIQUE constraint failed" in refusal)


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_the_past_is_not_truncated_either(db: Settings) -> None:
    async with something_of_everything(db):
        answers = [
            await outcome(f"TRUNCATE {name.removesuffix('_append_only')} CASCADE")
            for name in REFUSED
            if name.endswith("_append_only")
        ]

    assert ["append-only" in each for each in answers] == [True] * 28
