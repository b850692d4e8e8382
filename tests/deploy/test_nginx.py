"""A real nginx with our site before the real application: what passes, what it adds, what it keeps out."""

from __future__ import annotations

import asyncio
import io
import re
import shutil
import signal
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import monotonic

import aiohttp
import pytest
from msgspec.structs import replace
from yarl import URL

from livehub import database
from livehub.accounts import logins
from livehub.accounts.actors import Grant
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.orders import intake
from livehub.serving import listen
from livehub.settings import Settings
from livehub.web.doors import SESSION
from tests import site
from tests.architecture.tree import ROOT
from tests.factories import accounts as people
from tests.factories.orders import World
from tests.faults.processes import becomes
from tests.web.phones import hidden
from tests.web.test_wall import _until, a_sale

NGINX = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin:/usr/local/sbin")
HOST = "livehub.example"

pytestmark = pytest.mark.skipif(NGINX is None, reason="no nginx here (Debian: nginx-light)")


class Proxy:
    """nginx before an application, with its own ports and a certificate of its own."""

    def __init__(self, folder: Path, *, behind: int) -> None:
        self.folder = folder
        with listen("127.0.0.1", 0) as plain, listen("127.0.0.1", 0) as secure:
            self.plain, self.secure = plain.getsockname()[1], secure.getsockname()[1]
        self.conf = folder / "nginx.conf"
        self.conf.write_text(self._conf(behind=behind))

    def _conf(self, *, behind: int) -> str:
        """Our file as it is, but for places that belong to the machine."""
        text = (ROOT / "deploy" / "nginx.conf").read_text("utf-8")
        for ours, here in (
            ("127.0.0.1:8000", f"127.0.0.1:{behind}"),
            ("listen 80;", f"listen 127.0.0.1:{self.plain};"),
            ("listen 443 ssl http2;", f"listen 127.0.0.1:{self.secure} ssl http2;"),
            ("/etc/ssl/livehub", str(self.folder)),
            ("/var/log/nginx", str(self.folder)),
            ("client_header_timeout 10s", "client_header_timeout 1s"),
            ("client_body_timeout 10s", "client_body_timeout 1s"),
        ):
            assert ours in text, ours
            text = text.replace(ours, here)
        text = re.sub(r"^\s*listen \[::\].*$", "", text, flags=re.MULTILINE)
        places = "".join(
            f"{name}_temp_path {self.folder}/{name};"
            for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        return (
            f"pid {self.folder}/pid; error_log {self.folder}/error.log; daemon off; worker_processes 1;"
            f" events {{ worker_connections 512; }} http {{ {places}\n{text}\n}}"
        )

    def check(self) -> subprocess.CompletedProcess[str]:
        """What ``nginx -t`` says."""
        certificate(self.folder)
        command = [str(NGINX), "-t", "-q", "-e", "stderr", "-p", str(self.folder), "-c", str(self.conf)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Proxy]:
        certificate(self.folder)
        process = await asyncio.create_subprocess_exec(
            *(str(NGINX), "-e", "stderr", "-p", str(self.folder), "-c", str(self.conf)),
            stderr=asyncio.subprocess.DEVNULL,
        )
        try:
            await becomes(self._answers, seconds=10)
            yield self
        finally:
            process.send_signal(signal.SIGTERM)
            await process.wait()

    async def _answers(self) -> bool:
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", self.secure)
        except OSError:
            return False
        writer.close()
        return True

    def log(self) -> str:
        """What it has written; the line of an answer comes a moment after it."""
        return (self.folder / "livehub.log").read_text()

    def browser(self) -> aiohttp.ClientSession:
        """Somebody outside, who trusts the certificate and knows where the name leads."""
        url = URL(f"https://127.0.0.1:{self.secure}")
        return aiohttp.ClientSession(
            url,
            headers={"Host": HOST},
            connector=aiohttp.TCPConnector(ssl=trusting(self.folder)),
            cookie_jar=aiohttp.CookieJar(unsafe=True),
        )


def certificate(folder: Path) -> None:
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
            *("-days", "2", "-subj", f"/CN={HOST}", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", folder / "privkey.pem", "-out", folder / "fullchain.pem"),
        ],
        check=True,
        capture_output=True,
    )


def trusting(folder: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(folder / "fullchain.pem"))


@pytest.fixture
async def behind(db: Settings, tmp_path: Path) -> AsyncIterator[tuple[Proxy, site.Site]]:
    if not db.is_sqlite:
        pytest.skip("the proxy is the same before both engines")
    folder = tmp_path / "nginx"
    folder.mkdir()
    async with site.running(replace(db, proxies_count=1)) as application:
        port = application.url.port
        assert port is not None
        async with Proxy(folder, behind=port).running() as proxy:
            yield proxy, application


def test_nginx_accepts_the_site(tmp_path: Path) -> None:
    checked = Proxy(tmp_path, behind=8000).check()

    assert (checked.returncode, checked.stderr) == (0, "")


