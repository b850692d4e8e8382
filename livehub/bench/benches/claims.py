"""Different people claim from one hot template: the full public route against a bare one, ORM and Redis."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial
from pathlib import Path

from msgspec import Struct

from livehub import database
from livehub.accounts import forms, users
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.models import Role
from livehub.bench import started, wire
from livehub.bench.contract import Plan, Report, ratio
from livehub.bench.peers import seckill
from livehub.bench.places import Places, inside, places
from livehub.bench.started import Service
from livehub.kit import clock, ids, invariants, sealing
from livehub.settings import Settings
from livehub.vouchers import campaigns, identity, links, new_kinds, rounds
from livehub.vouchers.campaigns import NewCampaign
from livehub.vouchers.models import ClaimLink, Template, Validity
from livehub.web.claim.door import CLAIMANT, VISITOR

WARM_UP = 600
FACE_FEN = 3000
PEOPLE_PER_SECOND = 9_000


class Phone(Struct, frozen=True):
    """A person whose number was verified: her two cookies, and her forms' token."""

    token: str
    mark: str
    csrf: str


class World(Struct, frozen=True):
    """A running campaign, who may plan its rounds, and the people."""

    campaign_id: int
    clerk: Actor
    phones: Sequence[Phone]


class Claims:
    """See docs/performance.md."""

    summary = "a rush on one template through the full public route"

    async def run(self, plan: Plan) -> Report:
        """Rounds of every contender, each with a fresh link and the people it can serve in the time."""
        async with places(plan) as made, AsyncExitStack() as stack:
            first, world = await _seeded(
                made, count=int(PEOPLE_PER_SECOND * max(1.0, plan.seconds)), plan=plan
            )
            second = await made.copy(first, "orm")
            contenders = {
                "bare": await stack.enter_async_context(started.peer("bare", second)),
                "livehub": await stack.enter_async_context(started.livehub(first)),
                "orm": await stack.enter_async_context(started.peer("orm", second)),
            }
            if plan.redis_url:
                (second.data_dir / seckill.URL_FILE).write_text(plan.redis_url)
                contenders["redis"] = await stack.enter_async_context(started.peer("seckill", second))
            at = {"livehub": first, "orm": second}
            pace = dict.fromkeys(contenders, 0.0)
            report = Report(correct=True)
            for number in range(plan.repetitions + 1):
                for name, service in contenders.items():
                    people = min(len(world.phones), int(pace[name] * plan.seconds) if number else WARM_UP)
                    rush = _Rush(made.folder / "claims", world, plan, people=max(people, 64))
                    pace[name] = await rush.on(name, service, at.get(name), report)
                    if number:
                        report.rates.setdefault(name, []).append(pace[name])
            peers = {"echo": "bare", "orm": "orm", "redis": "redis"}
            report.ratio = {
                peer: ratio(report, "livehub", name) for peer, name in peers.items() if name in report.rates
            }
            for name in ("livehub", "orm"):
                report.correct &= await inside(at[name], partial(_holds, name, report))
        return report


class _Rush:
    """One stretch: so many people, half as many vouchers."""

    def __init__(self, file: Path, world: World, plan: Plan, *, people: int) -> None:
        self._file = file
        self._world = world
        self._plan = plan
        self._people = people
        self._stock = people if plan.granted else people // 2

    async def on(self, name: str, service: Service, settings: Settings | None, report: Report) -> float:
        """Answers per second; the report hears of an answer that is not as it must be."""
        slug, template_id = ids.slug(), 0
        if settings is not None:
            slug, template_id = await inside(settings, self._open_round)
        elif name == "redis":
            await seckill.stock(self._plan.redis_url, slug, self._stock)
        count = wire.write(self._file, self._requests(slug))
        sent = await started.send(service, self._file, connections=self._plan.connections, count=count)
        statuses = sent.outcome.statuses
        given = statuses.get("303", 0)
        right = name == "bare" or (given, statuses.get("409", 0)) == (self._stock, count - self._stock)
        if settings is not None:
            issued, vouchers = await inside(settings, partial(_issued, template_id))
            right &= issued == vouchers == self._stock
        if not right:
            report.correct = False
            report.notes.append(f"{name}: {self._stock} in stock, answered {statuses}")
        return sent.rate

    def _requests(self, slug: str) -> list[bytes]:
        return [
            wire.post_form(
                f"/c/{slug}/claim",
                {"csrf": phone.csrf, "key": f"key-{slug}"},
                cookies={VISITOR: phone.mark, CLAIMANT: phone.token},
            )
            for phone in self._world.phones[: self._people]
        ]

    async def _open_round(self) -> tuple[str, int]:
        now = clock.now()
        kind = new_kinds.NewTemplate(
            name="基准券",
            face_fen=FACE_FEN,
            threshold_fen=FACE_FEN * 4,
            quantity=self._stock,
            validity=Validity.DAYS_FROM_CLAIM,
            validity_n=7,
            rules={"per_person": {"limit": 1000}} if self._plan.plain else {},
        )
        planned = await rounds.schedule(
            self._world.campaign_id,
            templates=[kind],
            claim_from=now - timedelta(minutes=1),
            claim_until=now + timedelta(days=1),
            actor=self._world.clerk,
            now=now,
        )
        await rounds.open_round(planned.id, actor=self._world.clerk, now=now)
        quota = 0 if self._plan.plain else self._people
        link: ClaimLink = await links.create(planned.id, actor=self._world.clerk, now=now, quota=quota)
        return link.slug, (await Template.get(round_id=planned.id)).id


