"""Give a direct round's vouchers to the households of a roster: looked at, all of them, or those that can be.

A household is given what a claim gives, by the same judgement and the same statement; it has neither link nor
drop. Whoever holds the phone sees the vouchers after a one-time code. The same file again changes nothing.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

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
from livehub.vouchers import claim_rows, hot, households, identity, packs, places
from livehub.vouchers.claim_deciding import Claimed, Settling, Wish
from livehub.vouchers.claim_rows import Prior
from livehub.vouchers.errors import NotDirect, SoldOut
from livehub.vouchers.households import Row, Sheet, Wrong
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.models import Campaign, Round
from livehub.vouchers.pack_models import DirectImport
from livehub.vouchers.places import Place, Stock
from livehub.vouchers.rounds import DIRECT
from streamers.training.errors import RosterRefused
from streamers.training.importing import Mode

PLACE = "direct_import.mistakes"
SEALED = (Column("direct_import", "mistakes_sealed", PLACE),)
REASON_COLUMN = "未发放原因"
LINE_COLUMN = "原行号"
TOLD = 200  # mistakes that a refusal or a page lists; all are in the workbook
BATCH = 100  # households whose vouchers are made without letting others have the processor

_NO_LINK = ("", "")


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


class _Taken(Exception):
    """A dry run, or a strict one with mistakes: everything is undone."""


class _Plan(Struct):
    """What the rows mean against the round."""

    new: list[tuple[Row, bytes, bytes | None]]  # with the indexes of phone and household
    unchanged: int
    wrong: list[Wrong]


async def take(raw: bytes, *, round_id: int, mode: Mode, name: str, actor: Actor, now: datetime) -> Outcome:
    """Give each household of a file what the round gives; RosterRefused by a strict one that has mistakes.

    A household for which nothing is left is told as such, and nothing is written for it. VoucherRefused when
    the round gives nothing now, NotDirect when it is given by links.
    """
    sheet = await asyncio.to_thread(households.read, raw)
    outcome: list[Outcome] = []

    async def whole() -> None:
        outcome.clear()
        outcome.append(await _take(sheet, raw, round_id=round_id, mode=mode, name=name, actor=actor, now=now))
        if mode is Mode.DRY_RUN or (mode is Mode.STRICT and outcome[0].wrong):
            raise _Taken

    try:
        await database.unit(whole)
    except _Taken:
        pass
    except IntegrityError as error:  # the same household is being given its vouchers at this moment
        raise Conflict from error
    if mode is Mode.STRICT and outcome[0].wrong:
        wrong = outcome[0].wrong
        details = [Detail(f"rows[{each.line}].{each.column}", households.said(each)) for each in wrong[:TOLD]]
        mistakes = [{"line": each.line, "column": each.column, "code": each.code} for each in wrong[:TOLD]]
        data = {"rows": len(sheet.rows), "wrong": len(wrong), "mistakes": mistakes}
        raise RosterRefused(details=details, data=data)
    return outcome[0]


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
    rows = [(*each.cells, str(each.line), households.said(each)) for each in wrong]
    return writing.workbook([(*head, LINE_COLUMN, REASON_COLUMN), *rows], sheet="未发放")


async def _take(
    sheet: Sheet, raw: bytes, *, round_id: int, mode: Mode, name: str, actor: Actor, now: datetime
) -> Outcome:
    found, campaign, stock = await _held(round_id, actor)
    plan = await _against_round(sheet, round_id)
    given = vouchers = 0
    for start in range(0, len(plan.new), BATCH):
        batch = plan.new[start : start + BATCH]
        settling, granted = _settle(batch, stock, campaign, plan.wrong, given=given, now=now)
        if not granted:
            continue
        await _write(settling, granted, round_id=round_id, centre_id=campaign.centre_id, now=now)
        given += len(granted)
        vouchers += len(settling.rows)
    wrong = [each for each in sheet.rows if isinstance(each, Wrong)] + plan.wrong
    outcome = Outcome(
        mode=mode,
        rows=len(sheet.rows),
        given=given,
        vouchers=vouchers,
        unchanged=plan.unchanged,
        wrong=sorted(wrong, key=lambda each: each.line),
        head=sheet.head,
    )
    if mode is Mode.DRY_RUN or not (given or wrong):
        return outcome
    import_id = await _note(outcome, raw, found, campaign, name=name, actor=actor, now=now)
    return msgspec.structs.replace(outcome, import_id=import_id)


async def _held(round_id: int, actor: Actor) -> tuple[Round, Campaign, Stock]:
    """The round with what it gives, under the lock that claims take."""
    found = await Round.get_or_none(id=round_id)
    if found is None:
        raise NotFound
    campaign = await Campaign.get(id=found.campaign_id)
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    if found.mode != DIRECT:
        raise NotDirect
    offer_id = await packs.only_offer(round_id)
    return found, campaign, (await places.hold({offer_id}))[offer_id]


async def _against_round(sheet: Sheet, round_id: int) -> _Plan:
    """Who has hers already, and whose phone and number belong to two households."""
    rows = [each for each in sheet.rows if isinstance(each, Row)]
    made = await asyncio.to_thread(lambda: [_indexes(each) for each in rows])
    known = await database.with_rows(
        {"round_id": "bigint", "person_key": "bytea", "household_index": "bytea"},
        [(round_id, phone, number or b"") for phone, number in made],
        "SELECT h.person_key, h.household_index FROM v JOIN direct_household h ON h.round_id = v.round_id"
        " AND (h.person_key = v.person_key OR h.household_index = v.household_index)",
    )
    by_phone = {bytes(row["person_key"]): row["household_index"] for row in known}
    numbers = {bytes(row["household_index"]) for row in known if row["household_index"] is not None}
    plan = _Plan(new=[], unchanged=0, wrong=[])
    for row, (phone, number) in zip(rows, made, strict=True):
        if phone in by_phone:
            had = by_phone[phone]
            if number is None or had is None or bytes(had) == number:
                plan.unchanged += 1
            else:
                plan.wrong.append(households.wrong(row, "PHONE_KNOWN", "phone"))
        elif number is not None and number in numbers:
            plan.wrong.append(households.wrong(row, "HOUSEHOLD_KNOWN", "household"))
        else:
            plan.new.append((row, phone, number))
    return plan


def _indexes(row: Row) -> tuple[bytes, bytes | None]:
    number = sealing.ring().blind(row.household, purpose="household") if row.household else None
    return identity.phone_index(row.phone), number


def _settle(
    batch: Sequence[tuple[Row, bytes, bytes | None]],
    stock: Stock,
    campaign: Campaign,
    wrong: list[Wrong],
    *,
    given: int,
    now: datetime,
) -> tuple[Settling, list[tuple[Row, bytes, bytes | None]]]:
    """What a claim would give each of them; ``given`` is how many had theirs since the stock was read."""
    place = Place(
        link_id=0,
        centre_id=campaign.centre_id,
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
        answer = settling.answer(_wish(phone, stock, centre_id=campaign.centre_id, now=now), Prior())
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


async def _write(
    settling: Settling,
    granted: Sequence[tuple[Row, bytes, bytes | None]],
    *,
    round_id: int,
    centre_id: int,
    now: datetime,
) -> None:
    """Claimants, their vouchers as a claim writes them, and the roster's households."""
    phones = [row.phone for row, _, _ in granted]
    claimants = await identity.enter_all(phones, centre_id=centre_id, now=now)
    rows = [each | {"claimant_id": claimants[each["person_key"]]} for each in settling.rows]
    await hot.run(claim_rows.COLUMNS, rows, claim_rows.STEPS)
    await database.with_rows(
        {
            "round_id": "bigint",
            "person_key": "bytea",
            "household_index": "bytea",
            "claimant_id": "bigint",
            "at": "bigint",
        },
        [(round_id, phone, number, claimants[phone], clock.to_ms(now)) for _, phone, number in granted],
        "INSERT INTO direct_household (round_id, person_key, household_index, claimant_id, at)"
        " SELECT round_id, person_key, household_index, claimant_id, at FROM v",
    )


