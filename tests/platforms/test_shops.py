"""Endpoints and shops: secrets sealed and rotated, shops found by what platforms call them."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest

from livehub import database
from livehub.accounts.errors import OutOfScope, PermissionMissing
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import outbox
from livehub.kit.errors import Invalid
from livehub.platforms import queries, shops
from livehub.platforms.errors import ShopKnown, UnknownPlatform, UnusableSecret
from livehub.platforms.facts import ShopAdded
from livehub.platforms.models import Endpoint
from livehub.settings import Settings
from tests.contention import meet
from tests.factories.accounts import NOW, a_bureau, a_centre, an_actor
from tests.factories.platforms import DOUDIAN_SECRET, a_shop, an_endpoint


async def test_an_endpoint_keeps_its_secrets_sealed(db: Settings) -> None:
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau, app_key="6912345")

    view = await queries.endpoint_by_key(endpoint.endpoint_key, now=NOW)

    assert view is not None
    assert (view.id, view.centre_id, view.platform) == (endpoint.id, bureau.centre_id, "doudian")
    assert view.credential.app_key == "6912345"
    assert view.credential.secrets == (DOUDIAN_SECRET,)
    assert view.credential.access_token == "access-token-of-tests"
    assert DOUDIAN_SECRET not in repr(view)
    assert len(endpoint.endpoint_key) >= 22
    assert await queries.endpoint_by_key("unknown", now=NOW) is None
    if db.is_sqlite:
        assert b"6912345" in _on_disk(db)
        assert DOUDIAN_SECRET.encode() not in _on_disk(db)
    details = await AuditEntry.all().values_list("detail", flat=True)
    assert not any(DOUDIAN_SECRET in each for each in details)


def _on_disk(db: Settings) -> bytes:
    """The database file with its journal."""
    return b"".join(file.read_bytes() for file in Path(db.data_dir).glob("livehub.db*"))


async def test_an_old_secret_stays_valid_until_the_overlap_ends(db: Settings) -> None:
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau)
    manager = an_actor(Role.MANAGER, centre_id=bureau.centre_id)
    newer = DOUDIAN_SECRET.replace("b3", "c4")
    until = NOW + timedelta(days=1)

    await shops.rotate_secret(endpoint.id, secret=newer, overlap_until=until, actor=manager, now=NOW)

    during = await queries.endpoints_by_id([endpoint.id], now=until)
    after = await queries.endpoints_by_id([endpoint.id], now=until + timedelta(milliseconds=1))
    assert during[endpoint.id].credential.secrets == (newer, DOUDIAN_SECRET)
    assert after[endpoint.id].credential.secrets == (newer,)
    with pytest.raises(Invalid):
        await shops.rotate_secret(
            endpoint.id, secret=newer, overlap_until=NOW - timedelta(days=1), actor=manager, now=NOW
        )


async def test_the_book_sees_a_new_endpoint_at_once_and_a_closed_one_soon(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "ASK_AGAIN_SECONDS", 0.0)
    monkeypatch.setattr(queries, "FRESH_SECONDS", 60.0)
    bureau = await a_bureau()
    manager = an_actor(Role.MANAGER, centre_id=bureau.centre_id)
    book = queries.EndpointBook()
    assert await book.get("unknown", now=NOW) is None

    endpoint = await an_endpoint(bureau)
    found = await book.get(endpoint.endpoint_key, now=NOW)
    assert found is not None
    assert not found.disabled

    await shops.set_disabled(endpoint.id, disabled=True, actor=manager, now=NOW)
    assert await book.get(endpoint.endpoint_key, now=NOW) is found  # seen for a few seconds as it was
    monkeypatch.setattr(queries, "FRESH_SECONDS", 0.0)
    closed = await book.get(endpoint.endpoint_key, now=NOW)
    assert closed is not None
    assert closed.disabled


async def test_strangers_do_not_make_the_book_look_again(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "ASK_AGAIN_SECONDS", 60.0)
    book = queries.EndpointBook()
    assert await book.get("first", now=NOW) is None
    endpoint = await an_endpoint(await a_bureau())
    assert await book.get(endpoint.endpoint_key, now=NOW) is None  # it looked a moment ago


async def test_one_endpoint_that_cannot_be_opened_spoils_no_other(db: Settings) -> None:
    bureau = await a_bureau()
    broken, sound = await an_endpoint(bureau), await an_endpoint(bureau)
    await database.execute(
        "UPDATE endpoint_secret SET secret_sealed = $1 WHERE endpoint_id = $2",
        b"\x04gone" + bytes(40),
        broken.id,
    )
    assert [each.id for each in await queries.endpoints(now=NOW)] == [sound.id]


async def test_a_shop_is_added_once_and_told(db: Settings) -> None:
    heard: list[ShopAdded] = []

    async def listener(fact: ShopAdded, now) -> None:
        heard.append(fact)

    outbox.connect({ShopAdded: {"tests": listener}})
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau)

    shop = await a_shop(bureau, endpoint=endpoint, shop_ref="4463798")
    with pytest.raises(ShopKnown):
        await a_shop(bureau, endpoint=endpoint, shop_ref="4463798")

    found = await queries.shops_by_ref([("doudian", "4463798"), ("doudian", "1"), ("kuaishou", "4463798")])
    assert list(found) == [("doudian", "4463798")]
    view = found["doudian", "4463798"]
    assert (view.id, view.bureau_id, view.endpoint_id) == (shop.id, bureau.id, endpoint.id)
    assert await queries.shops_by_id([shop.id, 0]) == {shop.id: view}
    assert await queries.shops_of(bureau.centre_id) == [view]
    assert await queries.shops_by_ref([]) == {}
    await outbox.hand_out(now=NOW)
    assert [(each.platform, each.shop_ref, each.endpoint_id) for each in heard] == [
        ("doudian", "4463798", endpoint.id)
    ]


async def test_who_may_not_or_what_cannot_work_is_refused(db: Settings) -> None:
    bureau, foreign = await a_bureau(), await a_bureau(await a_centre("钦州中心", "钦州"))
    manager = an_actor(Role.MANAGER, centre_id=bureau.centre_id)
    common = {"name": "应用", "app_key": "1", "actor": manager, "now": NOW}

    with pytest.raises(UnknownPlatform):
        await shops.add_endpoint(bureau.centre_id, platform="nowhere", secret="s", **common)
    with pytest.raises(UnusableSecret):
        await shops.add_endpoint(bureau.centre_id, platform="standard_webhooks", secret="short", **common)
    with pytest.raises(OutOfScope):
        await shops.add_endpoint(foreign.centre_id, platform="doudian", secret=DOUDIAN_SECRET, **common)
    assert await Endpoint.all().count() == 0
    endpoint = await an_endpoint(bureau)
    with pytest.raises(PermissionMissing):
        await shops.set_disabled(
            endpoint.id, disabled=True, actor=an_actor(Role.STAFF, centre_id=bureau.centre_id), now=NOW
        )
    with pytest.raises(Invalid):
        await shops.add_shop(
            foreign.id, endpoint_id=endpoint.id, shop_ref="1", name="店", actor=manager, now=NOW
        )


async def test_a_second_rotation_lets_nothing_older_live_longer(db: Settings) -> None:
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau, secret="first")
    manager = an_actor(Role.MANAGER, centre_id=bureau.centre_id)
    soon, late = NOW + timedelta(hours=1), NOW + timedelta(days=7)

    async def rotate(secret: str, until: datetime) -> None:
        await shops.rotate_secret(endpoint.id, secret=secret, overlap_until=until, actor=manager, now=NOW)

    await rotate("second", late)
    await rotate("third", soon)
    await rotate("fourth", late)

    (door,) = await queries.doors_of(bureau.centre_id, now=NOW)
    assert [secret.not_after for secret in door.secrets] == [None, late, soon, soon]
    with pytest.raises(Invalid):
        await rotate("fifth", NOW + timedelta(days=31))
    await shops.end_old_secrets(endpoint.id, actor=manager, now=NOW)
    after = await queries.endpoints_by_id([endpoint.id], now=NOW + timedelta(milliseconds=1))
    assert after[endpoint.id].credential.secrets == ("fourth",)


async def test_two_rotations_at_once_leave_one_secret_without_an_end(db: Settings) -> None:
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau)
    manager = an_actor(Role.MANAGER, centre_id=bureau.centre_id)
    until = NOW + timedelta(days=1)

    async def rotate(secret: str) -> None:
        await database.unit(
            lambda: shops.rotate_secret(
                endpoint.id, secret=secret, overlap_until=until, actor=manager, now=NOW
            )
        )

    ended = await meet(
        db,
        "SELECT id FROM endpoint_secret FOR UPDATE",
        *(lambda n=n: rotate(f"secret {n}") for n in range(3)),
    )

    assert ended == [None, None, None]
    endless = await database.fetch("SELECT id FROM endpoint_secret WHERE not_after IS NULL")
    assert len(endless) == 1
