"""``python -m tests.faults.sabotage serve …``: livehub with holes in it, so that the product has no switch for them.

Each named point stands at a line of the product that a crash could hit. While a file of that name lies in
the folder of ``SABOTAGE_FUSES``, the first process that gets there takes the file away and dies (``kill -9``),
or stops (``SIGSTOP``) when the file says so. ``SABOTAGE_POISON`` is the reference of an order that ends the
process whenever it is read. ``SABOTAGE_WITHOUT`` takes out one of ``GUARDS``, to see which test notices.
``SABOTAGE_PATIENCE`` is how long the supervisor keeps who dies young again and again waiting at most.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

import pytest

from tests.faults.removing import Cut

FUSES, POISON, WITHOUT = "SABOTAGE_FUSES", "SABOTAGE_POISON", "SABOTAGE_WITHOUT"
PATIENCE = "SABOTAGE_PATIENCE"

GUARDS = {
    "the lease's token and status": (
        Cut(
            "livehub.inbox.queue:settle",
            ' AND inbox_message.lease_token = v.token"\n'
            "        f\" AND inbox_message.status = '{MessageStatus.PROCESSING}'\"",
            '"',
        ),
    ),
    "the attempt counted before the work": (
        Cut("livehub.inbox.queue:_take", "attempts = attempts + 1", "attempts = attempts"),
    ),
    "the one transaction of a batch": (
        Cut(
            "livehub.orders.intake:_apply",
            "database.unit(lambda: apply(understood, now=now))",
            "apply(understood, now=now)",
        ),
    ),
    "the commit before the answer": (
        Cut(
            "livehub.inbox.receiving:ReceiveDesk.receive",
            "return await self._commits.submit(arrival)",
            "__import__('asyncio').ensure_future(self._commits.submit(arrival)); return Stored(new=1, known=0)",
        ),
    ),
    "a lane of its own for each endpoint": (
        Cut(
            "livehub.orders.lanes:Lanes.begin",
            "if number not in self._running and len(self._running) < MOST:",
            "if not self._running:",
        ),
    ),
    "what the dead held, freed by their heirs": (
        Cut("jobs.loops:_Inheritance.__call__", "if loop in self._open:", "if loop is None:"),
    ),
    "the desk that closes after the last answer": (
        Cut(
            "livehub.serving:_drain",
            "server.close()",
            "server.close(); await app.ctx.receive_desk.stop(); await asyncio.sleep(0.5)",
        ),
    ),
}

Function = Callable[..., Awaitable[Any]]


def points() -> dict[str, tuple[Any, str, Callable[[str, Function], Function]]]:
    """Name of the point -> the function there, and on which side of it the point is."""
    from livehub.inbox import queue  # noqa: PLC0415 -- after the supervisor has said where figures go
    from livehub.kit import group_commit, outbox  # noqa: PLC0415 -- as above
    from livehub.orders import cursors, fetching, intake, ledger, listings, rollup  # noqa: PLC0415 -- as above
    from livehub.vouchers import matching  # noqa: PLC0415 -- as above

    commit = group_commit.GroupCommit
    return {
        "intake.after_lease": (queue, "lease", after),
        "intake.after_state": (ledger, "store", after),
        "intake.before_rollup": (rollup, "book", before),
        "intake.before_commit": (queue, "settle", after),
        "intake.after_commit": (intake, "_apply", after),
        "fetch.after_lease": (fetching, "_lease", after),
        "fetch.after_reply": (fetching, "_record", before),
        "fetch.before_commit": (fetching, "_close", after),
        "fetch.after_commit": (fetching, "_record", after),
        "pull.after_lease": (cursors, "lease", after),
        "pull.after_reply": (listings, "record", before),
        "pull.before_commit": (listings, "record", after),
        "pull.after_page": (cursors, "move_on", after),
        "outbox.after_lease": (outbox, "_lease", after),
        "outbox.before_commit": (matching, "_redeem", after),
        "outbox.after_commit": (outbox, "_deliver", after),
        "web.before_commit": (commit, "_commit", before),
        "web.after_commit": (commit, "_commit", after),
    }


def before(point: str, function: Function) -> Function:
    @wraps(function)
    async def sabotaged(*args: Any, **given: Any) -> Any:
        _reach(point)
        return await function(*args, **given)

    return sabotaged


def after(point: str, function: Function) -> Function:
    """A function that found nothing to do has not got there."""

    @wraps(function)
    async def sabotaged(*args: Any, **given: Any) -> Any:
        answer = await function(*args, **given)
        if answer or answer is None:
            _reach(point)
        return answer

    return sabotaged


def _reach(point: str) -> None:
    fuse = Path(os.environ[FUSES]) / point
    with suppress(FileNotFoundError):  # nobody armed it, or another process was first
        manner = fuse.read_text()
        fuse.unlink()
        os.kill(os.getpid(), signal.SIGSTOP if manner == "stop" else signal.SIGKILL)


def arm() -> None:
    """Make the holes in this process and those it will fork."""
    if os.environ.get(FUSES):
        for point, (place, name, side) in points().items():
            setattr(place, name, side(point, getattr(place, name)))
    for removal in GUARDS[os.environ[WITHOUT]] if os.environ.get(WITHOUT) else ():
        asyncio.run(removal(pytest.MonkeyPatch()))
    if poison := os.environ.get(POISON):
        _poison(poison)


def _poison(order: str) -> None:
    from livehub.platforms import canonical  # noqa: PLC0415 -- as in points

    honest = canonical.event

    def deadly(raw: bytes) -> Any:
        event = honest(raw)
        if event.order_ref == order:
            os._exit(1)
        return event

    canonical.event = deadly


def main() -> None:
    """As ``livehub``, or as ``python -m jobs`` when told ``jobs``; holes are made once everything is imported."""
    if sys.argv[1:] == ["jobs"]:
        from jobs import __main__ as jobs  # noqa: PLC0415 -- only one of the two is wanted

        del sys.argv[1:]
        arm()
        jobs.main()
        return
    from livehub import cli, supervisor  # noqa: PLC0415 -- as above

    honest = supervisor._children

    def children(*args: Any, **given: Any) -> Any:
        made = honest(*args, **given)
        arm()
        return made

    supervisor._children = children
    if patience := os.environ.get(PATIENCE):
        supervisor.LONGEST_WAIT_SECONDS = float(patience)
    cli.main()


if __name__ == "__main__":
    main()
