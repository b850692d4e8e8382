"""Every route x everybody x another bureau's object: nothing of it is told, nothing of it changes.

The addresses are the router's own. A route behind a door nobody named, a name in a path that the town does
not know, and a form whose fields nobody listed fail the test, so that a new route says what stands for it.
"""

from __future__ import annotations

import asyncio
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any

import pytest

from livehub import database
from livehub.accounts.models import Role
from livehub.accounts.permissions import RIGHTS
from livehub.merchants.models import Product
from livehub.web import doors, numbering
from tests.web.tenancy.people import Answer, Comer
from tests.web.tenancy.town import ORDER, Town

SELF_TOLD = {"audit_entry", "audit_link", "rate_window", "session", "loop_beat"}  # written by asking itself
TRAILS = ("/desk/trail", "/api/v1/audit")  # what colleagues were refused is told there as they named it
OWN_SUMS = {"/wall", "/wall/events", "/api/v1/wall"}  # a centre's own, for all of its bureaus
REFUSED = (401, 403, 404)
SHARED = {  # a centre's own, for all of its bureaus: they open, and tell nothing that is one bureau's
    "/desk/streamers/<streamer_id:str>",
    "/api/v1/streamers/<streamer_id:str>",
    "/api/v1/streamers/<streamer_id:str>/performance",
    "/desk/products/<product_id:str>",
    "/api/v1/products/<product_id:str>",
}
JOINING = {  # what every merchant of the centre is offered
    "/m/campaigns", "/m/campaigns/<campaign_id:str>/ask", "/api/v1/campaigns/<campaign_id:str>/enrolments/ask",
}  # fmt: skip

pytestmark = pytest.mark.asyncio(loop_scope="module")


def told(town: Town, answer: Answer, *, asked: str = "") -> list[str]:
    """What of ours an answer gives away, beyond what the asking itself named."""
    text = answer.body + answer.headers.get("Location", "")
    return [sign for sign in town.signs if sign in text and sign not in asked]


def may_join(who: Comer, path: str) -> bool:
    """Whether a campaign is offered there to a merchant of the same centre."""
    return path in JOINING and who.role is Role.MERCHANT and who.name.endswith("next door")


def lines(wrong: Iterable[object]) -> str:
    return "\n".join(map(str, wrong))


def alike(answer: Answer, names: Iterable[str]) -> str:
    """An answer without the names that were asked for and what changes each time."""
    text = answer.body.replace(answer.headers[numbering.HEADER], "")
    for name in sorted(names, key=len, reverse=True):
        text = text.replace(name, "…") if len(name) > 3 else text  # a row's number stands everywhere
    return re.sub(r'name="csrf" value="[^"]*"', "", text)


async def contents() -> dict[str, list[tuple[Any, ...]]]:
    """Every row of every table but those that asking itself writes."""
    tables = (
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        if database.dialect() == "sqlite"
        else "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"
    )
    names = {row["name"] for row in await database.fetch(tables)} - SELF_TOLD
    assert len(names) > 40
    rows = {name: await database.fetch(f"SELECT * FROM {name}") for name in names}
    return {name: sorted((tuple(row.values()) for row in found), key=repr) for name, found in rows.items()}


async def noted() -> Counter[tuple[str, int]]:
    """How many refused accesses the trail has of whom."""
    rows = await database.fetch(
        "SELECT actor_kind, actor_id FROM audit_entry WHERE action = 'access.refused' AND result = 'refused'"
    )
    return Counter((row["actor_kind"], row["actor_id"]) for row in rows)


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_anothers_object_is_to_everybody_as_if_it_did_not_exist(town: Town, method: str) -> None:
    await database.execute(
        "DELETE FROM rate_window"
    )  # each of them has more doors than a minute may note twice
    before, tried, wrong = await contents(), await noted(), []
    refused: Counter[tuple[str, int]] = Counter()
    for who in town.strangers:
        for path in town.addresses(method):
            if not who.comes_to(path) or may_join(who, path):
                continue
            body = town.body(path) if method == "POST" else None
            ours, unknown = town.named(path), town.named(path, unknown=True)
            answer = await who.ask(method, ours, body=body)
            other = await who.ask(method, unknown, body=body)
            if path in SHARED and who.centre_id == town.office.house.centre.id and answer.status == 200:
                wrong += [(who.name, path, sign) for sign in told(town, answer, asked=ours)]
                refused[who.actor] += 1
                assert other.status == 404
                continue
            is_shut = answer.status in REFUSED if who.role or answer.status != 303 else is_login(answer)
            same = answer.status == other.status and alike(answer, ours.split("/")) == alike(
                other, unknown.split("/")
            )
            if told(town, answer, asked=ours) or not is_shut or not same:
                wrong.append((who.name, path, answer.status, other.status, told(town, answer, asked=ours)))
            if who.role and who.is_known:
                refused[who.actor] += 2
                if refused[who.actor] % 250 == 0:  # more than are noted of one actor in a minute
                    await database.execute("DELETE FROM rate_window")
    assert not wrong, lines(wrong)
    assert await contents() == before
    assert await noted() - tried == refused  # who tried, each time


