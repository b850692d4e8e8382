"""Evidence of shows and of training: a row for each show, and for each person in each lesson."""

from __future__ import annotations

from collections.abc import AsyncIterator

from livehub import database
from livehub.kit import clock
from livehub.kit.tables import Cell
from livehub.reports import sections
from livehub.reports.forms import Ask

BROADCAST_HEAD = (
    *("broadcast", "title", "day", "room", "theme", "streamer", "stage_name"),
    *("planned_start", "planned_end", "started_at", "ended_at", "minutes"),
)
ATTENDANCE_HEAD = ("lesson", "starts_at", "cohort", "code", "person", "status", "counted")


async def broadcasts(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of broadcasts.csv."""
    rows = await database.fetch(
        f"SELECT * FROM ({sections.SHOWS}) x ORDER BY business_day, started_at, id", *sections.of_shows(ask)
    )
    yield [
        [
            row["public_id"],
            row["title"],
            clock.day_of_number(row["business_day"]),
            row["room"],
            row["theme"],
            row["streamer"],
            row["stage_name"],
            *(
                clock.from_ms_or_none(row[name])
                for name in ("planned_start_at", "planned_end_at", "started_at", "ended_at")
            ),
            int(row["minutes"]),
        ]
        for row in rows
    ]


async def attendance(ask: Ask) -> AsyncIterator[list[list[Cell]]]:
    """The rows of attendance.csv: people by their public ids, never by name."""
    rows = await database.fetch(
        f"SELECT * FROM ({sections.ATTENDANCE}) x ORDER BY starts_at, lesson, person",
        *sections.of_lessons(ask),
    )
    yield [
        [
            row["lesson"],
            clock.from_ms(row["starts_at"]),
            row["cohort"],
            row["code"],
            row["person"],
            row["status"],
            int(row["counted"]),
        ]
        for row in rows
    ]
