"""Names that calls carry lead to what is the caller's own; everybody else's is as if it did not exist."""

from __future__ import annotations

from collections.abc import Awaitable

import pytest

from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.accounts.permissions import Permission
from livehub.kit.errors import LivehubError
from livehub.settings import Settings
from livehub.vouchers import drops
from livehub.web.api import named
from tests.factories.accounts import a_bureau, a_centre, an_actor
from tests.factories.vouchers import NOW, World, a_broadcast, a_world

P = Permission.CAMPAIGN_DRAFT


async def world_and_strangers() -> tuple[World, list[Actor]]:
    """Ours, and an officer next door and one, with a manager, of another centre."""
    world = await a_world()
    centre = await world.bureau.centre
    next_door, elsewhere = await a_bureau(centre, "商务局"), await a_bureau(await a_centre("别处", "钦州"))
    return world, [
        an_actor(Role.BUREAU, bureau_id=next_door.id, centre_id=centre.id),
        an_actor(Role.BUREAU, bureau_id=elsewhere.id, centre_id=elsewhere.centre_id),
        an_actor(Role.MANAGER, centre_id=elsewhere.centre_id),
    ]


async def status(asking: Awaitable[object]) -> int:
    try:
        await asking
    except LivehubError as error:
        return error.status
    return 200


async def test_a_bureau_is_named_by_those_who_act_for_it(db: Settings) -> None:
    world, strangers = await world_and_strangers()
    ours = world.bureau.public_id

    assert await named.bureau_id(ours, actor=world.officer, permission=P) == world.bureau.id
    assert await named.bureau_id("", actor=world.officer, permission=P) == world.bureau.id
    assert [await status(named.bureau_id(ours, actor=each, permission=P)) for each in strangers] == [404] * 3


async def test_a_round_is_named_by_those_who_work_on_its_campaign(db: Settings) -> None:
    world, strangers = await world_and_strangers()
    ours = world.round.public_id

    assert (await named.round_of(ours, actor=world.officer))[0] == world.round.id
    assert [await status(named.round_of(ours, actor=each)) for each in strangers] == [404] * 3


async def test_a_template_is_named_within_its_centre(db: Settings) -> None:
    world, (_, *elsewhere) = await world_and_strangers()
    ours = world.template.public_id

    assert await named.template_id(ours, actor=world.staff) == world.template.id
    assert [await status(named.template_id(ours, actor=each)) for each in elsewhere] == [404] * 2


async def test_a_drop_is_named_within_its_centre(db: Settings) -> None:
    world, (_, *elsewhere) = await world_and_strangers()
    broadcast = await a_broadcast(world)
    drop = await drops.plan(
        broadcast.id, template_id=world.template.id, quantity=5, window_s=600, actor=world.staff, now=NOW
    )

    assert await named.drop_id(drop.public_id, actor=world.staff) == drop.id
    assert [await status(named.drop_id(drop.public_id, actor=each)) for each in elsewhere] == [404] * 2


@pytest.mark.parametrize("text", ["", "x", "-1", "１", "9" * 19])
def test_what_cannot_be_a_row_is_not_there(text: str) -> None:
    with pytest.raises(LivehubError) as refused:
        named.row_number(text)

    assert refused.value.status == 404
