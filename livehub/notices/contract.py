"""What a channel has to be: one file in ``channels/`` with the attribute CHANNEL."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct


class Message(Struct, frozen=True):
    """What is handed to a channel, opened; it must not end in a log."""

    kind: str
    recipient: str
    body: str

    def __repr__(self) -> str:
        return f"Message(kind={self.kind!r})"


class NotDelivered(Exception):
    """The channel could not pass the message on now; it is tried again. The text names no person."""


class Channel(Protocol):
    """A way to reach somebody."""

    label: str  # in Chinese, for lists
    readable: bool  # whether 发件箱 opens the bodies, because there is no other way to read them

    async def deliver(self, message: Message) -> None:
        """Pass the message on; NotDelivered when it has to be tried again."""
