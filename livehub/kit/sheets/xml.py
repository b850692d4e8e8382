"""XML of strangers as a stream: it knows no types, no entities of its own, and holds little of anything."""

from __future__ import annotations

from xml.parsers import expat

from livehub.kit.sheets.errors import unreadable

TOKEN = 1024 * 1024  # bytes of one tag with all that stands in it: it is held whole
DEPTH = 50  # tags in each other: each open one is held


class Parser:
    """Calls ``begun``, ``said`` and ``ended`` as it is fed; Unreadable for what is no XML of a workbook."""

    def __init__(self) -> None:
        self._fed = self._depth = 0
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self.said
        self._parser.StartDoctypeDeclHandler = _refuse
        self._parser.EntityDeclHandler = _refuse

    def begun(self, name: str, given: dict[str, str]) -> None:
        """A tag opens."""
        raise NotImplementedError

    def ended(self, name: str) -> None:
        """A tag closes."""
        raise NotImplementedError

    def said(self, data: str) -> None:
        """Text between tags."""
        raise NotImplementedError

    def feed(self, piece: bytes, *, last: bool = False) -> None:
        """The next bytes."""
        self._fed += len(piece)
        try:
            self._parser.Parse(piece, last)
        except expat.ExpatError:
            raise unreadable("Excel 文件的内容是坏的", "能正常打开的 .xlsx，或 CSV") from None
        if self._fed - max(0, self._parser.CurrentByteIndex) > TOKEN:
            raise unreadable("Excel 文件里有一处太长", "平台导出的 .xlsx，或 CSV")

    def _start(self, name: str, given: dict[str, str]) -> None:
        self._depth += 1
        if self._depth > DEPTH:
            raise unreadable("Excel 文件的内容套得太深", "平台导出的 .xlsx，或 CSV")
        self.begun(name, given)

    def _end(self, name: str) -> None:
        self._depth -= 1
        self.ended(name)


def _refuse(*_: object) -> None:
    raise unreadable("Excel 文件里有不该有的内容（DTD）", "平台导出的 .xlsx，或 CSV")
