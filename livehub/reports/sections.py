"""Tables that several reports have: sales by a grain, the shows, the training of a period."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from livehub import database
from livehub.kit import clock, tables
from livehub.reports import figures, labels
from livehub.reports.basis import Basis
from livehub.reports.figures import Figures, Grain
from livehub.reports.forms import NONE, Ask, Figure, Row, Sum, Table

LINES = "lines.csv"
MOST_ROWS = 100_000
# A basis -> (head, field of Figures, column of lines.csv) of its amounts.
_AMOUNTS: dict[Basis, tuple[tuple[str, str, str], ...]] = {
    Basis.G1: (("支付额 G1", "g1_fen", "buyer_paid_fen"),),
    Basis.G2: (("成交额 G2", "g2_fen", "g2_fen"),),
    Basis.G3: (
        ("成交额 G2", "g2_fen", "g2_fen"),
        ("退款", "refund_fen", "refund_fen"),
        ("净成交额 G3", "g3_fen", "g3_fen"),
    ),
}
_UNITS = (("件数", "units"),)
_COUNTS = (("订单", "orders"), *_UNITS, ("待取数", "pending"))
_ADDITIVE = (Grain.THEME, Grain.PLATFORM, Grain.BROADCAST, Grain.DAY)  # an order lies in one of them


async def sales(ask: Ask, grain: Grain, *, name: str, title: str, with_none: bool = False) -> Table:
    """Sales by a grain, with their sum; ``with_none``: what has none has a row even when it is 0."""
    rows = await figures.by(ask.scope(), grain, basis=ask.basis, limit=MOST_ROWS)
    if with_none and not any(row.key == "-" for row in rows):
        rows.append(nothing("-"))
    counts = _COUNTS if grain in _ADDITIVE else _UNITS
    made = [
        Row(
            names=(labels.of(grain, row.key, row.label),),
            figures=_figures(ask, row, counts, where={str(grain): _cell(row.key)}, **{str(grain): row.key}),
        )
        for row in rows
    ]
    made.append(
        Row(
            names=("合计",),
            figures=_figures(ask, await figures.total(ask.scope()), counts, where={}),
            is_total=True,
        )
    )
    return Table(
        name=name,
        title=title,
        heads=(_HEADS[grain],),
        columns=(*(head for head, _, _ in _AMOUNTS[ask.basis]), *(head for head, _ in counts)),
        rows=tuple(made),
        note=_note(grain),
    )


_HEADS = {
    Grain.THEME: "主题",
    Grain.PLATFORM: "平台",
    Grain.TOWN: "产地乡镇",
    Grain.PRODUCT: "商品",
    Grain.BROADCAST: "场次",
    Grain.DAY: "日期",
}


def _note(grain: Grain) -> str:
    if grain in (Grain.TOWN, Grain.PRODUCT):
        return "按商品登记的产地；平台商品没有映射到登记商品的，列为不明，不摊入其他行。"
    return ""


def columns(ask: Ask) -> tuple[str, ...]:
    """The heads of ``of_row``."""
    return (*(head for head, _, _ in _AMOUNTS[ask.basis]), *(head for head, _ in _COUNTS))


def of_row(ask: Ask, row: Figures, *, where: dict[str, str], **narrowed: str) -> tuple[Figure, ...]:
    """The amounts and counts of the lines that ``where`` finds in the evidence, ``narrowed`` on pages."""
    return _figures(ask, row, _COUNTS, where=where, **narrowed)


def _figures(
    ask: Ask,
    row: Figures,
    counts: tuple[tuple[str, str], ...],
    *,
    where: dict[str, str],
    **narrowed: str,
) -> tuple[Figure, ...]:
    opens = opening(ask, **narrowed)
    wanted = [("fen", head.rpartition(" ")[2], field, column) for head, field, column in _AMOUNTS[ask.basis]]
    wanted += [("count", head, field, field) for head, field in counts]
    return tuple(
        Figure(
            unit=unit,
            basis=basis,
            numerator=getattr(row, field),
            of=Sum(file=LINES, column=column, where=where),
            opens=opens,
        )
        for unit, basis, field, column in wanted
    )


def opening(ask: Ask, **narrowed: str) -> str:
    """The address of the lines of a number."""
    known = clock.local(ask.as_of).replace(tzinfo=None).isoformat(timespec="milliseconds")
    query = {
        "from": ask.since,
        "to": ask.until,
        "basis": ask.basis,
        "axis": ask.axis,
        "as_of": known,
        "bureau": ask.bureau,
        **{name: value for name, value in narrowed.items() if value},
    }
    return f"/desk/sales/lines?{urlencode(query)}"


def _cell(key: str) -> str:
    """A key as it is written in a file of evidence."""
    return NONE if key == "-" else tables.cell(key)


def nothing(key: str) -> Figures:
    """The sums of nothing."""
    zeroes: dict[str, Any] = dict.fromkeys(Figures.__struct_fields__, 0)
    return Figures(**zeroes | {"key": key, "label": ""})


async def shows(ask: Ask, *, name: str) -> Table:
    """How many shows there were and how long they were on the air, by theme."""
    rows = await database.fetch(
        f"SELECT theme, count(*) AS shows, sum(minutes) AS minutes FROM ({SHOWS}) x"
        " GROUP BY theme ORDER BY count(*) DESC, theme",
        *of_shows(ask),
    )
    sums = [(row["theme"], int(row["shows"]), int(row["minutes"])) for row in rows]
    made = [
        Row(names=(labels.THEMES.get(theme, theme),), figures=_of_shows(number, minutes, {"theme": theme}))
        for theme, number, minutes in sums
    ]
    total = _of_shows(sum(number for _, number, _ in sums), sum(minutes for *_, minutes in sums), {})
    made.append(Row(names=("合计",), figures=total, is_total=True))
    return Table(
        name=name,
        title="直播场次",
        heads=("主题",),
        columns=("场次", "直播分钟"),
        rows=tuple(made),
        note="按场次日，即开播所属的业务日；只算已经开播的。",
    )


def _of_shows(number: int, minutes: int, where: dict[str, str]) -> tuple[Figure, ...]:
    return (
        Figure(
            unit="count",
            basis="场次",
            numerator=number,
            of=Sum(file="broadcasts.csv", where=where),
            opens="/desk/broadcasts",
        ),
        Figure(
            unit="minutes",
            basis="直播时长",
            numerator=minutes,
            of=Sum(file="broadcasts.csv", column="minutes", where=where),
            opens="/desk/broadcasts",
        ),
    )


# The shows of a period with the whole minutes of their runs that had ended: arguments of ``of_shows``.
SHOWS = (
    "SELECT b.id, b.public_id, b.title, b.business_day, b.planned_start_at, b.planned_end_at, b.started_at,"
    " b.ended_at, m.name AS room, m.theme AS theme, t.stage_name, t.public_id AS streamer,"
    " (SELECT coalesce(sum((x.ended_at - x.started_at) / 60000), 0) FROM broadcast_run x"
    "  WHERE x.broadcast_id = b.id AND x.ended_at <= $5) AS minutes"
    " FROM broadcast b JOIN room m ON m.id = b.room_id JOIN streamer t ON t.id = b.streamer_id"
    " WHERE b.centre_id = $1 AND b.bureau_id = $2 AND b.business_day >= $3 AND b.business_day < $4"
    " AND b.started_at <= $5"
)


def of_shows(ask: Ask) -> tuple[int, ...]:
    """The arguments of SHOWS."""
    since, until = clock.day_number(ask.since), clock.day_number(ask.until)
    return ask.centre_id, ask.bureau_id, since, until, ask.as_of_ms


# What was said last of each person in each lesson of a period: arguments of ``of_lessons``.
ATTENDANCE = (
    "SELECT l.public_id AS lesson, l.starts_at, c.public_id AS cohort, c.code, p.public_id AS person,"
    " a.status, CASE WHEN a.status IN ('present', 'late', 'left_early') THEN 1 ELSE 0 END AS counted"
    " FROM lesson l JOIN cohort c ON c.id = l.cohort_id JOIN programme g ON g.id = c.programme_id"
    " JOIN attendance a ON a.lesson_id = l.id JOIN enrolment e ON e.id = a.enrolment_id"
    " JOIN person p ON p.id = e.person_id WHERE g.centre_id = $1 AND g.bureau_id = $2"
    " AND l.starts_at >= $3 AND l.starts_at < $4 AND (l.cancelled_at IS NULL OR l.cancelled_at > $5)"
    " AND a.seq = (SELECT max(x.seq) FROM attendance x WHERE x.lesson_id = l.id"
    "  AND x.enrolment_id = a.enrolment_id AND x.at <= $5)"
)


def of_lessons(ask: Ask) -> tuple[int, ...]:
    """The arguments of ATTENDANCE."""
    return ask.centre_id, ask.bureau_id, ask.since_ms, ask.until_ms, ask.as_of_ms


async def training(ask: Ask, *, name: str) -> Table:
    """Person-times, persons and lessons, by class."""
    sums = (
        "coalesce(sum(counted), 0) AS times,"
        " count(DISTINCT CASE WHEN counted = 1 THEN person END) AS persons,"
        " count(DISTINCT CASE WHEN counted = 1 THEN lesson END) AS lessons"
    )
    rows = await database.fetch(
        f"SELECT cohort, max(code) AS code, {sums} FROM ({ATTENDANCE}) x GROUP BY cohort ORDER BY max(code)",
        *of_lessons(ask),
    )
    whole = await database.fetch_one(f"SELECT {sums} FROM ({ATTENDANCE}) x", *of_lessons(ask))
    assert whole is not None  # noqa: S101 -- an aggregate has one row
    made = [
        Row(names=(row["code"],), figures=_of_training(row, {"cohort": row["cohort"]}, row["cohort"]))
        for row in rows
    ]
    made.append(Row(names=("合计",), figures=_of_training(whole, {}, ""), is_total=True))
    return Table(
        name=name,
        title="培训人次",
        heads=("培训班",),
        columns=("人次", "人数", "课次"),
        rows=tuple(made),
        note="到课一次算一人次，迟到和早退也算；人数按人去重，各班之和可能大于合计。",
    )


def _of_training(row: dict[str, object], where: dict[str, str], cohort: str) -> tuple[Figure, ...]:
    there = {**where, "counted": "1"}
    opens = f"/desk/training/{cohort}" if cohort else "/desk/training"
    return tuple(
        Figure(
            unit="count",
            basis=basis,
            numerator=int(str(row[field])),
            of=Sum(file="attendance.csv", column=column, where=there),
            opens=opens,
        )
        for basis, field, column in (
            ("人次", "times", ""),
            ("人数", "persons", "distinct:person"),
            ("课次", "lessons", "distinct:lesson"),
        )
    )
