"""``livehub create-user``."""

from __future__ import annotations

import click

from livehub.accounts import users
from livehub.accounts.actors import Actor, Grant
from livehub.accounts.models import Role
from livehub.cli import finding
from livehub.cli.working import example, run
from livehub.kit import clock


@click.command("create-user", epilog=example("livehub create-user lihua --name 李华 --role manager"))
@click.argument("login")
@click.option("--name", required=True, help="As shown on pages.")
@click.option("--role", type=click.Choice([str(role) for role in Role]), required=True)
@click.option("--centre", default="", help="Name or id; not needed where there is one only.")
@click.option(
    "--city", default="", help="Makes the centre named by --centre where there is none of that name."
)
@click.option("--bureau", default="", help="Name or id, for the role bureau.")
@click.option(
    "--bureau-kind",
    type=click.Choice(users.BUREAU_KINDS),
    help="Makes the bureau named by --bureau where there is none of that name.",
)
@click.option("--merchant", default="", help="Name or id, for the role merchant.")
@click.password_option(help="Asked for when left out, which keeps it out of the shell's history.")
def command(
    *,
    login: str,
    name: str,
    role: str,
    centre: str,
    city: str,
    bureau: str,
    bureau_kind: str | None,
    merchant: str,
    password: str,
) -> None:
    """Make somebody an account with one role."""

    async def work(actor: Actor) -> str:
        home = await finding.centre(centre, city=city, actor=actor)
        grant = Grant(
            Role(role),
            await finding.bureau_id(bureau, kind=bureau_kind or "", within=home, actor=actor),
            await finding.merchant_id(merchant, within=home),
        )
        user = await users.create_user(
            login, password, name=name, centre_id=home.id, actor=actor, now=clock.now(), grants=[grant]
        )
        return f"{user.login} ({role}) may log in at {home.name}"

    click.echo(run(work))
