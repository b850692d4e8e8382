"""The disk is full: 503 and nothing half written, and it goes on by itself when there is room again."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.settings import Settings
from tests.factories.accounts import a_bureau
from tests.factories.platforms import an_endpoint
from tests.faults.test_database_away import signed
from tests.site import running

NO_LIMIT = 2**31


@pytest.mark.parametrize("settings", ["sqlite"], indirect=True)
async def test_a_full_sqlite_file_is_refused_and_resumed(settings: Settings) -> None:
    async with running(settings) as site:
        endpoint = await an_endpoint(await a_bureau())

        async def push(number: int) -> tuple[int, bool]:
            body = b'["%d' % number + b"x" * 200_000  # broken, and so kept whole
            path = f"/hooks/doudian/{endpoint.endpoint_key}"
            async with site.post(path, data=body, headers=signed(body, endpoint)) as answer:
                return answer.status, int(answer.headers.get("Retry-After", 0)) > 0

        async def allow(pages: int) -> None:
            async with database.transaction():
                await database.fetch(f"PRAGMA max_page_count = {pages}")

        pages = (await database.fetch("PRAGMA page_count"))[0]["page_count"]
        await allow(pages + 200)
        answers = [await push(number) for number in range(12)]
        async with site.get("/readyz") as still:
            assert still.status == 200
        await allow(NO_LIMIT)
        later = [await push(number) for number in range(12, 15)]

        stored = answers.count((200, False))
        assert 0 < stored < 12
        assert answers == [(200, False)] * stored + [(503, True)] * (12 - stored)
        assert later == [(200, False)] * 3
        assert await database.fetch("SELECT count(*) AS n FROM inbox_delivery") == [{"n": stored + 3}]
        assert await database.fetch("PRAGMA integrity_check") == [{"integrity_check": "ok"}]
