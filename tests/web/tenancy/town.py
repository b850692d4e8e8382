"""A town of two centres, with one of everything of the first centre's first bureau, and everybody else."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import time_machine
from msgspec import Struct

from livehub import database
from livehub.accounts import chain
from livehub.accounts.actors import Grant
from livehub.accounts.models import AuditEntry, Role
from livehub.inbox.models import InboxDelivery, InboxMessage
from livehub.kit import clock, ids
from livehub.merchants import qualifications
from livehub.merchants.qualifications import File, Noted
from livehub.orders.pull_models import SyncCursor, SyncDifference
from livehub.orders.statements.models import SettlementDifference, SettlementStatement
from livehub.reports import documents, packing
from livehub.reports.documents import NewReport
from livehub.reports.models import BureauReport
from livehub.settlement import batches, collecting, holds, opening
from livehub.settlement.case_models import Subject
from livehub.settlement.models import SettlementBatch
from livehub.settlement.repayment_models import SettlementRepayment
from livehub.vouchers import codes, direct, drops, enrolments, identity, rounds
from livehub.vouchers import links as claim_links
from livehub.vouchers.lottery_models import LotteryDraw
from livehub.vouchers.models import Campaign, Round, RoundStatus, Voucher
from rooms import closures, incidents, records, recurrence, rundown, series
from rooms.models import Booking, Broadcast
from rooms.recurrence import Rule
from streamers import links as streamer_links
from streamers.models import Person
from streamers.training import certificates, graduation, importing, incubations
from streamers.training.course_models import Assessment, Lesson
from streamers.training.importing import Mode
from streamers.training.models import Cohort
from tests.factories.accounts import a_user, an_actor
from tests.factories.differences import a_difference, a_found
from tests.factories.merchants import a_merchant, a_product, a_store
from tests.factories.platforms import STANDARD_SECRET
from tests.factories.rooms import House, a_broadcast, a_house, local, waits
from tests.factories.statements import a_file, a_row, imported, looked_at
from tests.factories.training import an_ended_school
from tests.factories.vouchers import a_pack
from tests.site import Site
from tests.web.api.test_lotteries import a_lottery
from tests.web.api.town import a_round
from tests.web.desk.office import EVENING, Office, an_office
from tests.web.desk.test_broadcasts import a_template
from tests.web.tenancy.people import Comer, Crowd

SECRET, PAID_FEN, ORDER = "甲部门的秘密", 1_234_567, "SECRET-ORDER-1"
PHONE = "13900007788"
DOORS = ("/desk", "/bureau", "/api/v1", "/m", "/wall", "/account")  # for logins and machines
PHONES = ("/c", "/s")
STANDING = {  # neither a login's nor anybody's own
    "/", "/login", "/login/code", "/logout", "/logout/everywhere", "/healthz", "/readyz", "/metrics", "/favicon.ico",
    "/static/<version:str>/<name:path>", "/hooks/<platform:str>/<endpoint_key:str>",
    "/api/v1/docs", "/api/v1/openapi.json", "/m/redeem", "/feeds/<token=str:ext=ics>", "/verify/<code:str>",
    "/rounds/<round_id:str>/draw", "/rounds/<round_id:str>/draw/proof", "/rounds/<round_id:str>/draw/entries.txt",
}  # fmt: skip


class Town(Struct, kw_only=True):
    """What is ours, and who is not one of us."""

    office: Office
    other: House
    theirs: Broadcast  # of the other centre's first bureau
    crowd: Crowd
    ours: dict[str, str]  # a name in a path or a body -> what stands for ours
    signs: tuple[str, ...]  # what nobody else may ever read
    strangers: list[Comer] = []
    colleagues: list[Comer] = []

    def routes(self, method: str) -> list[str]:
        """The router's addresses of a method behind the doors of logins and machines, and phones."""
        found = {f"/{r.path}" for r in self.office.site.app.router.routes if method in r.methods}
        unknown = {path for path in found if not path.startswith((*DOORS, *PHONES))} - STANDING
        assert unknown == set(), "say behind which door these are"
        return sorted(path for path in found - STANDING if path.startswith(DOORS))

    def addresses(self, method: str) -> list[str]:
        """Those that name an object."""
        return [
            path
            for path in self.routes(method)
            if "<" in path and not any(each in path for each in NO_OBJECTS)
        ]

    def named(self, path: str, *, unknown: bool = False) -> str:
        """The address with our names in it, or with such as nothing has."""
        return "/".join(self._filled(part, path, unknown=unknown) for part in path.split("/"))

    def _filled(self, part: str, path: str, *, unknown: bool) -> str:
        if not part.startswith("<"):
            return part
        name, _, kind = part.strip("<>").partition(":")
        found = self.ours[path.split("/")[2] if name == "public_id" else name]
        if not unknown:
            return found
        return "999999999" if kind == "int" or found.isdigit() else "x" * len(found)

    def body(self, path: str) -> dict[str, Any]:
        """What a form or a call of an address wants, all of it valid."""
        if path not in BODIES:
            assert path.endswith(WITHOUT_BODY), f"{path}: say what its form holds"
            return {}
        return {name: self.ours.get(str(value), value) for name, value in BODIES[path].items()}

    def stranger(self, name: str) -> Comer:
        return next(each for each in self.strangers if each.name == name)


