"""Migration steps that say the same rule in each engine's own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tortoise.migrations.operations import TortoiseOperation


class PerDialect(TortoiseOperation):
    """Run these statements on SQLite, or those on PostgreSQL."""

    reduces_to_sql = True

    def __init__(self, *, sqlite: Sequence[str] = (), postgres: Sequence[str] = ()) -> None:
        self._statements = {"sqlite": sqlite, "postgres": postgres}
        self.reversible = False

    def describe(self) -> str:
        """For the plan that is printed."""
        return "Run SQL of the engine"

    def state_forward(self, app_label: str, state: Any) -> None:
        """Models do not change."""

    async def database_forward(
        self,
        app_label: str,  # noqa: ARG002 -- Tortoise's signature
        old_state: Any,  # noqa: ARG002 -- as above
        new_state: Any,  # noqa: ARG002 -- as above
        state_editor: Any = None,
    ) -> None:
        """Run the statements one by one."""
        if state_editor is None:
            return
        for statement in self._statements[state_editor.client.capabilities.dialect]:
            await state_editor.client.execute_script(statement)


def check(table: str, name: str, condition: str) -> PerDialect:
    """A CHECK; on SQLite, which cannot add one to a table, two triggers. ``{new}`` stands before a column."""
    refuse = (
        f"SELECT RAISE(ABORT, 'CHECK constraint failed: {name}') WHERE NOT ({condition.format(new='NEW.')});"
    )
    return PerDialect(
        postgres=[f"ALTER TABLE {table} ADD CONSTRAINT {name} CHECK ({condition.format(new='')})"],
        sqlite=[
            f"CREATE TRIGGER {name}_insert BEFORE INSERT ON {table} BEGIN {refuse} END",
            f"CREATE TRIGGER {name}_update BEFORE UPDATE ON {table} BEGIN {refuse} END",
        ],
    )


def unique_where(table: str, name: str, columns: str, where: str) -> PerDialect:
    """A unique index over the rows of a condition."""
    statement = f"CREATE UNIQUE INDEX {name} ON {table} ({columns}) WHERE {where}"
    return PerDialect(postgres=[statement], sqlite=[statement])


def index(table: str, name: str, columns: str, where: str = "") -> PerDialect:
    """An index, perhaps over the rows of a condition."""
    statement = f"CREATE INDEX {name} ON {table} ({columns})" + (f" WHERE {where}" if where else "")
    return PerDialect(postgres=[statement], sqlite=[statement])


def append_only(table: str) -> PerDialect:
    """Refuse UPDATE and DELETE on a table."""
    name = f"{table}_append_only"
    return PerDialect(
        postgres=[
            (
                f"CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$"
                f" BEGIN RAISE EXCEPTION '{table} is append-only' USING ERRCODE = '23514'; END $$"
            ),
            (
                f"CREATE TRIGGER {name} BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
                f" FOR EACH STATEMENT EXECUTE FUNCTION {name}()"
            ),
        ],
        sqlite=[
            f"CREATE TRIGGER {name}_{verb.lower()} BEFORE {verb} ON {table}"
            f" BEGIN SELECT RAISE(ABORT, '{table} is append-only'); END"
            for verb in ("UPDATE", "DELETE")
        ],
    )
