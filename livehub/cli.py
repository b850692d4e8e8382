"""The commands of an operator: ``livehub COMMAND --help`` has an example for each.

Errors are one line on standard error. Exit code 2: the command or a setting is wrong; 1: it failed.
"""

from __future__ import annotations

import asyncio
import importlib
import inspect
import sqlite3
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import asyncpg
import click
import uvloop
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TimeElapsedColumn
from tortoise.exceptions import BaseORMException

from livehub import process, supervisor
from livehub import settings as knobs
from livehub.accounts import tokens, users
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.models import Bureau, Centre, Role
from livehub.database import backup as backups
from livehub.database.migrate import MigrationFailed, migrate
from livehub.inbox import recorded
from livehub.inbox.receiving import ReceiveDesk
from livehub.kit import clock, invariants, logging
from livehub.kit.errors import LivehubError
from livehub.merchants.models import Merchant
from livehub.orders import rollup
from livehub.platforms import shops
from livehub.platforms.models import Endpoint
from livehub.settings import Settings

T = TypeVar("T")

WITH_INVARIANTS = (
    "livehub.accounts",
    "livehub.merchants",
    "livehub.platforms",
    "livehub.notices",
    "streamers",
    "rooms",
    "livehub.inbox",
    "livehub.orders",
    "livehub.vouchers",
    "livehub.reports",
)
AT_ONCE = 64  # recorded deliveries on their way at a time

_screen = Console(stderr=True)


class Failed(click.ClickException):
    """The command could not do its work."""

    exit_code = 1


def main() -> None:
    """Run a command; what goes wrong is told in one line."""
    try:
        status = cli.main(prog_name="livehub", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        _fail("given up", status=1)
    except knobs.BadSetting as error:
        _fail(str(error), status=2)
    except LivehubError as error:
        _fail("; ".join([str(error), *(f"{each.field}: {each.reason}" for each in error.details)]), status=1)
    except (MigrationFailed, backups.BackupFailed) as error:
        _fail(str(error), status=1)
    except (asyncpg.PostgresError, sqlite3.Error, BaseORMException, OSError) as error:
        _fail(f"{type(error).__name__}: {error}", status=1)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(text: str, *, status: int) -> NoReturn:
    sys.stderr.write(f"livehub: {text}\n")
    sys.exit(status)


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="livehub")
def cli() -> None:
    """Run a live-commerce promotion centre. Settings come from LIVEHUB_* variables (docs/settings.md)."""


def example(text: str) -> str:
    """The end of a command's help."""
    return f"\b\nExample:\n  {text}"


@cli.command(epilog=example("livehub serve --workers 2 --with-jobs"))
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Web processes.")
@click.option("--with-jobs", is_flag=True, help="Start and keep the jobs process too.")
@click.option("--no-migrate", is_flag=True, help="Leave the schema as it is.")
def serve(*, workers: int, with_jobs: bool, no_migrate: bool) -> None:
    """Serve the web application until SIGTERM, restarting whatever dies."""
    settings = knobs.load()
    if workers > 1 and settings.is_sqlite:
        raise click.UsageError(
            f"SQLite has one writer, so it gets one web worker; --workers {workers} needs PostgreSQL"
            " (set LIVEHUB_DATABASE_URL)"
        )
    logging.install(style=settings.log_format, level=settings.log_level, process="supervisor")
    try:
        asyncio.run(
            supervisor.serve(
                settings,
                workers=workers,
                with_jobs=with_jobs,
                migrates=not no_migrate,
                ready=lambda port: click.echo(f"livehub: http://{settings.host}:{port}"),
            )
        )
    except OSError as error:
        raise Failed(
            f"cannot listen on {settings.host}:{settings.port}: {error.strerror or error}"
        ) from error


@cli.command("migrate", epilog=example("livehub migrate"))
def migrate_database() -> None:
    """Bring the database to the newest schema; a SQLite file is copied first."""
    settings = _quiet_settings()
    with _spinning("migrating"):
        count = asyncio.run(migrate(settings, say=lambda step: _screen.print(step, highlight=False)))
    click.echo(f"{count} migrations applied" if count else "the schema is current")


