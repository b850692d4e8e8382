"""``livehub shop add``."""

from __future__ import annotations

import click

from livehub import database
from livehub.accounts.actors import Actor
from livehub.cli import finding
from livehub.cli.working import example, run
from livehub.kit import clock
from livehub.platforms import shops

_ADD = "livehub shop add doudian 4463798 --name 侨港海味 --bureau 商务局 --app-key 7053 --api-url https://…"


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
@click.option("--secret", default="", help="The new endpoint's secret; asked for when left out.")
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
