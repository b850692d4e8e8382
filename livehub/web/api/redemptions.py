"""核销: one voucher on one order at a merchant, once, however often the call is repeated."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, merchant_scope
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.kit.group_commit import QueueFull
from livehub.merchants import queries
from livehub.vouchers.errors import (
    AlreadyUsed,
    BelowThreshold,
    Expired,
    IdempotencyMismatch,
    LimitShopDay,
    Locked,
    NotYetValid,
    Paused,
    QrStale,
    Stacking,
    TooManyFailedCodes,
    VoucherRefused,
    VoucherUnknown,
    WrongMerchant,
)
from livehub.vouchers.redemptions import MAX_ORDER_FEN, RECEIPT_LENGTH, RedeemDesk
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Fen, Instant, Unit

calls = Section("核销")


class NewRedemption(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """要核销的券和订单。"""

    code: Annotated[str, Meta(min_length=1, max_length=200, description="扫到的二维码内容，或输入的券码")]
    order_fen: Annotated[int, Meta(ge=1, le=MAX_ORDER_FEN, description="消费金额，单位：分")]
    merchant: Annotated[str, Meta(max_length=16, description="商户公开编号；只有一个时可省略")] = ""
    store: Annotated[str, Meta(max_length=16, description="门店公开编号；只有一个时可省略")] = ""
    receipt_no: Annotated[str, Meta(max_length=RECEIPT_LENGTH, description="小票号")] = ""
    phone_tail: Annotated[
        str, Meta(pattern=r"^(?:[0-9]{4})?$", description="输入券码时必填：顾客手机后四位")
    ] = ""


class Redemption(Struct, frozen=True, kw_only=True):
    """一次核销。"""

    id: str
    voucher: str
    template_name: str
    order_no: str
    unit: Unit
    face_fen: Fen
    threshold_fen: Fen
    order_fen: Fen
    subsidy_fen: Fen
    paid_fen: Annotated[int, Meta(description="顾客实付，单位：分")]
    at: Instant
    hit: Annotated[bool, Meta(description="同一次提交的重复，没有再核销")]


@calls.post(
    "/redemptions",
    summary="核销一张券",
    needs=(Permission.VOUCHER_REDEEM,),
    body=NewRedemption,
    answer=Redemption,
    status=201,
    keyed=True,
    refusals=(
        AlreadyUsed,
        BelowThreshold,
        Expired,
        IdempotencyMismatch,
        LimitShopDay,
        Locked,
        NotYetValid,
        Paused,
        QrStale,
        QueueFull,
        Stacking,
        TooManyFailedCodes,
        VoucherRefused,
        VoucherUnknown,
        WrongMerchant,
    ),
)
async def redeem(asked: Asked[None, NewRedemption]) -> Redemption:
    """Redeem it, or say why not."""
    body = asked.body
    merchant_id = await _merchant(body.merchant, actor=asked.actor)
    desk: RedeemDesk = asked.opened.redeem_desk  # opened with the merchants' pages
    done = await desk.redeem(
        body.code,
        merchant_id=merchant_id,
        store_id=await _store(body.store, merchant_id=merchant_id),
        order_fen=body.order_fen,
        key=asked.key,
        actor=asked.actor,
        now=asked.now,
        receipt_no=body.receipt_no,
        phone_tail=body.phone_tail,
    )
    return Redemption(
        id=done.redemption,
        voucher=done.voucher,
        template_name=done.template,
        order_no=done.order_no,
        unit="fen",
        face_fen=done.face_fen,
        threshold_fen=done.threshold_fen,
        order_fen=done.order_fen,
        subsidy_fen=done.subsidy_fen,
        paid_fen=done.paid_fen,
        at=done.at,
        hit=done.hit,
    )


async def _merchant(public_id: str, *, actor: Actor) -> int:
    """The merchant a caller redeems for: the one named, or the caller's only one."""
    scope = merchant_scope(actor, Permission.VOUCHER_REDEEM) or frozenset()
    if not public_id:
        if len(scope) != 1:
            raise Invalid(details=[Detail("merchant", "必须提供", "商户公开编号，见 GET /me")])
        return next(iter(scope))
    for number, view in (await queries.merchants_by_id(scope)).items():
        if view.public_id == public_id:
            return number
    raise NotFound


async def _store(public_id: str, *, merchant_id: int) -> int:
    stores = await queries.stores(merchant_id)
    if not public_id:
        if len(stores) != 1:
            raise Invalid(details=[Detail("store", "必须提供", "、".join(each.public_id for each in stores))])
        return stores[0].id
    for each in stores:
        if each.public_id == public_id:
            return each.id
    raise NotFound
