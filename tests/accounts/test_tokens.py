"""API tokens: shown once, good until revoked or expired."""

from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts import tokens
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.errors import BadGrant, OutOfScope, PermissionMissing
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import sealing
from livehub.kit.errors import NotFound
from tests.factories.accounts import NOW, a_bureau, a_centre, an_actor


async def test_a_token_is_shown_once_and_stands_for_its_role(db):
    bureau = await a_bureau()
    admin = an_actor(Role.ADMIN, centre_id=bureau.centre_id)

    plain, token = await tokens.create("大屏", Grant(Role.BUREAU, bureau.id), actor=admin, now=NOW)
    actor = await tokens.actor_of_token(plain, now=NOW, ip="198.51.100.7", request_id="r1")

    assert plain.startswith("lh_")
    assert len(plain) == 46
    assert token.token_hash == sealing.token_hash(plain)
    assert actor == Actor(
        kind="token",
        id=token.id,
        name="大屏",
        centre_id=bureau.centre_id,
        grants=(Grant(Role.BUREAU, bureau.id),),
        ip="198.51.100.7",
        request_id="r1",
    )
    stored = [
        value
        for table in ("api_token", "audit_entry")
        for row in await database.fetch(f"SELECT * FROM {table}")
        for value in row.values()
    ]
    assert not any(plain[3:].encode() in (v if isinstance(v, bytes) else str(v).encode()) for v in stored)
    assert (await AuditEntry.get()).action == "token.created"


async def test_a_token_ends_when_it_expires_or_is_revoked(db):
    admin = an_actor(Role.ADMIN, centre_id=(await a_centre()).id)
    plain, token = await tokens.create("ERP", Grant(Role.STAFF), actor=admin, now=NOW)
    brief, _ = await tokens.create(
        "ERP", Grant(Role.STAFF), actor=admin, now=NOW, expires_at=NOW + timedelta(days=1)
    )

    assert await tokens.actor_of_token(brief, now=NOW + timedelta(hours=23))
    assert await tokens.actor_of_token(brief, now=NOW + timedelta(days=1)) is None

    await tokens.revoke(token.public_id, actor=admin, now=NOW)
    await tokens.revoke(token.public_id, actor=admin, now=NOW)
    assert await tokens.actor_of_token(plain, now=NOW) is None
    assert [row.action for row in await AuditEntry.all().order_by("id")] == [
        "token.created",
        "token.created",
        "token.revoked",
    ]


async def test_who_may_not_make_tokens(db):
    centre, other = await a_centre(), await a_centre()
    admin = an_actor(Role.ADMIN, centre_id=centre.id)
    bureau_elsewhere = await a_bureau(other)
    _, token = await tokens.create("ERP", Grant(Role.STAFF), actor=admin, now=NOW)

    with pytest.raises(PermissionMissing):
        await tokens.create(
            "x", Grant(Role.STAFF), actor=an_actor(Role.MANAGER, centre_id=centre.id), now=NOW
        )
    with pytest.raises(OutOfScope):
        await tokens.create("x", Grant(Role.STAFF), actor=admin, now=NOW, centre_id=other.id)
    with pytest.raises(OutOfScope):
        await tokens.revoke(token.public_id, actor=an_actor(Role.ADMIN, centre_id=other.id), now=NOW)
    with pytest.raises(NotFound):
        await tokens.revoke("no-such-token", actor=admin, now=NOW)
    for grant in (
        Grant(Role.ADMIN),
        Grant(Role.BUREAU),
        Grant(Role.BUREAU, bureau_elsewhere.id),
        Grant(Role.STAFF, 1),
    ):
        with pytest.raises(BadGrant):
            await tokens.create("x", grant, actor=admin, now=NOW)


async def test_the_command_line_makes_tokens_of_a_centre(db):
    centre = await a_centre()

    plain, _ = await tokens.create(
        "ERP", Grant(Role.STAFF), actor=system("cli"), now=NOW, centre_id=centre.id
    )

    assert (await tokens.actor_of_token(plain, now=NOW)).centre_id == centre.id


@pytest.mark.parametrize("plain", ["", "lh_", "lh_unknown", "Bearer lh_x", "\x00"])
async def test_what_is_no_token_is_nobody(db, plain):
    assert await tokens.actor_of_token(plain, now=NOW) is None
