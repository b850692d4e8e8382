"""Turn what was asked for into an order whose amounts add up, or say what is wrong with it."""

from __future__ import annotations

from collections.abc import Iterable
from random import Random

import msgspec

from livehub.sandbox import demand
from livehub.sandbox.orders import Line, Numbers, Order, Refund, shares
from livehub.sandbox.spec import LineSpec, OrderSpec, ProductSpec, RefundSpec, ShopSpec, StepSpec


class Refused(Exception):
    """What was asked for cannot be; the text says why."""


def order(spec: OrderSpec, *, shop: ShopSpec, numbers: Numbers, rng: Random, now_ms: int) -> Order:
    """Make an order with its times and after-sales."""
    _check_platform(spec, shop)
    created = next((at for at in (spec.created_at_ms, spec.paid_at_ms) if at is not None), now_ms)
    order_ref = spec.order_ref or numbers.order()
    made = Order(
        shop_ref=shop.shop_ref,
        order_ref=order_ref,
        buyer_id=spec.buyer_id or f"buyer{rng.randrange(10**9):09d}",
        lines=_lines(spec, order_ref, shop=shop, numbers=numbers, rng=rng),
        broadcast_ref=spec.broadcast_ref,
        voucher_code=spec.voucher_code,
        trade_type=spec.trade_type,
        receiver_tel=spec.receiver_tel or f"199{rng.randrange(10**8):08d}",
        created_at=_cut(created, shop=shop),
    )
    step = StepSpec(
        order_ref=made.order_ref,
        paid_at_ms=spec.paid_at_ms,
        shipped_at_ms=spec.shipped_at_ms,
        finished_at_ms=spec.finished_at_ms,
        cancelled_at_ms=spec.cancelled_at_ms,
        refunds=spec.refunds,
    )
    take_step(made, step, shop=shop, numbers=numbers)
    return made


def take_step(order: Order, step: StepSpec, *, shop: ShopSpec, numbers: Numbers) -> None:
    """Let something more happen to an order; what happened already stays as it is."""
    for name in ("paid", "shipped", "finished", "cancelled"):
        at = getattr(step, f"{name}_at_ms")
        if at is not None:
            _happen(order, name, _cut(at, shop=shop))
    for wanted in step.refunds:
        order.refunds.extend(_refunds(order, wanted, shop=shop, numbers=numbers))
    for refund_ref, at in step.succeed.items():
        refund = _open_refund(order, refund_ref)
        refund.succeeded_at = _not_before(refund.applied_at, _cut(at, shop=shop), "succeed")
    for refund_ref, at in step.close.items():
        refund = _open_refund(order, refund_ref)
        refund.closed_at = _not_before(refund.applied_at, _cut(at, shop=shop), "close")


def _check_platform(spec: OrderSpec, shop: ShopSpec) -> None:
    erp_only = spec.voucher_code or spec.voucher_subsidy_fen or spec.broadcast_ref
    if shop.platform != "standard_webhooks" and erp_only:
        raise Refused("voucher_code, voucher_subsidy_fen and broadcast_ref are for ERP shops only")
    if shop.platform != "standard_webhooks" and spec.order_ref and not spec.order_ref.isdigit():
        raise Refused("the order_ref of a platform has digits only")
    if shop.platform == "kuaishou" and (len(spec.lines) > 1 or any(line.line_ref for line in spec.lines)):
        raise Refused("a 快手 order has one line, whose number is its own")
    if shop.platform != "doudian" and spec.trade_type:
        raise Refused("trade_type is for 抖店 shops only")


def _cut(at_ms: int, *, shop: ShopSpec) -> int:
    """抖店 and 微信小店 know whole seconds only, so their truth has no finer times either."""
    return at_ms // 1000 * 1000 if shop.platform in {"doudian", "wechat_store"} else at_ms


def _happen(order: Order, name: str, at: int) -> None:
    if getattr(order, f"{name}_at") is not None:
        raise Refused(f"{order.order_ref} is already {name}")
    if name in {"shipped", "finished"} and order.paid_at is None:
        raise Refused(f"{order.order_ref} is not paid")
    if name == "cancelled" and order.paid_at is not None:
        raise Refused(f"{order.order_ref} is paid: refund it instead")
    if name != "cancelled" and order.cancelled_at is not None:
        raise Refused(f"{order.order_ref} is cancelled")
    setattr(order, f"{name}_at", _not_before(order.updated_at, at, name))


def _not_before(earliest: int, at: int, what: str) -> int:
    if at < earliest:
        raise Refused(f"{what} at {at} is before {earliest}")
    return at


def _open_refund(order: Order, refund_ref: str) -> Refund:
    for refund in order.refunds:
        if refund.refund_ref == refund_ref and refund.is_open:
            return refund
    raise Refused(f"{order.order_ref} has no open refund {refund_ref}")


def _lines(spec: OrderSpec, order_ref: str, *, shop: ShopSpec, numbers: Numbers, rng: Random) -> list[Line]:
    if not shop.products:
        raise Refused(f"shop {shop.shop_ref} has no products")
    wanted = spec.lines or demand.basket(shop.products, rng=rng)
    if shop.platform == "kuaishou":
        wanted = [msgspec.structs.replace(wanted[0], line_ref=order_ref)]
    products = {product.product_ref: product for product in shop.products}
    if shop.platform == "wechat_store" and len({line.product_ref for line in wanted}) < len(wanted):
        raise Refused("a 微信小店 order has each SKU once")
    left = [_left_for_buyer(line, _product(line, products)) for line in wanted]
    if spec.voucher_subsidy_fen > sum(left):
        raise Refused("the voucher is worth more than the buyer would pay")
    subsidies = shares(spec.voucher_subsidy_fen, left)
    made = [
        _line(
            line,
            product=_product(line, products),
            spec=spec,
            shop=shop,
            numbers=numbers,
            subsidy=subsidy,
            left=rest,
        )
        for line, subsidy, rest in zip(wanted, subsidies, left, strict=True)
    ]
    if shop.platform == "wechat_store" and len({line.room_ref for line in made}) > 1:
        raise Refused("a 微信小店 order comes from one live")
    return made


