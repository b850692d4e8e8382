"""Accounts and the audit trail over the API: by a login that keeps them, within what each may read."""

from __future__ import annotations

from livehub.accounts import chain
from livehub.accounts.models import Role, User
from livehub.kit import clock
from tests.site import Site
from tests.web.api.callers import a_caller, a_person
from tests.web.api.town import Town


async def test_an_account_from_its_making_to_its_end(town: Town) -> None:
    await an_account_is_kept(town)


async def an_account_is_kept(town: Town) -> None:
    house = town.house
    admin = await a_person(town.site, Role.ADMIN, centre=house.centre)
    bureau = house.bureaus[0]
    wanted = {"login": "li.hua", "name": "李华", "role": "bureau"}

    refused = await admin.post("/users", wanted)
    made = await admin.post("/users", {**wanted, "bureau": bureau.public_id})
    taken = await admin.post("/users", {**wanted, "bureau": bureau.public_id})
    path = f"/users/{made['user']}"
    found = await admin.get("/users", q="李华", role="bureau", bureau=bureau.public_id, active="true")

    assert (refused.status, refused["details"][0]["field"]) == (422, "bureau")
    assert (made.status, taken.status, taken["code"]) == (201, 409, "LOGIN_TAKEN")
    assert [(row["login"], row["must_change"]) for row in found["items"]] == [("li.hua", True)]
    assert found["items"][0]["rights"] == [
        {"role": "bureau", "bureau": {"id": bureau.public_id, "name": bureau.name}, "merchant": None}
    ]
    given = await admin.post(f"{path}/roles", {"role": "finance"})
    left = await admin.post(f"{path}/roles/withdraw", {"role": "bureau", "bureau": bureau.public_id})
    again = await admin.post(f"{path}/password", {})
    assert (len(given["rights"]), [each["role"] for each in left["rights"]]) == (2, ["finance"])
    assert again["password"] != made["password"]
    for step, body, active in (
        ("unlock", {}, True),
        ("logins/end", {}, True),
        ("second-factor/reset", {"reason": "手机遗失"}, True),
        ("disable", {"reason": "调离"}, False),
        ("enable", {}, True),
    ):
        answer = await admin.post(f"{path}/{step}", body)
        assert (answer.status, answer["active"]) == (200, active), step
    assert (await admin.get(path))["second_factor"] is False


async def test_what_is_refused(client: Site, town: Town) -> None:
    centre = town.house.centre
    admin = await a_person(client, Role.ADMIN, centre=centre)
    manager = await a_caller(client, Role.MANAGER, centre_id=centre.id)
    staff = await a_caller(client, Role.STAFF, centre_id=centre.id)
    own = f"/users/{(await User.all().order_by('-id').first()).public_id}"

    answers = [
        await admin.post(f"{own}/roles", {"role": "finance"}),
        await admin.post(f"{own}/disable", {"reason": "调离"}),
        await manager.post(f"{own}/disable", {"reason": "调离"}),
        await manager.get(own),
        await staff.get(own),
        await admin.get("/users/nothing"),
        await admin.post("/users", {"login": "x", "name": "", "role": "emperor"}),
        await admin.get("/audit"),
    ]

    assert [each.status for each in answers] == [403, 403, 403, 200, 403, 404, 422, 403]
    assert answers[0]["code"] == "OWN_ACCOUNT"
    assert [each["field"] for each in answers[6]["details"]] == ["login", "name", "role"]


async def test_the_trail_and_a_chain(town: Town) -> None:
    await the_trail_is_read(town)


async def the_trail_is_read(town: Town) -> None:
    centre = town.house.centre
    auditor = await a_caller(town.site, Role.AUDITOR, centre_id=centre.id)
    today = clock.local_day(clock.now()).isoformat()
    while await chain.chain_tail(clock.now()):
        pass

    rows = await auditor.get("/audit", action="token.", size=5)
    row = rows["items"][0]
    one = await auditor.get(f"/audit/{row['id']}")
    done = await auditor.post("/audit/verify", {"chain": "centre", "since": "2020-01-01", "until": today})
    wrong = await auditor.post("/audit/verify", {"chain": "x", "since": today, "until": today})
    late = await auditor.post("/audit/verify", {"chain": "centre", "since": today, "until": "2020-01-01"})

    assert (one["action"], one["place"]["seq"] > 0, one["detail"]) == (row["action"], True, row["detail"])
    assert (done["wrong"], done["first"], done["last"] > 0) == ([], 1, True)
    assert [each["details"][0]["field"] for each in (wrong, late)] == ["chain", "until"]
    assert [(await auditor.get(f"/audit/{each}")).status for each in ("x", "9" * 30, "999999")] == [404] * 3
