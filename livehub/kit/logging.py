"""One shape for every log line, ours and the libraries': JSON or text, and no phone number in it."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from typing import Any, Literal

import structlog

_PHONE = re.compile(r"(?<![\w.-])(1[3-9]\d)\d{4}(\d{4})(?![\w.-])")
_QUIET = ("apscheduler", "tortoise", "asyncio", "aiosqlite", "sanic.server")

Style = Literal["json", "text"]


def install(*, style: str, level: str, process: str) -> None:
    """Send everything to standard error; ``process`` says who speaks (web, jobs, supervisor)."""
    structlog.contextvars.bind_contextvars(process=process)
    shared: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
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


def _rendering(style: str) -> list[Any]:
    if style == "text":
        return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=_PLAIN)]
    return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]


_PLAIN = structlog.dev.plain_traceback  # without the local variables: they may hold personal data


def _without_phones(_logger: Any, _method: str, line: str | bytes | MutableMapping[str, Any]) -> Any:
    """The last net under code that should not have logged a phone number."""
    return _PHONE.sub(r"\1****\2", line) if isinstance(line, str) else line
