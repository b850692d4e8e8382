"""The spine's story told by machines: campaign, drop, claim, redemption, order, and each number's evidence.

Every call of the document is made at least once, and every answer is one that the document allows.
"""

from __future__ import annotations

import asyncio
import base64
from datetime import timedelta
from hashlib import sha256
from typing import Any

from livehub import database
from livehub.accounts.actors import system
from livehub.accounts.models import Role
from livehub.inbox.models import InboxMessage, MessageStatus
from livehub.kit import clock
from livehub.orders import intake
from livehub.vouchers import enrolments
from livehub.vouchers.models import Campaign, Redemption, Round, Voucher, VoucherState
from tests.factories.accounts import a_bureau
from tests.factories.differences import a_difference
from tests.factories.statements import a_file, a_row
from tests.web.api import before_air, paying_back, test_catalogue, test_lotteries, test_sharing, test_users
from tests.web.api.callers import Caller, a_caller, a_person, document
from tests.web.api.test_reports import tell_reports
from tests.web.api.test_training import tell_a_class
from tests.web.api.town import (
    PHONE,
    Town,
    a_campaign,
    a_live_broadcast,
    a_round,
    a_running_campaign,
    a_spare_wish,
    a_voucher,
    follow,
    push,
)


async def what_differs_is_explained(town: Town) -> None:
    """平台对账: the shops, a shop's days, its differences, and saying why."""
    await a_difference(town.shop)
    (shop,) = (await town.officer.get("/reconciliation/shops"))["items"]
    assert (shop["why_not"], shop["differences_open"]) == ("no_list", 1)
    (day,) = (await town.officer.get(f"/reconciliation/shops/{shop['shop']}/days"))["items"]
    assert (day["amount"], day["open"]) == (1, 1)
    days = f"/reconciliation/shops/{shop['shop']}/days"
    assert (await town.officer.get(days, to="0001-01-05")).status == 422
    assert (await town.officer.get("/reconciliation/differences", status="closed"))["total"] == 0
    (difference,) = (await town.officer.get("/reconciliation/differences", kind="amount"))["items"]
    path = f"/reconciliation/differences/{difference['id']}/explain"
    said = {"reason": "price_changed", "note": "客服确认平台改过价"}
    assert (await town.officer.post(path, said)).status == 403
    assert (await town.manager.post(path, {**said, "reason": "none"})).status == 422
    assert (await town.manager.post(path, said))["status"] == "explained"
    assert (await town.manager.post(path, said)).status == 409


async def months_accounts_and_words(town: Town, order: Any, broadcast: str) -> None:
    """核对与关账, 开播账号 and 人工认定."""
    today = clock.local_day(clock.now())
    period = await town.auditor.get("/periods", month=today.year * 100 + today.month)
    assert (period["closing"], period["adjustments"], period["days"][0]["state"]) == (None, [], "provisional")
    assert (await town.officer.get("/periods", month=202001)).status == 403
    span = {"from": "2020-01-01", "to": "2020-01-31"}
    assert (await town.manager.post("/periods/reconcile", span)).status == 403
    assert (await town.finance.post("/periods/reconcile", span)).body == {"days": 0}
    span["to"] = today.isoformat()
    assert (await town.finance.post("/periods/reconcile", span))["code"] == "DAY_NOT_OVER"
    assert (await town.manager.post("/periods/close", {"month": 202001})).status == 403
    closed = await town.finance.post("/periods/close", {"month": 202001})
    assert (closed["closing"]["numerator"], len(closed["closing"]["sha256"])) == (0, 64)
    assert (await town.finance.post("/periods/close", {"month": 202001}))["code"] == "MONTH_CLOSED"

    path, account = (
        f"/shops/{town.shop.public_id}/accounts",
        {"platform": "standard_webhooks", "account_ref": "A-1"},
    )
    assert (await town.officer.get(path)).status == 403
    assert (await town.manager.get(path))["accounts"] == []
    made = await town.manager.post(f"{path}/bind", account)
    assert made["accounts"] == [{**account, "streamer": made["accounts"][0]["streamer"]}]
    assert made["judging"] == [{**account, "orders": 0}]
    assert (await town.manager.post(f"{path}/bind", {**account, "account_ref": "nobody's"})).status == 422
    assert (await town.manager.post(f"{path}/unbind", account))["accounts"] == []

    line = {"shop": order["shop"], "order_ref": order["order_ref"], "line_ref": order["lines"][0]["line_ref"]}
    given = {"lines": [line], "broadcast": broadcast, "reason": "核对小票"}
    assert (await town.auditor.post("/line-assignments", given)).status == 403
    assert (await town.manager.post("/line-assignments", given)).body == {"lines": 1}
    assert (await town.manager.post("/line-assignments", given)).body == {"lines": 0}
    assert (await town.manager.post("/line-assignments", {**given, "broadcast": "none"})).status == 422
    back = {"lines": [line], "reason": "认错了"}
    assert (await town.manager.post("/line-assignments/take-back", back)).body == {"lines": 1}
    words = await town.auditor.get(f"/orders/{order['shop']}/{order['order_ref']}/assignments")
    assert [(each["broadcast"], each["counts"]) for each in words["items"]] == [
        ("", True),
        (broadcast, False),
    ]