@cli.command("create-user", epilog=example("livehub create-user lihua --name 李华 --role manager"))
@click.argument("login")
@click.option("--name", required=True, help="As shown on pages.")
@click.option("--role", type=click.Choice([str(role) for role in Role]), required=True)
@click.option("--centre", "centre_name", default="", help="Name or id; not needed where there is one only.")
@click.option(
    "--city", default="", help="Makes the centre named by --centre where there is none of that name."
)
@click.option("--bureau", "bureau_name", default="", help="Name or id, for the role bureau.")
@click.option(
    "--bureau-kind",
    type=click.Choice(users.BUREAU_KINDS),
    help="Makes the bureau named by --bureau where there is none of that name.",
)
@click.option("--merchant", "merchant_name", default="", help="Name or id, for the role merchant.")
@click.password_option(help="Asked for when left out, which keeps it out of the shell's history.")
def create_user(
    *,
    login: str,
    name: str,
    role: str,
    centre_name: str,
    city: str,
    bureau_name: str,
    bureau_kind: str | None,
    merchant_name: str,
    password: str,
) -> None:
    """Make somebody an account with one role."""

    async def work(actor: Actor) -> str:
        centre = await _centre(centre_name, city=city, actor=actor)
        bureau_id = await _bureau(bureau_name, kind=bureau_kind or "", centre=centre, actor=actor)
        merchant_id = await _merchant(merchant_name, centre=centre)
        user = await users.create_user(
            login,
            password,
            name=name,
            centre_id=centre.id,
            actor=actor,
            now=clock.now(),
            grants=[Grant(Role(role), bureau_id, merchant_id)],
        )
        return f"{user.login} ({role}) may log in at the centre {centre.name}"

    click.echo(_working(work))


@cli.group()
def token() -> None:
    """Keys of other systems."""


@token.command("create", epilog=example("livehub token create 市政门户 --role auditor --days 365"))
@click.argument("name")
@click.option("--role", type=click.Choice([str(role) for role in Role]), required=True)
@click.option("--centre", "centre_name", default="", help="Name or id; not needed where there is one only.")
@click.option("--bureau", "bureau_name", default="", help="Name or id, for the role bureau.")
@click.option("--merchant", "merchant_name", default="", help="Name or id, for the role merchant.")
@click.option("--days", type=click.IntRange(1, 3650), help="How long it is valid; for ever when left out.")
def create_token(
    *, name: str, role: str, centre_name: str, bureau_name: str, merchant_name: str, days: int | None
) -> None:
    """Make an API token; it is printed once and stored as a hash."""

    async def work(actor: Actor) -> str:
        centre = await _centre(centre_name, city="", actor=actor)
        now = clock.now()
        grant = Grant(
            Role(role),
            await _bureau(bureau_name, kind="", centre=centre, actor=actor),
            await _merchant(merchant_name, centre=centre),
        )
        plain, _ = await tokens.create(
            name,
            grant,
            actor=actor,
            now=now,
            expires_at=now + timedelta(days=days) if days else None,
            centre_id=centre.id,
        )
        return plain

    click.echo(_working(work))


@cli.group()
def shop() -> None:
    """Shops on platforms."""


@shop.command(
    "add",
    epilog=example(
        "livehub shop add doudian 4463798 --name 侨港海味 --bureau 商务局 --app-key 7053 --secret …"
    ),
)
@click.argument("platform")
@click.argument("shop_ref")
@click.option("--name", required=True, help="As shown on pages.")
@click.option("--bureau", "bureau_name", required=True, help="Name or id: whose its unattributed sales are.")
@click.option("--endpoint", "endpoint_key", default="", help="Key of an endpoint that is there already.")
@click.option("--app-key", default="", help="Makes a new endpoint with this app key.")
@click.option("--secret", default="", help="The new endpoint's secret; asked for when left out.")
@click.option("--access-token", default="", help="The new endpoint's token for the platform's API.")
@click.option("--api-url", default="", help="Where the new endpoint's platform answers questions.")
def add_shop(
    *,
    platform: str,
    shop_ref: str,
    name: str,
    bureau_name: str,
    endpoint_key: str,
    app_key: str,
    secret: str,
    access_token: str,
    api_url: str,
) -> None:
    """Register a shop and print the path its platform pushes to.

    Messages that were parked because the shop was unknown come back by themselves.
    """
    if endpoint_key and app_key:
        raise click.UsageError(
            "--endpoint names one that is there, --app-key makes a new one: give one of them"
        )
    if app_key and not secret:
        secret = click.prompt("Secret", hide_input=True)

    async def work(actor: Actor) -> str:
        bureau = await _named(Bureau, bureau_name, what="bureau")
        now = clock.now()
        if app_key:
            endpoint = await shops.add_endpoint(
                bureau.centre_id,
                platform=platform,
                name=name,
                app_key=app_key,
                secret=secret,
                access_token=access_token,
                api_base_url=api_url,
                actor=actor,
                now=now,
            )
        else:
            endpoint = await _endpoint(platform, endpoint_key, centre_id=bureau.centre_id)
        await shops.add_shop(
            bureau.id, endpoint_id=endpoint.id, shop_ref=shop_ref, name=name, actor=actor, now=now
        )
        return f"/hooks/{endpoint.platform}/{endpoint.endpoint_key}"

    click.echo(_working(work))


