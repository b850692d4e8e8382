"""One set of pages below two doors: /bureau for a bureau's officers, /desk for the centre and auditors."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from sanic import Blueprint, Request

from livehub.accounts.actors import Actor
from livehub.kit.errors import LivehubError
from livehub.web.api.calls import Entrance
from livehub.web.bureau.pages import bureaus_of, shell_of
from livehub.web.desk.frame import DONE, frame
from livehub.web.doors import STREAMS, Handler
from livehub.web.shell import Shell

Routes = Sequence[tuple[str, str, Handler]]  # method, address below the pages' own, handler


def mounted(part: str, routes: Routes, *, name: str = "", below: str = "") -> tuple[Blueprint, Blueprint]:
    """(the bureau's, the desk's) blueprint of a part of the navigation, such as ``reports``.

    ``name`` is of a second blueprint of the same part, ``below`` what its addresses begin with.
    """
    made = []
    for door in ("bureau", "desk"):
        bp = Blueprint(f"{door}_{name or part}", url_prefix=f"/{door}/{part}{below}")
        for number, (method, address, handler) in enumerate(routes):
            bp.add_route(
                cast(Entrance, handler),
                address,
                methods=[method],
                name=f"{handler.__name__}_{number}",  # a step's handlers are all called the same
                stream=getattr(handler, STREAMS, False),
            )
        made.append(bp)
    return made[0], made[1]


def path_of(request: Request) -> str:
    """/bureau/reports or /desk/reports: the part of the door by which the reader came."""
    return "/".join(request.path.split("/")[:3])


async def shell(
    request: Request, actor: Actor, current: str, *, refusal: LivehubError | None = None
) -> Shell:
    """The frame of a page, the door's own."""
    if request.path.startswith("/desk"):
        return await frame(request, actor, current, refusal=refusal)
    made = shell_of(request, actor, await bureaus_of(actor), current=current)
    made.flash = DONE.get(str(request.args.get("done", "")), "")
    made.alert = refusal.message if refusal else ""
    return made