async def test_every_call_of_the_document_works(town: Town) -> None:
    Caller.called.clear()
    campaign, round_id, template = await a_running_campaign(town)
    broadcast = await a_live_broadcast(town)
    now = clock.now()

    # Vouchers: a drop on the streamer's link, one claim, one redemption.
    bound = {"platform": "standard_webhooks", "account_ref": "A-1", "room_ref": "R-2"}
    assert (await town.manager.post(f"/broadcasts/{broadcast}/rooms", bound)).body == bound
    planned = await town.manager.post(
        f"/broadcasts/{broadcast}/drops", {"template": template, "quantity": 200, "window_s": 600}
    )
    opened = await town.manager.post(f"/drops/{planned['id']}/open", {"quantity": 150})
    link = await town.officer.post(f"/rounds/{round_id}/links", {"quota": 50})
    await enrol_and_change_the_budget(town, campaign)
    voucher, code = await a_voucher(town, link["slug"])
    till = {"code": code, "order_fen": 32_600, "phone_tail": PHONE[-4:], "receipt_no": "A-17"}
    redeemed = await town.cashier.post("/redemptions", till, Idempotency_Key="tap-1")
    again = await town.cashier.post("/redemptions", till, Idempotency_Key="tap-1")
    closed = await town.manager.post(f"/drops/{planned['id']}/close")

    assert (opened["state"], opened["quantity"], closed["state"]) == ("open", 150, "closed")
    assert link["url"].endswith(f"/c/{link['slug']}")
    assert (redeemed.status, redeemed["voucher"], redeemed["subsidy_fen"]) == (201, voucher, 2000)
    assert redeemed["paid_fen"] == 30_600
    assert (again.status, again["id"], again["hit"]) == (200, redeemed["id"], True)
    other = await town.cashier.post("/redemptions", till, Idempotency_Key="tap-2")
    assert (other.status, other["code"]) == (409, "ALREADY_USED")

    metrics = await town.officer.get(f"/campaigns/{campaign}/metrics")
    ledger = await follow(town.finance, metrics["evidence_url"])
    assert (metrics["funnel"]["claimed"], metrics["funnel"]["redeemed"]) == (1, 1)
    headline = {"numerator": 32_600, "denominator": 2000, "value": "16.3000", "reason": ""}
    assert metrics["leverage"]["leverage_after_refunds"] == headline
    assert metrics["redemption_rate_of_claimed"]["by_value"]["value"] == "1.0000"
    none = {"numerator": 0, "denominator": 0, "value": None, "reason": "尚无到期的券"}
    assert metrics["redemption_rate_matured"]["by_count"] == none
    assert (ledger["is_balanced"], ledger["unit"]) == (True, "fen")
    assert {"fund", "allocate", "claim", "redeem"} <= {each["kind"] for each in ledger["items"]}
    assert {row["redemption"] for row in ledger["items"] if row["kind"] == "redeem"} == {redeemed["id"]}

    # Sales: a signed order of the ERP in the broadcast's room, and the redemption's own order.
    delivery = await push(town, "ERP-1", room_ref="R-2")
    figures = await town.auditor.get("/sales/figures", by="broadcast", basis="G3")
    total, rows = figures["total"], {row["key"]: row for row in figures["rows"]}
    assert (total["numerator"], total["orders"], total["pending"]) == (25_000 + 32_600, 2, 0)
    assert (rows[broadcast]["numerator"], rows["-"]["numerator"]) == (25_000, 32_600)
    lines = await follow(town.auditor, rows[broadcast]["evidence_url"])
    assert lines["numerator"] == sum(each["numerator"] for each in lines["items"]) == 25_000
    order = await follow(town.auditor, lines["items"][0]["evidence_url"])
    assert (order["order_ref"], order["g2_fen"]) == ("ERP-1", 25_000)
    message = await follow(town.auditor, order["entries"][0]["evidence_url"])
    assert (message["message"]["verdict"], message["entries"]) == ("signed", 1)
    assert message["message"]["delivery"] == str(delivery)
    bridge = await town.auditor.get("/sales/bridge")
    steps = {each["term"]: each for each in bridge["steps"]}
    assert not any(each["difference"] for each in bridge["equations"])
    assert steps["G0"]["numerator"] == steps["G3"]["numerator"] == 57_600
    assert (await follow(town.auditor, steps["G0"]["evidence_url"]))["numerator"] == 57_600
    raw = await town.auditor.get(f"/inbox/deliveries/{message['message']['delivery']}")
    assert (raw["verdict"], len(raw["sha256"]), raw["is_erased"]) == ("signed", 64, False)

    # A statement of the platform, and what does not agree.
    by_hand = {"name": "4月.csv", "shop": town.shop.public_id, "source": "generic"}
    file = base64.b64encode(a_file([a_row("ERP-1", "249.20"), a_row("ERP-7", "1")])).decode()
    looked = await town.finance.post("/statements", {**by_hand, "content_base64": file})
    path = f"/statements/{looked['statement']['id']}"
    assert (looked.status, looked["statement"]["rows"], looked["matched"]) == (201, 2, 0)
    taken = await town.finance.post(f"{path}/import")
    assert (taken["matched"], taken["settled_fen"]) == (1, 24_920)
    assert (await town.finance.post(f"{path}/import"))["code"] == "STATEMENT_ALREADY_IMPORTED"
    assert (await town.auditor.get(path)).body == taken.body
    assert (await town.auditor.get("/statements", shop=town.shop.public_id))["total"] == 1
    found = await town.auditor.get("/statement-differences", state="open")
    assert {each["kind"]: each["difference_fen"] for each in found["items"]} == {
        "not_found": 100,
        "differs": -80,
    }
    explain = f"/statement-differences/{found['items'][0]['id']}/explain"
    assert (await town.auditor.post(explain, {"reason": "平台扣了"})).status == 403
    assert (await town.finance.post(explain, {"reason": "平台扣了"})).status == 200
    assert (await town.finance.post(explain, {"reason": "平台扣了"}))["code"] == "WRONG_STATE"

    await months_accounts_and_words(town, order, broadcast)

    # The inbox: found by its order, replayed once it is stuck.
    found = await town.auditor.get(
        "/inbox/messages", q="ERP-1", status="applied", platform="standard_webhooks"
    )
    (seen,) = found["items"]
    path = f"/inbox/messages/{seen['id']}"
    assert (seen["order_ref"], seen["shop"]) == ("ERP-1", town.shop.public_id)
    assert (await town.manager.post(f"{path}/replay", {"why": "再看一次"}))["code"] == "NOT_REPLAYABLE"
    await InboxMessage.filter(id=int(seen["id"])).update(status=MessageStatus.PARKED, reason="identity")
    replayed = await town.manager.post(f"{path}/replay", {"why": "映射已修正"})
    assert (replayed["message"]["status"], replayed["replays"][0]["why"]) == ("received", "映射已修正")
    await intake.run_once(now=clock.now(), lease_seconds=30)
    assert (await town.auditor.get("/sales/figures"))["total"]["numerator"] == 57_600

    # The rest.
    wall = await town.officer.get("/wall")
    assert wall["board"]["today"]["g3_fen"] == 57_600
    assert (await follow(town.auditor, wall["evidence_url"]))["numerator"] == 57_600
    page = await town.officer.get(f"/broadcasts/{broadcast}")
    assert page["platform_rooms"][-1] == bound
    listed = await town.officer.get("/broadcasts", state="live", size=1)
    assert [each["id"] for each in listed["items"]] == [broadcast]
    window = {"from": now.isoformat(), "to": (now + timedelta(hours=3)).isoformat()}
    assert len((await town.officer.get("/timeline", **window))["taken"]) == 1
    assert (await town.manager.post(f"/broadcasts/{broadcast}/end"))["state"] == "ended"
    review = await town.officer.get(f"/broadcasts/{broadcast}/reviews")
    assert [each["state"] for each in review["stages"]] == ["not_due"] * 3
    assert (await follow(town.auditor, review["now"]["evidence_url"]))["numerator"] == 25_000
    for verb, state in (("pause", "paused"), ("resume", "running")):
        assert (await town.officer.post(f"/campaigns/{campaign}/{verb}"))["state"] == state
    assert (await town.officer.post(f"/rounds/{round_id}/close"))["state"] == "closed"
    assert (await town.officer.get(f"/campaigns/{campaign}"))["rounds"][0]["state"] == "closed"
    assert (await town.officer.get("/campaigns"))["items"][0]["leverage"]["leverage_gross"][
        "denominator"
    ] == 2000
    await settle(town, redeemed["id"])
    await look_into(town, broadcast)
    await give_to_households(town, campaign)
    await refund_and_end(town, campaign, round_id, redeemed["id"])
    await paying_back.what_is_owed_comes_back(town)
    me = await town.cashier.get("/me")
    assert (me["rights"][0]["merchant"]["name"], me["permissions"]) == (
        town.merchant.name,
        [
            "redemption.read",
            "redemption.refund",
            "settlement.confirm",
            "settlement.read",
            "voucher.redeem",
        ],
    )
    spare = await a_spare_wish(town)
    for verb, more in (("reject", {"reason": "改期"}), ("cancel", {})):
        asked = await town.officer.post("/bookings", spare)
        by_whom = town.manager if verb == "reject" else town.officer
        await by_whom.post(f"/bookings/{asked['id']}/{verb}", more)
        await town.officer.get(f"/bookings/{asked['id']}")

    await test_lotteries.a_lottery_is_drawn(town, await test_lotteries.a_campaign_with_money_left(town))
    await what_differs_is_explained(town)
    await before_air.a_show_is_planned_and_checked(town)
    await before_air.what_was_wrong_is_corrected_and_the_video_stays(town, f"/broadcasts/{broadcast}")
    await before_air.weeks_series_and_feeds(town)

    await test_sharing.rooms_are_shared(town.site)
    await test_users.an_account_is_kept(town)
    await test_users.the_trail_is_read(town)
    await test_catalogue.the_catalogue_is_kept(town.site)
    await a_voucher_is_revoked(town)
    every = {each["operationId"] for path in document()["paths"].values() for each in path.values()}
    await tell_a_class(town, broadcast=broadcast)
    await tell_reports(town, campaign)
    assert every - Caller.called == set()


