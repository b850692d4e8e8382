"""The staff's pages: one blueprint for each part of /desk."""

from livehub.web.desk import (
    bookings,
    bridge,
    broadcasts,
    campaigns,
    deliveries,
    inbox,
    orders,
    outbox,
    redemptions,
    repairs,
    reviews,
    sales,
    shop_accounts,
    shops,
    today,
    unattributed,
)

BLUEPRINTS = (
    today.bp,
    bookings.bp,
    broadcasts.bp,
    unattributed.bp,
    reviews.bp,
    campaigns.bp,
    redemptions.bp,
    sales.bp,
    bridge.bp,
    orders.bp,
    inbox.bp,
    deliveries.bp,
    repairs.bp,
    shops.bp,
    shop_accounts.bp,
    outbox.bp,
)
