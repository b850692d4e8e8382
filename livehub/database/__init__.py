"""The database behind one door: SQLite for a county, PostgreSQL for a city, one set of models."""

from livehub.database.config import LABEL, MODEL_MODULES, tortoise_config
from livehub.database.connections import (
    NOW_MS,
    ask,
    atomic,
    close,
    commit_statement,
    commit_work,
    connect,
    dialect,
    execute,
    execute_within,
    fetch,
    fetch_one,
    ids_of,
    now_ms,
    ping,
    prefer_indexes,
    transaction,
    unit,
)
from livehub.database.errors import Contention, DatabaseUnavailable
from livehub.database.fields import DayField, DigestField, InstantField
from livehub.database.reserve import reserved
from livehub.database.rows import with_rows, write_rows

__all__ = [
    "LABEL",
    "MODEL_MODULES",
    "NOW_MS",
    "Contention",
    "DatabaseUnavailable",
    "DayField",
    "DigestField",
    "InstantField",
    "ask",
    "atomic",
    "close",
    "commit_statement",
    "commit_work",
    "connect",
    "dialect",
    "execute",
    "execute_within",
    "fetch",
    "fetch_one",
    "ids_of",
    "now_ms",
    "ping",
    "prefer_indexes",
    "reserved",
    "tortoise_config",
    "transaction",
    "unit",
    "with_rows",
    "write_rows",
]
