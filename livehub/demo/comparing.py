"""Every figure of livehub against the imitated platforms' own books, and each opened down to its messages."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from msgspec import Struct

from livehub.demo.browser import Machine
from livehub.demo.seeding import Seeded
from livehub.sandbox import catalogue

PAIRS = (
    ("orders", "orders"),
    ("units", "units"),
    ("g1_fen", "g1_fen"),
    ("g2_fen", "g2_fen"),
    ("g3_fen", "g3_fen"),
    ("refund_fen", "refund_g2_fen"),
    ("voucher_subsidy_fen", "voucher_subsidy_fen"),
)
OPENED = 12  # orders that are opened down to their bytes
ROOT = "/api/v1"


class Redeemed(Struct, frozen=True):
    """A use the story made itself, with its order's amount and the subsidy."""

    order_fen: int
    subsidy_fen: int
    offline: bool


class Told(Struct, frozen=True, kw_only=True):
    """What the story did with its own hands, beside what the platforms did."""

    rooms: dict[str, str]  # the platform's room -> broadcast
    matched: dict[str, str]  # ERP order -> broadcast its voucher belongs to
    claims: int
    claims_before: int  # of them, before today
    face_fen: int
    redemptions: tuple[Redeemed, ...]
    signals: dict[str, tuple[int, int]]  # rule of each case there must be -> (value, of)


class Comparison:
    """Differences found so far, and how many figures were looked at."""

    def __init__(self) -> None:
        self.differences: list[str] = []
        self.figures = 0
        self.opened = 0

    def same(self, name: str, ours: Any, theirs: Any) -> None:
        """Note a difference, if there is one."""
        self.figures += 1
        if ours != theirs:
            self.differences.append(f"{name}: livehub says {ours}, the books say {theirs}")


async def compare(api: Machine, sandbox: Machine, world: Seeded, told: Told) -> Comparison:
    """Compare totals, days, products, broadcasts, wall and voucher money; open what they are made of."""
    found = Comparison()
    books = await sandbox.get("/control/books", orders="1")
    for shop in world.shops.values():
        await _shop(found, api, books, shop.public_id, shop.shop_ref)
    await _broadcasts(found, api, books, world, told)
    await _reconciled(found, api, world)
    offline = await _offline(found, api, told)
    gone = (await api.get(f"{ROOT}/campaigns/{world.campaign_ref}/metrics"))["funnel"]["expired"]
    await _wall(found, api, books, told, offline, expired=gone)
    await _cases(found, api, told)
    await _open(found, api)
    return found


async def _shop(found: Comparison, api: Machine, books: Any, shop: str, shop_ref: str) -> None:
    total = (await _figures(api, shop=shop))["total"]
    _compare(found, f"shop {shop_ref}", total, books["by_shop"].get(shop_ref, {}))
    days = {row["key"]: row for row in (await _figures(api, shop=shop, by="day"))["rows"]}
    expected = {
        key.split("|")[1]: row for key, row in books["by_shop_day"].items() if key.startswith(f"{shop_ref}|")
    }
    for day in sorted(days.keys() | expected.keys()):
        _compare(found, f"shop {shop_ref} on {day}", days.get(day, {}), expected.get(day, {}))
    products = {row["label"]: row for row in (await _figures(api, shop=shop, by="product"))["rows"]}
    sold = {
        key.split("|")[1]: row for key, row in books["by_product"].items() if key.startswith(f"{shop_ref}|")
    }
    for ref, row in sold.items():
        title = catalogue.item_of(ref).title
        ours = products.pop(title, {})
        for name, theirs in PAIRS[2:6]:  # an order of two products counts once in each: only money adds up
            found.same(f"{name} of {title} in {shop_ref}", ours.get(name, 0), row.get(theirs, 0))
    for title, row in products.items():
        found.same(f"g2_fen of {title} in {shop_ref}", row["g2_fen"], 0)


async def _reconciled(found: Comparison, api: Machine, world: Seeded) -> None:
    """Every shop whose platform has lists agrees with them."""
    shops = {each["shop"]: each for each in (await api.get(f"{ROOT}/reconciliation/shops"))["items"]}
    for shop in world.shops.values():
        ours = shops[shop.public_id]
        has_list = shop.platform != "standard_webhooks"
        name = f"lists of shop {shop.shop_ref}"
        found.same(f"{name} are read", ours["reconciled_until"] is not None, has_list)
        hanging = (ours["windows_dead"], ours["differences_open"])
        found.same(f"given-up windows and differences of the {name}", hanging, (0, 0))


async def _broadcasts(found: Comparison, api: Machine, books: Any, world: Seeded, told: Told) -> None:
    doudian = world.shops["doudian"].public_id
    for room, broadcast in told.rooms.items():
        total = (await _figures(api, shop=doudian, broadcast=broadcast))["total"]
        expected = books["by_room"].get(room, {})
        for name, theirs in PAIRS[2:6]:
            found.same(f"{name} of the broadcast in room {room}", total[name], expected.get(theirs, 0))
    orders = {order["order_ref"]: order for order in books["orders"]}
    erp = world.shops["standard_webhooks"].public_id
    for broadcast in sorted(set(told.matched.values())):
        refs = [ref for ref, where in told.matched.items() if where == broadcast]
        total = (await _figures(api, shop=erp, broadcast=broadcast, attribution="B"))["total"]
        found.same("g2_fen by voucher", total["g2_fen"], sum(orders[ref]["g2_fen"] for ref in refs))
        found.same("orders by voucher", total["orders"], len(refs))


