"""The story's scenes, each played through the pages and platforms that people would use.

A bureau officer books a room for a streamer, the centre approves, the broadcast starts, a drop opens on the
streamer's link, consumers claim, orders arrive from the platforms and are fetched from them, a voucher is
redeemed at a merchant and another one on an order.
"""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from msgspec import Struct

from livehub import database
from livehub.demo import cast
from livehub.demo.browser import Browser, Machine, StoryBroken
from livehub.demo.comparing import Redeemed, Told
from livehub.demo.seeding import Seeded
from livehub.kit import clock
from livehub.merchants.models import Product
from livehub.sandbox import catalogue
from rooms import prechecks
from rooms.models import Booking, Broadcast, Room
from streamers.models import Streamer

Say = Callable[[str], None]

CONSUMERS = 6
DROP = 200
LIVE_ORDERS = 40
ROOMS = ("R2", "R4", "R1")  # where the story may play: the first that is free
MINUTES = 120
SHOWN = ("沙田沙虫干 100g", "墨鱼干 250g", "烤海鸭蛋 12枚")


class Show(Struct, frozen=True, kw_only=True):
    """The broadcast the story is about."""

    booking: str
    broadcast: str
    room_ref: str
    stage_name: str
    slug: str
    streamer_path: str


class Scenes:
    """Everybody in the story, and what was done so far."""

    def __init__(self, url: str, *, say: Say) -> None:
        self._url = url
        self._say = say
        self.phones: list[str] = []  # every number that was typed into a page
        self.claims = 0
        self.claims_before = 0
        self.signals: dict[str, tuple[int, int]] = {}
        self.redemptions: list[Redeemed] = []
        self.rooms: dict[str, str] = {}
        self._matched: dict[str, str] = {}

    async def tell(self, sandbox: Machine, world: Seeded) -> Show:
        """The story itself."""
        show = await self._book_and_start(world)
        codes = await self._consumers_claim(world, show)
        await self._sell(sandbox, world, show, code=codes[0])
        await self._redeem(world, codes[1])
        return show

    async def _book_and_start(self, world: Seeded) -> Show:
        title = f"开海第一网·农特专场 {secrets.token_hex(2)}"
        async with Browser(self._url) as officer, Browser(self._url) as staff, Browser(self._url) as streamer:
            await officer.sign_in(world.logins["bureau"], cast.PASSWORD)
            start, room, stage_name = await self._free(world)
            await officer.must(
                "/bureau/bookings/new",
                "/bureau/bookings",
                title=title,
                room=world.rooms[room],
                starts_at=clock.local(start).strftime("%Y-%m-%dT%H:%M"),
                minutes=MINUTES,
                streamer=world.streamers[stage_name],
            )
            booked = await Booking.get(title=title)
            self._say(f"主管部门申请 {title}")
            await staff.sign_in(world.logins["staff"], cast.PASSWORD)
            await staff.must("/desk/bookings", f"/{booked.public_id}/approve")
            broadcast = await Broadcast.get(booking_id=booked.id)
            console = f"/desk/broadcasts/{broadcast.public_id}"
            await staff.must(
                console, "/drops", template=world.template_ref, quantity=DROP, minutes=20, later="true"
            )
            shown = await staff.must(console, "/streamer-link")
            path = _found(r"/s/[A-Za-z0-9_-]{20,}", shown.text, "the streamer's link")
            self._say("中心批准，计划投券，发主播链接")
            await streamer.open(path)
            await streamer.must("/s/device", "/s/device/first")
            await self._check(officer, staff, streamer, broadcast)
            await streamer.must("/s/", "/s/start", broadcast=broadcast.public_id)
            room_ref = str(7_300_000_000_000_000_000 + secrets.randbelow(10**15))
            await staff.must(
                console,
                "/room",
                platform="doudian",
                account_ref=world.authors[stage_name],
                room_ref=room_ref,
            )
            page = await streamer.open("/s/")
            option = _found(r'<option value="([A-Za-z0-9]+)"', page, "the planned drop")
            await streamer.must("/s/", "/s/drops", template=option, quantity=DROP)
            slug = await self._link(streamer)
            self._say("主播开播，从手机投出 200 张券")
        self.rooms[room_ref] = broadcast.public_id
        return Show(
            booking=booked.public_id,
            broadcast=broadcast.public_id,
            room_ref=room_ref,
            stage_name=stage_name,
            slug=slug,
            streamer_path=path,
        )

    async def _check(self, officer: Browser, staff: Browser, streamer: Browser, broadcast: Broadcast) -> None:
        """Food is shown: the streamer ticks her list, and somebody at the centre signs too."""
        script = f"/bureau/broadcasts/{broadcast.public_id}"
        await officer.must(script, "/cues", kind="opening", title="开场", minutes=5)
        for name in SHOWN:
            product = await Product.get(name=name, centre_id=broadcast.centre_id)
            await officer.must(script, "/cues", kind="product", minutes=15, product=product.public_id)
        wanted = (await prechecks.standing(broadcast.id)).items
        await streamer.must("/s/", "/s/check", broadcast=broadcast.public_id, ticked=wanted)
        console = f"/desk/broadcasts/{broadcast.public_id}"
        await staff.must(console, "/precheck", role="centre", ticked=wanted)
        self._say("脚本排好，主播和中心在开播前检查上签字")

    async def _link(self, streamer: Browser) -> str:
        """Her claim link, which appears as soon as the approval has been handed on."""
        for _ in range(100):
            found = re.search(r"/c/([a-z0-9]{8,16})", await streamer.open("/s/"))
            if found:
                return found[1]
            await asyncio.sleep(0.2)
        raise StoryBroken("the claim link did not appear on the streamer's page")

    async def _free(self, world: Seeded) -> tuple[Any, str, str]:
        """The next quarter of an hour with a room and a streamer nobody holds: (start, room, stage name)."""
        quarter = 15 * 60_000
        start = clock.from_ms((clock.to_ms(clock.now()) // quarter + 1) * quarter)
        taken = await database.fetch(
            "SELECT kind, resource_id FROM resource_claim WHERE active AND starts_at < $1 AND ends_at > $2",
            clock.to_ms(start + timedelta(minutes=MINUTES + 15)),
            clock.to_ms(start - timedelta(minutes=15)),
        )
        held = {(row["kind"], row["resource_id"]) for row in taken}
        rooms = {code: (await Room.get(public_id=world.rooms[code])).id for code in ROOMS}
        people = {
            name: (await Streamer.get(public_id=ref)).person_id for name, ref in world.streamers.items()
        }
        code = next((each for each in ROOMS if ("room", rooms[each]) not in held), "")
        stage_name = next((each for each in people if ("person", people[each]) not in held), "")
        if not code or not stage_name:
            raise StoryBroken(
                "every room of the demo is still held by an earlier show; start it with --reset"
            )
        return start, code, stage_name

    async def _consumers_claim(self, world: Seeded, show: Show) -> list[str]:
        """Each with a phone of her own; the codes are read in 发件箱. Returns voucher codes with tails."""
        found: list[str] = []
        path = f"/c/{show.slug}"
        async with Browser(self._url) as staff:
            await staff.sign_in(world.logins["staff"], cast.PASSWORD)
            for n in range(CONSUMERS):
                phone = f"172{secrets.randbelow(10**8):08d}"
                self.phones.append(phone)
                async with Browser(self._url) as consumer:
                    await consumer.must(path, "/code", phone=phone)
                    outbox = await staff.open("/desk/outbox")
                    code = await self._code_of(staff, outbox, phone)
                    await consumer.must(path, "/claim", phone=phone, code=code)
                    mine = await consumer.open(f"{path}/mine")
                    voucher = _found(r"((?:[0-9A-Z]{4}[ \-]){4}[0-9A-Z])", mine, "the voucher's code")
                    found.append(re.sub(r"[ \-]", "", voucher) + ":" + phone[-4:])
                    self.claims += 1
                if n == 0:
                    await self._claim_again(path, phone)
        self._say(f"{CONSUMERS} 位消费者凭验证码领券；同一人再领被拒")
        return found

    async def _code_of(self, staff: Browser, page: str, phone: str) -> str:
        """The newest code sent to a phone, as 发件箱 shows it."""
        masked = f"{phone[:3]}****{phone[-4:]}"
        for _ in range(20):
            at = page.find(masked)
            if at >= 0:
                code = re.search(r"(?<!\d)(\d{6})(?!\d)", page[at : at + 1500])
                if code:
                    return code[1]
            await asyncio.sleep(0.2)
            page = await staff.open("/desk/outbox")
        raise StoryBroken(f"no code for {masked} in 发件箱")

    async def _claim_again(self, path: str, phone: str) -> None:
        """A code can be asked for once a minute only: the same phone is told to wait."""
        async with Browser(self._url) as consumer:
            answer = await consumer.submit(path, "/code", phone=phone)
            if answer.status < 400:
                raise StoryBroken("a second code within a minute was not refused")

    async def _sell(self, sandbox: Machine, world: Seeded, show: Show, *, code: str) -> None:
        """Orders of all platforms, with refunds, duplicates and disorder; one carries a voucher code."""
        now = clock.to_ms(clock.now())
        doudian = world.shops["doudian"].shop_ref
        erp = world.shops["standard_webhooks"].shop_ref
        orders: list[dict[str, Any]] = []
        for n in range(LIVE_ORDERS):
            at = now - 30_000 - 200 * n
            order: dict[str, Any] = {
                "shop": doudian,
                "created_at_ms": at - 5000,
                "paid_at_ms": at,
                "room_ref": show.room_ref,
                "author_ref": world.authors[show.stage_name],
                "author_name": show.stage_name,
            }
            if n % 7 == 0:
                order["refunds"] = [{"applied_at_ms": at + 2000, "succeeded_at_ms": at + 9000}]
            elif n % 11 == 0:
                part = {"line": 0, "cash_fen": 500, "applied_at_ms": at + 2000, "succeeded_at_ms": at + 9000}
                order["refunds"] = [part]
            elif n % 13 == 0:
                del order["paid_at_ms"]
            orders.append(order)
        orders += [
            {"shop": doudian, "created_at_ms": now - 9000, "paid_at_ms": now - 8000} for _ in range(3)
        ]  # sold outside any show
        orders += [{"shop": erp, "created_at_ms": now - 7000, "paid_at_ms": now - 6000} for _ in range(5)]
        orders += _elsewhere(world, now)
        await sandbox.post("/control/orders", {"seed": secrets.randbelow(2**31), "orders": orders})
        voucher = code.split(":", maxsplit=1)[0]
        item = catalogue.ITEMS[7]
        with_voucher = await sandbox.post(
            "/control/orders",
            {
                "orders": [
                    {
                        "shop": erp,
                        "lines": [{"product_ref": item.product_ref("standard_webhooks"), "quantity": 1}],
                        "voucher_code": voucher,
                        "voucher_subsidy_fen": world.face_fen,
                        "created_at_ms": now - 5000,
                        "paid_at_ms": clock.to_ms(clock.now()),
                    }
                ]
            },
        )
        self._matched[with_voucher["orders"][0]["order_ref"]] = show.broadcast
        self.redemptions.append(Redeemed(item.price_fen, world.face_fen, offline=False))
        await self.push(sandbox, wait_seconds=60)
        self._say(f"{len(orders) + 1} 单经签名推送到达：乱序、重复、退款，其中一单带券码")

    async def push(self, sandbox: Machine, *, wait_seconds: int) -> None:
        done = await sandbox.post(
            "/control/push",
            {
                "duplicates": 0.1,
                "shuffle": True,
                "batch": [1, 5],
                "concurrency": 16,
                "wait_seconds": wait_seconds,
            },
        )
        for _ in range(600):
            if done.get("done", False):
                return
            await asyncio.sleep(0.5)
            done = {"done": (await sandbox.get("/control/status"))["idle"]}
        raise StoryBroken("the platforms could not deliver everything")

    async def _redeem(self, world: Seeded, code: str) -> None:
        """A voucher at a merchant, tapped twice: used once."""
        voucher, tail = code.split(":")
        fields = {"code": voucher, "amount": "326.00", "phone_tail": tail, "store": world.store_ref}
        async with Browser(self._url) as merchant:
            await merchant.sign_in(world.logins["merchant"], cast.PASSWORD)
            first = await merchant.must("/m/", "/m/redeem", **fields)
            if first.status != 303:
                raise StoryBroken("the voucher was not redeemed at the merchant")
            second = await merchant.submit("/m/", "/m/redeem", **fields)
            if second.status == 303:
                raise StoryBroken("one voucher was redeemed twice")
        self.redemptions.append(Redeemed(32_600, world.face_fen, offline=True))
        self._say("商户核销 326.00，减 30.00；第二次被拒")

    def told(self, world: Seeded) -> Told:
        return Told(
            rooms=self.rooms,
            matched=self._matched,
            claims=self.claims,
            claims_before=self.claims_before,
            signals=self.signals,
            face_fen=world.face_fen,
            redemptions=tuple(self.redemptions),
        )


def _elsewhere(world: Seeded, now: int) -> list[dict[str, Any]]:
    """Four orders of each further platform, one of them refunded; none in a world from before it."""
    known = [world.shops[name].shop_ref for name in ("kuaishou", "wechat_store") if name in world.shops]
    return [order for shop in known for order in _four(shop, now)]


def _four(shop: str, now: int) -> list[dict[str, Any]]:
    sold = {
        "shop": shop,
        "created_at_ms": now - 9000,
        "paid_at_ms": now - 8000,
    }
    refunds = [{"applied_at_ms": now - 7000, "succeeded_at_ms": now - 5000}]
    return [sold, sold, sold, sold | {"refunds": refunds}]


def _found(pattern: str, text: str, what: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise StoryBroken(f"{what} is not on the page")
    return match[1] if match.groups() else match[0]
