"""Tortoise's migrations, without wiring every model anew before each step.

Before a step Tortoise keeps the models as they were: it builds all their classes and relations again, a fifth
of a second for a hundred of them, and most steps never look. Here they are built when a step looks.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any, cast

from tortoise.migrations.executor import MigrationExecutor
from tortoise.migrations.graph import MigrationKey
from tortoise.migrations.schema_generator.state import ModelState, State
from tortoise.migrations.schema_generator.state_apps import StateApps


class Executor(MigrationExecutor):
    """Runs what is pending."""

    async def _project_state(self, applied: set[MigrationKey], *, upto: MigrationKey | None = None) -> State:
        state = await super()._project_state(applied, upto=upto)
        return _Now(models=state.models, apps=state.apps)


class _Now(State):
    """The models as of the step that runs."""

    def clone(self) -> State:
        """As they are, for a step that changes them."""
        models = {key: model.clone() for key, model in self.models.items()}
        return State(models=models, apps=cast(StateApps, _Later(self.apps, models)))


class _Later:
    """The classes of models, built when first asked for anything."""

    def __init__(self, apps: StateApps, models: dict[tuple[str, str], ModelState]) -> None:
        self._apps, self._models = apps, models

    @cached_property
    def _built(self) -> StateApps:
        return self._apps.clone(model_states=self._models)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._built, name)
