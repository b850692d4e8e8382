"""发件箱: nothing leaves the house, the message is read at /desk by those who may."""

from __future__ import annotations

from livehub.notices.contract import Message


class Outbox:
    """Keeps the message where it is."""

    label = "发件箱"
    readable = True

    async def deliver(self, message: Message) -> None:
        """Nothing to do: the stored message is the delivery."""


CHANNEL = Outbox()
