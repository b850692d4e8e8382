"""Fixtures: a migrated database of its own for each test, on both engines where PostgreSQL is there."""

from __future__ import annotations

import asyncio
import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest
import structlog
from tortoise.backends.base.executor import EXECUTOR_CACHE

from livehub import process
from livehub.database.migrate import migrate
from livehub.settings import Settings
from tests import quick
from tests.factories.orders import World, a_world

if TYPE_CHECKING:
    from tests.site import Site

POSTGRES = os.environ.get("LIVEHUB_TEST_POSTGRES", "").rstrip("/")
REQUIRED = os.environ.get("LIVEHUB_TEST_REQUIRE_POSTGRES", "") == "1"
KEYS = "test:dGVzdC1rZXktb2YtZXhhY3RseS0zMi1ieXRlcyEhISE="
LEFT_OUT = "needs LIVEHUB_TEST_POSTGRES"
ROOT = Path(__file__).resolve().parent.parent

structlog.configure(  # short tracebacks: the long ones take a quarter of a second each
    processors=[
        structlog.processors.add_log_level,
        structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
    ]
)


def pytest_configure() -> None:
    if REQUIRED and not POSTGRES:
        raise pytest.UsageError("LIVEHUB_TEST_POSTGRES is not set, and leaving tests out is not allowed here")
    quick.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    _one_engine_after_the_other(items)
    if POSTGRES:
        return
    for item in items:
        if item.get_closest_marker("postgres"):
            item.add_marker(pytest.mark.skip(reason=LEFT_OUT))


def _one_engine_after_the_other(items: list[pytest.Item]) -> None:
    """Within a module, since models are prepared for one engine at a time (quick.py)."""
    modules: dict[Path, int] = {}
    items.sort(
        key=lambda item: (
            modules.setdefault(item.path, len(modules)),
            item.get_closest_marker("postgres") is not None,
        )
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    missing = [
        report for report in terminalreporter.stats.get("skipped", []) if LEFT_OUT in report.longreprtext
    ]
    if missing:
        terminalreporter.section("left out: these need PostgreSQL (set LIVEHUB_TEST_POSTGRES)")
        for report in missing:
            terminalreporter.line(report.nodeid)


def left_out(why: str) -> BaseException:
    """To be raised by a test that the machine does not allow: a failure where tests must not be left out."""
    if REQUIRED:
        return pytest.fail.Exception(f"{why}, and leaving tests out is not allowed here")
    return pytest.skip.Exception(why)


def _schema_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted((ROOT / "livehub" / "migrations").glob("*.py")):
        digest.update(path.name.encode())  # what was applied is kept by its name
        digest.update(path.read_bytes())
    digest.update((ROOT / "livehub" / "database" / "operations.py").read_bytes())
    return digest.hexdigest()[:12]


@pytest.fixture(scope="session")
def sqlite_template() -> Path:
    """A migrated SQLite file that tests copy; kept between runs for as long as the migrations are the same."""
    path = Path(tempfile.gettempdir()) / f"livehub-test-{_schema_hash()}.db"
    if not path.exists():
        with tempfile.TemporaryDirectory() as folder:
            draft = Path(folder) / "draft.db"
            asyncio.run(migrate(Settings(database_url=f"sqlite://{draft}", keys=KEYS)))
            staged = path.with_suffix(f".{uuid.uuid4().hex}")
            shutil.copy(draft, staged)
            staged.rename(path)
    return path


class Server:
    """The PostgreSQL server behind one connection, for tests that run no loop of their own yet."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._connection = self._runner.run(asyncpg.connect(POSTGRES))
        self.template = f"livehub_test_{_schema_hash()}"
        self._runner.run(self._ensure_template())

    def run(self, statement: str) -> None:
        self._runner.run(self._connection.execute(statement))

    def close(self) -> None:
        self._runner.run(self._connection.close())
        self._runner.close()

    async def _ensure_template(self) -> None:
        await self._connection.execute("SELECT pg_advisory_lock(7105)")  # two runs may start at once
        try:
            if not await self._connection.fetchval(
                "SELECT 1 FROM pg_database WHERE datname = $1", self.template
            ):
                draft = f"{self.template}_draft"
                await self._connection.execute(f'DROP DATABASE IF EXISTS "{draft}"')
                await self._connection.execute(f'CREATE DATABASE "{draft}"')
                await migrate(Settings(database_url=database_url(draft), keys=KEYS))
                await self._connection.execute(f'ALTER DATABASE "{draft}" RENAME TO "{self.template}"')
        finally:
            await self._connection.execute("SELECT pg_advisory_unlock(7105)")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Server]:
    """The server, with a migrated database that tests copy."""
    server = Server()
    yield server
    server.close()


def database_url(database: str) -> str:
    return f"{POSTGRES.rsplit('/', 1)[0]}/{database}"


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Settings]:
    """Settings of a fresh, migrated database, once per engine."""
    EXECUTOR_CACHE.clear()  # Tortoise keeps one engine's SQL by the connection's name
    if request.param == "sqlite":
        file = tmp_path / "livehub.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), file)
        yield Settings(data_dir=tmp_path, database_url=f"sqlite://{file}", keys=KEYS, port=0)
        return
    name = f"livehub_{uuid.uuid4().hex[:12]}"
    server: Server = request.getfixturevalue("postgres")
    server.run(f'CREATE DATABASE "{name}" TEMPLATE "{server.template}"')
    yield Settings(data_dir=tmp_path, database_url=database_url(name), keys=KEYS, port=0)
    server.run(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
async def db(settings: Settings) -> AsyncIterator[Settings]:
    """An open database; the settings come back for tests that start processes."""
    await process.start(settings)
    yield settings
    await process.stop()


@pytest.fixture
async def client(db: Settings) -> AsyncIterator[Site]:
    """The whole web application over real HTTP, on the same database as ``db``; see tests/site.py."""
    from tests.site import running  # noqa: PLC0415 -- most tests need no web application

    async with running(db) as site:
        yield site


@pytest.fixture
async def world(db: Settings) -> World:
    """A centre with one shop, and facts told straight into its inbox."""
    return await a_world()
