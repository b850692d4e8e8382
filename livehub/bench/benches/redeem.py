"""Merchants redeem scanned vouchers through the full public route, against a bare one and an ORM."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts import forms, users
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.models import Role, Session
from livehub.bench import started, wire
from livehub.bench.contract import Plan, Report, percentile, ratio
from livehub.bench.places import Places, inside, places
from livehub.bench.started import Service
from livehub.kit import clock, ids, invariants, sealing
from livehub.merchants import registry
from livehub.merchants.models import MerchantStatus
from livehub.settings import Settings
from livehub.vouchers import (
    campaigns,
    claim_rows,
    codes,
    enrolments,
    hot,
    identity,
    ledger,
    new_kinds,
    rounds,
)
from livehub.vouchers.campaigns import NewCampaign
from livehub.vouchers.models import Account, Template, Validity
from livehub.web.doors import SESSION

REPEATED = 0.05
MERCHANTS = 20
FACE_FEN, ORDER_YUAN = 3000, "326.00"
VOUCHERS_PER_SECOND = 6_000  # made ready for each second: more than anybody redeems
TAPS_PER_SECOND = 8_000  # sent at most; the bare route gets the same vouchers in every round
LONGEST_SECONDS = 20.0  # a scanned token lives for 30 seconds at least
AT_ONCE = 2_000


class Till(Struct, frozen=True):
    """A merchant's login: its cookie and the token of its forms."""

    token: str
    csrf: str


class World(Struct, frozen=True):
    """Who redeems, and what."""

    tills: Sequence[Till]
    vouchers: Sequence[str]


class Redeem:
    """See docs/performance.md."""

    summary = "merchants redeem scanned vouchers through the full public route"

    async def run(self, plan: Plan) -> Report:
        """Rounds of bare, livehub and ORM; then what is stored is compared with what was acknowledged."""
        seconds = min(plan.seconds, LONGEST_SECONDS)
        count = int(VOUCHERS_PER_SECOND * (seconds * plan.repetitions + 1))
        async with places(plan) as made, AsyncExitStack() as stack:
            first, world = await _seeded(made, count=count)
            second = await made.copy(first, "orm")
            contenders = {
                "bare": await stack.enter_async_context(started.peer("bare", second)),
                "livehub": await stack.enter_async_context(started.livehub(first)),
                "orm": await stack.enter_async_context(started.peer("orm_redeem", second)),
            }
            taps = _Taps(made.folder / "taps", first, world, plan)
            report = Report(correct=True)
            for number in range(plan.repetitions + 1):  # the first warms up
                for name, service in contenders.items():
                    length = seconds if number else min(1.0, seconds)
                    rate = await taps.on(name, service, report, seconds=length)
                    if number:
                        report.rates.setdefault(name, []).append(rate)
            report.ratio = {"echo": ratio(report, "livehub", "bare"), "orm": ratio(report, "livehub", "orm")}
            for name, settings in (("livehub", first), ("orm", second)):
                holds = partial(_holds, name, taps.acknowledged[name], report)
                report.correct &= await inside(settings, holds)
        return report


class _Taps:
    """Stretches of load; each starts at the first voucher that its contender has not seen."""

    def __init__(self, file: Path, settings: Settings, world: World, plan: Plan) -> None:
        self.acknowledged: dict[str, set[str]] = {"livehub": set(), "orm": set()}
        self._file = file
        self._settings = settings
        self._world = world
        self._plan = plan
        self._at = dict.fromkeys(("bare", "livehub", "orm"), 0)
        self._dice = Random(plan.seed)

    async def on(self, name: str, service: Service, report: Report, *, seconds: float) -> float:
        """Answers per second; every answer of ours and of the ORM is a redirection, or the run is spoilt."""
        at = self._at[name]
        vouchers = self._world.vouchers[at : at + int(TAPS_PER_SECOND * seconds)]
        if not vouchers:
            report.correct = False
            report.notes.append(f"{name}: more was redeemed than was made ready")
            return 0.0
        tapped = await inside(self._settings, partial(self._write, vouchers))
        sent = await started.send(
            service, self._file, connections=self._plan.connections, count=len(tapped), seconds=seconds
        )
        if name == "bare":
            return sent.rate
        good = {tapped[i] for i, status in enumerate(sent.statuses) if status == 303}
        self.acknowledged[name] |= good
        if any(status != 303 for status in sent.statuses):
            report.correct = False
            report.notes.append(f"{name} did not redeem everything: {sent.outcome.statuses}")
        self._at[name] += len(set(tapped[: sent.outcome.sent]))
        if name == "livehub":
            report.value["p50_ms"] = round(percentile(sent.latencies_ms, 0.5), 2)
            report.value["p99_ms"] = round(percentile(sent.latencies_ms, 0.99), 2)
        return sent.rate

    async def _write(self, vouchers: Sequence[str]) -> list[str]:
        """One tap a voucher, of which some are sent again a little later; the voucher of each request."""
        now = clock.now()
        requests: list[bytes] = []
        tapped: list[str] = []
        for i, voucher in enumerate(vouchers):
            requests.append(_tap(voucher, self._world.tills[i % len(self._world.tills)], now=now))
            tapped.append(voucher)
            if self._dice.random() < REPEATED / (1 - REPEATED):
                again = max(0, len(requests) - self._dice.randint(1, 200))
                requests.append(requests[again])
                tapped.append(tapped[again])
        wire.write(self._file, requests)
        return tapped


