"""How one guard is taken out, in one test's process and database: a constraint dropped, a clause cut."""

from __future__ import annotations
import __future__

import ast
import inspect
import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from importlib import import_module
from textwrap import dedent
from types import CodeType, FunctionType
from typing import Any

import pytest
from msgspec import Struct

from livehub import database

Removal = Callable[[pytest.MonkeyPatch], Awaitable[None]]


class Dropped(Struct, frozen=True):
    """A named constraint, partial unique index or trigger of the database is dropped."""

    name: str

    async def __call__(self, patch: pytest.MonkeyPatch) -> None:
        statements = [each async for each in _drops(self.name)]
        if not statements:
            raise LookupError(f"the database has no {self.name}")
        for statement in statements:
            await database.execute(statement)


class Unique(Struct, frozen=True):
    """A unique constraint of a table's columns is dropped, whatever its name is; on PostgreSQL only."""

    table: str
    columns: str

    @property
    def name(self) -> str:
        return f"{self.table} ({self.columns})"

    async def __call__(self, patch: pytest.MonkeyPatch) -> None:
        rows = await database.fetch(UNIQUES)
        names = [row["constraint"] for row in rows if f"{row['table']} ({row['columns']})" == self.name]
        if len(names) != 1:
            raise LookupError(f"the database has no unique {self.name}")
        await database.execute(f'ALTER TABLE {self.table} DROP CONSTRAINT "{names[0]}"')


class Cut(Struct, frozen=True):
    """Text of a function is replaced: ``where`` is module:qualified.name, and the text must stand there once.

    The function itself is changed, so whoever has imported it runs the changed one too.
    """

    where: str
    text: str
    by: str = ""
    also: tuple[tuple[str, str], ...] = ()  # more of the same function: text, by

    @property
    def name(self) -> str:
        return f"{self.where}: {' '.join(self.text.split())[:60]}"

    async def __call__(self, patch: pytest.MonkeyPatch) -> None:
        target = self.target()
        patch.setattr(target, "__code__", _compiled(self.changed(), target))

    def target(self) -> FunctionType:
        """The function itself, without its decorators."""
        found = _named(self.where)
        target = inspect.unwrap(found.fget if isinstance(found, property) else found)
        assert isinstance(target, FunctionType), self.where
        return target

    def changed(self) -> str:
        """Its source without the guard; LookupError when the guard is not where the table says."""
        source = dedent(inspect.getsource(self.target()))
        for text, by in ((self.text, self.by), *self.also):
            if source.count(text) != 1:
                raise LookupError(f"{self.where} has {source.count(text)} times {text!r}")
            source = source.replace(text, by)
        return source


class CutText(Struct, frozen=True):
    """A module's SQL constant is replaced by one without a clause; the pattern must match in it."""

    where: str
    pattern: str
    by: str = ""

    @property
    def name(self) -> str:
        return f"{self.where}: {self.pattern[:60]}"

    async def __call__(self, patch: pytest.MonkeyPatch) -> None:
        patch.setattr(self.where.replace(":", "."), self.changed())

    def changed(self) -> str:
        """The text without the guard; LookupError when the guard is not where the table says."""
        changed, count = re.subn(self.pattern, self.by, _named(self.where))
        if not count:
            raise LookupError(f"{self.where} has no {self.pattern!r}")
        return changed


class Changed(Struct, frozen=True):
    """Something else is done, by a function that says in its first line what."""

    how: Removal

    @property
    def name(self) -> str:
        return self.how.__name__

    async def __call__(self, patch: pytest.MonkeyPatch) -> None:
        await self.how(patch)


UNIQUES = (
    "SELECT r.relname AS table, string_agg(a.attname, ', ' ORDER BY k.n) AS columns, c.conname AS constraint"
    " FROM pg_constraint c JOIN pg_class r ON r.oid = c.conrelid"
    " JOIN LATERAL unnest(c.conkey) WITH ORDINALITY k(attnum, n) ON true"
    " JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = k.attnum"
    " WHERE c.contype = 'u' AND r.relnamespace = 'public'::regnamespace GROUP BY r.relname, c.conname"
)


async def _drops(name: str) -> AsyncIterator[str]:
    if database.dialect() == "sqlite":
        for row in await database.fetch(
            "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'index')"
        ):
            if row["name"] == name or (row["type"] == "trigger" and plain(row["name"]) == name):
                yield f"DROP {row['type'].upper()} {row['name']}"
        return
    for row in await database.fetch(
        "SELECT conrelid::regclass::text AS table FROM pg_constraint WHERE conname = $1", name
    ):
        yield f"ALTER TABLE {row['table']} DROP CONSTRAINT {name}"
    for row in await database.fetch(
        "SELECT tgrelid::regclass::text AS table FROM pg_trigger WHERE tgname = $1 AND NOT tgisinternal", name
    ):
        yield f"DROP TRIGGER {name} ON {row['table']}"
    for _ in await database.fetch(
        "SELECT 1 AS one FROM pg_class c WHERE c.relname = $1 AND c.relkind = 'i'"
        " AND NOT EXISTS (SELECT 1 FROM pg_constraint k WHERE k.conindid = c.oid)",
        name,
    ):
        yield f"DROP INDEX {name}"


def plain(trigger: str) -> str:
    """The name of a guard that is one trigger for each verb on SQLite."""
    return re.sub(r"_(insert|update|delete)$", "", trigger)


def _named(where: str) -> Any:
    module, _, path = where.partition(":")
    found: Any = import_module(module)
    for part in path.split("."):
        found = inspect.getattr_static(found, part) if inspect.isclass(found) else getattr(found, part)
    return found


def _compiled(source: str, target: FunctionType) -> CodeType:
    tree = ast.parse(source)
    filename = f"{target.__code__.co_filename} without a guard"
    whole = compile(tree, filename, "exec", flags=__future__.annotations.compiler_flag, dont_inherit=True)
    found = list(_codes(whole, target.__name__))
    assert len(found) == 1, target.__qualname__
    assert found[0].co_freevars == target.__code__.co_freevars, target.__qualname__
    return found[0]


def _codes(code: CodeType, name: str) -> Iterator[CodeType]:
    for const in code.co_consts:
        if isinstance(const, CodeType):
            if const.co_name == name:
                yield const
            else:
                yield from _codes(const, name)
