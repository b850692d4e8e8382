"""额度: how much of the rooms a bureau may take in a day, a week or a month.

Whoever adds to a bureau's use, and whoever changes its quotas, holds the bureau's row first: so what is
counted is what will be there at the commit. SQLite has one writer and needs no row.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau, Centre
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock
from livehub.kit.errors import Detail, NotFound
from rooms import locks, moves
from rooms.errors import QuotaBelowUse, QuotaExceeded, QuotaRefused
from rooms.models import Booking, BookingState, Room, Theme
from rooms.quota_counting import Limit, Use, window
from rooms.sharing_models import Quota, QuotaRoom, QuotaUnit, QuotaWindow

COUNTED = sorted(moves.HOLDING | {BookingState.COMPLETED, BookingState.NO_SHOW})
MOST = 20  # quotas of one bureau
_LONGEST_BOUNDARY = timedelta(hours=12)

_USES = f"""
    SELECT b.id, b.bureau_id, b.room_id, r.theme, r.boundary_hour, b.start_at, b.end_at
    FROM booking b JOIN room r ON r.id = b.room_id
    WHERE b.bureau_id = $1 AND b.start_at >= $2 AND b.start_at < $3
      AND b.state IN ({", ".join(f"'{each}'" for each in COUNTED)}) ORDER BY b.id
"""


class Rule(Struct, frozen=True, kw_only=True):
    """One quota as the centre sets it; rooms by public id, neither rooms nor theme means the whole centre."""

    rooms: tuple[str, ...] = ()
    theme: str = ""
    window: QuotaWindow
    unit: QuotaUnit = QuotaUnit.BOOKINGS
    limit: int
    prime_only: bool = False


async def require_room_for(booking: Booking, *, room: Room) -> None:
    """QuotaExceeded when a booking of this time and room would be more than its bureau may have.

    Holds the bureau's row to the end of the transaction. The booking itself is not counted as used.
    """
    await locks.hold("bureau", {booking.bureau_id})
    limits = await limits_of(booking.bureau_id)
    if not limits:
        return
    wanted = Use(
        booking_id=booking.id,
        room_id=room.id,
        theme=room.theme,
        boundary_hour=room.boundary_hour,
        starts_at=booking.start_at,
        ends_at=booking.end_at,
    )
    spans = [window(wanted.day, each.window) for each in limits]
    uses = await uses_of(
        booking.bureau_id, since=min(first for first, _ in spans), until=max(after for _, after in spans)
    )
    others = [each for each in uses if each.booking_id != booking.id]
    for limit in limits:
        used, requested = limit.used(others, day=wanted.day), limit.weight(wanted)
        if limit.covers(wanted) and used + requested > limit.limit:
            first, after = window(wanted.day, limit.window)
            raise QuotaExceeded(
                data={
                    "limit": limit.limit,
                    "used": used,
                    "requested": requested,
                    "window": str(limit.window),
                    "unit": str(limit.unit),
                    "prime_only": limit.prime is not None,
                    "from": first,
                    "until": after,
                }
            )


async def limits_of(bureau_id: int) -> list[Limit]:
    """The quotas of a bureau that are in force, as they are counted."""
    found = await Quota.filter(bureau_id=bureau_id, active=True).order_by("id")
    if not found:
        return []
    rooms: dict[int, set[int]] = {each.id: set() for each in found}
    for each in await QuotaRoom.filter(quota_id__in=list(rooms)):
        rooms[each.quota_id].add(each.room_id)
    centre = await Centre.get(id=found[0].centre_id)
    prime = (centre.prime_from_minute, centre.prime_until_minute)
    return [
        Limit(
            id=each.id,
            rooms=frozenset(rooms[each.id]),
            theme=each.theme,
            window=each.window,
            unit=each.unit,
            limit=each.limit,
            prime=prime if each.prime_only else None,
        )
        for each in found
    ]


async def uses_of(bureau_id: int, *, since: date, until: date) -> list[Use]:
    """A bureau's bookings that count, of the business days [since, until)."""
    rows = await database.fetch(
        _USES,
        bureau_id,
        clock.to_ms(clock.at_local(since)),
        clock.to_ms(clock.at_local(until) + _LONGEST_BOUNDARY),
    )
    found = [
        Use(
            booking_id=row["id"],
            room_id=row["room_id"],
            theme=row["theme"],
            boundary_hour=row["boundary_hour"],
            starts_at=clock.from_ms(row["start_at"]),
            ends_at=clock.from_ms(row["end_at"]),
        )
        for row in rows
    ]
    return [each for each in found if since <= each.day < until]


