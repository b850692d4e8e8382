"""消费券的轮次: claim windows with their templates, and the links that give them."""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeVar

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.vouchers import links, new_kinds, rollovers, rounds
from livehub.vouchers.errors import (
    BudgetExhausted,
    DirectOnly,
    InsufficientFunds,
    RolloverDone,
    RolloverUnfit,
    TemplateUnfit,
)
from livehub.vouchers.models import Validity
from livehub.web.api import campaign_answers, named
from livehub.web.api.calls import as_utc
from livehub.web.api.campaign_answers import Round
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Instant, Nothing, PublicId, Words

calls = Section("消费券")

_Kind = TypeVar("_Kind", bound=new_kinds.NewKind)

Amount = Annotated[int, Meta(ge=1, le=10**9, description="单位：分")]
Rules = Annotated[dict[str, dict[str, Any]], Meta(description="规则名与参数；不写即每人限领一张")]


class NewKind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一种券。"""

    name: Words
    face_fen: Amount
    threshold_fen: Amount
    validity: Validity
    validity_n: Annotated[int, Meta(ge=0, le=10_000, description="小时数或天数")] = 0
    valid_from: Instant | None = None
    valid_until: Annotated[Instant | None, Meta(description="不含")] = None
    merchants_only: bool = False
    rules: Rules = {}


class NewTemplate(NewKind, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个新券种。"""

    quantity: Annotated[int, Meta(ge=0, le=100_000_000)]