def _product(line: LineSpec, products: dict[str, ProductSpec]) -> ProductSpec:
    try:
        return products[line.product_ref]
    except KeyError:
        raise Refused(f"unknown product {line.product_ref}") from None


def _left_for_buyer(line: LineSpec, product: ProductSpec) -> int:
    price = product.price_fen if line.price_fen is None else line.price_fen
    discounts = line.merchant_disc_fen + line.platform_disc_fen + line.talent_disc_fen + line.pay_disc_fen
    left = price * line.quantity - discounts
    if left < 0:
        raise Refused(f"the discounts of {line.product_ref} exceed its price")
    return left


def _line(
    line: LineSpec,
    *,
    product: ProductSpec,
    spec: OrderSpec,
    shop: ShopSpec,
    numbers: Numbers,
    subsidy: int,
    left: int,
) -> Line:
    return Line(
        line_ref=product.sku_ref if shop.platform == "wechat_store" else line.line_ref or numbers.order(),
        product_ref=product.product_ref,
        sku_ref=product.sku_ref,
        title=product.title,
        quantity=line.quantity,
        price_fen=product.price_fen if line.price_fen is None else line.price_fen,
        merchant_disc_fen=line.merchant_disc_fen,
        platform_disc_fen=line.platform_disc_fen,
        talent_disc_fen=line.talent_disc_fen,
        pay_disc_fen=line.pay_disc_fen,
        voucher_subsidy_fen=subsidy,
        buyer_paid_fen=left - subsidy,
        freight_fen=line.freight_fen,
        room_ref=_told(shop, line.room_ref, spec.room_ref, shop.room_ref),
        author_ref=_told(shop, line.author_ref, spec.author_ref, shop.author_ref),
        author_name=_told(shop, line.author_name, spec.author_name, shop.author_name),
    )


def _told(shop: ShopSpec, *texts: str | None) -> str:
    """The first that is said; 快手 tells neither room nor author of an order."""
    return "" if shop.platform == "kuaishou" else next(text for text in texts if text is not None)


def _refunds(order: Order, wanted: RefundSpec, *, shop: ShopSpec, numbers: Numbers) -> Iterable[Refund]:
    if order.paid_at is None:
        raise Refused(f"{order.order_ref} is not paid")
    if shop.platform == "wechat_store" and wanted.freight_fen:
        raise Refused("微信小店 does not tell the freight of a refund")
    if wanted.line is None:
        if (
            wanted.refund_ref
            or wanted.cash_fen is not None
            or wanted.applied_fen is not None
            or wanted.freight_fen
        ):
            raise Refused("name the line of a refund that has amounts or a ref of its own")
        lines = order.lines
    elif wanted.line < len(order.lines):
        lines = [order.lines[wanted.line]]
    else:
        raise Refused(f"{order.order_ref} has no line {wanted.line}")
    return [_refund(order, line, wanted, shop=shop, numbers=numbers) for line in lines]


def _refund(order: Order, line: Line, wanted: RefundSpec, *, shop: ShopSpec, numbers: Numbers) -> Refund:
    if shop.platform == "kuaishou" and wanted.freight_fen:
        raise Refused("快手 tells no freight of a refund")
    before = [r for r in order.refunds if r.line is line and r.moves_money and r.closed_at is None]
    rest_cash = max(0, line.buyer_paid_fen - sum(r.cash_fen for r in before))
    rest_quantity = max(0, line.quantity - sum(r.quantity for r in before))
    cash = rest_cash if wanted.cash_fen is None else wanted.cash_fen
    all_of_it = rest_quantity if wanted.cash_fen is None else 0
    applied_at = _not_before(order.paid_at or 0, _cut(wanted.applied_at_ms, shop=shop), "refund")
    refund = Refund(
        refund_ref=wanted.refund_ref or numbers.refund(),
        line=line,
        kind=wanted.kind,
        cash_fen=cash if wanted.kind != "exchange" else 0,
        freight_fen=wanted.freight_fen,
        applied_fen=_asked_for(line, cash) + wanted.freight_fen
        if wanted.applied_fen is None
        else wanted.applied_fen,
        quantity=all_of_it if wanted.quantity is None else wanted.quantity,
        applied_at=applied_at,
    )
    if wanted.succeeded_at_ms is not None:
        refund.succeeded_at = _not_before(applied_at, _cut(wanted.succeeded_at_ms, shop=shop), "succeed")
    if wanted.closed_at_ms is not None:
        if refund.succeeded_at is not None:
            raise Refused("a refund cannot succeed and be closed")
        refund.closed_at = _not_before(applied_at, _cut(wanted.closed_at_ms, shop=shop), "close")
    return refund


def _asked_for(line: Line, cash: int) -> int:
    """Buyers ask for more than they get, so whoever books the pushed amount is found out."""
    return min(cash + cash // 10 + 100, line.buyer_paid_fen + line.pay_disc_fen + 100)
