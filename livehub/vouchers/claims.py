"""Give one voucher or pack to one person, or say exactly why not: a rush is settled in batches of one commit.

A batch is decided by what this worker last saw and written by one statement that confirms it; where that does
not hold any more it is decided anew under lock.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import blake2b

import msgspec
import structlog
from prometheus_client import Counter

from livehub import database
from livehub.kit import clock, limits
from livehub.kit.errors import Invalid
from livehub.kit.group_commit import GroupCommit
from livehub.kit.group_read import GroupRead
from livehub.settings import Settings
from livehub.vouchers import (
    answers,
    claim_commit,
    claim_networks,
    claim_rows,
    hot,
    latch,
    links,
    places,
    refusals,
    returning,
    winners,
)
from livehub.vouchers.claim_deciding import Claimed, Settling, Wish, windows
from livehub.vouchers.claim_rows import Known, Prior, Question
from livehub.vouchers.claim_view import View
from livehub.vouchers.errors import LinkUnknown, SoldOut
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.places import Name, Place, Stock
from livehub.vouchers.returning import Returning

MISSES = Counter(
    "livehub_claim_misses_total", "Batches that were not as last seen, and were settled anew under lock"
)

PLACE_SECONDS = 30.0
ASK_SECONDS = 1.0  # after a miss what people did before is asked for: who comes again seldom comes alone

_NOTHING_BEFORE = Known()

log = structlog.get_logger(__name__)


class StalePlace(database.Contention):
    """A link was remembered to lead to a drop that is closed now: the batch is settled again."""


class ClaimDesk:
    """This worker's door to vouchers: wishes are settled in groups; it also counts opened links."""

    def __init__(self, settings: Settings) -> None:
        self.clicks = links.clicks()
        self.misses = 0
        self._refusals = refusals.sums()
        self._places: dict[Name, tuple[float, Place]] = {}
        self._view = View()
        self._asks_until = 0.0
        self._answers = GroupRead(_answers)
        self._returning = GroupRead(_returning)
        self._commits: GroupCommit[Wish, Claimed] = GroupCommit(
            "claim",
            self._settle,
            queue_limit=settings.queue_limit,
            batch_limit=settings.batch_limit,
            own_transaction=True,
            takes_turns=True,
        )

    def start(self) -> None:
        """Start settling in the running loop."""
        self._commits.start()
        self._refusals.start()
        self.clicks.start()

    async def stop(self) -> None:
        """Settle what waits, then stop."""
        await self._commits.stop()
        await self._refusals.stop()
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
        before: Returning | None = None,
    ) -> Claimed:
        """Give the claimant a voucher of what the link leads to; VoucherRefused says why not.

        The same key with the same body is answered with the first answer and ``hit``; a refusal does not
        use the key up. ``template`` (the public id of a template or pack) chooses where a round's link has
        several. ``before`` is what ``returning`` said of her.
        """
        if not returning.is_key(key):
            raise Invalid("提交编号无效，请刷新页面后重试。")
        wish = Wish(
            name=(slug, template),
            claimant=claimant,
            key=returning.claim_key(claimant.id, key),
            body=blake2b(f"{slug}\0{template}".encode(), digest_size=16).digest(),
            ip=ip,
            request_id=request_id,
            now=now,
        )
        round_id = latch.round_of(wish.name)
        place = self._remembered(wish.name)
        if round_id is not None and place is not None:
            if before is not None and before.key == wish.key:
                known = before.answer
            else:
                known = await self._answers.get(wish.key)
            return self._repeat_or_refuse(wish, place, round_id, known=known)
        return await self._commits.submit(wish)

    async def centre_of(self, slug: str) -> int:
        """The centre whose vouchers a link gives; LinkUnknown when there is no such link."""
        place = self._remembered((slug, "")) or (await self._find({(slug, "")})).get((slug, ""))
        if place is None:
            raise LinkUnknown
        return place.centre_id

    def asks_returning(self, slug: str, template: str, key: str) -> bool:
        """Whether ``returning`` is what to ask: nothing is left, so that nothing but an answer is given."""
        return latch.round_of((slug, template)) is not None and returning.is_key(key)

    async def returning(self, token: str, key: str) -> Returning | None:
        """Who is behind a cookie, with what the key of her form was answered; None when it is nobody's."""
        return await self._returning.get((token, key))

    def _repeat_or_refuse(
        self, wish: Wish, place: Place, round_id: int, *, known: answers.Answer | None
    ) -> Claimed:
        """Where nothing is left there is nothing to settle: only whether she has been answered before."""
        if known is not None:
            answer = wish.repeated(known.body, msgspec.json.decode(known.text, type=Claimed))
            if isinstance(answer, Exception):
                raise answer
            return answer
        if place.centre_id != wish.claimant.centre_id:
            raise LinkUnknown
        self._refusals.count({refusals.key(round_id, SoldOut.code, now=wish.now): 1})
        raise SoldOut

    async def _settle(self, wishes: Sequence[Wish]) -> list[Claimed | Exception]:
        openings = latch.openings()
        found = await self._find({wish.name for wish in wishes})
        settled = await self._by_view(wishes, found)
        if settled is None:
            self.misses += 1
            MISSES.inc()
            self._view.forget()
            self._asks_until = time.monotonic() + ASK_SECONDS
            settled = await self._under_lock(wishes, found)
        settling, given = settled
        self._refusals.count(settling.refused)
        for name, round_id in settling.sold_out.items():
            latch.shut(name, round_id=round_id, since=openings)
        return given

    async def _by_view(
        self, wishes: Sequence[Wish], found: Mapping[Name, Place]
    ) -> tuple[Settling, list[Claimed | Exception]] | None:
        """Decide by what was last seen; None when it is not so, and nothing was written."""
        view = self._view
        await view.complete(found.values())
        known = [_NOTHING_BEFORE] * len(wishes)
        if time.monotonic() < self._asks_until:
            known = await claim_rows.known([_question(wish, found, view.stocks) for wish in wishes])
        prior = [view.prior(found.get(wish.name), each) for wish, each in zip(wishes, known, strict=True)]
        prior = await winners.told(wishes, found, view.stocks, prior)
        self._forget_closed(wishes, prior)
        moment = max(wish.now for wish in wishes)
        start = limits.start_of(claim_networks.LIMIT.seconds, moment)
        by_network = {key: view.networks.get((key, start), 0) for key in windows(wishes, found, view.stocks)}
        settling = Settling(found, view.stocks, by_network)
        given = [settling.answer(wish, each) for wish, each in zip(wishes, prior, strict=True)]
        return (settling, given) if await claim_commit.commit(settling, view, now=moment) else None

    @database.atomic
    async def _under_lock(
        self, wishes: Sequence[Wish], found: Mapping[Name, Place]
    ) -> tuple[Settling, list[Claimed | Exception]]:
        """Decide by what is read under lock, which nobody changes before the commit."""
        await hot.prefer_indexes()
        stocks = await places.hold({place.offer_id for place in found.values() if place.offer_id})
        prior = await claim_rows.prior([_question(wish, found, stocks) for wish in wishes])
        prior = await winners.told(wishes, found, stocks, prior)
        self._forget_closed(wishes, prior)
        moment = max(wish.now for wish in wishes)
        by_network = await claim_networks.so_far(windows(wishes, found, stocks), now=moment)
        settling = Settling(found, stocks, by_network)
        given = [settling.answer(wish, each) for wish, each in zip(wishes, prior, strict=True)]
        await claim_networks.add(settling.newly_by_network, now=moment)
        await hot.run(claim_commit.COLUMNS, settling.rows, claim_commit.STEPS)
        start = limits.start_of(claim_networks.LIMIT.seconds, moment)
        self._view.networks |= {(key, start): n for key, n in settling.by_network.items()}
        return settling, given

    def _remembered(self, name: Name) -> Place | None:
        kept = self._places.get(name)
        return kept[1] if kept is not None and kept[0] > time.monotonic() else None

    async def _find(self, names: set[Name]) -> dict[Name, Place]:
        """Where the names lead; what leads to something is remembered, and checked under lock."""
        found = {name: place for name in names if (place := self._remembered(name)) is not None}
        missing = names - found.keys()
        if missing:
            if len(self._places) > 10_000:
                self._places.clear()
            until = time.monotonic() + PLACE_SECONDS
            fresh = await places.find(missing)
            found |= fresh
            self._places |= {name: (until, place) for name, place in fresh.items() if place.offer_id}
        return found

    def _forget_closed(self, wishes: Sequence[Wish], prior: Sequence[Prior]) -> None:
        stale = {
            wish.name
            for wish, each in zip(wishes, prior, strict=True)
            if each.drop is not None and each.drop.state == "closed" and wish.name in self._places
        }
        for name in stale:
            del self._places[name]
        if stale:
            raise StalePlace


async def _returning(asked: Sequence[returning.Asked]) -> dict[returning.Asked, Returning]:
    return await returning.of(asked, now=clock.now())


async def _answers(keys: Sequence[str]) -> dict[str, answers.Answer]:
    return await answers.of_keys(keys, kind="claim")


def _question(wish: Wish, found: Mapping[Name, Place], stocks: Mapping[int, Stock]) -> Question:
    """What must be read for a wish; where nothing can be given, only whether it was answered before."""
    place = found.get(wish.name)
    if place is None or place.offer_id not in stocks:
        return Question(key=wish.key)
    stock = stocks[place.offer_id]
    return Question(
        key=wish.key,
        offer_id=stock.offer_id,
        round_id=stock.round_id,
        platform=place.platform if stock.slot_by_platform else "",
        person_key=wish.claimant.person_key,
        link_id=place.link_id,
        drop_id=place.drop_id,
    )