NO_OBJECTS = ("<week:str>", "<feed_id:str>")  # everybody's own centre's week; a feed is one person's
WITHOUT_BODY = (
    "/again", "/rotate",
    "/again", "/checkin", "/complete", "/no-show", "/lift", "/accept", "/decline", "/withdraw",
    "/start", "/end", "/submit", "/countersign", "/pause", "/resume", "/open", "/close", "/cancel", "/approve",
    "/lift", "/streamer-link", "/revoke", "/end-old-secrets", "/import",
    "/examine", "/archive", "/apply", "/confirm", "/certificates", "/link",
    "/signup", "/draw", "/ask",
    "/enable", "/password", "/unlock", "/logins/end",
)  # fmt: skip
_ROOM = {"platform": "standard_webhooks", "account_ref": "erp", "room_ref": "room-next"}
PDF = base64.b64encode(b"%PDF-1.7").decode()
ROSTER = base64.b64encode("姓名,身份证号\n某人,990101199501010015\n".encode()).decode()
_DRAFT = {"name": "年货券", "issuer_name": "商务局", "budget": "100", "refund_preset": "futian"}
_LOTTERY = {
    "name": "摇号券",
    "face": "20",
    "threshold": "100",
    "quantity": "1",
    "days": "7",
    "source": "双色球",
    "signup_from": "2026-03-10T20:00",
    "signup_until": "2026-03-11T20:00",
    "source_at": "2026-03-11T21:00",
    "draw_at": "2026-03-11T22:00",
    "claim_from": "2026-03-12T10:00",
    "claim_until": "2026-03-20T10:00",
}
_CAMPAIGNS = {
    "<campaign_id:str>/lotteries": _LOTTERY,
    "<campaign_id:str>/lotteries/<round_id:str>/enter": {"randomness": "02 07 11"},
    "<campaign_id:str>/lotteries/<round_id:str>/confirm": {"randomness": "02 07 11"},
    "<public_id:str>/countersign": {"version": "1"},
    "<public_id:str>/direct/<direct_id:str>/import": {"mode": "partial"},
    "<public_id:str>/rollover-plan": {"source": "1", "into": "2"},
    "<public_id:str>/edit": _DRAFT,
    "<public_id:str>/rounds": {
        "kinds": "1",
        "packs": "0",
        "mode": "rush",
        "step": "plan",
        "claim_from": "2026-03-12T10:00",
        "claim_until": "2026-03-20T10:00",
        "k1-face": "20",
        "k1-threshold": "100",
        "k1-quantity": "1",
        "k1-validity": "days_from_claim",
        "k1-n": "7",
    },
    "<public_id:str>/budget": {"current": "100", "budget": "2", "budget_reason": "追加"},
    "<public_id:str>/merchants": {"merchant": "merchant"},
    "<public_id:str>/merchants/<merchant_id:str>/reject": {"reason": "没有理由"},
    "<public_id:str>/merchants/<merchant_id:str>/suspend": {"reason": "没有理由"},
}
BODIES: dict[str, dict[str, Any]] = {
    **{
        f"{door}/campaigns/{path}": body for door in ("/desk", "/bureau") for path, body in _CAMPAIGNS.items()
    },  # a value that is a name of ours stands for ours
    "/api/v1/bookings/<booking_id:str>/reject": {"reason": "没有理由"},
    "/api/v1/bookings/<booking_id:str>/move": {"minutes": 90},
    "/desk/bookings/<public_id:str>/move": {
        "version": "1",
        "room": "room",
        "starts_at": "2026-03-05T20:00",
        "minutes": "60",
    },
    "/desk/bookings/<public_id:str>/swap": {"version": "1", "other": "swap_with"},
    "/desk/bookings/<public_id:str>/check-in": {"version": "1"},
    "/desk/bookings/<public_id:str>/complete": {"version": "1"},
    "/desk/bookings/<public_id:str>/miss": {"version": "1"},
    "/desk/bookings/<public_id:str>/handover": {"out_by": "阿海", "in_by": "阿珍"},
    "/desk/rooms/<room_id:str>": {
        "min_duration_min": "30",
        "max_duration_min": "360",
        "setup_min": "30",
        "turnover_min": "30",
        "approvals": "1",
        "hold_ttl_h": "48",
        "min_lead_h": "0",
        "max_advance_d": "180",
        "day0": "08:00-26:00",
    },
    "/api/v1/bookings/<booking_id:str>/handover": {"out_by": "阿海", "in_by": "阿珍"},
    "/api/v1/rooms/<room_id:str>/rules": {"max_advance_d": 90},
    "/api/v1/broadcasts/<broadcast_id:str>/drops": {"template": "template", "quantity": 1, "window_s": 60},
    "/api/v1/broadcasts/<broadcast_id:str>/rooms": _ROOM,
    "/api/v1/campaigns/<campaign_id:str>/rounds": {"claim_from": "", "claim_until": "", "templates": []},
    "/api/v1/campaigns/<campaign_id:str>/lotteries": {},
    "/api/v1/campaigns/<campaign_id:str>/enrolments": {"merchant": "merchant"},
    "/api/v1/campaigns/<campaign_id:str>/enrolments/<merchant_id:str>/reject": {"reason": "没有理由"},
    "/api/v1/campaigns/<campaign_id:str>/enrolments/<merchant_id:str>/suspend": {"reason": "没有理由"},
    "/api/v1/rounds/<round_id:str>/entries/code": {"phone": PHONE},
    "/api/v1/rounds/<round_id:str>/entries": {"phone": PHONE, "code": "123456"},
    "/api/v1/rounds/<round_id:str>/draw/randomness": {"randomness": "02 07 11"},
    "/api/v1/rounds/<round_id:str>/draw/confirm": {"randomness": "02 07 11"},
    "/api/v1/drops/<drop_id:str>/open": {"quantity": 1},
    "/api/v1/inbox/messages/<message_id:str>/replay": {"why": "重放"},
    "/api/v1/rounds/<round_id:str>/links": {"platform": "doudian"},
    "/api/v1/broadcasts/<broadcast_id:str>/incidents": {"category": "price", "text": SECRET},
    "/api/v1/broadcasts/<broadcast_id:str>/recordings": {"ref": "r-2", "seconds": 60},
    "/api/v1/broadcasts/<broadcast_id:str>/hold": {"held": True, "reason": "没有理由"},
    "/api/v1/incidents/<incident_id:str>/correct": {"correction": "更正"},
    "/api/v1/recordings/<recording_id:str>/delete": {"reason": "没有理由"},
    "/api/v1/plans/<week:str>/publish": {},
    "/bureau/series/<series_id:str>/edit": {"booking": "in_series", "scope": "this", "at": "10:00"},
    "/desk/broadcasts/<public_id:str>/hold": {"held": "true", "reason": "没有理由"},
    "/desk/broadcasts/<public_id:str>/incidents": {"category": "price", "text": "说错"},
    "/desk/broadcasts/<public_id:str>/incidents/<incident_id:str>/correct": {"correction": "更正"},
    "/desk/broadcasts/<public_id:str>/recordings": {"ref": "r-3", "minutes": "60"},
    "/desk/broadcasts/<public_id:str>/recordings/<recording_id:str>/delete": {"reason": "没有理由"},
    "/api/v1/broadcasts/<broadcast_id:str>/rundown": {"cues": []},
    "/api/v1/broadcasts/<broadcast_id:str>/precheck": {"role": "console", "ticked": []},
    "/api/v1/qualifications/<qualification_id:str>/withdraw": {"reason": "没有理由"},
    "/api/v1/products/<product_id:str>/reviews": {"meeting_on": "2026-03-01", "decision": "approved"},
    "/bureau/broadcasts/<broadcast_id:str>/cues": {"kind": "opening", "title": "开场", "minutes": "5"},
    "/bureau/broadcasts/<broadcast_id:str>/cues/remove": {"position": "1"},
    "/bureau/broadcasts/<broadcast_id:str>/ai": {"ai_host": "true"},
    "/desk/broadcasts/<public_id:str>/precheck": {"role": "console"},
    "/desk/papers/<paper_id:str>/withdraw": {"reason": "没有理由"},
    "/bureau/bookings/<booking_id:str>/cancel": {"version": "1"},
    "/desk/bookings/<public_id:str>/approve": {"version": "1"},
    "/desk/bookings/<public_id:str>/reject": {"version": "1", "reason": "没有理由"},
    "/desk/broadcasts/<public_id:str>/drops": {"template": "template", "quantity": "1", "minutes": "5"},
    "/desk/broadcasts/<public_id:str>/room": _ROOM,
    "/desk/broadcasts/<public_id:str>/unattributed": {"lines": "line", "reason": "核对小票"},
    "/desk/orders/<shop:str>/<order_ref:str>/assign": {
        "lines": f"{ORDER}-1",
        "broadcast": "broadcasts",
        "reason": "核对小票",
    },
    "/desk/orders/<shop:str>/<order_ref:str>/take-back": {"lines": f"{ORDER}-1", "reason": "认错了"},
    "/desk/deliveries/<delivery_id:int>/open": {"reason": "核对一笔退款"},
    "/desk/inbox/<message_id:int>/replay": {"reason": "重放"},
    "/desk/redemptions/<public_id:str>/revoke-voucher": {"reason": "没有理由"},
    "/api/v1/vouchers/<voucher_id:str>/revoke": {"reason": "没有理由"},
    "/api/v1/redemptions/<redemption_id:str>/refunds": {"refund_no": "T1", "refund_fen": 1},
    "/api/v1/rounds/<round_id:str>/rollover": {},
    "/api/v1/rounds/<round_id:str>/households": {
        "name": "名册.csv",
        "mode": "partial",
        "content_base64": ROSTER,
    },
    "/api/v1/rounds/<round_id:str>/rollover-plan": {"into": "round_id"},
    "/desk/integrity/<public_id:str>/look": {"text": "没有理由"},
    "/desk/integrity/<public_id:str>/release": {"text": "没有理由"},
    "/desk/integrity/<public_id:str>/confirm": {"text": "没有理由"},
    "/desk/integrity/<public_id:str>/note": {"text": "没有理由"},
    "/api/v1/cases/<case_id:str>/look": {"text": "没有理由"},
    "/api/v1/cases/<case_id:str>/release": {"text": "没有理由"},
    "/api/v1/cases/<case_id:str>/confirm": {"text": "没有理由"},
    "/api/v1/cases/<case_id:str>/notes": {"text": "没有理由"},
    "/desk/settlement/<public_id:str>/confirm": {"reason": "电话确认"},
    "/desk/settlement/<public_id:str>/dispute": {"reason": "金额不对"},
    "/desk/settlement/<public_id:str>/reopen": {"reason": "已核对"},
    "/desk/settlement/<public_id:str>/pay": {"reference": "P1"},
    "/m/settlements/<public_id:str>/confirm": {},
    "/m/settlements/<public_id:str>/dispute": {"reason": "金额不对"},
    "/api/v1/settlements/<settlement_id:str>/confirm": {"reason": "电话确认"},
    "/api/v1/settlements/<settlement_id:str>/dispute": {"reason": "金额不对"},
    "/api/v1/settlements/<settlement_id:str>/reopen": {"reason": "已核对"},
    "/api/v1/settlements/<settlement_id:str>/pay": {"reference": "P1"},
    "/api/v1/settlements/<settlement_id:str>/repayments": {
        "amount_fen": 1,
        "reference": "S-2",
        "received_on": "2026-03-01",
    },
    "/api/v1/settlement-repayments/<repayment_id:str>/withdraw": {"reason": "记错了"},
    "/desk/settlement/repayments/<repayment_id:str>/withdraw": {"reason": "记错了"},
    "/desk/redemptions/<public_id:str>/refund": {"amount": "0.01", "reason": "顾客退货", "key": "k1"},
    "/m/redemptions/<public_id:str>/refund": {"amount": "0.01", "key": "k1"},
    "/api/v1/shops/<shop_id:str>/accounts/bind": {"platform": "standard_webhooks", "account_ref": "erp"},
    "/api/v1/shops/<shop_id:str>/accounts/unbind": {"platform": "standard_webhooks", "account_ref": "erp"},
    "/desk/shops/<shop_id:str>/accounts": {"account": "standard_webhooks erp"},
    "/desk/shops/<shop_id:str>/accounts/unbind": {"account": "standard_webhooks erp"},
    "/api/v1/statement-differences/<difference_id:str>/explain": {"reason": "平台扣了运费险"},
    "/desk/statements/differences/<difference_id:int>/explain": {"reason": "平台扣了运费险"},
    "/desk/reconcile/differences/<found_id:str>/explain": {"reason": "other", "note": "没有理由"},
    "/desk/reconcile/windows/<window_id:int>/drop": {"reason": "没有理由"},
    "/api/v1/reconciliation/differences/<found_id:str>/explain": {"reason": "other", "note": "没有理由"},
    "/desk/shops/<shop_id:str>/evidence": {"days": "90"},
    "/desk/users/<user_id:str>/roles": {"role": "staff"},
    "/api/v1/users/<user_id:str>/roles": {"role": "staff"},
    "/api/v1/users/<user_id:str>/roles/withdraw": {"role": "finance"},
    "/api/v1/users/<user_id:str>/disable": {"reason": "没有理由"},
    "/api/v1/users/<user_id:str>/second-factor/reset": {"reason": "没有理由"},
    "/desk/users/<user_id:str>/roles/withdraw": {"role": "finance"},
    "/desk/users/<user_id:str>/disable": {"reason": "没有理由"},
    "/desk/users/<user_id:str>/second-factor/reset": {"reason": "没有理由"},
    "/api/v1/programmes/<programme_id:str>/bar": {"bar": {}},
    "/api/v1/cohorts/<cohort_id:str>/reject": {"reason": "没有理由"},
    "/api/v1/cohorts/<cohort_id:str>/cancel": {"reason": "没有理由"},
    "/api/v1/cohorts/<cohort_id:str>/enrolments": {"person": "person_id"},
    "/api/v1/cohorts/<cohort_id:str>/roster/import": {
        "name": "a.csv",
        "content_base64": ROSTER,
        "mode": "partial",
    },
    "/api/v1/cohorts/<cohort_id:str>/lessons": {
        "title": "课",
        "kind": "theory",
        "starts_at": "2026-03-10T01:00:00Z",
        "minutes": 60,
        "tenths": 10,
    },
    "/api/v1/cohorts/<cohort_id:str>/assessments": {"kind": "theory", "name": "考", "held_on": "2026-03-10"},
    "/api/v1/enrolments/<enrolment_id:str>/leave": {"into": "withdrawn", "reason": "没有理由"},
    "/api/v1/enrolments/<enrolment_id:str>/practice": {"broadcast": "broadcast_id"},
    "/api/v1/people/<person_id:str>/reveal": {"reason": "没有理由"},
    "/api/v1/lessons/<lesson_id:str>/cancel": {"reason": "没有理由"},
    "/api/v1/lessons/<lesson_id:str>/attendance": {"marks": [{"enrolment": "x", "status": "present"}]},
    "/api/v1/assessments/<assessment_id:str>/scores": {"marks": [{"enrolment": "x", "tenths": 1}]},
    "/api/v1/certificates/<certificate_id:str>/revoke": {"reason": "没有理由"},
    "/api/v1/certificates/<certificate_id:str>/replace": {"reason": "没有理由"},
    "/desk/training/<cohort_id:str>/apply": {"version": "1"},
    "/desk/training/<cohort_id:str>/approve": {"version": "1"},
    "/desk/training/<cohort_id:str>/reject": {"reason": "没有理由"},
    "/desk/training/<cohort_id:str>/cancel": {"reason": "没有理由"},
    "/desk/training/<cohort_id:str>/step/<step:str>": {"version": "1"},
    "/desk/training/<cohort_id:str>/roster/import": {"mode": "partial"},
    "/desk/training/<cohort_id:str>/enrolments": {"name": "某人", "identity": "990101199501010015"},
    "/desk/training/<cohort_id:str>/lessons": {
        "title": "课",
        "kind": "theory",
        "starts_at": "2026-03-10T09:00",
        "minutes": "60",
        "hours": "1",
    },
    "/desk/training/<cohort_id:str>/assessments": {"kind": "theory", "name": "考", "held_on": "2026-03-10"},
    "/desk/training/enrolments/<enrolment_id:str>/leave": {"reason": "没有理由"},
    "/desk/training/enrolments/<enrolment_id:str>/reveal": {"reason": "没有理由"},
    "/desk/training/lessons/<lesson_id:str>/attendance": {"reason": ""},
    "/desk/training/lessons/<lesson_id:str>/cancel": {"reason": "没有理由"},
    "/desk/training/assessments/<assessment_id:str>/scores": {"attempt": "1"},
    "/desk/training/certificates/<certificate_id:str>/revoke": {"reason": "没有理由"},
    "/desk/training/certificates/<certificate_id:str>/replace": {"reason": "没有理由"},
    **{
        f"{door}/reports/<report_id:str>/{step}": body
        for door, instant in (("/api/v1", "2026-03-02T12:00:00Z"), ("/desk", "1"), ("/bureau", "1"))
        for step, body in (
            ("sign", {"as_of": instant, "sha256": "0" * 64}),
            ("return", {"reason": "没有理由"}),
        )
    },
    **{
        f"{door}/streamers/<streamer_id:str>/{verb}": body
        for door in ("/api/v1", "/desk")
        for verb, body in (
            ("status", {"status": "paused"}),
            ("accounts", {"platform": "jd", "account_ref": "j-1"}),
            ("links", {}),
        )
    },
    **{
        f"{door}/merchants/<merchant_id:str>/{verb}": body
        for door in ("/api/v1", "/desk")
        for verb, body in (
            ("status", {"status": "suspended"}),
            (
                "stores",
                {"name": "别人的店", "store_name": "别人的店"} if door == "/desk" else {"name": "别人的店"},
            ),
            ("suspend", {}),
        )
    },
    "/api/v1/products/<product_id:str>": {"name": "别人的", "category": "service", "price_fen": 1},
    "/api/v1/products/<product_id:str>/listings": {"shop": "shop", "product_ref": "p9"},
    "/desk/products/<product_id:str>/edit": {"name": "别人的", "category": "service", "price": "1"},
    "/desk/products/<product_id:str>/listings": {"shop": "shop", "product_ref": "p9"},
    "/desk/products/<product_id:str>/reviews": {"meeting_on": "2026-03-01", "decision": "approved"},
    "/desk/streamers/<streamer_id:str>/reveal": {"reason": "没有理由"},
    "/desk/shops/<endpoint_id:int>/secret": {"secret": STANDARD_SECRET, "hours": "0"},
    "/api/v1/enrolments/<enrolment_id:str>/followups": {"day": 30, "employment": "employed"},
    "/api/v1/enrolments/<enrolment_id:str>/spot-checks": {"method": "phone", "confirmed": True},
    "/api/v1/incubations/<incubation_id:str>/admit": {"months": 12},
    "/api/v1/incubations/<incubation_id:str>/begin": {"mentor": ""},
    "/api/v1/incubations/<incubation_id:str>/extend": {"months": 1, "reason": "没有理由"},
    "/api/v1/incubations/<incubation_id:str>/leave": {"into": "exited", "reason": "没有理由"},
    "/api/v1/incubations/<incubation_id:str>/visits": {"on_day": "2026-03-02", "note": "没有理由"},
    "/api/v1/cohorts/<cohort_id:str>/claim": {},
    "/api/v1/cohorts/<cohort_id:str>/claim/submit": {"late_reason": "没有理由"},
    "/api/v1/cohorts/<cohort_id:str>/claim/publicise": {},
    "/api/v1/cohorts/<cohort_id:str>/claim/return": {"reason": "没有理由"},
    "/api/v1/cohorts/<cohort_id:str>/claim/pay": {"reference": "P1"},
    "/api/v1/cohorts/<cohort_id:str>/evidence": {"kind": "photo", "name": "a.pdf", "content_base64": PDF},
    "/desk/training/enrolments/<enrolment_id:str>/followups": {"day": "30", "employment": "employed"},
    "/desk/training/incubations/<incubation_id:str>/step/<incubation_step:str>": {
        "version": "1",
        "months": "12",
    },
    "/desk/training/incubations/<incubation_id:str>/visits": {"on_day": "2026-03-02", "note": "没有理由"},
    "/desk/training/<cohort_id:str>/claim/<claim_step:str>": {"version": "1"},
    "/desk/training/<cohort_id:str>/spot-checks": {"enrolment": "enrolment_id", "method": "phone"},
    "/desk/training/<cohort_id:str>/evidence": {"kind": "photo"},
    "/desk/training/<cohort_id:str>/archive.zip": {"reason": "没有理由"},
}


