"""Every figure is documented, and dashboards and alarms ask only for figures that exist."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import msgspec
import pytest
import yaml
from prometheus_client import REGISTRY

from livehub.web import depths
from tests.architecture.tree import ROOT, doc, import_all

SERIES = re.compile(r"\blivehub_[a-z0-9_]+")
SELECTOR = re.compile(r"\b(livehub_[a-z0-9_]+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'([a-z_]+)\s*(?:=~|!~|!=|=)\s*"')
GROUPED = re.compile(r"\bby\s*\(([^)]*)\)")
LEGEND = re.compile(r"\{\{\s*(?:\$labels\.)?([a-z_]+)\s*\}\}")
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
OF_PROMETHEUS = {"instance", "job", "le"}


@cache
def figures() -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    """Figure as it is documented -> its series, its labels."""
    import_all()
    found: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {}
    for collector in set(REGISTRY._names_to_collectors.values()):
        name, kind = getattr(collector, "_name", ""), getattr(collector, "_type", "")
        if name.startswith("livehub_"):
            series = tuple(name + suffix for suffix in SUFFIXES[kind])
            shown = series[0] if kind == "counter" else name
            found[shown] = (series, tuple(collector._labelnames))  # type: ignore[attr-defined]  # of prometheus-client's figures
    for name, (_, labels) in depths.FIGURES.items():
        found[name] = ((name,), labels)
    return found


def labels_of(series: str) -> tuple[str, ...] | None:
    return next((labels for names, labels in figures().values() if series in names), None)


def alarms() -> list[dict[str, Any]]:
    written = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))
    return [rule for group in written["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    return msgspec.json.decode((ROOT / "deploy" / "grafana" / "livehub.json").read_bytes())


def expressions() -> list[tuple[str, str, str]]:
    """(where it stands, the expression, the texts that name its labels)."""
    of_alarms = [(each["alert"], each["expr"], str(each["annotations"])) for each in alarms()]
    panels = [
        (panel["title"], target) for panel in dashboard()["panels"] for target in panel.get("targets", [])
    ]
    return of_alarms + [(title, target["expr"], target["legendFormat"]) for title, target in panels]


@pytest.mark.parametrize(("where", "expression", "text"), expressions())
def test_an_expression_asks_for_what_exists(where: str, expression: str, text: str) -> None:
    asked = SELECTOR.findall(expression)
    known = {label for series, _ in asked for label in labels_of(series) or ()} | OF_PROMETHEUS

    assert [series for series, _ in asked if labels_of(series) is None] == []
    for series, matchers in asked:
        assert set(MATCHER.findall(matchers)) <= set(labels_of(series) or ()) | OF_PROMETHEUS
    for group in GROUPED.findall(expression):
        assert {label.strip() for label in group.split(",")} <= known
    assert set(LEGEND.findall(text)) <= known
    assert expression.count("(") == expression.count(")")


def test_every_figure_is_on_the_dashboard() -> None:
    asked = {
        series
        for panel in dashboard()["panels"]
        for t in panel.get("targets", [])
        for series in SERIES.findall(t["expr"])
    }

    assert [name for name, (series, _) in figures().items() if not asked & set(series)] == []


def test_the_dashboard_has_its_rows_and_no_panel_lies_over_another() -> None:
    panels = dashboard()["panels"]
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        place = panel["gridPos"]
        cells = {(place["x"] + dx, place["y"] + dy) for dx in range(place["w"]) for dy in range(place["h"])}
        assert not cells & taken, panel["title"]
        taken |= cells

    rows = [panel["title"] for panel in panels if panel["type"] == "row"]
    assert rows == ["Health", "Sales path", "Voucher path", "Jobs", "Database"]
    assert max(x for x, _ in taken) < 24
    assert len({panel["id"] for panel in panels}) == len(panels)


def test_every_alarm_says_how_grave_it_is_and_what_to_do() -> None:
    text = doc("operations.md")

    for alarm in alarms():
        assert alarm["labels"]["severity"] in {"page", "ticket"}
        assert alarm["annotations"]["summary"]
        assert re.search(rf"^\| `{alarm['alert']}` \|", text, re.MULTILINE), alarm["alert"]
    described = re.findall(r"^\| `([A-Z][A-Za-z]+)` \|", text, re.MULTILINE)
    assert sorted(described) == sorted(alarm["alert"] for alarm in alarms())


def test_every_figure_is_described_with_its_labels() -> None:
    described = dict(
        re.findall(r"^\| `(livehub_[a-z0-9_]+)` \|([^|]*)\|", doc("operations.md"), re.MULTILINE)
    )

    assert {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in described.items()} == {
        name: labels for name, (_, labels) in figures().items()
    }
