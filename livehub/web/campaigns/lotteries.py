"""…/campaigns/{id}/lotteries 摇号: set one up, see how far it is, draw it with two persons."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound
from livehub.vouchers import campaign_queries, draws, links, lotteries, lottery_queries, queries
from livehub.vouchers.campaign_queries import CampaignPage
from livehub.vouchers.errors import LotteryUnfit, RandomnessDiffers, RandomnessUnfit, TemplateUnfit
from livehub.vouchers.lottery_queries import Lottery, LotteryStage
from livehub.vouchers.models import Validity
from livehub.vouchers.new_kinds import NewTemplate
from livehub.web import doors, reading, two_doors
from livehub.web.desk.frame import back
from livehub.web.reading import Form
from livehub.web.rendering import page


class NewForm(Struct):
    """What is announced, and the one voucher that is drawn for."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    face: reading.SomeFen
    threshold: reading.SomeFen
    quantity: Annotated[int, Meta(ge=1, le=10_000_000)]
    days: Annotated[int, Meta(ge=1, le=365)]
    signup_from: reading.LocalTime
    signup_until: reading.LocalTime
    source: Annotated[str, Meta(min_length=1, max_length=120)]
    source_at: reading.LocalTime
    draw_at: reading.LocalTime
    claim_from: reading.LocalTime
    claim_until: reading.LocalTime
    merchants_only: bool = False


class Number(Struct):
    """The public number, as one of two persons read it."""

    randomness: Annotated[str, Meta(max_length=400)]


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def new(request: Request, actor: Actor, campaign_id: str) -> HTTPResponse:
    """The empty form."""
    return await _new(request, actor, campaign_id, reading.blank(days="7"))


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def schedule(request: Request, actor: Actor, campaign_id: str) -> HTTPResponse:
    """Announce it, set its money aside, and make the link that people sign up by."""
    seen = await _campaign(campaign_id, actor, Permission.CAMPAIGN_DRAFT)
    try:
        given = reading.form(request, NewForm)
        made = await database.unit(lambda: _schedule(seen, given, actor))
    except LivehubError as error:
        form = reading.refused(request, error)
        if isinstance(error, LotteryUnfit | TemplateUnfit):
            form = reading.refused(request, Invalid(error.message, details=_out_of_order(given)))
        return await _new(request, actor, campaign_id, form, status=error.status)
    return back(f"{two_doors.path_of(request)}/{campaign_id}/lotteries/{made}", done="lottery-scheduled")


