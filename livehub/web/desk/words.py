"""The Chinese names of stable codes, read from the templates that own them, for files that are no pages."""

from __future__ import annotations

from typing import Any

from livehub.web.rendering import environment


def state(kind: str, value: object) -> str:
    """What a state is called."""
    return str(_names().state_name(kind, value))


def platform(code: str) -> str:
    """What a platform is called."""
    return str(_names().platform(code))


def reason(code: str) -> str:
    """Why a message is parked."""
    return str(_names().reason(code))


def attribution(code: str) -> str:
    """How a line found its broadcast."""
    return str(_names().attribution(code))


def theme(code: str) -> str:
    """What a theme is called."""
    return str(_names().theme(code))


def term(code: str) -> str:
    """What a step of the bridge is called."""
    return str(_names().term(code))


def difference(code: str) -> str:
    """What does not agree."""
    return str(_names().difference(code))


def category(code: str) -> str:
    """What a category of persons is called."""
    return str(_names().category(code))


def _names() -> Any:
    return environment().get_template("parts/chips.html").module
