"""The webhooks' door: authenticate the raw bytes, store and commit, then the platform's own words for yes."""

from __future__ import annotations

from datetime import datetime

from prometheus_client import Counter
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.inbox import receiving
from livehub.inbox.receiving import Origin
from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.platforms import registry
from livehub.platforms.contract import BadSignature, Reply

bp = Blueprint("hooks", url_prefix="/hooks")

REFUSED = Counter("livehub_hooks_refused_total", "Deliveries refused for their signature", ["platform"])


class EncodingRefused(LivehubError):
    """推送内容不得压缩。"""

    code, status = "CONTENT_ENCODING", 415


@bp.post("/<platform:str>/<endpoint_key:str>")
async def receive(request: Request, platform: str, endpoint_key: str) -> HTTPResponse:
    """One delivery. Unknown endpoints are answered, and take as long, like bad signatures."""
    now = clock.now()
    adapter = registry.get(platform)
    if request.headers.get("content-encoding", "identity") != "identity":
        raise EncodingRefused
    endpoint = await request.app.ctx.endpoints.get(platform, endpoint_key, now=now)
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = {name: values[0] for name, values in request.args.items()} if request.query_string else {}
    try:
        plaintext = adapter.authenticate(
            credential=endpoint.credential,
            headers=headers,
            query=query,
            raw=request.body,
            now_ms=clock.to_ms(now),
        )
        if not endpoint.known:
            raise BadSignature
    except BadSignature:
        return await _refuse(request, adapter.refuse(), platform=platform, endpoint_id=endpoint.id, now=now)
    probe = adapter.probe(plaintext)
    if probe is not None:
        return _answer(probe)
    origin = Origin(endpoint.id, endpoint.centre_id, platform)
    arrival = receiving.read_push(
        adapter, origin=origin, raw=request.body, plaintext=plaintext, headers=headers, now=now
    )
    await request.app.ctx.receive_desk.receive(arrival)
    return _answer(adapter.ack())


async def _refuse(
    request: Request, reply: Reply, *, platform: str, endpoint_id: int, now: datetime
) -> HTTPResponse:
    REFUSED.labels(platform).inc()
    request.app.ctx.signature_failures.count(platform, endpoint_id, now=now)
    return _answer(reply)


def _answer(reply: Reply) -> HTTPResponse:
    return HTTPResponse(reply.body, status=reply.status, content_type=reply.content_type)
