"""From a request to a declared call and back: parse, ask, answer. Errors are answered in answers.py."""

from __future__ import annotations

import re
from collections.abc import Callable, Coroutine
from datetime import datetime
from typing import Any, cast
from urllib.parse import unquote

import msgspec
from msgspec import NODEFAULT, Struct
from msgspec.structs import fields
from sanic import Request
from sanic.response import HTTPResponse

from livehub.accounts.actors import Actor
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.web import doors, reading
from livehub.web.api.declared import Asked, Operation
from livehub.web.shielding import committed_in_groups

Entrance = Callable[..., Coroutine[Any, Any, HTTPResponse]]

KEY_LENGTH = 56
PUBLIC_ID_LENGTH = 16
_LENGTHS = {"order_ref": 128, "message_id": 19, "delivery_id": 19}  # of names that are no public ids


def entrance(operation: Operation) -> Entrance:
    """The handler of an operation as the router wants it, with its policy."""

    @doors.machine(*operation.needs, freshly=operation.freshly)
    async def called(request: Request, actor: Actor, **path: str) -> HTTPResponse:
        asked: Asked[Any, Any] = Asked(
            actor=actor,
            now=clock.now(),
            query=_query(request, operation),
            body=_body(request, operation),
            version=_version(request) if operation.versioned else None,
            key=_key(request) if operation.keyed else "",
            opened=request.app.ctx,
        )
        named = {name: _segment(name, text) for name, text in path.items()}
        return _answer(operation, await operation.verb(asked, **named))

    handler = cast(Entrance, called)  # doors.machine wraps a coroutine function in one
    return committed_in_groups(handler) if operation.in_groups else handler


def _query(request: Request, operation: Operation) -> Any:
    if operation.query is None:
        return None
    return reading.within_reach(reading.query(request, operation.query))


def _body(request: Request, operation: Operation) -> Any:
    if operation.body is None:
        return None
    if not request.body and not any(_is_required(field) for field in fields(operation.body)):
        return operation.body()
    return reading.within_reach(reading.json(request, operation.body))


def _is_required(field: msgspec.structs.FieldInfo) -> bool:
    return field.default is NODEFAULT and field.default_factory is NODEFAULT


def _version(request: Request) -> int | None:
    given = request.headers.get("if-match", "").strip()
    if given in {"", "*"}:
        return None
    found = re.fullmatch(r'(?:W/)?"?([0-9]{1,9})"?', given)
    if found is None:
        raise Invalid(details=[Detail("If-Match", "不是版本号", '读到的版本，如 "3"')])
    return int(found[1])


def _key(request: Request) -> str:
    key = request.headers.get("idempotency-key", "")
    if not 0 < len(key) <= KEY_LENGTH or not key.isascii() or not key.isprintable():
        raise Invalid(
            details=[Detail("Idempotency-Key", "必须提供", f"1 到 {KEY_LENGTH} 个可见的 ASCII 字符")]
        )
    return key


def _segment(name: str, text: str) -> str:
    """A name in the path; one that nothing can have is not found, before the database is asked."""
    named = unquote(text)
    if "\x00" in named or len(named) > _LENGTHS.get(name, PUBLIC_ID_LENGTH):
        raise NotFound
    return named


def _answer(operation: Operation, answer: Struct) -> HTTPResponse:
    repeated = operation.keyed and getattr(answer, "hit", False)
    return HTTPResponse(
        msgspec.json.encode(answer),
        status=200 if repeated else operation.status,
        headers=_headers(answer),
        content_type="application/json",
    )


def _headers(answer: Struct) -> dict[str, str]:
    version = getattr(answer, "version", None)
    return {"ETag": f'"{version}"'} if isinstance(version, int) else {}


def as_utc(at: datetime) -> datetime:
    """The instant a client named in whatever zone, cut to the milliseconds that are stored."""
    return clock.from_ms(clock.to_ms(at))
