"""摇号: announced, entered, drawn by two persons, and the proof for anybody."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit.errors import TooMany
from livehub.kit.states import WrongState
from livehub.vouchers import draws, identity, lotteries, lottery_queries, new_kinds
from livehub.vouchers import entries as domain
from livehub.vouchers.errors import (
    BudgetExhausted,
    CodeWrong,
    Ended,
    InsufficientFunds,
    LinkUnknown,
    ListChanged,
    LotteryUnfit,
    NotStarted,
    Paused,
    RandomnessDiffers,
    RandomnessUnfit,
    TemplateUnfit,
)
from livehub.vouchers.lottery_queries import Lottery, LotteryStage
from livehub.vouchers.models import RoundStatus
from livehub.web import reading
from livehub.web.api import campaign_answers, rounds
from livehub.web.api.calls import as_utc
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Instant, Nothing
from livehub.web.doors import SignInAgain

calls = Section("摇号")

Hash = Annotated[str, Meta(description="SHA-256，十六进制；公布之前为空")]
Number = Annotated[str, Meta(min_length=1, max_length=200, description="照原样的公布号码")]


class NewLottery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个摇号轮次：一个券种，每人一张，有几张就中几人；先报名，后公布号码，再开奖、领取。"""

    signup_from: Instant
    signup_until: Annotated[Instant, Meta(description="不含")]
    source: Annotated[str, Meta(min_length=1, max_length=120, description="用哪一个公开号码，报名前公布")]
    source_at: Annotated[Instant, Meta(description="号码公布的时刻，不早于报名截止")]
    draw_at: Instant
    claim_from: Instant
    claim_until: Instant
    template: rounds.NewTemplate


class Draw(Struct, frozen=True, kw_only=True):
    """一个摇号轮次公布的内容。"""

    round: str
    campaign: str
    state: RoundStatus
    stage: Annotated[
        LotteryStage, Meta(description="未开始、报名中、等开奖、已开奖、领取中、已结束、没有开奖就结束")
    ]
    signup_from: Instant
    signup_until: Instant
    source: str
    source_at: Instant
    draw_at: Instant
    claim_from: Instant
    claim_until: Instant
    quantity: Annotated[int, Meta(description="名额")]
    entries: Annotated[int, Meta(description="报名人数")]
    commitment: Hash
    list_hash: Hash
    randomness: Annotated[str, Meta(description="经两人核对的公布号码；之前为空")]
    is_entered: Annotated[bool, Meta(description="号码已由一人填写，等另一人核对")]
    seed: Annotated[str, Meta(description="种子，十六进制；开奖之前为空")]
    winners: Annotated[int, Meta(description="中签人数")]
    drawn_at: Instant | None


class Proof(Struct, frozen=True, kw_only=True):
    """重算一次开奖所需的全部：名单和中签只有报名号。"""

    algorithm: Annotated[
        str, Meta(description="hmac-sha256-smallest：HMAC-SHA256(种子‖号码, 报名号) 最小的中签")
    ]
    round: str
    campaign: str
    commitment: Hash
    source: str
    source_at: Instant
    signup_from: Instant
    signup_until: Instant
    list_hash: Hash
    randomness: str
    seed: str
    drawn_at: Instant
    quantity: int
    entries: list[str]
    winners: list[str]


