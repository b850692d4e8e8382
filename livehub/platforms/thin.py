"""What platforms that push only ids have in common: whatever they tell, the order is asked for."""

from __future__ import annotations

from livehub.platforms.contract import Event, EventType, Fetch, FetchKind, OrderSnapshot


def fetches(event: Event) -> tuple[Fetch, ...]:
    """The order, and the after-sale the event is about; () for what was fetched itself."""
    if event.order is not None or event.refunds:
        return ()
    order = Fetch(FetchKind.ORDER, event.shop_ref, event.order_ref, event.order_ref)
    if not event.refund_ref:
        return (order,)
    return (order, Fetch(FetchKind.REFUND, event.shop_ref, event.order_ref, event.refund_ref))


def order_as_fetched(fetch: Fetch, order: OrderSnapshot) -> Event:
    """The event of an order that was asked for: all of it as of its own update."""
    return Event(
        type=EventType.ORDER_UPDATED,
        shop_ref=fetch.shop_ref,
        order_ref=fetch.ref,
        status_at=order.updated_at,
        created_at=order.created_at,
        paid_at=order.paid_at,
        order=order,
        covers_until=order.updated_at,
    )
