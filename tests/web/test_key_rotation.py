"""A new key in front, over a real restart: what was sealed opens, who is known stays known, what is new is new."""

from __future__ import annotations

import base64
import traceback

import msgspec
import pytest

from livehub import database, process
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock, sealing
from livehub.platforms.models import EndpointSecret
from livehub.settings import Settings
from livehub.vouchers import identity
from tests.conftest import KEYS
from tests.factories.accounts import PASSWORD, a_bureau, a_user
from tests.factories.platforms import an_endpoint
from tests.site import running
from tests.web.phones import hidden

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