@asynccontextmanager
async def a_town(site: Site) -> AsyncIterator[Town]:
    """The town in the evening; everybody leaves at the end."""
    with time_machine.travel(EVENING, tick=True):
        office = await an_office(site)
        crowd = Crowd(site)
        try:
            other = await a_house()
            town = Town(
                office=office,
                other=other,
                theirs=await a_broadcast(other, local(5, 10)),
                crowd=crowd,
                ours=await _ours(office),
                signs=(),
            )
            town.signs = (
                SECRET, ORDER, "1234567", "12,345.67", "12345.67", PHONE, town.ours["redemption"], town.ours["code"],
            )  # fmt: skip
            BODIES["/api/v1/campaigns/<campaign_id:str>/rounds"] = a_round()
            BODIES["/api/v1/campaigns/<campaign_id:str>/lotteries"] = a_lottery(clock.now())
            town.strangers = [each async for each in _strangers(town)]
            town.colleagues = [each async for each in _colleagues(town)]
            yield town
        finally:
            await crowd.close()


async def _ours(office: Office) -> dict[str, str]:
    """One of everything, under the names by which paths and bodies know it."""
    house, now = office.house, clock.now()
    template = await a_template(office)
    await office.sell(ORDER, paid_fen=PAID_FEN)
    spare = await a_broadcast(house, local(4, 10), minutes=60)
    for each in (office.broadcast, spare):
        await Broadcast.filter(id=each.id).update(title=SECRET)
        await Booking.filter(id=each.booking_id).update(title=SECRET)
    await Campaign.all().update(name=SECRET, budget_fen=PAID_FEN)
    campaign, round_ = await Campaign.get(), await Round.get()
    drop = await database.unit(
        lambda: drops.plan(
            office.broadcast.id,
            template_id=template.id,
            quantity=9,
            window_s=60,
            actor=house.manager,
            now=now,
        )
    )
    cue = await rundown.add(
        office.broadcast.public_id,
        cue=rundown.Planned(kind=rundown.Kind.INTERACTION, title=SECRET),
        actor=house.manager,
        now=now,
    )
    link = await streamer_links.issue(house.streamer.public_id, actor=house.manager, now=now)
    claim_link = await claim_links.create(round_.id, actor=house.officers[0], now=now)
    merchant = await a_merchant(house.centre, SECRET)
    store = await a_store(merchant)
    await enrolments.enrol(campaign.id, merchant_id=merchant.id, actor=house.officers[0], now=now)
    used, kept = [await _voucher(office, claim_link.slug, phone) for phone in (PHONE, f"{PHONE[:-1]}9")]
    redeemed = await _redeemed(office, used, merchant_id=merchant.id, store_id=store.id)
    settlement, hold, repaid = await _settled(office, merchant.public_id)
    case = await opening.by_hand(
        subject=Subject.VOUCHER, subject_ref=kept.public_id, reason=SECRET, actor=house.manager, now=now
    )
    statement, difference = await _disputed(office)
    window, found = await _compared(office)
    product = await a_product(house.centre)
    by = {"actor": house.manager, "now": now}
    paper = await qualifications.add(
        Noted(owner_kind="product", owner=product.public_id, type="organic"),
        file=File(name="证.pdf", body=b"%PDF-1.7"),
        **by,
    )
    incident = await incidents.report(office.broadcast.public_id, category="price", text=SECRET, **by)
    recording = await records.add(office.broadcast.public_id, ref=SECRET, seconds=60, **by)
    again = await series.create(
        house.wish(local(20, 10), title=SECRET),
        rule=Rule(start=recurrence.named("2026-03-20T10:00"), rrule="FREQ=WEEKLY;COUNT=2"),
        actor=house.officers[0],
        now=now,
    )
    _, in_series = (await series.seen(again.public_id, actor=house.manager)).bookings[0]
    booking = await Booking.get(id=office.broadcast.booking_id)
    entry = await waits(house, local(4, 10), by=0, title=SECRET, now=now)
    closure = await closures.close(
        closures.Plan(
            rooms=(house.room.public_id,), starts_at=local(25, 10), ends_at=local(25, 12), reason="检修"
        ),
        actor=house.manager,
        now=now,
    )
    report = await documents.prepare(
        NewReport(
            kind="monthly",
            bureau=house.bureaus[0].public_id,
            since=clock.local_day(now).replace(day=1),
            until=clock.local_day(now) + timedelta(days=1),
        ),
        actor=house.officers[0],
        now=now,
    )
    await _signed(report, bureau_id=house.bureaus[0].id)
    delivery = await InboxDelivery.all().order_by("id").first()
    message = await InboxMessage.all().order_by("id").first()
    assert delivery is not None
    assert message is not None
    her = await a_user(Grant(Role.FINANCE), centre=house.centre, name=SECRET)
    entry_of_ours = await AuditEntry.filter(bureau_id=house.bureaus[0].id).order_by("id").first()
    assert entry_of_ours is not None
    return {
        "user_id": her.public_id,
        "audit_id": str(entry_of_ours.id),
        "bureau": house.bureaus[0].public_id,
        "room": house.room.public_id,
        "room_id": house.room.public_id,
        "swap_with": f"{(await Booking.get(id=spare.booking_id)).public_id}:1",
        "entry_id": entry.public_id,
        "closure_id": closure[0].public_id,
        "streamer": house.streamer.public_id,
        "streamer_id": house.streamer.public_id,
        "merchant_id": merchant.public_id,
        "template": template.public_id,
        "merchant": merchant.public_id,
        "merchant_row": str(merchant.id),
        "store": store.public_id,
        "broadcasts": office.broadcast.public_id,
        "broadcast_id": office.broadcast.public_id,
        "bookings": booking.public_id,
        "booking_id": booking.public_id,
        "campaigns": campaign.public_id,
        "campaign_id": campaign.public_id,
        "round_id": await _drawn_for(campaign),
        "drop": drop.public_id,
        "drop_id": drop.public_id,
        "cue": cue.public_id,
        "shop": office.shop.public_id,
        "shop_id": office.shop.public_id,
        "order_ref": ORDER,
        "line": f"{office.shop.public_id}/{ORDER}/{ORDER}-1",
        "endpoint_id": str(office.endpoint.id),
        "found_id": found,
        "window_id": window,
        "product_id": product.public_id,
        "paper_id": paper.public_id,
        "qualification_id": paper.public_id,
        "incident_id": incident.public_id,
        "recording_id": recording.public_id,
        "series_id": again.public_id,
        "in_series": in_series.public_id,
        "report_id": report.public_id,
        "week": "2026-W10",
        "number": "1",
        "feed_id": "nosuchfeed",
        "delivery_id": str(delivery.id),
        "message_id": str(message.id),
        "link_id": str(link.link_id),
        "link_token": link.token,
        "slug": claim_link.slug,
        "redemptions": redeemed,
        "redemption_id": redeemed,
        "redemption": redeemed,
        "voucher": kept.public_id,
        "voucher_id": kept.public_id,
        "settlement": settlement,
        "settlements": settlement,
        "settlement_id": settlement,
        "hold_id": hold,
        "integrity": case.public_id,
        "case_id": case.public_id,
        "repayment_id": repaid,
        "statements": statement.public_id,
        "statement_id": statement.public_id,
        "difference_id": str(difference.id),
        "code": codes.shown(bytes(kept.code_sealed), voucher=kept.public_id),
        **await _given(office, round_),
        **await _taught(office),
    }


