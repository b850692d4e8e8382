"""Centres, bureaus, users and their roles; each step leaves its entry."""

import pytest

from livehub import database
from livehub.accounts import logins, queries, refusals, users
from livehub.accounts.actors import Grant, system
from livehub.accounts.errors import (
    BadGrant,
    LoginTaken,
    OutOfScope,
    OwnAccount,
    PermissionMissing,
    SamePassword,
    WeakPassword,
    WrongLogin,
)
from livehub.accounts.models import AuditEntry, Membership, Role, User
from livehub.kit.errors import Invalid, NotFound
from tests.factories.accounts import NOW, PASSWORD, a_bureau, a_centre, a_user, an_actor

ROOT = system("cli")


async def actions():
    return [row.action for row in await AuditEntry.all().order_by("id")]


async def test_from_an_empty_node_to_an_officer_who_logs_in(db):
    centre = await users.create_centre("北海直播消费促进中心", city="北海", actor=ROOT, now=NOW)
    bureau = await users.create_bureau(
        "乡村振兴局", kind="rural_revitalization", centre_id=centre.id, actor=ROOT, now=NOW
    )

    await users.create_user(
        "Wang.Wu",
        PASSWORD,
        name="王五",
        centre_id=centre.id,
        actor=ROOT,
        now=NOW,
        grants=[Grant(Role.BUREAU, bureau.id)],
    )
    token, _ = await logins.log_in("wang.wu", PASSWORD, ip="198.51.100.7", agent="", now=NOW)

    assert (await logins.actor_of(token, now=NOW)).bureaus() == {bureau.id}
    assert [(b.name, b.kind) for b in await queries.bureaus(centre.id)] == [
        ("乡村振兴局", "rural_revitalization")
    ]
    assert await queries.centres() == [centre]
    assert await queries.centre(centre.id) == centre
    assert await actions() == [
        "centre.created",
        "bureau.created",
        "user.created",
        "user.role_granted",
        "login.succeeded",
    ]


async def test_refused_users_leave_nothing(db):
    centre, elsewhere = await a_centre(), await a_bureau()
    await a_user(centre=centre, login="taken")
    admin = an_actor(Role.ADMIN, centre_id=centre.id)

    async def create(login, password=PASSWORD, grants=(), actor=admin, centre_id=centre.id):
        await users.create_user(
            login, password, name="王五", centre_id=centre_id, actor=actor, now=NOW, grants=grants
        )

    with pytest.raises(LoginTaken):
        await create("TAKEN")
    with pytest.raises(Invalid):
        await create("王五")
    with pytest.raises(WeakPassword):
        await create("wangwu", "wangwu1234")
    for grant in (
        Grant(Role.BUREAU),
        Grant(Role.BUREAU, elsewhere.id),
        Grant(Role.MERCHANT),
        Grant(Role.STAFF, 0, 3),
    ):
        with pytest.raises(BadGrant):
            await create("wangwu", grants=[Grant(Role.STAFF), grant])
    with pytest.raises(PermissionMissing):
        await create("wangwu", actor=an_actor(Role.MANAGER, centre_id=centre.id))
    with pytest.raises(OutOfScope):
        await create("wangwu", centre_id=elsewhere.centre_id)
    with pytest.raises(PermissionMissing):
        await users.create_centre("x", city="x", actor=admin, now=NOW)
    with pytest.raises(Invalid):
        await users.create_bureau("x", kind="navy", centre_id=centre.id, actor=admin, now=NOW)

    assert await User.all().count() == 1
    assert await Membership.all().count() == 0
    assert await actions() == []


async def test_create_user_is_a_part_of_a_larger_transaction(db):
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            centre = await users.create_centre("x", city="x", actor=ROOT, now=NOW)
            await users.create_user("wangwu", PASSWORD, name="王五", centre_id=centre.id, actor=ROOT, now=NOW)
            raise ZeroDivisionError

    assert (await User.all().count(), await actions()) == (0, [])


async def test_roles_come_and_go_once(db):
    user = await a_user()
    admin = an_actor(Role.ADMIN, centre_id=user.centre_id)

    for _ in range(2):
        await users.grant_role(user, Grant(Role.MERCHANT, 0, 9), actor=admin, now=NOW)
    held = await Membership.all().values_list("role", "merchant_id")
    for _ in range(2):
        await users.withdraw_role(user, Grant(Role.MERCHANT, 0, 9), actor=admin, now=NOW)

    assert held == [(Role.MERCHANT, 9)]
    assert await Membership.all().count() == 0
    assert await actions() == ["user.role_granted", "user.role_withdrawn"]


async def test_nobody_raises_or_removes_themselves(db):
    user = await a_user(Grant(Role.ADMIN))
    self = an_actor(Role.ADMIN, centre_id=user.centre_id, user_id=user.id)

    for verb in (users.grant_role, users.withdraw_role):
        with pytest.raises(OwnAccount):
            await verb(user, Grant(Role.FINANCE), actor=self, now=NOW)
    with pytest.raises(OwnAccount):
        await users.deactivate(user, actor=self, now=NOW)


