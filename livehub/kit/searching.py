"""A part of a name that somebody types, as a pattern that matches it literally."""

from __future__ import annotations


def like(text: str) -> str:
    """A pattern for ``lower(column) LIKE … ESCAPE '!'`` of texts that contain this one, '' for any."""
    plain = text.strip().lower()
    for letter in "!%_":
        plain = plain.replace(letter, f"!{letter}")
    return f"%{plain}%" if plain else ""