async def _given(office: Office, round_: Round) -> dict[str, str]:
    """A direct round, and a roster with a row that was given nothing."""
    officer, now = office.house.officers[0], clock.now()
    planned = await rounds.schedule(
        round_.campaign_id,
        packs=[a_pack(quantity=0)],
        claim_from=now,
        claim_until=now + timedelta(days=3),
        actor=officer,
        now=now,
        rollover_from=[round_.id],
        mode="direct",
    )
    raw = f"手机号\n{SECRET}\n".encode()
    taken = await direct.take(
        raw, round_id=planned.id, mode=Mode.PARTIAL, name=SECRET, actor=officer, now=now
    )
    return {"direct_id": planned.public_id, "given_id": taken.import_id}


async def _drawn_for(campaign: Campaign) -> str:
    """A lottery that is drawn, among nobody."""
    now, day = clock.now(), timedelta(days=1)
    planned = await Round.create(
        public_id=ids.public_id(), campaign_id=campaign.id, seq=9, mode="lottery", status=RoundStatus.DRAWN,
        claim_from=now + day, claim_until=now + 2 * day,
    )  # fmt: skip
    await LotteryDraw.create(
        round_id=planned.id, signup_from=now - 4 * day, signup_until=now - 3 * day, source="双色球",
        source_at=now - 2 * day, draw_at=now - day, commitment=b"1" * 32, seed_sealed=b"1", list_hash=b"2" * 32,
        frozen_at=now - 3 * day, randomness="02 07 11", entered_by_id=1, confirmed_by_id=2, confirmed_at=now - day,
        seed=b"3" * 32, drawn_at=now - day,
    )  # fmt: skip
    return planned.public_id


