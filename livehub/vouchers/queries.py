"""What pages read of vouchers: a person's vouchers, a till, a broadcast's drops and links, figures."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers import codes, leverage, round_states
from livehub.vouchers.leverage import Leverage
from livehub.vouchers.models import VoucherState
from livehub.vouchers.redeem_rows import LIVE
from livehub.vouchers.refund_reads import Fate


class Mine(Struct, frozen=True, kw_only=True):
    """One voucher as its claimant sees it; code and token only while it can be used."""

    id: str
    name: str
    issuer_name: str
    face_fen: int
    threshold_fen: int
    state: str  # a voucher's state; expired as soon as its time is over
    claimed_at: datetime
    valid_from: datetime
    valid_until: datetime
    merchants_only: bool
    code: str
    qr: str
    used_at: datetime | None
    used_at_name: str  # the merchant or shop
    back: GivenBack | None  # its latest refund


class GivenBack(Struct, frozen=True, kw_only=True):
    """What came back of an order that a voucher paid for, in fen, and what became of the voucher."""

    at: datetime
    where: str  # the merchant or shop
    cash_fen: int
    clawback_fen: int
    fate: Fate


class DropRow(Struct, frozen=True, kw_only=True):
    """A drop of a broadcast."""

    row_id: int
    id: str
    template: str  # its name, or the pack's
    template_id: str  # public id, the pack's where it puts out packs
    face_fen: int  # of a pack, all together
    threshold_fen: int
    vouchers_each: int  # in a claim: those of a pack
    quantity: int  # of claims
    claimed: int
    state: str
    opens_at: datetime
    closes_at: datetime


class LinkRow(Struct, frozen=True, kw_only=True):
    """A claim link of a broadcast."""

    slug: str
    platform: str
    streamer_id: int
    clicks: int
    claims: int


class Use(Struct, frozen=True, kw_only=True):
    """A redemption as a till lists it."""

    id: str
    at: datetime
    order_fen: int
    subsidy_fen: int
    paid_fen: int
    refunded_fen: int
    recovered_fen: int
    state: str


class Till(Struct, frozen=True, kw_only=True):
    """What a merchant redeemed today, less refunds, and its latest redemptions."""

    count: int
    order_fen: int
    subsidy_fen: int
    recent: list[Use]


class Figures(Struct, frozen=True, kw_only=True):
    """Vouchers by number, and what their use pulled."""

    quantity: int
    claimed: int
    redeemed: int
    left: int
    pulled: Leverage


async def vouchers_of(claimant_id: int, *, now: datetime, limit: int = 50) -> list[Mine]:
    """All that a claimant can use, then the latest ``limit`` of her others; newest first."""
    usable = f"(y.state = '{VoucherState.ISSUED}' AND y.valid_until > $2)"
    rows = await database.fetch(
        "SELECT x.public_id, x.code_sealed, x.state, x.claimed_at, x.valid_from, x.valid_until, t.name,"
        " t.face_fen, t.threshold_fen, t.merchants_only, c.issuer_name, r.at AS used_at,"
        " coalesce(m.name, s.name, '') AS used_where, f.at AS back_at, f.cash_fen, f.clawback_fen, f.fate,"
        " coalesce(k.name, o.name, '') AS back_where FROM voucher x"
        " JOIN voucher_template t ON t.id = x.template_id JOIN campaign c ON c.id = x.campaign_id"
        f" LEFT JOIN redemption r ON r.voucher_id = x.id AND r.state IN {LIVE}"
        " LEFT JOIN merchant m ON m.id = r.merchant_id LEFT JOIN shop s ON s.id = r.shop_id"
        " LEFT JOIN redemption_refund f"
        " ON f.id = (SELECT max(g.id) FROM redemption_refund g WHERE g.voucher_id = x.id)"
        " LEFT JOIN redemption q ON q.id = f.redemption_id"
        " LEFT JOIN merchant k ON k.id = q.merchant_id LEFT JOIN shop o ON o.id = q.shop_id"
        f" JOIN (SELECT y.id, 0 AS place FROM voucher y WHERE y.claimant_id = $1 AND {usable}"
        " UNION ALL SELECT o.id, 1 FROM (SELECT y.id FROM voucher y WHERE y.claimant_id = $1"
        f" AND NOT {usable} ORDER BY y.claimed_at DESC, y.id DESC LIMIT {int(limit)}) o) w ON w.id = x.id"
        " ORDER BY w.place, x.claimed_at DESC, x.id DESC",
        claimant_id,
        clock.to_ms(now),
    )
    return [_mine(row, now=now) for row in rows]


async def drops_of(broadcast_id: int) -> list[DropRow]:
    """The drops of a broadcast in the order they were planned."""
    rows = await database.fetch(
        "SELECT d.id, d.public_id, coalesce(k.name, t.name) AS name, d.vouchers_each,"
        " coalesce(k.public_id, t.public_id) AS template_ref,"
        f" coalesce({_in_pack('face_fen')}, t.face_fen) AS face_fen,"
        f" coalesce({_in_pack('threshold_fen')}, t.threshold_fen) AS threshold_fen,"
        " d.quantity, d.claimed, d.state, d.opens_at, d.closes_at FROM voucher_drop d"
        " JOIN voucher_template t ON t.id = d.template_id LEFT JOIN voucher_pack k ON k.id = d.pack_id"
        " WHERE d.broadcast_id = $1 ORDER BY d.id",
        broadcast_id,
    )
    return [
        DropRow(
            row_id=row["id"],
            id=row["public_id"],
            template=row["name"],
            template_id=row["template_ref"],
            face_fen=int(row["face_fen"]),
            threshold_fen=int(row["threshold_fen"]),
            vouchers_each=row["vouchers_each"],
            quantity=row["quantity"],
            claimed=row["claimed"],
            state=row["state"],
            opens_at=clock.from_ms(row["opens_at"]),
            closes_at=clock.from_ms(row["closes_at"]),
        )
        for row in rows
    ]


def _in_pack(column: str) -> str:
    """What a column of a drop's pack adds up to, each template as often as it is in it; NULL of no pack."""
    return (
        f"(SELECT sum(x.{column} * i.n) FROM voucher_pack_item i JOIN voucher_template x"
        " ON x.id = i.template_id WHERE i.pack_id = d.pack_id)"
    )


