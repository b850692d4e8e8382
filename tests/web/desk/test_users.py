"""用户: an account is made in the browser, its first password opens nothing but the way to an own one."""

from __future__ import annotations

import re
from typing import Any

import pytest

from livehub import database
from livehub.accounts import factor_codes, logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import AuditEntry, Membership, Role, SecondFactor, Session, User
from livehub.kit import clock
from tests.factories.accounts import PASSWORD, a_centre, a_user
from tests.factories.merchants import a_merchant
from tests.web.desk.office import Office, Visitor
from tests.web.desk.test_login import enter
from tests.web.phones import hidden, visible

OWN = "Own-words-7-here"


async def made(admin: Visitor, **fields: Any) -> tuple[User, str]:
    """An account, and its first password."""
    given = {"login": "li.hua", "name": "李华", "role": "staff", **fields}
    status, page, _ = await admin.post("/desk/users/new", **given)
    assert status == 200, visible(page)
    found = re.search(r"初始密码\s+((?:\w{4}-){3}\w{4})", visible(page))
    assert found, visible(page)
    return await User.get(login=given["login"]), found[1]


async def test_somebody_new_sets_her_own_password_before_anything_else(office: Office) -> None:
    admin = await office.visitor(Role.ADMIN)

    user, first = await made(admin, role="bureau", bureau=office.house.bureaus[0].public_id)
    status, _, where, _ = await enter(office.site, "li.hua", first)

    assert (status, where, user.must_change) == (303, "/bureau", True)
    for path in ("/bureau", "/desk", "/account", "/wall"):
        async with office.site.get(path) as answer:
            assert (answer.status, answer.headers["Location"]) == (303, "/account/password"), path
    async with office.site.get("/api/v1/me") as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "PASSWORD_CHANGE_NEEDED")
    page = await office.site.text("/account/password")
    assert "设置自己的密码" in visible(page)
    given = {"csrf": hidden(page, "csrf"), "old": first, "password": OWN, "again": OWN}
    async with office.site.post("/account/password", data=given) as answer:
        assert answer.headers["Location"] == "/account?done=password-changed"
    await office.site.text("/bureau/")
    assert (await User.get(id=user.id)).must_change is False
    assert await Membership.filter(user_id=user.id).values_list("role", "bureau_id") == [
        (Role.BUREAU, office.house.bureaus[0].id)
    ]
    told = await database.fetch("SELECT detail FROM audit_entry")
    assert [row for row in told if first in row["detail"] or OWN in row["detail"]] == []


@pytest.mark.parametrize(
    ("fields", "field", "says"),
    [
        ({"login": "李华"}, "login", "账号格式不对"),
        ({"login": ""}, "login", "请填写"),
        ({"name": ""}, "name", "请填写"),
        ({"role": "emperor"}, "role", "选择角色"),
        ({"role": "bureau"}, "bureau", "须指定单位"),
        ({"role": "bureau", "bureau": "nothing"}, "bureau", "没有这个单位"),
        ({"role": "merchant"}, "merchant", "须指定单位"),
        ({"role": "staff", "merchant": "one"}, "merchant", "不指定单位"),
    ],
)
async def test_what_does_not_fit_stands_beside_its_field(
    office: Office, fields: dict[str, str], field: str, says: str
) -> None:
    admin = await office.visitor(Role.ADMIN)
    given = {"login": "li.hua", "name": "李华", "role": "staff", **fields}

    status, page, _ = await admin.post("/desk/users/new", **given)

    assert status == 422
    wrong = re.search(rf'id="{field}-wrong">([^<]*)', page)
    assert wrong, visible(page)
    assert says in wrong[1]
    assert not await User.exists(login="li.hua")


async def test_a_login_that_is_taken_keeps_what_was_typed(office: Office) -> None:
    admin = await office.visitor(Role.ADMIN)
    await a_user(centre=office.house.centre, login="li.hua")

    status, page, _ = await admin.post("/desk/users/new", login="li.hua", name="李华", role="staff")

    assert (status, "这个账号名已被使用" in visible(page), 'value="李华"' in page) == (409, True, True)


async def test_a_cashier_belongs_to_a_merchant_of_this_centre(office: Office) -> None:
    admin, ours = await office.visitor(Role.ADMIN), await a_merchant(office.house.centre)
    theirs = await a_merchant(await a_centre())

    await made(admin, role="merchant", merchant=ours.public_id)
    status, _, _ = await admin.post(
        "/desk/users/new", login="x.y", name="x", role="merchant", merchant=theirs.public_id
    )

    assert await Membership.filter(role=Role.MERCHANT).values_list("merchant_id", flat=True) == [ours.id]
    assert status == 422


async def test_the_list_is_narrowed_by_its_address(office: Office) -> None:
    centre, bureau = office.house.centre, office.house.bureaus[0]
    admin = await office.visitor(Role.ADMIN)
    await a_user(Grant(Role.BUREAU, bureau.id), centre=centre, login="officer.one", name="王五")
    await a_user(Grant(Role.STAFF), centre=centre, login="clerk.two", name="赵六", active=False)
    await a_user(Grant(Role.STAFF), login="far.away")

    async def shown(query: str) -> set[str]:
        page = visible(await admin.page(f"/desk/users/?{query}"))
        return {name for name in ("officer.one", "clerk.two", "far.away") if name in page}

    assert await shown("") == {"officer.one", "clerk.two"}
    assert await shown("q=王") == {"officer.one"}
    assert await shown("role=staff") == {"clerk.two"}
    assert await shown(f"bureau={bureau.public_id}") == {"officer.one"}
    assert await shown("bureau=nothing") == set()
    assert await shown("state=off") == {"clerk.two"}
    assert await shown("state=active") == {"officer.one"}
    assert (await admin.get("/desk/users/?role=emperor"))[0] == 422


