"""One town for all that only look at it: seeded once per engine, and asked a few thousand things."""

from __future__ import annotations

import shutil
import uuid
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio

from livehub import process
from livehub.settings import Settings
from tests.conftest import KEYS, database_url
from tests.site import running
from tests.web.tenancy.town import Town, a_town


@pytest.fixture(scope="module", params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def town_settings(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Settings]:
    """What ``settings`` of tests/conftest.py is to one test, for a whole module."""
    folder = tmp_path_factory.mktemp("town")
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("sqlite_template"), folder / "livehub.db")
        yield Settings(data_dir=folder, database_url=f"sqlite://{folder}/livehub.db", keys=KEYS, port=0)
        return
    name, server = f"livehub_{uuid.uuid4().hex[:12]}", request.getfixturevalue("postgres")
    server.run(f'CREATE DATABASE "{name}" TEMPLATE "{server.template}"')
    yield Settings(data_dir=folder, database_url=database_url(name), keys=KEYS, port=0)
    server.run(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(town_settings: Settings) -> AsyncIterator[Town]:
    async with running(town_settings) as site, a_town(site) as made:
        yield made
    await process.stop()
