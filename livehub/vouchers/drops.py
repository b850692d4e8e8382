"""Vouchers put out during a broadcast: planned, opened once it is live, closed by hand or by time."""

from __future__ import annotations

from datetime import datetime, timedelta

from tortoise.exceptions import IntegrityError
from tortoise.functions import Sum

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor, system
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids
from livehub.kit.errors import Forbidden, LivehubError, NotFound
from livehub.vouchers import latch, locks, packs
from livehub.vouchers.errors import (
    DirectOnly,
    DropAlreadyOpen,
    DropTooMany,
    DropWindowTooLong,
    Ended,
    NotLive,
)
from livehub.vouchers.models import Campaign, Drop, Round, RoundStatus, Template
from livehub.vouchers.rounds import DIRECT
from rooms.facts import CueFired
from rooms.models import Broadcast, BroadcastAccount, BroadcastState

WINDOW_LIMIT_S = {"doudian": 1200}  # 抖音: one batch of at most 20 minutes
MAX_WINDOW_S = 6 * 3600


@database.atomic
async def plan(
    broadcast_id: int,
    *,
    template_id: int,
    quantity: int,
    window_s: int,
    actor: Actor,
    now: datetime,
    cue_ref: str = "",
) -> Drop:
    """Set vouchers of a template aside for a broadcast, within what the template still has unplanned.

    A template that is given in a pack stands for the pack, and ``quantity`` is of packs.
    """
    broadcast = await _broadcast(broadcast_id)
    permissions.require(
        actor, Permission.DROP_RUN, bureau_id=broadcast.bureau_id, centre_id=broadcast.centre_id
    )
    return await _plan(
        broadcast, template_id, quantity=quantity, window_s=window_s, actor=actor, now=now, cue_ref=cue_ref
    )


@database.atomic
async def open_drop(drop_id: int, *, actor: Actor, now: datetime, quantity: int | None = None) -> Drop:
    """Let the broadcast's links give the planned vouchers; DropAlreadyOpen when another drop is open.

    With a smaller ``quantity`` the rest stays planned.

    A streamer opens drops of her own live broadcast only, and never more than was planned.
    """
    planned = await Drop.get_or_none(id=drop_id)
    if planned is None:
        raise NotFound
    await locks.hold("voucher_template", await _templates_of(planned))
    drop = await Drop.get(id=drop_id)
    broadcast = await _broadcast(drop.broadcast_id)
    _require_may_open(actor, broadcast)
    await _require_open_to_claims(drop, broadcast)
    wanted = drop.quantity if quantity is None else quantity
    if not 0 < wanted <= drop.quantity:
        raise DropTooMany
    await _close_spent(drop.broadcast_id, now=now)
    if await Drop.filter(broadcast_id=drop.broadcast_id, state="open").exists():
        raise DropAlreadyOpen
    if wanted < drop.quantity:
        await _keep_planned(drop, drop.quantity - wanted)
    window = drop.closes_at - drop.opens_at
    drop.state, drop.quantity, drop.opens_at, drop.closes_at = "open", wanted, now, now + window
    drop.opened_by = f"{actor.kind}:{actor.id}"
    try:
        async with database.transaction():
            await drop.save(update_fields=["state", "quantity", "opens_at", "closes_at", "opened_by"])
    except IntegrityError as error:  # one of another template, opened at this moment
        raise DropAlreadyOpen from error
    latch.clear()
    await _record("drop.opened", drop, broadcast, actor=actor, now=now, quantity=wanted)
    return drop


@database.atomic
async def close_drop(drop_id: int, *, actor: Actor, now: datetime) -> Drop:
    """End a drop; what nobody claimed is the template's again."""
    drop = await Drop.get_or_none(id=drop_id)
    if drop is None:
        raise NotFound
    await locks.hold("voucher_template", [drop.template_id])
    drop = await Drop.get(id=drop_id)
    broadcast = await _broadcast(drop.broadcast_id)
    _require_may_open(actor, broadcast)
    if drop.state == "closed":
        return drop
    await _close(drop, now=now)
    await _record("drop.closed", drop, broadcast, actor=actor, now=now, claimed=drop.claimed)
    return drop


