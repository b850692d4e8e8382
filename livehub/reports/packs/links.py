"""The audit chain in a pack: no link missing, each with an entry follows from the one before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from livehub.accounts import chain
from livehub.reports import forms

SIGNED = "report.signed"
# Where the payload of an entry has its action and its detail.
_ACTION, _DETAIL = 7, 13


class Tables(Protocol):
    """A pack as this check reads it."""

    def has(self, name: str) -> bool:
        """Whether it holds a file."""

    def records(self, name: str) -> Iterator[dict[str, str]]:
        """The rows of a table."""


def check(pack: Tables, name: str, content: bytes) -> Iterator[str]:
    """What is wrong with the chain; of a signed report also that its signing is in it, with its hash."""
    if not pack.has(name):
        if pack.has("signature.json"):
            yield f"{name} is missing"
        return
    before, expected, signed = b"", 0, list[str]()
    for row in pack.records(name):
        seq, found = int(row["seq"]), bytes.fromhex(row["hash"])
        if expected and seq != expected:
            yield f"link {expected} is missing"
            return
        if row["payload"]:
            payload = row["payload"].encode()
            if chain.follow(before or chain.GENESIS, payload) != found:
                yield f"link {seq} does not follow from the one before and its entry"
            entry = msgspec.json.decode(payload)
            if entry[_ACTION] == SIGNED:
                signed.append(_sha256(entry))
        before, expected = found, seq + 1
    if pack.has("signature.json") and forms.digest(content).hex() not in signed:
        yield "the chain does not say that this report was signed"


def _sha256(entry: list[Any]) -> str:
    return str(msgspec.json.decode(entry[_DETAIL]).get("sha256", ""))
