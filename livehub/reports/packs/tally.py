"""Every sum that a report's figures name, made anew of the rows of its evidence: pure, one row at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from livehub.reports.forms import NONE, Document, Figure, Sum

MOST_OTHERS = 20
_DISTINCT = "distinct:"
Key = tuple[str, ...]


class _Column:
    """One column of a file, summed apart for each combination of some other columns that is asked for."""

    def __init__(self, column: str, names: Key) -> None:
        self.column, self.names = column, names
        self.sums: dict[Key, int] = {}
        self.seen: dict[Key, set[str]] = {}
        self.others: set[str] = set()  # what one column says besides, MOST_OTHERS of it

    def ask(self, key: Key) -> None:
        self.sums[key] = 0
        self.seen[key] = set()

    def bind(self, head: Sequence[str]) -> None:
        """Where its columns stand; ValueError when one of them does not."""
        self._places = [head.index(name) for name in self.names]
        name = self.column.removeprefix(_DISTINCT)
        self._place = head.index(name) if name else -1
        self._is_distinct = self.column.startswith(_DISTINCT)

    def add(self, row: Sequence[str]) -> None:
        key = tuple([row[place] for place in self._places])
        if key not in self.sums:
            if len(key) == 1 and len(self.others) < MOST_OTHERS:
                self.others.add(key[0])
            return
        if self._is_distinct:
            if row[self._place] != NONE:
                self.seen[key].add(row[self._place])
                self.sums[key] = len(self.seen[key])
        else:
            self.sums[key] += 1 if self._place < 0 else int(row[self._place])


class Tally:
    """The sums of a document, file by file: ``begin`` with a file's head, then ``add`` its rows."""

    def __init__(self, document: Document) -> None:
        self._files: dict[str, dict[tuple[str, Key], _Column]] = {}
        self._now: Sequence[_Column] = ()
        self._begun: set[str] = set()
        for figure in document.figures():
            for each in (figure.of, figure.per):
                if each is not None:
                    self._ask(each)

    def files(self) -> set[str]:
        """The files that figures are sums of."""
        return set(self._files)

    def begin(self, file: str, head: Sequence[str]) -> None:
        """Its rows follow; ValueError when it lacks a column that a figure is the sum of."""
        self._now = list(self._files.get(file, {}).values())
        self._begun.add(file)
        for each in self._now:
            each.bind(head)

    def add(self, row: Sequence[str]) -> None:
        """One row, as its cells are written."""
        for each in self._now:
            each.add(row)

    def of(self, wanted: Sum) -> int | None:
        """What a sum comes to; None when its file was not among those that were read."""
        if wanted.file not in self._begun:
            return None
        names, key = _key(wanted)
        return self._files[wanted.file][wanted.column, names].sums[key]

    def others(self, wanted: Sum) -> set[str]:
        """What the rows say in the one column of a sum besides what figures name."""
        names, _ = _key(wanted)
        return self._files[wanted.file][wanted.column, names].others

    def _ask(self, wanted: Sum) -> None:
        names, key = _key(wanted)
        columns = self._files.setdefault(wanted.file, {})
        columns.setdefault((wanted.column, names), _Column(wanted.column, names)).ask(key)


def _key(wanted: Sum) -> tuple[Key, Key]:
    names = tuple(sorted(wanted.where))
    return names, tuple(wanted.where[name] for name in names)


class Difference(Struct, frozen=True, kw_only=True):
    """A figure that is not what its evidence adds up to."""

    name: str
    unit: str
    stated: int | None
    found: int | None
    of: Sum | None
    others: tuple[str, ...] = ()  # what the evidence says instead of a name that the figure goes by


def differences(document: Document, tally: Tally) -> Iterable[Difference]:
    """Each figure that is not what its evidence adds up to."""
    for table in document.tables:
        for row in table.rows:
            for column, figure in zip(table.columns, row.figures, strict=True):
                name = f"{table.title} / {'、'.join(filter(None, row.names))} / {column}"
                yield from _differences(name, figure, tally)


def differing(document: Document, tally: Tally) -> Iterable[str]:
    """The same, each in a sentence."""
    for each in differences(document, tally):
        if each.of is None:
            yield f"{each.name}: {each.stated} is the sum of nothing"
        else:
            yield f"{each.name}: the report says {each.stated}, {each.of.file} adds up to {each.found}"


def _differences(name: str, figure: Figure, tally: Tally) -> Iterable[Difference]:
    for stated, wanted in ((figure.numerator, figure.of), (figure.denominator, figure.per)):
        found = tally.of(wanted) if wanted is not None else None
        if found != stated:
            others: Sequence[str] = sorted(tally.others(wanted)) if wanted is not None and found == 0 else ()
            yield Difference(
                name=name, unit=figure.unit, stated=stated, found=found, of=wanted, others=tuple(others)
            )