async def test_a_new_password_ends_every_login(db):
    user = await a_user(login="zhangsan")
    admin = an_actor(Role.ADMIN, centre_id=user.centre_id)
    token, _ = await logins.log_in("zhangsan", PASSWORD, ip="", agent="", now=NOW)

    await users.set_password(user, "Another-password-7", actor=admin, now=NOW)

    assert await logins.actor_of(token, now=NOW) is None
    assert (await logins.log_in("zhangsan", "Another-password-7", ip="", agent="", now=NOW))[0]


async def test_ones_own_password_needs_the_old_one(db):
    user = await a_user(login="zhangsan")
    self = an_actor(Role.STAFF, centre_id=user.centre_id, user_id=user.id)

    with pytest.raises(WrongLogin):
        await users.change_password(user, "Another-password-7", old="guess", actor=self, now=NOW)
    with pytest.raises(PermissionMissing):
        await users.change_password(
            user, "Another-password-7", old=PASSWORD, actor=an_actor(Role.ADMIN), now=NOW
        )
    await users.change_password(user, "Another-password-7", old=PASSWORD, actor=self, now=NOW)

    assert (await logins.log_in("zhangsan", "Another-password-7", ip="", agent="", now=NOW))[0]


async def test_an_account_goes_off_and_on(db):
    user = await a_user(login="zhangsan")
    admin = an_actor(Role.ADMIN, centre_id=user.centre_id)

    await users.deactivate(user, actor=admin, now=NOW)
    await users.deactivate(user, actor=admin, now=NOW)
    await users.reactivate(user, actor=admin, now=NOW)

    assert (await logins.log_in("zhangsan", PASSWORD, ip="", agent="", now=NOW))[0]
    assert (await actions())[:3] == ["user.deactivated", "login.ended_everywhere", "user.reactivated"]


async def test_users_are_listed_and_found_within_the_centre(db):
    bureau = await a_bureau()
    centre = await bureau.centre
    await a_user(
        Grant(Role.BUREAU, bureau.id), Grant(Role.FINANCE), centre=centre, login="b.wang", name="王五"
    )
    mine = await a_user(centre=centre, login="a.zhang", name="张三")
    theirs = await a_user(login="c.li", name="李四")
    admin = an_actor(Role.ADMIN, centre_id=centre.id)

    page = await queries.users(admin)
    found = await queries.users(admin, search="王")

    assert [(row.login, row.name, row.grants) for row in page.items] == [
        ("a.zhang", "张三", ()),
        ("b.wang", "王五", (Grant(Role.BUREAU, bureau.id), Grant(Role.FINANCE))),
    ]
    assert (page.total, page.pages, [row.login for row in found.items]) == (2, 1, ["b.wang"])
    assert await users.by_public_id(mine.public_id, actor=admin) == mine
    for public_id, error in ((theirs.public_id, OutOfScope), ("nothing", NotFound)):
        with pytest.raises(error):
            await users.by_public_id(public_id, actor=admin)
    with pytest.raises(PermissionMissing):
        await queries.users(an_actor(Role.STAFF, centre_id=centre.id))


async def test_refused_accesses_are_written_down_and_other_errors_are_not(db):
    officer = an_actor(Role.BUREAU, bureau_id=7)

    noted = [
        await refusals.note(error, actor=officer, asked="desk.inbox", now=NOW)
        for error in (OutOfScope(), PermissionMissing(data={"permission": "inbox.read"}), NotFound())
    ]

    assert noted == [True, True, False]
    assert [
        (row.result, row.actor_id, row.ip, row.detail) for row in await AuditEntry.all().order_by("id")
    ] == [
        ("refused", officer.id, "198.51.100.7", '{"asked":"desk.inbox","why":"OutOfScope","named":{}}'),
        (
            "refused",
            officer.id,
            "198.51.100.7",
            '{"asked":"desk.inbox","why":"PermissionMissing","named":{},"permission":"inbox.read"}',
        ),
    ]


async def test_a_change_that_began_before_an_administrators_does_not_undo_it(db):
    user = await a_user()
    herself = an_actor(Role.STAFF, centre_id=user.centre_id, user_id=user.id)
    admin = an_actor(Role.ADMIN, centre_id=user.centre_id, user_id=user.id + 1)
    in_flight = await User.get(id=user.id)

    await users.set_password(user, "rescued-by-admin-2026", actor=admin, now=NOW, must_change=True)
    with pytest.raises(WrongLogin):
        await users.change_password(in_flight, "thief-wants-this-2026", old=PASSWORD, actor=herself, now=NOW)

    assert (await User.get(id=user.id)).must_change
    await logins.log_in(user.login, "rescued-by-admin-2026", ip="", agent="", now=NOW)


async def test_the_same_password_in_wide_letters_is_the_same(db):
    user = await a_user()
    wide = "".join(chr(ord(each) + 0xFEE0) if "!" <= each <= "~" else each for each in PASSWORD)

    with pytest.raises(SamePassword):
        await users.change_password(
            user,
            wide,
            old=PASSWORD,
            actor=an_actor(Role.STAFF, centre_id=user.centre_id, user_id=user.id),
            now=NOW,
        )
