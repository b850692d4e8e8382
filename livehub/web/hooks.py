"""The webhooks' door: authenticate the raw bytes, store and commit, then the platform's own words for yes."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from prometheus_client import Counter
from sanic import Blueprint, Request, Sanic
from sanic.response import HTTPResponse

from livehub.inbox import receiving
from livehub.inbox.failures import SignatureFailures
from livehub.inbox.layout import Origin
from livehub.kit import clock, ids
from livehub.kit.errors import LivehubError
from livehub.platforms import registry
from livehub.platforms.contract import Adapter, BadSignature, ChecksAddress, Credential, Reply, signed_query
from livehub.platforms.queries import EndpointBook, EndpointView
from livehub.web.answers import MethodNotAllowed
from livehub.web.doors import public
from livehub.web.headers import Ready
from livehub.web.shielding import committed_in_groups

bp = Blueprint("hooks", url_prefix="/hooks")

REFUSED = Counter(
    "livehub_hooks_refused_total",
    "Deliveries refused for their signature; endpoint 0 is one nobody knows",
    ["platform", "endpoint"],
)

_STRANGER = Credential(app_key=ids.token(), secrets=(ids.token(),), access_token="")


class EncodingRefused(LivehubError):
    """推送内容不得压缩。"""

    code, status = "CONTENT_ENCODING", 415


@bp.before_server_start
async def _open(app: Sanic[Any, Any]) -> None:
    app.ctx.endpoints = EndpointBook()
    app.ctx.signature_failures = SignatureFailures()
    app.ctx.signature_failures.start()


@bp.before_server_stop
async def _close(app: Sanic[Any, Any]) -> None:
    await app.ctx.signature_failures.stop()


@bp.post("/<platform:str>/<endpoint_key:str>")
@committed_in_groups
@public
async def receive(request: Request, platform: str, endpoint_key: str) -> HTTPResponse:
    """One delivery. Unknown endpoints are answered, and take as long, like bad signatures."""
    now = clock.now()
    adapter = registry.get(platform)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise EncodingRefused
    endpoint: EndpointView | None = await request.app.ctx.endpoints.get(endpoint_key, now=now)
    headers: Mapping[str, str] = request.headers  # its names are in lower case already
    try:
        plaintext = _authenticated(adapter, endpoint, request, headers, now_ms=clock.to_ms(now))
    except BadSignature:
        return _refused(request, adapter, endpoint, now=now)
    probe = adapter.probe(plaintext)
    if probe is not None:
        return _answer(probe)
    assert endpoint is not None  # noqa: S101 -- a stranger was refused above
    arrival = receiving.read_push(
        adapter,
        origin=Origin(endpoint.id, endpoint.centre_id, platform),
        raw=request.body,
        plaintext=plaintext,
        headers=_kept_with(signed_query(adapter, _query(request)), headers)
        if request.query_string
        else headers,
        now=now,
    )
    await request.app.ctx.receive_desk.receive(arrival)
    return _answer(adapter.ack())


@bp.get("/<platform:str>/<endpoint_key:str>")
@public
async def try_address(request: Request, platform: str, endpoint_key: str) -> HTTPResponse:
    """A platform that tries an address when it is saved; strangers are answered like bad signatures."""
    now = clock.now()
    adapter = registry.get(platform)
    if not isinstance(adapter, ChecksAddress):
        raise MethodNotAllowed
    endpoint: EndpointView | None = await request.app.ctx.endpoints.get(endpoint_key, now=now)
    known = _is_known(endpoint, adapter)
    try:
        reply = adapter.verify_address(
            credential=endpoint.credential if known and endpoint else _STRANGER, query=_query(request)
        )
        if not known:
            raise BadSignature
    except BadSignature:
        return _refused(request, adapter, endpoint, now=now)
    return _answer(reply)


def _kept_with(signed: dict[str, str], headers: Mapping[str, str]) -> Mapping[str, str]:
    """What is signed of the query first, since few headers are kept, and by no header replaced."""
    return {**signed, **headers, **signed} if signed else headers


def _query(request: Request) -> dict[str, str]:
    return {name: values[0] for name, values in request.args.items()} if request.query_string else {}


def _is_known(endpoint: EndpointView | None, adapter: Adapter) -> bool:
    return endpoint is not None and endpoint.platform == adapter.name and not endpoint.disabled


def _refused(
    request: Request, adapter: Adapter, endpoint: EndpointView | None, *, now: datetime
) -> HTTPResponse:
    endpoint_id = endpoint.id if endpoint else 0
    REFUSED.labels(adapter.name, endpoint_id).inc()
    request.app.ctx.signature_failures.count(adapter.name, endpoint_id, now=now)
    return _answer(adapter.refuse())


def _authenticated(
    adapter: Adapter,
    endpoint: EndpointView | None,
    request: Request,
    headers: Mapping[str, str],
    *,
    now_ms: int,
) -> bytes:
    """The plaintext of a delivery; a stranger's costs the same work and is refused in the end."""
    known = _is_known(endpoint, adapter)
    plaintext = adapter.authenticate(
        credential=endpoint.credential if known and endpoint else _STRANGER,
        headers=headers,
        query=_query(request),
        raw=request.body,
        now_ms=now_ms,
    )
    if not known:
        raise BadSignature
    return plaintext


def _answer(reply: Reply) -> HTTPResponse:
    return Ready(reply.body, status=reply.status, content_type=reply.content_type)
