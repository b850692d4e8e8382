"""A roster's file as rows that can be taken, or a reason why not: everything that needs no database. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date

from msgspec import Struct

from livehub.kit.sheets import decoding
from livehub.kit.sheets.errors import unreadable
from livehub.kit.sheets.workbook import Number
from streamers import identity_numbers, people
from streamers.identity_numbers import Identity, NotOne
from streamers.people import NewPerson
from streamers.registry import plain_phone

COLUMNS: Mapping[str, tuple[str, ...]] = {  # field -> how its column may be called
    "name": ("姓名", "学员姓名", "name"),
    "identity": ("身份证号", "身份证号码", "公民身份号码", "证件号码", "id"),
    "phone": ("手机号", "手机号码", "手机", "联系电话", "电话", "phone"),
    "town": ("乡镇", "乡镇街道", "所在乡镇", "town"),
    "category": ("类别", "人员类别", "category"),
    "education": ("学历", "文化程度", "education"),
    "guardian": ("监护人", "guardian"),
}
TEMPLATE = ("姓名", "身份证号", "手机号", "乡镇", "类别", "学历", "监护人")
CATEGORY_NAMES = {
    "脱贫户": "poverty_relieved",
    "返乡": "returned",
    "返乡人员": "returned",
    "大学生": "student",
    "高校毕业生": "student",
    "退役": "veteran",
    "退役军人": "veteran",
    "合作社": "cooperative",
    "失业": "unemployed",
    "失业人员": "unemployed",
    "其他": "other",
}
MOST_ROWS = 20_000
_NEEDED = ("name", "identity")
_SCIENTIFIC = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]{1,2}")


class Row(Struct, frozen=True, kw_only=True):
    """A row that can be taken."""

    line: int
    cells: tuple[str, ...]
    person: NewPerson
    identity: Identity


class Wrong(Struct, frozen=True, kw_only=True):
    """A row that cannot; ``of`` is the line of an earlier row where the reason names one."""

    line: int
    cells: tuple[str, ...]
    code: str
    column: str
    of: int = 0


class Sheet(Struct, frozen=True, kw_only=True):
    """A file's head and its rows in their order."""

    head: tuple[str, ...]
    rows: list[Row | Wrong]


def read(raw: bytes, *, today: date) -> Sheet:
    """A file's rows; Unreadable says what is wrong with it as a whole. It takes its time: use a thread."""
    lines = decoding.read(raw).rows
    head, places = _head(lines)
    seen: dict[str, int] = {}
    found: list[Row | Wrong] = []
    for line, cells in lines:
        if not any(cell.strip() for cell in cells):
            continue
        if len(found) == MOST_ROWS:
            raise unreadable(f"超过 {MOST_ROWS:,} 行", "拆成几个文件")
        found.append(_row(line, [*cells, *[""] * (len(head) - len(cells))], places, seen, today=today))
    if not found:
        raise unreadable("只有列名，没有数据", "至少一行名册")
    return Sheet(head=tuple(head), rows=found)


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


def _row(
    line: int, cells: Sequence[str], places: Mapping[str, int], seen: dict[str, int], *, today: date
) -> Row | Wrong:
    def wrong(code: str, field: str, of: int = 0) -> Wrong:
        plain = tuple(str(cell) for cell in cells)
        return Wrong(line=line, cells=plain, code=code, column=COLUMNS[field][0], of=of)

    given = {field: cells[place] for field, place in places.items()}
    number = given["identity"]
    if isinstance(number, Number) or _SCIENTIFIC.fullmatch(number.strip()):
        return wrong("ID_NUMERIC_CELL", "identity")
    try:
        identity = identity_numbers.read(number, today=today)
    except NotOne as error:
        return wrong(error.code, "identity")
    first = seen.setdefault(identity.number, line)
    if first != line:
        return wrong("DUP_IN_FILE", "identity", of=first)
    if not people.is_name(given["name"]):
        return wrong("NAME_FORMAT", "name")
    if plain_phone(given.get("phone", "")) is None:
        return wrong("PHONE_FORMAT", "phone")
    category = given.get("category", "").strip()
    meant = CATEGORY_NAMES.get(category, category)
    person = NewPerson(**{**{name: str(text).strip() for name, text in given.items()}, "category": meant})
    details, _ = people.faults(person, today=today)
    if details:
        return wrong("CATEGORY" if details[0].field == "category" else "TOO_LONG", details[0].field)
    return Row(line=line, cells=tuple(str(cell) for cell in cells), person=person, identity=identity)


def wrong_again(row: Row, code: str, field: str, of: int = 0) -> Wrong:
    """A row that reads well, and that the database has something against."""
    return Wrong(line=row.line, cells=row.cells, code=code, column=COLUMNS[field][0], of=of)


def said(each: Wrong) -> str:
    """The reason as the workbook of errors tells it."""
    return REASONS[each.code].format(of=each.of)


def mistakes(rows: Iterable[Row | Wrong]) -> list[Wrong]:
    """Those that cannot be taken."""
    return [each for each in rows if isinstance(each, Wrong)]


REASONS: Mapping[str, str] = {
    **people.IDENTITY_FAULTS,
    "ID_NUMERIC_CELL": "身份证号存成了数字，后几位可能已丢失；请把这一列设为文本后重新填写",
    "DUP_IN_FILE": "和第 {of} 行是同一个身份证号",
    "NAME_FORMAT": "姓名不对：不能为空、过长或以 = + - @ 开头",
    "NAME_MISMATCH": "这个身份证号已登记，但姓名不同，请核对",
    "PHONE_FORMAT": "手机号不正确，应为 11 位",
    "PHONE_KNOWN": "这个手机号已登记在另一个人名下",
    "PHONE_IN_FILE": "和第 {of} 行是同一个手机号",
    "CATEGORY": "没有这个人员类别：脱贫户、返乡、大学生、退役、合作社、失业、其他",
    "TOO_LONG": "内容太长",
    "OVER_CAPACITY": "已满员，这一行排不进去",
    "LESSONS_OVERLAP": "和另一个培训班的课时冲突",
}
