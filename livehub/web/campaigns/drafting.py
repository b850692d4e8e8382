"""…/campaigns/new and …/campaigns/{id}/edit: a campaign is written down, and anew while it is a draft."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau
from livehub.accounts.permissions import Permission, bureau_scope
from livehub.kit import clock, money, states
from livehub.kit.errors import Detail, Invalid, LivehubError
from livehub.vouchers import campaigns, expectations, refund_policy
from livehub.vouchers.campaign_queries import CampaignPage
from livehub.vouchers.errors import NotTheDrafter
from livehub.vouchers.expectations import Past
from livehub.vouchers.models import CampaignStatus
from livehub.vouchers.refund_policy import Preset, Used
from livehub.web import doors, reading, two_doors
from livehub.web.campaigns import showing
from livehub.web.desk.frame import back
from livehub.web.reading import Form
from livehub.web.rendering import page

_EXAMPLE = Used(10_000, 2000)  # an order of 100 with a voucher of 20
_PRESETS = "^(?:" + "|".join(refund_policy.registry()) + ")$"


class DraftForm(Struct):
    """What an officer writes down."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    issuer_name: Annotated[str, Meta(min_length=1, max_length=60)]
    budget: Annotated[
        int, Meta(ge=1, le=10**14, extra={"reads": "yuan", "expected": "大于 0 的金额，如 60000.00"})
    ]
    refund_preset: Annotated[str, Meta(pattern=_PRESETS, extra={"expected": "一种退款规则"})]
    min_pay: Annotated[
        int, Meta(ge=1, le=10**9, extra={"reads": "yuan", "expected": "至少 0.01 元的金额"})
    ] = 1
    purpose: Annotated[str, Meta(max_length=120)] = ""
    bureau: Annotated[str, Meta(max_length=16)] = ""
    version: Annotated[int, Meta(ge=1, le=10**9)] | None = None


class Explained(Struct, frozen=True, kw_only=True):
    """A refund preset with what it does to an order of 100 yuan with a voucher of 20, in fen."""

    preset: Preset
    half_cash_fen: int  # of half the order refunded
    half_back_fen: int
    whole_cash_fen: int  # of all of it in one
    whole_back_fen: int


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def new(request: Request, actor: Actor) -> HTTPResponse:
    """The empty form."""
    mine = await _bureaus(actor)
    form = reading.blank(
        refund_preset="futian",
        min_pay="0.01",
        bureau=mine[0].public_id if len(mine) == 1 else "",
        issuer_name=mine[0].name if len(mine) == 1 else "",
    )
    return await _page(request, actor, form)


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def draft(request: Request, actor: Actor) -> HTTPResponse:
    """Write it down; it has no money yet."""
    try:
        given = reading.form(request, DraftForm)
        bureau = await _bureau(given.bureau, actor)
        made = await database.unit(
            lambda: campaigns.draft(
                _wanted(given),
                bureau_id=bureau.id,
                centre_id=actor.centre_id,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        return await _page(request, actor, reading.refused(request, doors.shown(request, error)), error=error)
    return back(f"{two_doors.path_of(request)}/{made.public_id}", done="campaign-drafted")


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def edit(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The form as the draft stands."""
    seen = await _own(public_id, actor)
    form = reading.blank(
        name=seen.name,
        issuer_name=seen.issuer,
        purpose=seen.purpose,
        budget=money.yuan(seen.budget_fen),
        refund_preset=seen.refund_preset,
        min_pay=money.yuan(seen.min_pay_fen),
        version=str(seen.version),
    )
    return await _page(request, actor, form, campaign=seen)


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def change(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Write it anew; one that was submitted must be submitted again."""
    seen = await _own(public_id, actor)
    try:
        given = reading.form(request, DraftForm)
        await database.unit(
            lambda: campaigns.change(
                seen.row_id, _wanted(given), actor=actor, now=clock.now(), version=given.version
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _page(request, actor, form, campaign=seen, error=error)
    return back(f"{two_doors.path_of(request)}/{public_id}", done="campaign-changed")


bureau, desk = two_doors.mounted(
    "campaigns",
    (
        ("GET", "/new", new),
        ("POST", "/", draft),
        ("GET", "/<public_id:str>/edit", edit),
        ("POST", "/<public_id:str>/edit", change),
    ),
    name="campaign_drafts",
)


async def _page(
    request: Request,
    actor: Actor,
    form: Form,
    *,
    campaign: CampaignPage | None = None,
    error: LivehubError | None = None,
) -> HTTPResponse:
    mine = await _bureaus(actor)
    past: list[tuple[str, list[Past]]] = [
        (each.name, await expectations.past(each.id))
        for each in mine
        if campaign is None or each.id == campaign.bureau_id
    ]
    return page(
        "campaigns/draft.html",
        status=error.status if error else 200,
        shell=await two_doors.shell(request, actor, "campaigns"),
        path=two_doors.path_of(request),
        as_of=clock.now(),
        form=form,
        campaign=campaign,
        bureaus=[(each.public_id, each.name) for each in mine],
        presets=[_explained(each) for each in refund_policy.registry().values()],
        past=past,
    )


def _wanted(given: DraftForm) -> campaigns.NewCampaign:
    return campaigns.NewCampaign(
        name=given.name,
        issuer_name=given.issuer_name,
        purpose=given.purpose,
        budget_fen=given.budget,
        refund_preset=given.refund_preset,
        min_pay_fen=given.min_pay,
    )


async def _own(public_id: str, actor: Actor) -> CampaignPage:
    """A draft of hers; NotTheDrafter for a colleague's, WrongState once it is countersigned."""
    seen = await showing.read(public_id, actor, Permission.CAMPAIGN_DRAFT)
    if seen.state != CampaignStatus.DRAFT:
        raise states.WrongState("会签以后不能再修改。")
    if seen.drafted_by_id != actor.id:
        raise NotTheDrafter
    return seen


async def _bureaus(actor: Actor) -> list[Bureau]:
    """For whom she may draft."""
    scope = bureau_scope(actor, Permission.CAMPAIGN_DRAFT)
    return [each for each in await accounts.bureaus(actor.centre_id) if scope is None or each.id in scope]


async def _bureau(public_id: str, actor: Actor) -> Bureau:
    mine = await _bureaus(actor)
    found = [each for each in mine if each.public_id == public_id]
    if not public_id and len(mine) == 1:
        return mine[0]
    if not found:
        raise Invalid(details=[Detail("bureau", "请选择主管部门", "一个主管部门")])
    return found[0]


def _explained(preset: Preset) -> Explained:
    half = refund_policy.split(preset, _EXAMPLE, before_fen=0, refund_fen=_EXAMPLE.order_fen // 2)
    whole = refund_policy.split(preset, _EXAMPLE, before_fen=0, refund_fen=_EXAMPLE.order_fen)
    return Explained(
        preset=preset,
        half_cash_fen=half.cash_fen,
        half_back_fen=half.clawback_fen,
        whole_cash_fen=whole.cash_fen,
        whole_back_fen=whole.clawback_fen,
    )