@doors.signed_in(Permission.CAMPAIGN_READ)
async def show(request: Request, actor: Actor, campaign_id: str, round_id: str) -> HTTPResponse:
    """How far it is, and what is to be done next."""
    return await _page(request, actor, campaign_id, round_id, reading.blank())


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def enter(request: Request, actor: Actor, campaign_id: str, round_id: str) -> HTTPResponse:
    """The first of two persons."""
    found = await _lottery(campaign_id, round_id, actor, Permission.CAMPAIGN_DRAFT)
    try:
        number = reading.form(request, Number).randomness
        await database.unit(lambda: draws.enter(found.row_id, number, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _refused(request, actor, campaign_id, round_id, error)
    return back(f"{two_doors.path_of(request)}/{campaign_id}/lotteries/{round_id}", done="number-entered")


@doors.signed_in(Permission.CAMPAIGN_COUNTERSIGN, freshly=True)
async def confirm(request: Request, actor: Actor, campaign_id: str, round_id: str) -> HTTPResponse:
    """The second one; where its time has come, it is drawn at once."""
    found = await _lottery(campaign_id, round_id, actor, Permission.CAMPAIGN_COUNTERSIGN)
    try:
        number = reading.form(request, Number).randomness
        lot = await database.unit(lambda: draws.confirm(found.row_id, number, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _refused(request, actor, campaign_id, round_id, error)
    done = "lottery-drawn" if lot.drawn_at is not None else "number-confirmed"
    return back(f"{two_doors.path_of(request)}/{campaign_id}/lotteries/{round_id}", done=done)


bureau, desk = two_doors.mounted(
    "campaigns",
    (
        ("GET", "/new", new),
        ("POST", "/", schedule),
        ("GET", "/<round_id:str>", show),
        ("POST", "/<round_id:str>/enter", enter),
        ("POST", "/<round_id:str>/confirm", confirm),
    ),
    name="lotteries",
    below="/<campaign_id:str>/lotteries",
)


async def _schedule(seen: CampaignPage, given: NewForm, actor: Actor) -> str:
    now = clock.now()
    announced = lotteries.NewLottery(
        signup_from=given.signup_from,
        signup_until=given.signup_until,
        source=given.source,
        source_at=given.source_at,
        draw_at=given.draw_at,
    )
    template = NewTemplate(
        name=given.name,
        face_fen=given.face,
        threshold_fen=given.threshold,
        quantity=given.quantity,
        validity=Validity.DAYS_FROM_CLAIM,
        validity_n=given.days,
        merchants_only=given.merchants_only,
    )
    made = await lotteries.schedule(
        seen.row_id,
        announced,
        template=template,
        claim_from=given.claim_from,
        claim_until=given.claim_until,
        actor=actor,
        now=now,
    )
    await links.create(made.id, actor=actor, now=now)
    return made.public_id


_ORDER = ("signup_from", "signup_until", "source_at", "draw_at", "claim_from", "claim_until")


def _out_of_order(given: NewForm) -> list[Detail]:
    """Which time stands before the one that must come first, and what the voucher lacks."""
    found = []
    for earlier, later in pairwise(_ORDER):
        before, after = getattr(given, earlier), getattr(given, later)
        if after < before or (after == before and later in ("signup_until", "claim_until")):
            found.append(Detail(later, "不能早于上一步的时间", "后一步的时间"))
    if given.signup_until <= clock.now():
        found.append(Detail("signup_until", "已经过去了", "将来的时间"))
    if given.threshold < given.face:
        found.append(Detail("threshold", "门槛不能低于面额", "不低于面额的金额"))
    return found


async def _campaign(public_id: str, actor: Actor, permission: Permission) -> CampaignPage:
    return await campaign_queries.campaign(
        public_id, centre_id=actor.centre_id, bureaus=bureau_scope(actor, permission), now=clock.now()
    )


async def _lottery(campaign_id: str, round_id: str, actor: Actor, permission: Permission) -> Lottery:
    found = await lottery_queries.seen(
        round_id, centre_id=actor.centre_id, bureaus=bureau_scope(actor, permission), now=clock.now()
    )
    if found.campaign_id != campaign_id:
        raise NotFound
    return found


async def _new(
    request: Request, actor: Actor, campaign_id: str, form: Form, *, status: int = 200
) -> HTTPResponse:
    return page(
        "campaigns/lottery_new.html",
        status=status,
        path=two_doors.path_of(request),
        shell=await two_doors.shell(request, actor, "campaigns"),
        campaign=await _campaign(campaign_id, actor, Permission.CAMPAIGN_DRAFT),
        form=form,
    )


async def _refused(
    request: Request, actor: Actor, campaign_id: str, round_id: str, error: LivehubError
) -> HTTPResponse:
    """What belongs to the number is said beside it, the rest above the page."""
    if isinstance(error, RandomnessUnfit | RandomnessDiffers):
        error = Invalid(details=[Detail("randomness", error.message)])
    if isinstance(error, Invalid):
        form = reading.refused(request, error)
        return await _page(request, actor, campaign_id, round_id, form, status=error.status)
    shown = doors.shown(request, error)
    blank = reading.blank()
    return await _page(request, actor, campaign_id, round_id, blank, refusal=shown, status=shown.status)


async def _page(
    request: Request,
    actor: Actor,
    campaign_id: str,
    round_id: str,
    form: Form,
    *,
    refusal: LivehubError | None = None,
    status: int = 200,
) -> HTTPResponse:
    found = await _lottery(campaign_id, round_id, actor, Permission.CAMPAIGN_READ)
    now = clock.now()
    is_open = found.stage is LotteryStage.WAITING and found.frozen_at is not None and not found.confirmed_at
    can_be_told = is_open and now >= found.source_at
    bureau_id = found.bureau_id
    return page(
        "campaigns/lottery.html",
        status=status,
        path=two_doors.path_of(request),
        shell=await two_doors.shell(request, actor, "campaigns", refusal=refusal),
        lottery=found,
        stage=str(found.stage),
        form=form,
        links=await queries.links_of_round(found.row_id),
        may_enter=can_be_told and may(actor, Permission.CAMPAIGN_DRAFT, bureau_id=bureau_id),
        may_confirm=can_be_told
        and bool(found.entered)
        and actor.id != found.entered_by_id
        and may(actor, Permission.CAMPAIGN_COUNTERSIGN, bureau_id=bureau_id),
    )
