"""Sign up for a lottery: one lot a person, as the database decides; settled in batches of one commit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock, ids
from livehub.kit.group_commit import GroupCommit
from livehub.settings import Settings
from livehub.vouchers import eligibility, refusals
from livehub.vouchers.errors import Ended, LinkUnknown, NotStarted, Paused, VoucherRefused
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.models import CampaignStatus, RoundStatus


class Entered(Struct, frozen=True, kw_only=True):
    """Somebody's lot; ``hit``: she had it already, and nothing new happened."""

    entry: str
    at: datetime
    hit: bool = False


class Lot(Struct, frozen=True, kw_only=True):
    """One request to sign up."""

    round_id: int
    platform: str  # she came by; it counts where one may sign up on each
    link_id: int
    claimant: ClaimantRef
    ip: str
    request_id: str
    now: datetime


class Signup(Struct, frozen=True, kw_only=True):
    """A lottery as it is under lock."""

    centre_id: int
    bureau_id: int
    campaign: CampaignStatus
    round: RoundStatus
    signup_from: int
    signup_until: int
    is_frozen: bool
    by_platform: bool


class EntryDesk:
    """This worker's door to lotteries."""

    def __init__(self, settings: Settings) -> None:
        self._commits: GroupCommit[Lot, Entered] = GroupCommit(
            "entry",
            settle,
            queue_limit=settings.queue_limit,
            batch_limit=settings.batch_limit,
            takes_turns=True,
        )

    def start(self) -> None:
        """Start settling in the running loop."""
        self._commits.start()

    async def stop(self) -> None:
        """Settle what waits, then stop."""
        await self._commits.stop()

    async def enter(self, lot: Lot) -> Entered:
        """Sign somebody up: the lot she has, once, however often she asks.

        NotStarted, Paused or Ended outside the time of the sign-up, LinkUnknown for another centre's.
        """
        return await self._commits.submit(lot)


async def settle(lots: Sequence[Lot]) -> list[Entered | Exception]:
    """A batch, in the current transaction: judged under the round's lock, written, and read back."""
    signups = await _hold({lot.round_id for lot in lots})
    judged = [_refusal(lot, signups.get(lot.round_id)) for lot in lots]
    places = [_place(lot, signups) for lot in lots]
    wanted = {
        place: lot for place, lot, no in zip(places, lots, judged, strict=True) if no is None
    }  # whoever asks twice in a batch has one lot
    fresh = await _write(wanted, signups)
    found = await _read([place for place, no in zip(places, judged, strict=True) if no is None])
    await _count(lots, judged)
    return [
        no if no is not None else _entered(found[place], fresh)
        for place, no in zip(places, judged, strict=True)
    ]


Place = tuple[int, str, bytes]  # round, platform or '', person: unique


def _place(lot: Lot, signups: Mapping[int, Signup]) -> Place:
    signup = signups.get(lot.round_id)
    platform = lot.platform if signup is not None and signup.by_platform else ""
    return lot.round_id, platform, lot.claimant.person_key


def _refusal(lot: Lot, signup: Signup | None) -> Exception | None:
    if signup is None or signup.centre_id != lot.claimant.centre_id:
        return LinkUnknown()
    at = clock.to_ms(lot.now)
    if at >= signup.signup_until or signup.is_frozen:
        return Ended("报名已经截止了。")
    if signup.campaign is CampaignStatus.PAUSED:
        return Paused()
    if signup.round is RoundStatus.SCHEDULED or at < signup.signup_from:
        return NotStarted("报名还没有开始，请稍后再来。")
    if signup.round is not RoundStatus.SIGNUP or signup.campaign is not CampaignStatus.RUNNING:
        return Ended("报名已经截止了。")
    return None


async def _hold(round_ids: set[int]) -> dict[int, Signup]:
    """Lock the rounds for reading, so that none is frozen or closed meanwhile; then see how they are."""
    wanted = [(each,) for each in sorted(round_ids)]
    if database.dialect() == "postgres":
        await database.with_rows(
            {"wanted": "bigint"},
            wanted,
            "SELECT r.id FROM campaign_round r WHERE r.id IN (SELECT wanted FROM v) ORDER BY r.id"
            " FOR SHARE OF r",
        )
    rows = await database.with_rows(
        {"wanted": "bigint"},
        wanted,
        "SELECT r.id, r.status, c.centre_id, c.bureau_id, c.status AS campaign, d.signup_from,"
        " d.signup_until, d.frozen_at, t.rules FROM v JOIN campaign_round r ON r.id = v.wanted"
        " JOIN lottery_draw d ON d.round_id = r.id JOIN campaign c ON c.id = r.campaign_id"
        " JOIN voucher_template t ON t.round_id = r.id",
    )
    return {int(row["id"]): _signup(row) for row in rows}