async def _signed(report: BureauReport, *, bureau_id: int) -> None:
    """Signed by another officer, and packed."""
    now = clock.now()
    signer = an_actor(Role.BUREAU, bureau_id=bureau_id, centre_id=report.centre_id)
    seen = await documents.read(report.public_id, actor=signer, now=now)
    await documents.sign(report.public_id, sha256=seen.sha256, as_of=seen.ask.as_of, actor=signer, now=now)
    while await chain.chain_tail(now):
        pass
    assert await packing.build_next(now=now) == 1


async def _taught(office: Office) -> dict[str, str]:
    """A class of the first bureau that ended in a certificate, and a file with a row that nobody could take."""
    school, people = await an_ended_school(house=office.house)
    await Cohort.filter(id=school.cohort.id).update(name=SECRET)
    await Person.filter(id__in=[each.person_id for each in people]).update(name=SECRET)
    now, cohort = clock.now() + timedelta(days=30), school.cohort.public_id
    await graduation.confirm(cohort, actor=school.manager, now=now)
    (paper,) = await certificates.issue(cohort, actor=school.manager, now=now)
    await certificates.paper_of(paper.public_id, base_url="https://hub.example", actor=school.manager)
    taken = await importing.into_register(
        b"\xe5\xa7\x93\xe5\x90\x8d,id\n" + SECRET.encode() + b",1\n",
        mode=Mode.PARTIAL, name=SECRET, actor=school.manager, now=now,
    )  # fmt: skip
    her = await Person.get(id=people[0].person_id)
    incubation = await incubations.nominate(
        her.public_id, bureau_id=school.bureau.id, actor=school.manager, now=now
    )
    lesson, exam = (
        await Lesson.get(cohort_id=school.cohort.id),
        await Assessment.get(cohort_id=school.cohort.id),
    )
    return {
        "programme_id": school.programme.public_id,
        "cohort_id": cohort,
        "enrolment_id": people[0].public_id,
        "person_id": her.public_id,
        "lesson_id": lesson.public_id,
        "assessment_id": exam.public_id,
        "certificate_id": paper.public_id,
        "import_id": taken.import_id,
        "incubation_id": incubation.public_id,
        "incubation_step": "admit",
        "claim_step": "draw",
        "step": "close",
    }


