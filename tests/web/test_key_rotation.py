"""A new key in front, over a real restart: what was sealed opens, who is known stays known, what is new is new."""

from __future__ import annotations

import asyncio
import base64
import sys
import traceback
from typing import NamedTuple

import msgspec
import pytest

from livehub import database, process
from livehub import settings as knobs
from livehub.accounts.actors import Grant, system
from livehub.accounts.models import Role
from livehub.kit import clock, sealing
from livehub.notices import queries as notices
from livehub.notices import sending
from livehub.platforms.models import EndpointSecret
from livehub.settings import Settings
from livehub.vouchers import codes, identity
from livehub.vouchers.identity import ClaimantRef
from streamers import queries as streamers
from tests.conftest import KEYS
from tests.factories.accounts import PASSWORD, a_bureau, a_user
from tests.factories.platforms import an_endpoint
from tests.factories.streamers import a_streamer
from tests.factories.vouchers import NOW, World, a_world
from tests.platforms.doors import DOORS, compact, standard_order
from tests.site import running
from tests.vouchers.test_claims import desks
from tests.web.phones import hidden
from tests.web.senders import Sender, a_sender, kept

PHONE = "13900004321"
NEWER = f"newer:{base64.b64encode(b'n' * 32).decode()}"


async def test_a_new_key_seals_the_old_ones_open_and_nobody_is_forgotten(db: Settings) -> None:
    bureau = await a_bureau()
    centre = await bureau.centre
    user = await a_user(Grant(Role.MANAGER), centre=centre)
    endpoint = await an_endpoint(bureau, platform="standard_webhooks")
    async with running(db) as site:
        page = await site.text("/login")
        form = {"account": user.login, "password": PASSWORD, "csrf": hidden(page, "csrf")}
        async with site.post("/login", data=form) as answer:
            cookies = {name: morsel.value for name, morsel in answer.cookies.items() if morsel.value}
        token = hidden(await site.text("/desk/"), "csrf")
        before = await identity.enter(PHONE, centre_id=centre.id, now=clock.now())

    rotated = msgspec.structs.replace(db, keys=f"{NEWER},{KEYS}")
    async with running(rotated) as site:
        cookie = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
        async with site.get("/desk/", headers=cookie) as answer:
            assert (answer.status, hidden(await answer.text(), "csrf")) == (200, token)
        again = await identity.enter(PHONE, centre_id=centre.id, now=clock.now())
        other = await identity.enter("13900004322", centre_id=centre.id, now=clock.now())
        assert (again, await identity.phone_of(before.id)) == (before, PHONE)
        rows = await database.fetch("SELECT phone_sealed FROM claimant ORDER BY id")
        sealed = [bytes(row["phone_sealed"]) for row in rows]
        assert [each[1 : 1 + each[0]] for each in sealed] == [b"test", b"newer"]
        secret = await EndpointSecret.filter(endpoint_id=endpoint.id).first()
        assert secret is not None
        assert other.id != before.id

    await process.start(msgspec.structs.replace(db, keys=NEWER))  # the old key was thrown away
    with pytest.raises(sealing.KeyMissing):
        await identity.phone_of(before.id)


async def test_an_old_key_may_go_when_all_is_sealed_by_the_newest(db: Settings) -> None:
    """As docs/operations.md tells an operator, while platforms push and people claim."""
    world = await a_world()
    streamer = await a_streamer(await world.bureau.centre, phone="13900004323")
    async with running(db) as site:
        sender = await a_sender(site, DOOR, bureau=world.bureau)
        before = await wrote(db, world, sender, phones=PHONES[:3])

    rotated = msgspec.structs.replace(db, keys=f"{NEWER},{KEYS}")
    async with running(rotated) as site:
        sender.site = site
        told = await livehub(rotated, "reseal", "--check")
        assert told.status == 1
        assert (
            "test is needed by 1 of endpoint_secret.secret_sealed, 1 of endpoint.access_token_sealed"
            in told.err
        )

        writing = asyncio.create_task(wrote(rotated, world, sender, phones=PHONES[3:]))
        resealed = await livehub(rotated, "reseal")
        between = await writing
        assert (resealed.status, resealed.err) == (0, "")
        assert "everything is sealed by newer" in resealed.out
        assert (
            "test seals nothing more, but people are recognised by it: keep it, named pepper" in resealed.out
        )
        checked = await livehub(rotated, "reseal", "--check")
        assert (checked.status, "phone_sealed: 6 by newer\n" in checked.out) == (0, True)
        audited = await database.fetch("SELECT object_id FROM audit_entry WHERE action = 'keys.resealed'")
        assert audited == [{"object_id": "newer"}]

    dropped = msgspec.structs.replace(db, keys=f"{NEWER},pepper:{KEYS.partition(':')[2]}")
    async with running(dropped) as site:
        sender.site = site
        after = await wrote(dropped, world, sender, phones=PHONES[:1])
        assert after.people == before.people[:1]
        for person, phone in zip(before.people + between.people, PHONES, strict=True):
            assert await identity.phone_of(person.id) == phone
        for row in await database.fetch("SELECT public_id, code_sealed, code_index FROM voucher"):
            code = codes.shown(bytes(row["code_sealed"]), voucher=row["public_id"])
            assert codes.index_of(code) == bytes(row["code_index"])
        for body in before.bodies + between.bodies:
            assert await kept(body) == "split"
        assert await streamers.phone_of(streamer.id) == "13900004323"
        seen = (await notices.recent(system("tests"))).items
        assert {each.body for each in seen} == {f"to {phone}" for phone in PHONES}
    assert (await livehub(dropped, "audit")).status == 0


DOOR = next(each for each in DOORS if each.name == "standard_webhooks")
PHONES = [f"139{number:08}" for number in range(5000, 5006)]


class Wrote(NamedTuple):
    people: list[ClaimantRef]
    bodies: list[bytes]


async def wrote(settings: Settings, world: World, sender: Sender, *, phones: list[str]) -> Wrote:
    """Something of all that is sealed, one after the other."""
    people, bodies = [], []
    for phone in phones:
        person = await identity.enter(phone, centre_id=world.bureau.centre_id, now=NOW)
        async with desks(settings) as (desk,):
            await desk.claim(world.link.slug, claimant=person, key="k", now=NOW)
        to = world.bureau.centre_id
        await sending.send(
            "note", centre_id=to, recipient=phone, body=f"to {phone}", dedupe_key=phone, now=NOW
        )
        name = f"{settings.keys[:5]}{phone}"
        body = compact(standard_order(order_id=name))
        assert await sender.send(body, sender.signed(body, message_id=name)) == 200
        people.append(person)
        bodies.append(body)
    return Wrote(people, bodies)


class Ended(NamedTuple):
    status: int
    out: str
    err: str


async def livehub(settings: Settings, *command: str) -> Ended:
    """A command in a process of its own, as an operator runs it."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "livehub", *command),
        env=knobs.environment(settings),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


def test_nothing_that_opens_anything_is_in_a_repr_or_a_traceback() -> None:
    settings = Settings(
        keys=KEYS, metrics_token="metrics-secret", database_url="postgres://livehub:db-secret@db/livehub"
    )
    ring = settings.keyring()
    try:
        ring.open(b"\x04test" + b"x" * 40, place="nowhere")
    except sealing.KeyMissing as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
    told += repr(settings) + str(settings) + repr(ring)

    for secret in (KEYS, KEYS.partition(":")[2], "metrics-secret", "db-secret"):
        assert secret not in told