async def test_the_application_learns_who_asks_and_nobody_can_pretend(
    behind: tuple[Proxy, site.Site],
) -> None:
    proxy, _ = behind
    lies = {"X-Forwarded-For": "203.0.113.9", "X-Real-IP": "203.0.113.9", "X-Request-Id": "chosen-by-me-1"}
    async with proxy.browser() as browser:
        async with browser.get("/login") as page:
            form = {"account": "nobody", "password": "wrong", "csrf": hidden(await page.text(), "csrf")}
        async with browser.post("/login", data=form, headers=lies, allow_redirects=False) as answer:
            number = answer.headers["X-Request-Id"]
            assert answer.headers["Strict-Transport-Security"]
        async with browser.get("/metrics") as figures, browser.get("/readyz") as ready:
            assert (figures.status, ready.status) == (404, 200)

    assert re.fullmatch("[0-9a-f]{32}", number)
    rows = await database.fetch("SELECT ip, request_id FROM audit_entry WHERE action = 'login.failed'")
    assert rows == [{"ip": "127.0.0.1", "request_id": number}]
    await becomes(lambda: number in proxy.log(), seconds=5)


async def test_a_secret_address_is_not_in_the_log(behind: tuple[Proxy, site.Site]) -> None:
    proxy, _ = behind
    async with (
        proxy.browser() as browser,
        browser.get("/s/a-streamers-secret?token=another-secret") as answer,
    ):
        await answer.read()

    await becomes(lambda: " GET /s " in proxy.log(), seconds=5)
    assert "secret" not in proxy.log()


async def test_events_come_through_at_once(world: World, behind: tuple[Proxy, site.Site]) -> None:
    proxy, _ = behind
    user = await people.a_user(Grant(Role.MANAGER), centre=world.centre)
    token, _ = await logins.log_in(user.login, people.PASSWORD, ip="127.0.0.1", agent="test", now=clock.now())
    headers = {"Cookie": f"{SESSION}={token}", "Accept-Encoding": "gzip"}
    async with proxy.browser() as browser, browser.get("/wall/events", headers=headers) as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        await asyncio.wait_for(_until(stream, "¥0.00"), 5)
        await world.tell(a_sale("o1", 123_456))
        await intake.run_once(now=clock.now(), lease_seconds=30)
        booked = monotonic()
        await asyncio.wait_for(_until(stream, "¥1,234.56"), 5)
        assert monotonic() - booked < 2


async def test_http_2_is_spoken_and_plain_http_leads_to_tls(behind: tuple[Proxy, site.Site]) -> None:
    proxy, _ = behind
    context = trusting(proxy.folder)
    context.set_alpn_protocols(["h2", "http/1.1"])
    _, writer = await asyncio.open_connection("127.0.0.1", proxy.secure, ssl=context)
    spoken = writer.get_extra_info("ssl_object").selected_alpn_protocol()
    writer.close()
    async with (
        aiohttp.ClientSession() as session,
        session.get(
            f"http://127.0.0.1:{proxy.plain}/wall?x=1", headers={"Host": HOST}, allow_redirects=False
        ) as plain,
    ):
        assert (plain.status, plain.headers["Location"]) == (301, f"https://{HOST}/wall?x=1")
    assert spoken == "h2"


async def test_too_much_and_too_slow_never_reach_the_application(behind: tuple[Proxy, site.Site]) -> None:
    proxy, application = behind
    before = await pushes_counted(application)
    body = io.BytesIO(b"x" * (1 << 20) + b"y")
    async with proxy.browser() as browser, browser.post("/hooks/doudian/unknown", data=body) as large:
        assert large.status == 413
    context = trusting(proxy.folder)
    for sent in (b"GET / HTT", b"POST /hooks/doudian/x HTTP/1.1\r\nHost: x\r\nContent-Length: 90\r\n\r\n[{"):
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.secure, ssl=context)
        writer.write(sent)
        assert b"200 OK" not in await asyncio.wait_for(ended(reader), 6)
        writer.close()

    assert application.app.ctx.crowd.held_bytes == 0
    assert await pushes_counted(application) == before


async def pushes_counted(application: site.Site) -> list[str]:
    """What the application says of its webhooks, other tests' of this process included."""
    rows = (await application.text("/metrics")).splitlines()
    return [
        row for row in rows if row.startswith("livehub_http_requests_total") and "/hooks/<platform" in row
    ]


async def ended(reader: asyncio.StreamReader) -> bytes:
    """All that comes until the other side hangs up, however rudely."""
    try:
        return await reader.read()
    except ConnectionError:
        return b""


async def test_one_address_that_hammers_the_login_is_slowed_down(behind: tuple[Proxy, site.Site]) -> None:
    proxy, _ = behind
    async with proxy.browser() as browser:

        async def ask(path: str) -> int:
            async with browser.get(path) as answer:
                return answer.status

        logins_seen = await asyncio.gather(*(ask("/login") for _ in range(60)))
        pages_seen = await asyncio.gather(*(ask("/readyz") for _ in range(60)))

    assert 429 in logins_seen
    assert set(pages_seen) == {200}
