"""A centre with its people, rooms, shops and campaign, made by the domain's own verbs."""

from __future__ import annotations

import secrets
from base64 import b64encode
from datetime import date, datetime, timedelta

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts import tokens, users
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.models import Bureau, Centre, Role
from livehub.demo import cast, teaching
from livehub.kit import clock
from livehub.merchants import qualifications, selection
from livehub.merchants import registry as merchants
from livehub.merchants.models import MerchantStatus, Product
from livehub.merchants.qualifications import Noted
from livehub.merchants.requirements import REQUIRED
from livehub.platforms import shops
from livehub.sandbox import catalogue
from livehub.sandbox.spec import Platform
from livehub.vouchers import campaigns, enrolments, rounds
from livehub.vouchers.campaigns import NewCampaign
from livehub.vouchers.models import Validity
from livehub.vouchers.new_kinds import NewTemplate
from rooms import registry as rooms
from rooms.registry import Plan
from streamers import ages
from streamers import registry as streamers
from streamers.models import Streamer


class ShopSeed(Struct, frozen=True, kw_only=True):
    """A shop both sides know: here and at the imitated platform."""

    platform: str
    shop_ref: str
    public_id: str
    endpoint_key: str
    app_key: str
    secret: str
    access_token: str


class Seeded(Struct, frozen=True, kw_only=True):
    """What the story needs to know of its world; kept beside the database for a second start."""

    tag: str
    centre_id: int
    bureau_ids: tuple[int, ...]
    logins: dict[str, str]  # role -> login
    token: str  # of /api/v1, role auditor
    rooms: dict[str, str]  # code -> public id
    streamers: dict[str, str]  # stage name -> public id
    authors: dict[str, str]  # stage name -> the author's id at 抖店
    shops: dict[str, ShopSeed]
    merchant_id: int
    store_ref: str
    template_ref: str
    campaign_ref: str
    face_fen: int
    threshold_fen: int


async def seed(*, tag: str, sandbox_url: str, now: datetime) -> Seeded:
    """Make the world. ``tag`` keeps two worlds in one database apart; '' is the demo's own."""
    clerk = system("demo")
    centre = await users.create_centre("北海直播消费促进中心", city="北海", actor=clerk, now=now)
    clerk = msgspec.structs.replace(clerk, centre_id=centre.id)
    bureaus = [
        await users.create_bureau(name, kind=kind, centre_id=centre.id, actor=clerk, now=now)
        for name, kind in cast.BUREAUS
    ]
    room_ids = await _rooms(centre, clerk, now)
    people, authors = await _streamers(centre, clerk, now)
    merchant_id, store_ref = await _merchants(centre, clerk, now)
    staff = await _logins(centre, bureaus, merchant_id, tag=tag, clerk=clerk, now=now)
    logins: dict[str, str] = {}
    for login, person in staff.items():
        logins.setdefault(str(person.grants[0].role), login)
    await teaching.tell(
        bureau_id=bureaus[0].id,
        room=room_ids[teaching.ROOM],
        teacher=people[cast.TEACHER],
        streamers=[each for name, each in people.items() if name != cast.TEACHER],
        logins=staff,
        today=clock.local_day(clock.now()),
    )
    shop_seeds = await _shops(centre, bureaus[0], sandbox_url, clerk, now)
    template_ref, campaign_ref = await _campaign(
        bureaus[0],
        merchant_id,
        officer=staff[logins[Role.BUREAU]],
        finance=staff[logins[Role.FINANCE]],
        now=now,
    )
    token, _ = await tokens.create("演示核对", Grant(Role.AUDITOR), actor=clerk, now=now, centre_id=centre.id)
    return Seeded(
        tag=tag,
        centre_id=centre.id,
        bureau_ids=tuple(bureau.id for bureau in bureaus),
        logins=logins,
        token=token,
        rooms=room_ids,
        streamers=people,
        authors=authors,
        shops=shop_seeds,
        merchant_id=merchant_id,
        store_ref=store_ref,
        template_ref=template_ref,
        campaign_ref=campaign_ref,
        face_fen=FACE_FEN,
        threshold_fen=THRESHOLD_FEN,
    )


FACE_FEN, THRESHOLD_FEN, QUANTITY = 3000, 20000, 20000


async def _rooms(centre: Centre, clerk: Actor, now: datetime) -> dict[str, str]:
    found = {}
    for code, name, theme, sells in cast.ROOMS:
        plan = Plan(
            code=code,
            name=name,
            theme=theme,
            opens_minute=0,  # the demo may be started at any hour
            closes_minute=1800,
            setup_min=15,
            turnover_min=15,
            commerce_allowed=sells,
        )
        room = await rooms.open_room(plan, centre_id=centre.id, actor=clerk, now=now)
        found[code] = room.public_id
    return found


