"""Which models there are, and how Tortoise is told to reach them."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote, urlsplit

from livehub.settings import Settings

LABEL = "livehub"
HOT = "hot"  # the connection of group commits
_HOT_POOL = 5  # webhooks, claims, redemptions, cookies, and answers to keys: each has one statement under way
_HOT_SECONDS = 5  # later no platform and no person waits for the answer any more; what they repeat is known
# A plan made while a table was nearly empty reads it whole, and PostgreSQL keeps it as the table fills.
_BY_INDEX = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off"}

MODEL_MODULES = (
    "livehub.kit.outbox",
    "livehub.kit.limits",
    "livehub.accounts.models",
    "livehub.merchants.models",
    "livehub.platforms.models",
    "livehub.notices.models",
    "streamers.models",
    "streamers.training.models",
    "streamers.training.course_models",
    "streamers.training.after_models",
    "streamers.training.subsidy_models",
    "rooms.models",
    "rooms.air_models",
    "rooms.plan_models",
    "rooms.series_models",
    "rooms.sharing_models",
    "livehub.inbox.models",
    "livehub.orders.models",
    "livehub.orders.statements.models",
    "livehub.orders.pull_models",
    "livehub.vouchers.models",
    "livehub.vouchers.phone_models",
    "livehub.vouchers.after_models",
    "livehub.vouchers.pack_models",
    "livehub.vouchers.lottery_models",
    "livehub.settlement.models",
    "livehub.settlement.case_models",
    "livehub.settlement.repayment_models",
    "livehub.reports.models",
    "jobs.models",
)


def tortoise_config(settings: Settings) -> dict[str, Any]:
    """Tortoise's configuration: one app, one connection, and on PostgreSQL a second one for the hot paths."""
    connections = {"default": _connection(settings)}
    if not settings.is_sqlite:
        connections[HOT] = _hot(_connection(settings))
    return {
        "connections": connections,
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


def _hot(connection: dict[str, Any]) -> dict[str, Any]:
    credentials = connection["credentials"]
    settings = credentials["server_settings"] | _BY_INDEX | {"statement_timeout": "4000"}
    hot = {"maxsize": _HOT_POOL, "command_timeout": _HOT_SECONDS, "server_settings": settings}
    return connection | {"credentials": credentials | hot}


DRAFT = tortoise_config(Settings(database_url="sqlite:///:memory:"))  # for `make migrations` only
