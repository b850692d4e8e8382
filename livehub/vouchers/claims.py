"""Give one voucher to one person, or say exactly why not: a rush is settled in batches of one commit."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.kit import clock, ids
from livehub.kit.errors import Invalid
from livehub.kit.group_commit import GroupCommit
from livehub.settings import Settings
from livehub.vouchers import claim_networks, claim_rows, codes, hot, latch, links, places, refusals, validity
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
from livehub.vouchers.places import Name, Place, Stock

KEY_LENGTH = 56
PLACE_SECONDS = 30.0


class Claimed(Struct, frozen=True, kw_only=True):
    """What a claim gave; ``hit``: this key was answered before, and nothing new happened."""

    voucher: str
    template_id: int
    face_fen: int
    threshold_fen: int
    valid_from: datetime
    valid_until: datetime
    hit: bool = False


class Wish(Struct, frozen=True, kw_only=True):
    """One request to claim."""

    name: Name
    claimant: ClaimantRef
    key: str
    body: bytes
    actor: Actor
    network: str
    now: datetime


class StalePlace(database.Contention):
    """A link was remembered to lead to a drop that is closed now: the batch is settled again."""


class ClaimDesk:
    """This worker's door to vouchers: wishes are settled in groups; it also counts opened links."""

    def __init__(self, settings: Settings) -> None:
        self.clicks = links.Clicks()
        self._places: dict[Name, tuple[float, Place]] = {}
        self._commits: GroupCommit[Wish, Claimed] = GroupCommit(
            "claim", self._settle, queue_limit=settings.queue_limit, batch_limit=settings.batch_limit
        )

    def start(self) -> None:
        """Start settling in the running loop."""
        self._commits.start()
        self.clicks.start()

    async def stop(self) -> None:
        """Settle what waits, then stop."""
        await self._commits.stop()
        await self.clicks.stop()

    @property
    def fallbacks(self) -> int:
        """How many batches had to be settled item by item."""
        return self._commits.fallbacks

    async def claim(
        self,
        slug: str,
        *,
        claimant: ClaimantRef,
        key: str,
        now: datetime,
        template: str = "",
        ip: str = "",
        request_id: str = "",
    ) -> Claimed:
        """Give the claimant a voucher of what the link leads to; VoucherRefused says why not.

        The same key with the same body is answered with the first answer and ``hit``; a refusal does not
        use the key up. ``template`` (a public id) chooses where a round's link has several.
        """
        if not 0 < len(key) <= KEY_LENGTH or not key.isascii() or not key.isprintable():
            raise Invalid("提交编号无效，请刷新页面后重试。")
        actor = Actor(
            kind="claimant", id=claimant.id, centre_id=claimant.centre_id, ip=ip, request_id=request_id
        )
        body = blake2b(f"{slug}\0{template}".encode(), digest_size=16).digest()
        wish = Wish(
            name=(slug, template),
            claimant=claimant,
            key=f"{claimant.id}:{key}",
            body=body,
            actor=actor,
            network=claim_networks.of(ip),
            now=now,
        )
        return await self._commits.submit(wish)

    async def centre_of(self, slug: str) -> int:
        """The centre whose vouchers a link gives; LinkUnknown when there is no such link."""
        found = await self._find({(slug, "")})
        if not found:
            raise LinkUnknown
        return found[slug, ""].centre_id

    async def _settle(self, wishes: Sequence[Wish]) -> list[Claimed | Exception]:
        found = await self._find({wish.name for wish in wishes})
        shut = {name: round_id for name in found if (round_id := latch.round_of(name)) is not None}
        if len(shut) < len(found):
            await hot.prefer_indexes()
        stocks = await places.hold(
            {place.template_id for name, place in found.items() if place.template_id and name not in shut}
        )
        prior = await claim_rows.prior([_question(wish, found, stocks, shut) for wish in wishes])
        self._forget_closed(wishes, prior)
        moment = max(wish.now for wish in wishes)
        settling = _Settling(found, stocks, shut)
        await settling.count_networks(wishes, now=moment)
        answers = [settling.answer(wish, each) for wish, each in zip(wishes, prior, strict=True)]
        await settling.write(now=moment)
        return answers

    async def _find(self, names: set[Name]) -> dict[Name, Place]:
        """Where the names lead; what leads to a drop or template is remembered, and checked under lock."""
        moment = time.monotonic()
        found = {
            name: kept[1]
            for name in names
            if (kept := self._places.get(name)) is not None and kept[0] > moment
        }
        missing = names - found.keys()
        if missing:
            if len(self._places) > 10_000:
                self._places.clear()
            fresh = await places.find(missing)
            found |= fresh
            self._places |= {
                name: (moment + PLACE_SECONDS, place) for name, place in fresh.items() if place.template_id
            }
        return found

    def _forget_closed(self, wishes: Sequence[Wish], prior: Sequence[claim_rows.Prior]) -> None:
        stale = {
            wish.name
            for wish, each in zip(wishes, prior, strict=True)
            if each.drop is not None and each.drop.state == "closed" and wish.name in self._places
        }
        for name in stale:
            del self._places[name]
        if stale:
            raise StalePlace