async def enrol_and_change_the_budget(town: Town, campaign: str) -> None:
    """The merchant asks, is refused, asks again and may; the budget is what it was in the end."""
    path, merchant = f"/campaigns/{campaign}/enrolments", town.merchant.public_id
    states = [(await town.cashier.post(f"{path}/ask"))["state"]]
    for step, body in (
        ("reject", {"reason": "缺执照"}),
        ("approve", None),
        ("suspend", {"reason": "抽查"}),
        ("approve", None),
    ):
        states.append((await town.officer.post(f"{path}/{merchant}/{step}", body))["state"])
    again = await town.officer.post(path, {"merchant": merchant})
    nobody = await town.officer.post(path, {"merchant": "nobody"})
    (listed,) = (await town.officer.get(path))["items"]
    budget = {"current_fen": 3_000_000, "target_fen": 3_500_000, "reason": "追加"}
    more = await town.finance.patch(f"/campaigns/{campaign}/budget", budget)
    stale = await town.finance.patch(f"/campaigns/{campaign}/budget", budget)
    less = {"current_fen": 3_500_000, "target_fen": 1, "reason": "收回"}
    committed = await town.finance.patch(f"/campaigns/{campaign}/budget", less)
    back = await town.finance.patch(f"/campaigns/{campaign}/budget", less | {"target_fen": 3_000_000})

    assert states == ["pending", "rejected", "approved", "suspended", "approved"]
    assert (again["state"], nobody.status, listed["merchant"]) == ("approved", 422, merchant)
    assert (more["budget_fen"], back["budget_fen"]) == (3_500_000, 3_000_000)
    assert (stale["code"], committed["code"]) == ("BUDGET_MOVED", "BUDGET_COMMITTED")