def _tap(voucher: str, till: Till, *, now: datetime) -> bytes:
    fields = {
        "csrf": till.csrf,
        "key": f"key-{voucher}",
        "code": codes.qr(voucher, now=now),
        "amount": ORDER_YUAN,
    }
    return wire.post_form("/m/redeem", fields, cookies={SESSION: till.token})


async def _seeded(made: Places, *, count: int) -> tuple[Settings, World]:
    settings = await made.empty("livehub")

    async def seed() -> World:
        now = clock.now()
        clerk = system("bench")
        centre = await users.create_centre("基准", city="北海", actor=clerk, now=now)
        clerk = system("bench", centre_id=centre.id)
        bureau = await users.create_bureau("商务", kind="commerce", centre_id=centre.id, actor=clerk, now=now)
        grants = (Grant(Role.BUREAU, bureau_id=bureau.id),)
        officer = Actor(kind="user", id=1, centre_id=centre.id, grants=grants)
        finance = Actor(kind="user", id=2, centre_id=centre.id, grants=(Grant(Role.FINANCE),))
        campaign = await campaigns.draft(
            NewCampaign(name="基准", issuer_name="基准", budget_fen=FACE_FEN * count),
            bureau_id=bureau.id,
            centre_id=centre.id,
            actor=officer,
            now=now,
        )
        await campaigns.submit(campaign.id, actor=officer, now=now)
        await campaigns.countersign(campaign.id, actor=finance, now=now)
        await campaigns.start(campaign.id, actor=clerk, now=now)
        template = await _round(campaign.id, count, actor=clerk, now=now)
        tills = [
            await _till(number, campaign.id, centre.id, officer=officer, clerk=clerk, now=now)
            for number in range(MERCHANTS)
        ]
        vouchers = await _claimed(template, campaign.id, centre.id, count, now=now)
        if database.dialect() == "postgres":
            await database.execute("ANALYZE")
        return World(tills, vouchers)

    return settings, await inside(settings, seed)


async def _round(campaign_id: int, count: int, *, actor: Actor, now: datetime) -> Template:
    kind = new_kinds.NewTemplate(
        name="基准券",
        face_fen=FACE_FEN,
        threshold_fen=FACE_FEN * 4,
        quantity=count,
        validity=Validity.DAYS_FROM_CLAIM,
        validity_n=7,
    )
    planned = await rounds.schedule(
        campaign_id,
        templates=[kind],
        claim_from=now - timedelta(minutes=1),
        claim_until=now + timedelta(days=1),
        actor=actor,
        now=now,
    )
    await rounds.open_round(planned.id, actor=actor, now=now)
    return await Template.get(round_id=planned.id)


async def _till(
    number: int, campaign_id: int, centre_id: int, *, officer: Actor, clerk: Actor, now: datetime
) -> Till:
    """An approved merchant with one store, enrolled and logged in."""
    merchant = await registry.add_merchant(f"商户{number}", centre_id=centre_id, actor=clerk, now=now)
    await registry.set_status(merchant.public_id, status=MerchantStatus.APPROVED, actor=clerk, now=now)
    await registry.add_store(merchant.public_id, name="总店", actor=clerk, now=now)
    await enrolments.enrol(campaign_id, merchant_id=merchant.id, actor=officer, now=now)
    user = await users.create_user(
        f"till{number}",
        ids.token(),
        name="店员",
        centre_id=centre_id,
        actor=clerk,
        now=now,
        grants=(Grant(Role.MERCHANT, merchant_id=merchant.id),),
    )
    token = ids.token()
    await Session.create(
        token_hash=sealing.token_hash(token),
        user_id=user.id,
        created_at=now,
        seen_at=now,
        expires_at=now + timedelta(hours=12),
    )
    return Till(token, forms.form_token(token))


