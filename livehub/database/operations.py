"""Migration steps that say the same rule in each engine's own words."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from tortoise.fields import Field
from tortoise.migrations.operations import AddField, AlterField, CreateModel, TortoiseOperation
from tortoise.migrations.schema_generator.state import ModelState


class CreateModels(TortoiseOperation):
    """Many tables in one step: Tortoise copies and wires all its models at each step, seconds for sixty."""

    def __init__(self, *models: CreateModel) -> None:
        self._models = models

    def describe(self) -> str:
        """For the plan that is printed."""
        return f"Create {len(self._models)} models"

    def state_forward(self, app_label: str, state: Any) -> None:
        """Know all models, then wire them once."""
        for each in self._models:
            state.models[app_label, each.name] = ModelState.make_from_model(app_label, each.model)
        state.reload_models([(app_label, each.name) for each in self._models])

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        """Create the tables in the order given."""
        for each in self._models:
            await each.database_forward(app_label, old_state, new_state, state_editor)

    async def database_backward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        """Drop them, the last first."""
        for each in reversed(self._models):
            await each.database_backward(app_label, old_state, new_state, state_editor)


class PerDialect(TortoiseOperation):
    """Run these statements on SQLite, or those on PostgreSQL."""

    reduces_to_sql = True

    def __init__(self, *, sqlite: Sequence[str] = (), postgres: Sequence[str] = ()) -> None:
        self.statements = {"sqlite": sqlite, "postgres": postgres}
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
        for statement in self.statements[state_editor.client.capabilities.dialect]:
            await state_editor.client.execute_script(statement)


class DropFieldIndex(AlterField):
    """The index of one field goes; Tortoise would copy the whole table for that on SQLite."""

    def __init__(self, model_name: str, name: str, field: Field[Any], *, index: str) -> None:
        super().__init__(model_name, name, field)
        self._index = index

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        """Drop it by its name."""
        drop = [f'DROP INDEX "{self._index}"']
        await PerDialect(postgres=drop, sqlite=drop).database_forward(
            app_label, old_state, new_state, state_editor
        )


class AddNumber(AddField):
    """A column of numbers that is 0 in the rows that are there; a city's millions are not written anew."""

    def __init__(self, model_name: str, name: str, field: Field[Any], *, table: str) -> None:
        super().__init__(model_name, name, field)
        self._table = table

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        """Add it with its default."""
        add = [f'ALTER TABLE "{self._table}" ADD COLUMN "{self.name}" BIGINT NOT NULL DEFAULT 0']
        await PerDialect(postgres=add, sqlite=add).database_forward(
            app_label, old_state, new_state, state_editor
        )


class AddFlag(AddField):
    """A column that is false in the rows that are there; Tortoise would copy the whole table on SQLite."""

    def __init__(self, model_name: str, name: str, field: Field[Any], *, table: str) -> None:
        super().__init__(model_name, name, field)
        self._table = table

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        """Add it with its default."""
        statement = f'ALTER TABLE "{self._table}" ADD COLUMN "{self.name}"'
        await PerDialect(
            postgres=[f"{statement} BOOL NOT NULL DEFAULT FALSE"],
            sqlite=[f"{statement} INT NOT NULL DEFAULT 0"],
        ).database_forward(app_label, old_state, new_state, state_editor)


class AddColumn(AddField):
    """A column of a type both engines know, with its default; Tortoise would copy the table on SQLite."""

    def __init__(self, model_name: str, name: str, field: Field[Any], *, table: str, column: str) -> None:
        super().__init__(model_name, name, field)
        self._add = f'ALTER TABLE "{table}" ADD COLUMN "{name}" {column}'

    async def database_forward(
        self, app_label: str, old_state: Any, new_state: Any, state_editor: Any = None
    ) -> None:
        """Add it."""
        await PerDialect(postgres=[self._add], sqlite=[self._add]).database_forward(
            app_label, old_state, new_state, state_editor
        )


class SameColumn(AlterField):
    """A field may hold more than before; its column is as it was, and Tortoise would copy the table."""

    async def database_forward(
        self,
        app_label: str,
        old_state: Any,
        new_state: Any,
        state_editor: Any = None,
    ) -> None:
        """Nothing to do."""


def together(*steps: PerDialect) -> PerDialect:
    """Many steps as one, for the same reason as CreateModels."""
    return PerDialect(
        sqlite=[statement for step in steps for statement in step.statements["sqlite"]],
        postgres=[statement for step in steps for statement in step.statements["postgres"]],
    )


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
    statement = f"CREATE INDEX {name} ON {table} ({columns})"
    statement += f" WHERE {where}" if where else ""
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
