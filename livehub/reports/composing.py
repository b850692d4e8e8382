"""Put a report together: its tables as they were known at an instant, by the file that describes its kind."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from livehub.kit import plugins
from livehub.kit.errors import Detail, Invalid
from livehub.reports import exports
from livehub.reports.forms import Ask, Document, Report


@cache
def registry() -> Mapping[str, Report]:
    """Every kind of report by its name."""
    return {report.name: report for report in plugins.discover(exports, "REPORT").values()}


def kind(name: str) -> Report:
    """One kind; Invalid when there is none."""
    found = registry().get(name)
    if found is None:
        raise Invalid(details=[Detail("kind", "没有这种报表", "、".join(registry()))])
    return found


async def compose(ask: Ask, report: Report) -> Document:
    """The report as it was known at its instant."""
    return Document(
        kind=report.name,
        title=report.title,
        centre=ask.centre,
        bureau=ask.bureau,
        bureau_name=ask.bureau_name,
        campaign=ask.campaign,
        since=ask.since,
        until=ask.until,
        axis=ask.axis,
        basis=ask.basis,
        as_of=ask.as_of,
        proofs=report.proofs,
        tables=tuple(await report.tables(ask)),
    )