async def give_to_households(town: Town, campaign: str) -> None:
    """A pack of three for each household of a roster, of which one has the wrong phone."""
    item = {"validity": "days_from_claim", "validity_n": 30, "merchants_only": True}
    pack = {
        "name": "惠农券包",
        "quantity": 2,
        "items": [
            {**item, "name": "满20减5", "face_fen": 500, "threshold_fen": 2_000, "n": 2},
            {**item, "name": "满100减30", "face_fen": 3_000, "threshold_fen": 10_000, "n": 1},
        ],
    }
    planned = await town.officer.post(
        f"/campaigns/{campaign}/rounds", a_round(templates=[], packs=[pack], mode="direct")
    )
    path = f"/rounds/{planned['id']}"
    raw = "户号,手机号\nH1,13900000001\nH2,139\n".encode()
    roster = {"name": "名册.csv", "mode": "partial", "content_base64": base64.b64encode(raw).decode()}
    early = await town.officer.post(f"{path}/households", roster)
    await town.officer.post(f"{path}/open")
    linked = await town.officer.post(f"{path}/links", {})
    strict = await town.officer.post(f"{path}/households", {**roster, "mode": "strict"})
    given = await town.officer.post(f"{path}/households", roster)
    again = await town.officer.post(f"{path}/households", roster)
    seen = (await town.officer.get(f"/campaigns/{campaign}"))["rounds"][-1]
    listed = (await town.officer.get(f"{path}/households"))["items"]

    assert (planned.status, planned["allocated_fen"], planned["mode"]) == (201, 8_000, "direct")
    assert [(each["pack"], each["n"], each["quantity"]) for each in planned["templates"]] == [
        (planned["packs"][0]["id"], 2, 4),
        (planned["packs"][0]["id"], 1, 2),
    ]
    assert (early["code"], linked["code"], strict["code"]) == ("NOT_STARTED", "DIRECT_ONLY", "ROSTER_REFUSED")
    assert (given["given"], given["vouchers"], given["wrong"][0]["code"]) == (1, 3, "PHONE_FORMAT")
    assert (again["given"], again["unchanged"]) == (0, 1)
    assert (seen["packs"][0]["issued"], seen["packs"][0]["face_fen"]) == (1, 4_000)
    assert [(each["given"], each["unchanged"], each["wrong"]) for each in listed] == [(0, 1, 1), (1, 0, 1)]
    assert (await town.officer.post(f"{path}/close"))["state"] == "closed"