async def _offline(found: Comparison, api: Machine, told: Told) -> dict[str, int]:
    total: dict[str, int] = (await _figures(api, platform="offline"))["total"]
    used = [each for each in told.redemptions if each.offline]
    found.same("offline g2_fen", total["g2_fen"], sum(each.order_fen for each in used))
    found.same("offline g1_fen", total["g1_fen"], sum(each.order_fen - each.subsidy_fen for each in used))
    found.same("offline orders", total["orders"], len(used))
    return total


async def _wall(
    found: Comparison, api: Machine, books: Any, told: Told, offline: dict[str, int], *, expired: int
) -> None:
    board = (await api.get(f"{ROOT}/wall"))["board"]
    day = board["day"]
    today = books["by_day"].get(day, {})
    here = (await _figures(api, platform="offline", **{"from": day, "to": day}))["total"]
    for ours, theirs in (
        ("orders", "orders"),
        ("g2_fen", "g2_fen"),
        ("g3_fen", "g3_fen"),
        ("units", "units"),
    ):
        found.same(f"wall: {ours} today", board["today"][ours], today.get(theirs, 0) + here[ours])
    found.same("wall: pending", board["today"]["pending"], 0)
    for feed in board["feeds"]:
        found.same(f"wall: {feed['platform']} waiting and parked", (feed["waiting"], feed["parked"]), (0, 0))
    subsidy = sum(each.subsidy_fen for each in told.redemptions)
    ordered = sum(each.order_fen for each in told.redemptions)
    found.same("wall: leverage, orders", board["pulled"]["order_fen"], ordered)
    found.same("wall: leverage, subsidy", board["pulled"]["subsidy_fen"], subsidy)
    found.same("wall: redemptions", board["pulled"]["redemptions"], len(told.redemptions))
    found.same("wall: redeemed money", board["funds"]["redeemed_fen"], subsidy)
    held = (told.claims - len(told.redemptions) - expired) * told.face_fen
    found.same("wall: committed money", board["funds"]["committed_fen"], subsidy + held)
    found.same("wall: vouchers claimed", board["vouchers"]["claimed"], told.claims - told.claims_before)
    found.same("wall: double bookings", board["double_bookings"], 0)
    found.same("wall: on air", board["live_count"], 1)
    used = sum(each.order_fen for each in told.redemptions if each.offline)
    found.same("wall: offline G2", offline["g2_fen"], used)


async def _cases(found: Comparison, api: Machine, told: Told) -> None:
    """The schemes are caught with their exact numbers, and nothing else is."""
    cases = (await api.get(f"{ROOT}/cases", size="200"))["items"]
    found.same("rules with a case", sorted(each["rule"] for each in cases), sorted(told.signals))
    for each in cases:
        (signal,) = each["signals"]
        found.same(f"case of {each['rule']}", (signal["value"], signal["of"]), told.signals.get(each["rule"]))
    board = (await api.get(f"{ROOT}/wall"))["board"]
    found.same("wall: cases", board["cases"], len(told.signals))


async def _open(found: Comparison, api: Machine) -> None:
    """The G3 of everything: its lines add up to it, and orders open down to signed or fetched bytes."""
    total = (await _figures(api))["total"]
    lines: list[Any] = []
    while True:
        page = await api.get(f"{ROOT}/sales/lines", basis="G3", page=str(len(lines) // 200 + 1), size="200")
        lines += page["items"]
        if len(lines) >= page["total"] or not page["items"]:
            break
    found.same("sum of the lines of G3", sum(line["numerator"] for line in lines), total["g3_fen"])
    for line in lines[:OPENED]:
        order = await api.get(line["evidence_url"])
        entries = [entry for entry in order["entries"] if entry["line_ref"] == line["line_ref"]]
        booked = sum(entry["g2_fen"] - entry["refund_fen"] for entry in entries)
        found.same(f"entries of line {line['line_ref']}", booked, line["numerator"])
        for entry in entries:
            if entry["reason"] != "message":
                continue
            await _message(found, api, entry["message"])
            found.opened += 1


async def _message(found: Comparison, api: Machine, message_id: str) -> None:
    """A message is signed where its platform signs, or is a reply, or our own; its bytes are kept."""
    opened = await api.get(f"{ROOT}/inbox/messages/{message_id}")
    seen = opened["message"]
    name = f"message {message_id} ({seen['native_type']})"
    source, verdict = seen["source"], seen["verdict"]
    pushed = "unsigned" if opened["platform"] == "kuaishou" else "signed"
    found.same(f"verdict of {name}", verdict, {"push": pushed, "pull": "fetched", "own": "own"}[source])
    if source == "pull":
        asked = [each for each in opened["fetched_because"] if each["verdict"] == pushed]
        found.same(f"{name} was asked for by messages that are {pushed}", len(asked) > 0, True)  # noqa: FBT003 -- the value, not a flag
    if source != "own":
        delivery = await api.get(f"{ROOT}/inbox/deliveries/{seen['delivery']}")
        found.same(f"digest of the delivery of {name}", len(delivery["sha256"]), 64)


async def _figures(api: Machine, **query: str) -> Any:
    return await api.get(f"{ROOT}/sales/figures?{urlencode({'basis': 'G3', 'size': '200', **query})}")


def _compare(found: Comparison, name: str, ours: dict[str, int], theirs: dict[str, int]) -> None:
    for our_name, their_name in PAIRS:
        found.same(f"{our_name} of {name}", ours.get(our_name, 0), theirs.get(their_name, 0))
