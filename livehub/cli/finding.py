"""What an operator names: centres, bureaus, merchants and endpoints by name or public id, and instants."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import click

from livehub.accounts import users
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau, Centre
from livehub.kit import clock
from livehub.merchants.models import Merchant
from livehub.platforms.models import Endpoint


class _Instant(click.ParamType[datetime]):
    name = "instant"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read an ISO 8601 date and time that says its offset."""
        try:
            found = datetime.fromisoformat(value)
        except ValueError:
            found = None
        if found is None or found.tzinfo is None:
            self.fail(f"{value!r} is not a time with its offset, such as 2026-12-01T08:00+08:00", param, ctx)
        return found.astimezone(UTC)


INSTANT = _Instant()


async def centre(name: str, *, city: str = "", actor: Actor) -> Centre:
    """The centre of that name, or the only one; with ``city`` it is made where there is none."""
    if city:
        if not name:
            raise click.UsageError("--city needs --centre: the new centre's name")
        known = await Centre.get_or_none(name=name)
        return known or await users.create_centre(name, city=city, actor=actor, now=clock.now())
    if name:
        named: Centre = await _named(Centre, name, what="centre")
        return named
    every = await Centre.all().limit(2)
    if len(every) == 1:
        return every[0]
    if every:
        raise click.UsageError("there are several centres: say which with --centre")
    raise click.UsageError("there is no centre yet: make one with create-user --centre NAME --city CITY")


async def bureau(name: str) -> Bureau:
    """The bureau of that name."""
    named: Bureau = await _named(Bureau, name, what="bureau")
    return named


async def bureau_id(name: str, *, kind: str = "", within: Centre, actor: Actor) -> int:
    """The id of a centre's bureau, 0 when none was named; with ``kind`` it is made where there is none."""
    if not name:
        return 0
    known = await Bureau.get_or_none(name=name, centre_id=within.id)
    if known is None and kind:
        known = await users.create_bureau(name, kind=kind, centre_id=within.id, actor=actor, now=clock.now())
    return int((known or await bureau(name)).id)


async def merchant_id(name: str, *, within: Centre) -> int:
    """The id of a centre's merchant, 0 when none was named."""
    if not name:
        return 0
    known = await Merchant.get_or_none(name=name, centre_id=within.id)
    return int((known or await _named(Merchant, name, what="merchant")).id)


async def endpoint(platform: str, key: str, *, centre_id: int) -> Endpoint:
    """The endpoint of that key, or the centre's only one on the platform."""
    if key:
        known = await Endpoint.get_or_none(endpoint_key=key, platform=platform, centre_id=centre_id)
        if known is None:
            raise click.UsageError(f"no endpoint of {platform} with the key {key!r}")
        return known
    every = await Endpoint.filter(platform=platform, centre_id=centre_id).limit(2)
    if len(every) != 1:
        count = "several endpoints" if every else "no endpoint yet"
        raise click.UsageError(f"{platform} has {count}: give --endpoint KEY, or --app-key for a new one")
    return every[0]


async def _named(model: Any, text: str, *, what: str) -> Any:
    by_id = await model.get_or_none(public_id=text)
    if by_id is not None:
        return by_id
    named: Sequence[Any] = await model.filter(name=text).limit(2)
    if len(named) == 1:
        return named[0]
    if named:
        raise click.UsageError(f"several {what}s are called {text!r}: give its id")
    known = ", ".join(f"{each.name} ({each.public_id})" for each in await model.all().limit(10))
    raise click.UsageError(f"no {what} {text!r}; there are: {known or 'none'}")
