"""Where statements and books do not agree: it opens and closes by itself; somebody explains what stays."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.kit.states import WrongState
from livehub.orders.statements import matching
from livehub.orders.statements.matching import Matched, Stored
from livehub.orders.statements.models import DifferenceState

DIFFERS, TWICE, OVER = "differs", "twice", "over"
SHORTEST_REASON, LONGEST_REASON = 2, 200
CHUNK = 500


class Verdict(Struct, frozen=True, kw_only=True):
    """How one order line, or one row that is not matched, fails to agree."""

    kind: str
    net_fen: int
    settled_fen: int


Subject = tuple[int, int, str]  # (row of a statement, order, line): 0 and '' where it is about the other


async def explain(difference_id: int, *, reason: str, actor: Actor, now: datetime) -> None:
    """Say why something does not agree; WrongState when it does by now, or somebody said it already."""
    require(actor, Permission.STATEMENT_IMPORT)
    if not 0 < difference_id < 2**63:
        raise NotFound
    text = reason.strip()
    if not SHORTEST_REASON <= len(text) <= LONGEST_REASON:
        expected = f"{SHORTEST_REASON} 至 {LONGEST_REASON} 个字"
        raise Invalid(details=[Detail("reason", f"请填写{expected}", expected)])

    async def say() -> None:
        said = await database.fetch_one(
            "UPDATE settlement_difference SET state = $1, reason = $2, explained_by = $3, explained_at = $4"
            " WHERE id = $5 AND centre_id = $6 AND state = $7 RETURNING kind, net_fen, settled_fen",
            str(DifferenceState.EXPLAINED),
            text,
            actor.name,
            clock.to_ms(now),
            difference_id,
            actor.centre_id,
            str(DifferenceState.OPEN),
        )
        if said is None:
            known = await database.fetch_one(
                "SELECT 1 AS one FROM settlement_difference WHERE id = $1 AND centre_id = $2",
                difference_id,
                actor.centre_id,
            )
            raise WrongState if known else NotFound
        await audit.write(
            "difference.explained",
            actor=actor,
            now=now,
            about=("difference", str(difference_id)),
            detail={"kind": said["kind"], "fen": said["settled_fen"] - said["net_fen"], "reason": text},
        )

    await database.unit(say)


async def settle(rows: Collection[Stored], *, now: datetime) -> int:
    """Match rows, and judge the order lines they concern; in the current transaction.

    Returns how many rows are matched.
    """
    wanted = sorted(rows, key=lambda row: row.id)
    matched = await matching.mark(wanted, now=now)
    await _keep(_of_rows(wanted, matched), now=now)
    await judge(matched.order_ids, now=now)
    return len(wanted) - len(matched.unmatched)


async def judge(order_ids: Iterable[int], *, now: datetime) -> None:
    """Say anew of every settled line of orders whether it agrees; in the current transaction."""
    numbers = [(each,) for each in sorted(set(order_ids))]
    marks = await database.with_rows(
        {"id": "bigint"},
        numbers,
        "SELECT m.order_id AS order_id, m.line_ref AS line_ref, m.fen AS fen, m.statement_id AS statement_id,"
        " o.centre_id AS centre_id, o.shop_id AS shop_id, o.contribution AS contribution"
        " FROM v JOIN settled_mark m ON m.order_id = v.id JOIN sales_order o ON o.id = m.order_id"
        " ORDER BY m.id",
    )
    by_line: dict[Subject, list[dict[str, Any]]] = defaultdict(list)
    for row in marks:
        by_line[0, row["order_id"], row["line_ref"]].append(row)
    found: dict[Subject, tuple[_Place, Verdict | None]] = {}
    for subject, rows in by_line.items():
        sold = matching.sold_of(rows[0]["contribution"])
        verdict = _verdict(sold.get(subject[2], 0), [row["fen"] for row in rows])
        found[subject] = (_Place(rows[0]["centre_id"], rows[0]["shop_id"], rows[-1]["statement_id"]), verdict)
    await _keep(found, now=now)


class _Place(Struct, frozen=True):
    centre_id: int
    shop_id: int
    statement_id: int


def _verdict(net: int, settled: list[int]) -> Verdict | None:
    """None when it agrees. More than is due is *twice* where the same amount came more than once."""
    total = sum(settled)
    if total == net:
        return None
    again = any(count > 1 and fen > 0 for fen, count in Counter(settled).items())
    kind = DIFFERS if total < net else TWICE if again else OVER
    return Verdict(kind=kind, net_fen=net, settled_fen=total)


def _of_rows(rows: Iterable[Stored], matched: Matched) -> dict[Subject, tuple[_Place, Verdict | None]]:
    found: dict[Subject, tuple[_Place, Verdict | None]] = {}
    for row in rows:
        kind, _ = matched.unmatched.get(row.id, ("", 0))
        verdict = Verdict(kind=kind, net_fen=0, settled_fen=row.sales_fen) if kind else None
        found[row.id, 0, ""] = (_Place(row.centre_id, row.shop_id, row.statement_id), verdict)
    return found


async def _keep(found: Mapping[Subject, tuple[_Place, Verdict | None]], *, now: datetime) -> None:
    """Leave what is as it was, close what is not any more, open what is new."""
    live = await _live(found)
    ended = [
        (live[subject]["id"],)
        for subject, (_, verdict) in found.items()
        if subject in live and not _same(live[subject], verdict)
    ]
    at = clock.to_ms(now)
    await database.write_rows(
        {"id": "bigint"},
        ended,
        f"UPDATE settlement_difference SET state = '{DifferenceState.CLOSED}', closed_at = {at}"
        " FROM v WHERE settlement_difference.id = v.id",
    )
    new = [
        (place.centre_id, place.shop_id, place.statement_id, verdict.kind, *subject, verdict.net_fen,
         verdict.settled_fen, str(DifferenceState.OPEN), at, "", "")
        for subject, (place, verdict) in sorted(found.items())
        if verdict is not None and not (subject in live and _same(live[subject], verdict))
    ]  # fmt: skip
    await database.with_rows(_DIFFERENCE, new, _INSERT)


async def _live(subjects: Iterable[Subject]) -> dict[Subject, dict[str, Any]]:
    wanted = sorted(subjects)
    rows = await database.with_rows(
        {"row_id": "bigint", "order_id": "bigint", "line_ref": "text"},
        [each for each in wanted if each[0]],
        f"SELECT {_LIVE} FROM v JOIN settlement_difference d ON d.statement_line_id = v.row_id"
        " WHERE d.state <> 'closed' AND d.statement_line_id > 0",
    )
    rows += await database.with_rows(
        {"row_id": "bigint", "order_id": "bigint", "line_ref": "text"},
        [each for each in wanted if each[1]],
        f"SELECT {_LIVE} FROM v JOIN settlement_difference d ON d.order_id = v.order_id"
        " AND d.line_ref = v.line_ref WHERE d.state <> 'closed' AND d.order_id > 0",
    )
    return {(row["row_id"], row["order_id"], row["line_ref"]): row for row in rows}


def _same(live: Mapping[str, Any], verdict: Verdict | None) -> bool:
    return verdict is not None and (verdict.kind, verdict.net_fen, verdict.settled_fen) == (
        live["kind"],
        live["net_fen"],
        live["settled_fen"],
    )


_LIVE = (
    "d.id AS id, d.statement_line_id AS row_id, d.order_id AS order_id, d.line_ref AS line_ref,"
    " d.kind AS kind, d.net_fen AS net_fen, d.settled_fen AS settled_fen"
)
_DIFFERENCE = {
    "centre_id": "bigint",
    "shop_id": "bigint",
    "statement_id": "bigint",
    "kind": "text",
    "statement_line_id": "bigint",
    "order_id": "bigint",
    "line_ref": "text",
    "net_fen": "bigint",
    "settled_fen": "bigint",
    "state": "text",
    "opened_at": "bigint",
    "reason": "text",
    "explained_by": "text",
}
_INSERT = (
    f"INSERT INTO settlement_difference ({', '.join(_DIFFERENCE)}) SELECT {', '.join(_DIFFERENCE)} FROM v"
    " WHERE true ON CONFLICT DO NOTHING"
)


async def look_again(*, since: datetime, now: datetime) -> int:
    """Match what was not, and judge what changed since; returns how many rows and orders were looked at."""
    return await _match_again(since=since, now=now) + await _judge_again(since=since, now=now)


async def _match_again(*, since: datetime, now: datetime) -> int:
    looked, last = 0, 0
    while rows := await database.fetch(
        f"SELECT {STORED}, d.id AS difference_id FROM settlement_difference d"
        " JOIN statement_line l ON l.id = d.statement_line_id"
        " WHERE d.state <> 'closed' AND d.statement_line_id > 0 AND d.id > $1"
        " AND EXISTS (SELECT 1 FROM sales_order o WHERE o.shop_id = l.shop_id AND o.order_ref = l.order_ref"
        f" AND o.changed_at >= $2) ORDER BY d.id LIMIT {CHUNK}",
        last,
        clock.to_ms(since),
    ):
        last = rows[-1]["difference_id"]
        await database.unit(partial(settle, [stored(row) for row in rows], now=now))
        looked += len(rows)
    return looked


async def _judge_again(*, since: datetime, now: datetime) -> int:
    looked, last = 0, 0
    while orders := await database.fetch(
        "SELECT o.id AS id, o.shop_id AS shop_id, o.order_ref AS order_ref FROM sales_order o"
        " WHERE o.changed_at >= $1 AND o.id > $2"
        f" AND EXISTS (SELECT 1 FROM settled_mark m WHERE m.order_id = o.id) ORDER BY o.id LIMIT {CHUNK}",
        clock.to_ms(since),
        last,
    ):
        last = orders[-1]["id"]
        keys = [(row["shop_id"], row["order_ref"]) for row in orders]
        await database.unit(partial(_judge_locked, keys, now=now))
        looked += len(orders)
    return looked


async def _judge_locked(keys: Collection[tuple[int, str]], *, now: datetime) -> None:
    locked = await matching.lock_of(keys)
    await judge((order_id for order_id, _ in locked.values()), now=now)


STORED = (
    "l.id AS id, l.centre_id AS centre_id, l.shop_id AS shop_id, l.statement_id AS statement_id,"
    " l.order_ref AS order_ref, l.line_ref AS line_ref, l.sales_fen AS sales_fen"
)


def stored(row: Mapping[str, Any]) -> Stored:
    """The row of a statement, of a row of STORED."""
    return Stored(**{name: row[name] for name in Stored.__struct_fields__})
