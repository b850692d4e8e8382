"""A city's rule for training as values to begin with; every programme keeps its own copy."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from msgspec import Struct

from livehub.kit import plugins
from streamers.training import presets
from streamers.training.errors import PresetUnknown
from streamers.training.rules import Bar, Terms


class Preset(Struct, frozen=True, kw_only=True):
    """One city's or country's rule."""

    name: str
    label: str
    source: str  # where it is published
    terms: Terms
    bar: Bar


@cache
def every() -> Mapping[str, Preset]:
    """All presets by name."""
    return {each.name: each for each in plugins.discover(presets, "PRESET").values()}


def get(name: str) -> Preset:
    """One preset; PresetUnknown when there is none of that name."""
    found = every().get(name)
    if found is None:
        raise PresetUnknown
    return found