async def _streamers(centre: Centre, clerk: Actor, now: datetime) -> tuple[dict[str, str], dict[str, str]]:
    people: dict[str, str] = {}
    authors: dict[str, str] = {}
    for stage_name, name, town in cast.STREAMERS:
        phone = f"170{secrets.randbelow(10**8):08d}"
        streamer: Streamer = await streamers.create(
            stage_name, name=name, centre_id=centre.id, phone=phone, town=town, actor=clerk, now=now
        )
        author = str(7_000_000_000_000_000 + secrets.randbelow(10**12))
        await streamers.add_account(
            streamer.public_id, platform="doudian", account_ref=author, name=stage_name, actor=clerk, now=now
        )
        born = date(1975 + secrets.randbelow(30), 1 + secrets.randbelow(12), 1 + secrets.randbelow(28))
        await ages.note(streamer.public_id, born_on=born, actor=clerk, now=now)
        people[stage_name] = streamer.public_id
        authors[stage_name] = author
    return people, authors


async def _merchants(centre: Centre, clerk: Actor, now: datetime) -> tuple[int, str]:
    first: tuple[int, str] | None = None
    for name, town, stores in cast.MERCHANTS:
        merchant = await merchants.add_merchant(name, centre_id=centre.id, town=town, actor=clerk, now=now)
        await merchants.set_status(merchant.public_id, status=MerchantStatus.APPROVED, actor=clerk, now=now)
        made = [
            await merchants.add_store(merchant.public_id, name=each, actor=clerk, now=now) for each in stores
        ]
        first = first or (merchant.id, made[0].public_id)
    assert first is not None  # noqa: S101 -- the cast has merchants
    return first


async def _logins(
    centre: Centre, bureaus: list[Bureau], merchant_id: int, *, tag: str, clerk: Actor, now: datetime
) -> dict[str, Actor]:
    """Everybody who logs in, by login."""
    found: dict[str, Actor] = {}
    for each in cast.LOGINS:
        login = f"{each.login}-{tag}" if tag else each.login
        grant = Grant(
            each.role,
            bureau_id=bureaus[each.bureau].id if each.bureau >= 0 else 0,
            merchant_id=merchant_id if each.role is Role.MERCHANT else 0,
        )
        user = await users.create_user(
            login, cast.PASSWORD, name=each.name, centre_id=centre.id, actor=clerk, now=now, grants=[grant]
        )
        found[login] = Actor(kind="user", id=user.id, name=user.name, centre_id=centre.id, grants=(grant,))
    return found


_SHOPS: tuple[tuple[Platform, str], ...] = (
    ("doudian", "北海农特旗舰店"),
    ("standard_webhooks", "北海云仓 ERP"),
    ("wechat_store", "北海海味小店"),
    ("kuaishou", "北海渔获快手小店"),
)


async def _shops(
    centre: Centre, bureau: Bureau, sandbox_url: str, clerk: Actor, now: datetime
) -> dict[str, ShopSeed]:
    found: dict[str, ShopSeed] = {}
    for platform, name in _SHOPS:
        digits = f"{secrets.randbelow(10**9):09d}"
        shop_ref, app_key, secret = _identity(platform, digits)
        seed_ = ShopSeed(
            platform=platform,
            shop_ref=shop_ref,
            public_id="",
            endpoint_key="",
            app_key=app_key,
            secret=secret,
            access_token=secrets.token_hex(16) if app_key else "",
        )
        endpoint = await shops.add_endpoint(
            centre.id,
            platform=platform,
            name=name,
            app_key=seed_.app_key,
            secret=seed_.secret,
            access_token=seed_.access_token,
            api_base_url=f"{sandbox_url}/{platform}" if app_key else "",
            actor=clerk,
            now=now,
        )
        await database.execute("UPDATE endpoint SET calls_per_second = 500 WHERE id = $1", endpoint.id)
        shop = await shops.add_shop(
            bureau.id, endpoint_id=endpoint.id, shop_ref=seed_.shop_ref, name=name, actor=clerk, now=now
        )
        for item in catalogue.ITEMS:
            product = await _product(centre, item, clerk, now)
            await merchants.map_product(
                shop.id, product_ref=item.product_ref(platform), product=product, actor=clerk, now=now
            )
        found[platform] = msgspec.structs.replace(
            seed_, public_id=shop.public_id, endpoint_key=endpoint.endpoint_key
        )
    return found


