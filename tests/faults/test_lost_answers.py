"""The answer is lost after the commit: who asks again gets the same answer, and nothing has happened twice."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from types import MappingProxyType
from typing import Any

import aiohttp
import msgspec
import pytest
from msgspec.structs import replace

from livehub import database
from livehub.settings import Settings
from tests.faults.load import an_order, signed
from tests.faults.recorder import Delivered
from tests.faults.town import FACE_FEN, THRESHOLD_FEN, Town, a_town
from tests.site import running

Asking = Callable[[], Any]


class Eavesdropper:
    """A proxy that hangs up, once and on both sides, as soon as ``answer`` is what comes back.

    With ``asked`` only on a line on which that was asked.
    """

    def __init__(self, port: int) -> None:
        self.answer = b""
        self.asked = b""
        self.port = 0
        self._far = port
        self._open: set[asyncio.StreamWriter] = set()

    @asynccontextmanager
    async def listening(self) -> AsyncIterator[Eavesdropper]:
        server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            for writer in list(self._open):
                writer.transport.abort()

    async def _connect(self, near: asyncio.StreamReader, back: asyncio.StreamWriter) -> None:
        far, forth = await asyncio.open_connection("127.0.0.1", self._far)
        self._open |= {back, forth}
        heard: set[bytes] = set()
        with suppress(OSError):
            await asyncio.gather(self._forth(near, forth, heard), self._back(far, back, heard))
        for writer in (back, forth):
            writer.transport.abort()
            self._open.discard(writer)

    async def _forth(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: set[bytes]
    ) -> None:
        while data := await reader.read(65536):
            if self.asked in data:
                heard.add(self.asked)
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError

    async def _back(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, heard: set[bytes]
    ) -> None:
        while data := await reader.read(65536):
            if self.answer and self.answer in data and (not self.asked or self.asked in heard):
                self.answer = b""
                raise ConnectionResetError
            writer.write(data)
            await writer.drain()
        raise ConnectionResetError


class Visit:
    """The three writes that people and platforms repeat, through whatever lies between."""

    def __init__(self, session: aiohttp.ClientSession, town: Town) -> None:
        self._session = session
        self._town = town
        self._person = town.shoppers[0]
        self._code = ""

    async def webhook(self, order: str = "o") -> tuple[int, Any]:
        body = an_order(self._town.shop_ref, order, paid_fen=500, refunded_fen=0, at_ms=1_780_000_000_000)
        what = Delivered(f"{order}-paid", order, 1_780_000_000_000, 500, 0, body)
        path = f"/hooks/standard_webhooks/{self._town.endpoint_key}"
        async with self._session.post(path, data=body.encode(), headers=signed(what, self._town)) as answer:
            return answer.status, await answer.json()

    async def claim(self) -> tuple[int, Any]:
        path, cookie = f"/c/{self._town.slug}", {"cookie": self._person.cookie}
        form = {"csrf": self._person.csrf, "key": "k"}
        async with self._session.post(
            f"{path}/claim", data=form, headers=cookie, allow_redirects=False
        ) as answer:
            if answer.status != 303:
                return answer.status, answer.headers.get("Retry-After")
        async with self._session.get(f"{path}/mine", headers=cookie) as page:
            shown = re.findall(r'data-code="([^"]+)".*?<p class="mono[^>]*>([^<]+)</p>', await page.text(), re.DOTALL)  # fmt: skip
        self._code = re.sub(r"\W", "", shown[0][1])
        return 303, [voucher for voucher, _ in shown]

    async def redeem(self) -> tuple[int, Any]:
        tap = {"code": self._code, "order_fen": THRESHOLD_FEN, "receipt_no": "R1", "phone_tail": self._person.phone_tail}  # fmt: skip
        headers = {"authorization": f"Bearer {self._town.till_token}", "idempotency-key": "r", "content-type": "application/json"}  # fmt: skip
        async with self._session.post(
            "/api/v1/redemptions", data=msgspec.json.encode(tap), headers=headers
        ) as answer:
            found = await answer.json()
            return answer.status, found.get("id")


async def lost(asking: Asking) -> int:
    """Ask once; the status, 0 when the connection broke."""
    try:
        status, _ = await asking()
    except (aiohttp.ClientError, OSError):
        return 0
    return int(status)


async def effects() -> dict[str, int]:
    rows = {}
    for table in ("inbox_delivery", "inbox_message", "voucher", "claim_slot", "redemption"):
        rows[table] = (await database.fetch(f"SELECT count(*) AS n FROM {table}"))[0]["n"]
    issued = await database.fetch("SELECT sum(issued) AS n FROM voucher_template")
    spent = await database.fetch("SELECT coalesce(sum(subsidy_fen), 0) AS n FROM redemption")
    return rows | {"issued": int(issued[0]["n"]), "spent": int(spent[0]["n"])}


DONE = {
    "webhook": {"inbox_delivery": 1, "inbox_message": 1},
    "claim": {"voucher": 1, "claim_slot": 1, "issued": 1},
    "redeem": {"redemption": 1, "spent": FACE_FEN, "inbox_message": 1},
}


async def each_once(
    visit: Visit,
    between: Eavesdropper,
    *,
    answer: bytes,
    status: int,
    asked: Mapping[str, bytes] = MappingProxyType({}),
) -> None:
    """Lose the answer of each, ask again, and compare everything that happened."""
    await visit.webhook("before")  # the endpoint is remembered now: the next question is the writing
    happened = await effects()
    for name, more in DONE.items():
        asking = getattr(visit, name)
        between.asked = asked.get(name, b"")
        between.answer = answer
        assert await lost(asking) == status
        assert between.answer == b"", "nothing was lost: this proves nothing"
        happened = {each: number + more.get(each, 0) for each, number in happened.items()}
        assert await effects() == happened
        again = [await asking() for _ in range(2)]

        assert again[0] == again[1]
        assert again[0][0] in (200, 201, 303)
        assert await effects() == happened


async def test_between_the_client_and_us(settings: Settings) -> None:
    town = await a_town(settings, people=1, stock=5)
    async with (
        running(settings) as site,
        Eavesdropper(site.url.port or 0).listening() as between,
        aiohttp.ClientSession(
            f"http://127.0.0.1:{between.port}", cookie_jar=aiohttp.DummyCookieJar()
        ) as session,  # fmt: skip
    ):
        await each_once(Visit(session, town), between, answer=b"HTTP/1.1 ", status=0)


@pytest.mark.postgres
@pytest.mark.parametrize("settings", ["postgres"], indirect=True)
async def test_between_us_and_postgresql(settings: Settings) -> None:
    town = await a_town(settings, people=1, stock=5)
    head, _, name = settings.database.rpartition("/")
    port = int(head.rsplit(":", 1)[1])
    async with Eavesdropper(port).listening() as between:
        url = f"{head.rsplit(':', 1)[0]}:{between.port}/{name}"
        async with (
            running(replace(settings, database_url=url)) as site,
            aiohttp.ClientSession(site.url, cookie_jar=aiohttp.DummyCookieJar()) as session,
        ):
            # Each batch is one statement, which commits by itself; claims and taps ask for more before it.
            await each_once(
                Visit(session, town),
                between,
                answer=b"SELECT ",
                status=503,
                asked={"claim": b"INSERT INTO claim_slot", "redeem": b"INSERT INTO redemption"},
            )
