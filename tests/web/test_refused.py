"""What was refused is written down, and odd names are not faults."""

from __future__ import annotations

from livehub import database
from livehub.accounts.models import Role
from livehub.settings import Settings
from tests import site
from tests.factories.orders import World
from tests.web.test_wall import sign_in


async def test_a_refused_access_is_in_the_audit_trail(world: World, db: Settings) -> None:
    async with site.running(db) as running:
        await sign_in(running, world, Role.ADMIN)
        async with running.get("/desk/sales/") as answer:
            assert answer.status == 403

        rows = await database.fetch(
            "SELECT result, detail FROM audit_entry WHERE action = 'access.refused' ORDER BY id"
        )
    assert [row["result"] for row in rows] == ["refused"]
    assert "PermissionMissing" in rows[0]["detail"]


async def test_a_name_longer_than_any_there_is_is_not_found(world: World, db: Settings) -> None:
    async with site.running(db) as running:
        await sign_in(running, world, Role.MANAGER)
        for path in ("/desk/broadcasts/", "/desk/campaigns/", "/c/"):
            async with running.get(path + "x" * 300) as answer:
                assert answer.status == 404, path
