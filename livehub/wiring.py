"""Fact -> listeners: every arrow that points upwards, in one table."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import Struct

from livehub.inbox import reopening
from livehub.kit.outbox import Listener
from livehub.merchants.facts import ProductMapped
from livehub.orders import reattribution
from livehub.orders.facts import OrderVoucherSeen
from livehub.platforms.facts import ShopAdded
from livehub.vouchers import drops, links, matching
from rooms.facts import (
    AccountBound,
    BookingApproved,
    BookingReleased,
    BookingSubmitted,
    BroadcastEnded,
    BroadcastStarted,
    CueFired,
)

LISTENERS: Mapping[type[Struct], Mapping[str, Listener]] = {
    BookingSubmitted: {},
    BookingApproved: {"vouchers.links": links.on_booking_approved},
    BookingReleased: {},
    BroadcastStarted: {"orders.reattribution": reattribution.on_broadcast_started},
    BroadcastEnded: {"orders.reattribution": reattribution.on_broadcast_ended},
    AccountBound: {"orders.reattribution": reattribution.on_account_bound},
    CueFired: {"vouchers.drops": drops.on_cue_fired},
    ShopAdded: {"inbox.reopening": reopening.on_shop_added},
    ProductMapped: {"orders.reattribution": reattribution.on_product_mapped},
    OrderVoucherSeen: {"vouchers.matching": matching.on_order_voucher_seen},
}
