"""直播场次台账: each show of a period with what it sold, until the instant of the report."""

from __future__ import annotations

from livehub import database
from livehub.kit import clock
from livehub.reports import figures, labels, sections
from livehub.reports.basis import Axis
from livehub.reports.figures import Grain
from livehub.reports.forms import Ask, Figure, Report, Row, Sum, Table


async def tables(ask: Ask) -> list[Table]:
    """One row for each show, and the same by theme."""
    return [await _ledger(ask), await sections.shows(ask, name="broadcasts")]


async def _ledger(ask: Ask) -> Table:
    shows = await database.fetch(
        f"SELECT * FROM ({sections.SHOWS}) x ORDER BY business_day, started_at, id", *sections.of_shows(ask)
    )
    sold = {
        row.key: row
        for row in await figures.by(ask.scope(), Grain.BROADCAST, basis=ask.basis, limit=sections.MOST_ROWS)
    }
    made = []
    for show in shows:
        name = show["public_id"]
        row = sold.get(name) or sections.nothing(name)
        minutes = Figure(
            unit="minutes",
            basis="直播时长",
            numerator=int(show["minutes"]),
            of=Sum(file="broadcasts.csv", column="minutes", where={"broadcast": name}),
            opens=f"/desk/broadcasts/{name}",
        )
        made.append(
            Row(
                names=(
                    clock.day_of_number(show["business_day"]).isoformat(),
                    show["title"],
                    show["room"],
                    labels.THEMES.get(show["theme"], show["theme"]),
                    show["stage_name"],
                    _hm(show["planned_start_at"]),
                    _hm(show["started_at"]),
                    _hm(show["ended_at"]),
                ),
                figures=(minutes, *sections.of_row(ask, row, where={"broadcast": name}, broadcast=name)),
            )
        )
    return Table(
        name="ledger",
        title="直播场次台账",
        heads=("场次日", "场次", "直播间", "主题", "主播", "计划开播", "实际开播", "下播"),
        columns=("直播分钟", *sections.columns(ask)),
        rows=tuple(made),
        note="每场卖出的按归属算到场次，含下播后的尾单；未归属的不在本表。",
    )


def _hm(ms: int | None) -> str:
    return "" if ms is None else f"{clock.local(clock.from_ms(ms)):%m-%d %H:%M}"


REPORT = Report(
    name="broadcast_ledger",
    title="直播场次台账",
    axis=Axis.SESSION,
    proofs=("broadcasts", "sales", "messages"),
    tables=tables,
)
