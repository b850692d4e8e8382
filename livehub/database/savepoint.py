"""A transaction inside a transaction: its end is told as an outage where it is one, and hides no cause.

After a lost connection, or when SQLite has rolled everything back because the disk is full, there is no
savepoint left to go back to. Stock Tortoise then raises what the driver says about that.
"""

from __future__ import annotations

from types import TracebackType
from typing import Any

from tortoise.backends.base.client import NestedTransactionContext

from livehub.database.errors import translate


class Savepoint(NestedTransactionContext):
    """SAVEPOINT … RELEASE."""

    async def __aenter__(self) -> Any:
        try:
            return await super().__aenter__()
        except Exception as error:
            raise (translate(error) or error) from error

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_val: BaseException | None,
        exc_tb: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(exc_type, exc_val, exc_tb)
        except Exception as error:
            outage = translate(error)
            if exc_type is None:
                raise (outage or error) from error
            if outage is not None and exc_val is not None and translate(exc_val) is None:
                raise outage from exc_val  # nothing of the transaction is left, whatever was wrong with it
