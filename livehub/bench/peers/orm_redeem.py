"""A redemption as most people would write it: one Tortoise transaction that locks the voucher's row."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec
from sanic import Request, Sanic
from sanic.response import HTTPResponse, redirect
from tortoise.expressions import F
from tortoise.transactions import in_transaction

from livehub import process
from livehub.accounts import forms
from livehub.accounts.models import AuditEntry, Membership, Session, User
from livehub.inbox import layout
from livehub.inbox.layout import Origin
from livehub.inbox.models import InboxMessage, MessageStatus
from livehub.kit import clock, ids, money, sealing
from livehub.merchants.models import Merchant, Store
from livehub.platforms.contract import Event, EventType, Line, OrderSnapshot, OrderStatus
from livehub.platforms.models import Shop
from livehub.settings import Settings
from livehub.vouchers import codes
from livehub.vouchers.enrolments import OFFLINE
from livehub.vouchers.models import (
    Account,
    Campaign,
    IdempotencyRecord,
    LedgerAccount,
    LedgerEntry,
    MerchantEnrolment,
    Redemption,
    RedemptionState,
    Template,
    Voucher,
    VoucherState,
)
from livehub.web.doors import SESSION


def create_app(settings: Settings) -> Sanic[Any, Any]:
    """The merchant's route on a stock Sanic."""
    app: Sanic[Any, Any] = Sanic("orm-redeem", configure_logging=False)
    app.config.update({"AUTO_EXTEND": False, "ACCESS_LOG": False, "MOTD": False, "KEEP_ALIVE_TIMEOUT": 75})
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 1.0

    @app.before_server_start
    async def _open(_app: Sanic[Any, Any]) -> None:
        await process.start(settings)

    @app.after_server_stop
    async def _close(_app: Sanic[Any, Any]) -> None:
        await process.stop()

    app.add_route(_redeem, "/m/redeem", methods=["POST"])
    app.add_route(_ready, "/readyz")
    return app


async def _ready(_request: Request) -> HTTPResponse:
    return HTTPResponse(b"", status=200)


async def _redeem(request: Request) -> HTTPResponse:
    now = clock.now()
    form = request.form
    assert form is not None  # noqa: S101 -- the benchmark sends one
    cookie = request.cookies.get(SESSION) or ""
    forms.check_form_token(cookie, given=str(form.get("csrf")))
    session = await Session.get(token_hash=sealing.token_hash(cookie), expires_at__gt=now)
    user = await User.get(id=session.user_id, active=True)
    membership = await Membership.get(user_id=user.id)
    merchant = await Merchant.get(id=membership.merchant_id)
    store = await Store.get(merchant_id=merchant.id)
    reading = codes.read(str(form.get("code")), now=now)
    if reading is None or not reading.fresh:
        return HTTPResponse("券码无效", status=404)
    key = f"u{user.id}:{form.get('key')}"
    order_fen = money.parse_yuan(str(form.get("amount")))
    async with in_transaction("default"):
        voucher = await Voucher.filter(public_id=reading.voucher).select_for_update().get()
        known = await IdempotencyRecord.get_or_none(kind="redeem", key=key)
        if known is not None:
            return redirect(f"/m/redemptions/{known.answer}?again=1", status=303)
        template = await Template.get(id=voucher.template_id)
        campaign = await Campaign.get(id=voucher.campaign_id)
        enrolled = MerchantEnrolment.filter(
            campaign_id=campaign.id, merchant_id=merchant.id, status="approved"
        )
        if voucher.state != VoucherState.ISSUED or now >= voucher.valid_until or not await enrolled.exists():
            return HTTPResponse("这张券不能使用", status=409)
        public_id = ids.public_id()
        subsidy_fen = template.face_fen
        shop = await Shop.get(platform=OFFLINE, shop_ref=merchant.public_id)
        message = await _sale(
            public_id,
            voucher,
            campaign.centre_id,
            shop_ref=shop.shop_ref,
            order_fen=order_fen,
            subsidy_fen=subsidy_fen,
            now=now,
        )
        redemption = await Redemption.create(
            id=ids.row_id(clock.to_ms(now)),
            public_id=public_id,
            voucher_id=voucher.id,
            campaign_id=campaign.id,
            template_id=template.id,
            merchant_id=merchant.id,
            store_id=store.id,
            user_id=user.id,
            shop_id=shop.id,
            platform=OFFLINE,
            order_no=public_id,
            order_fen=order_fen,
            subsidy_fen=subsidy_fen,
            paid_fen=order_fen - subsidy_fen,
            state=RedemptionState.CAPTURED,
            claimant_id=voucher.claimant_id,
            nth=1,  # here everybody has one voucher
            at=now,
            message_id=message.id,
        )
        await IdempotencyRecord.create(
            kind="redeem", key=key, body_hash=bytes(16), answer=public_id, created_at=now
        )
        await Voucher.filter(id=voucher.id).update(state=VoucherState.REDEEMED, version=F("version") + 1)
        accounts = LedgerAccount.filter(campaign_id=campaign.id)
        held = await accounts.get(kind=Account.HELD, round_id=voucher.round_id, merchant_id=0)
        payable = await accounts.get(kind=Account.PAYABLE, round_id=0, merchant_id=merchant.id)
        await LedgerEntry.create(
            at=now,
            campaign_id=campaign.id,
            debit_id=held.id,
            credit_id=payable.id,
            amount_fen=subsidy_fen,
            kind="redeem",
            voucher_id=voucher.id,
            redemption_id=redemption.id,
        )
        await AuditEntry.create(
            at=now,
            centre_id=campaign.centre_id,
            bureau_id=campaign.bureau_id,
            actor_kind="user",
            actor_id=user.id,
            actor_name=user.name,
            action="voucher.redeemed",
            object_kind="redemption",
            object_id=public_id,
        )
        await Template.filter(id=template.id).update(redeemed=F("redeemed") + 1)
        await LedgerAccount.filter(id=held.id).update(balance_fen=F("balance_fen") - subsidy_fen)
        await LedgerAccount.filter(id=payable.id).update(balance_fen=F("balance_fen") + subsidy_fen)
    return redirect(f"/m/redemptions/{public_id}", status=303)


async def _sale(
    public_id: str,
    voucher: Voucher,
    centre_id: int,
    *,
    shop_ref: str,
    order_fen: int,
    subsidy_fen: int,
    now: datetime,
) -> InboxMessage:
    at = clock.to_ms(now)
    line = Line(
        line_ref="1",
        title="到店消费",
        quantity=1,
        list_fen=order_fen,
        voucher_subsidy_fen=subsidy_fen,
        buyer_paid_fen=order_fen - subsidy_fen,
    )
    order = OrderSnapshot(
        status=OrderStatus.FINISHED,
        lines=(line,),
        created_at=at,
        paid_at=at,
        finished_at=at,
        updated_at=at,
        voucher_code=voucher.code_index.hex(),
    )
    event = msgspec.structs.replace(
        Event(type=EventType.ORDER_FINISHED, shop_ref=shop_ref, order_ref=public_id, status_at=at),
        created_at=at,
        paid_at=at,
        order=order,
    )
    row = layout.fact_row(
        layout.encode_fact([event]),
        event=event,
        origin=Origin(0, centre_id, OFFLINE),
        delivery_id=0,
        source="own",
        native_type="redemption.captured",
        native_id=public_id,
        element=b"",
        at=at,
    )
    return await InboxMessage.create(
        **dict(zip(layout.MESSAGE, row, strict=True)), status=MessageStatus.RECEIVED, next_attempt_at=now
    )
