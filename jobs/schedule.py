"""When a task is due: ``@every(minutes=5)`` and ``@daily(hour=3)`` above its function."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

from msgspec import Struct

from livehub.kit import clock, plugins

Function = Callable[[datetime], Awaitable[Any]]  # what it returns is noted on the run


class Task(Struct, frozen=True):
    """A function and its slots; a slot is due once in the whole installation."""

    name: str
    run: Function
    latest_slot: Callable[[datetime], datetime]  # the newest slot that is due at an instant


def every(*, minutes: int) -> Callable[[Function], Task]:
    """Slots at whole multiples of so many minutes."""

    def latest(at: datetime) -> datetime:
        step = minutes * 60_000
        return clock.from_ms(clock.to_ms(at) // step * step)

    return lambda function: Task(_name(function), function, latest)


def daily(*, hour: int, minute: int = 0) -> Callable[[Function], Task]:
    """One slot a day, on the wall clock of Asia/Shanghai."""

    def latest(at: datetime) -> datetime:
        today = clock.at_local(clock.local_day(at), hour=hour, minute=minute)
        if today <= at:
            return today
        return clock.at_local(clock.local_day(at) - timedelta(days=1), hour=hour, minute=minute)

    return lambda function: Task(_name(function), function, latest)


def discover() -> dict[str, Task]:
    """Every TASK in ``jobs/tasks/``; a task bears the name of its file."""
    from jobs import tasks  # noqa: PLC0415 -- the tasks import this module for their decorators

    found: dict[str, Task] = plugins.discover(tasks, "TASK")
    for module, task in found.items():
        if task.name != module:
            raise ValueError(f"jobs/tasks/{module}.py holds a task named {task.name}")
    return found


def _name(function: Function) -> str:
    return str(getattr(function, "__name__", ""))
