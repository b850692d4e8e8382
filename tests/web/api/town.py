"""A centre with a machine for everybody in it, and its story so far, told over the API."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from msgspec import Struct
from standardwebhooks import Webhook

from livehub import database
from livehub.accounts.actors import system
from livehub.accounts.models import Bureau, Role
from livehub.inbox.models import InboxDelivery
from livehub.kit import clock, outbox
from livehub.merchants.models import Merchant, Store
from livehub.orders import intake
from livehub.platforms.models import Endpoint, Shop
from livehub.settlement import collecting, holds
from livehub.settlement.models import SettlementBatch
from livehub.settlement.repayment_models import SettlementRepayment
from livehub.vouchers import codes, enrolments, identity
from livehub.vouchers.models import Campaign, Voucher
from rooms.models import Broadcast
from tests.factories.accounts import an_actor
from tests.factories.merchants import a_merchant, a_store
from tests.factories.platforms import STANDARD_SECRET, a_shop, an_endpoint
from tests.factories.rooms import House, a_house, checked
from tests.platforms.doors import compact
from tests.site import Site
from tests.web.api.callers import Caller, Reply, a_caller, a_person

PHONE = "13900008877"


class Town(Struct, kw_only=True):
    """A centre, and a machine for everybody in it but finance."""

    site: Site
    house: House
    officer: Caller
    manager: Caller
    finance: Caller
    auditor: Caller
    cashier: Caller
    merchant: Merchant
    store: Store
    endpoint: Endpoint
    shop: Shop

    @property
    def bureau(self) -> Bureau:
        return self.house.bureaus[0]


async def a_town(site: Site) -> Town:
    house = await a_house(opens_minute=0, closes_minute=2880, setup_min=30)
    centre, bureau = house.centre, house.bureaus[0]
    merchant = await a_merchant(centre)
    endpoint = await an_endpoint(bureau, platform="standard_webhooks")

    async def machine(role: Role, **more: int) -> Caller:
        return await a_caller(site, role, centre_id=centre.id, **more)

    return Town(
        site=site,
        house=house,
        officer=await machine(Role.BUREAU, bureau_id=bureau.id),
        manager=await machine(Role.MANAGER),
        finance=await a_person(site, Role.FINANCE, centre=centre),  # machines sign nothing
        auditor=await machine(Role.AUDITOR),
        cashier=await machine(Role.MERCHANT, merchant_id=merchant.id),
        merchant=merchant,
        store=await a_store(merchant),
        endpoint=endpoint,
        shop=await a_shop(bureau, endpoint=endpoint, shop_ref="900001"),
    )


def a_campaign(**changes: object) -> dict[str, Any]:
    usual = {"name": "惠农消费券", "issuer_name": "北海市人民政府", "budget_fen": 3_000_000}
    return {**usual, **changes}


def a_round(**changes: object) -> dict[str, Any]:
    now = clock.now()
    kind = {
        "name": "满100减20",
        "face_fen": 2000,
        "threshold_fen": 10_000,
        "quantity": 1000,
        "validity": "days_from_claim",
        "validity_n": 7,
    }
    usual = {
        "claim_from": (now - timedelta(hours=1)).isoformat(),
        "claim_until": (now + timedelta(days=3)).isoformat(),
        "templates": [kind],
    }
    return {**usual, **changes}


async def a_running_campaign(town: Town) -> tuple[str, str, str]:
    """(campaign, round, template) of vouchers that can be claimed."""
    drafted = await town.officer.post("/campaigns", a_campaign())
    path = f"/campaigns/{drafted['id']}"
    await town.officer.put(path, a_campaign(purpose="助农"))
    submitted = await town.officer.post(f"{path}/submit")
    signed = await town.finance.post(f"{path}/countersign", If_Match=submitted.headers["ETag"])
    started = await town.officer.post(f"{path}/start")
    planned = await town.officer.post(f"{path}/rounds", a_round())
    opened = await town.officer.post(f"/rounds/{planned['id']}/open")
    states = [each["state"] for each in (drafted, submitted, signed, started, planned, opened)]
    assert states == ["draft", "draft", "approved", "running", "scheduled", "open"]
    return drafted["id"], planned["id"], planned["templates"][0]["id"]


async def a_live_broadcast(town: Town) -> str:
    """A broadcast on air now, asked for and approved over the API."""
    quarter = 15 * 60_000
    at = clock.from_ms(-(-clock.to_ms(clock.now()) // quarter) * quarter)
    (room,) = (await town.officer.get("/rooms"))["items"]
    (streamer,) = (await town.officer.get("/streamers"))["items"]
    wish = {
        "room": room["id"], "title": "沙田沙虫", "starts_at": at.isoformat(), "minutes": 120, "streamer": streamer["id"],
    }  # fmt: skip
    assert (await town.officer.post("/bookings/check", wish))["is_free"]
    asked = await town.officer.post("/bookings", wish)
    await town.manager.post(f"/bookings/{asked['id']}/approve")
    await checked(await Broadcast.get(public_id=asked["broadcast"]), now=clock.now())
    started = await town.manager.post(f"/broadcasts/{asked['broadcast']}/start")
    assert started["state"] == "live"
    await hand_out()
    return asked["broadcast"]


async def hand_out() -> None:
    """What the jobs do with facts."""
    while await outbox.hand_out(now=clock.now()):
        pass


async def a_voucher(town: Town, slug: str) -> tuple[str, str]:
    """(public id, code) of a voucher that somebody claimed on a link."""
    claimant = await identity.enter(PHONE, centre_id=town.house.centre.id, now=clock.now())
    desk = town.site.app.ctx.claim_desk
    claimed = await desk.claim(slug, claimant=claimant, key="k", now=clock.now())
    voucher = await Voucher.get(public_id=claimed.voucher)
    return claimed.voucher, codes.shown(voucher.code_sealed, voucher=claimed.voucher)


async def a_redemption(town: Town, campaign: str, round_id: str) -> str:
    """A voucher that the town's merchant took for 326 yuan; the redemption's public id."""
    link = await town.officer.post(f"/rounds/{round_id}/links", {"quota": 50})
    number = (await Campaign.get(public_id=campaign)).id
    by = system("tests", centre_id=town.house.centre.id)
    await database.unit(
        lambda: enrolments.enrol(number, merchant_id=town.merchant.id, actor=by, now=clock.now())
    )
    _, code = await a_voucher(town, link["slug"])
    till = {"code": code, "order_fen": 32_600, "phone_tail": PHONE[-4:], "receipt_no": "A-17"}
    return str((await town.cashier.post("/redemptions", till, Idempotency_Key="tap-1"))["id"])


async def a_settlement(town: Town) -> dict[str, str]:
    """The batch of the town's merchant as the morning makes it, a hold and a repayment, by names of paths."""
    day, now = clock.local_day(clock.now()), clock.now() + timedelta(days=1)
    clerk = an_actor(Role.FINANCE, centre_id=town.house.centre.id)
    await collecting.run(day, actor=clerk, now=now)
    hold = await holds.place(merchant=town.merchant.public_id, reason="正在调查", actor=clerk, now=now)
    batch = await SettlementBatch.get()
    repaid = await SettlementRepayment.create(
        public_id="repaid", centre_id=batch.centre_id, campaign_id=batch.campaign_id, amount_fen=1,
        merchant_id=batch.merchant_id, reference="S-1", received_on=day, noted_by_id=clerk.id,
        noted_by=clerk.name, noted_at=now,
    )  # fmt: skip
    return {
        "settlement_id": batch.public_id,
        "hold_id": hold.public_id,
        "repayment_id": repaid.public_id,
    }


