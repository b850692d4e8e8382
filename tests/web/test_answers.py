"""One place turns every error into an answer, and every answer carries the headers."""

from __future__ import annotations

import sqlite3

import pytest
import structlog
from sanic import Request
from sanic.response import HTTPResponse, text

from livehub.kit.errors import Conflict, Detail, LivehubError, TooMany, Unavailable
from livehub.web import assets, headers
from tests.web.serving import App, served


class LoggedOut(LivehubError):
    """请先登录。"""

    code, status = "LOGGED_OUT", 401


def raising(error: Exception):
    async def handler(_: Request, **_parts: str) -> HTTPResponse:
        raise error

    return handler


def locked() -> sqlite3.OperationalError:
    """As the driver raises it: judged by its code, not by its words."""
    error = sqlite3.OperationalError("database is locked")
    error.sqlite_errorcode = sqlite3.SQLITE_BUSY
    return error


def routes(app: App) -> None:
    def add(path: str, error: Exception) -> None:
        app.add_route(raising(error), path, name=path.replace("/", "_"))

    taken = Conflict(
        "这个时段不能用。", details=[Detail("room", "已占用", "22:00 之后")], data={"free": ["22:00"]}
    )
    for door in ("desk", "api", "c"):
        add(f"/{door}/conflict", taken)
        add(f"/{door}/busy", Unavailable(retry_after=7))
        add(f"/{door}/fault", RuntimeError("secret detail of ours"))
        add(f"/{door}/locked", locked())
        add(f"/{door}/often", TooMany(retry_after=60))
        add(f"/{door}/out", LoggedOut())

    @app.get("/desk/plain")
    async def _plain(_: Request) -> HTTPResponse:
        return text("ok")

    @app.post("/api/post")
    async def _post(_: Request) -> HTTPResponse:
        return text("ok")


BROWSER = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


async def test_a_refusal_is_json_for_machines() -> None:
    async with served(routes) as client, client.get("/api/conflict", headers=BROWSER) as answer:
        got = await answer.json()

    assert answer.status == 409
    assert got == {
        "code": "CONFLICT",
        "message": "这个时段不能用。",
        "details": [{"field": "room", "reason": "已占用", "expected": "22:00 之后"}],
        "data": {"free": ["22:00"]},
    }


async def test_a_refusal_is_a_page_for_people() -> None:
    async with served(routes) as client, client.get("/desk/conflict", headers=BROWSER) as answer:
        html = await answer.text()

    assert (answer.status, answer.content_type) == (409, "text/html")
    assert "这个时段不能用。" in html
    assert "22:00 之后" in html
    assert 'href="/desk"' in html


@pytest.mark.parametrize("door", ["desk", "api", "c"])
@pytest.mark.parametrize(("path", "wait"), [("busy", "7"), ("often", "60")])
async def test_a_refusal_for_now_says_when_to_come_back(door: str, path: str, wait: str) -> None:
    async with served(routes) as client, client.get(f"/{door}/{path}", headers=BROWSER) as answer:
        assert answer.status in {429, 503}
        assert answer.headers["Retry-After"] == wait


async def test_a_locked_database_is_a_503_and_not_a_fault() -> None:
    async with served(routes) as client, client.get("/api/locked") as answer:
        got = await answer.json()

    assert (answer.status, got["code"]) == (503, "DATABASE_BUSY")
    assert int(answer.headers["Retry-After"]) > 0


@pytest.mark.parametrize("path", ["/desk/fault", "/api/fault", "/c/fault"])
async def test_a_fault_of_ours_is_told_by_its_number_only(path: str) -> None:
    async with served(routes) as client, client.get(path, headers=BROWSER) as answer:
        body = await answer.text()

    assert answer.status == 500
    assert "secret" not in body
    assert answer.headers["X-Request-Id"] in body


async def test_the_log_of_a_fault_names_the_route_and_no_secret_of_the_address() -> None:
    def add(app: App) -> None:
        app.add_route(raising(RuntimeError("ours")), "/s/<token:str>", name="link")

    with structlog.testing.capture_logs() as logs:
        async with served(add) as client, client.get("/s/secret-of-a-streamer", headers=BROWSER) as answer:
            assert answer.status == 500

    (line,) = [each for each in logs if each["event"] == "request.failed"]
    assert line["route"] == "/s/<token:str>"
    assert "secret-of-a-streamer" not in str(line)


async def test_unknown_addresses_and_wrong_methods() -> None:
    async with served(routes) as client:
        async with client.get("/api/nowhere") as missing:
            assert (missing.status, (await missing.json())["code"]) == (404, "NOT_FOUND")
        async with client.get("/nowhere", headers=BROWSER) as page:
            assert (page.status, page.content_type) == (404, "text/html")
        async with client.get("/api/post") as wrong:
            assert (wrong.status, (await wrong.json())["code"]) == (405, "METHOD_NOT_ALLOWED")
            assert wrong.headers["Allow"] == "POST"


async def test_too_large_a_body_is_refused_by_name() -> None:
    async with (
        served(routes, body_limit=1000) as client,
        client.post("/api/post", data=b"x" * 5000) as answer,
    ):
        assert (answer.status, (await answer.json())["code"]) == (413, "TOO_LARGE")


async def test_who_is_not_logged_in_is_led_to_the_login_and_back() -> None:
    async with served(routes) as client:
        async with client.get("/desk/out", headers=BROWSER, allow_redirects=False) as page:
            assert (page.status, page.headers["Location"]) == (303, "/login?next=/desk/out")
        async with client.get("/api/out", headers=BROWSER) as machine:
            assert machine.status == 401
        async with client.get("/c/out", headers=BROWSER, allow_redirects=False) as phone:
            assert phone.status == 401


@pytest.mark.parametrize(
    "path",
    [
        "/desk/plain",
        "/desk/conflict",
        "/api/fault",
        "/nowhere",
        "/favicon.ico",
        "/static/x/app.css",
        "/c/busy",
    ],
)
async def test_every_answer_carries_the_headers(path: str) -> None:
    async with served(routes) as client, client.get(path, headers=BROWSER) as answer:
        got = {name: answer.headers.getall(name) for name in headers.HEADERS}

    expected = {name: [value] for name, value in headers.HEADERS.items()}
    if path.startswith("/c/"):
        expected["Referrer-Policy"] = ["no-referrer"]
    assert got == expected


async def test_pages_are_not_kept_and_assets_are_kept_for_a_year() -> None:
    async with served(routes) as client:
        async with client.get("/desk/plain") as page:
            assert page.headers["Cache-Control"] == "no-store"
        async with client.get(assets.url("app.css"), headers={"Accept-Encoding": "gzip"}) as asset:
            css = await asset.text()
            assert asset.headers["Cache-Control"] == "public, max-age=31536000, immutable"
            assert asset.headers["Content-Encoding"] == "gzip"
        async with client.get("/static/older/app.css", headers={"Accept-Encoding": "identity"}) as older:
            assert older.headers["Cache-Control"] == "no-cache"
            assert await older.text() == css


@pytest.mark.parametrize(
    "name", ["../app.py", "..%2f..%2fsettings.py", "nowhere.js", "vendor/echarts-6.1.0/LICENSE"]
)
async def test_nothing_but_assets_is_served(name: str) -> None:
    async with served(routes) as client, client.get(f"/static/x/{name}") as answer:
        assert answer.status == 404
