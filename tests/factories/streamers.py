"""Streamers for tests."""

from __future__ import annotations

import itertools
from datetime import date

from livehub.accounts.actors import system
from livehub.accounts.models import Centre
from streamers import ages, registry
from streamers.models import Streamer
from tests.factories.accounts import NOW

_numbers = itertools.count(1)


async def a_streamer(
    centre: Centre,
    *,
    accounts: tuple[tuple[str, str], ...] | None = None,
    phone: str = "",
    stage_name: str = "",
    born_on: date | None = date(1990, 5, 1),
) -> Streamer:
    """A streamer with one 抖店 account unless told otherwise."""
    number = next(_numbers)
    by = system("tests", centre_id=centre.id)
    streamer = await registry.create(
        stage_name or f"主播{number}",
        name=f"陈海{number}",
        phone=phone or f"139{number:08}",
        town="侨港镇",
        centre_id=centre.id,
        actor=by,
        now=NOW,
    )
    if born_on is not None:
        await ages.note(streamer.public_id, born_on=born_on, actor=by, now=NOW)
    for platform, ref in accounts if accounts is not None else (("doudian", f"70000{number}"),):
        await registry.add_account(streamer.public_id, platform=platform, account_ref=ref, actor=by, now=NOW)
    return streamer