async def settle(town: Town, redemption: str) -> None:
    """A day settled: run by hand, disputed and answered, confirmed, and paid by another person."""
    await database.execute("UPDATE redemption SET at = at - 86400000")
    yesterday = str(clock.local_day(clock.now()) - timedelta(days=1))
    other = await a_person(town.site, Role.FINANCE, centre=town.house.centre)
    early = await town.finance.post("/settlements/run", {"date": str(clock.local_day(clock.now()))})
    ran = [await town.finance.post("/settlements/run", {"date": yesterday}) for _ in range(2)]
    (batch,) = (await town.officer.get("/settlements", state="draft", day=yesterday))["items"]
    path = f"/settlements/{batch['id']}"
    about = {"redemption": redemption, "reason": "核对小票"}
    hold = await town.finance.post("/settlement-holds", about)
    refused = [await town.finance.post(f"/settlement-holds/{hold['id']}/lift")]
    refused.append(await town.finance.post("/settlement-holds", about))
    refused.append(await town.finance.post(f"{path}/submit"))
    assert (await town.finance.get(path))["items"][0]["is_held"]
    assert len((await other.get("/settlement-holds"))["items"]) == 1
    assert (await other.post(f"/settlement-holds/{hold['id']}/lift"))["items"] == []
    hidden = await town.cashier.get("/settlements")
    sent = await town.finance.post(f"{path}/submit")
    disputed = await town.cashier.post(f"{path}/dispute", {"reason": "少了一笔"})
    again = await town.finance.post(f"{path}/reopen", {"reason": "那一笔在明天的批次"})
    await town.finance.post(f"{path}/submit")
    assert (await town.cashier.post(f"{path}/confirm"))["state"] == "confirmed"
    refused.append(await town.finance.post(f"{path}/pay", {"reference": "P-1"}))
    paid = await other.post(f"{path}/pay", {"reference": "P-1"})
    file = await town.finance.get(f"{path}/file")

    assert (early.status, early["code"]) == (422, "SETTLEMENT_TOO_EARLY")
    assert [(each["batches"], each["lines"]) for each in ran] == [(1, 1), (0, 0)]
    assert (batch["pay_fen"], batch["total_fen"], batch["payee"]) == (2_000, 2_000, town.merchant.name)
    codes_of = [each["code"] for each in refused]
    assert codes_of == ["SECOND_PERSON_NEEDED", "ALREADY_HELD", "NOTHING_TO_SETTLE", "SECOND_PERSON_NEEDED"]
    assert (hidden["total"], sent["state"], disputed["state"], again["state"]) == (
        0, "submitted", "disputed", "draft",
    )  # fmt: skip
    assert (paid["state"], paid["version"], paid["payment_ref"]) == ("paid", 2, "P-1")
    body = base64.b64decode(file["content_base64"])
    assert sha256(body).hexdigest() == file["sha256"] == paid["sha256"]
    assert (await town.officer.get(path))["items"][0]["redemption"] == redemption