def _identity(platform: Platform, digits: str) -> tuple[str, str, str]:
    """Shop, app key and secret, as that platform gives them out."""
    match platform:
        case "doudian":
            return f"9{digits}", f"7{digits}{digits}", secrets.token_hex(16)
        case "wechat_store":
            return f"gh_{digits}", f"wx{digits}", f"demo{digits}:{secrets.token_hex(21)}A"
        case "kuaishou":
            return f"2{digits}", f"ks{digits}{digits}", f"{secrets.token_hex(16)}:{_base64(16)}"
        case _:
            return f"erp-{digits}", "", f"whsec_{_base64(24)}"


async def _product(centre: Centre, item: catalogue.Item, clerk: Actor, now: datetime) -> str:
    row = await database.fetch_one(
        "SELECT public_id FROM product WHERE centre_id = $1 AND name = $2", centre.id, item.title
    )
    if row is not None:
        return str(row["public_id"])
    category = {"pearl": "handicraft", "fresh": "edible_agri", "fruit": "edible_agri"}.get(
        item.kind, "prepackaged"
    )
    product = await merchants.add_product(
        item.title, centre_id=centre.id, category=category, price_fen=item.price_fen, town=item.town,
        actor=clerk, now=now,
    )  # fmt: skip
    await _papers(product, clerk, now)
    return product.public_id


async def _papers(product: Product, clerk: Actor, now: datetime) -> None:
    """What the product needs to be shown; of two of them something ends within days."""
    today = clock.local_day(clock.now())  # the world is older than its visitors
    lasting = {"prepackaged": 900, "edible_agri": 300}.get(product.category, 600)
    for required in REQUIRED[product.category]:
        await qualifications.add(
            Noted(
                owner_kind="product", owner=product.public_id, type=required.type,
                number=f"SC1{secrets.randbelow(10**13):013d}" if required.type == "sc_licence" else "",
                issued_on=today - timedelta(days=200), valid_to=today + timedelta(days=lasting),
            ),
            actor=clerk, now=now,
        )  # fmt: skip
    left = cast.ENDING.get(product.name)
    if left is not None:
        report = Noted(
            owner_kind="product", owner=product.public_id, type="inspection_report",
            number=f"BH-{secrets.randbelow(10**6):06d}",
            issued_on=today - timedelta(days=180), valid_to=today + timedelta(days=left),
        )  # fmt: skip
        await qualifications.add(report, actor=clerk, now=now)
    await selection.review(
        product.public_id, meeting_on=today - timedelta(days=40), decision="approved",
        actor=clerk, now=now,
    )  # fmt: skip


async def _campaign(
    bureau: Bureau, merchant_id: int, *, officer: Actor, finance: Actor, now: datetime
) -> tuple[str, str]:
    """The officer drafts, finance countersigns; then it runs."""
    wanted = NewCampaign(
        name="开海第一网 · 农特券",
        issuer_name="北海市农业农村局",
        purpose="农特产品直播消费",
        budget_fen=QUANTITY * FACE_FEN * 2,
    )
    campaign = await campaigns.draft(
        wanted, bureau_id=bureau.id, centre_id=bureau.centre_id, actor=officer, now=now
    )
    await campaigns.submit(campaign.id, actor=officer, now=now)
    await campaigns.countersign(campaign.id, actor=finance, now=now)
    clerk = system("demo", centre_id=bureau.centre_id)
    await campaigns.start(campaign.id, actor=clerk, now=now)
    template = NewTemplate(
        name="北海农特消费券",
        face_fen=FACE_FEN,
        threshold_fen=THRESHOLD_FEN,
        quantity=QUANTITY,
        validity=Validity.DAYS_FROM_CLAIM,
        validity_n=7,
    )
    round_ = await rounds.schedule(
        campaign.id,
        templates=[template],
        claim_from=now,
        claim_until=now + timedelta(days=60),
        actor=clerk,
        now=now,
    )
    await rounds.open_round(round_.id, actor=clerk, now=now)
    await enrolments.enrol(campaign.id, merchant_id=merchant_id, actor=clerk, now=now)
    row = await database.fetch_one("SELECT public_id FROM voucher_template WHERE round_id = $1", round_.id)
    assert row is not None  # noqa: S101 -- scheduled above
    return str(row["public_id"]), campaign.public_id


def _base64(nbytes: int) -> str:
    return b64encode(secrets.token_bytes(nbytes)).decode()