async def push(town: Town, order_ref: str, *, room_ref: str = "", paid_fen: int = 25_000) -> int:
    """A signed order of the ERP, over the wire; the delivery's row id."""
    now = clock.local(clock.now()).isoformat(timespec="seconds")
    body = compact(
        {
            "type": "order.paid",
            "timestamp": now,
            "data": {
                "shop_ref": "900001",
                "order_ref": order_ref,
                "status": "paid",
                "currency": "CNY",
                "created_at": now,
                "paid_at": now,
                "updated_at": now,
                "lines": [
                    {"line_ref": "L1", "title": "沙虫干", "quantity": 2, "list_fen": paid_fen,
                     "buyer_paid_fen": paid_fen, "room_ref": room_ref},
                ],
            },
        }
    )  # fmt: skip
    hook = Webhook(STANDARD_SECRET)
    headers = {
        "webhook-id": f"msg_{order_ref}",
        "webhook-timestamp": str(clock.to_ms(clock.now()) // 1000),
        "webhook-signature": hook.sign(f"msg_{order_ref}", clock.now(), body.decode()),
        "content-type": "application/json",
    }
    path = f"/hooks/standard_webhooks/{town.endpoint.endpoint_key}"
    async with town.site.post(path, data=body, headers=headers) as answer:
        assert answer.status < 300, await answer.text()
    await intake.run_once(now=clock.now(), lease_seconds=30)
    return (await InboxDelivery.all().order_by("-id").first()).id


async def follow(caller: Caller, url: str) -> Reply:
    """What stands behind an evidence_url."""
    reply = await caller.get(url)
    assert reply.status == 200, reply
    return reply


async def a_spare_wish(town: Town) -> dict[str, Any]:
    at = clock.at_local(clock.local_day(clock.now()) + timedelta(days=3), hour=10)
    (room,) = (await town.officer.get("/rooms"))["items"]
    return {
        "room": room["id"],
        "title": "彩排",
        "starts_at": at.isoformat(),
        "minutes": 60,
        "kind": "rehearsal",
    }
