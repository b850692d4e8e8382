"""Reading endpoints and shops: who may knock, and whose shop it is."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime
from typing import Any

import structlog
from msgspec import Struct

from livehub import database
from livehub.kit import clock, sealing
from livehub.kit.errors import Unavailable
from livehub.platforms.contract import Credential
from livehub.platforms.shops import SECRET_PLACE, TOKEN_PLACE

log = structlog.get_logger(__name__)

FRESH_SECONDS = 3.0  # how long a changed endpoint may still be seen as it was
PATIENCE_SECONDS = 3.0  # every webhook waits for the book: a line that is dead must not hold them up for long
ASK_AGAIN_SECONDS = 0.25  # how often strangers may make the book look again

_COLUMNS = (
    "e.id, e.centre_id, e.platform, e.endpoint_key, e.name, e.app_key, e.access_token_sealed,"
    " e.api_base_url, e.calls_per_second, e.disabled, s.id AS secret_id, s.secret_sealed, s.not_after"
)
_FROM = "FROM endpoint e JOIN endpoint_secret s ON s.endpoint_id = e.id"


class EndpointView(Struct, frozen=True, kw_only=True):
    """An endpoint with its secrets opened; never logged, never shown."""

    id: int
    centre_id: int
    platform: str
    endpoint_key: str
    name: str
    credential: Credential  # secrets newest first
    api_base_url: str
    calls_per_second: int
    disabled: bool

    def __repr__(self) -> str:
        """Without the secrets, for logs and tracebacks."""
        return f"EndpointView(id={self.id}, platform={self.platform!r})"


class ShopView(Struct, frozen=True, kw_only=True):
    """A shop as intake and pages need it."""

    id: int
    public_id: str
    centre_id: int
    bureau_id: int
    endpoint_id: int | None
    platform: str
    shop_ref: str
    name: str
    evidence_days: int
    created_at: int  # milliseconds; before that no push could tell of it


class SecretView(Struct, frozen=True):
    """When a secret came and until when it is accepted; not what it is."""

    created_at: datetime
    not_after: datetime | None


class DoorView(Struct, frozen=True, kw_only=True):
    """An endpoint as people see it: the secrets that are accepted, newest first, and its shops."""

    id: int
    platform: str
    name: str
    app_key: str
    path: str
    disabled: bool
    secrets: list[SecretView]
    shops: list[ShopView]


class EndpointBook:
    """All endpoints of this node, kept in memory for a few seconds: the hot path asks no database.

    An unknown key makes the book look again, a few times a second at most, so that a new endpoint works
    at once and strangers cost nothing.
    """

    def __init__(self) -> None:
        self._by_key: Mapping[str, EndpointView] = {}
        self._read_at = float("-inf")
        self._reading = asyncio.Lock()
        self._failure: tuple[float, Unavailable] | None = None  # when the database was last away

    async def get(self, endpoint_key: str, *, now: datetime) -> EndpointView | None:
        """The endpoint of that key, None for strangers; disabled ones are returned as such."""
        found = self._by_key.get(endpoint_key)
        patience = ASK_AGAIN_SECONDS if found is None else FRESH_SECONDS
        if time.monotonic() - self._read_at <= patience:
            return found
        async with self._reading:
            if time.monotonic() - self._read_at > patience:
                await self._read(now=now)
        return self._by_key.get(endpoint_key)

    async def _read(self, *, now: datetime) -> None:
        """Whoever waited while the database did not answer is told so at once, not made to ask in turn."""
        if self._failure is not None and time.monotonic() - self._failure[0] <= ASK_AGAIN_SECONDS:
            raise self._failure[1].with_traceback(None)
        try:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    self._by_key = {each.endpoint_key: each for each in await endpoints(now=now)}
            except TimeoutError:
                raise database.DatabaseUnavailable from None
        except Unavailable as error:
            self._failure = (time.monotonic(), error)
            raise
        self._read_at = time.monotonic()


async def endpoints(*, now: datetime) -> list[EndpointView]:
    """Every endpoint of this node with the secrets that are valid now."""
    return _views(
        await database.fetch(
            f"SELECT {_COLUMNS} {_FROM} WHERE s.not_after IS NULL OR s.not_after >= $1"
            " ORDER BY e.id, s.id DESC",
            clock.to_ms(now),
        )
    )


async def endpoint_by_key(endpoint_key: str, *, now: datetime) -> EndpointView | None:
    """The endpoint of that key, with the secrets that are valid now."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS} {_FROM} WHERE e.endpoint_key = $1 AND (s.not_after IS NULL OR s.not_after >= $2)"
        " ORDER BY s.id DESC",
        endpoint_key,
        clock.to_ms(now),
    )
    return next(iter(_views(rows)), None)


