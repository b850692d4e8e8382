"""What was acknowledged, noted in a file of its own before the sender goes on: nobody else is believed."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec
from msgspec import Struct


class Delivered(Struct, frozen=True, tag="delivery"):
    """A delivery that was answered with 2xx, and how its order stands with it."""

    id: str
    order: str
    updated_ms: int
    paid_fen: int
    refunded_fen: int
    body: str
    voucher: str = ""  # whose code the buyer entered


class Claimed(Struct, frozen=True, tag="claim"):
    """A claim that was answered: ``outcome`` is given, or the code of a refusal."""

    key: str
    person: int
    outcome: str


class Held(Struct, frozen=True, tag="voucher"):
    """The voucher that somebody was shown as hers."""

    person: int
    voucher: str


class Redeemed(Struct, frozen=True, tag="redemption"):
    """A redemption that was answered with success."""

    key: str
    id: str
    voucher: str
    subsidy_fen: int


Acknowledged = Delivered | Claimed | Held | Redeemed

_LINE = msgspec.json.Decoder(Acknowledged)


class Recorder:
    """An append-only file: what ``note`` returned from is on the disk."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._file = path.open("ab", buffering=0)

    def note(self, what: Acknowledged) -> None:
        """Write it down for good."""
        self._file.write(msgspec.json.encode(what) + b"\n")
        os.fdatasync(self._file.fileno())

    def close(self) -> None:
        self._file.close()

    def deliveries(self) -> dict[str, Delivered]:
        """By id; a delivery that was sent again stands once."""
        return {each.id: each for each in self._read() if isinstance(each, Delivered)}

    def orders(self) -> dict[str, Delivered]:
        """Each order as its newest acknowledged delivery has it."""
        newest: dict[str, Delivered] = {}
        for each in self.deliveries().values():
            if each.order not in newest or newest[each.order].updated_ms < each.updated_ms:
                newest[each.order] = each
        return newest

    def claims(self) -> list[Claimed]:
        return [each for each in self._read() if isinstance(each, Claimed)]

    def vouchers(self) -> list[Held]:
        return [each for each in self._read() if isinstance(each, Held)]

    def redemptions(self) -> list[Redeemed]:
        return [each for each in self._read() if isinstance(each, Redeemed)]

    def _read(self) -> Iterator[Acknowledged]:
        with self.path.open("rb") as lines:
            for line in lines:
                yield _LINE.decode(line)
