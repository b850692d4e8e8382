"""Give what a finished round left to the round that takes it: once, however often it is asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from functools import partial

from msgspec import Struct

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor, system
from livehub.accounts.permissions import Permission
from livehub.kit import clock, states
from livehub.kit.errors import LivehubError, NotFound
from livehub.vouchers import latch, ledger, locks, packs, rollover_plans, round_states
from livehub.vouchers.errors import RolloverDone, RolloverUnfit
from livehub.vouchers.models import Account, Campaign, Round, RoundStatus, Template
from livehub.vouchers.new_kinds import MOST_OF_ONE


async def roll_due(*, now: datetime, limit: int = 50) -> int:
    """Roll every planned round that is finished, while the one that takes still gives; returns how many."""
    rows = await database.fetch(
        "SELECT p.source_id FROM round_rollover p JOIN campaign_round s ON s.id = p.source_id"
        " JOIN campaign_round t ON t.id = p.target_id WHERE p.rolled_at IS NULL"
        f" AND s.status = '{RoundStatus.FINISHED}' AND t.status IN {round_states.sql(round_states.TAKES)}"
        f" AND t.claim_until > $1 ORDER BY p.id LIMIT {int(limit)}",
        clock.to_ms(now),
    )
    rolled = 0
    for row in rows:
        try:
            await database.unit(partial(roll, row["source_id"], actor=system("jobs.rollover"), now=now))
        except database.DatabaseUnavailable:
            raise
        except LivehubError:  # it was closed or rolled meanwhile
            continue
        rolled += 1
    return rolled


@database.atomic
async def roll(
    source_id: int, *, into: int | None = None, actor: Actor, now: datetime
) -> rollover_plans.Plan:
    """Move a finished round's released money into the round planned for it, or ``into`` instead.

    Asked again, it answers with what was done; RolloverDone when it then names another round. WrongState
    unless the one is finished and the other gives, RolloverUnfit when that would be more than MOST_OF_ONE
    vouchers of a kind.
    """
    campaign = await _campaign(source_id, actor)
    known = await rollover_plans.of_source(source_id)
    target_id = into or (known.target_id if known else None)
    if target_id is None:
        raise RolloverUnfit
    target = await _hold(source_id, target_id)
    source = await Round.get(id=source_id)
    known = await rollover_plans.of_source(source_id)
    if known is not None and known.is_done:
        return await _same(known, target)
    if source.status is not RoundStatus.FINISHED:
        raise states.WrongState("轮次的券全部到期清算之后才能滚存。", data={"state": str(source.status)})
    _require_taking(target, now=now)
    await rollover_plans.plan(source_id, into=target, now=now, anew=into is not None)
    amount_fen = await _move(source, target, now=now)
    await database.execute(
        "UPDATE round_rollover SET amount_fen = $1, rolled_at = $2"
        " WHERE source_id = $3 AND rolled_at IS NULL",
        amount_fen,
        clock.to_ms(now),
        source_id,
    )
    await Round.filter(id=source_id).update(status=RoundStatus.ROLLED)
    latch.clear()
    await _record("round.rolled", source, target, campaign, actor=actor, now=now, amount_fen=amount_fen)
    return await _done(source_id)


@database.atomic
async def plan(source_id: int, *, into: int, actor: Actor, now: datetime) -> rollover_plans.Plan:
    """Plan where a round's rest goes once it is finished, or plan it anew as long as it has not gone.

    WrongState when the other round gives nothing any more, RolloverDone when the money has gone elsewhere.
    """
    campaign = await _campaign(source_id, actor)
    target = await _hold(source_id, into)
    known = await rollover_plans.of_source(source_id)
    if known is not None and known.is_done:
        return await _same(known, target)
    _require_taking(target, now=now)
    await rollover_plans.plan(source_id, into=target, now=now, anew=True)
    if known is None or known.target_id != into:
        source = await Round.get(id=source_id)
        await _record("round.rollover_planned", source, target, campaign, actor=actor, now=now)
    return await _done(source_id)


async def _campaign(source_id: int, actor: Actor) -> Campaign:
    source = await Round.get_or_none(id=source_id)
    if source is None:
        raise NotFound
    campaign = await Campaign.get(id=source.campaign_id)
    permissions.require(
        actor, Permission.CAMPAIGN_DRAFT, bureau_id=campaign.bureau_id, centre_id=campaign.centre_id
    )
    return campaign


def _require_taking(target: Round, *, now: datetime) -> None:
    if rollover_plans.hindrance(target.status, target.claim_until, now=now) is not None:
        raise states.WrongState("滚入的轮次已经截止领取。", data={"state": str(target.status)})


async def _same(known: rollover_plans.Plan, target: Round) -> rollover_plans.Plan:
    if known.target_id != target.id:
        went = await Round.get(id=known.target_id)
        raise RolloverDone(f"资金已经滚存到第 {went.seq} 轮，不能再改滚入第 {target.seq} 轮。")
    return known


async def _hold(source_id: int, target_id: int) -> Round:
    """The target's templates, then both rounds: claims lock in this order."""
    rows = await database.fetch("SELECT id FROM voucher_template WHERE round_id = $1", target_id)
    await locks.hold("voucher_template", [row["id"] for row in rows])
    await locks.hold("campaign_round", [source_id, target_id])
    target = await Round.get_or_none(id=target_id)
    if target is None:
        raise NotFound
    return target


