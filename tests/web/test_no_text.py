"""Bytes that are no text: in a cookie, a token or a form they are a bad guess, and harm nobody else."""

from __future__ import annotations

import asyncio

import pytest

from tests.factories.vouchers import a_world
from tests.site import Site

BROKEN = b"a\xffb"


async def answer(
    client: Site, method: str, path: str, *headers: bytes, body: bytes = b""
) -> tuple[int, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", client.url.port)
    try:
        lines = [f"{method} {path} HTTP/1.1".encode(), b"Host: localhost", b"Connection: close", *headers]
        writer.write(b"\r\n".join([*lines, f"Content-Length: {len(body)}".encode(), b"", body]))
        told = await asyncio.wait_for(reader.read(), timeout=10)
    finally:
        writer.close()
        await writer.wait_closed()
    return int(told.split(b" ", 2)[1]), told


@pytest.mark.parametrize(
    ("path", "header"),
    [
        ("/desk", b"Cookie: __Host-session=" + BROKEN),
        ("/m", b"Cookie: __Host-session=" + BROKEN),
        ("/s/", b"Cookie: __Host-streamer=" + BROKEN),
        ("/api/v1/me", b"Authorization: Bearer " + BROKEN),
        ("/api/v1/me", b"Cookie: __Host-session=" + BROKEN),
        ("/login", b"Cookie: __Host-device=" + BROKEN),
    ],
)
async def test_a_token_of_no_text_is_nobodys(client: Site, path: str, header: bytes) -> None:
    status, told = await answer(client, "GET", path, header)

    assert status in {200, 302, 303, 401, 404}, told


async def test_a_claimants_cookie_of_no_text_is_nobodys(client: Site) -> None:
    world = await a_world()

    status, _ = await answer(
        client,
        "GET",
        f"/c/{world.link.slug}",
        b"Cookie: __Host-claimant=" + BROKEN + b"; __Host-visitor=" + BROKEN,
    )

    assert status == 200


PART = (
    b'--limit\r\nContent-Disposition: form-data; name="%s"\r\n'
    b"Content-Type: text/plain; charset=unicode_escape\r\n\r\n\\ud800\r\n"
)


@pytest.mark.parametrize("path", ["/login", "/c/nobody/claim", "/c/nobody/code"])
async def test_halves_of_letters_in_a_form_are_a_bad_request(client: Site, path: str) -> None:
    names = (b"csrf", b"username", b"password", b"key", b"phone", b"code", b"template")
    body = b"".join(PART % name for name in names) + b"--limit--\r\n"

    status, told = await answer(
        client,
        "POST",
        path,
        b"Content-Type: multipart/form-data; boundary=limit",
        b"Cookie: __Host-visitor=v",
        body=body,
    )

    assert 400 <= status < 500, told
