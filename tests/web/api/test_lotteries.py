"""摇号 by machines and two persons: announced, entered at a counter, drawn, proved; and what is refused."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import msgspec
import pytest
import time_machine

from livehub.kit import clock
from livehub.vouchers import drawing, draws
from tests.web.api.town import Town, a_campaign, a_round, a_running_campaign
from tests.web.phones import code_sent_to

NUMBER = "02 07 11 18 23 31 + 09"
PHONE = "13900004321"


def a_lottery(now: datetime, **changes: object) -> dict[str, Any]:
    """Its sign-up is open for a minute; the number, the draw and the claims follow second by second."""
    at = {
        "signup_from": now - timedelta(minutes=1),
        "signup_until": now + timedelta(seconds=60),
        "source_at": now + timedelta(seconds=61),
        "draw_at": now + timedelta(seconds=62),
        "claim_from": now + timedelta(seconds=63),
        "claim_until": now + timedelta(days=3),
    }
    usual = {name: each.isoformat() for name, each in at.items()}
    kind = {**a_round()["templates"][0], "quantity": 1}
    return {**usual, "source": "双色球第 2026058 期", "template": kind, **changes}


async def a_lottery_is_drawn(town: Town, campaign: str) -> None:
    """The whole story, called by every operation of the section."""
    now = clock.now()
    planned = await town.officer.post(f"/campaigns/{campaign}/lotteries", a_lottery(now))
    path = f"/rounds/{planned['round']}"
    assert (planned.status, planned["stage"], planned["commitment"]) == (201, "announced", "")
    opened = await town.officer.post(f"{path}/signup")
    assert (opened["stage"], len(opened["commitment"])) == ("signup", 64)
    assert (await town.officer.post(f"{path}/signup"))["code"] == "WRONG_STATE"

    sent = await town.officer.post(f"{path}/entries/code", {"phone": PHONE})
    assert sent["expires_in_seconds"] == 300
    wrong = await town.officer.post(f"{path}/entries", {"phone": PHONE, "code": "000000"})
    assert wrong["code"] == "CODE_WRONG"
    code = await code_sent_to(PHONE[-4:])
    entered = await town.officer.post(f"{path}/entries", {"phone": PHONE, "code": code})
    assert (entered.status, entered["hit"]) == (201, False)
    assert (await town.officer.get(f"{path}/draw"))["entries"] == 1
    assert (await town.officer.get(f"{path}/draw/proof")).status == 404
    early = await town.officer.post(f"{path}/draw/randomness", {"randomness": NUMBER})
    assert early["code"] == "WRONG_STATE"

    with time_machine.travel(now + timedelta(minutes=2), tick=True):
        await draws.advance(now=clock.now())
        assert (await town.officer.post(f"{path}/draw"))["code"] == "WRONG_STATE"
        unfit = await town.officer.post(f"{path}/draw/randomness", {"randomness": "第 58 期"})
        assert (unfit.status, unfit["code"]) == (422, "RANDOMNESS_UNFIT")
        told = await town.officer.post(f"{path}/draw/randomness", {"randomness": NUMBER})
        assert (told["stage"], told["is_entered"], told["randomness"]) == ("waiting", True, "")
        assert (await town.auditor.post(f"{path}/draw/confirm", {"randomness": NUMBER})).status == 403
        other = await town.finance.post(f"{path}/draw/confirm", {"randomness": "99 99"})
        assert other["code"] == "RANDOMNESS_DIFFERS"
        drawn = await town.finance.post(f"{path}/draw/confirm", {"randomness": NUMBER})
        assert (drawn["stage"], drawn["winners"], drawn["randomness"]) == ("drawn", 1, NUMBER)
        again = await town.officer.post(f"{path}/draw")
        assert again["drawn_at"] == drawn["drawn_at"]
        proof = await town.auditor.get(f"{path}/draw/proof")
        assert (proof["entries"], proof["winners"]) == ([entered["entry"]], [entered["entry"]])
        assert drawing.faults(msgspec.convert(proof.body, drawing.Proof)) == []
        async with town.site.get(f"{path}/draw/proof") as answer:  # without a login
            assert (answer.status, await answer.json()) == (200, proof.body)


async def a_campaign_with_money_left(town: Town) -> str:
    drafted = await town.officer.post("/campaigns", a_campaign())
    path = f"/campaigns/{drafted['id']}"
    submitted = await town.officer.post(f"{path}/submit")
    await town.finance.post(f"{path}/countersign", If_Match=submitted.headers["ETag"])
    await town.officer.post(f"{path}/start")
    return str(drafted["id"])


async def test_a_lottery_over_the_api(town: Town) -> None:
    await a_lottery_is_drawn(town, await a_campaign_with_money_left(town))


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"source_at": "2020-01-01T00:00:00Z"}, "LOTTERY_UNFIT"),
        ({"signup_until": "2020-01-01T00:00:00Z"}, "LOTTERY_UNFIT"),
        ({"source": ""}, "INVALID"),
        ({"signup_from": "2026-01-01T00:00:00"}, "INVALID"),
        ({"more": 1}, "INVALID"),
    ],
)
async def test_what_is_no_lottery_is_refused(changes: dict[str, Any], code: str, town: Town) -> None:
    campaign = await a_campaign_with_money_left(town)

    answer = await town.officer.post(f"/campaigns/{campaign}/lotteries", a_lottery(clock.now(), **changes))

    assert (answer.status, answer["code"]) == (422, code)


async def test_a_round_that_is_no_lottery_has_no_draw(town: Town) -> None:
    _, round_id, _ = await a_running_campaign(town)

    assert (await town.officer.get(f"/rounds/{round_id}/draw")).status == 404
    assert (await town.officer.post(f"/rounds/{round_id}/draw")).status == 404
