"""A webhook's secret is rotated by the command while the site runs: both until the end, then the new one only."""

from __future__ import annotations

from datetime import timedelta

import pytest
import time_machine

from livehub.kit import clock
from livehub.settings import Settings
from tests.platforms.doors import DOORS
from tests.site import running
from tests.web.senders import Sender, a_sender
from tests.web.test_key_rotation import livehub

NEW = "whsec_" + "D" * 42 + "E="
STANDARD = next(each for each in DOORS if each.name == "standard_webhooks")


async def answers(sender: Sender, *, old: str) -> dict[str, int]:
    """How a push is answered that is signed with the old secret, and one with the new."""
    sender.site.app.ctx.endpoints._read_at = float("-inf")  # what takes three seconds otherwise
    body = sender.door.body
    return {
        name: await sender.send(body, sender.signed(body, secret=secret))
        for name, secret in (("old", old), ("new", NEW))
    }


@pytest.mark.parametrize("command", ["until", "end-old-secrets"])
async def test_the_command_rotates_beside_a_running_site(db: Settings, command: str) -> None:
    async with running(db) as site:
        sender = await a_sender(site, STANDARD)
        end = clock.now() + (timedelta(minutes=2) if command == "until" else timedelta(days=1))
        door = ("standard_webhooks", "--endpoint", sender.endpoint.endpoint_key)

        told = await livehub(db, "shop", "rotate-secret", *door, "--secret", NEW, "--until", end.isoformat())

        assert (
            told.out == f"the new secret is accepted; older ones end at {end.isoformat(timespec='seconds')}\n"
        )
        assert await answers(sender, old=STANDARD.credential.secrets[0]) == {"old": 200, "new": 200}
        if command == "until":
            with time_machine.travel(end + timedelta(seconds=1), tick=True):
                assert await answers(sender, old=STANDARD.credential.secrets[0]) == {"old": 401, "new": 200}
        else:
            assert (await livehub(db, "shop", "end-old-secrets", *door)).status == 0
            assert await answers(sender, old=STANDARD.credential.secrets[0]) == {"old": 401, "new": 200}


async def test_an_end_without_its_offset_is_refused(db: Settings) -> None:
    told = await livehub(
        db, "shop", "rotate-secret", "doudian", "--secret", "x", "--until", "2026-12-01T08:00"
    )

    assert (told.status, "is not a time with its offset" in told.err) == (2, True)