def is_login(answer: Answer) -> bool:
    return answer.headers.get("Location", "").startswith("/login")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_every_role_comes_in_where_its_rights_say_and_nowhere_else(town: Town, method: str) -> None:
    needs = {f"/{r.path}": getattr(r.handler, doors.POLICY, None) for r in town.office.site.app.router.routes
             if method in r.methods}  # fmt: skip
    wrong = []
    for who in town.colleagues:
        assert who.role
        for path in town.routes(method):
            _, permissions = needs[path]
            if not permissions or RIGHTS[who.role] & set(permissions):
                continue
            answer = await who.ask(
                method, town.named(path), body=town.body(path) if method == "POST" and "<" in path else None
            )
            if answer.status != 403 or told(town, answer):
                wrong.append((who.name, path, answer.status))
    assert not wrong, lines(wrong)


async def test_no_list_no_filter_and_no_file_tells_of_another_bureau(town: Town) -> None:
    product = await Product.first()
    days = {"from": "2026-03-01", "to": "2026-03-06"}
    names = {**town.ours, "product": product.public_id if product else "-", "q": ORDER, "state": "live"}
    filters = [{**days, name: names[name]} for name in ("bureau", "room", "streamer", "product", "shop", "q")]
    filters += [{**days, "broadcast": town.ours["broadcasts"]}, {**days, "platform": "standard_webhooks"}]
    filters += [{**days, "by": grain} for grain in ("broadcast", "shop", "streamer", "bureau", "product")]
    filters += [{**days, "as_of": "2026-03-04T00:00:00Z"}, {**days, "attribution": "A"}]
    searching = {"bureau next door", "manager elsewhere"}
    lists = [path for path in town.routes("GET") if "<" not in path and path not in OWN_SUMS]
    given_away, meant = [], set()
    for path in lists:
        for who in town.strangers:
            if not who.comes_to(path) or may_join(who, path):
                continue
            machines = who.name.replace("'s machine", "")
            for query in ({}, days, *(filters if machines in searching else ())):
                done = {"result": "ok"} if path.startswith(TRAILS) else {}
                answer = await who.ask("GET", path, params={**query, **done})
                assert answer.status < 500, (who.name, path, query)
                given_away += [
                    (who.name, path, query, sign) for sign in told(town, answer) if sign not in query.values()
                ]
        for query in (days, *filters):
            auditor = next(each for each in town.colleagues if each.role is Role.AUDITOR)
            if told(
                town, await auditor.ask("GET", path, params={k: v for k, v in query.items() if k != "q"})
            ):
                meant.add(path)
    assert not given_away, lines(given_away)
    assert {"/desk/sales", "/desk/sales/lines.csv", "/desk/broadcasts", "/desk/campaigns"} <= meant
    assert {
        f"/api/v1/{each}" for each in ("sales/figures", "sales/lines", "broadcasts", "campaigns")
    } <= meant


async def test_bureaus_of_a_centre_see_that_a_room_is_taken_and_by_whom_and_no_more(town: Town) -> None:
    window = {"from": "2026-03-02T00:00:00+08:00", "to": "2026-03-05T00:00:00+08:00"}
    ours = town.office.house.bureaus[0].name
    for name, sees in {"bureau's machine next door": True, "bureau's machine elsewhere": False}.items():
        who = town.stranger(name)
        answer = await who.ask("GET", "/api/v1/timeline", params=window)
        assert answer.status == 200, answer
        assert (ours in answer.body) is sees
        assert told(town, answer) == []


async def test_streams_tell_each_centre_its_own(town: Town) -> None:
    for path, name, opens in (
        ("/wall/events", "manager elsewhere", True),
        ("/wall/events", "bureau elsewhere", True),
        ("/wall/events", "merchant next door", False),
        ("/wall/events", "nobody", False),
        ("/s/live", "streamer elsewhere", False),
        ("/s/live", "nobody", False),
    ):
        who = town.stranger(name)
        headers = {"Cookie": "; ".join(f"{key}={value}" for key, value in who.cookies.items())}
        async with who.http.get(path, headers=headers, allow_redirects=False) as answer:
            assert (answer.status == 200) is opens, (path, name, answer.status)
            seen = (await asyncio.wait_for(_first_event(answer), 10)) if opens else await answer.text()
        assert [sign for sign in town.signs if sign in seen] == []


async def _first_event(answer: Any) -> str:
    seen = ""
    while "data:" not in seen or not seen.endswith("\n\n"):
        seen += (await answer.content.readany()).decode()
    return seen


