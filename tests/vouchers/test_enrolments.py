"""A merchant asks to take part in a campaign; the bureau's officer decides, with a reason where it says no."""

from __future__ import annotations

import pytest

from livehub.accounts.errors import OutOfScope, PermissionMissing
from livehub.accounts.models import Role
from livehub.kit.errors import Invalid, NotFound
from livehub.kit.states import WrongState
from livehub.merchants.models import Merchant, MerchantStatus
from livehub.platforms.models import Shop
from livehub.settings import Settings
from livehub.vouchers import campaign_ends, enrolment_queries, enrolments
from livehub.vouchers.errors import MerchantUnfit
from livehub.vouchers.models import EnrolmentStatus, MerchantEnrolment
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, a_merchant, a_world


async def test_who_asked_is_approved_suspended_and_back_and_each_no_has_its_reason(db: Settings) -> None:
    world = await a_world()
    merchant, _ = await a_merchant(world)
    hers = an_actor(Role.MERCHANT, merchant_id=merchant.id, centre_id=world.bureau.centre_id)
    at = {"merchant_id": merchant.id, "now": NOW}
    campaign = world.campaign.id

    asked = await enrolments.ask(campaign, actor=hers, **at)
    shops = await Shop.filter(platform=enrolments.OFFLINE).count()
    again = await enrolments.ask(campaign, actor=hers, **at)
    with pytest.raises(Invalid):
        await enrolments.reject(campaign, reason=" x ", actor=world.officer, **at)
    with pytest.raises(WrongState):
        await enrolments.suspend(campaign, reason="抽查", actor=world.officer, **at)
    await enrolments.reject(campaign, reason="缺执照", actor=world.officer, **at)
    (refused,) = await enrolment_queries.of_campaign(campaign)
    (offered,) = await enrolment_queries.joinable(merchant.id)
    await enrolments.ask(campaign, actor=hers, **at)
    (waiting,) = await enrolment_queries.of_campaign(campaign)
    await enrolments.approve(campaign, actor=world.officer, **at)
    with pytest.raises(WrongState):
        await enrolments.reject(campaign, reason="缺执照", actor=world.officer, **at)
    await enrolments.suspend(campaign, reason="抽查", actor=world.officer, **at)
    (stopped,) = await enrolment_queries.of_campaign(campaign)
    await enrolments.approve(campaign, actor=world.officer, **at)
    (approved,) = await enrolment_queries.of_campaign(campaign)

    assert (asked.status, asked.asked_by, again.id) == (EnrolmentStatus.PENDING, hers.name, asked.id)
    assert shops == 0
    assert (refused.state, refused.reason, refused.decided_by) == ("rejected", "缺执照", world.officer.name)
    assert (offered.enrolment, offered.reason, offered.joinable) == ("rejected", "缺执照", True)
    assert (waiting.state, waiting.reason, waiting.decided_at) == ("pending", "", None)
    assert (stopped.state, stopped.reason) == ("suspended", "抽查")
    assert (approved.state, approved.reason, approved.decided_at) == ("approved", "", NOW)
    assert await Shop.filter(platform=enrolments.OFFLINE).count() == 1


async def test_nobody_decides_for_others_and_nobody_joins_what_is_over(db: Settings) -> None:
    world = await a_world()
    merchant, _ = await a_merchant(world)
    other, _ = await a_merchant(world, name="路边店")
    scope = {"centre_id": world.bureau.centre_id}
    hers = an_actor(Role.MERCHANT, merchant_id=merchant.id, **scope)
    stranger = an_actor(Role.BUREAU, bureau_id=world.bureau.id + 1, **scope)
    at = {"merchant_id": merchant.id, "now": NOW}
    campaign = world.campaign.id

    with pytest.raises(OutOfScope):
        await enrolments.ask(campaign, merchant_id=other.id, actor=hers, now=NOW)
    for nobody in (hers, stranger):
        with pytest.raises(OutOfScope):
            await enrolments.approve(campaign, actor=nobody, **at)
    with pytest.raises(PermissionMissing):
        await enrolments.approve(campaign, actor=world.finance, **at)
    with pytest.raises(NotFound):
        await enrolments.approve(campaign, actor=world.officer, **at)
    await Merchant.filter(id=merchant.id).update(status=MerchantStatus.PENDING)
    with pytest.raises(MerchantUnfit):
        await enrolments.ask(campaign, actor=hers, **at)
    await Merchant.filter(id=merchant.id).update(status=MerchantStatus.APPROVED)
    await campaign_ends.end(campaign, actor=world.officer, now=NOW)
    with pytest.raises(WrongState):
        await enrolments.ask(campaign, actor=hers, **at)

    assert await MerchantEnrolment.all().count() == 0
    assert await enrolment_queries.joinable(merchant.id) == []
    assert [each.name for each in await enrolment_queries.candidates(campaign)] == sorted(
        [merchant.name, other.name]
    )