@cli.command(epilog=example("livehub replay deliveries.jsonl"))
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def replay(*, file: Path) -> None:
    """Take recorded deliveries once more, one JSON object a line, the way pushes go.

    A line has endpoint, headers, body (or body_base64) and optionally received_at, at which the
    signature's age is judged. Duplicates change nothing. Exit code 1 when a line was refused.
    """
    settings = _quiet_settings()
    with file.open("rb") as lines:
        fates = _working(lambda _: _replay(settings, lines, size=file.stat().st_size), settings=settings)
    for fate, numbers in sorted(fates.items()):
        where = f" (lines {', '.join(map(str, numbers[:10]))}{' …' if len(numbers) > 10 else ''})"
        click.echo(f"{fate}: {len(numbers)}{where if fate in recorded.REFUSED else ''}")
    if recorded.REFUSED & fates.keys():
        sys.exit(1)


async def _replay(settings: Settings, lines: Any, *, size: int) -> dict[recorded.Fate, list[int]]:
    desk = ReceiveDesk(settings)
    desk.start()
    fates: dict[recorded.Fate, list[int]] = {}
    try:
        with _progress() as progress:
            bar = progress.add_task("replaying", total=size)
            for numbered in _groups(lines, AT_ONCE):
                answers = await asyncio.gather(
                    *(recorded.receive(line, desk=desk, now=clock.now()) for _, line in numbered)
                )
                for (number, line), fate in zip(numbered, answers, strict=True):
                    fates.setdefault(fate, []).append(number)
                    progress.advance(bar, len(line))
    finally:
        await desk.stop()
    return fates


def _groups(lines: Any, count: int) -> Iterator[list[tuple[int, bytes]]]:
    group: list[tuple[int, bytes]] = []
    for numbered in enumerate(lines, start=1):
        if numbered[1].strip():
            group.append(numbered)
        if len(group) == count:
            yield group
            group = []
    if group:
        yield group


@cli.command(epilog=example("livehub rebuild"))
def rebuild() -> None:
    """Make every bucket anew from the contribution entries."""

    async def work(_: Actor) -> dict[str, int]:
        return await rollup.rebuild(now=clock.now())

    with _spinning("rebuilding the buckets"):
        counts = _working(work)
    click.echo(f"{counts['buckets']} buckets made anew, {counts['differed']} had differed from their entries")


@cli.command(epilog=example("livehub audit"))
def audit() -> None:
    """Check every invariant over the stored rows; exit code 1 and a list when one does not hold."""

    async def work(_: Actor) -> Counter[str]:
        found: Counter[str] = Counter()
        known = invariants.discover(WITH_INVARIANTS)
        with _progress() as progress:
            bar = progress.add_task("checking", total=len(known))
            for each in known:
                progress.update(bar, description=each.name)
                contradictions = await each.check()
                found[each.name] = len(contradictions)
                for line in contradictions:
                    click.echo(f"{each.name}: {line}")
                progress.advance(bar)
        return found

    found = _working(work)
    broken = [name for name, count in found.items() if count]
    if broken:
        raise Failed(f"{len(broken)} of {len(found)} invariants do not hold: {', '.join(broken)}")
    click.echo(f"all {len(found)} invariants hold")


