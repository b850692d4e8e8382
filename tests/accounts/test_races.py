"""Two administrators, two processes: one login, one role, one link for each entry."""

from __future__ import annotations

from livehub import database
from livehub.accounts import audit, chain, second_factor, users
from livehub.accounts.actors import Grant, system
from livehub.accounts.models import AuditEntry, Membership, Role, SecondFactor, User
from livehub.settings import Settings
from tests.contention import kinds, meet
from tests.factories.accounts import NOW, PASSWORD, a_centre, a_user, an_actor


async def test_a_login_is_given_once(db: Settings) -> None:
    centre = await a_centre()
    admin = system("tests", centre_id=centre.id)

    answers = await meet(
        db,
        "LOCK TABLE user_account IN SHARE MODE",
        *[
            lambda: users.create_user(
                "zhangsan", PASSWORD, name="张三", centre_id=centre.id, actor=admin, now=NOW
            )
        ]
        * 2,
    )

    assert kinds(answers) == ["LoginTaken", "User"]
    assert await User.all().count() == 1


async def test_a_role_given_twice_at_once_is_held_and_noted_once(db: Settings) -> None:
    user = await a_user()
    admin = system("tests", centre_id=user.centre_id)

    answers = await meet(
        db,
        "LOCK TABLE membership IN SHARE MODE",
        *[lambda: users.grant_role(user, Grant(Role.STAFF), actor=admin, now=NOW)] * 2,
    )

    assert kinds(answers) == ["NoneType", "NoneType"]
    assert await Membership.all().count() == 1
    assert await AuditEntry.filter(action="user.role_granted").count() == 1


async def test_two_administrators_who_switch_each_other_off_leave_one(db: Settings) -> None:
    centre = await a_centre()
    first, second = [await a_user(Grant(Role.ADMIN), centre=centre) for _ in range(2)]
    by = [an_actor(Role.ADMIN, centre_id=centre.id, user_id=each.id) for each in (first, second)]

    answers = await meet(
        db,
        "LOCK TABLE user_account IN SHARE MODE",
        lambda: users.deactivate(first, actor=by[1], now=NOW),
        lambda: users.deactivate(second, actor=by[0], now=NOW),
    )

    assert kinds(answers) == ["LastAdmin", "NoneType"]
    assert await User.filter(active=True).count() == 1


async def test_a_second_factor_is_begun_once(db: Settings) -> None:
    user = await a_user()
    self = an_actor(Role.STAFF, centre_id=user.centre_id, user_id=user.id)

    answers = await meet(
        db, "LOCK TABLE second_factor IN SHARE MODE", *[lambda: second_factor.begin(self, now=NOW)] * 2
    )

    assert set(kinds(answers)) <= {"NoneType", "SecondFactorOn"}
    assert await SecondFactor.all().count() == 1


async def test_two_processes_link_each_entry_once(db: Settings) -> None:
    async with database.transaction():
        for _ in range(9):
            await audit.write("x", actor=system("tests"), now=NOW, bureau_id=7)

    answers = await meet(
        db, "LOCK TABLE audit_link IN SHARE MODE", *[lambda: chain.chain_tail(NOW, limit=5)] * 2
    )

    assert kinds(answers) == ["int", "int"]
    while await chain.chain_tail(NOW):
        pass
    links = await database.fetch("SELECT seq, entry_id FROM audit_link ORDER BY id")
    assert [row["seq"] for row in links] == list(range(1, 10))
    assert len({row["entry_id"] for row in links}) == 9
    assert await chain.verify(7) == []