async def _move(source: Round, target: Round, *, now: datetime) -> int:
    """As many vouchers and packs as the released money makes; less than one stays with the old round."""
    released = ledger.Key(source.campaign_id, Account.RELEASED, source.id)
    balances = await ledger.hold([released, ledger.Key(target.campaign_id, Account.UNISSUED, target.id)])
    offers = await _offers(target.id)
    counts = rollover_plans.fill(balances[released], [(each.face_fen, each.quantity) for each in offers])
    await _require_countable(target, offers, counts)
    for offer, count in zip(offers, counts, strict=True):
        for item in offer.items if count else ():
            await database.execute(
                "UPDATE voucher_template SET quantity = quantity + $1 WHERE id = $2",
                count * item.n,
                item.template_id,
            )
    amount_fen = sum(each.face_fen * count for each, count in zip(offers, counts, strict=True))
    await ledger.post(
        [
            ledger.Posting(
                debit=released,
                credit=ledger.Key(target.campaign_id, Account.UNISSUED, target.id),
                amount_fen=amount_fen,
                kind="rollover",
            )
        ],
        now=now,
    )
    return amount_fen


async def _require_countable(target: Round, offers: Sequence[_Offer], counts: Sequence[int]) -> None:
    """RolloverUnfit when a template would have more vouchers than its column counts."""
    names = {each.id: (each.name, each.quantity) for each in await Template.filter(round_id=target.id)}
    for offer, count in zip(offers, counts, strict=True):
        for item in offer.items:
            name, quantity = names[item.template_id]
            if quantity + count * item.n > MOST_OF_ONE:
                raise RolloverUnfit(
                    f"滚存的钱会让第 {target.seq} 轮“{name}”的数量太大：一个券种最多 {MOST_OF_ONE:,} 张。"
                    "请改滚入面额更大的轮次。"
                )


class _Offer(Struct, frozen=True):
    """What is bought as a whole: a voucher, or a pack."""

    face_fen: int
    quantity: int
    items: tuple[packs.Item, ...]


async def _offers(round_id: int) -> list[_Offer]:
    templates = {each.id: each for each in await Template.filter(round_id=round_id).order_by("id")}
    bundles = [each.items for each in await packs.of_round(round_id)]
    packed = {item.template_id for items in bundles for item in items}
    alone = [(packs.Item(each, 1),) for each in templates if each not in packed]
    return [
        _Offer(
            sum(templates[item.template_id].face_fen * item.n for item in items),
            templates[items[0].template_id].quantity // items[0].n,
            items,
        )
        for items in (*alone, *bundles)
    ]


async def _record(
    verb: str,
    source: Round,
    target: Round,
    campaign: Campaign,
    *,
    actor: Actor,
    now: datetime,
    **detail: object,
) -> None:
    await audit.write(
        verb,
        actor=actor,
        now=now,
        about=("round", source.public_id),
        bureau_id=campaign.bureau_id,
        detail={"into": target.public_id, **detail},
    )


async def _done(source_id: int) -> rollover_plans.Plan:
    found = await rollover_plans.of_source(source_id)
    assert found is not None  # noqa: S101 -- written by whoever rolled it
    return found