async def look_into(town: Town, broadcast: str) -> None:
    """A case about the merchant is released by a second person, one about the show is confirmed."""
    other = await a_person(town.site, Role.FINANCE, centre=town.house.centre)
    manager = await a_person(town.site, Role.MANAGER, centre=town.house.centre)
    about = {"subject": "merchant", "subject_ref": town.merchant.public_id, "reason": "多人投诉"}
    made = await town.finance.post("/cases", about)
    known = await town.finance.post("/cases", about)
    path, said = f"/cases/{made['id']}", {"text": "核对了小票"}
    phone = await town.finance.post(
        "/merchant-phones", {"merchant": town.merchant.public_id, "phone": "13900990101"}
    )
    machine = await town.manager.post(f"{path}/look", said)
    early = await other.post(f"{path}/release", said)
    await town.finance.post(f"{path}/notes", said)
    looked = await manager.post(f"{path}/look", said)
    refused = [await each.post(f"{path}/release", said) for each in (manager, town.finance)]
    released = await other.post(f"{path}/release", said)
    second = await manager.post(
        "/cases", {"subject": "broadcast", "subject_ref": broadcast, "reason": "买家集中"}
    )
    await manager.post(f"/cases/{second['id']}/look", said)
    confirmed = await town.finance.post(f"/cases/{second['id']}/confirm", said)
    listed = await town.auditor.get("/cases")
    whole = await town.officer.get(f"/cases/{second['id']}")

    assert (made.status, made["state"], made["rule"], made["opened_by"] != "") == (
        201,
        "open",
        "by_hand",
        True,
    )
    assert (known.status, known["code"]) == (409, "CASE_KNOWN")
    assert (phone.status, phone["shown"]) == (201, "139****0101")
    assert (machine.status, machine["code"]) == (403, "SECOND_PERSON_NEEDED")
    assert (early["code"], looked["state"]) == ("WRONG_STATE", "looked_at")
    assert [each["code"] for each in refused] == ["SECOND_PERSON_NEEDED"] * 2
    assert (released["state"], confirmed["state"]) == ("released", "confirmed")
    assert {each["id"] for each in listed["items"]} == {made["id"], second["id"]}
    assert [each["step"] for each in whole["notes"]] == ["open", "look", "confirm"]
    assert (await town.officer.get(path)).status == 404  # of the whole centre, not of her bureau
    assert (await town.cashier.get("/cases")).status == 403


async def a_voucher_is_revoked(town: Town) -> None:
    """One that nobody has used."""
    unused = await Voucher.filter(state=VoucherState.ISSUED).order_by("id").first()
    assert unused is not None
    call = f"/vouchers/{unused.public_id}/revoke", {"reason": "领错了人"}

    revoked, again = await town.manager.post(*call), await town.manager.post(*call)

    assert (revoked.status, revoked.body) == (200, {})
    assert (await Voucher.get(id=unused.id)).state is VoucherState.REVOKED
    assert (again.status, again["code"]) == (409, "WRONG_STATE")