class Phone(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """把验证码发给谁。"""

    phone: reading.Phone


class NewEntry(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """在柜台替没有智能手机的人报名：号码由本人收到的验证码证明。"""

    phone: reading.Phone
    code: reading.OneTimeCode
    platform: Annotated[str, Meta(max_length=32, description="券种按平台各限一次时才有用")] = ""


class Sent(Struct, frozen=True, kw_only=True):
    """验证码已发出；号码是否登记过，答复都一样。"""

    expires_in_seconds: int


class LotteryEntry(Struct, frozen=True, kw_only=True):
    """一个人的报名。"""

    entry: Annotated[str, Meta(description="报名号，公布在名单里")]
    at: Instant
    hit: Annotated[bool, Meta(description="以前已经报名，这次没有新的")]


class Randomness(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """公布的号码。"""

    randomness: Number


@calls.post(
    "/campaigns/{campaign_id}/lotteries",
    summary="安排摇号轮次；面额 × 数量从活动可用资金里划出",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=NewLottery,
    answer=Draw,
    status=201,
    refusals=(WrongState, LotteryUnfit, TemplateUnfit, BudgetExhausted, InsufficientFunds),
)
async def schedule(asked: Asked[None, NewLottery], campaign_id: str) -> Draw:
    """Announce it, and set its money aside."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    body = asked.body
    announced = lotteries.NewLottery(
        signup_from=as_utc(body.signup_from),
        signup_until=as_utc(body.signup_until),
        source=body.source,
        source_at=as_utc(body.source_at),
        draw_at=as_utc(body.draw_at),
    )
    made = await database.unit(
        lambda: lotteries.schedule(
            view.row_id,
            announced,
            template=rounds.wanted(new_kinds.NewTemplate, body.template),
            claim_from=as_utc(body.claim_from),
            claim_until=as_utc(body.claim_until),
            actor=asked.actor,
            now=asked.now,
        )
    )
    return _draw(await _seen(made.public_id, asked.actor, asked.now))


@calls.post(
    "/rounds/{round_id}/signup",
    summary="开放报名，公布种子的哈希；到时间会自动开放",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Draw,
    refusals=(WrongState,),
)
async def open_signup(asked: Asked[None, Nothing], round_id: str) -> Draw:
    """Let people sign up within its time."""
    found = await _seen(round_id, asked.actor, asked.now)
    await database.unit(lambda: lotteries.open_signup(found.row_id, actor=asked.actor, now=asked.now))
    return _draw(await _seen(round_id, asked.actor, asked.now))


@calls.post(
    "/rounds/{round_id}/entries/code",
    summary="给要报名的人发验证码",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Phone,
    answer=Sent,
    refusals=(TooMany,),
)
async def send_code(asked: Asked[None, Phone], round_id: str) -> Sent:
    """The same one-time code as on the phone's own page."""
    found = await _seen(round_id, asked.actor, asked.now)
    await identity.send_code(
        asked.body.phone,
        centre_id=found.centre_id,
        ip=asked.actor.ip,
        channel=asked.opened.settings.sms_channel,
        now=asked.now,
    )
    return Sent(expires_in_seconds=int(identity.CODE_TTL.total_seconds()))


@calls.post(
    "/rounds/{round_id}/entries",
    summary="报名；一人一个报名号，再报答复同一个",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=NewEntry,
    answer=LotteryEntry,
    status=201,
    refusals=(CodeWrong, NotStarted, Ended, Paused, LinkUnknown),
)
async def enter(asked: Asked[None, NewEntry], round_id: str) -> LotteryEntry:
    """Sign up somebody whose phone is shown to be hers."""
    found = await _seen(round_id, asked.actor, asked.now)
    body = asked.body
    await identity.check_code(body.phone, body.code, now=asked.now)
    claimant = await database.unit(
        lambda: identity.enter(body.phone, centre_id=found.centre_id, now=asked.now)
    )
    desk: domain.EntryDesk = asked.opened.entry_desk
    made = await desk.enter(
        domain.Lot(
            round_id=found.row_id,
            platform=body.platform,
            link_id=0,
            claimant=claimant,
            ip=asked.actor.ip,
            request_id=asked.actor.request_id,
            now=asked.now,
        )
    )
    return LotteryEntry(entry=made.entry, at=made.at, hit=made.hit)


@calls.get(
    "/rounds/{round_id}/draw",
    summary="摇号到了哪一步，公布了什么",
    needs=(Permission.CAMPAIGN_READ,),
    query=Nothing,
    answer=Draw,
)
async def one(asked: Asked[Nothing, None], round_id: str) -> Draw:
    """What is published of it so far."""
    return _draw(await _seen(round_id, asked.actor, asked.now, Permission.CAMPAIGN_READ))


@calls.post(
    "/rounds/{round_id}/draw/randomness",
    summary="填写公布的号码；另一人核对之前可以改",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Randomness,
    answer=Draw,
    refusals=(WrongState, RandomnessUnfit),
)
async def enter_randomness(asked: Asked[None, Randomness], round_id: str) -> Draw:
    """The first of two persons."""
    found = await _seen(round_id, asked.actor, asked.now)
    number = asked.body.randomness
    await database.unit(lambda: draws.enter(found.row_id, number, actor=asked.actor, now=asked.now))
    return _draw(await _seen(round_id, asked.actor, asked.now))


@calls.post(
    "/rounds/{round_id}/draw/confirm",
    summary="核对公布的号码：自己再填一遍，须由填写以外的人；到了开奖时间就开奖",
    needs=(Permission.CAMPAIGN_COUNTERSIGN,),
    body=Randomness,
    answer=Draw,
    refusals=(WrongState, RandomnessUnfit, RandomnessDiffers, ListChanged, SecondPersonNeeded, SignInAgain),
)
async def confirm_randomness(asked: Asked[None, Randomness], round_id: str) -> Draw:
    """The second one."""
    found = await _seen(round_id, asked.actor, asked.now, Permission.CAMPAIGN_COUNTERSIGN)
    number = asked.body.randomness
    await database.unit(lambda: draws.confirm(found.row_id, number, actor=asked.actor, now=asked.now))
    return _draw(await _seen(round_id, asked.actor, asked.now, Permission.CAMPAIGN_COUNTERSIGN))


@calls.post(
    "/rounds/{round_id}/draw",
    summary="开奖；只开一次，再调用答复同样的结果",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Draw,
    refusals=(WrongState, ListChanged),
)
async def draw(asked: Asked[None, Nothing], round_id: str) -> Draw:
    """What the job does at its time."""
    found = await _seen(round_id, asked.actor, asked.now)
    await database.unit(lambda: draws.draw(found.row_id, actor=asked.actor, now=asked.now))
    return _draw(await _seen(round_id, asked.actor, asked.now))


@calls.get(
    "/rounds/{round_id}/draw/proof",
    summary="开奖证明：任何人都能重算；不登录也可从 /rounds/{编号}/draw/proof 下载",
    needs=(Permission.CAMPAIGN_READ,),
    query=Nothing,
    answer=Proof,
)
async def proof(asked: Asked[Nothing, None], round_id: str) -> Proof:
    """What anybody may download without a login as well; NotFound before the draw."""
    found = await _seen(round_id, asked.actor, asked.now, Permission.CAMPAIGN_READ)
    told = await lottery_queries.proof(found)
    return Proof(**{name: getattr(told, name) for name in Proof.__struct_fields__})


async def _seen(
    public_id: str, actor: Actor, now: datetime, permission: Permission = Permission.CAMPAIGN_DRAFT
) -> Lottery:
    return await lottery_queries.seen(
        public_id, centre_id=actor.centre_id, bureaus=bureau_scope(actor, permission), now=now
    )


def _draw(found: Lottery) -> Draw:
    same = {
        name: getattr(found, name)
        for name in Draw.__struct_fields__
        if name not in ("round", "campaign", "is_entered")
    }
    return Draw(round=found.id, campaign=found.campaign_id, is_entered=bool(found.entered), **same)
