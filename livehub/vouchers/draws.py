"""The draw: one person enters the public number, a second one confirms it; it is done once, and published."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from livehub import database
from livehub.accounts import permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import sealing, states
from livehub.vouchers import drawing, lotteries, rounds
from livehub.vouchers.errors import ListChanged, RandomnessDiffers, RandomnessUnfit
from livehub.vouchers.lotteries import SEED_PLACE
from livehub.vouchers.lottery_models import LotteryDraw
from livehub.vouchers.models import Campaign, Round, RoundStatus, Template

_AT_ONCE = 5_000  # winners of one statement


@database.atomic
async def enter(round_id: int, randomness: str, *, actor: Actor, now: datetime) -> LotteryDraw:
    """Write down the number that the announced source published; until it is confirmed it may be corrected.

    RandomnessUnfit for what is no such number, WrongState before the source's time or the frozen list.
    """
    about, campaign = await rounds.held(round_id, actor)
    lot = await _awaiting(about, now=now)
    lot.randomness, lot.entered_by_id = _as_published(randomness), _by(actor)
    await lot.save(update_fields=["randomness", "entered_by_id"])
    await rounds.record(
        "round.randomness_entered", about, campaign, actor=actor, now=now, randomness=lot.randomness
    )
    return lot


@database.atomic
async def confirm(round_id: int, randomness: str, *, actor: Actor, now: datetime) -> LotteryDraw:
    """Confirm the number by reading it from the source oneself; where its time has come, it is drawn at once.

    RandomnessDiffers when it is not the one entered, SecondPersonNeeded for who entered it and for machines.
    """
    about, campaign = await rounds.held(round_id, actor, Permission.CAMPAIGN_COUNTERSIGN)
    lot = await _awaiting(about, now=now)
    permissions.require_second_person(actor, first_user_id=lot.entered_by_id)
    if not lot.randomness:
        raise states.WrongState("还没有人填写公布的号码。")
    if _as_published(randomness) != lot.randomness:
        raise RandomnessDiffers
    lot.confirmed_by_id, lot.confirmed_at = actor.id, now
    await lot.save(update_fields=["confirmed_by_id", "confirmed_at"])
    await rounds.record(
        "round.randomness_confirmed", about, campaign, actor=actor, now=now, randomness=lot.randomness
    )
    if now >= lot.draw_at:
        await _draw(about, campaign, lot, actor=actor, now=now)
    return lot


@database.atomic
async def draw(round_id: int, *, actor: Actor, now: datetime) -> LotteryDraw:
    """Draw by the confirmed number, once: asked again it answers with what was drawn.

    WrongState before its time or its number, ListChanged when the list is not the one that was hashed.
    """
    about, campaign = await rounds.held(round_id, actor)
    lot = await lotteries.of_round(about)
    if lot.drawn_at is not None:
        return lot
    if about.status is not RoundStatus.SIGNUP or lot.confirmed_at is None:
        raise states.WrongState("公布的号码由一人填写、另一人确认之后才能开奖。")
    if now < lot.draw_at:
        raise states.WrongState("还没有到开奖时间。")
    await _draw(about, campaign, lot, actor=actor, now=now)
    return lot


async def advance(*, now: datetime) -> int:
    """Whatever is due of lotteries: sign-ups open, lists are frozen, draws drawn, claims opened."""
    verbs = (lotteries.open_due, lotteries.freeze_due, draw_due, lotteries.give_due)
    return sum([await verb(now=now) for verb in verbs])


async def draw_due(*, now: datetime, limit: int = 50) -> int:
    """Draw the lotteries whose number is confirmed and whose time has come."""
    where = f"n.status = '{RoundStatus.SIGNUP}' AND d.confirmed_at IS NOT NULL AND d.draw_at <= $1"
    return await lotteries.each_due(where, draw, now, limit)


async def _awaiting(about: Round, *, now: datetime) -> LotteryDraw:
    """The lottery, while its list is frozen and its number is to be told."""
    lot = await lotteries.of_round(about)
    if about.status is not RoundStatus.SIGNUP or lot.confirmed_at is not None:
        raise states.WrongState(data={"state": str(about.status)})
    if lot.frozen_at is None or now < lot.source_at:
        raise states.WrongState("报名截止、号码公布之后才能填写。")
    return lot


async def _draw(about: Round, campaign: Campaign, lot: LotteryDraw, *, actor: Actor, now: datetime) -> None:
    rows = await database.fetch(
        "SELECT id, public_id, platform, person_key FROM lottery_entry WHERE round_id = $1", about.id
    )
    by_id = {row["public_id"]: row for row in rows}
    if drawing.list_hash(by_id) != lot.list_hash:
        raise ListChanged
    seed = sealing.ring().open(bytes(lot.seed_sealed), place=SEED_PLACE)
    lot.quantity = (await Template.get(round_id=about.id)).quantity
    drawn = drawing.winners(by_id, seed=seed, randomness=lot.randomness, number=lot.quantity)
    await _write([by_id[each] for each in drawn], round_id=about.id)
    lot.seed, lot.winners, lot.drawn_at = seed, len(drawn), now
    await lot.save(update_fields=["seed", "quantity", "winners", "drawn_at"])
    about.status = RoundStatus.DRAWN
    await about.save(update_fields=["status"])
    await rounds.record(
        "round.drawn", about, campaign, actor=actor, now=now, entries=lot.entries, winners=lot.winners
    )


async def _write(drawn: Sequence[dict[str, object]], *, round_id: int) -> None:
    rows = [
        (row["id"], round_id, row["platform"], row["person_key"], place)
        for place, row in enumerate(drawn, start=1)
    ]
    columns = {
        "entry_id": "bigint",
        "round_id": "bigint",
        "platform": "text",
        "person_key": "bytea",
        "place": "int",
    }
    names = ", ".join(columns)
    for start in range(0, len(rows), _AT_ONCE):
        await database.write_rows(
            columns,
            rows[start : start + _AT_ONCE],
            f"INSERT INTO lottery_winner ({names}) SELECT {names} FROM v",
        )


def _as_published(text: str) -> str:
    try:
        return drawing.as_published(text)
    except ValueError:
        raise RandomnessUnfit from None


def _by(actor: Actor) -> int:
    return -actor.id if actor.kind == "token" else actor.id
