"""What each claim of a batch gets, in the order of arrival: judged in memory by what is known to be there.

It is the same whether that was read under lock or is what the last batch left: the one holds by its locks,
the other is confirmed by the statement that writes it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct

from livehub.kit import clock, ids
from livehub.vouchers import claim_networks, codes, refusals, validity
from livehub.vouchers.claim_rows import Prior
from livehub.vouchers.eligibility import Attempt, judge
from livehub.vouchers.errors import (
    Ended,
    IdempotencyMismatch,
    LinkUnknown,
    NotStarted,
    RiskBlock,
    SoldOut,
    VoucherRefused,
)
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.models import VoucherState
from livehub.vouchers.places import Name, Place, Share, Stock


class Given(Struct, frozen=True, kw_only=True):
    """One voucher that a claim gave."""

    voucher: str
    template_id: int
    face_fen: int
    threshold_fen: int
    valid_from: datetime
    valid_until: datetime


class Claimed(Given, frozen=True, kw_only=True):
    """What a claim gave: a voucher, of a pack the first one, with ``more`` that came with it.

    ``hit``: this key was answered before, and nothing new happened.
    """

    hit: bool = False
    more: tuple[Given, ...] = ()


class Wish(Struct, frozen=True, kw_only=True):
    """One request to claim."""

    name: Name
    claimant: ClaimantRef
    key: str
    body: bytes
    ip: str
    request_id: str
    now: datetime

    def repeated(self, body: bytes, claimed: Claimed) -> Claimed | IdempotencyMismatch:
        """The answer to a key that was answered before."""
        return msgspec.structs.replace(claimed, hit=True) if body == self.body else IdempotencyMismatch()


def windows(wishes: Sequence[Wish], found: Mapping[Name, Place], stocks: Mapping[int, Stock]) -> set[str]:
    """The windows of networks that a batch may count in."""
    every = {
        claim_networks.window(stocks[place.offer_id].campaign_id, wish.ip)
        for wish in wishes
        if (place := found.get(wish.name)) is not None and place.offer_id
    }
    return every - {""}


class Settling:
    """One batch: what it gives, what it refuses, and for want of what."""

    def __init__(
        self, found: Mapping[Name, Place], stocks: Mapping[int, Stock], by_network: Mapping[str, int]
    ) -> None:
        self._found = found
        self.stocked = [each for each in found.values() if each.offer_id]
        self.stocks = {each.offer_id: stocks[each.offer_id] for each in self.stocked}
        self._left = {offer_id: stock.left for offer_id, stock in self.stocks.items()}
        self._granted: dict[str, tuple[bytes, Claimed]] = {}
        self.by_network = Counter(by_network)
        self.newly_by_network: Counter[str] = Counter()
        self.given: Counter[object] = Counter()  # by offer, drop and link, and by person's slot
        self.short: set[tuple[str, int]] = set()  # of which of these somebody was refused for want
        self.sold_out: dict[Name, int] = {}  # names that have nothing left now, with their rounds
        self.rows: list[dict[str, Any]] = []
        self.refused: Counter[refusals.Counted] = Counter()
        self.refused_keys: list[str] = []

    def answer(self, wish: Wish, prior: Prior) -> Claimed | Exception:
        """What this wish gets, given all that were answered before it."""
        known = self._granted.get(wish.key)
        if known is None and prior.answer is not None:
            known = (prior.answer.body, msgspec.json.decode(prior.answer.text, type=Claimed))
        if known is not None:
            return wish.repeated(*known)
        try:
            return self._give(wish, prior)
        except VoucherRefused as refusal:
            self.refused[refusals.key(self._round_of(wish), refusal.code, now=wish.now)] += 1
            self.refused_keys.append(wish.key)
            return refusal
        except LinkUnknown as unknown:
            self.refused_keys.append(wish.key)
            return unknown

    def _round_of(self, wish: Wish) -> int:
        place = self._found.get(wish.name)
        stock = self.stocks.get(place.offer_id) if place is not None else None
        return stock.round_id if stock is not None else 0

    def _give(self, wish: Wish, prior: Prior) -> Claimed:
        place = self._found.get(wish.name)
        if place is None or place.centre_id != wish.claimant.centre_id:
            raise LinkUnknown
        if not place.offer_id:
            raise Ended if place.closed else NotStarted
        stock = self.stocks[place.offer_id]
        slot = (stock.offer_id, place.platform if stock.slot_by_platform else "", wish.claimant.person_key)
        taken = prior.taken + self.given[slot]
        usable = [_window(share, wish.now) for share in stock.shares]
        refusal = judge(
            stock.rules,
            Attempt(
                now=wish.now,
                campaign=stock.campaign,
                round=stock.round,
                claim_from=stock.claim_from,
                claim_until=stock.claim_until,
                valid_until=min(until for _, until in usable),
                platform=place.platform,
                claims_by_person=taken,
                drop=prior.drop,
                drawn=prior.drawn,
            ),
        )
        if refusal is not None:
            raise refusal.error()
        network = claim_networks.window(stock.campaign_id, wish.ip)
        if self.by_network[network] >= claim_networks.LIMIT.most:
            raise RiskBlock
        self._require_stock(wish, place, stock, prior)
        if network:
            self.by_network[network] += 1
            self.newly_by_network[network] += 1
        return self._grant(wish, place, stock, slot=slot, n=taken + 1, usable=usable)

    def _require_stock(self, wish: Wish, place: Place, stock: Stock, prior: Prior) -> None:
        if self._left[stock.offer_id] <= 0:
            self.short.add(("offer", stock.offer_id))
            self.sold_out[wish.name] = stock.round_id
            raise SoldOut
        if place.drop_id and prior.drop_left <= self.given["drop", place.drop_id]:
            self.short.add(("drop", place.drop_id))
            self.sold_out[wish.name] = stock.round_id
            raise SoldOut
        if place.quota and prior.link_claims + self.given["link", place.link_id] >= place.quota:
            self.short.add(("link", place.link_id))
            raise SoldOut("这个链接的券已经领完了。")

    def _grant(
        self,
        wish: Wish,
        place: Place,
        stock: Stock,
        *,
        slot: tuple[int, str, bytes],
        n: int,
        usable: Sequence[tuple[datetime, datetime]],
    ) -> Claimed:
        given = [
            Given(
                voucher=ids.public_id(),
                template_id=share.template_id,
                face_fen=share.face_fen,
                threshold_fen=share.threshold_fen,
                valid_from=window[0],
                valid_until=window[1],
            )
            for share, window in zip(stock.shares, usable, strict=True)
            for _ in range(share.n)
        ]
        claimed = _claimed(given)
        self._left[stock.offer_id] -= 1
        self.given.update((slot, ("offer", stock.offer_id), ("drop", place.drop_id), ("link", place.link_id)))
        self._granted[wish.key] = (wish.body, claimed)
        once = {
            "key": wish.key,
            "answer": msgspec.json.encode(claimed).decode(),
            "n": n,
            "counted_link": place.link_id,
            "counted_drop": place.drop_id,
        }
        for each in given:
            self.rows.append(_row(each, wish, place, stock, platform=slot[1]) | once)
            once = _OF_THE_OTHERS
        return claimed


_OF_THE_OTHERS = {"key": "", "answer": "", "n": 0, "counted_link": 0, "counted_drop": 0}


def _claimed(given: Sequence[Given]) -> Claimed:
    first = given[0]
    return Claimed(
        voucher=first.voucher,
        template_id=first.template_id,
        face_fen=first.face_fen,
        threshold_fen=first.threshold_fen,
        valid_from=first.valid_from,
        valid_until=first.valid_until,
        more=tuple(given[1:]),
    )


def _row(given: Given, wish: Wish, place: Place, stock: Stock, *, platform: str) -> dict[str, Any]:
    """One voucher as claim_rows writes it, but for what is said once for a claim."""
    made = codes.make(given.voucher)
    at = clock.to_ms(wish.now)
    return {
        "id": ids.row_id(at),
        "public_id": given.voucher,
        "code_index": made.index,
        "code_sealed": made.sealed,
        "template_id": given.template_id,
        "campaign_id": stock.campaign_id,
        "round_id": stock.round_id,
        "claimant_id": wish.claimant.id,
        "person_key": wish.claimant.person_key,
        "platform": platform,
        "link_id": place.link_id,
        "drop_id": place.drop_id,
        "offer_id": stock.offer_id,
        "broadcast_id": place.broadcast_id,
        "streamer_id": place.streamer_id,
        "at": at,
        "valid_from": clock.to_ms(given.valid_from),
        "valid_until": clock.to_ms(given.valid_until),
        "face_fen": given.face_fen,
        "unissued_id": stock.unissued_id,
        "held_id": stock.held_id,
        "body_hash": wish.body,
        "state": str(VoucherState.ISSUED),
        "centre_id": wish.claimant.centre_id,
        "bureau_id": stock.bureau_id,
        "ip": wish.ip,
        "request_id": wish.request_id,
        "detail": msgspec.json.encode({"link": wish.name[0], "face_fen": given.face_fen}).decode(),
    }


def _window(share: Share, now: datetime) -> tuple[datetime, datetime]:
    try:
        return validity.window(share.terms, claimed_at=now)
    except ValueError:  # not released yet
        raise NotStarted from None
