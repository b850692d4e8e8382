"""The commands of an operator: ``livehub COMMAND --help`` has an example for each.

A command is one file beside this one, imported when it is asked for. Errors are one line on standard error.
Exit code 2: the command or a setting is wrong; 1: it failed.
"""

from __future__ import annotations

import importlib
import sys
from typing import NoReturn

import click

from livehub.settings import BadSetting

COMMANDS = {
    "serve": "serve",
    "demo": "demo",
    "migrate": "migrate",
    "create-user": "create_user",
    "token": "token",
    "shop": "shop",
    "replay": "replay",
    "rebuild": "rebuild",
    "audit": "audit",
    "trail": "trail",
    "verify-pack": "verify_pack",
    "verify-draw": "verify_draw",
    "backup": "backup",
    "restore": "restore",
    "reseal": "reseal",
    "bench": "bench",
}


class _Commands(click.Group):
    """Commands by the name of their file; each has an attribute ``command``."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 -- click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 -- as above
        if cmd_name not in COMMANDS:
            return None
        found: click.Command = importlib.import_module(f"livehub.cli.{COMMANDS[cmd_name]}").command
        return found


@click.group(
    cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="livehub")
def cli() -> None:
    """Run a live-commerce promotion centre. Settings come from LIVEHUB_* variables (docs/settings.md)."""


def main() -> None:
    """Run a command; what goes wrong is told in one line."""
    try:
        status = cli.main(prog_name="livehub", standalone_mode=False)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except click.Abort:
        _fail("given up", status=1)
    except BadSetting as error:
        _fail(str(error), status=2)
    except Exception as error:
        told = _told(error)
        if told is None:
            raise
        _fail(told, status=1)
    sys.exit(status if isinstance(status, int) else 0)


def _told(error: Exception) -> str | None:
    """What an operator can do something about, in a line; None for our own mistakes."""
    from livehub.cli import failing  # noqa: PLC0415 -- only then is it worth its imports

    return failing.told(error)


def _fail(text: str, *, status: int) -> NoReturn:
    sys.stderr.write(f"livehub: {text}\n")
    sys.exit(status)
