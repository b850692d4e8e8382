"""The rules of deploy/prometheus/alerts.yml, asked of a running installation as Prometheus would."""

from __future__ import annotations

import math
import operator
import re

import aiohttp
import yaml
from msgspec import Struct
from prometheus_client.parser import text_string_to_metric_families

from tests.conftest import ROOT
from tests.faults.processes import Serving

_RULE = re.compile(
    r"(?P<by>max|min|sum)(?: by \(\w+\))? ?\((?P<figure>\w+)(?:\{(?P<label>\w+)=\"(?P<value>[^\"]*)\"\})?\)"
    r" (?P<sign>>|<|==) (?P<bound>[\d *]+)"
)
_SIGNS = {">": operator.gt, "<": operator.lt, "==": operator.eq}
_AGGREGATES = {"max": max, "min": min, "sum": sum}


class Alarm(Struct, frozen=True):
    """A rule that compares the greatest, the least or the sum of one figure with a bound."""

    by: str
    figure: str
    labels: dict[str, str]
    sign: str
    bound: float

    async def told(self, serving: Serving) -> float:
        """What the rule would compare now."""
        async with aiohttp.ClientSession() as session, session.get(f"{serving.url}/metrics") as answer:
            families = text_string_to_metric_families(await answer.text())
        values = [
            sample.value
            for family in families
            for sample in family.samples
            if sample.name == self.figure and self.labels.items() <= sample.labels.items()
        ]
        assert values, f"{self.figure} is not told"
        return float(_AGGREGATES[self.by](values))

    def rings_at(self, value: float) -> bool:
        """Whether the rule holds for a figure; it must go on to hold for the time it says."""
        return bool(_SIGNS[self.sign](value, self.bound))


def alarm(name: str) -> Alarm:
    """The rule of that name, which must be as simple as we can read."""
    written = yaml.safe_load((ROOT / "deploy" / "prometheus" / "alerts.yml").read_text("utf-8"))
    (rule,) = [rule for group in written["groups"] for rule in group["rules"] if rule["alert"] == name]
    found = _RULE.fullmatch(rule["expr"].strip())
    assert found is not None, rule["expr"]
    labels = {found["label"]: found["value"]} if found["label"] else {}
    bound = math.prod(float(each) for each in found["bound"].split("*"))
    return Alarm(found["by"], found["figure"], labels, found["sign"], bound)