async def links_of(broadcast_id: int) -> list[LinkRow]:
    """The claim links of a broadcast."""
    rows = await database.fetch(f"{_LINKS} WHERE broadcast_id = $1 ORDER BY platform, id", broadcast_id)
    return [_link(row) for row in rows]


async def links_of_round(round_id: int) -> list[LinkRow]:
    """The links that give a round directly."""
    rows = await database.fetch(f"{_LINKS} WHERE round_id = $1 ORDER BY id", round_id)
    return [_link(row) for row in rows]


async def till(merchant_id: int, *, now: datetime, recent: int = 10) -> Till:
    """A merchant's day so far, live redemptions only, and the latest whatever became of them."""
    today = await database.fetch_one(
        "SELECT count(*) AS n, coalesce(sum(order_fen - refunded_fen), 0) AS order_fen,"
        " coalesce(sum(subsidy_fen - recovered_fen), 0) AS subsidy_fen FROM redemption"
        f" WHERE merchant_id = $1 AND at >= $2 AND state IN {LIVE}",
        merchant_id,
        clock.to_ms(clock.at_local(clock.local_day(now))),
    )
    rows = await database.fetch(
        "SELECT public_id, at, order_fen, subsidy_fen, paid_fen, refunded_fen, recovered_fen, state"
        " FROM redemption"
        f" WHERE merchant_id = $1 ORDER BY at DESC, id DESC LIMIT {int(recent)}",
        merchant_id,
    )
    return Till(
        count=int(today["n"]) if today else 0,
        order_fen=int(today["order_fen"]) if today else 0,
        subsidy_fen=int(today["subsidy_fen"]) if today else 0,
        recent=[
            Use(
                id=row["public_id"],
                at=clock.from_ms(row["at"]),
                order_fen=row["order_fen"],
                subsidy_fen=row["subsidy_fen"],
                paid_fen=row["paid_fen"],
                refunded_fen=row["refunded_fen"],
                recovered_fen=row["recovered_fen"],
                state=row["state"],
            )
            for row in rows
        ],
    )