async def close_due(*, now: datetime, limit: int = 200) -> int:
    """Close the drops whose time is over; claims have refused since then already."""
    due = await Drop.filter(state="open", closes_at__lte=clock.to_ms(now)).order_by("id").limit(limit)
    for drop in due:
        await close_drop(drop.id, actor=system("jobs.drops"), now=now)
    return len(due)


async def on_cue_fired(fact: CueFired, now: datetime) -> None:
    """Open the drop a voucher cue plans; a refusal is recorded and not tried again."""
    if fact.kind != "voucher" or not fact.template_ref or not fact.quantity:
        return
    actor = system("cue", centre_id=fact.centre_id)
    try:
        async with database.transaction():
            await _open_for_cue(fact, actor=actor, now=now)
    except database.DatabaseUnavailable:
        raise
    except LivehubError as refusal:
        await audit.write(
            "drop.opened",
            actor=actor,
            now=now,
            about=("cue", fact.cue_ref),
            result="refused",
            detail={"code": refusal.code, "broadcast_id": fact.broadcast_id},
        )


async def left_to_plan(template_id: int) -> int:
    """How many of a template, or of its pack, are neither given away nor set aside for a drop."""
    template = await Template.get_or_none(id=template_id)
    if template is None:
        raise NotFound
    return await _left_to_plan(template, await packs.of_template(template_id))


async def _left_to_plan(template: Template, pack: packs.Contents | None) -> int:
    sums = await (
        Drop.filter(template_id=template.id, state__in=["planned", "open"])
        .annotate(quantity_sum=Sum("quantity"), claimed_sum=Sum("claimed"))
        .group_by("template_id")
        .values("quantity_sum", "claimed_sum")
    )
    aside = int(sums[0]["quantity_sum"]) - int(sums[0]["claimed_sum"]) if sums else 0
    left: int = template.quantity - template.issued
    return left // (pack.first.n if pack is not None else 1) - aside


async def _open_for_cue(fact: CueFired, *, actor: Actor, now: datetime) -> None:
    named = await packs.template_of(fact.template_ref)
    if named is None:
        raise NotFound
    template_id, _ = named
    drop = await Drop.filter(broadcast_id=fact.broadcast_id, cue_ref=fact.cue_ref).first()
    if drop is None:
        await _require_own_money(template_id, fact)
        drop = await plan(
            fact.broadcast_id,
            template_id=template_id,
            quantity=fact.quantity,
            window_s=fact.window_s,
            actor=actor,
            now=now,
            cue_ref=fact.cue_ref,
        )
    if drop.state == "planned":
        await open_drop(drop.id, actor=actor, now=now)


async def _require_own_money(template_id: int, fact: CueFired) -> None:
    """A rundown is its bureau's: of another bureau's vouchers only what the centre planned is put out."""
    broadcast = await _broadcast(fact.broadcast_id)
    if not await Campaign.exists(rounds__templates__id=template_id, bureau_id=broadcast.bureau_id):
        raise Forbidden("这个券种属于其他部门，须由中心安排投放。")


async def _plan(
    broadcast: Broadcast,
    template_id: int,
    *,
    quantity: int,
    window_s: int,
    actor: Actor,
    now: datetime,
    cue_ref: str,
) -> Drop:
    pack = await packs.of_template(template_id)
    if pack is not None:
        template_id = pack.first.template_id
    await locks.hold("voucher_template", [template_id])
    await _require_may_give(template_id, broadcast)
    platforms = {each.platform for each in await BroadcastAccount.filter(broadcast_id=broadcast.id)}
    if (
        not 0
        < window_s
        <= min([WINDOW_LIMIT_S.get(each, MAX_WINDOW_S) for each in platforms] or [MAX_WINDOW_S])
    ):
        raise DropWindowTooLong
    if not 0 < quantity <= await _left_to_plan(await Template.get(id=template_id), pack):
        raise DropTooMany
    drop = await Drop.create(
        public_id=ids.public_id(),
        broadcast_id=broadcast.id,
        template_id=template_id,
        pack_id=pack.id if pack is not None else 0,
        vouchers_each=pack.size if pack is not None else 1,
        quantity=quantity,
        opens_at=now,
        closes_at=now + timedelta(seconds=window_s),
        cue_ref=cue_ref,
    )
    await _record("drop.planned", drop, broadcast, actor=actor, now=now, quantity=quantity)
    return drop