async def _settled(office: Office, merchant: str) -> tuple[str, str, str]:
    """A batch that was sent to the merchant, who is then held back, and a receipt of hers."""
    from tests.factories.accounts import an_actor  # noqa: PLC0415 -- one clerk

    clerk, tomorrow = (
        an_actor(Role.FINANCE, centre_id=office.house.centre.id),
        clock.now() + timedelta(days=1),
    )
    await collecting.run(clock.local_day(clock.now()), actor=clerk, now=tomorrow)
    batch = await SettlementBatch.get()
    await batches.submit(batch.public_id, actor=clerk, now=tomorrow)
    hold = await holds.place(merchant=merchant, reason="没有理由", actor=clerk, now=tomorrow)
    repaid = await SettlementRepayment.create(
        public_id="repaid", centre_id=batch.centre_id, campaign_id=batch.campaign_id, amount_fen=1,
        merchant_id=batch.merchant_id, reference=SECRET, received_on=batch.day, noted_by_id=clerk.id,
        noted_by=clerk.name, noted_at=tomorrow,
    )  # fmt: skip
    return batch.public_id, hold.public_id, repaid.public_id


async def _disputed(office: Office) -> tuple[SettlementStatement, SettlementDifference]:
    """A draft that waits for its import, and what does not agree of another."""
    centre = office.house.centre.id
    whole = await imported(
        a_file([a_row(ORDER, "1")]), centre_id=centre, shop=office.shop.public_id, name=SECRET
    )
    made = await looked_at(
        a_file([a_row(ORDER, "2")]), centre_id=centre, shop=office.shop.public_id, name=SECRET
    )
    return made, await SettlementDifference.get(statement_id=whole.seen.id)


