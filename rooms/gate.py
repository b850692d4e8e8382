"""What keeps a broadcast off the air: products, their papers, and who stands in front of the camera.

Everything is judged on the broadcast's business day, not on the day of asking.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from datetime import date

from msgspec import Struct

from livehub.kit import clock
from livehub.kit.errors import Detail
from livehub.merchants import requirements, standing
from livehub.merchants.requirements import Lack
from livehub.merchants.standing import Standing
from rooms import checklist
from rooms.air_models import PreAirCheck
from rooms.errors import CheckOutdated, PreAirCheckMissing
from rooms.models import Broadcast, BroadcastState, CrewAssignment, Cue, Room, Theme
from streamers import ages
from streamers.models import Streamer

IN_FRONT = ("anchor", "co_anchor")


class Fault(Struct, frozen=True):
    """One rule that is broken, by its stable name, and the words for it."""

    rule: str
    detail: Detail


class Fitness(Struct, frozen=True, kw_only=True):
    """A broadcast before its check."""

    faults: Sequence[Fault]
    products: tuple[int, ...]  # row ids, in order
    is_food: bool
    is_party: bool


async def fitness(broadcast: Broadcast) -> Fitness:
    """Everything that is wrong on the broadcast's business day, and what its check must cover."""
    room = await Room.get(id=broadcast.room_id)
    cues = await Cue.filter(broadcast_id=broadcast.id, product_id__isnull=False).exclude(state="skipped")
    products = tuple(sorted({each.product_id for each in cues if each.product_id is not None}))
    stand = await standing.of_products(products, day=broadcast.business_day)
    found = list(of_products(stand.values(), room=room, day=broadcast.business_day))
    found += await _of_people(broadcast)
    return Fitness(
        faults=found,
        products=products,
        is_food=any(each.is_food for each in stand.values()),
        is_party=room.theme is Theme.PARTY_BUILDING,
    )


async def require_open(broadcast: Broadcast) -> None:
    """Let a broadcast on air, or on again; PreAirCheckMissing, or CheckOutdated if something changed."""
    if broadcast.state is BroadcastState.PLANNED:
        raise PreAirCheckMissing
    fit = await fitness(broadcast)
    if fit.faults:
        raise CheckOutdated(details=[each.detail for each in fit.faults], data={"rules": rules(fit.faults)})
    is_first = broadcast.started_at is None
    if is_first and not any(each.passed for each in await signed(broadcast, fit)):
        raise PreAirCheckMissing


async def signed(broadcast: Broadcast, fit: Fitness) -> list[PreAirCheck]:
    """The signatures that count for the broadcast as it is."""
    meant = subject(broadcast, fit)
    found = await PreAirCheck.filter(broadcast_id=broadcast.id).order_by("id")
    return [each for each in found if bytes(each.subject) == meant]


def subject(broadcast: Broadcast, fit: Fitness) -> bytes:
    """What a signature under this broadcast is given for."""
    return checklist.subject(
        streamer_id=broadcast.streamer_id,
        day=clock.day_number(broadcast.business_day),
        ai_host=broadcast.ai_host,
        products=fit.products,
    )


async def reopen(broadcast: Broadcast) -> None:
    """A broadcast that was checked is planned again, because what was checked has changed."""
    if broadcast.state is BroadcastState.CHECKED:
        broadcast.state = BroadcastState.PLANNED
        await Broadcast.filter(id=broadcast.id).update(state=BroadcastState.PLANNED)


def of_products(stand: Iterable[Standing], *, room: Room, day: date) -> Iterable[Fault]:
    """What is wrong with these products in a room on a day."""
    for each in stand:
        if not room.commerce_allowed:
            yield Fault("commerce_not_allowed", Detail("product", f"{each.name}：这个直播间不带货"))
        for lack in each.lacks:
            yield of_lack(each, lack, day=day)


def of_lack(product: Standing, lack: Lack, *, day: date) -> Fault:
    """One lack in words."""
    paper = requirements.NAMES.get(lack.type, lack.type)
    if lack.rule == "qualification_expired":
        return Fault(
            lack.rule,
            Detail("product", f"{product.name}：{paper}已于 {lack.until} 到期", f"{day} 仍有效的{paper}"),
        )
    if lack.rule == "qualification_missing":
        return Fault(lack.rule, Detail("product", f"{product.name}：缺{paper}", f"{day} 有效的{paper}"))
    reasons = {
        "": "还没有上过选品会",
        "rejected": "选品会没有通过",
        "expired": f"选品结论已于 {lack.until} 到期",
    }
    return Fault(lack.rule, Detail("product", f"{product.name}：{reasons[lack.type]}", "选品会通过的商品"))


def rules(faults: Iterable[Fault]) -> list[str]:
    """Their names for machines, each once."""
    return list(dict.fromkeys(each.rule for each in faults))


async def _of_people(broadcast: Broadcast) -> list[Fault]:
    """Who is too young on the day, or has nobody's consent."""
    crew = await CrewAssignment.filter(booking_id=broadcast.booking_id, role__in=list(IN_FRONT)).exclude(
        state="declined"
    )
    people = {each.person_id for each in crew}
    people.add((await Streamer.get(id=broadcast.streamer_id)).person_id)
    day = broadcast.business_day
    years = await ages.on(people, day=day)
    minors = [number for number, age in years.items() if age is not None and age < ages.ADULT]
    consented = await standing.holding(minors, type_=requirements.CONSENT, day=day)
    return [
        fault
        for number in sorted(people)
        for fault in _of_person(years.get(number), consents=number in consented, day=day)
    ]


def _of_person(age: int | None, *, consents: bool, day: date) -> Collection[Fault]:
    youngest, adult = ages.YOUNGEST, ages.ADULT
    if age is None:
        return [Fault("birth_unknown", Detail("anchor", "主播没有登记出生日期", "按身份证登记"))]
    if age < youngest:
        return [
            Fault("under_age", Detail("anchor", f"主播在 {day} 未满 {youngest} 周岁", f"{youngest} 周岁以上"))
        ]
    if age < adult and not consents:
        return [
            Fault(
                "guardian_consent_missing",
                Detail("anchor", f"主播未满 {adult} 周岁，缺监护人同意书", f"{day} 有效的监护人同意书"),
            )
        ]
    return []