async def test_an_administrator_keeps_an_account(office: Office) -> None:
    admin = await office.visitor(Role.ADMIN)
    user = await a_user(Grant(Role.STAFF), centre=office.house.centre, name="李华")
    path = f"/desk/users/{user.public_id}"
    await logins.log_in(user.login, PASSWORD, ip="203.0.113.9", agent="Firefox", now=clock.now())

    page = await admin.page(path)
    assert ("203.0.113.9" in page, "Firefox" in page, "李华" in page) == (False, True, True)
    assert "203.0.113.9" in await (await office.visitor(Role.AUDITOR)).page(path)
    steps = [
        ("/roles", {"role": "finance"}, "role-given"),
        ("/roles/withdraw", {"role": "staff"}, "role-withdrawn"),
        ("/logins/end", {}, "logins-ended"),
        ("/unlock", {}, "user-unlocked"),
        ("/disable", {"reason": "调离"}, "user-disabled"),
        ("/enable", {}, "user-enabled"),
    ]
    for step, fields, done in steps:
        answer = await admin.post(path + step, **fields)
        assert (answer[0], answer[2]) == (303, f"{path}?done={done}"), (step, visible(answer[1]))

    assert await Membership.filter(user_id=user.id).values_list("role", flat=True) == [Role.FINANCE]
    assert await Session.filter(user_id=user.id).count() == 0
    noted = await AuditEntry.filter(object_id=user.public_id, actor_name=admin.name).order_by("id")
    assert [row.action for row in noted] == [
        "user.role_granted",
        "user.role_withdrawn",
        "login.ended_everywhere",
        "user.unlocked",
        "user.deactivated",
        "login.ended_everywhere",
        "user.reactivated",
    ]
    assert '"reason":"调离"' in noted[4].detail


async def test_a_new_password_is_shown_once_and_must_be_changed(office: Office) -> None:
    admin = await office.visitor(Role.ADMIN)
    user = await a_user(Grant(Role.STAFF), centre=office.house.centre)

    status, page, _ = await admin.post(f"/desk/users/{user.public_id}/password")
    found = re.search(r"(?:\w{4}-){3}\w{4}", visible(page))

    assert (status, found is not None) == (200, True)
    assert found
    assert found[0] not in await admin.page(f"/desk/users/{user.public_id}")
    assert (await enter(office.site, user.login))[0] == 401
    assert (await enter(office.site, user.login, found[0]))[0] == 303
    async with office.site.get("/desk") as answer:
        assert answer.headers["Location"] == "/account/password"


async def test_who_mistyped_too_often_is_let_in_again(office: Office) -> None:
    admin = await office.visitor(Role.ADMIN)
    user = await a_user(Grant(Role.STAFF), centre=office.house.centre)
    for _ in range(11):
        await enter(office.site, user.login, "not-her-password")
    assert (await enter(office.site, user.login))[0] == 429

    await admin.post(f"/desk/users/{user.public_id}/unlock")

    assert (await enter(office.site, user.login))[0] == 303


async def test_nobody_changes_her_own_rights_and_the_last_administrator_stays(office: Office) -> None:
    admin = await office.visitor(Role.ADMIN)
    herself = await User.get(name=admin.name)
    path = f"/desk/users/{herself.public_id}"

    for step, fields in (
        ("/roles", {"role": "finance"}),
        ("/roles/withdraw", {"role": "admin"}),
        ("/disable", {"reason": "调离"}),
        ("/password", {}),
        ("/second-factor/reset", {"reason": "丢了"}),
    ):
        status, page, _ = await admin.post(path + step, **fields)
        assert (status, "由另一位管理员操作" in visible(page)) == (403, True), step

    assert await AuditEntry.filter(action="access.refused", actor_id=herself.id).count() == 5
    assert "授予" not in visible(await admin.page(path)).split("最近登录")[0].split("角色")[-1]


async def test_a_lost_authenticator_is_reset_for_a_reason(office: Office) -> None:
    admin = await office.visitor(Role.ADMIN)
    user = await a_user(Grant(Role.STAFF), centre=office.house.centre)
    await SecondFactor.create(
        user_id=user.id, secret_sealed=b"1", created_at=clock.now(), confirmed_at=clock.now()
    )
    await factor_codes.new_codes(user.id)
    path = f"/desk/users/{user.public_id}"

    refused = await admin.post(f"{path}/second-factor/reset", reason="")
    assert (refused[0], 'id="reason-wrong"' in refused[1]) == (422, True)
    assert (await admin.post(f"{path}/second-factor/reset", reason="手机遗失，已当面核实"))[0] == 303

    assert (await factor_codes.of(user.id), await factor_codes.codes_left(user.id)) == (None, 0)
    entry = await AuditEntry.get(action="user.second_factor_reset")
    assert "手机遗失" in entry.detail


async def test_who_may_see_users_and_who_not(office: Office) -> None:
    user = await a_user(Grant(Role.STAFF), centre=office.house.centre)
    path = f"/desk/users/{user.public_id}"
    for role, status in ((Role.MANAGER, 200), (Role.AUDITOR, 200), (Role.STAFF, 403), (Role.BUREAU, 403)):
        visitor = await office.visitor(role)
        assert (await visitor.get("/desk/users/"))[0] == status, role
        assert (await visitor.get(path))[0] == status, role
        assert (await visitor.get("/desk/users/new"))[0] == 403, role
        for step in ("/roles", "/disable", "/enable", "/password", "/unlock", "/logins/end"):
            assert (await visitor.post(path + step, role="finance", reason="没有"))[0] == 403, (role, step)
    assert (await (await office.visitor(Role.ADMIN)).get("/desk/users/nothing"))[0] == 404
