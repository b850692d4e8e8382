"""What each of some broadcasts brought and which they were, in a few statements however many they are."""

from __future__ import annotations

from collections.abc import Collection
from datetime import date

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.reports.basis import G2_SQL
from livehub.vouchers.models import VoucherState

# Of a broadcast ``b``, as SQL: how long it was on air, and a sum over what was booked for it.
ON_AIR_MS = (
    "(SELECT coalesce(sum(r.ended_at - r.started_at), 0) FROM broadcast_run r"
    " WHERE r.broadcast_id = b.id AND r.ended_at IS NOT NULL)"
)
SOLD = "(SELECT coalesce(sum({}), 0) FROM rollup_bucket r WHERE r.broadcast_id = b.id)"


class Result(Struct, kw_only=True):
    """Sales by the broadcast they are attributed to, and the vouchers claimed on its links."""

    g2_fen: int = 0
    g3_fen: int = 0
    refund_fen: int = 0
    orders: int = 0
    pending: int = 0  # orders of its shops and days that nobody has read in full
    claimed: int = 0
    redeemed: int = 0
    claimed_face_fen: int = 0
    platforms: list[str] = []


async def results(broadcast_ids: Collection[int]) -> dict[int, Result]:
    """By row id; a broadcast that brought nothing has zeroes."""
    numbers = sorted(set(broadcast_ids))
    found = {number: Result() for number in numbers}
    wanted = [(number,) for number in numbers]
    sales = await database.with_rows(
        {"id": "bigint"},
        wanted,
        f"SELECT v.id AS id, sum({G2_SQL}) AS g2_fen, sum(r.refund_done) AS refund_fen,"
        " sum(r.orders) AS orders"
        " FROM v JOIN rollup_bucket r ON r.broadcast_id = v.id GROUP BY v.id",
    )
    for row in sales:
        each = found[row["id"]]
        each.g2_fen, each.refund_fen = int(row["g2_fen"]), int(row["refund_fen"])
        each.g3_fen = each.g2_fen - each.refund_fen
        each.orders = int(row["orders"])
    for number, count in (await pending(numbers)).items():
        found[number].pending = count
    vouchers = await database.with_rows(
        {"id": "bigint"},
        wanted,
        "SELECT v.id AS id, count(*) AS claimed, sum(t.face_fen) AS face_fen,"
        f" sum(CASE WHEN x.state = '{VoucherState.REDEEMED}' THEN 1 ELSE 0 END) AS redeemed"
        " FROM v JOIN voucher x ON x.broadcast_id = v.id JOIN voucher_template t ON t.id = x.template_id"
        " GROUP BY v.id",
    )
    for row in vouchers:
        each = found[row["id"]]
        each.claimed, each.redeemed = int(row["claimed"]), int(row["redeemed"])
        each.claimed_face_fen = int(row["face_fen"])
    accounts = await database.with_rows(
        {"id": "bigint"},
        wanted,
        "SELECT DISTINCT v.id AS id, a.platform AS platform FROM v"
        " JOIN broadcast_account a ON a.broadcast_id = v.id ORDER BY platform",
    )
    for row in accounts:
        found[row["id"]].platforms.append(row["platform"])
    return found


async def pending(broadcast_ids: Collection[int]) -> dict[int, int]:
    """By row id, orders of a show's shops and days that nobody has read in full: its own or not."""
    shows = await database.with_rows(
        {"id": "bigint"},
        [(each,) for each in sorted(set(broadcast_ids))],
        "SELECT b.id AS id, b.started_at AS since, b.ended_at AS until FROM v JOIN broadcast b ON b.id = v.id"
        " WHERE b.started_at IS NOT NULL",
    )
    rows = await database.with_rows(
        {"id": "bigint", "first": "int", "last": "int"},
        [(row["id"], _day(row["since"]), _day(row["until"] or row["since"] + _LONGEST_MS)) for row in shows],
        "SELECT v.id AS id, sum(p.pending) AS n FROM v JOIN broadcast b ON b.id = v.id"
        " JOIN rollup_bucket p ON p.centre_id = b.centre_id AND p.day BETWEEN v.first AND v.last"
        " AND p.broadcast_id = 0 AND p.pending <> 0 WHERE p.shop_id IN"
        " (SELECT r.shop_id FROM rollup_bucket r WHERE r.broadcast_id = b.id UNION"
        " SELECT s.id FROM shop s JOIN broadcast_account a ON a.platform = s.platform"
        " WHERE a.broadcast_id = b.id AND s.centre_id = b.centre_id AND s.bureau_id = b.bureau_id)"
        " GROUP BY v.id",
    )
    return {row["id"]: int(row["n"]) for row in rows}


_LONGEST_MS = 86_400_000  # of a show that has not ended


def _day(ms: int) -> int:
    return clock.day_number(clock.local_day(clock.from_ms(ms)))


class Where(Struct, frozen=True):
    """What tells two broadcasts of one title apart."""

    day: date
    room: str
    streamer: str


async def named(public_ids: Collection[str]) -> dict[str, Where]:
    """Day, room and streamer of broadcasts, for rows that only carry a title."""
    rows = await database.with_rows(
        {"wanted": "text"},
        [(each,) for each in sorted(set(public_ids))],
        "SELECT b.public_id, b.business_day, m.name AS room, t.stage_name FROM v"
        " JOIN broadcast b ON b.public_id = v.wanted JOIN room m ON m.id = b.room_id"
        " JOIN streamer t ON t.id = b.streamer_id",
    )
    return {
        row["public_id"]: Where(clock.day_of_number(row["business_day"]), row["room"], row["stage_name"])
        for row in rows
    }
