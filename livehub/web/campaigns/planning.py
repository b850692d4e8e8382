"""…/campaigns/{id}/rounds: a round is planned, its price and what is left said before anything is written."""

from __future__ import annotations

from sanic import Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.vouchers import rounds
from livehub.vouchers.campaign_queries import CampaignPage
from livehub.vouchers.models import Account, CampaignStatus
from livehub.vouchers.rounds import MAY_SCHEDULE
from livehub.web import doors, reading, two_doors
from livehub.web.campaigns import round_forms, showing
from livehub.web.campaigns.round_forms import Planned
from livehub.web.desk.frame import back
from livehub.web.reading import Form
from livehub.web.rendering import page

_PLAN, _COUNT = "plan", "count"  # the buttons that check; the others only change the form's shape


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def new(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The empty form."""
    seen = await showing.read(public_id, actor, Permission.CAMPAIGN_DRAFT)
    form = reading.blank(**round_forms.first({}))
    return await _page(request, actor, seen, form, Planned())


@doors.signed_in(Permission.CAMPAIGN_DRAFT)
async def plan(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Count it, change its shape, or set its money aside; what is wrong stands beside its field."""
    seen = await showing.read(public_id, actor, Permission.CAMPAIGN_DRAFT)
    step = reading.last(request, "step") or _COUNT
    made = round_forms.read(request, now=clock.now())
    if step not in (_PLAN, _COUNT):
        form = Form(values=round_forms.grown(reading.typed(request), step))
        return await _page(request, actor, seen, form, made)
    wrong = [*made.wrong, *round_forms.beyond(made, _available(seen))]
    form = Form(values=reading.typed(request), errors={each.field: each.reason for each in reversed(wrong)})
    if wrong or made.round is None:
        form.message = "填写的内容有误，请检查标出的地方；还没有写入任何内容。"
        return await _page(request, actor, seen, form, made, status=422 if step == _PLAN else 200)
    if step == _COUNT:
        return await _page(request, actor, seen, form, made)
    window = made.round
    try:
        await database.unit(
            lambda: rounds.schedule(
                seen.row_id,
                templates=made.templates(),
                packs=made.new_packs(),
                claim_from=window.claim_from,
                claim_until=window.claim_until,
                mode=window.mode,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        form.message = doors.shown(request, error).message
        return await _page(request, actor, seen, form, made, status=error.status)
    return back(f"{two_doors.path_of(request)}/{public_id}", done="round-planned")


bureau, desk = two_doors.mounted(
    "campaigns",
    (("GET", "/<public_id:str>/rounds/new", new), ("POST", "/<public_id:str>/rounds", plan)),
    name="campaign_rounds",
)


def _available(seen: CampaignPage) -> int:
    """What a round can take; of a draft the budget that it asks for."""
    return seen.budget_fen if seen.state == CampaignStatus.DRAFT else seen.balances[Account.AVAILABLE]


async def _page(
    request: Request, actor: Actor, seen: CampaignPage, form: Form, made: Planned, *, status: int = 200
) -> HTTPResponse:
    kinds, packs = round_forms.counts(form.values)
    available_fen = _available(seen)
    return page(
        "campaigns/round_new.html",
        status=status,
        shell=await two_doors.shell(request, actor, "campaigns"),
        path=two_doors.path_of(request),
        as_of=clock.now(),
        campaign=seen,
        form=form,
        kinds=range(1, kinds + 1),
        packs=range(1, packs + 1),
        pack_choices=[("", "单独领取"), *((str(each), f"放进券包 {each}") for each in range(1, packs + 1))],
        platforms=round_forms.platforms(),
        planned=made,
        lines=made.lines,
        floor=made.floor,
        available_fen=available_fen,
        left_fen=available_fen - made.total_fen,
        may_plan=CampaignStatus(seen.state) in MAY_SCHEDULE,
    )
