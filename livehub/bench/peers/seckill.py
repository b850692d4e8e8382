"""The popular answer to a rush: stock and buyers in Redis, decided by a Lua script. Not durable."""

from __future__ import annotations

from typing import Any

from sanic import Request, Sanic
from sanic.response import HTTPResponse, redirect

from livehub.settings import Settings
from livehub.web.claim.door import CLAIMANT

SCRIPT = """
if redis.call('SISMEMBER', KEYS[2], ARGV[1]) == 1 then return 2 end
if tonumber(redis.call('GET', KEYS[1]) or '0') <= 0 then return 0 end
redis.call('DECR', KEYS[1])
redis.call('SADD', KEYS[2], ARGV[1])
redis.call('EXPIRE', KEYS[2], 600)
return 1
"""


def names(slug: str) -> tuple[str, str]:
    """The keys of a link's stock and of its buyers."""
    return f"livehub-bench:{slug}:stock", f"livehub-bench:{slug}:buyers"


URL_FILE = "redis.url"  # in the peer's data directory


def create_app(settings: Settings) -> Sanic[Any, Any]:
    """One route over a pool of connections."""
    app: Sanic[Any, Any] = Sanic("seckill", configure_logging=False)
    app.config.update({"AUTO_EXTEND": False, "ACCESS_LOG": False, "MOTD": False, "KEEP_ALIVE_TIMEOUT": 75})
    app.config.GRACEFUL_SHUTDOWN_TIMEOUT = 1.0

    @app.before_server_start
    async def _open(app: Sanic[Any, Any]) -> None:
        app.ctx.redis = _client((settings.data_dir / URL_FILE).read_text(), max_connections=64)
        app.ctx.decide = app.ctx.redis.register_script(SCRIPT)

    app.add_route(_claim, "/c/<slug:str>/claim", methods=["POST"])
    app.add_route(_ready, "/readyz")
    return app


def _client(url: str, **options: Any) -> Any:
    from redis.asyncio import from_url  # noqa: PLC0415 -- only who compares with Redis has its client installed

    return from_url(url, **options)


async def stock(url: str, slug: str, quantity: int) -> None:
    """Put vouchers into Redis; they are gone after ten minutes."""
    client = _client(url)
    try:
        await client.set(names(slug)[0], quantity, ex=600)
    finally:
        await client.aclose()


async def _ready(_request: Request) -> HTTPResponse:
    return HTTPResponse(b"", status=200)


async def _claim(request: Request, slug: str) -> HTTPResponse:
    person = request.cookies.get(CLAIMANT) or ""
    got = await request.app.ctx.decide(keys=names(slug), args=[person])
    return redirect(f"/c/{slug}/mine?claimed=1", status=303) if got == 1 else HTTPResponse("", status=409)