async def test_nobody_acts_on_anothers_object_by_naming_it_in_a_form(town: Town) -> None:
    """Names in bodies lead as far as names in addresses do: nowhere."""
    ours = town.ours
    booking = {
        "room": ours["room"],
        "title": "别人的",
        "starts_at": "2026-03-04T14:00:00+08:00",
        "minutes": 60,
    }
    theirs = {**booking, "streamer": ours["streamer"]}
    form = {
        **booking,
        "starts_at": "2026-03-04T14:00",
        "streamer": ours["streamer"],
        "bureau": ours["bureau"],
    }
    campaign = {"name": "x", "issuer_name": "x", "budget_fen": 1000, "bureau": ours["bureau"]}
    tap = {"code": ours["code"], "order_fen": 20_000, "phone_tail": "7789"}
    before, done = await contents(), []
    elsewhere = town.theirs.public_id
    drop = {"template": ours["template"], "quantity": 1}
    for name, path, body in (
        ("manager elsewhere", f"/api/v1/broadcasts/{elsewhere}/drops", {**drop, "window_s": 60}),
        ("manager elsewhere", f"/desk/broadcasts/{elsewhere}/drops", {**drop, "minutes": "5"}),
        ("manager elsewhere", f"/desk/broadcasts/{elsewhere}/drops/{ours['drop']}/open", {}),
        ("manager elsewhere", f"/desk/broadcasts/{elsewhere}/streamer-link/{ours['link_id']}/revoke", {}),
        ("bureau next door", "/api/v1/bookings", {**theirs, "bureau": ours["bureau"]}),
        ("bureau next door", "/api/v1/campaigns", campaign),
        ("bureau elsewhere", "/api/v1/bookings", theirs),
        ("bureau elsewhere", "/api/v1/bookings/check", theirs),
        ("manager elsewhere", "/api/v1/bookings", {**theirs, "bureau": ours["bureau"]}),
        ("manager elsewhere", "/bureau/bookings", form),
        ("manager elsewhere", "/api/v1/campaigns", campaign),
        ("manager elsewhere", "/desk/bookings/approve", {"chosen": f"{ours['bookings']}:1"}),
        ("merchant next door", "/api/v1/redemptions", {**tap, "merchant": ours["merchant"]}),
        ("merchant next door", "/api/v1/redemptions", {**tap, "store": ours["store"]}),
        ("streamer next door", "/s/start", {"broadcast": ours["broadcasts"]}),
        ("streamer next door", "/s/end", {"broadcast": ours["broadcasts"]}),
        ("streamer next door", "/s/cues", {"cue": ours["cue"]}),
        ("streamer next door", "/s/drops", {"template": ours["drop"], "quantity": "1"}),
        ("streamer elsewhere", "/s/end", {"broadcast": ours["broadcasts"]}),
        ("streamer elsewhere", "/s/cues", {"cue": ours["cue"]}),
    ):
        answer = await town.stranger(name).ask("POST", path, body=body)
        if not 400 <= answer.status < 500 or told(town, answer):
            done.append((name, path, answer.status, told(town, answer)))
    assert not done, lines(done)
    assert await contents() == before


async def test_codes_of_another_merchants_campaign_count_as_wrong(town: Town) -> None:
    """The till of a merchant outside the campaign learns nothing of a voucher, and uses nothing of it."""
    ours = town.ours["code"]
    tries = [
        (name, code) for name in ("merchant next door", "merchant elsewhere") for code in (ours, "0" * 16)
    ]
    answers = [
        await town.stranger(name).ask(
            "POST",
            "/m/redeem",
            body={"code": code, "amount": "200.00", "phone_tail": "7789", "key": code[:9]},
        )
        for name, code in tries
    ]
    assert {each.status for each in answers} <= {404, 409, 422}
    rows = await database.fetch("SELECT state FROM voucher WHERE public_id = $1", town.ours["voucher"])
    assert [row["state"] for row in rows] == ["issued"]


async def test_a_claimant_sees_her_own_vouchers_only(town: Town) -> None:
    for name in ("nobody", "claimant", "claimant elsewhere"):
        for path in (f"/c/{town.ours['slug']}/mine", "/c/mine"):
            answer = await town.stranger(name).ask("GET", path, params={"show": town.ours["voucher"]})
            assert answer.status in (200, 401), (name, path)
            assert not {PART for PART in (town.ours["code"], town.ours["voucher"]) if PART in answer.body}


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_the_same_addresses_open_to_those_whose_they_are(town: Town, method: str) -> None:
    """Else the tests above would be content with addresses that open to nobody. It changes the town: the last."""
    shut = set()
    for path in town.addresses(method):
        statuses = []
        for who in town.colleagues:
            answer = await who.ask(
                method, town.named(path), body=town.body(path) if method == "POST" else None
            )
            statuses.append(answer.status)
            assert answer.status < 500, (path, answer)
        if all(status in REFUSED for status in statuses):
            shut.add(path)
    assert not shut, lines(shut)
