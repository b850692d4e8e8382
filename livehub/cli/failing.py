"""Which failures an operator can do something about, and in which words."""

from __future__ import annotations

import sqlite3

import asyncpg
from tortoise.exceptions import BaseORMException

from livehub.database.backup import BackupFailed
from livehub.database.marker import WalMissing
from livehub.database.migrate import MigrationFailed
from livehub.database.restore import RestoreFailed
from livehub.kit.errors import LivehubError
from livehub.kit.sealing import KeyMissing

_IN_THEIR_OWN_WORDS = (MigrationFailed, BackupFailed, RestoreFailed, WalMissing)
_WITH_THEIR_NAME = (asyncpg.PostgresError, sqlite3.Error, BaseORMException, OSError)


def told(error: Exception) -> str | None:
    """The line of an error; None for our own mistakes, which deserve a traceback."""
    if isinstance(error, LivehubError):
        return "; ".join([str(error), *(f"{each.field}: {each.reason}" for each in error.details)])
    if isinstance(error, _IN_THEIR_OWN_WORDS):
        return str(error)
    if isinstance(error, KeyMissing):
        return f"what is sealed does not open: {error} is not among the keys of LIVEHUB_KEYS"
    if isinstance(error, _WITH_THEIR_NAME):
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return None
