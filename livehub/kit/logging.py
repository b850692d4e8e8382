"""One shape for every log line, ours and the libraries': JSON or text, and no phone number in it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Callable, MutableMapping
from typing import Any, Literal

import structlog

_PHONE = re.compile(r"(?<![\w.-])(1[3-9]\d)\d{4}(\d{4})(?![\w.-])")
_QUIET = ("apscheduler", "tortoise", "asyncio", "aiosqlite", "sanic.server")

Style = Literal["json", "text"]


def install(*, style: str, level: str, process: str, request: Callable[[], str] = lambda: "") -> None:
    """Send everything to standard error; ``process`` says who speaks (web, jobs, supervisor).

    ``request`` tells the number of the request that is being answered, empty where none is.
    """
    shared = told_of_every_line(process=process, request=request)
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *_rendering(style),
                _without_phones,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=level.upper(), force=True)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, logging.getLevelName(level.upper())))


def told_of_every_line(*, process: str, request: Callable[[], str]) -> list[Any]:
    """The processors that say who speaks, on whose behalf, when and how gravely."""

    def signed(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
        event["process"] = process
        number = request()
        if number:
            event.setdefault("request_id", number)
        return event

    return [
        structlog.contextvars.merge_contextvars,
        signed,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]


def _rendering(style: str) -> list[Any]:
    if style == "text":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_PLAIN)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


_PLAIN = structlog.dev.plain_traceback  # without the local variables: they may hold personal data


def _without_phones(_logger: Any, _method: str, line: str | bytes | MutableMapping[str, Any]) -> Any:
    """The last net under code that should not have logged a phone number."""
    return _PHONE.sub(r"\1****\2", line) if isinstance(line, str) else line
