"""Which models there are, and how Tortoise is told to reach them."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from livehub.settings import Settings

LABEL = "livehub"

MODEL_MODULES = (
    "livehub.kit.outbox",
    "livehub.kit.limits",
    "livehub.accounts.models",
    "livehub.merchants.models",
    "livehub.platforms.models",
    "livehub.notices.models",
    "streamers.models",
    "rooms.models",
    "livehub.inbox.models",
    "livehub.orders.models",
    "livehub.vouchers.models",
    "jobs.models",
)


def tortoise_config(settings: Settings) -> dict[str, Any]:
    """Tortoise's configuration: one connection, one app."""
    return {
        "connections": {"default": _connection(settings)},
        "apps": {
            LABEL: {
                "models": list(MODEL_MODULES),
                "default_connection": "default",
                "migrations": "livehub.migrations",
            }
        },
        "use_tz": True,
        "timezone": "UTC",
    }


def _connection(settings: Settings) -> dict[str, Any]:
    if settings.is_sqlite:
        return {
            "engine": "livehub.database.sqlite",
            "credentials": {"file_path": settings.database.removeprefix("sqlite://")},
        }
    url = urlsplit(settings.database)
    return {
        "engine": "livehub.database.postgres",
        "credentials": {
            "host": url.hostname or "127.0.0.1",
            "port": url.port or 5432,
            "user": unquote(url.username or "postgres"),
            "password": unquote(url.password) if url.password else None,
            "database": url.path.lstrip("/") or "livehub",
            "minsize": 1,
            "maxsize": settings.pool_size,
            "timeout": 5,
            "command_timeout": 15,
            "server_settings": {
                "application_name": "livehub",
                "statement_timeout": "10000",
                "idle_in_transaction_session_timeout": "60000",
                "jit": "off",
                "timezone": "UTC",
            },
        },
    }


DRAFT = tortoise_config(Settings(database_url="sqlite:///:memory:"))  # for `make migrations` only
