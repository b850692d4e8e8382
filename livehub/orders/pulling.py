"""Windows read from their platforms, page by page, at the pace that fetches share.

A window goes on only while few of the fetches that lists began are waiting, so that a long list keeps no new
order waiting, and only while the inbox is not behind: what has arrived is not to be called missing.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping

import msgspec
import structlog
from prometheus_client import Counter

from livehub import database
from livehub.inbox import queue
from livehub.kit import clock, outgoing
from livehub.orders import asking, cursors, lanes, listings
from livehub.orders.cursors import Held, LeaseLost
from livehub.orders.lanes import Lanes
from livehub.orders.pace import Paces
from livehub.platforms import queries as platforms
from livehub.platforms import registry
from livehub.platforms.contract import HttpCall, ListPage, Malformed, ReplyRefused, Window
from livehub.platforms.queries import EndpointView, ShopView

log = structlog.get_logger(__name__)

MOST_WAITING = 100  # fetches of an endpoint beyond which its lists wait
MOST_PAGES = 5_000  # of one window: a day of a large shop has a hundredth
LONGEST_PAGE = 500  # letters of a page's name that are kept
PATIENCE_MS = 1000  # how long they wait then
BEHIND_MS = 5_000  # age of the inbox's head at which nothing is compared with it

PAGES = Counter("livehub_list_pages_total", "Pages of platforms' lists", ["platform", "kind", "outcome"])


class Puller:
    """The lists of one process; each endpoint has a lane."""

    def __init__(self, *, paces: Paces | None = None) -> None:
        self._client = outgoing.Client(connections=lanes.MOST)
        self._paces = paces or Paces()
        self._lanes = Lanes(self._lane, name="pull")
        self._pages = 0

    async def close(self) -> None:
        """Let the page that is asked for be recorded, begin nothing new, and close the connections."""
        await self._lanes.close()
        await self._client.close()

    async def begin(self) -> int:
        """Read where a window waits and nobody reads yet; how many pages there were since the last time."""
        await self._lanes.begin(cursors.endpoints_with_work)
        pages, self._pages = self._pages, 0
        return pages

    async def run_once(self) -> int:
        """Read all that is due now; how many pages there were."""
        return await self._lanes.run_out(self.begin)

    async def _lane(self, endpoint_id: int) -> None:
        while not self._lanes.closing:
            held = await cursors.lease(endpoint_id, at=clock.now())
            if held is None:
                return
            try:
                await self._read_on(held)
            except LeaseLost:
                log.warning("pull.lease_lost", window=held.id)

    async def _read_on(self, held: Held) -> None:
        """Page after page, until the window is done or has to wait."""
        shop = (await platforms.shops_by_id([held.shop_id])).get(held.shop_id)
        while True:
            if self._lanes.closing or await _must_wait(held):
                await cursors.release(held, wait_ms=0 if self._lanes.closing else PATIENCE_MS)
                return
            seen = await platforms.endpoints_by_id({held.endpoint_id}, now=clock.now())
            endpoint = seen.get(held.endpoint_id)
            if shop is None or endpoint is None:
                await cursors.postpone(held, "the endpoint is gone, or its secret cannot be opened")
                return
            page = await self._page(held, endpoint, shop)
            if page is None:
                return
            if not await self._recorded(held, page, shop):
                return
            self._pages += 1
            if not page.following:
                return
            held = msgspec.structs.replace(held, page=page.following, pages=held.pages + 1, attempts=1)

    async def _recorded(self, held: Held, page: ListPage, shop: ShopView) -> bool:
        """Whether a page is in the books; one that cannot be is asked for again later, and harms no other."""
        try:
            await database.unit(lambda: listings.record(held, page, shop=shop, now=clock.now()))
        except (LeaseLost, database.DatabaseUnavailable):
            raise
        except Exception as error:
            log.exception("pull.not_recorded", window=held.id)
            await cursors.postpone(held, repr(error))
            return False
        return True

    async def _page(self, held: Held, endpoint: EndpointView, shop: ShopView) -> ListPage | None:
        """The page a window stands at; None when there is none now, which is noted at the window."""
        window, outcome, give_up = held.window(shop.shop_ref), "failed", False
        try:
            page = await self._ask(held, window, endpoint)
            if any(row.shop_ref not in ("", shop.shop_ref) for row in page.rows):
                raise ReplyRefused("shop", "the list is another shop's: so is the token", retry=False)
        except outgoing.OutgoingFailed as error:
            told = f"unreachable: {error}"
        except ReplyRefused as error:
            told, give_up = f"refused: {error}", not error.retry
        except Malformed as error:
            told, outcome = f"{error.reason}: {error.detail}", "malformed"
        except Exception as error:
            log.exception("pull.broken", window=held.id)
            told = repr(error)
        else:
            PAGES.labels(endpoint.platform, held.kind, "ok").inc()
            return page
        PAGES.labels(endpoint.platform, held.kind, outcome).inc()
        await cursors.postpone(held, told, give_up=give_up)
        return None

    async def _ask(self, held: Held, window: Window, endpoint: EndpointView) -> ListPage:
        lister = registry.get(endpoint.platform).lister
        if lister is None:
            raise ReplyRefused("lists", "the platform has no lists", retry=False)
        if held.attempts > cursors.MAX_ATTEMPTS:  # each of them ended its process
            raise ReplyRefused("attempts", "every attempt ended without an outcome", retry=False)
        if held.pages >= MOST_PAGES:
            raise ReplyRefused("pages", f"the list has no end: {MOST_PAGES} pages were read", retry=False)
        await self._paces.wait(endpoint)
        now_ms = clock.to_ms(clock.now())
        call = lister.call(window, held.page, credential=endpoint.credential, now_ms=now_ms)
        page = lister.read(window, held.page, await self._send(call, endpoint))
        if len(page.following) > LONGEST_PAGE:
            raise Malformed("page", f"the name of the next page is longer than {LONGEST_PAGE}")
        return page

    async def _send(self, call: HttpCall, endpoint: EndpointView) -> bytes:
        headers: Mapping[str, str] = {**call.headers, "x-request-id": secrets.token_hex(8)}
        answer = await self._client.send(
            endpoint.api_base_url.rstrip("/") + call.path,
            method=call.method,
            query=call.query,
            headers=headers,
            body=call.body,
        )
        if answer.status >= 500 or answer.status == 429:
            raise outgoing.OutgoingFailed(f"HTTP {answer.status}")
        return answer.body


async def _must_wait(held: Held) -> bool:
    """Whether fetches or messages wait that are to go first."""
    if await asking.waiting(held.endpoint_id) > MOST_WAITING:
        return True
    head = await queue.head_received_at()
    return head is not None and clock.to_ms(clock.now()) - head > BEHIND_MS
