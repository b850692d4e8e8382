"""What a merchant owes and has nothing left to net it with, told by the API: noted by one, confirmed by another."""

from __future__ import annotations

from datetime import timedelta

from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.settlement import collecting
from tests.factories.accounts import an_actor
from tests.web.api.callers import a_person
from tests.web.api.town import Town


async def what_is_owed_comes_back(town: Town) -> None:
    """After the refund of a redemption that was paid: the debt, its receipts, and nothing owed any more."""
    today = clock.local_day(clock.now())
    clerk = an_actor(Role.FINANCE, centre_id=town.house.centre.id)
    await collecting.run(today, actor=clerk, now=clock.now() + timedelta(days=1))
    (batch,) = (await town.finance.get("/settlements", state="draft"))["items"]
    assert (await town.officer.get("/settlement-debts"))["items"] == []  # finance has not sent it
    await town.finance.post(f"/settlements/{batch['id']}/submit")
    (debt,) = (await town.officer.get("/settlement-debts"))["items"]
    assert (debt["settlement"], debt["owed_fen"], debt["payee"]) == (batch["id"], 2_000, town.merchant.name)

    path = f"/settlements/{batch['id']}/repayments"
    receipt = {"amount_fen": 500, "reference": "S-1", "received_on": str(today)}
    wrong = await town.finance.post(path, receipt)
    again = await town.finance.post(path, receipt)
    much = await town.finance.post(path, {**receipt, "amount_fen": 1_501, "reference": "S-2"})
    none = await town.finance.post(path, {**receipt, "amount_fen": 0})
    assert (wrong.status, wrong["state"], wrong["payee"]) == (201, "noted", town.merchant.name)
    assert [(each.status, each["code"]) for each in (again, much, none)] == [
        (409, "RECEIPT_KNOWN"),
        (409, "NOT_OWED_BACK"),
        (422, "INVALID"),
    ]
    gone = await town.finance.post(f"/settlement-repayments/{wrong['id']}/withdraw", {"reason": "记少了"})
    assert (gone["state"], gone["reason"]) == ("withdrawn", "记少了")

    made = await town.finance.post(path, {**receipt, "amount_fen": 2_000})
    alone = await town.finance.post(f"/settlement-repayments/{made['id']}/confirm")
    other = await a_person(town.site, Role.FINANCE, centre=town.house.centre)
    done = await other.post(f"/settlement-repayments/{made['id']}/confirm")
    twice = await other.post(f"/settlement-repayments/{made['id']}/confirm")
    assert (alone["code"], done["state"], twice["code"]) == (
        "SECOND_PERSON_NEEDED",
        "confirmed",
        "WRONG_STATE",
    )
    assert (await town.officer.get("/settlement-debts"))["items"] == []
    listed = await town.cashier.get("/settlement-repayments", state="confirmed")
    assert [(each["reference"], each["amount_fen"]) for each in listed["items"]] == [("S-1", 2_000)]
