"""What machines ask: alive, ready, figures."""

from __future__ import annotations

from tests.site import Site


async def test_a_healthy_process_says_so(client: Site) -> None:
    assert await client.text("/healthz") == '{"status":"alive"}'
    assert await client.text("/readyz") == '{"status":"ready"}'


async def test_figures_are_for_loopback(client: Site) -> None:
    assert "livehub_group_commit_batch_size" in await client.text("/metrics")

    async with client.get("/metrics", headers={"X-Forwarded-For": "203.0.113.9"}) as refused:
        assert refused.status == 404