@database.atomic
async def put(bureau_id: int, rules: Sequence[Rule], *, actor: Actor, now: datetime) -> None:
    """Let these be all the quotas of a bureau; the same list again changes nothing.

    QuotaBelowUse when a limit is lower than what is booked already in this window or a later one.
    """
    bureau = await Bureau.get_or_none(id=bureau_id)
    if bureau is None:
        raise NotFound
    require(actor, Permission.ROOM_MANAGE, centre_id=bureau.centre_id)
    rooms = await _rooms(rules, centre_id=bureau.centre_id)
    _require_sound(rules, known=rooms)
    await locks.hold("bureau", {bureau_id})
    existing = {await _key(each): each for each in await Quota.filter(bureau_id=bureau_id, active=True)}
    wanted = {_key_of(each, rooms=rooms): each for each in rules}
    changes = 0
    for key, quota in existing.items():
        if key not in wanted:
            quota.active = False
        elif quota.limit != wanted[key].limit:
            quota.limit = wanted[key].limit
            quota.since_day = _first_day(quota.window, now=now)
        else:
            continue
        await quota.save()
        changes += 1
    for key, rule in wanted.items():
        if key not in existing:
            await _add(rule, bureau=bureau, rooms=rooms, now=now)
            changes += 1
    if not changes:
        return
    await _require_above_use(bureau_id, now=now)
    about = ("bureau", bureau.public_id)
    detail = {"quotas": len(wanted), "changes": changes}
    await audit.write("quotas.set", actor=actor, now=now, about=about, bureau_id=bureau_id, detail=detail)


async def _add(rule: Rule, *, bureau: Bureau, rooms: dict[str, int], now: datetime) -> None:
    quota = await Quota.create(
        centre_id=bureau.centre_id,
        bureau_id=bureau.id,
        theme=rule.theme,
        window=rule.window,
        unit=rule.unit,
        limit=rule.limit,
        prime_only=rule.prime_only,
        since_day=_first_day(rule.window, now=now),
    )
    await QuotaRoom.bulk_create(
        QuotaRoom(quota_id=quota.id, room_id=number)
        for number in sorted({rooms[each] for each in rule.rooms})
    )


async def _require_above_use(bureau_id: int, *, now: datetime) -> None:
    limits = await limits_of(bureau_id)
    today = clock.local_day(now)
    since = min((window(today, each.window)[0] for each in limits), default=today)
    uses = await uses_of(bureau_id, since=since, until=today + timedelta(days=800))
    for limit in limits:
        first = window(today, limit.window)[0]
        for day in sorted({use.day for use in uses if use.day >= first}):
            used = limit.used(uses, day=day)
            if used > limit.limit:
                starts, after = window(day, limit.window)
                raise QuotaBelowUse(
                    data={"limit": limit.limit, "used": used, "from": starts, "until": after},
                    details=[Detail("limit", f"{starts:%m月%d日} 起的这一期已排 {used}", f"不小于 {used}")],
                )


async def _rooms(rules: Iterable[Rule], *, centre_id: int) -> dict[str, int]:
    named = {name for rule in rules for name in rule.rooms}
    found = await Room.filter(public_id__in=named, centre_id=centre_id) if named else []
    return {each.public_id: each.id for each in found}


def _require_sound(rules: Sequence[Rule], *, known: dict[str, int]) -> None:
    details: list[Detail] = []
    keys = []
    for number, rule in enumerate(rules):
        if any(name not in known for name in rule.rooms):
            details.append(Detail(f"quotas[{number}].rooms", "没有这个直播间"))
        elif rule.rooms and rule.theme:
            details.append(Detail(f"quotas[{number}].theme", "直播间和主题只能选一种"))
        else:
            keys.append(_key_of(rule, rooms=known))
        if rule.theme and rule.theme not in list(Theme):
            details.append(Detail(f"quotas[{number}].theme", "没有这个主题", "、".join(Theme)))
        if not 0 <= rule.limit <= 100_000:
            details.append(Detail(f"quotas[{number}].limit", "不在允许的范围内", "0 到 100000"))
    if len(set(keys)) < len(keys):
        details.append(Detail("quotas", "有两条范围、周期和单位都相同", "每种只设一条"))
    if len(rules) > MOST:
        details.append(Detail("quotas", "太多了", f"最多 {MOST} 条"))
    if details:
        raise QuotaRefused(details=details)


Key = tuple[frozenset[int], str, str, str, bool]


def _key_of(rule: Rule, *, rooms: dict[str, int]) -> Key:
    numbers = frozenset(rooms[each] for each in rule.rooms)
    return numbers, rule.theme, str(rule.window), str(rule.unit), rule.prime_only


async def _key(quota: Quota) -> Key:
    rooms = await QuotaRoom.filter(quota_id=quota.id)
    numbers = frozenset(each.room_id for each in rooms)
    return numbers, quota.theme, str(quota.window), str(quota.unit), quota.prime_only


def _first_day(kind: QuotaWindow, *, now: datetime) -> date:
    return window(clock.local_day(now), kind)[0]
