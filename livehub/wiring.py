"""Fact -> listeners: every arrow that points upwards, in one table."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from livehub.kit.outbox import Listener

LISTENERS: Mapping[type[Struct], Mapping[str, Listener]] = {}