async def _note(
    outcome: Outcome,
    raw: bytes,
    found: Round,
    campaign: Campaign,
    *,
    name: str,
    actor: Actor,
    now: datetime,
) -> str:
    """What was done, its mistakes sealed, and its entry in the trail; the file itself is not kept."""
    digest = sha256(raw).digest()
    sealed = sealing.ring().seal(msgspec.json.encode(outcome.wrong), place=PLACE) if outcome.wrong else None
    counts: dict[str, Any] = {
        "rows": outcome.rows,
        "given": outcome.given,
        "unchanged": outcome.unchanged,
        "wrong": len(outcome.wrong),
    }
    made = await DirectImport.create(
        public_id=ids.public_id(),
        round_id=found.id,
        name=name[:120],
        sha256=digest,
        mode=str(outcome.mode),
        head=msgspec.json.encode(outcome.head).decode(),
        mistakes_sealed=sealed,
        at=now,
        by_name=actor.name,
        **counts,
    )
    detail = {
        **counts,
        "vouchers": outcome.vouchers,
        "round": found.public_id,
        "sha256": digest.hex(),
        "mode": str(outcome.mode),
    }
    await audit.write(
        "households.given",
        actor=actor,
        now=now,
        about=("direct_import", made.public_id),
        bureau_id=campaign.bureau_id,
        detail=detail,
    )
    return made.public_id
