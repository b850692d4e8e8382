"""Tortoise's asyncpg engine made safe against cancellation, with outages told apart from mistakes."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from time import monotonic
from typing import Any

import asyncpg
from tortoise.backends.asyncpg.client import AsyncpgDBClient, TransactionWrapper
from tortoise.backends.base.client import PoolConnectionWrapper, TransactionContextPooled
from tortoise.backends.base_postgres.client import translate_exceptions
from tortoise.connection import get_connections

from livehub.database.errors import translate
from livehub.database.reserve import is_reserved
from livehub.database.savepoint import Savepoint

ACQUIRE_SECONDS = 5.0
_LOOK_SECONDS = 0.02  # where the server has no connection left for us, whether one of ours is free again


class _Transaction(TransactionContextPooled):
    """BEGIN … COMMIT that always gives its connection back, however it ends."""

    async def __aenter__(self) -> Any:
        try:
            await self.ensure_connection()
            pool = self.client._parent.lender()  # type: ignore[attr-defined]  # noqa: SLF001 -- our own client's
            self.client._connection = await _lent(pool)  # noqa: SLF001 -- as above
        except Exception as error:
            raise (translate(error) or error) from error
        try:
            await self.client.begin()
        except BaseException as error:
            await asyncio.shield(asyncio.ensure_future(self._end(commit=False)))
            raise (translate(error) or error) from error
        self.token = get_connections().set(self.connection_name, self.client)
        return self.client

    async def __aexit__(self, exc_type: object, exc_val: object, exc_tb: object) -> None:
        get_connections().reset(self.token)
        try:
            await asyncio.shield(asyncio.ensure_future(self._end(commit=exc_type is None)))
        except Exception as error:
            outage = translate(error)
            if outage is None:
                raise
            if exc_type is None:  # a failed rollback does not hide why it was wanted
                raise outage from error

    async def _end(self, *, commit: bool) -> None:
        client = self.client
        try:
            if not client._finalized:  # noqa: SLF001 -- as above
                await (client.commit() if commit else client.rollback())
        finally:
            with suppress(Exception):  # asyncpg throws away what it cannot reset; a commit stays one
                await _give_back(client._connection)  # noqa: SLF001 -- as above


class _Connection(asyncpg.connection.Connection):  # type: ignore[misc]  # asyncpg ships no types
    """A connection that is given back as it is: we leave nothing on it that would have to be reset."""

    def get_reset_query(self) -> str:
        """Nothing: asyncpg's own costs a round trip each time a connection is given back."""
        return ""

    def _cancel_current_command(self, *_: Any) -> None:
        """Hang up on a command that is given up: the line may be dead, and then nobody answers a cancel."""
        self.terminate()


class _Pooled(PoolConnectionWrapper[Any]):
    """A connection for one statement; who cannot get one in time is told so, and does not wait for ever."""

    async def __aenter__(self) -> Any:
        await self.ensure_connection()
        pool = self.client.lender()  # type: ignore[attr-defined]  # our own client's
        self.connection = await _lent(pool)
        return self.connection

    async def __aexit__(self, *_: object) -> None:
        await _give_back(self.connection)


async def _lent(pool: asyncpg.Pool) -> Any:
    """A connection of the pool. When the server refuses another one, those that we have are waited for."""
    until = monotonic() + ACQUIRE_SECONDS
    while True:
        try:
            return await pool.acquire(timeout=max(0.0, until - monotonic()))
        except asyncpg.TooManyConnectionsError:
            if not pool.get_size() or monotonic() >= until:
                raise
        await asyncio.sleep(_LOOK_SECONDS)


async def _give_back(lent: Any) -> None:
    """As ``pool.release`` does it, in this task: which there waits for a turn of the loop, or two.

    A sound connection is given back without waiting for anything, so that no cancellation can meet it; one
    that has to be closed is hung up on when it does.
    """
    if lent._con is None:  # noqa: SLF001 -- given back already; asyncpg says it nowhere else
        return
    lent._con._on_release()  # noqa: SLF001 -- as above
    holder = lent._holder  # noqa: SLF001 -- as above
    await holder.release(holder._timeout)  # noqa: SLF001 -- as above


class _Counting:
    """Statements that begin with WITH and are asked how many rows they touched."""

    @translate_exceptions
    async def execute_counted(self: Any, query: str, values: list[Any]) -> int:
        async with self.acquire_connection() as connection:
            tag = await connection.execute(query, *values)
            return int(tag.rsplit(" ", 1)[1])


class Client(_Counting, AsyncpgDBClient):
    """A pool whose failures arrive as 503s, and one connection apart for who must see what is wrong."""

    connection_class = _Connection
    _reserve: asyncpg.Pool | None = None

    def lender(self) -> asyncpg.Pool:
        """The pool that who asks now borrows from."""
        pool, reserve = self._pool, self._reserve
        if pool is None or reserve is None or not is_reserved():
            return pool
        is_free = reserve.get_idle_size() > 0 or reserve.get_size() == 0
        is_exhausted = pool.get_idle_size() == 0 and pool.get_size() == pool.get_max_size()
        return reserve if is_free or is_exhausted else pool

    def acquire_connection(self) -> Any:
        return _Pooled(self, self._pool_init_lock)

    def _in_transaction(self) -> Any:
        return _Transaction(_Wrapper(self), self._pool_init_lock)

    async def create_connection(self, with_db: bool) -> None:  # noqa: FBT001 -- Tortoise's signature
        try:
            await super().create_connection(with_db)
            if self.connection_name != "default":
                return
            alone = {"min_size": 0, "max_size": 1, "max_inactive_connection_lifetime": 0}
            self._reserve = await self.create_pool(password=self.password, **self._template | alone)
        except Exception as error:
            raise (translate(error) or error) from error

    async def _close(self) -> None:
        reserve, self._reserve = self._reserve, None
        if reserve is not None:
            reserve.terminate()
        await super()._close()

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        return await _translated(super()._translate_exceptions(func, *args, **kwargs))


class _Wrapper(_Counting, TransactionWrapper):
    """A transaction's own view of its connection."""

    @translate_exceptions
    async def execute_within(self: Any, seconds: int, query: str, values: Sequence[Any]) -> None:
        """A statement with limits of its own; the server's stays until the transaction ends."""
        async with self.acquire_connection() as connection:
            await connection.execute(f"SET LOCAL statement_timeout = '{seconds}s'")
            await connection.execute(query, *values, timeout=seconds)

    def _in_transaction(self) -> Any:
        return Savepoint(_Wrapper(self))

    async def _translate_exceptions(self, func: Any, *args: Any, **kwargs: Any) -> Any:
        return await _translated(super()._translate_exceptions(func, *args, **kwargs))


async def _translated(work: Any) -> Any:
    try:
        return await work
    except Exception as error:
        outage = translate(error)
        if outage is None:
            raise
        raise outage from error


client_class = Client