def _question(
    wish: Wish, found: dict[Name, Place], stocks: dict[int, Stock], shut: dict[Name, int]
) -> claim_rows.Question:
    """What must be read for a wish; where nothing can be given, only whether it was answered before."""
    place = found.get(wish.name)
    if place is None or wish.name in shut or place.template_id not in stocks:
        return claim_rows.Question(key=wish.key)
    stock = stocks[place.template_id]
    return claim_rows.Question(
        key=wish.key,
        template_id=stock.template_id,
        round_id=stock.round_id,
        platform=place.platform if stock.slot_by_platform else "",
        person_key=wish.claimant.person_key,
        link_id=place.link_id,
        drop_id=place.drop_id,
    )


def _window(stock: Stock, now: datetime) -> tuple[datetime, datetime]:
    try:
        return validity.window(stock.terms, claimed_at=now)
    except ValueError:  # not released yet
        raise NotStarted from None


class _Settling:
    """One batch: decides in the order of arrival, then writes everything at once."""

    def __init__(self, found: dict[Name, Place], stocks: dict[int, Stock], shut: dict[Name, int]) -> None:
        self._found = found
        self._shut = shut
        self._stocks = stocks
        self._left = {template_id: stock.left for template_id, stock in stocks.items()}
        self._given: Counter[object] = Counter()  # by drop id, by link id, by person's slot
        self._granted: dict[str, tuple[bytes, Claimed]] = {}
        self._rows: list[dict[str, Any]] = []
        self._entries: list[audit.Entry] = []
        self._refused: Counter[refusals.Counted] = Counter()
        self._by_network: Counter[str] = Counter()
        self._newly_by_network: Counter[str] = Counter()

    async def count_networks(self, wishes: Sequence[Wish], *, now: datetime) -> None:
        """How much each network of the batch took before; nothing is asked where nobody comes from one."""
        keys = {self._network_key(wish) for wish in wishes} - {""}
        self._by_network = await claim_networks.so_far(keys, now=now)

    def answer(self, wish: Wish, prior: claim_rows.Prior) -> Claimed | Exception:
        """What this wish gets, given all that were answered before it."""
        known = self._granted.get(wish.key)
        if known is None and prior.answer is not None:
            known = (prior.answer.body, msgspec.json.decode(prior.answer.text, type=Claimed))
        if known is not None:
            body, claimed = known
            return msgspec.structs.replace(claimed, hit=True) if body == wish.body else IdempotencyMismatch()
        try:
            return self._give(wish, prior)
        except VoucherRefused as refusal:
            self._refused[refusals.key(self._round_of(wish), refusal.code, now=wish.now)] += 1
            return refusal
        except LinkUnknown as unknown:
            return unknown

    async def write(self, *, now: datetime) -> None:
        """Everything the batch decided, the hot rows last."""
        await claim_networks.add(self._newly_by_network, now=now)
        await refusals.add(self._refused)
        await audit.write_many(self._entries, now=now)
        await hot.run(claim_rows.COLUMNS, self._rows, claim_rows.STEPS)

    def _round_of(self, wish: Wish) -> int:
        place = self._found.get(wish.name)
        stock = self._stocks.get(place.template_id) if place is not None else None
        return stock.round_id if stock is not None else self._shut.get(wish.name, 0)

    def _give(self, wish: Wish, prior: claim_rows.Prior) -> Claimed:
        place = self._found.get(wish.name)
        if place is None or place.centre_id != wish.claimant.centre_id:
            raise LinkUnknown
        if wish.name in self._shut:
            raise SoldOut
        if not place.template_id:
            raise Ended if place.closed else NotStarted
        stock = self._stocks[place.template_id]
        slot = (stock.template_id, place.platform if stock.slot_by_platform else "", wish.claimant.person_key)
        taken = prior.taken + self._given[slot]
        valid_from, valid_until = _window(stock, wish.now)
        refusal = judge(
            stock.rules,
            Attempt(
                now=wish.now,
                campaign=stock.campaign,
                round=stock.round,
                claim_from=stock.claim_from,
                claim_until=stock.claim_until,
                valid_until=valid_until,
                platform=place.platform,
                claims_by_person=taken,
                drop=prior.drop,
            ),
        )
        if refusal is not None:
            raise refusal.error()
        network = self._network_key(wish)
        if self._by_network[network] >= claim_networks.LIMIT.most:
            raise RiskBlock
        self._require_stock(wish, place, stock, prior)
        if network:
            self._by_network[network] += 1
            self._newly_by_network[network] += 1
        return self._grant(wish, place, stock, slot=slot, n=taken + 1, window=(valid_from, valid_until))

    def _network_key(self, wish: Wish) -> str:
        place = self._found.get(wish.name)
        stock = self._stocks.get(place.template_id) if place is not None else None
        return (
            claim_networks.key(stock.campaign_id, wish.network) if stock is not None and wish.network else ""
        )

    def _require_stock(self, wish: Wish, place: Place, stock: Stock, prior: claim_rows.Prior) -> None:
        drop_is_empty = bool(place.drop_id) and prior.drop_left <= 0
        if stock.left <= 0 or drop_is_empty:  # committed, so it may be remembered
            latch.shut(wish.name, round_id=stock.round_id)
        if self._left[stock.template_id] <= 0:
            raise SoldOut
        if place.drop_id and prior.drop_left <= self._given["drop", place.drop_id]:
            raise SoldOut
        if place.quota and prior.link_claims + self._given["link", place.link_id] >= place.quota:
            raise SoldOut("这个链接的券已经领完了。")

    def _grant(
        self,
        wish: Wish,
        place: Place,
        stock: Stock,
        *,
        slot: tuple[int, str, bytes],
        n: int,
        window: tuple[datetime, datetime],
    ) -> Claimed:
        voucher = ids.public_id()
        made = codes.make(voucher)
        claimed = Claimed(
            voucher=voucher,
            template_id=stock.template_id,
            face_fen=stock.face_fen,
            threshold_fen=stock.threshold_fen,
            valid_from=window[0],
            valid_until=window[1],
        )
        self._left[stock.template_id] -= 1
        self._given.update((slot, ("drop", place.drop_id), ("link", place.link_id)))
        self._granted[wish.key] = (wish.body, claimed)
        at = clock.to_ms(wish.now)
        self._rows.append(
            {
                "id": ids.row_id(at),
                "public_id": voucher,
                "code_index": made.index,
                "code_sealed": made.sealed,
                "template_id": stock.template_id,
                "campaign_id": stock.campaign_id,
                "round_id": stock.round_id,
                "claimant_id": wish.claimant.id,
                "person_key": wish.claimant.person_key,
                "platform": slot[1],
                "n": n,
                "link_id": place.link_id,
                "drop_id": place.drop_id,
                "broadcast_id": place.broadcast_id,
                "streamer_id": place.streamer_id,
                "at": at,
                "valid_from": clock.to_ms(window[0]),
                "valid_until": clock.to_ms(window[1]),
                "face_fen": stock.face_fen,
                "unissued_id": stock.unissued_id,
                "held_id": stock.held_id,
                "key": wish.key,
                "body_hash": wish.body,
                "answer": msgspec.json.encode(claimed).decode(),
                "state": str(VoucherState.ISSUED),
            }
        )
        self._entries.append(
            audit.Entry(
                action="voucher.claimed",
                actor=wish.actor,
                about=("voucher", voucher),
                bureau_id=stock.bureau_id,
                detail={"link": wish.name[0], "face_fen": stock.face_fen},
            )
        )
        return claimed
