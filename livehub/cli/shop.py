"""``livehub shop add``."""

from __future__ import annotations

from datetime import datetime, timedelta

import click

from livehub import database
from livehub.accounts.actors import Actor
from livehub.cli import finding
from livehub.cli.working import example, run
from livehub.kit import clock
from livehub.orders import cursors, fetching
from livehub.platforms import queries, shops
from livehub.platforms.models import EVIDENCE_FLOOR, Endpoint
from rooms import shop_accounts

_ADD = "livehub shop add doudian 4463798 --name 侨港海味 --bureau 商务局 --app-key 7053 --api-url https://…"
_BIND = "livehub shop bind-account standard_webhooks erp-1 --on doudian --account 70001"
_KEEP = "livehub shop keep-evidence doudian 4463798 --days 1095"
_BACKFILL = "livehub shop backfill doudian 4463798 --since 2026-11-01T00:00+08:00"
_ROTATE = "livehub shop rotate-secret doudian --until 2026-12-01T08:00+08:00"


@click.group("shop", epilog=example(_ADD))
def command() -> None:
    """Shops on platforms."""


@command.command("add", epilog=example(_ADD))
@click.argument("platform")
@click.argument("shop_ref")
@click.option("--name", required=True, help="As shown on pages.")
@click.option("--bureau", required=True, help="Name or id: whose its unattributed sales are.")
@click.option("--endpoint", default="", help="Key of an endpoint that is there already.")
@click.option("--app-key", default="", help="Makes a new endpoint with this app key.")
@click.option("--secret", default="", help="Its secret, as docs/platforms has it; asked for when left out.")
@click.option("--access-token", default="", help="The new endpoint's token for the platform's API.")
@click.option("--api-url", default="", help="Where the new endpoint's platform answers questions.")
def add(
    *,
    platform: str,
    shop_ref: str,
    name: str,
    bureau: str,
    endpoint: str,
    app_key: str,
    secret: str,
    access_token: str,
    api_url: str,
) -> None:
    """Register a shop and print the path its platform pushes to.

    Messages that were parked because the shop was unknown come back by themselves.
    """
    if endpoint and app_key:
        raise click.UsageError(
            "--endpoint names one that is there, --app-key makes a new one: give one of them"
        )
    if app_key and not secret:
        secret = click.prompt("Secret", hide_input=True)

    async def work(actor: Actor) -> str:
        owner = await finding.bureau(bureau)
        now = clock.now()
        if app_key:
            door = await shops.add_endpoint(
                owner.centre_id,
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
            door = await finding.endpoint(platform, endpoint, centre_id=owner.centre_id)
        await shops.add_shop(
            owner.id, endpoint_id=door.id, shop_ref=shop_ref, name=name, actor=actor, now=now
        )
        return f"/hooks/{door.platform}/{door.endpoint_key}"

    click.echo(run(database.atomic(work)))


@command.command("rotate-secret", epilog=example(_ROTATE))
@click.argument("platform")
@click.option("--endpoint", default="", help="Its key; may be left out where the centre has one there.")
@click.option("--centre", default="", help="Name or id, where there are several.")
@click.option("--secret", default="", help="The new secret; asked for when left out.")
@click.option(
    "--until", type=finding.INSTANT, help="When the older secrets end, with its offset; a day from now."
)
def rotate_secret(*, platform: str, endpoint: str, centre: str, secret: str, until: datetime | None) -> None:
    """Accept a new secret of an endpoint's pushes; the older ones stay valid until they end."""
    secret = secret or click.prompt("Secret", hide_input=True)

    async def work(actor: Actor) -> str:
        now = clock.now()
        door = await _endpoint(platform, endpoint, centre, actor=actor)
        end = until or now + timedelta(days=1)
        await shops.rotate_secret(door.id, secret=secret, overlap_until=end, actor=actor, now=now)
        return f"the new secret is accepted; older ones end at {end.isoformat(timespec='seconds')}"

    click.echo(run(database.atomic(work)))


@command.command("end-old-secrets", epilog=example("livehub shop end-old-secrets doudian"))
@click.argument("platform")
@click.option("--endpoint", default="", help="Its key; may be left out where the centre has one there.")
@click.option("--centre", default="", help="Name or id, where there are several.")
def end_old_secrets(*, platform: str, endpoint: str, centre: str) -> None:
    """Accept only an endpoint's newest secret from now on."""

    async def work(actor: Actor) -> None:
        door = await _endpoint(platform, endpoint, centre, actor=actor)
        await shops.end_old_secrets(door.id, actor=actor, now=clock.now())

    run(database.atomic(work))
    click.echo("only the newest secret is accepted, by every process within three seconds")


@command.command("set-access-token", epilog=example("livehub shop set-access-token wechat_store"))
@click.argument("platform")
@click.option("--endpoint", default="", help="Its key; may be left out where the centre has one there.")
@click.option("--centre", default="", help="Name or id, where there are several.")
@click.option("--token", default="", help="The token; asked for when left out.")
def set_access_token(*, platform: str, endpoint: str, centre: str, token: str) -> None:
    """Ask the platform's API with another token from now on; the one before is forgotten."""
    token = token or click.prompt("Token", hide_input=True)

    async def work(actor: Actor) -> int:
        door = await _endpoint(platform, endpoint, centre, actor=actor)
        await shops.set_access_token(door.id, access_token=token, actor=actor, now=clock.now())
        return await fetching.ask_again(door.id) + await cursors.ask_again(door.id)

    given_up = run(database.atomic(work))
    again = f", and asked again for {given_up} that were given up" if given_up else ""
    click.echo(f"the platform is asked with this token from now on{again}")


@command.command("backfill", epilog=example(_BACKFILL))
@click.argument("platform")
@click.argument("shop_ref")
@click.option("--since", type=finding.INSTANT, required=True, help="From when on, with its offset.")
def backfill(*, platform: str, shop_ref: str, since: datetime) -> None:
    """Read a shop's orders and after-sales from its platform's lists once more, since an instant.

    What is not known, or not as it is there now, is fetched; nothing is counted twice.
    """

    async def work(_: Actor) -> int:
        found = await queries.shops_by_ref([(platform, shop_ref)])
        if not found:
            raise click.UsageError(f"no shop {shop_ref!r} on {platform}")
        return await cursors.backfill(found[platform, shop_ref].id, since=since, now=clock.now())

    opened = run(database.atomic(work))
    click.echo(f"{opened} windows are read by the jobs process")


@command.command("keep-evidence", epilog=example(_KEEP))
@click.argument("platform")
@click.argument("shop_ref")
@click.option("--days", type=click.IntRange(min=EVIDENCE_FLOOR), required=True, help="From their arrival on.")
def keep_evidence(*, platform: str, shop_ref: str, days: int) -> None:
    """Say how long the sealed bytes of a shop's deliveries are kept; digest and facts stay for ever."""

    async def work(actor: Actor) -> None:
        shop = await _shop(platform, shop_ref)
        await shops.keep_evidence(shop.public_id, days=days, actor=actor, now=clock.now())

    run(database.atomic(work))
    click.echo(f"the bytes of its deliveries are kept for {days} days")


@command.command("bind-account", epilog=example(_BIND))
@click.argument("platform")
@click.argument("shop_ref")
@click.option("--account", required=True, help="The account it sells on: a streamer's, or of a broadcast.")
@click.option("--on", "account_platform", default="", help="The account's platform, where it is another.")
@click.option("--remove", is_flag=True, help="It does not sell there any more.")
def bind_account(*, platform: str, shop_ref: str, account: str, account_platform: str, remove: bool) -> None:
    """Say on which account a shop sells, for its orders that name no room and no author, earlier ones too."""

    async def work(actor: Actor) -> None:
        shop = await _shop(platform, shop_ref)
        change = shop_accounts.unbind if remove else shop_accounts.bind
        on = account_platform or platform
        await change(shop.public_id, platform=on, account_ref=account, actor=actor, now=clock.now())

    run(database.atomic(work))
    click.echo("its orders are attributed anew by the jobs process")


async def _shop(platform: str, shop_ref: str) -> queries.ShopView:
    found = await queries.shops_by_ref([(platform, shop_ref)])
    if not found:
        raise click.UsageError(f"no shop {shop_ref!r} on {platform}")
    return found[platform, shop_ref]


async def _endpoint(platform: str, key: str, centre: str, *, actor: Actor) -> Endpoint:
    within = await finding.centre(centre, actor=actor)
    return await finding.endpoint(platform, key, centre_id=within.id)