async def _seeded(made: Places, *, count: int, plan: Plan) -> tuple[Settings, World]:
    settings = await made.empty("livehub")

    async def seed() -> World:
        now = clock.now()
        clerk = system("bench")
        centre = await users.create_centre("基准", city="北海", actor=clerk, now=now)
        clerk = system("bench", centre_id=centre.id)
        bureau = await users.create_bureau("商务", kind="commerce", centre_id=centre.id, actor=clerk, now=now)
        officer = Actor(
            kind="user", id=1, centre_id=centre.id, grants=(Grant(Role.BUREAU, bureau_id=bureau.id),)
        )
        finance = Actor(kind="user", id=2, centre_id=centre.id, grants=(Grant(Role.FINANCE),))
        wanted = NewCampaign(
            name="基准", issuer_name="基准", budget_fen=FACE_FEN * (count + WARM_UP) * (plan.repetitions + 2)
        )
        campaign = await campaigns.draft(
            wanted, bureau_id=bureau.id, centre_id=centre.id, actor=officer, now=now
        )
        await campaigns.submit(campaign.id, actor=officer, now=now)
        await campaigns.countersign(campaign.id, actor=finance, now=now)
        await campaigns.start(campaign.id, actor=clerk, now=now)
        return World(campaign.id, clerk, await _phones(count, centre_id=centre.id))

    return settings, await inside(settings, seed)


async def _phones(count: int, *, centre_id: int) -> list[Phone]:
    """Verified people, made all at once."""
    at = clock.to_ms(clock.now())
    numbers = [f"170{number:08d}" for number in range(count)]
    ring = sealing.ring()
    rows = await database.with_rows(
        {"public_id": "text", "person_key": "bytea", "sealed": "bytea"},
        [
            (ids.public_id(), identity.phone_index(each), ring.seal_text(each, place=identity.PHONE_PLACE))
            for each in numbers
        ],
        "INSERT INTO claimant (public_id, centre_id, person_key, phone_sealed, created_at)"
        f" SELECT public_id, {centre_id}, person_key, sealed, {at} FROM v RETURNING id",
    )
    phones = []
    for _ in rows:
        token, mark = ids.token(), ids.token()
        phones.append(Phone(token, mark, forms.form_token(mark)))
    until = at + int(identity.SESSION_TTL.total_seconds() * 1000)
    await database.with_rows(
        {"token_hash": "bytea", "claimant_id": "bigint"},
        [(sealing.token_hash(phone.token), row["id"]) for phone, row in zip(phones, rows, strict=True)],
        "INSERT INTO claimant_session (token_hash, claimant_id, created_at, expires_at)"
        f" SELECT token_hash, claimant_id, {at}, {until} FROM v",
    )
    if database.dialect() == "postgres":
        await database.execute("ANALYZE")
    return phones


async def _issued(template_id: int) -> tuple[int, int]:
    row = await database.fetch_one(
        "SELECT issued, (SELECT count(*) FROM voucher WHERE template_id = t.id) AS vouchers"
        " FROM voucher_template t WHERE id = $1",
        template_id,
    )
    return (row["issued"], row["vouchers"]) if row else (0, 0)


async def _holds(name: str, report: Report) -> bool:
    """Whether every statement about vouchers holds for what is stored now."""
    wrong = []
    for each in invariants.discover(["livehub.vouchers"]):
        wrong += await each.check()
    report.notes += [f"{name}: {sentence}" for sentence in wrong[:5]]
    return not wrong


BENCH = Claims()
