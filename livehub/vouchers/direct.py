"""Give a direct round's vouchers to the households of a roster: looked at, all of them, or those that can be.

A household is given what a claim gives, by the same judgement and the same statement; it has neither link nor
drop. Whoever holds the phone sees the vouchers after a one-time code. The same file again changes nothing.

While a transaction gives vouchers, tills wait that redeem one of the same kind. So a partial import commits
every few hundred vouchers, and one that was cut short goes on with the same file; a strict one, which is one
transaction, is bounded.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any, TypeVar

import msgspec
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids, sealing
from livehub.kit.errors import Conflict, Detail, NotFound
from livehub.kit.resealing import Column
from livehub.kit.sheets import writing
from livehub.kit.sheets.errors import unreadable
from livehub.vouchers import claim_rows, hot, households, identity, packs, places, roster_plans
from livehub.vouchers.claim_deciding import Claimed, Settling, Wish
from livehub.vouchers.claim_rows import Prior
from livehub.vouchers.errors import NotDirect, SoldOut
from livehub.vouchers.households import Row, Sheet, Wrong
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.models import Campaign, Round
from livehub.vouchers.pack_models import DirectImport
from livehub.vouchers.places import Place, Stock
from livehub.vouchers.roster_plans import Indexed, Plan
from livehub.vouchers.rounds import DIRECT
from streamers.training.errors import RosterRefused
from streamers.training.importing import Mode

PLACE = "direct_import.mistakes"
SEALED = (Column("direct_import", "mistakes_sealed", PLACE),)
REASON_COLUMN = "未发放原因"
LINE_COLUMN = "原行号"
TOLD = 200  # mistakes that a refusal or a page lists; all are in the workbook
VOUCHERS_AT_ONCE = 500  # of one transaction of a partial import, and that are made without letting others in
MOST_AT_ONCE = 5_000  # vouchers that a strict import gives

_NO_LINK = ("", "")
T = TypeVar("T")


class Outcome(Struct, frozen=True, kw_only=True):
    """What came of a file, or would."""

    mode: Mode
    rows: int
    given: int  # households
    vouchers: int
    unchanged: int  # households that had theirs before
    wrong: list[Wrong]
    head: tuple[str, ...]
    import_id: str = ""  # '': nothing was written


class _Taking(Struct, frozen=True, kw_only=True):
    """A file on its way to a round that was found to be direct and the actor's."""

    sheet: Sheet
    digest: bytes
    found: Round
    campaign: Campaign
    stock: Stock  # as it was at the beginning, without a lock
    mode: Mode
    name: str
    actor: Actor
    now: datetime

    @property
    def at_once(self) -> int:
        """How many households are given theirs in one go."""
        return max(1, VOUCHERS_AT_ONCE // self.each)

    @property
    def each(self) -> int:
        """How many vouchers a household is given."""
        return sum(share.n for share in self.stock.shares)


class _Done(Struct, frozen=True, kw_only=True):
    """What came of some rows."""

    given: int = 0
    vouchers: int = 0
    numbered: int = 0
    unchanged: int = 0  # with those that were numbered
    wrong: tuple[Wrong, ...] = ()

    def plus(self, other: _Done) -> _Done:
        """Both together."""
        return _Done(**{name: getattr(self, name) + getattr(other, name) for name in self.__struct_fields__})


async def take(raw: bytes, *, round_id: int, mode: Mode, name: str, actor: Actor, now: datetime) -> Outcome:
    """Give each household of a file what the round gives; RosterRefused by a strict one that has mistakes.

    A household for which nothing is left is told as such, and nothing is written for it. VoucherRefused when
    the round gives nothing now, NotDirect when it is given by links, Unreadable when a strict import would
    give more than MOST_AT_ONCE vouchers. A partial one that is refused on its way has given what its record
    says.
    """
    sheet = await asyncio.to_thread(households.read, raw)
    found, campaign = await _round(round_id, actor)
    offer_id = await packs.only_offer(round_id)
    taking = _Taking(
        sheet=sheet,
        digest=sha256(raw).digest(),
        found=found,
        campaign=campaign,
        stock=(await places.look({offer_id}))[offer_id],
        mode=mode,
        name=name,
        actor=actor,
        now=now,
    )
    plan = await roster_plans.against(sheet.rows, round_id)
    judged = _Done(unchanged=plan.unchanged, wrong=(*sheet.wrong, *plan.wrong))
    if mode is Mode.STRICT:
        _require_few(taking, len(plan.new))
    if mode is not Mode.PARTIAL:
        looked = judged.plus(await _looked_at(taking, plan))
        if mode is Mode.DRY_RUN:
            return _outcome(taking, looked)
        _require_right(taking, looked)
    try:
        return await _all(taking, [row for row, _, _ in (*plan.numbered, *plan.new)], judged)
    except IntegrityError as error:  # the same household is being given its vouchers at this moment
        raise Conflict from error


async def workbook(public_id: str, *, actor: Actor, now: datetime) -> bytes:
    """The rows of an import that were given nothing, each with its reason; they hold phones."""
    found = await DirectImport.get_or_none(public_id=public_id).select_related("round__campaign")
    if found is None or found.mistakes_sealed is None:
        raise NotFound
    campaign = found.round.campaign
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    opened = sealing.ring().open(bytes(found.mistakes_sealed), place=PLACE)
    wrong = msgspec.json.decode(opened, type=list[Wrong])
    await audit.write(
        "households.mistakes_opened",
        actor=actor,
        now=now,
        about=("direct_import", found.public_id),
        bureau_id=campaign.bureau_id,
    )
    return await asyncio.to_thread(workbook_of, wrong, msgspec.json.decode(found.head, type=tuple[str, ...]))


def workbook_of(wrong: Sequence[Wrong], head: Sequence[str]) -> bytes:
    """The same of an outcome; take it to a thread when it is long."""
    width = max([len(head), *(len(each.cells) for each in wrong)])
    rows = [(*_wide(each.cells, width), str(each.line), households.said(each)) for each in wrong]
    return writing.workbook([(*_wide(head, width), LINE_COLUMN, REASON_COLUMN), *rows], sheet="未发放")


def _wide(cells: Sequence[str], width: int) -> list[str]:
    return [*cells, *[""] * (width - len(cells))]


async def _round(round_id: int, actor: Actor) -> tuple[Round, Campaign]:
    found = await Round.get_or_none(id=round_id)
    if found is None:
        raise NotFound
    campaign = await Campaign.get(id=found.campaign_id)
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    if found.mode != DIRECT:
        raise NotDirect
    return found, campaign


async def _looked_at(taking: _Taking, plan: Plan) -> _Done:
    """What would come of a plan; nothing is locked or written."""
    given, wrong = 0, [*plan.twins]
    for batch in _batches(plan.new, taking.at_once):
        _, granted = _settle(batch, taking.stock, taking, wrong, given=given)
        given += len(granted)
        await asyncio.sleep(0)
    return _Done(given=given, vouchers=given * taking.each, unchanged=len(plan.numbered), wrong=tuple(wrong))


def _require_right(taking: _Taking, done: _Done) -> None:
    if not done.wrong:
        return
    told = sorted(done.wrong, key=lambda each: each.line)[:TOLD]
    details = [Detail(f"rows[{each.line}].{each.column}", households.said(each)) for each in told]
    mistakes = [{"line": each.line, "column": each.column, "code": each.code} for each in told]
    data = {"rows": taking.sheet.count, "wrong": len(done.wrong), "mistakes": mistakes}
    raise RosterRefused(details=details, data=data)


def _require_few(taking: _Taking, count: int) -> None:
    vouchers = count * taking.each
    if vouchers > MOST_AT_ONCE:
        raise unreadable(
            f"要发 {vouchers:,} 张券，整批发放一次最多 {MOST_AT_ONCE:,} 张",
            f"改用部分发放，或拆成几个文件，每个最多 {MOST_AT_ONCE // taking.each:,} 户",
        )


async def _all(taking: _Taking, rows: Sequence[Row], judged: _Done) -> Outcome:
    """A strict import's rows in one go, a partial one's by and by; the first has what was judged."""
    total, import_id = _Done(), ""
    size = max(1, len(rows)) if taking.mode is Mode.STRICT else taking.at_once
    for batch in [*_batches(rows, size)] or [[]]:

        async def work(
            batch: Sequence[Row] = batch, so_far: _Done = total, known: _Done = judged, noted: str = import_id
        ) -> tuple[_Done, str]:
            step = known.plus(await _give(taking, batch))
            if taking.mode is Mode.STRICT:
                _require_right(taking, step)
            whole = so_far.plus(step)
            if step.given or step.numbered or step.wrong:
                noted = await _note(taking, step, whole, noted)
            return whole, noted

        total, import_id = await database.unit(work)
        judged = _Done()
    return _outcome(taking, total, import_id)


async def _give(taking: _Taking, rows: Sequence[Row]) -> _Done:
    """Hold some rows against the round anew, under the lock that claims take, and give them theirs."""
    if not rows:
        return _Done()
    offer_id = taking.stock.offer_id
    stock = (await places.hold({offer_id}))[offer_id]
    plan = await roster_plans.against(rows, taking.found.id)
    await roster_plans.number(plan.numbered, taking.found.id)
    given = vouchers = 0
    for batch in _batches(plan.new, taking.at_once):
        settling, granted = _settle(batch, stock, taking, plan.wrong, given=given)
        if not granted:
            continue
        await _write(settling, granted, taking)
        given += len(granted)
        vouchers += len(settling.rows)
    return _Done(
        given=given,
        vouchers=vouchers,
        numbered=len(plan.numbered),
        unchanged=plan.unchanged + len(plan.numbered),
        wrong=(*plan.wrong, *plan.twins),
    )


def _batches(rows: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    return (rows[start : start + size] for start in range(0, len(rows), size))


def _outcome(taking: _Taking, done: _Done, import_id: str = "") -> Outcome:
    return Outcome(
        mode=taking.mode,
        rows=taking.sheet.count,
        given=done.given,
        vouchers=done.vouchers,
        unchanged=done.unchanged,
        wrong=sorted(done.wrong, key=lambda each: each.line),
        head=taking.sheet.head,
        import_id=import_id,
    )


def _settle(
    batch: Sequence[Indexed], stock: Stock, taking: _Taking, wrong: list[Wrong], *, given: int
) -> tuple[Settling, list[Indexed]]:
    """What a claim would give each of them; ``given`` is how many had theirs since the stock was read."""
    centre_id = taking.campaign.centre_id
    place = Place(
        link_id=0,
        centre_id=centre_id,
        broadcast_id=0,
        streamer_id=0,
        platform="",
        quota=0,
        offer_id=stock.offer_id,
    )
    left = msgspec.structs.replace(stock, left=stock.left - given)
    settling = Settling({_NO_LINK: place}, {stock.offer_id: left}, {})
    granted = []
    for row, phone, number in batch:
        answer = settling.answer(_wish(phone, stock, centre_id=centre_id, now=taking.now), Prior())
        if isinstance(answer, Claimed):
            granted.append((row, phone, number))
        elif isinstance(answer, SoldOut):
            wrong.append(households.wrong(row, SoldOut.code, "phone"))
        else:
            raise answer
    return settling, granted


def _wish(phone: bytes, stock: Stock, *, centre_id: int, now: datetime) -> Wish:
    return Wish(
        name=_NO_LINK,
        claimant=ClaimantRef(id=0, public_id="", centre_id=centre_id, person_key=phone),
        key=f"direct:{stock.round_id}:{phone.hex()}",
        body=bytes(16),
        ip="",
        request_id="",
        now=now,
    )


async def _write(settling: Settling, granted: Sequence[Indexed], taking: _Taking) -> None:
    """Claimants, their vouchers as a claim writes them, and the roster's households."""
    phones = [row.phone for row, _, _ in granted]
    claimants = await identity.enter_all(phones, centre_id=taking.campaign.centre_id, now=taking.now)
    rows = [each | {"claimant_id": claimants[each["person_key"]]} for each in settling.rows]
    await hot.run(claim_rows.COLUMNS, rows, claim_rows.STEPS)
    at = clock.to_ms(taking.now)
    await database.with_rows(
        {
            "round_id": "bigint",
            "person_key": "bytea",
            "household_index": "bytea",
            "claimant_id": "bigint",
            "at": "bigint",
        },
        [(taking.found.id, phone, number, claimants[phone], at) for _, phone, number in granted],
        "INSERT INTO direct_household (round_id, person_key, household_index, claimant_id, at)"
        " SELECT round_id, person_key, household_index, claimant_id, at FROM v",
    )


async def _note(taking: _Taking, step: _Done, whole: _Done, import_id: str) -> str:
    """What this transaction did in the trail, and what the import did so far, its mistakes sealed.

    The file itself is not kept.
    """
    sealed = None
    if whole.wrong:
        wrong = sorted(whole.wrong, key=lambda each: each.line)
        sealed = sealing.ring().seal(msgspec.json.encode(wrong), place=PLACE)
    counts: dict[str, Any] = {"given": whole.given, "unchanged": whole.unchanged, "wrong": len(whole.wrong)}
    if import_id:
        await DirectImport.filter(public_id=import_id).update(mistakes_sealed=sealed, **counts)
    else:
        import_id = ids.public_id()
        await DirectImport.create(
            public_id=import_id,
            round_id=taking.found.id,
            name=taking.name[:120],
            sha256=taking.digest,
            mode=str(taking.mode),
            rows=taking.sheet.count,
            head=msgspec.json.encode(taking.sheet.head).decode(),
            mistakes_sealed=sealed,
            at=taking.now,
            by_name=taking.actor.name,
            **counts,
        )
    await audit.write(
        "households.given",
        actor=taking.actor,
        now=taking.now,
        about=("direct_import", import_id),
        bureau_id=taking.campaign.bureau_id,
        detail={
            "rows": taking.sheet.count,
            "given": step.given,
            "vouchers": step.vouchers,
            "numbered": step.numbered,
            "unchanged": step.unchanged,
            "wrong": len(step.wrong),
            "round": taking.found.public_id,
            "sha256": taking.digest.hex(),
            "mode": str(taking.mode),
        },
    )
    return import_id
