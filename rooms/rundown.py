"""The rundown: a broadcast's cues in order, planned before and fired on the air.

A voucher cue carries only the plan of its drop; the drop itself is opened above, on the fact CueFired.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct, structs

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids, outbox, states
from livehub.kit.errors import Detail, NotFound
from livehub.merchants import standing
from livehub.merchants.models import Product
from rooms import gate, locks, onair
from rooms.errors import CueRefused, NotOnAir
from rooms.facts import CueFired
from rooms.gate import Fault
from rooms.models import Broadcast, BroadcastAccount, BroadcastState, Cue, Room

WINDOW_LIMIT_S = {"doudian": 1200}  # the platform drops one batch for at most 20 minutes
TITLE_LENGTH = 60


class Kind(StrEnum):
    """What a cue is for."""

    OPENING = "opening"
    PRODUCT = "product"
    VOUCHER = "voucher"
    LOTTERY = "lottery"
    INTERACTION = "interaction"
    POLICY = "policy"
    CLOSING = "closing"


KINDS = tuple(Kind)


class Planned(Struct, frozen=True, kw_only=True):
    """One cue as it is planned; product and template by their public ids."""

    kind: Kind
    title: str
    offset_s: int = 0  # after the start
    length_s: int = 0
    product: str = ""
    template_ref: str = ""
    quantity: int = 0
    window_s: int = 0


class Setting(Struct, frozen=True, kw_only=True):
    """What a broadcast allows its cues."""

    length_s: int
    window_limit_s: int
    commerce_allowed: bool
    products: dict[str, int]  # public id -> id, of those named
    lacks: dict[str, Sequence[Fault]] = {}  # public id -> what its papers lack on the day


@database.atomic
async def plan(public_id: str, *, cues: Sequence[Planned], actor: Actor, now: datetime) -> list[Cue]:
    """Replace the rundown; CueRefused names every cue that is wrong, WrongState once one was fired."""
    broadcast = await _held(public_id, actor=actor)
    if await Cue.filter(broadcast_id=broadcast.id).exclude(state="planned").exists():
        raise states.WrongState(data={"state": "fired", "wanted": "planned"})
    setting = await _setting(broadcast, products={each.product for each in cues if each.product})
    _require(list(faults(cues, setting=setting)), overrun_s=overrun_s(cues, setting=setting))
    await gate.reopen(broadcast)
    await Cue.filter(broadcast_id=broadcast.id).delete()
    await Cue.bulk_create(
        _cue(broadcast, each, position=position, setting=setting)
        for position, each in enumerate(cues, start=1)
    )
    await _audit("rundown.planned", broadcast, actor=actor, now=now, detail={"cues": len(cues)})
    return await Cue.filter(broadcast_id=broadcast.id).order_by("position")


@database.atomic
async def add(public_id: str, *, cue: Planned, actor: Actor, now: datetime) -> Cue:
    """Put one more cue at the end, also while on the air; when it starts is up to who fires it."""
    broadcast = await _held(public_id, actor=actor)
    if broadcast.state in (BroadcastState.ABORTED, BroadcastState.REVIEWED):
        raise states.WrongState(data={"state": str(broadcast.state)})
    setting = await _setting(broadcast, products={cue.product} if cue.product else set())
    _require(list(_of_one(cue, setting=setting)))
    if cue.product:
        await gate.reopen(broadcast)
    last = await Cue.filter(broadcast_id=broadcast.id).order_by("-position").first()
    added = _cue(broadcast, cue, position=last.position + 1 if last is not None else 1, setting=setting)
    await added.save()
    await _audit("rundown.cue_added", broadcast, actor=actor, now=now, detail={"cue": added.public_id})
    return added


@database.atomic
async def fire(cue_ref: str, *, actor: Actor, now: datetime) -> Cue:
    """Put a cue on the air, which ends the one before; NotOnAir, or WrongState when it was fired already."""
    cue, broadcast = await _cue_held(cue_ref, actor=actor)
    if broadcast.state is not BroadcastState.LIVE:
        raise NotOnAir(data={"state": str(broadcast.state)})
    _require_planned(cue)
    await Cue.filter(broadcast_id=broadcast.id, state="on_air").update(state="done")
    cue.state, cue.fired_at = "on_air", now
    await cue.save(update_fields=["state", "fired_at"])
    fact = CueFired(
        cue_id=cue.id,
        cue_ref=cue.public_id,
        broadcast_id=broadcast.id,
        centre_id=broadcast.centre_id,
        kind=cue.kind,
        template_ref=cue.template_ref,
        quantity=cue.quantity,
        window_s=cue.window_s,
        at_ms=clock.to_ms(now),
    )
    await outbox.record(fact, now=now)
    await _audit("cue.fired", broadcast, actor=actor, now=now, detail={"cue": cue.public_id})
    return cue


@database.atomic
async def skip(cue_ref: str, *, actor: Actor, now: datetime) -> Cue:
    """Leave a planned cue out."""
    cue, broadcast = await _cue_held(cue_ref, actor=actor)
    _require_planned(cue)
    cue.state = "skipped"
    await cue.save(update_fields=["state"])
    await _audit("cue.skipped", broadcast, actor=actor, now=now, detail={"cue": cue.public_id})
    return cue


def in_a_row(cues: Sequence[Planned]) -> list[Planned]:
    """The same cues, each where the one before ends."""
    end = 0
    placed = []
    for cue in cues:
        placed.append(structs.replace(cue, offset_s=end))
        end += cue.length_s
    return placed


def faults(cues: Sequence[Planned], *, setting: Setting) -> Iterator[Fault]:
    """Everything that is wrong with a rundown, cue by cue."""
    end = 0
    for number, cue in enumerate(cues):
        for fault in _of_one(cue, setting=setting):
            detail = fault.detail
            yield Fault(fault.rule, Detail(f"cues[{number}].{detail.field}", detail.reason, detail.expected))
        if cue.offset_s < end:
            yield Fault("overlap", Detail(f"cues[{number}].offset_s", "与上一个环节重叠", f"{end} 秒以后"))
        end = max(end, cue.offset_s + cue.length_s)
    if end > setting.length_s:
        over = end - setting.length_s
        yield Fault("overrun", Detail("cues", f"环节总长超出场次 {over} 秒", f"不超过 {setting.length_s} 秒"))


def overrun_s(cues: Sequence[Planned], *, setting: Setting) -> int:
    """By how many seconds the last cue ends after the show."""
    return max(0, max((each.offset_s + each.length_s for each in cues), default=0) - setting.length_s)


def _of_one(cue: Planned, *, setting: Setting) -> Iterator[Fault]:
    if not 0 < len(cue.title.strip()) <= TITLE_LENGTH:
        yield Fault("title", Detail("title", "请填写环节名称", f"1 到 {TITLE_LENGTH} 个字"))
    if cue.offset_s < 0 or cue.length_s < 0:
        yield Fault("negative", Detail("offset_s", "时间不能是负数", "0 或以上"))
    if cue.product and cue.product not in setting.products:
        yield Fault("product", Detail("product", "没有这个商品"))
    if (cue.product or cue.kind is Kind.PRODUCT) and not setting.commerce_allowed:
        yield Fault("commerce_not_allowed", Detail("product", "这个直播间不带货"))
    yield from setting.lacks.get(cue.product, ())
    if cue.kind is Kind.VOUCHER:
        yield from _of_voucher(cue, setting=setting)


def _of_voucher(cue: Planned, *, setting: Setting) -> Iterator[Fault]:
    if not cue.template_ref:
        yield Fault("template", Detail("template_ref", "请选择券种"))
    if cue.quantity < 1:
        yield Fault("quantity", Detail("quantity", "请填写投放数量", "1 或以上"))
    if not 1 <= cue.window_s <= setting.window_limit_s:
        expected = f"1 到 {setting.window_limit_s} 秒"
        yield Fault("window_limit", Detail("window_s", "投放时长不合平台规定", expected))


def _require(found: list[Fault], **data: object) -> None:
    if found:
        told = {"rules": gate.rules(found), **{name: value for name, value in data.items() if value}}
        raise CueRefused(details=[each.detail for each in found], data=told)


def _require_planned(cue: Cue) -> None:
    if cue.state != "planned":
        raise states.WrongState(data={"state": cue.state})


async def _setting(broadcast: Broadcast, *, products: Collection[str]) -> Setting:
    length_s = int((broadcast.planned_end_at - broadcast.planned_start_at).total_seconds())
    accounts = await BroadcastAccount.filter(broadcast_id=broadcast.id)
    limits = [WINDOW_LIMIT_S[each.platform] for each in accounts if each.platform in WINDOW_LIMIT_S]
    room = await Room.get(id=broadcast.room_id)
    found = await Product.filter(public_id__in=list(products), centre_id=broadcast.centre_id)
    day = broadcast.business_day
    stand = await standing.of_products([each.id for each in found], day=day)
    on_air = broadcast.state is BroadcastState.LIVE  # no check comes after this one
    lacks: dict[str, Sequence[Fault]] = {
        each.public_id: [
            gate.of_lack(stand[each.id], lack, day=day)
            for lack in (stand[each.id].lacks if on_air else stand[each.id].papers)
        ]
        for each in found
    }
    return Setting(
        length_s=length_s,
        window_limit_s=min([length_s, *limits]),
        commerce_allowed=room.commerce_allowed,
        products={each.public_id: each.id for each in found},
        lacks=lacks,
    )


def _cue(broadcast: Broadcast, planned: Planned, *, position: int, setting: Setting) -> Cue:
    return Cue(
        public_id=ids.public_id(),
        broadcast_id=broadcast.id,
        position=position,
        kind=planned.kind,
        title=planned.title.strip(),
        planned_offset_s=planned.offset_s,
        planned_s=planned.length_s,
        product_id=setting.products.get(planned.product),
        template_ref=planned.template_ref,
        quantity=planned.quantity,
        window_s=planned.window_s,
    )


async def _held(public_id: str, *, actor: Actor) -> Broadcast:
    """The broadcast, locked, for its bureau and the centre: the rundown is theirs to plan."""
    seen = await Broadcast.get_or_none(public_id=public_id)
    if seen is None:
        raise NotFound
    require(actor, Permission.BOOKING_REQUEST, bureau_id=seen.bureau_id, centre_id=seen.centre_id)
    await locks.hold("broadcast", {seen.id})
    return await Broadcast.get(id=seen.id)


async def _cue_held(cue_ref: str, *, actor: Actor) -> tuple[Cue, Broadcast]:
    seen = await Cue.get_or_none(public_id=cue_ref)
    if seen is None:
        raise NotFound
    onair.require_run(await Broadcast.get(id=seen.broadcast_id), actor=actor)
    await locks.hold("broadcast", {seen.broadcast_id})
    return await Cue.get(id=seen.id), await Broadcast.get(id=seen.broadcast_id)


async def _audit(
    action: str, broadcast: Broadcast, *, actor: Actor, now: datetime, detail: dict[str, object]
) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("broadcast", broadcast.public_id),
        bureau_id=broadcast.bureau_id,
        detail=detail,
    )
