"""商户参加消费券活动: asked for by the merchant, decided by the bureau."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.models import Role
from livehub.accounts.permissions import Permission
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.kit.states import WrongState
from livehub.vouchers import enrolment_queries, enrolments
from livehub.vouchers.enrolment_queries import Enrolled
from livehub.vouchers.errors import MerchantUnfit
from livehub.vouchers.models import EnrolmentStatus
from livehub.web.api import campaign_answers
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import AsOf, Instant, Nothing, PublicId

calls = Section("消费券")


class CampaignMerchant(Struct, frozen=True, kw_only=True):
    """一家商户在活动里。"""

    merchant: str
    name: str
    town: str
    state: EnrolmentStatus
    asked_by: Annotated[str, Meta(description="谁报的名；空：主管部门直接让它参加")]
    asked_at: Instant | None
    decided_by: str
    decided_at: Instant | None
    reason: Annotated[str, Meta(description="未通过或暂停的原因")]


class CampaignMerchants(Struct, frozen=True, kw_only=True):
    """活动里的商户，待审核的在前。"""

    as_of: AsOf
    items: list[CampaignMerchant]


class NewCampaignMerchant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """哪家商户。"""

    merchant: PublicId


class WhyNot(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """为什么不。"""

    reason: Annotated[str, Meta(min_length=2, max_length=enrolments.REASON_LENGTH)]


@calls.get(
    "/campaigns/{campaign_id}/enrolments",
    summary="参加活动的商户",
    needs=(Permission.CAMPAIGN_READ,),
    query=Nothing,
    answer=CampaignMerchants,
)
async def listed(asked: Asked[Nothing, None], campaign_id: str) -> CampaignMerchants:
    """Who takes part, and who asked to."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_READ, now=asked.now)
    found = await enrolment_queries.of_campaign(view.row_id)
    return CampaignMerchants(as_of=asked.now, items=[_answer(each) for each in found])


@calls.post(
    "/campaigns/{campaign_id}/enrolments",
    summary="让一家商户参加活动；重复调用不变",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=NewCampaignMerchant,
    answer=CampaignMerchant,
    status=201,
)
async def enrol(asked: Asked[None, NewCampaignMerchant], campaign_id: str) -> CampaignMerchant:
    """Unasked."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    known = {each.merchant: each.row_id for each in await enrolment_queries.of_campaign(view.row_id)}
    known |= {each.merchant: each.row_id for each in await enrolment_queries.candidates(view.row_id)}
    number = known.get(asked.body.merchant)
    if number is None:
        raise Invalid(details=[Detail("merchant", "没有这家商户，或还没有通过审核", "商户公开编号")])
    await database.unit(
        lambda: enrolments.enrol(view.row_id, merchant_id=number, actor=asked.actor, now=asked.now)
    )
    return await _one(view.row_id, asked.body.merchant)


@calls.post(
    "/campaigns/{campaign_id}/enrolments/{merchant_id}/approve",
    summary="让报名的、未通过的或暂停的商户参加",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=Nothing,
    answer=CampaignMerchant,
    refusals=(WrongState,),
)
async def approve(asked: Asked[None, Nothing], campaign_id: str, merchant_id: str) -> CampaignMerchant:
    """It may redeem."""
    row_id, number = await _named(asked, campaign_id, merchant_id)
    await database.unit(
        lambda: enrolments.approve(row_id, merchant_id=number, actor=asked.actor, now=asked.now)
    )
    return await _one(row_id, merchant_id)


@calls.post(
    "/campaigns/{campaign_id}/enrolments/{merchant_id}/reject",
    summary="不通过报名",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=WhyNot,
    answer=CampaignMerchant,
    refusals=(WrongState,),
)
async def reject(asked: Asked[None, WhyNot], campaign_id: str, merchant_id: str) -> CampaignMerchant:
    """It reads why."""
    row_id, number = await _named(asked, campaign_id, merchant_id)
    why = asked.body.reason
    await database.unit(
        lambda: enrolments.reject(row_id, merchant_id=number, reason=why, actor=asked.actor, now=asked.now)
    )
    return await _one(row_id, merchant_id)


@calls.post(
    "/campaigns/{campaign_id}/enrolments/{merchant_id}/suspend",
    summary="立即停止一家商户在活动里核销",
    needs=(Permission.CAMPAIGN_DRAFT,),
    body=WhyNot,
    answer=CampaignMerchant,
    refusals=(WrongState,),
)
async def suspend(asked: Asked[None, WhyNot], campaign_id: str, merchant_id: str) -> CampaignMerchant:
    """At once."""
    row_id, number = await _named(asked, campaign_id, merchant_id)
    why = asked.body.reason
    await database.unit(
        lambda: enrolments.suspend(row_id, merchant_id=number, reason=why, actor=asked.actor, now=asked.now)
    )
    return await _one(row_id, merchant_id)


@calls.post(
    "/campaigns/{campaign_id}/enrolments/ask",
    summary="商户自己报名；未通过的可以再报",
    needs=(Permission.VOUCHER_REDEEM,),
    body=Nothing,
    answer=CampaignMerchant,
    refusals=(WrongState, MerchantUnfit),
)
async def ask(asked: Asked[None, Nothing], campaign_id: str) -> CampaignMerchant:
    """By the merchant's own user."""
    mine = next((each.merchant_id for each in asked.actor.grants if each.role is Role.MERCHANT), 0)
    found = [each for each in await enrolment_queries.joinable(mine) if each.id == campaign_id]
    if not found:
        raise NotFound
    number = found[0].row_id
    await database.unit(lambda: enrolments.ask(number, merchant_id=mine, actor=asked.actor, now=asked.now))
    return next(_answer(each) for each in await enrolment_queries.of_campaign(number) if each.row_id == mine)


async def _named(
    asked: Asked[None, WhyNot] | Asked[None, Nothing], campaign_id: str, merchant_id: str
) -> tuple[int, int]:
    """(campaign, merchant) row ids; NotFound for a merchant without a part in it."""
    view = await campaign_answers.seen(campaign_id, asked.actor, Permission.CAMPAIGN_DRAFT, now=asked.now)
    for each in await enrolment_queries.of_campaign(view.row_id):
        if each.merchant == merchant_id:
            return view.row_id, each.row_id
    raise NotFound


async def _one(campaign_id: int, merchant: str) -> CampaignMerchant:
    return next(
        _answer(each)
        for each in await enrolment_queries.of_campaign(campaign_id)
        if each.merchant == merchant
    )


def _answer(row: Enrolled) -> CampaignMerchant:
    return CampaignMerchant(
        merchant=row.merchant,
        name=row.name,
        town=row.town,
        state=EnrolmentStatus(row.state),
        asked_by=row.asked_by,
        asked_at=row.asked_at,
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        reason=row.reason,
    )
