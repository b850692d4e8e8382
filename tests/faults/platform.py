"""Imitated shops that tell an installation thin messages: what they mean has to be fetched from their platform."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Mapping

from livehub import database, sandbox
from livehub.accounts.models import Bureau
from livehub.inbox import receiving
from livehub.inbox.layout import Origin
from livehub.kit import clock
from livehub.orders import intake
from livehub.orders.contribution import MEASURES
from livehub.orders.fetching import Fetcher
from livehub.platforms import queries, registry
from livehub.sandbox import doudian
from livehub.sandbox.spec import LiveRequest, ProductSpec, ShopSpec
from livehub.settings import Settings
from tests.factories.platforms import DOUDIAN_SECRET, a_shop, an_endpoint
from tests.faults import reckoning
from tests.faults.installation import Installation
from tests.faults.processes import becomes
from tests.faults.reckoning import Buckets, opened
from tests.faults.town import a_town

CALLS_PER_SECOND = 100  # more than any load here asks for


class Shops:
    """Some shops of one sandbox: by their number, where their platform is reached."""

    def __init__(self, box: sandbox.Box, bases: Mapping[str, str]) -> None:
        self._box = box
        self._bases = bases

    async def open(self, installation: Installation) -> None:
        """Make them known on both sides; the installation is served already."""
        async with opened(installation.settings):
            paths = await self._register(self._bases)
        for ref, path in paths.items():
            self._box.store.declare(
                ShopSpec(
                    platform="doudian",
                    shop_ref=ref,
                    hook_url=installation.serving.url + path,
                    app_key=f"app{ref}",
                    secret=DOUDIAN_SECRET,
                    access_token="access-token-of-tests",
                    products=[ProductSpec(product_ref="1", title="海鸭蛋", price_fen=4000)],
                )
            )

    async def _register(self, bases: Mapping[str, str]) -> dict[str, str]:
        bureau = await Bureau.all().order_by("id").first()
        assert bureau is not None
        paths = {}
        for ref, base in bases.items():
            endpoint = await an_endpoint(bureau, app_key=f"app{ref}", api_base_url=f"{base}/doudian")
            await a_shop(bureau, endpoint=endpoint, shop_ref=ref)
            paths[ref] = f"/hooks/doudian/{endpoint.endpoint_key}"
        await database.execute("UPDATE endpoint SET calls_per_second = $1", CALLS_PER_SECOND)
        return paths

    async def go_live(self, *, per_second: float, seed: int) -> None:
        """Sell, and give back some, until ``stop``."""
        for ref in self._bases:
            await self._box.go_live(
                LiveRequest(
                    shop=ref,
                    orders_per_second=per_second,
                    refund_rate=0.2,
                    refund_after_ms=(500, 2000),
                    duplicates=0.1,
                    seed=seed,
                )
            )

    async def stop(self) -> None:
        """Sell nothing more, and push until everything is acknowledged."""
        await self._box.stop_live()
        await becomes(lambda: not self._box.runs.under_way, seconds=60)

    async def reckon(self, settings: Settings, *, drains_within: float = 60.0) -> Buckets:
        """What was acknowledged is kept once, fetched and booked; the buckets of these shops."""
        async with opened(settings):
            for over in (reckoning.is_drained, is_fetched, reckoning.is_drained):
                await becomes(over, seconds=drains_within)
            rows = await database.fetch(
                "SELECT native_id, status FROM inbox_message WHERE platform = 'doudian' AND source = 'push'"
            )
            found = await self.buckets()
        kept = Counter(row["native_id"] for row in rows)
        acknowledged = {message.message_id for message in self._box.pusher.log}
        assert acknowledged, "nothing was acknowledged at all: this proves nothing"
        assert acknowledged == set(kept)
        assert set(kept.values()) == {1}
        assert {row["status"] for row in rows} <= {"applied", "stale"}
        await reckoning.audit(settings)
        print(f"{len(acknowledged)} thin messages, calls {dict(self._box.api_calls)}", file=sys.stderr)
        return found

    async def buckets_of_twin(self, settings: Settings) -> Buckets:
        """What the rollups say where nothing ever went wrong; ``settings`` are those of a fresh database."""
        await a_town(settings, people=1, stock=1)
        async with opened(settings):
            await self._register(dict.fromkeys(self._bases, self._box.base_url))
            await self._tell()
            fetcher, taken = Fetcher(), 1
            while taken:
                taken = await intake.run_once(now=clock.now(), lease_seconds=30)
                await database.execute("UPDATE fetch_job SET due_at = 0 WHERE status = 'waiting'")
                taken += await fetcher.run_once()
            await fetcher.close()
            assert await is_fetched()
            return await self.buckets()

    async def _tell(self) -> None:
        endpoints = {each.credential.app_key: each for each in await queries.endpoints(now=clock.now())}
        for message in self._box.pusher.log:
            endpoint = endpoints[f"app{message.shop_ref}"]
            raw = doudian.envelope([message.body])
            arrival = receiving.read_push(
                registry.get("doudian"),
                origin=Origin(endpoint.id, endpoint.centre_id, "doudian"),
                raw=raw,
                plaintext=raw,
                headers={},
                now=clock.now(),
            )
            await receiving.store([arrival])

    async def buckets(self) -> Buckets:
        """What the rollups of these shops say, without row ids, revisions and buckets that came to nothing."""
        refs = ", ".join(f"'{ref}'" for ref in self._bases)
        rows = await database.fetch(
            f"SELECT s.shop_ref, b.day, b.attribution, {', '.join(f'b.{name}' for name in MEASURES)}"
            f" FROM rollup_bucket b JOIN shop s ON s.id = b.shop_id WHERE s.shop_ref IN ({refs})"
            " ORDER BY s.shop_ref, b.day, b.attribution"
        )
        every = [tuple(row.values()) for row in rows]
        return [row for row in every if any(row[3:])]


async def is_fetched() -> bool:
    """Whether every order was read from its platform."""
    return await database.fetch("SELECT count(*) AS n FROM fetch_job WHERE status <> 'done'") == [{"n": 0}]


async def overdue_seconds(shop_ref: str) -> float:
    """How long the fetch of a shop that waits longest is overdue, held or not."""
    row = await database.fetch_one(
        f"SELECT {database.now_ms()} - min(due_at) AS ms FROM fetch_job"
        " WHERE status = 'waiting' AND shop_ref = $1",
        shop_ref,
    )
    return max(0.0, int(row["ms"] or 0) / 1000) if row else 0.0
