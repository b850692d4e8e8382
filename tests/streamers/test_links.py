"""Streamers: registered without a phone number in the clear, and their links bound to one device."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import OutOfScope, PermissionMissing
from livehub.accounts.models import AuditEntry, Role
from livehub.settings import Settings
from streamers import links, queries, registry
from streamers.errors import AccountKnown, DeviceCodeNeeded, LinkUnknown, PersonKnown, StreamerRefused
from streamers.models import Person, Streamer, StreamerLink, StreamerStatus
from tests.factories.accounts import NOW, a_centre, an_actor
from tests.factories.streamers import a_streamer

PHONE = "13977912345"


async def test_the_first_device_keeps_the_link(db: Settings) -> None:
    centre = await a_centre()
    streamer = await a_streamer(centre, stage_name="海姐")
    staff = an_actor(Role.STAFF, centre_id=centre.id)
    issued = await links.issue(streamer.public_id, actor=staff, now=NOW)

    first = await links.open_link(issued.token, device_token=None, now=NOW)
    again = await links.open_link(issued.token, device_token=first.device_token, now=NOW)
    for other_device in (None, "", "guessed"):
        with pytest.raises(DeviceCodeNeeded):
            await links.open_link(issued.token, device_token=other_device, now=NOW)

    assert first == again
    assert (first.streamer_id, first.expires_at) == (streamer.id, NOW + timedelta(days=30))
    assert await links.actor_of_device(first.device_token, now=NOW) == Actor(
        kind="streamer", id=streamer.id, name="海姐", centre_id=centre.id
    )
    assert await links.actor_of_device(issued.token, now=NOW) is None
    assert await AuditEntry.filter(action="streamer_link.bound").count() == 1
    assert [each.bound for each in await queries.links(streamer.id)] == [True]


async def test_two_devices_at_once_bind_one(db: Settings) -> None:
    centre = await a_centre()
    streamer = await a_streamer(centre)
    issued = await links.issue(streamer.public_id, actor=an_actor(Role.STAFF, centre_id=centre.id), now=NOW)

    results = await asyncio.gather(
        *(database.unit(lambda: links.open_link(issued.token, device_token=None, now=NOW)) for _ in range(6)),
        return_exceptions=True,
    )

    assert sorted(type(each).__name__ for each in results) == ["DeviceCodeNeeded"] * 5 + ["Opened"]


async def test_after_a_code_the_link_moves_and_the_old_device_is_out(db: Settings) -> None:
    centre = await a_centre()
    streamer = await a_streamer(centre, phone=PHONE)
    issued = await links.issue(streamer.public_id, actor=an_actor(Role.STAFF, centre_id=centre.id), now=NOW)
    first = await links.open_link(issued.token, device_token=None, now=NOW)

    assert await queries.phone_of(await links.streamer_of_link(issued.token, now=NOW)) == PHONE
    second = await links.move_to_device(issued.token, now=NOW)

    assert await links.actor_of_device(first.device_token, now=NOW) is None
    assert (await links.actor_of_device(second.device_token, now=NOW)).id == streamer.id


async def test_expired_revoked_and_unknown_links_look_alike(db: Settings) -> None:
    centre = await a_centre()
    streamer = await a_streamer(centre)
    staff = an_actor(Role.STAFF, centre_id=centre.id)
    issued = await links.issue(streamer.public_id, actor=staff, now=NOW)
    opened = await links.open_link(issued.token, device_token=None, now=NOW)
    late = NOW + timedelta(days=30)

    refusals = []
    for token, now in ((issued.token, late), ("unknown", NOW)):
        with pytest.raises(LinkUnknown) as refusal:
            await links.open_link(token, device_token=opened.device_token, now=now)
        refusals.append(str(refusal.value))
    assert await links.actor_of_device(opened.device_token, now=late) is None
    await links.revoke(issued.link_id, actor=staff, now=NOW)
    await links.revoke(issued.link_id, actor=staff, now=NOW)
    with pytest.raises(LinkUnknown) as refusal:
        await links.open_link(issued.token, device_token=opened.device_token, now=NOW)

    assert {*refusals, str(refusal.value)} == {refusals[0]}
    assert await links.actor_of_device(opened.device_token, now=NOW) is None
    assert await AuditEntry.filter(action="streamer_link.revoked").count() == 1


async def test_who_left_is_known_no_more(db: Settings) -> None:
    centre = await a_centre()
    streamer = await a_streamer(centre)
    staff = an_actor(Role.STAFF, centre_id=centre.id)
    issued = await links.issue(streamer.public_id, actor=staff, now=NOW)
    opened = await links.open_link(issued.token, device_token=None, now=NOW)

    await registry.set_status(streamer.public_id, status=StreamerStatus.LEFT, actor=staff, now=NOW)

    assert await links.actor_of_device(opened.device_token, now=NOW) is None
    assert await queries.streamers(centre.id) == []


async def test_links_are_made_by_staff_of_the_centre_and_kept_as_hashes(db: Settings) -> None:
    centre = await a_centre()
    streamer = await a_streamer(centre)
    with pytest.raises(PermissionMissing):
        await links.issue(
            streamer.public_id, actor=an_actor(Role.BUREAU, bureau_id=1, centre_id=centre.id), now=NOW
        )
    with pytest.raises(OutOfScope):
        await links.issue(streamer.public_id, actor=an_actor(Role.STAFF, centre_id=centre.id + 1), now=NOW)
    issued = await links.issue(streamer.public_id, actor=an_actor(Role.STAFF, centre_id=centre.id), now=NOW)

    assert len(issued.token) >= 22  # 128 bits and more
    assert issued.token not in repr(issued)
    row = await StreamerLink.get(id=issued.link_id)
    assert issued.token.encode() not in row.token_hash


async def test_a_phone_number_belongs_to_one_person_and_lies_nowhere_in_the_clear(db: Settings) -> None:
    centre = await a_centre()
    streamer = await a_streamer(centre, phone="+86 139-7791-2345")
    with pytest.raises(PersonKnown):
        await a_streamer(centre, phone=PHONE)

    assert await queries.phone_of(streamer.id) == PHONE
    assert await Person.all().count() == 1
    if db.is_sqlite:
        assert streamer.stage_name.encode() in _on_disk(db)
        assert PHONE.encode() not in _on_disk(db)
    else:
        person = await database.fetch_one("SELECT p.*, p::text AS whole FROM person p")
        assert PHONE not in person["whole"]
        assert PHONE.encode() not in person["phone_sealed"]
    entries = await AuditEntry.all()
    assert not any(PHONE[-8:] in each.detail for each in entries)


def _on_disk(db: Settings) -> bytes:
    """The database file with its journal."""
    return b"".join(file.read_bytes() for file in Path(db.data_dir).glob("livehub.db*"))


async def test_what_is_wrong_with_a_streamer_is_named(db: Settings) -> None:
    centre = await a_centre()
    with pytest.raises(StreamerRefused) as refusal:
        await registry.create(
            " ",
            name="",
            phone="12345",
            centre_id=centre.id,
            actor=an_actor(Role.STAFF, centre_id=centre.id),
            now=NOW,
        )
    assert [each.field for each in refusal.value.details] == ["stage_name", "name", "phone"]
    assert await Streamer.all().count() == 0


async def test_an_account_is_one_streamers(db: Settings) -> None:
    centre = await a_centre()
    await a_streamer(centre, accounts=(("doudian", "555"),))
    with pytest.raises(AccountKnown):
        await a_streamer(centre, accounts=(("doudian", "555"),))
    other = await a_streamer(centre, accounts=(("kuaishou", "555"),), stage_name="阿海")
    shown = await queries.streamer(other.public_id, actor=an_actor(Role.STAFF, centre_id=centre.id))
    assert (shown.stage_name, shown.town) == ("阿海", "侨港镇")
    assert await queries.names([other.id]) == {other.id: "阿海"}