@cli.command(epilog=example("livehub backup --to /backups/monday.db"))
@click.option(
    "--to", "path", type=click.Path(path_type=Path), help="A new file; else below the data directory."
)
def backup(*, path: Path | None) -> None:
    """Write a consistent copy of the database while it is in use; the keys are not in it."""
    settings = _quiet_settings()
    target = path or backups.default_path(settings, now=clock.now())
    with _spinning("copying"):
        digest = asyncio.run(backups.backup(settings, target))
    click.echo(f"{digest}  {target}")


@cli.command(epilog=example("livehub demo --days 7 --scale 0.02"))
@click.option("--check", is_flag=True, help="Tell the story once, compare every figure, and end.")
@click.option("--days", type=click.IntRange(0, 365), default=28, show_default=True, help="Days of history.")
@click.option(
    "--scale",
    type=click.FloatRange(0, 1),
    default=0.02,
    show_default=True,
    help="Part of a real centre's volume.",
)
@click.option("--reset", is_flag=True, help="Begin with an empty data directory.")
def demo(*, check: bool, days: int, scale: float, reset: bool) -> None:
    """Run the whole product with imitated platforms, and keep running."""
    settings = _quiet_settings()
    story = importlib.import_module("livehub.demo.story")  # it brings the imitated platforms with it
    ended = story.run(settings, check=check, days=days, scale=scale, reset=reset, say=click.echo)
    if inspect.isawaitable(ended):
        ended = asyncio.run(_awaited(ended))
    if isinstance(ended, int):
        sys.exit(int(ended))


async def _awaited(work: Awaitable[Any]) -> Any:
    return await work


def _quiet_settings() -> Settings:
    settings = knobs.load()
    logging.install(style=settings.log_format, level="WARNING", process="cli")
    return settings


def _working(work: Callable[[Actor], Awaitable[T]], *, settings: Settings | None = None) -> T:
    """Run the work of a command on the open database, as the system's own actor."""
    given = settings or _quiet_settings()

    async def run() -> T:
        await process.start(given)
        try:
            return await work(system("cli"))
        finally:
            await process.stop()

    return uvloop.run(run())


async def _centre(name: str, *, city: str, actor: Actor) -> Centre:
    if city:
        if not name:
            raise click.UsageError("--city needs --centre: the new centre's name")
        found = await Centre.get_or_none(name=name)
        return found or await users.create_centre(name, city=city, actor=actor, now=clock.now())
    if name:
        named: Centre = await _named(Centre, name, what="centre")
        return named
    every = await Centre.all().limit(2)
    if len(every) == 1:
        return every[0]
    if every:
        raise click.UsageError("there are several centres: say which with --centre")
    raise click.UsageError("there is no centre yet: make one with --centre NAME --city CITY")


async def _bureau(name: str, *, kind: str, centre: Centre, actor: Actor) -> int:
    if not name:
        return 0
    found = await Bureau.get_or_none(name=name, centre_id=centre.id)
    if found is None and kind:
        found = await users.create_bureau(name, kind=kind, centre_id=centre.id, actor=actor, now=clock.now())
    return int((found or await _named(Bureau, name, what="bureau")).id)


async def _merchant(name: str, *, centre: Centre) -> int:
    if not name:
        return 0
    found = await Merchant.get_or_none(name=name, centre_id=centre.id)
    return int((found or await _named(Merchant, name, what="merchant")).id)


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


async def _endpoint(platform: str, key: str, *, centre_id: int) -> Endpoint:
    if key:
        found = await Endpoint.get_or_none(endpoint_key=key, platform=platform, centre_id=centre_id)
        if found is None:
            raise click.UsageError(f"no endpoint of {platform} with the key {key!r}")
        return found
    every = await Endpoint.filter(platform=platform, centre_id=centre_id).limit(2)
    if len(every) != 1:
        count = "several endpoints" if every else "no endpoint yet"
        raise click.UsageError(f"{platform} has {count}: give --endpoint KEY, or --app-key for a new one")
    return every[0]


def _progress() -> Progress:
    return Progress(*Progress.get_default_columns(), TimeElapsedColumn(), console=_screen, transient=True)


@contextmanager
def _spinning(what: str) -> Iterator[None]:
    columns = (SpinnerColumn(), "{task.description}", TimeElapsedColumn())
    with Progress(*columns, console=_screen, transient=True) as progress:
        progress.add_task(what, total=None)
        yield