async def _voucher(office: Office, slug: str, phone: str) -> Voucher:
    claimant = await identity.enter(phone, centre_id=office.house.centre.id, now=clock.now())
    desk = office.site.app.ctx.claim_desk
    claimed = await desk.claim(slug, claimant=claimant, key=ids.token(), now=clock.now())
    return await Voucher.get(public_id=claimed.voucher)


async def _compared(office: Office) -> tuple[str, str]:
    """A window that was given up, and a difference that nobody explained."""
    await a_difference(office.shop, a_found(ref=ORDER, order_ref=ORDER, ours_fen=PAID_FEN))
    await database.execute("UPDATE sync_cursor SET status = 'dead'")
    return str((await SyncCursor.get()).id), (await SyncDifference.get()).public_id


async def _redeemed(office: Office, voucher: Voucher, *, merchant_id: int, store_id: int) -> str:
    from tests.factories.accounts import an_actor  # noqa: PLC0415 -- one cashier

    cashier = an_actor(Role.MERCHANT, merchant_id=merchant_id, centre_id=office.house.centre.id)
    done = await office.site.app.ctx.redeem_desk.redeem(
        codes.qr(voucher.public_id, now=clock.now()),
        merchant_id=merchant_id, store_id=store_id, order_fen=PAID_FEN, key="r1", actor=cashier, now=clock.now(),
    )  # fmt: skip
    return str(done.redemption)


