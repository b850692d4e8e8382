"""What people do about differences and hanging windows: say why, try again, let it be; each is audited."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock
from livehub.kit.errors import Conflict, Detail, Invalid, NotFound
from livehub.orders import cursors
from livehub.orders.pull_models import WindowStatus

# What a person may say of a difference: stable codes, named in the templates.
REASONS = ("test_order", "not_ours", "platform_error", "not_listed", "price_changed", "other")
NOTE_LENGTH = (2, 300)


class DifferenceSettled(Conflict):
    """这条差异已有说明，或已自行消除。"""

    code = "DIFFERENCE_SETTLED"


class WindowNotDead(Conflict):
    """只有已放弃的拉取窗口可以重试或不再等待；平台不再提供清单的，只能不再等待。"""

    code = "WINDOW_NOT_DEAD"


@database.atomic
async def explain(public_id: str, *, reason: str, note: str, actor: Actor, now: datetime) -> None:
    """Say why a difference is as it is; DifferenceSettled when somebody did, or it is gone."""
    row = await database.fetch_one(
        "SELECT d.id, d.centre_id, d.kind, d.order_ref, s.bureau_id FROM sync_difference d"
        " JOIN shop s ON s.id = d.shop_id WHERE d.public_id = $1",
        public_id,
    )
    if row is None:
        raise NotFound
    require(actor, Permission.SALES_RECONCILE, centre_id=row["centre_id"])
    _check(reason, note)
    explained = await database.execute(
        "UPDATE sync_difference SET status = 'explained', reason = $1, note = $2, explained_by = $3,"
        " closed_at = $4 WHERE id = $5 AND status = 'open'",
        reason,
        note.strip(),
        actor.name,
        clock.to_ms(now),
        row["id"],
    )
    if not explained:
        raise DifferenceSettled
    await audit.write(
        "difference.explained",
        actor=actor,
        now=now,
        about=("sync_difference", public_id),
        bureau_id=row["bureau_id"],
        detail={"kind": row["kind"], "order_ref": row["order_ref"], "reason": reason, "note": note.strip()},
    )


@database.atomic
async def try_again(window_id: int, *, actor: Actor, now: datetime) -> None:
    """Put a given-up window back into the queue at the page where it stands."""
    row = await _window(window_id, actor=actor)
    again = await database.execute(
        f"UPDATE sync_cursor SET status = 'waiting', attempts = 0, due_at = {database.now_ms()}"
        " WHERE id = $1 AND status = 'dead' AND last_error <> $2",
        window_id,
        cursors.TOO_OLD,
    )
    await _told("window.tried_again", row, again, actor=actor, now=now)


@database.atomic
async def drop(window_id: int, *, note: str, actor: Actor, now: datetime) -> None:
    """Wait no longer for a given-up window: what was not compared is said here, and the mark moves on."""
    row = await _window(window_id, actor=actor)
    _check(REASONS[-1], note)
    await cursors.hold_mark(row["shop_id"], row["kind"])
    dropped = await database.execute(
        f"UPDATE sync_cursor SET status = '{WindowStatus.DROPPED}', closed_at = $1"
        " WHERE id = $2 AND status = 'dead'",
        clock.to_ms(now),
        window_id,
    )
    await cursors.join(row["shop_id"], row["kind"])
    await _told("window.dropped", row, dropped, actor=actor, now=now, note=note.strip())


async def shop_of(window_id: int, *, actor: Actor) -> str:
    """The public id of a window's shop; NotFound where it is not the actor's to touch."""
    row = await _window(window_id, actor=actor)
    return str(row["public_id"])


def _check(reason: str, note: str) -> None:
    least, most = NOTE_LENGTH
    if reason not in REASONS:
        raise Invalid(details=[Detail("reason", "没有这个原因", "、".join(REASONS))])
    if not least <= len(note.strip()) <= most:
        raise Invalid(details=[Detail("note", "请写明情况", f"{least} 到 {most} 个字")])


async def _window(window_id: int, *, actor: Actor) -> dict[str, Any]:
    row = await database.fetch_one(
        "SELECT c.shop_id, c.kind, c.cadence, c.window_start, c.window_end, s.centre_id, s.bureau_id,"
        " s.public_id FROM sync_cursor c JOIN shop s ON s.id = c.shop_id WHERE c.id = $1",
        window_id,
    )
    if row is None:
        raise NotFound
    require(actor, Permission.SALES_RECONCILE, centre_id=row["centre_id"])
    return row


async def _told(
    action: str, row: dict[str, Any], changed: int, *, actor: Actor, now: datetime, **more: str
) -> None:
    if not changed:
        raise WindowNotDead
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("shop", row["public_id"]),
        bureau_id=row["bureau_id"],
        detail={
            "kind": row["kind"],
            "from": clock.from_ms(row["window_start"]).isoformat(),
            "to": clock.from_ms(row["window_end"]).isoformat(),
            **more,
        },
    )
