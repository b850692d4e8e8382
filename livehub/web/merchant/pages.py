"""The merchant's phone: scan or type, the amount, redeemed once; the day so far and what is payable."""

from __future__ import annotations

from typing import Annotated, Any

from msgspec import Meta, Struct
from sanic import Blueprint, Request, Sanic
from sanic.response import HTTPResponse, redirect

from livehub.accounts.actors import Actor
from livehub.accounts.models import Role
from livehub.accounts.permissions import Permission
from livehub.kit import clock, ids
from livehub.kit.errors import Invalid, LivehubError, NotFound
from livehub.kit.group_read import GroupRead
from livehub.merchants import queries as merchants
from livehub.merchants.queries import CounterView
from livehub.vouchers import queries, tills
from livehub.vouchers.errors import QrStale, TooManyFailedCodes, VoucherRefused, VoucherUnknown
from livehub.vouchers.redemptions import RedeemDesk
from livehub.web import doors, reading
from livehub.web.headers import Ready
from livehub.web.reading import Form
from livehub.web.rendering import HTML, page
from livehub.web.shielding import committed_in_groups

bp = Blueprint("merchant", url_prefix="/m")


class TapForm(Struct):
    """What the till sends; ``code`` is typed, or the text of the customer's QR code."""

    code: Annotated[str, Meta(min_length=1, max_length=200)]
    amount: reading.Fen
    key: Annotated[str, Meta(max_length=200)] = ""
    receipt_no: Annotated[str, Meta(max_length=40)] = ""
    phone_tail: Annotated[str, Meta(max_length=20, extra={"reads": "digits"})] = ""
    store: Annotated[str, Meta(max_length=16)] = ""


@bp.before_server_start
async def _open(app: Sanic[Any, Any]) -> None:
    app.ctx.counters = GroupRead(merchants.counters)
    app.ctx.redeem_desk = RedeemDesk(app.ctx.settings)
    app.ctx.redeem_desk.start()


async def _close(app: Sanic[Any, Any]) -> None:
    await app.ctx.unfinished.finished(within_seconds=app.config.GRACEFUL_SHUTDOWN_TIMEOUT)
    await app.ctx.redeem_desk.stop()


bp.listener(_close, "after_server_stop", priority=-10)  # of all endings this one comes before the database's


@bp.get("/")
@doors.signed_in(Permission.VOUCHER_REDEEM)
async def home(request: Request, actor: Actor) -> HTTPResponse:
    """The till, and the day so far."""
    counter = await _counter(request, actor)
    return await _till(request, actor, counter, form=reading.blank())


@bp.post("/redeem")
@committed_in_groups
@doors.signed_in(Permission.VOUCHER_REDEEM)
async def redeem(request: Request, actor: Actor) -> HTTPResponse:
    """Redeem once, however often it is tapped; a refusal keeps what was typed."""
    desk: RedeemDesk = request.app.ctx.redeem_desk
    try:
        tap = reading.form(request, TapForm)
        done = await desk.redeem(
            tap.code,
            merchant_id=merchant_of(actor),
            store=tap.store,
            order_fen=tap.amount,
            key=tap.key,
            actor=actor,
            now=clock.now(),
            receipt_no=tap.receipt_no,
            phone_tail=tap.phone_tail,
        )
    except (Invalid, VoucherRefused, VoucherUnknown, TooManyFailedCodes) as refusal:
        counter = await _counter(request, actor)
        return await _till(request, actor, counter, form=_kept(request, refusal), refusal=refusal)
    again = "?again=1" if done.hit else ""
    return Ready(b"", status=303, content_type=HTML, location=f"/m/redemptions/{done.redemption}{again}")


@bp.get("/redeem")
@doors.public
async def back(_request: Request) -> HTTPResponse:
    """Somebody refreshed a refusal: back to the till."""
    return redirect("/m", status=303)


async def _counter(request: Request, actor: Actor) -> CounterView:
    """Whose till it is."""
    counters: GroupRead[int, CounterView] = request.app.ctx.counters
    counter = await counters.get(merchant_of(actor))
    if counter is None:
        raise NotFound
    return counter


def merchant_of(actor: Actor) -> int:
    """Whose till a login is: a merchant's row id, 0 for none."""
    for each in actor.grants:
        if each.role is Role.MERCHANT:
            return each.merchant_id
    return 0


async def _till(
    request: Request, actor: Actor, counter: CounterView, *, form: Form, refusal: LivehubError | None = None
) -> HTTPResponse:
    till = await queries.till(counter.merchant.id, now=clock.now())
    answer = page(
        "merchant/home.html",
        status=refusal.status if refusal else 200,
        csrf=doors.csrf(request),
        merchant=counter.merchant.name,
        state=counter.merchant.status,
        store=counter.stores[0].name if len(counter.stores) == 1 else "",
        who=actor.name,
        key=reading.typed(request).get("key", "") or ids.token(nbytes=18),
        form=form,
        stores=[(each.public_id, each.name) for each in counter.stores],
        today=till,
        recent=till.recent,
        payable_fen=await tills.payable_fen(counter.merchant.id),
    )
    if refusal is not None and refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer


def _kept(request: Request, refusal: LivehubError) -> Form:
    """The form as it was typed, the voucher's code too: it is the customer's, and no secret to the till."""
    form = reading.refused(request, refusal)
    typed = reading.field_text(request, "code")
    if not typed.strip().startswith("v1."):  # a scanned one is old in a moment
        form.values["code"] = typed
    if isinstance(refusal, (VoucherUnknown, QrStale)):
        form.errors["code"] = refusal.message
    return form