class NewItem(NewKind, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """券包里的一种券；rules 只写使用规则。"""

    n: Annotated[int, Meta(ge=1, le=new_kinds.MOST_VOUCHERS, description="每包几张")]


class NewPack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个新券包：里面的券一起领取，要么全有要么全无。"""

    name: Words
    quantity: Annotated[int, Meta(ge=0, le=100_000_000, description="包数")]
    items: Annotated[tuple[NewItem, ...], Meta(min_length=1, max_length=20)]
    rules: Annotated[dict[str, dict[str, Any]], Meta(description="领取规则名与参数；不写即每人限领一包")] = {}


class NewRound(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个新轮次；面额 × 数量从活动可用资金里划出。券种、券包至少有一个。"""

    claim_from: Instant
    claim_until: Instant
    mode: Annotated[
        Literal["rush", "direct"], Meta(description="rush 抢券；direct 定向：只发给导入名册里的户")
    ] = "rush"
    templates: Annotated[tuple[NewTemplate, ...], Meta(max_length=20)] = ()
    packs: Annotated[tuple[NewPack, ...], Meta(max_length=20)] = ()
    rollover_from: Annotated[
        tuple[PublicId, ...],
        Meta(max_length=20, description="把这些更早轮次剩下的资金滚存进来；全靠滚存时数量可为 0"),
    ] = ()


class NewLink(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """一个新的领券链接。"""

    streamer: Annotated[str, Meta(max_length=16, description="主播公开编号")] = ""
    platform: Annotated[str, Meta(max_length=32)] = ""
    quota: Annotated[int, Meta(ge=0, le=100_000_000, description="0：不另设上限")] = 0


class Link(Struct, frozen=True, kw_only=True):
    """领券链接：公开，只带来路，不带权利。"""

    slug: str
    url: str


@calls.post(
    "/campaigns/{campaign_id}/rounds",
    summary="安排轮次",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=NewRound,
    answer=Round,
    status=201,
    refusals=(WrongState, TemplateUnfit, BudgetExhausted, InsufficientFunds, RolloverUnfit, RolloverDone),
)
async def schedule(asked: Asked[None, NewRound], campaign_id: str) -> Round:
    """Plan a claim window and set its money aside."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    body = asked.body
    sources = [(await named.round_of(each, actor=asked.actor))[0] for each in body.rollover_from]
    made = await database.unit(
        lambda: rounds.schedule(
            view.row_id,
            templates=[wanted(new_kinds.NewTemplate, each) for each in body.templates],
            packs=[_pack(each) for each in body.packs],
            mode=body.mode,
            claim_from=as_utc(body.claim_from),
            claim_until=as_utc(body.claim_until),
            actor=asked.actor,
            now=asked.now,
            rollover_from=sources,
        )
    )
    return await campaign_answers.round_of(made.public_id, campaign_id, asked.actor, asked.now)


@calls.post(
    "/rounds/{round_id}/open",
    summary="开放领取",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Round,
    refusals=(WrongState,),
)
async def open_round(asked: Asked[None, Nothing], round_id: str) -> Round:
    """Let people claim."""
    number, campaign = await named.round_of(round_id, actor=asked.actor)
    await database.unit(lambda: rounds.open_round(number, actor=asked.actor, now=asked.now))
    return await campaign_answers.round_of(round_id, campaign, asked.actor, asked.now)


@calls.post(
    "/rounds/{round_id}/close",
    summary="截止领取，没有领走的资金释放",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=Round,
    refusals=(WrongState, InsufficientFunds),
)
async def close_round(asked: Asked[None, Nothing], round_id: str) -> Round:
    """End the claims."""
    number, campaign = await named.round_of(round_id, actor=asked.actor)
    await database.unit(lambda: rounds.close_round(number, actor=asked.actor, now=asked.now))
    return await campaign_answers.round_of(round_id, campaign, asked.actor, asked.now)


class Rollover(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """滚入哪个轮次；安排时已写明的可省略，写了别的就改滚入它。"""

    into: Annotated[str, Meta(max_length=16, description="滚入轮次的公开编号")] = ""


class RolloverPlan(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """到期后滚入哪个轮次。"""

    into: Annotated[PublicId, Meta(description="滚入轮次的公开编号")]


@calls.post(
    "/rounds/{round_id}/rollover",
    summary="把到期轮次剩下的资金滚存到后面的轮次；重复调用不会再滚",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Rollover,
    answer=Round,
    refusals=(WrongState, RolloverUnfit, RolloverDone),
)
async def roll_over(asked: Asked[None, Rollover], round_id: str) -> Round:
    """Give what it left to a later round."""
    number, campaign = await named.round_of(round_id, actor=asked.actor)
    into = (await named.round_of(asked.body.into, actor=asked.actor))[0] if asked.body.into else None
    await database.unit(lambda: rollovers.roll(number, into=into, actor=asked.actor, now=asked.now))
    return await campaign_answers.round_of(round_id, campaign, asked.actor, asked.now)


@calls.post(
    "/rounds/{round_id}/rollover-plan",
    summary="安排或改变剩下的资金滚入哪个轮次；滚存之后不能再改",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=RolloverPlan,
    answer=Round,
    refusals=(WrongState, RolloverUnfit, RolloverDone),
)
async def plan_rollover(asked: Asked[None, RolloverPlan], round_id: str) -> Round:
    """Say where its rest will go."""
    number, campaign = await named.round_of(round_id, actor=asked.actor)
    into, _ = await named.round_of(asked.body.into, actor=asked.actor)
    await database.unit(lambda: rollovers.plan(number, into=into, actor=asked.actor, now=asked.now))
    return await campaign_answers.round_of(round_id, campaign, asked.actor, asked.now)


@calls.post(
    "/rounds/{round_id}/links",
    summary="建立领券链接",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=NewLink,
    answer=Link,
    status=201,
    refusals=(DirectOnly,),
)
async def link(asked: Asked[None, NewLink], round_id: str) -> Link:
    """A link that gives the round's vouchers directly."""
    number, _ = await named.round_of(round_id, actor=asked.actor)
    body = asked.body
    streamer_id = await named.streamer_id(body.streamer, actor=asked.actor) if body.streamer else None
    made = await database.unit(
        lambda: links.create(
            number,
            actor=asked.actor,
            now=asked.now,
            streamer_id=streamer_id,
            platform=body.platform,
            quota=body.quota,
        )
    )
    return Link(slug=made.slug, url=f"{asked.opened.settings.url}/c/{made.slug}")


def wanted(into: type[_Kind], kind: NewKind) -> _Kind:
    """A template as the domain takes it."""
    values = {name: getattr(kind, name) for name in kind.__struct_fields__}
    for name in ("valid_from", "valid_until"):
        values[name] = as_utc(values[name]) if values[name] else None
    return into(**values)


def _pack(pack: NewPack) -> new_kinds.NewPack:
    items = tuple(wanted(new_kinds.NewItem, each) for each in pack.items)
    return new_kinds.NewPack(name=pack.name, quantity=pack.quantity, items=items, rules=pack.rules)
