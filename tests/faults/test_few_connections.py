"""PostgreSQL has no connection left, and those we have wait for a lock: slower, but no ring, and the desk still opens."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from time import monotonic

import aiohttp
import asyncpg
import pytest
from msgspec.structs import replace

from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Centre, Role
from livehub.kit import clock
from livehub.settings import Settings
from tests.factories.accounts import PASSWORD, a_user
from tests.faults.alarms import alarm
from tests.faults.clusters import Cluster, a_cluster
from tests.faults.installation import Installation, founded, seconds
from tests.faults.reckoning import opened
from tests.faults.twin import buckets_of_twin

pytestmark = [pytest.mark.faults, pytest.mark.long, pytest.mark.postgres]

CONNECTIONS = 10  # of the server, three of them for superusers
FOR_SECONDS = seconds(8, long=60)
VISITORS = 20  # more than there are connections, each waiting for a page
PATIENCE_SECONDS = 4.0  # less than anybody waits for a connection


async def test_the_desk_opens_while_all_others_wait_for_a_connection(tmp_path: Path, twin: Settings) -> None:
    async with a_cluster(max_connections=str(CONNECTIONS)) as cluster:
        settings = await cluster.settings(tmp_path, user="service", pool_size=2)
        async with founded(settings) as installation:
            cookie = await a_managers_cookie(settings)
            async with installation.serve("--with-jobs") as installation.serving:
                desk = Desk(installation, cookie)
                async with installation.under_load(per_second=60, claims_per_second=20) as load:
                    before = await load.steady(3)
                    calm = await desk.looks(for_seconds=2)
                    async with no_connection_left(settings):
                        without = await desk.looks(for_seconds=FOR_SECONDS)
                        assert load.troubles == {}, "what was there is waited for, not refused"
                        await load.reaches(before, within_seconds=0)
                        async with a_page_that_waits(cluster, installation):
                            locked = await desk.looks(for_seconds=FOR_SECONDS)
                            hidden = await alarm("SessionsHidden").told(installation.serving)
                            await let_see(cluster)
                            hangs = await alarm("TransactionHangs").told(installation.serving)
                    await load.reaches(before)

                assert "500" not in load.troubles
                installation.settings = as_superuser(cluster, settings)  # who has connections left
                buckets = await installation.reckon()
    print(f"the desk's slowest: {calm:.2f} s, {without:.2f} s, {locked:.2f} s", file=sys.stderr)
    assert buckets == await buckets_of_twin(twin, installation.recorder)
    assert alarm("SessionsHidden").rings_at(hidden)
    assert hangs >= FOR_SECONDS


def as_superuser(cluster: Cluster, settings: Settings) -> Settings:
    """The same database; the last three connections are for such."""
    return replace(settings, database_url=cluster.url(settings.database.rsplit("/", 1)[1]))


async def let_see(cluster: Cluster) -> None:
    """What the handbook says where sessions are hidden; figures are kept for two seconds."""
    connection = await asyncpg.connect(cluster.url())
    await connection.execute("GRANT pg_read_all_stats TO service")
    await connection.close()
    await asyncio.sleep(2.5)


class Desk:
    """Somebody who looks what is wrong, and the machine that asks for figures."""

    PATHS = ("/desk/inbox", "/readyz", "/metrics")

    def __init__(self, installation: Installation, cookie: str) -> None:
        self._url = installation.serving.url
        self._headers = {"cookie": f"__Host-session={cookie}"}

    async def looks(self, *, for_seconds: float) -> float:
        """Every page opens each time; the longest wait."""
        until, longest = monotonic() + for_seconds, 0.0
        timeout = aiohttp.ClientTimeout(total=PATIENCE_SECONDS)
        async with aiohttp.ClientSession(self._url, headers=self._headers, timeout=timeout) as session:
            while monotonic() < until:
                for path in self.PATHS:
                    began = monotonic()
                    async with session.get(path, allow_redirects=False) as answer:
                        text = await answer.text()
                        assert answer.status == 200, (path, answer.status)
                    assert path != "/metrics" or "livehub_database_up 1.0" in text
                    longest = max(longest, monotonic() - began)
                await asyncio.sleep(0.2)
        return longest


async def a_managers_cookie(settings: Settings) -> str:
    async with opened(settings):
        user = await a_user(Grant(Role.MANAGER), centre=await Centre.get())
        token, _ = await logins.log_in(user.login, PASSWORD, ip="127.0.0.1", agent="tests", now=clock.now())
    return token


@asynccontextmanager
async def no_connection_left(settings: Settings) -> AsyncIterator[None]:
    """Another program takes whatever the server still gives."""
    async with AsyncExitStack() as stack:
        taken = 0
        while True:
            try:
                connection = await asyncpg.connect(settings.database)
            except asyncpg.TooManyConnectionsError:
                break
            stack.push_async_callback(connection.close)
            taken += 1
        print(f"{taken} connections were left", file=sys.stderr)
        yield


@asynccontextmanager
async def a_page_that_waits(cluster: Cluster, installation: Installation) -> AsyncIterator[None]:
    """Somebody alters a table in the middle of the day, and a crowd wants the pages that read it."""
    somebody = await asyncpg.connect(as_superuser(cluster, installation.settings).database)
    page = f"{installation.serving.url}/c/{installation.town.slug}/mine"
    visitors: list[asyncio.Task[int]] = []
    try:
        async with somebody.transaction():
            await somebody.execute("LOCK TABLE voucher IN ACCESS EXCLUSIVE MODE")
            visitors += [
                asyncio.create_task(_visit(page, each.cookie))
                for each in installation.town.shoppers[:VISITORS]
            ]
            await asyncio.sleep(1)
            yield
    finally:
        await somebody.close()
        answered = await asyncio.gather(*visitors)
    print(f"the crowd got {sorted(set(answered))}", file=sys.stderr)
    assert set(answered) <= {200, 503}


async def _visit(page: str, cookie: str) -> int:
    async with (
        aiohttp.ClientSession(headers={"cookie": cookie}) as session,
        session.get(page, allow_redirects=False) as answer,
    ):
        return answer.status