def _signup(row: Mapping[str, Any]) -> Signup:
    rules = eligibility.bind(row["rules"], eligibility.Stage.CLAIM)
    return Signup(
        centre_id=row["centre_id"],
        bureau_id=row["bureau_id"],
        campaign=CampaignStatus(row["campaign"]),
        round=RoundStatus(row["status"]),
        signup_from=row["signup_from"],
        signup_until=row["signup_until"],
        is_frozen=row["frozen_at"] is not None,
        by_platform=any(getattr(each.params, "by_platform", False) for each in rules),
    )


_COLUMNS = {
    "id": "bigint",
    "public_id": "text",
    "round_id": "bigint",
    "platform": "text",
    "person_key": "bytea",
    "link_id": "bigint",
    "at": "bigint",
}
_NAMES = ", ".join(_COLUMNS)
_INSERT = (
    f"INSERT INTO lottery_entry ({_NAMES}) SELECT {_NAMES} FROM v WHERE true"
    " ON CONFLICT (round_id, platform, person_key) DO NOTHING RETURNING public_id"
)


async def _write(wanted: Mapping[Place, Lot], signups: Mapping[int, Signup]) -> set[str]:
    """The public ids of those that are new, each with its entry in the trail."""
    rows = {}
    for (round_id, platform, person_key), lot in sorted(wanted.items(), key=lambda each: each[0]):
        at, public_id = clock.to_ms(lot.now), ids.public_id()
        rows[public_id] = (
            (ids.row_id(at), public_id, round_id, platform, person_key, lot.link_id, at),
            lot,
        )
    made = await database.with_rows(_COLUMNS, [row for row, _ in rows.values()], _INSERT)
    fresh = {str(row["public_id"]) for row in made}
    await _audit([(public_id, rows[public_id][1]) for public_id in rows if public_id in fresh], signups)
    return fresh


_AUDITED = {
    "at": "bigint",
    "centre_id": "bigint",
    "bureau_id": "bigint",
    "actor_id": "bigint",
    "object_id": "text",
    "ip": "text",
    "request_id": "text",
}


async def _audit(made: Sequence[tuple[str, Lot]], signups: Mapping[int, Signup]) -> None:
    await database.with_rows(
        _AUDITED,
        [
            (
                clock.to_ms(lot.now),
                lot.claimant.centre_id,
                signups[lot.round_id].bureau_id,
                lot.claimant.id,
                public_id,
                lot.ip,
                lot.request_id,
            )
            for public_id, lot in made
        ],
        "INSERT INTO audit_entry (at, centre_id, bureau_id, actor_kind, actor_id, actor_name, action,"
        " object_kind, object_id, result, ip, request_id, detail)"
        " SELECT at, centre_id, bureau_id, 'claimant', actor_id, '', 'lottery.entered', 'lottery_entry',"
        " object_id, 'ok', ip, request_id, '{}' FROM v",
    )


async def _read(places: Sequence[Place]) -> dict[Place, Mapping[str, Any]]:
    rows = await database.with_rows(
        {"round_id": "bigint", "platform": "text", "person_key": "bytea"},
        sorted(set(places)),
        "SELECT e.round_id, e.platform, e.person_key, e.public_id, e.at FROM v JOIN lottery_entry e"
        " ON e.round_id = v.round_id AND e.platform = v.platform AND e.person_key = v.person_key",
    )
    return {(int(row["round_id"]), row["platform"], bytes(row["person_key"])): row for row in rows}


def _entered(row: Mapping[str, Any], fresh: set[str]) -> Entered:
    """The first who asks of a new lot is told that it is new."""
    public_id = row["public_id"]
    is_new = public_id in fresh
    fresh.discard(public_id)
    return Entered(entry=public_id, at=clock.from_ms(row["at"]), hit=not is_new)


async def _count(lots: Sequence[Lot], judged: Sequence[Exception | None]) -> None:
    refused = Counter(
        refusals.key(lot.round_id, no.code, now=lot.now)
        for lot, no in zip(lots, judged, strict=True)
        if isinstance(no, VoucherRefused)
    )
    await refusals.add(refused)