async def _require_may_give(template_id: int, broadcast: Broadcast) -> None:
    row = await database.fetch_one(
        "SELECT c.centre_id, r.mode FROM voucher_template t JOIN campaign_round r ON r.id = t.round_id"
        " JOIN campaign c ON c.id = r.campaign_id WHERE t.id = $1",
        template_id,
    )
    if row is None or row["centre_id"] != broadcast.centre_id:
        raise NotFound
    if row["mode"] == DIRECT:
        raise DirectOnly


async def _require_open_to_claims(drop: Drop, broadcast: Broadcast) -> None:
    if drop.state != "planned":
        raise DropAlreadyOpen if drop.state == "open" else Ended("这个投放已经结束。")
    if broadcast.state is not BroadcastState.LIVE:
        raise NotLive
    template = await Template.get(id=drop.template_id)
    found = await Round.get(id=template.round_id)
    if found.status is not RoundStatus.OPEN:
        raise NotLive("这个轮次没有开放领取，不能投放。")


def _require_may_open(actor: Actor, broadcast: Broadcast) -> None:
    if actor.kind == "streamer":
        if actor.id != broadcast.streamer_id or actor.centre_id != broadcast.centre_id:
            raise Forbidden
        return
    permissions.require(
        actor, Permission.DROP_RUN, bureau_id=broadcast.bureau_id, centre_id=broadcast.centre_id
    )


async def _templates_of(planned: Drop) -> list[int]:
    """The template of this drop and of the one that may have to give way to it, for one lock in order."""
    others = await Drop.filter(broadcast_id=planned.broadcast_id, state="open")
    return sorted({planned.template_id, *(each.template_id for each in others)})


async def _keep_planned(drop: Drop, quantity: int) -> None:
    """What is not put out now stays planned for later."""
    await Drop.create(
        public_id=ids.public_id(),
        broadcast_id=drop.broadcast_id,
        template_id=drop.template_id,
        pack_id=drop.pack_id,
        vouchers_each=drop.vouchers_each,
        quantity=quantity,
        opens_at=drop.opens_at,
        closes_at=drop.closes_at,
        cue_ref=drop.cue_ref,
    )


async def _close_spent(broadcast_id: int, *, now: datetime) -> None:
    """A drop that is over by time or has nothing left does not stand in the way of the next."""
    for each in await Drop.filter(broadcast_id=broadcast_id, state="open"):
        if each.closes_at <= now or each.claimed >= each.quantity:
            await _close(each, now=now)


async def _close(drop: Drop, *, now: datetime) -> None:
    drop.state, drop.closes_at = "closed", min(drop.closes_at, now)
    await drop.save(update_fields=["state", "closes_at"])
    latch.clear()


async def _broadcast(broadcast_id: int) -> Broadcast:
    broadcast = await Broadcast.get_or_none(id=broadcast_id)
    if broadcast is None:
        raise NotFound
    return broadcast


async def _record(
    verb: str, drop: Drop, broadcast: Broadcast, *, actor: Actor, now: datetime, **detail: object
) -> None:
    campaign = await Campaign.filter(rounds__templates__id=drop.template_id).first()
    await audit.write(
        verb,
        actor=actor,
        now=now,
        about=("drop", drop.public_id),
        bureau_id=campaign.bureau_id if campaign else broadcast.bureau_id,
        detail={"broadcast": broadcast.public_id, **detail},
    )
