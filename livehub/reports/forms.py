"""A report as a document: tables of figures, and of each figure what it is the sum of and where it opens."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date, datetime, timedelta
from hashlib import sha256

import msgspec
from msgspec import Struct

from livehub.kit import clock, money
from livehub.reports.basis import Axis, Basis
from livehub.reports.figures import Scope

FORMAT = "livehub-report/1"
NONE = "none"  # in files of evidence: no broadcast, no product, no town


class Sum(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A column of a file of evidence, over the rows in which some columns say something certain.

    No column counts the rows; ``distinct:NAME`` counts what that column says, ``none`` aside.
    """

    file: str
    column: str = ""
    where: dict[str, str] = {}


class Figure(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One number. With a denominator it is their quotient, and without a value when that is 0."""

    unit: str  # fen | count | minutes | ratio | share
    basis: str
    numerator: int | None
    of: Sum | None = None  # what the numerator is the sum of; none where nothing was measured
    denominator: int | None = None
    per: Sum | None = None
    opens: str = ""  # the page of its lines
    why: str = ""  # of a number that is not there

    @property
    def text(self) -> str:
        """As it is written in a form: yuan, a count, or a quotient with two decimals."""
        if self.numerator is None or (self.per is not None and not self.denominator):
            return "—"
        if self.unit == "fen":
            return money.yuan(self.numerator)
        if self.per is None or not self.denominator:
            return str(self.numerator)
        if self.unit == "share":
            return f"{_quotient(self.numerator * 100, self.denominator)}%"
        return _quotient(self.numerator, self.denominator)


def _quotient(numerator: int, denominator: int) -> str:
    hundredths, rest = divmod(abs(numerator) * 100, abs(denominator))
    hundredths += 2 * rest >= abs(denominator)
    sign = "-" if (numerator < 0) != (denominator < 0) and hundredths else ""
    return f"{sign}{hundredths // 100}.{hundredths % 100:02d}"


class Row(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a row is called, and its figures."""

    names: tuple[str, ...]
    figures: tuple[Figure, ...]
    is_total: bool = False


class Table(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One form of a report; its name is that of its file in the pack."""

    name: str
    title: str
    heads: tuple[str, ...]  # what names a row
    columns: tuple[str, ...]  # heads of the figures
    rows: tuple[Row, ...]
    note: str = ""


class Ask(Struct, frozen=True, kw_only=True):
    """What a report is about: whose, which days, and as known when."""

    centre_id: int
    centre: str  # name
    bureau_id: int
    bureau: str  # public id
    bureau_name: str
    since: date
    until: date  # exclusive
    axis: Axis
    basis: Basis
    as_of: datetime
    campaign: str = ""  # public id, where it is about one campaign alone

    def scope(self) -> Scope:
        """The rows of sales that are meant."""
        return Scope(
            centre_id=self.centre_id,
            bureaus=frozenset({self.bureau_id}),
            day_from=self.since,
            day_to=self.until - timedelta(days=1),
            axis=self.axis,
            as_of=self.as_of,
        )

    @property
    def since_ms(self) -> int:
        """The first instant of the period."""
        return clock.to_ms(clock.at_local(self.since))

    @property
    def until_ms(self) -> int:
        """The first instant after it."""
        return clock.to_ms(clock.at_local(self.until))

    @property
    def as_of_ms(self) -> int:
        """The last instant whose knowledge counts."""
        return clock.to_ms(self.as_of)


class Document(Struct, frozen=True, kw_only=True):
    """A whole report as it is frozen and signed; its canonical JSON is what the SHA-256 is of."""

    format: str = FORMAT
    kind: str
    title: str
    centre: str
    bureau: str
    bureau_name: str
    campaign: str
    since: date
    until: date
    axis: Axis
    basis: Basis
    as_of: datetime
    proofs: tuple[str, ...]  # the files of evidence in its pack
    tables: tuple[Table, ...]

    def figures(self) -> list[Figure]:
        """Every figure of every table."""
        return [figure for table in self.tables for row in table.rows for figure in row.figures]


class Report(Struct, frozen=True, kw_only=True):
    """A kind of report: a file in ``exports/`` says what its tables are and which evidence proves them."""

    name: str
    title: str
    axis: Axis  # by which day its sales are counted unless asked otherwise
    proofs: tuple[str, ...]
    tables: Callable[[Ask], Awaitable[list[Table]]]


def encoded(document: Document) -> bytes:
    """The canonical JSON: sorted keys, no blanks, UTF-8."""
    return msgspec.json.encode(document, order="sorted")


def decoded(content: bytes | str) -> Document:
    """A document as it was frozen."""
    return msgspec.json.decode(content, type=Document)


def digest(content: bytes) -> bytes:
    """What is signed."""
    return sha256(content).digest()