async def endpoints_by_id(numbers: Collection[int], *, now: datetime) -> dict[int, EndpointView]:
    """Endpoints by their ids, with the secrets that are valid now."""
    rows = await database.with_rows(
        {"wanted": "bigint", "now": "bigint"},
        [(number, clock.to_ms(now)) for number in sorted(set(numbers))],
        f"SELECT {_COLUMNS} {_FROM} JOIN v ON v.wanted = e.id"
        " WHERE s.not_after IS NULL OR s.not_after >= v.now ORDER BY e.id, s.id DESC",
    )
    return {each.id: each for each in _views(rows)}


async def openers(numbers: Collection[int]) -> dict[int, Credential]:
    """By the ids of endpoints, what opens deliveries that were taken in: ended secrets too, newest first."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(number,) for number in sorted(set(numbers))],
        f"SELECT {_COLUMNS} {_FROM} JOIN v ON v.wanted = e.id ORDER BY e.id, s.id DESC",
    )
    return {each.id: each.credential for each in _views(rows)}


async def shops_by_ref(pairs: Collection[tuple[str, str]]) -> dict[tuple[str, str], ShopView]:
    """Shops by (platform, shop_ref); those nobody registered are missing."""
    rows = await database.with_rows(
        {"platform": "text", "shop_ref": "text"},
        sorted(set(pairs)),
        "SELECT s.* FROM v JOIN shop s ON s.platform = v.platform AND s.shop_ref = v.shop_ref",
    )
    return {(row["platform"], row["shop_ref"]): _shop(row) for row in rows}


async def shops_by_id(numbers: Collection[int]) -> dict[int, ShopView]:
    """Shops by their ids."""
    rows = await database.with_rows(
        {"wanted": "bigint"},
        [(number,) for number in sorted(set(numbers))],
        "SELECT s.* FROM v JOIN shop s ON s.id = v.wanted",
    )
    return {row["id"]: _shop(row) for row in rows}


async def doors_of(centre_id: int, *, now: datetime) -> list[DoorView]:
    """The endpoints of a centre by platform and name."""
    rows = await database.fetch(
        f"SELECT {_COLUMNS}, s.created_at AS secret_from {_FROM}"
        " WHERE e.centre_id = $1 AND (s.not_after IS NULL OR s.not_after >= $2)"
        " ORDER BY e.platform, e.name, e.id, s.id DESC",
        centre_id,
        clock.to_ms(now),
    )
    shops = await shops_of(centre_id)
    return [
        _door(group, [shop for shop in shops if shop.endpoint_id == number])
        for number, group in _by_endpoint(rows).items()
    ]


async def shops_of(centre_id: int) -> list[ShopView]:
    """The shops of a centre by platform and name."""
    rows = await database.fetch(
        "SELECT * FROM shop WHERE centre_id = $1 ORDER BY platform, name, id", centre_id
    )
    return [_shop(row) for row in rows]


def _views(rows: Iterable[Mapping[str, Any]]) -> list[EndpointView]:
    """One view per endpoint of rows that come one per secret; one that cannot be opened spoils no other."""
    views = []
    for number, group in _by_endpoint(rows).items():
        try:
            views.append(_view(group))
        except sealing.KeyMissing:
            log.exception("endpoint.secret_cannot_be_opened", endpoint_id=number)
    return views


def _by_endpoint(rows: Iterable[Mapping[str, Any]]) -> dict[int, list[Mapping[str, Any]]]:
    grouped: dict[int, list[Mapping[str, Any]]] = {}
    for row in rows:
        grouped.setdefault(row["id"], []).append(row)
    return grouped


def _door(group: list[Mapping[str, Any]], shops: list[ShopView]) -> DoorView:
    row = group[0]
    return DoorView(
        id=row["id"],
        platform=row["platform"],
        name=row["name"],
        app_key=row["app_key"],
        path=f"/hooks/{row['platform']}/{row['endpoint_key']}",
        disabled=bool(row["disabled"]),
        secrets=[
            SecretView(clock.from_ms(each["secret_from"]), clock.from_ms_or_none(each["not_after"]))
            for each in group
        ],
        shops=shops,
    )


def _view(group: list[Mapping[str, Any]]) -> EndpointView:
    ring, row = sealing.ring(), group[0]
    token = row["access_token_sealed"]
    credential = Credential(
        app_key=row["app_key"],
        secrets=tuple(ring.open_text(bytes(each["secret_sealed"]), place=SECRET_PLACE) for each in group),
        access_token=ring.open_text(bytes(token), place=TOKEN_PLACE) if token else "",
    )
    return EndpointView(
        id=row["id"],
        centre_id=row["centre_id"],
        platform=row["platform"],
        endpoint_key=row["endpoint_key"],
        name=row["name"],
        credential=credential,
        api_base_url=row["api_base_url"],
        calls_per_second=row["calls_per_second"],
        disabled=bool(row["disabled"]),
    )


def _shop(row: Mapping[str, Any]) -> ShopView:
    return ShopView(**{name: row[name] for name in ShopView.__struct_fields__})
