"""A roster of households as rows that can be given something, or a reason why not. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from livehub.kit.sheets import decoding
from livehub.kit.sheets.errors import unreadable
from streamers.registry import plain_phone

COLUMNS: Mapping[str, tuple[str, ...]] = {  # field -> how its column may be called
    "phone": ("手机号", "手机号码", "手机", "联系电话", "电话", "phone"),
    "household": ("户号", "家庭编号", "household"),
}
TEMPLATE = ("户号", "手机号")
MOST_ROWS = 5_000
LONGEST = 40  # letters of a household's number
_NEEDED = ("phone",)


class Row(Struct, frozen=True, kw_only=True):
    """A household: its phone, and its number where the roster has one.

    ``twins`` are the later rows of its number, each with another phone: one of all these is the household,
    and which one is known only beside what the round gave before.
    """

    line: int
    cells: tuple[str, ...]
    phone: str
    household: str
    twins: tuple[Row, ...] = ()


class Wrong(Struct, frozen=True, kw_only=True):
    """A row that is given nothing; ``of`` is the line of another row where the reason names one."""

    line: int
    cells: tuple[str, ...]
    code: str
    column: str
    of: int = 0


class Sheet(Struct, frozen=True, kw_only=True):
    """A file's head and its households; ``count`` is how many rows it has."""

    head: tuple[str, ...]
    rows: list[Row]
    wrong: list[Wrong]
    count: int


def read(raw: bytes) -> Sheet:
    """A file's rows; Unreadable says what is wrong with it as a whole. It takes its time: use a thread."""
    lines = decoding.read(raw).rows
    head, places = _head(lines)
    found: list[Row | Wrong] = []
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(found) == MOST_ROWS:
            raise unreadable(f"超过 {MOST_ROWS:,} 行", "拆成几个文件")
        found.append(_row(line, [*cells, *[""] * (len(head) - len(cells))], places))
    if not found:
        raise unreadable("只有列名，没有数据", "至少一户")
    rows, twice = _once([each for each in found if isinstance(each, Row)])
    wrong = [*(each for each in found if isinstance(each, Wrong)), *twice]
    return Sheet(head=tuple(head), rows=rows, wrong=wrong, count=len(found))


def wrong(row: Row, code: str, field: str, of: int = 0) -> Wrong:
    """A row that reads well, and that the round or another row has something against."""
    return Wrong(line=row.line, cells=row.cells, code=code, column=COLUMNS[field][0], of=of)


def said(each: Wrong) -> str:
    """The reason as pages and the workbook of errors tell it."""
    return REASONS[each.code].format(of=each.of)


def _head(lines: Iterator[tuple[int, list[str]]]) -> tuple[list[str], dict[str, int]]:
    head = [cell.strip() for cell in next(lines, (1, []))[1]]
    while head and not head[-1]:
        head.pop()
    places: dict[str, int] = {}
    for field, names in COLUMNS.items():
        at = [place for place, name in enumerate(head) if name.lower() in names]
        if len(at) > 1:
            raise unreadable(f"列名重复：{head[at[0]]}", "每列一个名字")
        if at:
            places[field] = at[0]
    missing = [COLUMNS[field][0] for field in _NEEDED if field not in places]
    if missing:
        raise unreadable(f"找不到列：{'、'.join(missing)}", f"第一行是列名：{'、'.join(TEMPLATE)}")
    return head, places


def _row(line: int, cells: Sequence[str], places: Mapping[str, int]) -> Row | Wrong:
    plain = tuple(str(cell) for cell in cells)

    def wrong_here(code: str, field: str) -> Wrong:
        return Wrong(line=line, cells=plain, code=code, column=COLUMNS[field][0])

    given = {field: plain[place].strip() for field, place in places.items()}
    phone, household = plain_phone(given["phone"]), given.get("household", "")
    if not phone:
        return wrong_here("PHONE_FORMAT", "phone")
    if len(household) > LONGEST or not household.isprintable():
        return wrong_here("HOUSEHOLD_FORMAT", "household")
    return Row(line=line, cells=plain, phone=phone, household=household)


def _once(rows: Sequence[Row]) -> tuple[list[Row], list[Wrong]]:
    """Each phone once, by its row with a number where it has one; each number once, with its twins."""
    by_phone: dict[str, Row] = {}
    for row in rows:
        if not by_phone.setdefault(row.phone, row).household:
            by_phone[row.phone] = row if row.household else by_phone[row.phone]
    groups: dict[str | int, list[Row]] = {}
    twice = []
    for row in rows:
        kept = by_phone[row.phone]
        if kept is row:
            groups.setdefault(row.household or row.line, []).append(row)
        else:
            twice.append(wrong(row, "PHONE_IN_FILE", "phone", of=kept.line))
    return [replace(first, twins=tuple(twins)) for first, *twins in groups.values()], twice


REASONS: Mapping[str, str] = {
    "PHONE_FORMAT": "手机号不正确，应为 11 位",
    "PHONE_IN_FILE": "和第 {of} 行是同一个手机号",
    "HOUSEHOLD_FORMAT": f"户号不能超过 {LONGEST} 个字，不能有看不见的字符",
    "HOUSEHOLD_IN_FILE": "和第 {of} 行是同一个户号",
    "HOUSEHOLD_KNOWN": "这个户号已按另一个手机号发放过",
    "PHONE_KNOWN": "这个手机号已按另一个户号发放过",
    "SOLD_OUT": "名额已经发完，这一户没有发放",
}
