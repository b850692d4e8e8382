"""What knows all domains: fact -> listeners, every arrow that points upwards, and every sealed column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from msgspec import Struct

from livehub.accounts import factor_codes
from livehub.inbox import layout, reopening
from livehub.kit.outbox import Listener
from livehub.kit.resealing import Column
from livehub.merchants import qualifications
from livehub.merchants.facts import ProductMapped
from livehub.notices import sending
from livehub.orders import reattribution
from livehub.orders.facts import OrderRefunded, OrderVoucherSeen
from livehub.orders.statements import drafts
from livehub.platforms import shops
from livehub.platforms.facts import ShopAdded
from livehub.settlement import evaluating
from livehub.vouchers import codes, direct, drops, identity, links, lotteries, matching, refund_matching
from livehub.vouchers.facts import LateRedemptionSeen
from rooms import trainees
from rooms.facts import (
    AccountBound,
    BookingApproved,
    BookingReleased,
    BookingSubmitted,
    BroadcastEnded,
    BroadcastStarted,
    CueFired,
    ShopAccountChanged,
)
from streamers import people
from streamers import registry as streamers
from streamers.facts import PlaceGiven
from streamers.training import certificates, evidence, importing

LISTENERS: Mapping[type[Struct], Mapping[str, Listener]] = {
    BookingSubmitted: {},
    BookingApproved: {"vouchers.links": links.on_booking_approved},
    BookingReleased: {},
    BroadcastStarted: {"orders.reattribution": reattribution.on_broadcast_started},
    BroadcastEnded: {"orders.reattribution": reattribution.on_broadcast_ended},
    AccountBound: {"orders.reattribution": reattribution.on_account_bound},
    ShopAccountChanged: {"orders.reattribution": reattribution.on_shop_account_changed},
    CueFired: {"vouchers.drops": drops.on_cue_fired},
    ShopAdded: {"inbox.reopening": reopening.on_shop_added},
    ProductMapped: {"orders.reattribution": reattribution.on_product_mapped},
    OrderVoucherSeen: {"vouchers.matching": matching.on_order_voucher_seen},
    PlaceGiven: {"rooms.trainees": trainees.on_place_given},
    OrderRefunded: {"vouchers.refunds": refund_matching.on_order_refunded},
    LateRedemptionSeen: {"settlement.cases": evaluating.on_late_redemption},
}

SEALED: Sequence[Column] = (
    *factor_codes.SEALED,
    *shops.SEALED,
    *sending.SEALED,
    *streamers.SEALED,
    *people.SEALED,
    *importing.SEALED,
    *certificates.SEALED,
    *evidence.SEALED,
    *layout.SEALED,
    *identity.SEALED,
    *codes.SEALED,
    *direct.SEALED,
    *lotteries.SEALED,
    *drafts.SEALED,
    *qualifications.SEALED,
)
