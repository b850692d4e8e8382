"""What Prometheus is told after real traffic."""

from __future__ import annotations

import hashlib

import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families

from jobs import loops
from livehub import database
from livehub.inbox import queue
from livehub.kit import clock
from livehub.orders import intake
from livehub.platforms.models import Endpoint
from livehub.web import depths
from tests.factories.accounts import a_bureau
from tests.factories.differences import a_difference
from tests.factories.platforms import DOUDIAN_SECRET, a_shop, an_endpoint
from tests.site import Site

Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


@pytest.fixture(autouse=True)
def asked_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(depths, "KEPT_SECONDS", 0.0)


async def scraped(site: Site) -> Figures:
    families = text_string_to_metric_families(await site.text("/metrics"))
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in families
        for sample in family.samples
    }


def of(figures: Figures, name: str, **labels: str) -> float | None:
    return figures.get((name, tuple(sorted(labels.items()))))


async def push(site: Site, endpoint: Endpoint, *, shop: int, order: int, secret: str = DOUDIAN_SECRET) -> int:
    data = {"p_id": order, "shop_id": shop, "order_status": 2, "pay_time": 1760000010, "pay_amount": 3980}
    element = {"tag": "101", "msg_id": f"{order}:101", "data": msgspec.json.encode(data).decode()}
    body = msgspec.json.encode([element])
    sign = hashlib.md5(endpoint.app_key.encode() + body + secret.encode()).hexdigest()
    headers = {"app-id": endpoint.app_key, "event-sign": sign, "content-type": "application/json"}
    async with site.post(f"/hooks/doudian/{endpoint.endpoint_key}", data=body, headers=headers) as answer:
        return answer.status


async def test_the_figures_follow_what_happens(client: Site) -> None:
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau)
    await a_shop(bureau, endpoint=endpoint, shop_ref="900001")
    before = await scraped(client)

    for order in (1, 2, 3, 3):
        assert await push(client, endpoint, shop=900001, order=order) == 200
    assert await push(client, endpoint, shop=777, order=4) == 200
    assert await push(client, endpoint, shop=900001, order=5, secret="another") == 401
    waiting = await scraped(client)
    await intake.run_once(now=clock.now(), lease_seconds=30)
    await loops.beat([loops.Health("intake", rounds=1, failures=2, note="once")])
    done = await scraped(client)

    def grew(name: str, **labels: str) -> float:
        return (of(done, name, **labels) or 0.0) - (of(before, name, **labels) or 0.0)

    assert of(before, "livehub_inbox_messages", platform="doudian", status="received", reason="") is None
    assert of(waiting, "livehub_inbox_messages", platform="doudian", status="received", reason="") == 4
    assert 0 <= (of(waiting, "livehub_inbox_oldest_seconds", platform="doudian") or -1) < 60
    assert of(waiting, "livehub_inbox_newest_applied_seconds") is None
    assert of(done, "livehub_inbox_messages", platform="doudian", status="received", reason="") is None
    assert of(done, "livehub_inbox_messages", platform="doudian", status="parked", reason="shop") == 1
    assert 0 <= (of(done, "livehub_inbox_newest_applied_seconds") or -1) < 60
    assert (of(done, "livehub_inbox_sender_skew_seconds", platform="doudian", which="greatest") or 0) < 0
    assert of(done, "livehub_fetch_jobs", status="waiting") == 3
    assert of(done, "livehub_loop_failing_rounds", loop="intake") == 2
    assert (of(done, "livehub_loop_beat_seconds", loop="intake") or 0.0) < 60
    assert of(done, "livehub_database_up") == 1
    assert grew("livehub_inbox_deliveries_total", platform="doudian", outcome="new") == 4
    assert grew("livehub_inbox_deliveries_total", platform="doudian", outcome="duplicate") == 1
    assert grew("livehub_hooks_refused_total", platform="doudian", endpoint=str(endpoint.id)) == 1
    assert grew("livehub_intake_messages_total", status="applied") == 3
    assert grew("livehub_intake_batch_size_count") == 1
    assert grew("livehub_group_commit_seconds_count", queue="receive") >= 1
    hooks = "/hooks/<platform:str>/<endpoint_key:str>"
    assert grew("livehub_http_requests_total", method="POST", route=hooks, status="200") == 5
    assert grew("livehub_http_requests_total", method="POST", route=hooks, status="401") == 1
    assert grew("livehub_http_request_seconds_count", route=hooks) == 6


async def test_every_figure_of_the_database_is_told_once_there_is_something(client: Site) -> None:
    bureau = await a_bureau()
    endpoint = await an_endpoint(bureau)
    shop = await a_shop(bureau, endpoint=endpoint, shop_ref="900001")
    await a_difference(shop)
    await push(client, endpoint, shop=900001, order=1)
    await intake.run_once(now=clock.now(), lease_seconds=30)
    await push(client, endpoint, shop=900001, order=2)
    await loops.beat([loops.Health("intake", rounds=1)])
    await database.execute(
        "INSERT INTO job_run (job, due_at, status, token, lease_until, attempts, started_at, finished_at, note)"
        f" VALUES ('close_drops', 0, 'done', 1, 0, 1, 0, {queue.database_now()} - 90000, ''),"
        " ('close_drops', 60000, 'failed', 1, 0, 1, 0, 60000, ''), ('never_done', 0, 'failed', 1, 0, 1, 0, 0, '')"
    )

    figures = await scraped(client)

    told = {name for name, _ in figures}
    of_one_engine = {
        "sqlite": {"livehub_database_connections", "livehub_database_oldest_transaction_seconds"},
        "postgres": {"livehub_sqlite_file_bytes"},
    }
    assert set(depths.FIGURES) - told == of_one_engine[database.dialect()]
    assert 85 < (of(figures, "livehub_job_success_seconds", job="close_drops") or 0) < 150
    assert of(figures, "livehub_job_success_seconds", job="never_done") is None


async def test_the_depth_of_a_flood_is_counted_to_a_bound(
    client: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(depths, "MOST", 2)
    endpoint = await an_endpoint(await a_bureau())
    for order in range(1, 6):
        await push(client, endpoint, shop=1, order=order)

    figures = await scraped(client)

    assert of(figures, "livehub_inbox_messages", platform="doudian", status="received", reason="") == 2


async def test_without_the_database_the_figures_say_so(client: Site) -> None:
    await database.execute("ALTER TABLE loop_beat RENAME TO loop_beat_gone")

    figures = await scraped(client)

    assert of(figures, "livehub_database_up") == 0
    assert (of(figures, "livehub_disk_free_bytes") or 0) > 0
