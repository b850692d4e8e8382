"""Two column types that behave the same on both engines, in the ORM and in raw SQL."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from tortoise.fields.base import Field

from livehub.kit import clock


class InstantField(Field[datetime], datetime):
    """An instant: an aware UTC datetime, stored as integer milliseconds since the epoch."""

    SQL_TYPE = "BIGINT"

    def to_db_value(self, value: Any, instance: Any) -> int | None:  # noqa: ARG002 -- Tortoise's signature
        """Milliseconds since the epoch; integers pass through."""
        if value is None or isinstance(value, int):
            return value
        return clock.to_ms(value)

    def to_python_value(self, value: Any) -> datetime | None:
        """An aware UTC datetime."""
        if value is None or isinstance(value, datetime):
            return value
        return clock.from_ms(value)


class DayField(Field[date], date):
    """A calendar day, stored as the integer YYYYMMDD."""

    SQL_TYPE = "INT"

    def to_db_value(self, value: Any, instance: Any) -> int | None:  # noqa: ARG002 -- Tortoise's signature
        """The integer YYYYMMDD; integers pass through."""
        if value is None or isinstance(value, int):
            return value
        return clock.day_number(value)

    def to_python_value(self, value: Any) -> date | None:
        """A date."""
        if value is None or isinstance(value, date):
            return value
        return clock.day_of_number(value)


class DigestField(Field[bytes], bytes):  # type: ignore[misc]  # the mixin of all of Tortoise's fields
    """A short digest or blind index: bytes that may be unique, unlike Tortoise's BinaryField."""

    SQL_TYPE = "BLOB"

    class _db_postgres:  # noqa: N801 -- Tortoise looks for this name
        SQL_TYPE = "BYTEA"

    def to_python_value(self, value: Any) -> bytes | None:
        """Bytes."""
        return value if value is None else bytes(value)