async def refund_and_end(town: Town, campaign: str, round_id: str, redemption: str) -> None:
    """A redemption refunded in two parts, the round rolled over, the campaign ended."""
    path = f"/redemptions/{redemption}"
    part = {"refund_no": "T-1", "refund_fen": 16_300}
    made = await town.cashier.post(f"{path}/refunds", part, Idempotency_Key="r1")
    again = await town.cashier.post(f"{path}/refunds", part, Idempotency_Key="r1")
    other = await town.cashier.post(f"{path}/refunds", {**part, "refund_fen": 1}, Idempotency_Key="r1")
    rest = await town.manager.post(f"{path}/refunds", {"refund_no": "D-1"}, Idempotency_Key="r1")
    much = await town.manager.post(f"{path}/refunds", {"refund_no": "D-2"}, Idempotency_Key="r2")
    seen = await town.cashier.get(path)
    use = await Redemption.get(public_id=redemption).select_related("voucher")
    voucher, why = f"/vouchers/{use.voucher.public_id}/revoke", {"reason": "领错了人"}
    spent = await town.manager.post(voucher, why)
    refused = [
        await town.cashier.post(voucher, why),
        await town.auditor.post(voucher, why),
        await town.manager.post("/vouchers/none/revoke", why),
        await town.manager.post(voucher, {"reason": ""}),
    ]

    assert (spent.status, spent["code"]) == (409, "WRONG_STATE")
    assert [each.status for each in refused] == [404, 403, 404, 422]
    assert (made.status, made["cash_fen"], made["clawback_fen"]) == (201, 15_300, 1_000)
    assert (again.status, again["hit"], again["left_fen"]) == (200, True, 16_300)
    assert (other.status, other["code"]) == (422, "IDEMPOTENCY_MISMATCH")
    assert (rest["refund_fen"], rest["fate"], rest["is_restored"]) == (16_300, "parts", False)
    assert (much.status, much["code"]) == (409, "ALREADY_REFUNDED")
    assert (seen["state"], seen["recovered_fen"], seen["left_fen"]) == ("refunded", 2_000, 0)
    assert [each["refund_no"] for each in seen["refunds"]] == ["T-1", "D-1"]
    metrics = (await town.officer.get(f"/campaigns/{campaign}/metrics"))["leverage"]
    assert metrics["leverage_after_refunds"]["reason"] == "补贴已随退款全部收回"
    assert (metrics["leverage_after_refunds"]["value"], metrics["leverage_gross"]["value"]) == (
        None,
        "16.3000",
    )

    later = a_round() | {"rollover_from": [round_id]}
    later["templates"][0]["quantity"] = 0
    planned = await town.officer.post(f"/campaigns/{campaign}/rounds", later)
    early = await town.officer.post(f"/rounds/{round_id}/rollover")
    again = await town.officer.post(f"/rounds/{round_id}/rollover-plan", {"into": planned["id"]})
    assert (again["rolled_into"], again["rollover_hindrance"]) == (planned["seq"], "")
    await Round.filter(public_id=round_id).update(status="finished")
    rolled = await town.officer.post(f"/rounds/{round_id}/rollover")
    assert (planned.status, early["code"], rolled["state"]) == (201, "WRONG_STATE", "rolled")
    assert rolled["rolled_fen"] == rolled["templates"][0]["face_fen"] * 1000
    nothing = await town.officer.post(f"/rounds/{planned['id']}/rollover", {"into": round_id})
    assert nothing["code"] == "WRONG_STATE"
    assert (await town.officer.post(f"/campaigns/{campaign}/end"))["state"] == "ended"
    assert (await town.officer.post(f"/campaigns/{campaign}/end"))["code"] == "WRONG_STATE"


async def test_another_bureau_finds_neither_campaign_nor_sales(town: Town) -> None:
    campaign, round_id, _ = await a_running_campaign(town)
    await push(town, "ERP-1")
    other = await a_caller(
        town.site, Role.BUREAU, centre_id=town.house.centre.id, bureau_id=town.house.bureaus[1].id
    )

    for path in ("", "/ledger", "/metrics"):
        assert (await other.get(f"/campaigns/{campaign}{path}")).status == 404
    for verb in ("submit", "start", "pause", "resume", "end"):
        assert (await other.post(f"/campaigns/{campaign}/{verb}")).status == 404
    assert (await other.post(f"/campaigns/{campaign}/rounds", a_round())).status == 404
    assert (await other.post(f"/rounds/{round_id}/close")).status == 404
    assert (await other.post(f"/rounds/{round_id}/links", {})).status == 404
    assert (await other.post("/campaigns", a_campaign(bureau=town.bureau.public_id))).status == 404
    assert (await other.get("/campaigns"))["total"] == 0
    assert (await other.get("/sales/figures"))["total"]["numerator"] == 0
    assert (await other.get("/sales/lines"))["total"] == 0
    assert (await other.get(f"/orders/{town.shop.public_id}/ERP-1")).status == 404
    assert (await other.get("/inbox/messages")).status == 403
    assert (await town.officer.get(f"/orders/{town.shop.public_id}/ERP-1")).status == 200


async def test_another_centre_finds_nothing(town: Town) -> None:
    campaign, round_id, template = await a_running_campaign(town)
    broadcast = await a_live_broadcast(town)
    delivery = await push(town, "ERP-1")
    message = (await InboxMessage.all().first()).id
    planned = await town.manager.post(
        f"/broadcasts/{broadcast}/drops", {"template": template, "quantity": 2, "window_s": 60}
    )
    far = (await a_bureau()).centre_id
    manager = await a_caller(town.site, Role.MANAGER, centre_id=far)
    finance = await a_caller(town.site, Role.FINANCE, centre_id=far)

    assert (await manager.get(f"/broadcasts/{broadcast}")).status == 404
    assert (await manager.post(f"/broadcasts/{broadcast}/end")).status == 404
    assert (await manager.post(f"/drops/{planned['id']}/open")).status == 404
    assert (await manager.post(f"/rounds/{round_id}/open")).status == 404
    assert (await manager.get(f"/inbox/messages/{message}")).status == 404
    assert (await manager.post(f"/inbox/messages/{message}/replay", {"why": "试试"})).status == 404
    assert (await manager.get(f"/inbox/deliveries/{delivery}")).status == 404
    assert (await manager.get("/inbox/messages"))["total"] == 0
    assert (await finance.post(f"/campaigns/{campaign}/countersign")).status == 404
    assert (await finance.get(f"/campaigns/{campaign}/ledger")).status == 404
    assert (await manager.get("/sales/figures"))["total"]["numerator"] == 0