async def _claimed(
    template: Template, campaign_id: int, centre_id: int, count: int, *, now: datetime
) -> list[str]:
    """Claimed vouchers, each of another person, by the SQL of claims; their public ids."""
    accounts = {
        name: await ledger.account_id(ledger.Key(campaign_id, kind, template.round_id))
        for name, kind in (("unissued_id", Account.UNISSUED), ("held_id", Account.HELD))
    }
    made: list[str] = []
    for first in range(0, count, AT_ONCE):
        numbers = range(first, min(first + AT_ONCE, count))
        people = await _people(numbers, centre_id=centre_id, now=now)
        rows = [_claim(template, campaign_id, *each, now=now) | accounts for each in people]
        await database.unit(partial(hot.run, claim_rows.COLUMNS, rows, claim_rows.STEPS))
        made += [row["public_id"] for row in rows]
    return made


async def _people(numbers: range, *, centre_id: int, now: datetime) -> list[tuple[int, bytes]]:
    ring, at = sealing.ring(), clock.to_ms(now)
    phones = [f"170{number:08d}" for number in numbers]
    rows = await database.with_rows(
        {"public_id": "text", "person_key": "bytea", "sealed": "bytea"},
        [
            (ids.public_id(), identity.phone_index(each), ring.seal_text(each, place=identity.PHONE_PLACE))
            for each in phones
        ],
        "INSERT INTO claimant (public_id, centre_id, person_key, phone_sealed, created_at)"
        f" SELECT public_id, {centre_id}, person_key, sealed, {at} FROM v RETURNING id, person_key",
    )
    return [(int(row["id"]), bytes(row["person_key"])) for row in rows]


def _claim(
    template: Template, campaign_id: int, claimant_id: int, person_key: bytes, *, now: datetime
) -> dict[str, Any]:
    public_id, at = ids.public_id(), clock.to_ms(now)
    code = codes.make(public_id)
    return {
        "id": ids.row_id(at),
        "public_id": public_id,
        "code_index": code.index,
        "code_sealed": code.sealed,
        "template_id": template.id,
        "campaign_id": campaign_id,
        "round_id": template.round_id,
        "claimant_id": claimant_id,
        "person_key": person_key,
        "platform": "",
        "n": 1,
        "link_id": 0,
        "drop_id": 0,
        "offer_id": template.id,
        "counted_link": 0,
        "counted_drop": 0,
        "broadcast_id": 0,
        "streamer_id": 0,
        "at": at,
        "valid_from": at,
        "valid_until": clock.to_ms(now + timedelta(days=7)),
        "state": "issued",
        "face_fen": template.face_fen,
        "key": f"claim-{public_id}",
        "body_hash": bytes(16),
        "answer": "{}",
    }


async def _holds(name: str, acknowledged: set[str], report: Report) -> bool:
    """Whether exactly the acknowledged vouchers are redeemed, once each, and the ledger agrees."""
    rows = await database.fetch("SELECT public_id FROM voucher WHERE state = 'redeemed'")
    redeemed = {row["public_id"] for row in rows}
    wrong = []
    if redeemed != acknowledged:
        wrong.append(f"{len(acknowledged - redeemed)} lost, {len(redeemed - acknowledged)} too many")
    for what, counted in (
        ("redemptions", "redemption"),
        ("answers", "idempotency_record WHERE kind = 'redeem'"),
        ("sales", "inbox_message WHERE native_type = 'redemption.captured'"),
        ("audit entries", "audit_entry WHERE action = 'voucher.redeemed'"),
    ):
        row = await database.fetch_one(f"SELECT count(*) AS n FROM {counted}")
        if not row or row["n"] != len(acknowledged):
            wrong.append(f"{row and row['n']} {what} of {len(acknowledged)} vouchers")
    for each in invariants.discover(["livehub.vouchers"]):
        wrong += await each.check()
    report.notes += [f"{name}: {sentence}" for sentence in wrong[:5]]
    return not wrong


BENCH = Redeem()
