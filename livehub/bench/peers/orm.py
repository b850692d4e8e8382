"""The usual answer: the same rows by one Tortoise transaction per request, and no group commit."""

from __future__ import annotations

from typing import Any

from sanic import Request, Sanic
from sanic.response import HTTPResponse
from tortoise.transactions import in_transaction

from livehub import process
from livehub.bench.peers import orm_claim
from livehub.inbox import receiving
from livehub.inbox.layout import Origin
from livehub.inbox.models import InboxDelivery, InboxMessage, MessageStatus
from livehub.kit import clock
from livehub.platforms import registry
from livehub.platforms.queries import EndpointBook
from livehub.settings import Settings

DIGEST = list(receiving.PUSHED_MESSAGE).index("digest")


def create_app(settings: Settings) -> Sanic[Any, Any]:
    """The hot routes of livehub as most people would write them."""
    app: Sanic[Any, Any] = Sanic("orm", configure_logging=False)
    app.config.update({"AUTO_EXTEND": False, "ACCESS_LOG": False, "MOTD": False, "KEEP_ALIVE_TIMEOUT": 75})
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 1.0

    @app.before_server_start
    async def _open(app: Sanic[Any, Any]) -> None:
        await process.start(settings)
        app.ctx.endpoints = EndpointBook()

    @app.after_server_stop
    async def _close(_app: Sanic[Any, Any]) -> None:
        await process.stop()

    app.add_route(_receive, "/hooks/<platform:str>/<endpoint_key:str>", methods=["POST"])
    app.add_route(orm_claim.claim, "/c/<slug:str>/claim", methods=["POST"])
    app.add_route(_ready, "/readyz")
    return app


async def _ready(_request: Request) -> HTTPResponse:
    return HTTPResponse(b"", status=200)


async def _receive(request: Request, platform: str, endpoint_key: str) -> HTTPResponse:
    now = clock.now()
    adapter = registry.get(platform)
    endpoint = await request.app.ctx.endpoints.get(endpoint_key, now=now)
    headers = {name.lower(): value for name, value in request.headers.items()}
    plaintext = adapter.authenticate(
        credential=endpoint.credential, headers=headers, query={}, raw=request.body, now_ms=clock.to_ms(now)
    )
    arrival = receiving.read_push(
        adapter,
        origin=Origin(endpoint.id, endpoint.centre_id, platform),
        raw=request.body,
        plaintext=plaintext,
        headers=headers,
        now=now,
    )
    async with in_transaction("default"):
        known = set(
            await InboxMessage.filter(digest__in=[row[DIGEST] for row in arrival.messages]).values_list(
                "digest", flat=True
            )
        )
        fresh = {row[DIGEST]: row for row in arrival.messages if row[DIGEST] not in known}
        if fresh:
            of_delivery = dict(
                zip(receiving.OF_DELIVERY, receiving.of_delivery(arrival.delivery), strict=True)
            )
            await InboxDelivery.create(
                **dict(zip(receiving.PUSHED_DELIVERY, arrival.delivery, strict=True)),
                source="push",
            )
            await InboxMessage.bulk_create(
                [
                    InboxMessage(
                        **dict(zip(receiving.PUSHED_MESSAGE, row, strict=True)),
                        **of_delivery,
                        source="push",
                        status=MessageStatus.RECEIVED,
                        next_attempt_at=now,
                    )
                    for row in fresh.values()
                ],
                ignore_conflicts=True,
            )
    reply = adapter.ack()
    return HTTPResponse(reply.body, status=reply.status, content_type=reply.content_type)