async def _strangers(town: Town) -> AsyncIterator[Comer]:
    """Everybody who has nothing to do with the first bureau of the first centre."""
    crowd, here, there = town.crowd, town.office.house, town.other
    yield crowd.nobody()
    yield await crowd.claimant("13911110001", centre=here.centre)
    yield await crowd.claimant("13911110002", centre=there.centre, where=" elsewhere")
    next_door = await a_merchant(here.centre, "隔壁商户")
    far_away = await a_merchant(there.centre, "外地商户")
    for merchant in (next_door, far_away):
        await a_store(merchant)
    for make in (crowd.user, crowd.program):
        yield await make(Role.BUREAU, centre=here.centre, bureau_id=here.bureaus[1].id, where=" next door")
        yield await make(Role.MERCHANT, centre=here.centre, merchant_id=next_door.id, where=" next door")
        for role in Role:
            if role is Role.ADMIN and make == crowd.program:
                continue  # no token is an administrator's
            yield await make(
                role,
                centre=there.centre,
                bureau_id=there.bureaus[0].id if role is Role.BUREAU else 0,
                merchant_id=far_away.id if role is Role.MERCHANT else 0,
                where=" elsewhere",
            )
    yield await crowd.streamer(there.streamer, where=" elsewhere")
    from tests.factories.streamers import a_streamer  # noqa: PLC0415 -- one more of ours

    yield await crowd.streamer(await a_streamer(here.centre), where=" next door")


async def _colleagues(town: Town) -> AsyncIterator[Comer]:
    """Everybody of every role who works for the first centre and its first bureau."""
    house = town.office.house
    for role in Role:
        yield await town.crowd.user(
            role,
            centre=house.centre,
            bureau_id=house.bureaus[0].id if role is Role.BUREAU else 0,
            merchant_id=int(town.ours["merchant_row"]) if role is Role.MERCHANT else 0,
        )
