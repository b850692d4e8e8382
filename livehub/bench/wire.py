"""Ready-made HTTP requests in a file, so that the load generator only has to send them."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping
from pathlib import Path
from urllib.parse import urlencode

HOST = "bench.invalid"
FORM = "application/x-www-form-urlencoded"


def post(path: str, body: bytes, headers: Mapping[str, str]) -> bytes:
    """A POST over a connection that is kept."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {HOST}", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def post_form(path: str, fields: Mapping[str, str], *, cookies: Mapping[str, str]) -> bytes:
    """A form as the browser that holds the cookies sends it."""
    headers = {
        "Content-Type": FORM,
        "Origin": f"https://{HOST}",
        "Sec-Fetch-Site": "same-origin",
        "Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items()),
    }
    return post(path, urlencode(fields).encode(), headers)


def write(path: Path, requests: Iterable[bytes]) -> int:
    """Store requests for the generator; returns how many."""
    ends = array("Q")
    at = 0
    with path.open("wb") as file:
        for request in requests:
            file.write(request)
            at += len(request)
            ends.append(at)
    path.with_suffix(".ends").write_bytes(ends.tobytes())
    return len(ends)


def ends_of(path: Path) -> array[int]:
    """Where each stored request ends."""
    ends = array("Q")
    ends.frombytes(path.with_suffix(".ends").read_bytes())
    return ends
