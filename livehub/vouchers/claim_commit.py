"""Write a batch that was decided by what was last seen: one statement, which first asks if it still holds.

The rows that decide are locked in their fixed order and judged as they then are: terms unchanged, enough
left. A wait for a lock shows the locked row anew and nothing else, so every condition stands on a locked row
or on a unique index. Where one fails, nothing is written.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from operator import itemgetter
from typing import Any, NamedTuple

import asyncpg
import msgspec
from msgspec import Struct
from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.database.rows import arrays, unnest
from livehub.kit import limits
from livehub.vouchers import claim_networks, claim_rows, hot, places
from livehub.vouchers.claim_deciding import Settling
from livehub.vouchers.claim_view import DROP_TERMS, View

COLUMNS = {**claim_rows.COLUMNS, **claim_rows.AUDITED}
STEPS = (claim_rows.AUDIT, *claim_rows.STEPS)
# Alike for all who claim by one link: sent once, not with each row.
_SHARED = {
    name: COLUMNS[name]
    for name in (
        "template_id",
        "campaign_id",
        "round_id",
        "platform",
        "link_id",
        "drop_id",
        "offer_id",
        "counted_link",
        "counted_drop",
        "broadcast_id",
        "streamer_id",
        "state",
        "face_fen",
        "unissued_id",
        "held_id",
        "body_hash",
        "centre_id",
        "bureau_id",
        "detail",
    )
}
_OWN = {name: kind for name, kind in COLUMNS.items() if name not in _SHARED}
_GIVEN = {**_OWN, "nth": "int"}
_KINDS = {"nth": "int", **_SHARED}
_own_of, _shared_of = itemgetter(*_OWN), itemgetter(*_SHARED)

_TEMPLATES = {"id": "bigint", "seen": "text", "n": "int", "is_short": "int"}
_DROPS = _TEMPLATES
_LINKS = {"id": "bigint", "n": "int", "is_short": "int"}
_WINDOWS = {"key": "text", "starts_at": "bigint", "n": "int", "most": "int"}
_KEYS = {"key": "text"}
_ASKED = {"wt": _TEMPLATES, "wd": _DROPS, "wl": _LINKS, "ww": _WINDOWS, "wk": _KEYS}

# To refuse somebody for want of stock is right only if the batch leaves none. Whoever is refused at all must
# not have an answer to her key, and a network without a window must not get one: such rows cannot be locked,
# but whoever made one while this waited for the template has moved ``issued``.
_OK = (
    " t AS MATERIALIZED (SELECT t.id, t.quantity, t.issued, {terms} AS seen{templates}"
    " WHERE t.id {of_wt} ORDER BY t.id{lock_t}),"
    " d AS MATERIALIZED (SELECT d.id, d.quantity, d.claimed, {drop_terms} AS seen FROM voucher_drop d"
    " WHERE d.id {of_wd} AND (SELECT count(*) FROM t) >= 0 ORDER BY d.id{lock_d}),"
    " l AS MATERIALIZED (SELECT l.id, l.quota, l.claims FROM claim_link l"
    " WHERE l.id {of_wl} AND (SELECT count(*) FROM d) >= 0 ORDER BY l.id{lock_l}),"
    " w AS MATERIALIZED (SELECT w.key, w.count FROM rate_window w"
    " WHERE w.id {of_ww} AND (SELECT count(*) FROM l) >= 0 ORDER BY w.key{lock_w}),"
    " ok AS MATERIALIZED (SELECT"
    " NOT EXISTS (SELECT 1 FROM wt LEFT JOIN t ON t.id = wt.id WHERE (t.seen = wt.seen"
    " AND t.issued + wt.n <= t.quantity AND (wt.is_short = 0 OR t.issued + wt.n = t.quantity)"
    " AND (t.issued = (SELECT s.issued FROM voucher_template s WHERE s.id = wt.id)"
    " OR (NOT EXISTS (SELECT 1 FROM wk)"
    " AND NOT EXISTS (SELECT 1 FROM ww LEFT JOIN w ON w.key = ww.key WHERE w.key IS NULL)))) IS NOT TRUE)"
    " AND NOT EXISTS (SELECT 1 FROM wd LEFT JOIN d ON d.id = wd.id WHERE (d.seen = wd.seen"
    " AND d.claimed + wd.n <= d.quantity AND (wd.is_short = 0 OR d.claimed + wd.n = d.quantity)) IS NOT TRUE)"
    " AND NOT EXISTS (SELECT 1 FROM wl LEFT JOIN l ON l.id = wl.id WHERE"
    " ((l.quota = 0 OR l.claims + wl.n <= l.quota)"
    " AND (wl.is_short = 0 OR l.claims + wl.n = l.quota)) IS NOT TRUE)"
    " AND NOT EXISTS (SELECT 1 FROM ww LEFT JOIN w ON w.key = ww.key"
    " WHERE coalesce(w.count, 0) + ww.n > ww.most)"
    " AND NOT EXISTS (SELECT 1 FROM wk WHERE (SELECT a.id FROM idempotency_record a"
    " WHERE a.kind = 'claim' AND a.key = wk.key) IS NOT NULL)"
    " AS is_so)"
)
# Rows are found one by one: an IN or a JOIN may be planned as a walk over a table that was small when asked.
_FOUND = {
    "of_wt": "SELECT id FROM wt",
    "of_wd": "SELECT id FROM wd",
    "of_wl": "SELECT id FROM wl",
    "of_ww": "SELECT (SELECT x.id FROM rate_window x WHERE x.key = ww.key AND x.starts_at = ww.starts_at)"
    " FROM ww",
}
_FRESH = (
    " SELECT 'ok' AS kind, '' AS name, 0 AS id, CASE WHEN is_so THEN 1 ELSE 0 END AS number FROM ok"
    " UNION ALL SELECT 'template', '', id, quantity - issued FROM t"
    " UNION ALL SELECT 'drop', '', id, quantity - claimed FROM d"
    " UNION ALL SELECT 'link', '', id, claims FROM l"
    " UNION ALL SELECT 'window', key, 0, count FROM w"
)
_WINDOW = (
    "INSERT INTO rate_window (key, starts_at, count) {values}"
    " ON CONFLICT (key, starts_at) DO UPDATE SET count = rate_window.count + excluded.count"
)


class Asked(Struct, frozen=True):
    """What a batch rests on, as rows of the five tables of _ASKED; keys are those of who was refused."""

    templates: list[tuple[int, str, int, int]]
    drops: list[tuple[int, str, int, int]]
    links: list[tuple[int, int, int]]
    windows: list[tuple[str, int, int, int]]
    keys: list[tuple[str]]

    @property
    def tables(self) -> Sequence[Sequence[Sequence[Any]]]:
        """In the order of _ASKED."""
        return self.templates, self.drops, self.links, self.windows, self.keys


class Fresh(NamedTuple):
    """One number as it was under lock, before the batch."""

    kind: str
    name: str
    id: int
    number: int


async def commit(settling: Settling, view: View, *, now: datetime) -> bool:
    """Write the batch and say so, or write nothing: it does not hold, or somebody was here before.

    The view is brought up to what the batch left.
    """
    asked = _asked(settling, view, now=now)
    try:
        fresh = await _write(asked, settling.rows)
    except IntegrityError as error:
        if _is_taken(error):
            return False
        raise
    is_so = any(each.kind == "ok" and each.number for each in fresh)
    if is_so:
        _remember(fresh, asked, settling, view)
    return is_so


def _asked(settling: Settling, view: View, *, now: datetime) -> Asked:
    given, short = settling.given, settling.short
    start = limits.start_of(claim_networks.LIMIT.seconds, now)
    return Asked(
        templates=[
            (share.template_id, share.seen, given["offer", of] * share.n, int(("offer", of) in short))
            for of, stock in sorted(settling.stocks.items())
            for share in stock.shares
        ],
        drops=[
            (of, view.drops[of].seen, given["drop", of], int(("drop", of) in short))
            for of in sorted({each.drop_id for each in settling.stocked if each.drop_id})
        ],
        links=[
            (of, given["link", of], int(("link", of) in short))
            for of in sorted({each.link_id for each in settling.stocked})
        ],
        windows=[
            (key, start, n, claim_networks.LIMIT.most) for key, n in sorted(settling.newly_by_network.items())
        ],
        keys=[(key,) for key in settling.refused_keys],
    )


async def _write(asked: Asked, rows: Sequence[dict[str, Any]]) -> list[Fresh]:
    if database.dialect() == "sqlite":
        return await database.commit_work(lambda connection: _write_at_once(connection, asked, rows))
    values = [
        *(
            each
            for columns, table in zip(_ASKED.values(), asked.tables, strict=True)
            for each in arrays(columns, table)
        ),
        *_given(rows),
    ]
    return [Fresh(**row) for row in await database.commit_statement(_STATEMENT, *values)]


def _given(rows: Sequence[dict[str, Any]]) -> list[Any]:
    """The rows as parameters: what is their own, with the number of what they share, which is sent once."""
    kinds: dict[tuple[Any, ...], int] = {}
    own = [(*_own_of(row), kinds.setdefault(_shared_of(row), len(kinds))) for row in rows]
    return [*arrays(_GIVEN, own), *arrays(_KINDS, [(nth, *shared) for shared, nth in kinds.items()])]


def _postgres() -> str:
    parts, first = [], 1
    for name, columns in {**_ASKED, "given": _GIVEN, "kinds": _KINDS}.items():
        parts.append(f"{name}({', '.join(columns)}) AS (SELECT * FROM {unnest(columns, first=first)})")
        first += len(columns)
    ok = _ok(
        {name: f"= ANY(ARRAY({each}))" for name, each in _FOUND.items()},
        lock_t=" FOR UPDATE OF t FOR SHARE OF r, c",
        lock_d=" FOR UPDATE OF d",
        lock_l=" FOR UPDATE OF l",
        lock_w=" FOR UPDATE OF w",
    )
    window = _WINDOW.format(
        values="SELECT ww.key, ww.starts_at, ww.n FROM ww, ok WHERE ok.is_so ORDER BY ww.key"
    )
    steps = hot.ctes(STEPS, held={"voucher_template", "voucher_drop", "claim_link"})
    return (
        f"WITH {', '.join(parts)},{ok}, v AS MATERIALIZED (SELECT {', '.join(COLUMNS)}"
        " FROM given JOIN kinds USING (nth), ok WHERE ok.is_so)"
        f"{steps}, windows AS ({window}){_FRESH}"
    )


def _sqlite() -> str:
    parts = [
        f"{name}({', '.join(columns)}) AS (SELECT "
        + ", ".join(f"json_extract(value, '$[{i}]')" for i in range(len(columns)))
        + f" FROM json_each(?{place}))"
        for place, (name, columns) in enumerate(_ASKED.items(), start=1)
    ]
    ok = _ok(
        {name: f"IN ({each})" for name, each in _FOUND.items()}, lock_t="", lock_d="", lock_l="", lock_w=""
    )
    return f"WITH {', '.join(parts)},{ok}{_FRESH}"


def _ok(found: Mapping[str, str], **locks: str) -> str:
    return _OK.format(terms=places.TERMS, templates=places.TEMPLATES, drop_terms=DROP_TERMS, **found, **locks)


_STATEMENT = _postgres()
_QUESTION = _sqlite()


def _write_at_once(
    connection: sqlite3.Connection, asked: Asked, rows: Sequence[dict[str, Any]]
) -> list[Fresh]:
    """The same for SQLite, where nobody else writes meanwhile: ask, then write."""
    question = [msgspec.json.encode(table).decode() for table in asked.tables]
    fresh = [Fresh(*row) for row in connection.execute(_QUESTION, question).fetchall()]
    if rows and fresh[0].number:
        hot.write(connection, rows, STEPS)
        connection.executemany(
            _WINDOW.format(values="VALUES (?, ?, ?)"), [window[:3] for window in asked.windows]
        )
    return fresh


def _remember(fresh: Sequence[Fresh], asked: Asked, settling: Settling, view: View) -> None:
    before = {(each.kind, each.name, each.id): each.number for each in fresh}
    view.remember_left(
        {
            of: min(before["template", "", share.template_id] // share.n for share in stock.shares)
            - settling.given["offer", of]
            for of, stock in settling.stocks.items()
        },
        {of: before["drop", "", of] - n for of, _, n, _ in asked.drops},
    )
    view.links |= {of: before["link", "", of] + n for of, n, _ in asked.links}
    view.networks |= {
        (key, start): before.get(("window", key, 0), 0) + n for key, start, n, _ in asked.windows
    }


def _is_taken(error: IntegrityError) -> bool:
    """Whether somebody else wrote a row that may be there once only."""
    cause = error.args[0]
    if isinstance(cause, sqlite3.IntegrityError):
        return cause.sqlite_errorcode in (
            sqlite3.SQLITE_CONSTRAINT_UNIQUE,
            sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY,
        )
    return isinstance(cause, asyncpg.UniqueViolationError)
