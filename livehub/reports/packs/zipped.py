"""A ZIP that is made piece by piece and never held whole; the same contents give the same bytes."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from hashlib import sha256

from msgspec import Struct

from livehub.kit import clock

LEVEL = 6


class Member(Struct, kw_only=True):
    """One file in it, as the index names it."""

    name: str
    size: int = 0
    sha256: str = ""
    rows: int = 0  # of a table, its head aside


class Open:
    """A file that is being written."""

    def __init__(self, name: str, out: zipfile.ZipFile, at: datetime) -> None:
        self.member = Member(name=name)
        self._hash = sha256()
        info = zipfile.ZipInfo(name, clock.local(at).timetuple()[:6])
        info.compress_type = zipfile.ZIP_DEFLATED
        info.external_attr = 0o644 << 16
        self._file = out.open(info, "w", force_zip64=True)

    def write(self, data: bytes) -> None:
        """The next bytes of it."""
        self._hash.update(data)
        self.member.size += len(data)
        self._file.write(data)

    def close(self) -> None:
        """It is whole."""
        self._file.close()
        self.member.sha256 = self._hash.hexdigest()


class Zipped:
    """Files go in one after the other, what is ready of the ZIP is taken out in between."""

    def __init__(self, at: datetime) -> None:
        self.members: list[Member] = []
        self._at = at
        self._out = _Out()
        self._zip = zipfile.ZipFile(self._out, "w", zipfile.ZIP_DEFLATED, compresslevel=LEVEL)  # type: ignore[call-overload]  # it writes only

    @contextmanager
    def file(self, name: str) -> Iterator[Open]:
        """A file to be written; the one before must be whole."""
        opened = Open(name, self._zip, self._at)
        try:
            yield opened
        finally:
            opened.close()
        self.members.append(opened.member)

    def put(self, name: str, data: bytes) -> None:
        """A whole file."""
        with self.file(name) as opened:
            opened.write(data)

    @property
    def ready(self) -> int:
        """How many bytes wait to be taken."""
        return len(self._out.waiting)

    def taken(self) -> bytes:
        """The bytes that are ready."""
        data = bytes(self._out.waiting)
        self._out.waiting.clear()
        return data

    def close(self) -> None:
        """No more files: the last bytes are ready."""
        self._zip.close()


class _Out:
    """A file that can only be written to: what ``zipfile`` takes for a stream."""

    def __init__(self) -> None:
        self.waiting = bytearray()

    def write(self, data: bytes) -> int:
        self.waiting += data
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""

    def seekable(self) -> bool:
        return False
