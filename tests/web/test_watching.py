"""Every answer has a number, and what was slow or failed has a line in the log with that number in it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
import structlog
from prometheus_client import REGISTRY
from sanic import Request
from sanic.response import HTTPResponse, text

from livehub.kit import logging
from livehub.kit.errors import Unavailable
from livehub.kit.group_commit import GroupCommit
from livehub.settings import Settings
from livehub.web import numbering, watching
from tests.faults.processes import becomes
from tests.web.serving import App, served

BROWSER = {"Accept": "text/html"}


Lines = list[dict[str, Any]]


@pytest.fixture
def log() -> Iterator[Lines]:
    """The lines of a web process."""
    before, kept = structlog.get_config(), []

    def keep(_logger: object, _method: str, event: dict[str, Any]) -> None:
        kept.append(dict(event))
        raise structlog.DropEvent

    told = logging.told_of_every_line(process="web", request=numbering.current)
    structlog.configure(processors=[*told, keep], logger_factory=structlog.stdlib.LoggerFactory())
    yield kept
    structlog.configure(**before)


def routes(app: App) -> None:
    @app.get("/desk/plain")
    async def _plain(_: Request) -> HTTPResponse:
        structlog.get_logger("ours").info("in the handler")
        return text("ok")

    @app.get("/desk/away/<token:str>")
    async def _away(_: Request, token: str) -> HTTPResponse:
        raise Unavailable

    @app.get("/api/fault")
    async def _fault(_: Request) -> HTTPResponse:
        raise RuntimeError("ours")

    @app.get("/desk/slow/<token:str>")
    async def _slow(_: Request, token: str) -> HTTPResponse:
        await asyncio.sleep(watching.SLOW_SECONDS)
        return text("ok")


async def test_every_answer_has_a_number_of_its_own_which_no_client_chooses() -> None:
    async with served(routes) as client:
        numbers = []
        for path in ("/desk/plain", "/desk/plain", "/desk/away/x", "/api/fault", "/nowhere"):
            async with client.get(path, headers={"X-Request-Id": "chosen-by-me"}) as answer:
                numbers.append(answer.headers["X-Request-Id"])

    assert len(set(numbers)) == 5
    assert "chosen-by-me" not in numbers


@pytest.mark.parametrize(
    ("given", "is_taken"),
    [
        ("9f86d081884c7d659a2feaa0c55ad015", True),
        ("short", False),
        ("with a space in it", False),
        ("x" * 37, False),
        ("<script>alert", False),
    ],
)
async def test_a_trusted_proxy_gives_the_number(given: str, is_taken: bool) -> None:
    async with (
        served(routes, proxies=1) as client,
        client.get("/desk/plain", headers={"X-Request-Id": given}) as answer,
    ):
        assert (answer.headers["X-Request-Id"] == given) is is_taken


@pytest.mark.parametrize("path", ["/desk/away/x", "/api/fault", "/nowhere"])
async def test_an_error_can_be_quoted_by_its_number(path: str) -> None:
    async with served(routes) as client, client.get(path, headers=BROWSER) as answer:
        assert answer.headers["X-Request-Id"] in await answer.text()


async def test_the_lines_of_a_request_bear_its_number(log: Lines) -> None:
    async with (
        served(routes) as client,
        client.get("/desk/plain") as plain,
        client.get("/api/fault") as fault,
    ):
        pass

    told = [(each["event"], each.get("request_id"), each["process"]) for each in log]
    assert told == [
        ("in the handler", plain.headers["X-Request-Id"], "web"),
        ("request.failed", fault.headers["X-Request-Id"], "web"),
        ("request.server_error", fault.headers["X-Request-Id"], "web"),
    ]


async def test_slow_and_failed_requests_are_told_by_route_and_never_by_address(log: Lines) -> None:
    async with served(routes) as client:
        for path in ("/desk/slow/secret-1?token=secret-2", "/desk/away/secret-3", "/desk/plain"):
            async with client.get(path):
                pass

    assert "secret" not in str(log)
    assert [(each["event"], each.get("route"), each.get("status")) for each in log] == [
        ("request.slow", "/desk/slow/<token:str>", 200),
        ("request.server_error", "/desk/away/<token:str>", 503),
        ("in the handler", None, None),
    ]
    assert log[0]["ms"] >= 1000


async def test_an_outage_does_not_fill_the_disk_with_lines(log: Lines) -> None:
    async with served(routes) as client:

        async def ask() -> None:
            async with client.get("/desk/away/x"):
                pass

        await asyncio.gather(*(ask() for _ in range(200)))
        await asyncio.sleep(1.05)
        await ask()

    lines = [each for each in log if each["event"] == "request.server_error"]
    assert len(lines) <= 4 * watching.LINES_A_SECOND
    assert sum(each.get("left_out", 0) for each in lines) + len(lines) == 201


async def test_a_failed_item_of_a_batch_is_told_with_the_number_of_its_request(
    db: Settings, log: Lines
) -> None:
    begun, gate = asyncio.Event(), asyncio.Event()

    async def settle(items: Sequence[str]) -> list[str]:
        begun.set()
        await gate.wait()
        if "bad" in items:
            raise ValueError
        return list(items)

    commits: GroupCommit[str, str] = GroupCommit("watching", settle, queue_limit=100, batch_limit=10)
    commits.start()

    def add(app: App) -> None:
        @app.get("/api/<item:str>")
        async def _submit(_: Request, item: str) -> HTTPResponse:
            return text(await commits.submit(item))

    async with served(add) as client:

        async def ask(item: str) -> tuple[int, str]:
            async with client.get(f"/api/{item}") as answer:
                return answer.status, answer.headers["X-Request-Id"]

        first = asyncio.create_task(ask("first"))
        await asyncio.wait_for(begun.wait(), 5)
        waiting = [asyncio.create_task(ask(item)) for item in ("good", "bad", "well")]
        await becomes(lambda: commits.depth == 3, seconds=5)
        gate.set()
        await first
        answers = await asyncio.gather(*waiting)
        await commits.stop()
        refused = await ask("late")

    assert [status for status, _ in answers] == [200, 500, 200]
    assert {
        each["event"]: each["request_id"] for each in log if each.get("request_id") == answers[1][1]
    }.keys() == {"group_commit.item_failed", "request.failed", "request.server_error"}
    assert [each["size"] for each in log if each["event"] == "group_commit.batch_failed"] == [3]
    assert (refused[0], log[-1]["event"], log[-1]["request_id"]) == (
        503,
        "request.server_error",
        refused[1],
    )


async def test_answers_are_counted_by_route_and_status() -> None:
    def count(**labels: str) -> float:
        return REGISTRY.get_sample_value("livehub_http_requests_total", labels) or 0.0

    plain = {"method": "GET", "route": "/desk/plain", "status": "200"}
    unknown = {"method": "", "route": "", "status": "404"}
    before = count(**plain), count(**unknown)
    kept: list[App] = []

    def add(app: App) -> None:
        kept.append(app)
        routes(app)

    async with served(add) as client:
        for path in ("/desk/plain", "/desk/plain", "/nowhere/1", "/nowhere/2", "/nowhere/3"):
            async with client.get(path):
                pass
        assert (count(**plain), count(**unknown)) == before  # not yet handed over
        kept[0].ctx.watch.write()

    assert (count(**plain), count(**unknown)) == (before[0] + 2, before[1] + 3)
    under = REGISTRY.get_sample_value(
        "livehub_http_request_seconds_bucket", {"route": "/desk/plain", "le": "+Inf"}
    )
    assert under == REGISTRY.get_sample_value("livehub_http_request_seconds_count", {"route": "/desk/plain"})
