"""A redemption at the merchant's phone: what the customer pays, and giving it back."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, money
from livehub.kit.errors import Invalid, LivehubError
from livehub.vouchers import refunds, use_pages
from livehub.vouchers.errors import VoucherRefused
from livehub.web import doors, reading, refund_numbers
from livehub.web.merchant.pages import merchant_of
from livehub.web.rendering import page

bp = Blueprint("merchant_uses", url_prefix="/m/redemptions")


class RefundForm(Struct):
    """How much of the order is given back; ``key`` makes two taps one."""

    amount: reading.SomeFen
    key: Annotated[str, Meta(max_length=200)] = ""
    refund_no: Annotated[str, Meta(max_length=40)] = ""


@bp.get("/<public_id:str>")
@doors.signed_in(Permission.VOUCHER_REDEEM)
async def show(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """What the customer pays, and why; what she got back."""
    return await _use(request, actor, public_id)


@bp.post("/<public_id:str>/refund")
@doors.signed_in(Permission.REDEMPTION_REFUND)
async def refund(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Give back so much of the order, once; a refusal keeps what was typed."""
    try:
        wanted = reading.form(request, RefundForm)
        made = await database.unit(
            lambda: refunds.refund(
                public_id,
                refund_no=wanted.refund_no or refund_numbers.number("M", wanted.key),
                refund_fen=wanted.amount,
                key=wanted.key,
                source="till",
                actor=actor,
                now=clock.now(),
            )
        )
    except (Invalid, VoucherRefused) as refusal:
        return await _use(request, actor, public_id, refusal=doors.shown(request, refusal))
    return redirect(f"/m/redemptions/{public_id}?refunded={'again' if made.hit else 'now'}", status=303)


async def _use(
    request: Request, actor: Actor, public_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    use = await use_pages.use(
        public_id,
        centre_id=actor.centre_id,
        bureaus=frozenset(),
        merchants=frozenset({merchant_of(actor)}) - {0},
        now=clock.now(),
    )
    form = reading.refused(request, refusal) if refusal else reading.blank(amount=money.yuan(use.left_fen))
    return page(
        "merchant/result.html",
        status=refusal.status if refusal else 200,
        csrf=doors.csrf(request),
        redemption=use,
        again="again" in request.args,
        refunded=str(request.args.get("refunded", "")),
        may_refund=use.left_fen > 0 and use.is_till and clock.now() < use.until,
        key=reading.next_key(request, refusal),
        form=form,
    )
