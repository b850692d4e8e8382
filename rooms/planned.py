"""Which shows a product stands in the script of."""

from __future__ import annotations

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope
from rooms import queries
from rooms.queries import BroadcastView


async def with_product(product_id: int, *, actor: Actor, limit: int = 20) -> list[BroadcastView]:
    """The shows with a product (row id) in their script that the actor may see, the latest first."""
    scope = bureau_scope(actor, Permission.BROADCAST_READ)
    numbers = ", ".join(str(int(each)) for each in sorted(scope)) or "0" if scope is not None else ""
    within = f" AND b.bureau_id IN ({numbers})" if numbers else ""
    rows = await database.fetch(
        "SELECT DISTINCT b.id, b.planned_start_at FROM cue q JOIN broadcast b ON b.id = q.broadcast_id"
        f" WHERE q.product_id = $1{within} ORDER BY b.planned_start_at DESC, b.id LIMIT {int(limit)}",
        product_id,
    )
    found = await queries.broadcasts_by_id([row["id"] for row in rows])
    return [found[row["id"]] for row in rows]
