"""Everything the sandbox knows: shops, orders, after-sales, and the messages made of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from copy import deepcopy
from random import Random

from livehub.sandbox import books, doudian, erp, kuaishou, making, signatures, wechat_store
from livehub.sandbox.making import Refused
from livehub.sandbox.messages import Message
from livehub.sandbox.orders import Numbers, Order, Refund
from livehub.sandbox.spec import OrderSpec, ShopSpec, StepSpec


class Store:
    """The state of one sandbox; it lives in memory and ends with the process."""

    def __init__(self, *, now_ms: int) -> None:
        self.shops: dict[str, ShopSpec] = {}
        self.orders: dict[str, Order] = {}
        self.messages: list[Message] = []
        self._refunds: dict[str, str] = {}  # refund_ref -> order_ref
        self._numbers = Numbers(now_ms=now_ms)

    def declare(self, shop: ShopSpec) -> None:
        """Add a shop, or change its address, credentials and products."""
        known = self.shops.get(shop.shop_ref)
        if known is not None and known.platform != shop.platform:
            raise Refused(f"shop {shop.shop_ref} is of platform {known.platform}")
        if shop.platform == "doudian" and not (
            shop.shop_ref.isdigit() and shop.app_key and shop.access_token
        ):
            raise Refused("a 抖店 shop needs a numeric shop_ref, an app_key and an access_token")
        if shop.platform == "wechat_store":
            wechat_store.require_usable(shop)
        if shop.platform == "kuaishou" and not (
            shop.shop_ref.isdigit()
            and shop.app_key
            and shop.access_token
            and signatures.is_kuaishou_secret(shop.secret)
        ):
            raise Refused(
                "a 快手 shop needs a numeric shop_ref, an app_key, a token and a secret signSecret:key"
            )
        if shop.platform == "standard_webhooks" and not signatures.is_standard_secret(shop.secret):
            raise Refused("the secret of an ERP is whsec_ and base64")
        self.shops[shop.shop_ref] = shop

    def shop(self, shop_ref: str) -> ShopSpec:
        """A declared shop, or Refused."""
        try:
            return self.shops[shop_ref]
        except KeyError:
            raise Refused(f"unknown shop {shop_ref}") from None

    def create(
        self, specs: Iterable[OrderSpec], *, rng: Random, now_ms: int
    ) -> tuple[list[Order], list[Message]]:
        """Make all of these orders, or none of them and Refused; return what there is to tell."""
        made: dict[str, Order] = {}
        for spec in specs:
            shop = self.shop(spec.shop)
            order = making.order(spec, shop=shop, numbers=self._numbers, rng=rng, now_ms=now_ms)
            if order.order_ref in self.orders or order.order_ref in made:
                raise Refused(f"order {order.order_ref} exists")
            made[order.order_ref] = order
        return list(made.values()), self._keep(made)

    def take_steps(self, steps: Iterable[StepSpec]) -> tuple[list[Order], list[Message]]:
        """Let all of these steps happen, or none of them and Refused."""
        changed: dict[str, Order] = {}
        for step in steps:
            known = changed.get(step.order_ref) or deepcopy(self.order(step.order_ref))
            making.take_step(known, step, shop=self.shop(known.shop_ref), numbers=self._numbers)
            changed[step.order_ref] = known
        return list(changed.values()), self._keep(changed)

    def order(self, order_ref: str) -> Order:
        """An order, or Refused."""
        try:
            return self.orders[order_ref]
        except KeyError:
            raise Refused(f"unknown order {order_ref}") from None

    def refund(self, refund_ref: str) -> tuple[Order, Refund]:
        """An after-sale and its order, or Refused."""
        try:
            order = self.orders[self._refunds[refund_ref]]
        except KeyError:
            raise Refused(f"unknown refund {refund_ref}") from None
        return order, next(refund for refund in order.refunds if refund.refund_ref == refund_ref)

    def listed(self, shops: Collection[str], *, start: int, end: int) -> list[Order]:
        """Orders of these shops that were updated from ``start`` to ``end``, both included, oldest first."""
        found = [
            order
            for order in self.orders.values()
            if order.shop_ref in shops and start <= order.updated_at <= end
        ]
        return sorted(found, key=lambda order: (order.updated_at, order.order_ref))

    def listed_refunds(self, shops: Collection[str], *, start: int, end: int) -> list[tuple[Order, Refund]]:
        """The same of after-sales."""
        found = [
            (order, refund)
            for order in self.orders.values()
            if order.shop_ref in shops
            for refund in order.refunds
            if start <= refund.updated_at <= end
        ]
        return sorted(found, key=lambda pair: (pair[1].updated_at, pair[1].refund_ref))

    def books(self, *, with_orders: bool = False) -> dict[str, object]:
        """The truth in figures."""
        return books.books(self.orders.values(), with_orders=with_orders)

    def _keep(self, orders: dict[str, Order]) -> list[Message]:
        refunds = [
            (refund.refund_ref, order.order_ref) for order in orders.values() for refund in order.refunds
        ]
        owners = dict(refunds)
        if len(owners) < len(refunds) or any(
            self._refunds.get(ref, owner) != owner for ref, owner in refunds
        ):
            raise Refused("a refund_ref is taken")
        self._refunds.update(owners)
        self.orders.update(orders)
        messages = [message for order in orders.values() for message in self._untold(order)]
        self.messages.extend(messages)
        return messages

    def _untold(self, order: Order) -> Iterator[Message]:
        for message in _TELLERS[self.shops[order.shop_ref].platform](order):
            if message.message_id not in order.told:
                order.told.add(message.message_id)
                yield message


_TELLERS: dict[str, Callable[[Order], Iterator[Message]]] = {
    "doudian": doudian.messages,
    "kuaishou": kuaishou.messages,
    "standard_webhooks": erp.messages,
    "wechat_store": wechat_store.messages,
}
