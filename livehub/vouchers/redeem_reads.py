"""What is there before a tap is decided: one question for a batch, by index, whatever the tables' size."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.database.rows import each_row
from livehub.kit import clock
from livehub.vouchers import answers, failed_codes, holdings
from livehub.vouchers.answers import Answer
from livehub.vouchers.holdings import Holding
from livehub.vouchers.models import Account, RedemptionState
from livehub.vouchers.redeem_rows import LIVE
from livehub.vouchers.taps import Tap

WITHOUT_RECEIPT = timedelta(minutes=10)  # one voucher per person and shop stands for one per order

_ASKED = {
    "i": "int",
    "key": "text",
    "voucher": "text",
    "code": "bytea",
    "merchant": "bigint",
    "store": "bigint",
    "store_ref": "text",
    "receipt_no": "text",
    "recent_since": "bigint",
    "today_since": "bigint",
    "failed_by": "text",
    "failed_since": "bigint",
}
# A person has a few redemptions, a merchant has all of its own: every other condition is put so that no
# index but the person's knows it, or PostgreSQL may plan to walk one that was nearly empty when it looked.
_USES = (
    "(SELECT coalesce(max(r.nth), 0) || ','"
    f" || coalesce(sum(CASE WHEN r.at > v.recent_since AND r.state IN {LIVE} THEN 1 ELSE 0 END), 0) || ','"
    f" || coalesce(sum(CASE WHEN r.at >= v.today_since AND r.state <> '{RedemptionState.VOIDED}'"
    " THEN 1 ELSE 0 END), 0)"
    " FROM redemption r WHERE r.claimant_id = x.claimant_id AND r.merchant_id + 0 = v.merchant AND r.nth > 0)"
)
# The store that was chosen; where there is one only, that one.
_STORE = (
    "(SELECT CASE WHEN count(*) = 1 THEN max(y.id)"
    " ELSE max(CASE WHEN y.public_id = v.store_ref THEN y.id END) END"
    " FROM store y WHERE y.merchant_id = v.merchant)"
)
_FAILED = "coalesce((SELECT w.count FROM rate_window w WHERE w.key = {} AND w.starts_at = v.failed_since), 0)"
_QUESTION = (
    f"SELECT v.i, {holdings.COLUMNS}, a.body_hash, a.answer, m.status AS merchant,"
    " m.public_id AS merchant_ref, m.centre_id AS merchant_centre_id, e.status AS enrolment,"
    " s.id AS store_id, o.id AS shop_id, k.id AS payable_id,"
    f" {_FAILED.format('v.failed_by')} AS failed_by,"
    f" {_FAILED.format(failed_codes.AT_STORE.format('s.id'))} AS failed_at,"
    " CASE WHEN v.receipt_no = '' THEN 0 ELSE (SELECT count(*) FROM redemption r"
    " WHERE r.platform = 'offline' AND r.shop_id = o.id AND r.order_no = v.receipt_no"
    f" AND r.state IN {LIVE}) END AS stacked,"
    f" {_USES} AS uses"
    f" FROM v LEFT JOIN idempotency_record a ON a.id = {answers.FOUND.format(kind='redeem')}"
    " LEFT JOIN merchant m ON m.id = v.merchant"
    f" LEFT JOIN store s ON s.id = CASE WHEN v.store > 0 THEN v.store ELSE {_STORE} END"
    " AND s.merchant_id + 0 = v.merchant"
    " LEFT JOIN shop o ON o.platform = 'offline' AND o.shop_ref = m.public_id"
    " LEFT JOIN voucher x ON x.id = coalesce((SELECT y.id FROM voucher y WHERE y.public_id = v.voucher),"
    f" (SELECT y.id FROM voucher y WHERE y.code_index = v.code)) {holdings.JOINED}"
    " LEFT JOIN merchant_enrolment e ON e.campaign_id = x.campaign_id AND e.merchant_id = v.merchant"
    f" LEFT JOIN ledger_account k ON k.campaign_id = x.campaign_id AND k.kind = '{Account.PAYABLE}'"
    " AND k.round_id = 0 AND k.merchant_id = v.merchant"
)


class Seen(Struct, frozen=True, kw_only=True):
    """What was there before the batch."""

    holding: Holding | None  # None: there is no such voucher
    answer: Answer | None
    merchant: str  # status; '' when there is no such merchant
    merchant_ref: str
    merchant_centre_id: int
    enrolment: str  # status; '' when it is not enrolled
    store_id: int  # 0 when the merchant has no such store
    shop_id: int
    payable_id: int
    failed_by: int
    failed_at: int
    stacked: int  # live redemptions of the same receipt
    uses: int  # of this person at this merchant, ever
    recent: int
    today: int


async def read(taps: Sequence[Tap], *, in_transaction: bool = False) -> list[Seen]:
    """One answer for each tap, in order; ``in_transaction``: in the current one instead of by itself."""
    rows = await database.with_rows(_ASKED, _asked(taps), _QUESTION, by_index=not in_transaction)
    found = {row["i"]: row for row in rows}
    return [_seen(found[i]) for i in range(len(taps))]


def read_at_once(connection: sqlite3.Connection, taps: Sequence[Tap]) -> list[Seen]:
    """The same for SQLite, in the transaction that also writes."""
    question = each_row(_QUESTION, tuple(_ASKED))
    cursor = connection.cursor()
    cursor.row_factory = None  # plain tuples: a name of sqlite3.Row is searched for each time
    rows = [cursor.execute(question, asked).fetchone() for asked in _asked(taps)]
    names = [each[0] for each in cursor.description]
    return [_seen(dict(zip(names, row, strict=True))) for row in rows]


def _asked(taps: Sequence[Tap]) -> list[tuple[Any, ...]]:
    return [
        (
            i,
            tap.key,
            tap.reading.voucher,
            tap.reading.index,
            tap.merchant_id,
            tap.store_id,
            tap.store_ref,
            tap.receipt_no,
            clock.to_ms(tap.now - WITHOUT_RECEIPT),
            _day_begins(tap.now.replace(minute=0, second=0, microsecond=0)),
            failed_codes.of_cashier(tap.who),
            failed_codes.window(tap.now),
        )
        for i, tap in enumerate(taps)
    ]


@lru_cache(maxsize=64)
def _day_begins(hour: datetime) -> int:
    """When the day of an hour began in Shanghai, in ms: the question of a time zone is a dear one."""
    return clock.to_ms(clock.at_local(clock.local_day(hour)))


def _seen(row: Mapping[str, Any]) -> Seen:
    uses, recent, today = row["uses"].split(",")
    return Seen(
        holding=holdings.of_row(row) if row["id"] is not None else None,
        answer=Answer(bytes(row["body_hash"]), row["answer"]) if row["answer"] is not None else None,
        merchant=row["merchant"] or "",
        merchant_ref=row["merchant_ref"] or "",
        merchant_centre_id=row["merchant_centre_id"] or 0,
        enrolment=row["enrolment"] or "",
        store_id=row["store_id"] or 0,
        shop_id=row["shop_id"] or 0,
        payable_id=row["payable_id"] or 0,
        failed_by=row["failed_by"],
        failed_at=row["failed_at"],
        stacked=row["stacked"],
        uses=int(uses),
        recent=int(recent),
        today=int(today),
    )
