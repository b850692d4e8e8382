"""/desk/redemptions: one redemption with its refunds, and a refund by the centre's hand."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, may, merchant_scope, require
from livehub.kit import clock, money
from livehub.kit.errors import Invalid, LivehubError
from livehub.kit.states import WrongState
from livehub.settlement import queries as settlement
from livehub.vouchers import refunds, revoking, use_pages
from livehub.vouchers.errors import VoucherRefused
from livehub.web import doors, reading, refund_numbers
from livehub.web.desk.frame import back, frame, order_path
from livehub.web.rendering import page

bp = Blueprint("desk_redemptions", url_prefix="/desk/redemptions")


class RefundForm(Struct):
    """How much, by which paper, and why the centre does it."""

    amount: reading.SomeFen
    reason: Annotated[str, Meta(min_length=2, max_length=80)]
    refund_no: Annotated[str, Meta(max_length=40)] = ""
    key: Annotated[str, Meta(max_length=200)] = ""


class RevokeForm(Struct):
    """Why a voucher is taken back."""

    reason: Annotated[str, Meta(min_length=2, max_length=revoking.REASON_LENGTH)]


@bp.get("/<public_id:str>")
@doors.signed_in(Permission.CAMPAIGN_READ)
async def show(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """The redemption, and what came back of it."""
    return await _use(request, actor, public_id)


@bp.post("/<public_id:str>/refund")
@doors.signed_in(Permission.REDEMPTION_REFUND, freshly=True)
async def refund(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Refund so much of the order; a refusal keeps what was typed."""
    require(actor, Permission.CAMPAIGN_READ)  # merchants do it at their till
    try:
        wanted = reading.form(request, RefundForm)
        await database.unit(
            lambda: refunds.refund(
                public_id,
                refund_no=wanted.refund_no or refund_numbers.number("D", wanted.key),
                refund_fen=wanted.amount,
                key=wanted.key,
                source="desk",
                reason=wanted.reason,
                actor=actor,
                now=clock.now(),
            )
        )
    except (Invalid, VoucherRefused) as refusal:
        return await _use(request, actor, public_id, refusal=doors.shown(request, refusal))
    return back(f"/desk/redemptions/{public_id}", done="refunded")


@bp.post("/<public_id:str>/revoke-voucher")
@doors.signed_in(Permission.REDEMPTION_REFUND, freshly=True)
async def revoke_voucher(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Take back the voucher that a refund gave back."""
    require(actor, Permission.CAMPAIGN_READ)
    use = await _read(public_id, actor)
    try:
        reason = reading.form(request, RevokeForm).reason
        await database.unit(lambda: revoking.revoke(use.voucher, reason=reason, actor=actor, now=clock.now()))
    except (Invalid, VoucherRefused, WrongState) as refusal:
        return await _use(request, actor, public_id, refusal=doors.shown(request, refusal))
    return back(f"/desk/redemptions/{public_id}", done="voucher-revoked")


async def _read(public_id: str, actor: Actor) -> use_pages.UsePage:
    return await use_pages.use(
        public_id,
        centre_id=actor.centre_id,
        bureaus=bureau_scope(actor, Permission.REDEMPTION_READ),
        merchants=merchant_scope(actor, Permission.REDEMPTION_READ),
        now=clock.now(),
    )


async def _use(
    request: Request, actor: Actor, public_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    use = await _read(public_id, actor)
    form = reading.refused(request, refusal) if refusal else reading.blank(amount=money.yuan(use.left_fen))
    return page(
        "desk/redemption.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "campaigns"),
        use=use,
        form=form,
        key=reading.next_key(request, refusal),
        batch=await settlement.batch_of_redemption(public_id),
        may_see_batch=may(actor, Permission.SETTLEMENT_READ, bureau_id=use.bureau_id),
        may_hold=may(actor, Permission.SETTLEMENT_RUN),
        order_href=order_path(use.shop, use.order_ref) if use.shop else "",
        may_see_campaign=may(actor, Permission.CAMPAIGN_READ, bureau_id=use.bureau_id),
        may_revoke=use.is_usable and may(actor, Permission.REDEMPTION_REFUND, bureau_id=use.bureau_id),
        may_refund=use.is_till
        and use.left_fen > 0
        and may(actor, Permission.REDEMPTION_REFUND, bureau_id=use.bureau_id, merchant_id=use.merchant_id),
    )