async def test_a_campaign_needs_two_and_its_money(town: Town) -> None:
    drafted = await town.officer.post("/campaigns", a_campaign(budget_fen=1_000_000))
    path = f"/campaigns/{drafted['id']}"

    assert (await town.finance.post(f"{path}/countersign"))["code"] == "WRONG_STATE"
    await town.officer.post(f"{path}/submit")
    assert (await town.officer.post(f"{path}/countersign"))["code"] == "FORBIDDEN"
    assert (await town.finance.post(f"{path}/countersign", If_Match='"1"'))["code"] == "STALE_VERSION"
    await town.finance.post(f"{path}/countersign")
    assert (await town.officer.post(f"{path}/rounds", a_round()))["code"] == "BUDGET_EXHAUSTED"
    upside_down = a_round()
    upside_down["templates"][0]["threshold_fen"] = 1
    assert (await town.officer.post(f"{path}/rounds", upside_down))["code"] == "TEMPLATE_UNFIT"
    unknown = await town.officer.post("/campaigns", a_campaign(refund_preset="mine"))
    assert (unknown.status, unknown["details"][0]["field"]) == (422, "refund_preset")


async def test_sixty_four_taps_redeem_once(town: Town) -> None:
    campaign, round_id, _ = await a_running_campaign(town)
    link = await town.officer.post(f"/rounds/{round_id}/links", {})
    number = (await Campaign.get(public_id=campaign)).id
    by = system("tests", centre_id=town.house.centre.id)
    await database.unit(
        lambda: enrolments.enrol(number, merchant_id=town.merchant.id, actor=by, now=clock.now())
    )
    _, code = await a_voucher(town, link["slug"])
    till = {"code": code, "order_fen": 32_600, "phone_tail": PHONE[-4:]}

    replies = await asyncio.gather(
        *(town.cashier.post("/redemptions", till, Idempotency_Key=f"tap-{n}") for n in range(64))
    )

    assert sorted({reply.status for reply in replies}) == [201, 409]
    assert [reply.status for reply in replies].count(201) == 1
    missing = await town.cashier.post("/redemptions", till)
    assert (missing.status, missing["details"][0]["field"]) == (422, "Idempotency-Key")


async def test_a_past_question_gets_its_past_answer(town: Town) -> None:
    await push(town, "ERP-1")
    between = clock.now()
    await asyncio.sleep(0.005)
    await push(town, "ERP-2", paid_fen=5000)

    now = await town.auditor.get("/sales/figures", by="day")
    then = await town.auditor.get("/sales/figures", by="day", as_of=between.isoformat())

    day = clock.local_day(between).isoformat()
    assert [(row["key"], row["numerator"]) for row in now["rows"]] == [(day, 30_000)]
    assert [(row["key"], row["numerator"]) for row in then["rows"]] == [(day, 25_000)]
    lines = await follow(town.auditor, then["rows"][0]["evidence_url"])
    assert ([each["order_ref"] for each in lines["items"]], lines["numerator"]) == (["ERP-1"], 25_000)
    assert (lines["as_of"], then["as_of"]) == (between.isoformat().replace("+00:00", "Z"),) * 2


async def test_questions_that_make_no_sense_are_refused(town: Town) -> None:
    for query in (
        {"basis": "G9"},
        {"by": "moon"},
        {"from": "2026-02-30"},
        {"from": "2026-03-02", "to": "2026-03-01"},
        {"as_of": "2026-03-02T10:00:00"},
        {"as_of": "9999-12-31T23:59:59Z"},
        {"page": "0"},
        {"size": "1000000"},
        {"town": "\x00"},
    ):
        assert (await town.auditor.get("/sales/figures", **query)).status == 422, query
    for path in (
        "/inbox/messages/x",
        "/inbox/messages/99999999999999999999999",
        "/bookings/%00",
        "/orders/%ff/%00",
    ):
        assert (await town.auditor.get(path)).status == 404, path
