"""What the control API is told: shops, orders, later steps, pushes and live producers."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta, Struct

Fen = Annotated[int, Meta(ge=0, le=10**12)]
Count = Annotated[int, Meta(ge=1, le=100_000)]
Millis = Annotated[int, Meta(ge=0, le=10**13)]
Share = Annotated[float, Meta(ge=0, le=1)]
Text = Annotated[str, Meta(max_length=200)]

Platform = Literal["doudian", "kuaishou", "standard_webhooks", "wechat_store"]
Kind = Literal["refund_only", "return_refund", "exchange"]


class ProductSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """Something a shop sells; ``price_fen`` is the list price of one."""

    product_ref: Text
    title: Text
    price_fen: Fen
    sku_ref: Text = ""


class ShopSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """A shop and the app credential that pushes for it; several shops may share one credential."""

    platform: Platform
    shop_ref: Text
    hook_url: str
    secret: str
    app_key: str = ""  # none for an ERP; the appid of a 微信小店
    access_token: str = ""  # none for an ERP
    name: Text = ""
    products: list[ProductSpec] = []
    room_ref: Text = ""
    author_ref: Text = ""
    author_name: Text = ""


class LineSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """One line with explicit amounts; what is left of the list price is the buyer's."""

    product_ref: Text
    quantity: Count = 1
    price_fen: Fen | None = None  # None: the product's list price
    merchant_disc_fen: Fen = 0
    platform_disc_fen: Fen = 0
    talent_disc_fen: Fen = 0  # the author's coupon, at 快手 the government's: part of other_disc
    pay_disc_fen: Fen = 0  # the payment channel's: part of other_disc
    freight_fen: Fen = 0
    line_ref: Text = ""
    room_ref: Text | None = None  # None: the order's, else the shop's
    author_ref: Text | None = None
    author_name: Text | None = None


class RefundSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """An after-sale of one line, or of every line when ``line`` is null."""

    line: Annotated[int, Meta(ge=0)] | None = None  # position in the order's lines
    kind: Kind = "refund_only"
    cash_fen: Fen | None = None  # None: all that the buyer has not got back yet
    freight_fen: Fen = 0  # paid back besides the cash
    applied_fen: Fen | None = None  # what the buyer asked for; None: somewhat more than he gets
    quantity: Annotated[int, Meta(ge=0)] | None = None
    refund_ref: Text = ""
    applied_at_ms: Millis
    succeeded_at_ms: Millis | None = None
    closed_at_ms: Millis | None = None


class OrderSpec(Struct, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """An order and what happens to it; without ``lines`` a basket is drawn from the shop's products."""

    shop: Text
    order_ref: Text = ""
    buyer_id: Text = ""
    lines: list[LineSpec] = []
    room_ref: Text | None = None
    author_ref: Text | None = None
    author_name: Text | None = None
    broadcast_ref: Text = ""  # ERP only
    voucher_code: Text = ""  # ERP only
    voucher_subsidy_fen: Fen = 0  # ERP only; taken out of what the buyer would pay
    trade_type: int = 0  # 抖店 only; 10, 11 and 12 are no sales
    receiver_tel: Text = ""  # 抖店 only; drawn when empty
    created_at_ms: Millis | None = None  # None: when it was paid, else now
    paid_at_ms: Millis | None = None
    shipped_at_ms: Millis | None = None
    finished_at_ms: Millis | None = None
    cancelled_at_ms: Millis | None = None
    refunds: list[RefundSpec] = []


class OrdersRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Orders to create; what they leave open is drawn from ``seed``."""

    orders: list[OrderSpec]
    seed: int = 0


class StepSpec(Struct, kw_only=True, forbid_unknown_fields=True):
    """Something that happens later to an order that exists."""

    order_ref: Text
    paid_at_ms: Millis | None = None
    shipped_at_ms: Millis | None = None
    finished_at_ms: Millis | None = None
    cancelled_at_ms: Millis | None = None
    refunds: list[RefundSpec] = []
    succeed: dict[str, Millis] = {}  # an open refund's ref -> when its money went back
    close: dict[str, Millis] = {}  # an open refund's ref -> when it was closed without money


class StepsRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """Later steps of several orders."""

    steps: list[StepSpec]


class PushRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """How everything that waits is sent."""

    duplicates: Share = 0.0  # this share of the messages is sent once more
    loss: Share = 0.0  # this share is never sent; the API still knows
    shuffle: bool = False  # else in the order of the business times
    delay_ms: tuple[int, int] = (0, 0)  # each delivery waits so long before its first attempt
    batch: tuple[Count, Count] = (1, 5)  # messages in one delivery; an ERP always sends one
    concurrency: Annotated[int, Meta(ge=1, le=256)] = 8
    seed: int = 0
    wait_seconds: Annotated[float, Meta(ge=0, le=3600)] = 60.0  # then 202, and the push goes on


class LiveRequest(Struct, kw_only=True, forbid_unknown_fields=True):
    """A producer of paid orders in real time; one per shop, a new one replaces it."""

    shop: Text
    orders_per_second: Annotated[float, Meta(gt=0, le=500)]
    refund_rate: Share = 0.0
    refund_after_ms: tuple[int, int] = (3_000, 20_000)
    duplicates: Share = 0.0
    loss: Share = 0.0  # as of a push
    seconds: Annotated[float, Meta(gt=0)] | None = None
    seed: int = 0
    room_ref: Text | None = None
    author_ref: Text | None = None
    author_name: Text | None = None
    broadcast_ref: Text = ""