async def figures(*, centre_id: int, bureaus: frozenset[int] | None = None, campaign_id: int = 0) -> Figures:
    """Vouchers and leverage of a centre, of some bureaus' campaigns, or of one campaign."""
    where = "c.centre_id = $1 AND ($2 = 0 OR c.id = $2)"
    if bureaus is not None:
        where += f" AND c.bureau_id IN ({', '.join(str(int(each)) for each in sorted(bureaus)) or '0'})"
    stock = await database.fetch_one(
        "SELECT coalesce(sum(t.quantity), 0) AS quantity, coalesce(sum(t.issued), 0) AS claimed,"
        " coalesce(sum(t.redeemed), 0) AS redeemed, coalesce(sum(CASE WHEN n.status"
        f" IN {round_states.sql(round_states.GIVING)} THEN t.quantity - t.issued ELSE 0 END), 0)"
        " AS still FROM voucher_template t JOIN campaign_round n ON n.id = t.round_id"
        f" JOIN campaign c ON c.id = n.campaign_id WHERE {where}",
        centre_id,
        campaign_id,
    )
    used = await _used(f"JOIN campaign c ON c.id = r.campaign_id WHERE {where}", centre_id, campaign_id)
    return _figures(stock or {}, used)


async def broadcast_figures(broadcast_id: int) -> Figures:
    """Vouchers put out in a broadcast, claimed by its links, and what their use pulled."""
    stock = await database.fetch_one(
        "SELECT coalesce(sum(CASE WHEN d.state = 'planned' THEN 0 ELSE d.quantity * d.vouchers_each END), 0)"
        " AS quantity, coalesce(sum(d.claimed * d.vouchers_each), 0) AS claimed,"
        " coalesce(sum(CASE WHEN d.state = 'open'"
        " THEN (d.quantity - d.claimed) * d.vouchers_each ELSE 0 END), 0) AS still"
        " FROM voucher_drop d WHERE d.broadcast_id = $1",
        broadcast_id,
    )
    used = await _used("JOIN voucher x ON x.id = r.voucher_id WHERE x.broadcast_id = $1", broadcast_id)
    return _figures({**(stock or {}), "redeemed": used.kept}, used)


async def _used(rest: str, *args: int) -> Leverage:
    return leverage.of_row(
        await database.fetch_one(
            f"SELECT {leverage.SUMS} FROM redemption r JOIN voucher_template t ON t.id = r.template_id"
            f" {rest} AND {leverage.COUNTED}",
            *args,
        )
    )


def _figures(stock: Mapping[str, Any], used: Leverage) -> Figures:
    return Figures(
        quantity=int(stock.get("quantity", 0)),
        claimed=int(stock.get("claimed", 0)),
        redeemed=int(stock.get("redeemed", 0)),
        left=int(stock.get("still", 0)),
        pulled=used,
    )


_LINKS = "SELECT slug, platform, streamer_id, clicks, claims FROM claim_link"


def _link(row: Mapping[str, Any]) -> LinkRow:
    return LinkRow(
        slug=row["slug"],
        platform=row["platform"],
        streamer_id=row["streamer_id"] or 0,
        clicks=row["clicks"],
        claims=row["claims"],
    )


def _mine(row: Mapping[str, Any], *, now: datetime) -> Mine:
    state, until = row["state"], clock.from_ms(row["valid_until"])
    if state == VoucherState.ISSUED and now >= until:
        state = str(VoucherState.EXPIRED)
    usable = state == VoucherState.ISSUED
    public_id = row["public_id"]
    return Mine(
        id=public_id,
        name=row["name"],
        issuer_name=row["issuer_name"],
        face_fen=row["face_fen"],
        threshold_fen=row["threshold_fen"],
        state=state,
        claimed_at=clock.from_ms(row["claimed_at"]),
        valid_from=clock.from_ms(row["valid_from"]),
        valid_until=until,
        merchants_only=bool(row["merchants_only"]),
        code=codes.shown(bytes(row["code_sealed"]), voucher=public_id) if usable else "",
        qr=codes.qr(public_id, now=now) if usable else "",
        used_at=clock.from_ms_or_none(row["used_at"]),
        used_at_name=row["used_where"],
        back=None if row["back_at"] is None else _given_back(row),
    )


def _given_back(row: Mapping[str, Any]) -> GivenBack:
    return GivenBack(
        at=clock.from_ms(row["back_at"]),
        where=row["back_where"],
        cash_fen=row["cash_fen"],
        clawback_fen=row["clawback_fen"],
        fate=Fate(row["fate"]),
    )
