"""The number of each request: in its answer, in the log, in the audit trail, for a person to quote."""

from __future__ import annotations

import re
import secrets
from functools import cache
from itertools import count
from typing import Any

import sanic
from sanic.exceptions import ServerError

HEADER = "X-Request-Id"
_GIVEN = re.compile(r"[A-Za-z0-9_-]{8,36}")  # as long as the audit trail keeps it

_following = count(1)


class Request(sanic.Request[Any, Any]):
    """A request whose number is a trusted proxy's, or made here; a client cannot choose it."""

    __slots__ = ()

    @property
    def id(self) -> str:
        """The number; counting is a tenth of the price of a UUID."""
        if self._id is None:
            given = self.headers.getone(HEADER, "") if self.app.config["PROXIES_COUNT"] else ""
            self._id = given if _GIVEN.fullmatch(given) else f"{_process()}-{next(_following):x}"
        return str(self._id)


def current() -> str:
    """The number of the request that is being answered here; empty where none is."""
    try:
        return str(Request.get_current().id)
    except ServerError:
        return ""


@cache
def _process() -> str:
    """What tells the numbers of this process from those of others; made after the fork."""
    return secrets.token_hex(5)
