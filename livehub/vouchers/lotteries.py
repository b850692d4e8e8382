"""A lottery's way to its draw: announced, open for sign-up, its list frozen. Who signs up: entries.py."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from functools import partial
from typing import Annotated, Any

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.actors import Actor, system
from livehub.kit import clock, sealing, states
from livehub.kit.errors import LivehubError
from livehub.kit.resealing import Column
from livehub.vouchers import drawing, eligibility, lottery_queries, rounds
from livehub.vouchers.errors import LotteryUnfit
from livehub.vouchers.lottery_models import LotteryDraw
from livehub.vouchers.models import CampaignStatus, Round, RoundStatus, Template
from livehub.vouchers.new_kinds import NewTemplate
from livehub.vouchers.round_states import LOTTERY

SEED_PLACE = "lottery_draw.seed"
SEALED = (Column("lottery_draw", "seed_sealed", SEED_PLACE),)


class NewLottery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is announced: when one signs up, which public number decides, when it is known, when is drawn."""

    signup_from: datetime
    signup_until: datetime  # exclusive
    source: Annotated[str, Meta(min_length=1, max_length=120)]
    source_at: datetime
    draw_at: datetime


@database.atomic
async def schedule(
    campaign_id: int,
    announced: NewLottery,
    *,
    template: NewTemplate,
    claim_from: datetime,
    claim_until: datetime,
    actor: Actor,
    now: datetime,
    rollover_from: Sequence[int] = (),
) -> Round:
    """Plan a round whose vouchers are drawn for, with its secret seed; as many win as it has vouchers.

    LotteryUnfit unless it is sign-up, then the public number, then the draw, then claims, in this order and
    from now on, with one voucher a person; else as ``rounds.schedule``.
    """
    in_order = (
        now < announced.signup_until
        and announced.signup_from < announced.signup_until <= announced.source_at
        and announced.source_at <= announced.draw_at <= claim_from
    )
    if not in_order or not announced.source.strip():
        raise LotteryUnfit
    planned = await rounds.schedule(
        campaign_id,
        templates=[template],
        claim_from=claim_from,
        claim_until=claim_until,
        actor=actor,
        now=now,
        rollover_from=rollover_from,
        mode=LOTTERY,
    )
    if person_rule(await Template.get(round_id=planned.id)).limit != 1:
        raise LotteryUnfit
    seed = os.urandom(drawing.SEED_BYTES)
    await LotteryDraw.create(
        round_id=planned.id,
        signup_from=announced.signup_from,
        signup_until=announced.signup_until,
        source=announced.source.strip(),
        source_at=announced.source_at,
        draw_at=announced.draw_at,
        commitment=drawing.commitment(seed),
        seed_sealed=sealing.ring().seal(seed, place=SEED_PLACE),
    )
    return planned


@database.atomic
async def open_signup(round_id: int, *, actor: Actor, now: datetime) -> Round:
    """Let people sign up, within its time; the seed's commitment is public from now on."""
    opened, campaign = await rounds.held(round_id, actor)
    lot = await of_round(opened)
    if opened.status is not RoundStatus.SCHEDULED or now >= lot.signup_until:
        raise states.WrongState(data={"state": str(opened.status)})
    opened.status = RoundStatus.SIGNUP
    await opened.save(update_fields=["status"])
    await rounds.record(
        "round.signup_opened", opened, campaign, actor=actor, now=now, commitment=lot.commitment.hex()
    )
    return opened


@database.atomic
async def freeze(round_id: int, *, actor: Actor, now: datetime) -> LotteryDraw:
    """End the sign-up at its time: the list is hashed, and nobody comes to it any more."""
    frozen, campaign = await rounds.held(round_id, actor)
    lot = await of_round(frozen)
    if frozen.status is not RoundStatus.SIGNUP or lot.frozen_at is not None:
        raise states.WrongState(data={"state": str(frozen.status)})
    if now < lot.signup_until:
        raise states.WrongState("报名还没有截止。")
    entries = await lottery_queries.entries(round_id)
    lot.entries, lot.list_hash, lot.frozen_at = len(entries), drawing.list_hash(entries), now
    await lot.save(update_fields=["entries", "list_hash", "frozen_at"])
    await rounds.record(
        "round.list_frozen",
        frozen,
        campaign,
        actor=actor,
        now=now,
        entries=lot.entries,
        list_hash=lot.list_hash.hex(),
    )
    return lot


async def open_due(*, now: datetime, limit: int = 50) -> int:
    """Open the sign-ups whose time has come, in campaigns that run."""
    where = f"n.status = '{RoundStatus.SCHEDULED}' AND d.signup_from <= $1 AND d.signup_until > $1"
    return await each_due(f"{where} AND c.status = '{CampaignStatus.RUNNING}'", open_signup, now, limit)


async def freeze_due(*, now: datetime, limit: int = 50) -> int:
    """Freeze the lists of the sign-ups whose time is over."""
    where = f"n.status = '{RoundStatus.SIGNUP}' AND d.frozen_at IS NULL AND d.signup_until <= $1"
    return await each_due(where, freeze, now, limit)


async def give_due(*, now: datetime, limit: int = 50) -> int:
    """Open the claims of the lotteries that are drawn, when their window begins."""
    where = f"n.status = '{RoundStatus.DRAWN}' AND n.claim_from <= $1 AND n.claim_until > $1"
    return await each_due(where, rounds.open_round, now, limit)


async def each_due(where: str, verb: Callable[..., Awaitable[Any]], now: datetime, limit: int = 50) -> int:
    """Do something to every lottery of a condition, each in its own transaction; returns how many."""
    rows = await database.fetch(
        "SELECT n.id FROM lottery_draw d JOIN campaign_round n ON n.id = d.round_id"
        f" JOIN campaign c ON c.id = n.campaign_id WHERE {where} ORDER BY n.id LIMIT {int(limit)}",
        clock.to_ms(now),
    )
    done = 0
    for row in rows:
        try:
            await database.unit(partial(verb, row["id"], actor=system("jobs.lotteries"), now=now))
        except database.DatabaseUnavailable:
            raise
        except LivehubError:  # somebody was first, or it cannot be: the page says why
            continue
        done += 1
    return done


async def of_round(found: Round) -> LotteryDraw:
    """A round's lottery; WrongState when it is none."""
    lot = await LotteryDraw.get_or_none(round_id=found.id)
    if lot is None:
        raise states.WrongState("这个轮次不是摇号。", data={"mode": found.mode})
    return lot


def person_rule(template: Template) -> Any:
    """The parameters of ``per_person`` of a template: how many, and whether on each platform."""
    bound = eligibility.bind(template.rules, eligibility.Stage.CLAIM)
    return next(each.params for each in bound if each.rule.name == "per_person")
