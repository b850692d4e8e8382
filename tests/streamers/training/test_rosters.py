"""Rosters from spreadsheets: what is wrong is told row by row, and the same file again changes nothing."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livehub import database
from livehub.kit import sealing
from livehub.kit.sheets import decoding, writing
from livehub.settings import Settings
from streamers import identity_numbers, people
from streamers.errors import RevealReasonMissing
from streamers.models import Person
from streamers.training import importing, roster
from streamers.training.course_models import RosterImport
from streamers.training.errors import RosterRefused
from streamers.training.importing import Mode, Outcome
from streamers.training.models import Enrolment
from tests.factories.rooms import NOW
from tests.factories.training import School, a_person, a_roster, a_school, an_identity
from tests.orders.statements.test_workbook import a_book, number, text

TODAY = NOW.date()
R2, R3, R4 = "990101199501010015", "990101199803120025", "990101199501010019"
KNOWN, OTHER = (
    f"{each}{identity_numbers.check_letter(each)}" for each in ("99010119900101001", "99010119900202001")
)


def scenario() -> bytes:
    """Rows 2 to 9 of the sheet, r6's number stored as a number."""
    rows = [
        ("林海", R2), ("陈月", R3), ("苏珍", R4), ("林海又", R2), ("庞明", None), ("黄强", "99010119960406004x"),
        ("不是她", KNOWN), ("旧相识", OTHER),
    ]  # fmt: skip
    lines = [text("姓名") + text("身份证号")]
    for name, identity in rows:
        lines.append(text(name) + (text(identity) if identity else number("990101199701010011")))
    body = "".join(f'<row r="{n}">{cells}</row>' for n, cells in enumerate(lines, start=1))
    main = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    return a_book(f"<worksheet {main}><sheetData>{body}</sheetData></worksheet>")


async def take(school: School, raw: bytes, mode: Mode, **more: Any) -> Outcome:
    return await importing.into_cohort(
        raw, cohort=school.cohort.public_id, mode=mode, name="名册.xlsx", actor=school.staff, now=NOW, **more
    )


async def rows_of(*tables: str) -> list[int]:
    found = [await database.fetch_one(f"SELECT count(*) AS n FROM {table}") for table in tables]
    return [row["n"] for row in found if row is not None]


TABLES = ("person", "enrolment", "streamer", "roster_import", "audit_entry")


async def test_the_roster_of_the_scenario(db: Settings) -> None:
    school = await a_school()
    await a_person(school, name="已登记", identity=KNOWN)
    await a_person(school, name="旧相识", identity=OTHER)
    before = await rows_of(*TABLES)

    looked = await take(school, scenario(), Mode.DRY_RUN)
    assert (looked.ok, len(looked.wrong), await rows_of(*TABLES)) == (4, 4, before)
    with pytest.raises(RosterRefused) as refused:
        await take(school, scenario(), Mode.STRICT)
    assert (refused.value.status, await rows_of(*TABLES)) == (422, before)
    first = await take(school, scenario(), Mode.PARTIAL)
    again = await take(school, scenario(), Mode.PARTIAL)

    wrong = [(4, "ID_CHECKSUM"), (5, "DUP_IN_FILE"), (6, "ID_NUMERIC_CELL"), (8, "NAME_MISMATCH")]
    assert (
        [(each.line, each.code) for each in first.wrong] == wrong == [(e.line, e.code) for e in again.wrong]
    )
    assert first.wrong[1].of == 2
    assert (first.created, first.linked, first.enrolled) == (3, 1, 4)
    assert (again.created, again.unchanged, again.enrolled) == (0, 4, 0)
    assert (await Enrolment.all().count(), (await school.fresh()).taken) == (4, 4)
    assert Counter(each.state for each in await Enrolment.all()) == {"enrolled": 4}
    x = await Person.get(identity_index=people.identity_index("99010119960406004X"))
    assert people.number_of(x) == "99010119960406004X"
    book = await importing.workbook(first.import_id, actor=school.staff, now=NOW)
    head, *told = [cells for _, cells in decoding.read(book).rows]
    assert head[-1] == "错误原因"
    assert [row[-2] for row in told] == ["4", "5", "6", "8"]
    assert "第 2 行" in told[1][-1]
    sealed = bytes((await RosterImport.all().order_by("id").first()).mistakes_sealed or b"")
    assert R4.encode() not in sealed


async def test_a_formula_in_a_name_comes_back_as_text(db: Settings) -> None:
    school = await a_school()
    evil = '=HYPERLINK("http://evil.example","奖金")'

    outcome = await take(school, a_roster((evil, an_identity(), "", "")), Mode.PARTIAL)

    assert [each.code for each in outcome.wrong] == ["NAME_FORMAT"]
    book = importing.workbook_of(outcome.wrong, outcome.head)
    assert next(cells for line, cells in decoding.read(book).rows if line == 2)[0] == evil
    assert b"<f>" not in book
    assert 't="inlineStr"' in writing._sheet([(evil,)], ())


async def test_a_full_class_takes_no_more_and_phones_are_one_persons(db: Settings) -> None:
    school = await a_school(capacity=2)
    await a_person(school, name="别人", phone="13900000001")

    outcome = await take(
        school,
        a_roster(
            ("甲", an_identity(), "13900000001", ""),
            ("乙", an_identity(), "13900000002", ""),
            ("丙", an_identity(), "13900000002", ""),
            ("丁", an_identity(), "1390000000", ""),
            ("戊", an_identity(), "", ""),
            ("己", an_identity(), "", ""),
        ),
        Mode.PARTIAL,
    )

    assert [(each.line, each.code) for each in outcome.wrong] == [
        (2, "PHONE_KNOWN"), (4, "PHONE_IN_FILE"), (5, "PHONE_FORMAT"), (7, "OVER_CAPACITY"),
    ]  # fmt: skip
    assert (outcome.ok, outcome.enrolled, outcome.created) == (2, 2, 2)


async def test_thousands_of_rows_do_not_hold_up_the_loop(db: Settings) -> None:
    school = await a_school()
    raw = a_roster(*((f"人员{n}", an_identity_of(n), "", "") for n in range(3000)))
    longest, done = 0.0, asyncio.Event()

    async def pulse() -> None:
        nonlocal longest
        while not done.is_set():
            began = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - began)

    beating = asyncio.create_task(pulse())
    outcome = await importing.into_register(
        raw, mode=Mode.STRICT, name="全市.xlsx", actor=school.manager, now=NOW
    )
    again = await importing.into_register(
        raw, mode=Mode.STRICT, name="全市.xlsx", actor=school.manager, now=NOW
    )
    done.set()
    await beating

    assert (outcome.created, again.created, again.unchanged) == (3000, 0, 3000)
    assert longest < 1.5  # the machine is shared; a whole import takes longer


def an_identity_of(n: int) -> str:
    seventeen = f"99010119{60 + n // 1000 % 40:02}0101{n % 1000:03}"
    return seventeen + identity_numbers.check_letter(seventeen)


cells = st.sampled_from(
    ["", "林海", "=1+1", R2, R3, R4, "1.9E+17", "13900000001", "脱贫户", "火星人", "x" * 50]
)


@given(st.lists(st.tuples(cells, cells, cells, cells), max_size=12))
def test_every_row_of_data_is_either_taken_or_told(rows: list[tuple[str, ...]]) -> None:
    data = [each for each in rows if any(each)]
    if not data:
        return

    sheet = roster.read(a_roster(*rows), today=TODAY)

    wrong = roster.mistakes(sheet.rows)
    assert len(sheet.rows) == len(data)
    assert {each.code for each in wrong} <= set(roster.REASONS)
    taken = [each for each in sheet.rows if each not in wrong]
    assert len({each.identity.number for each in taken}) == len(taken)


async def test_a_number_is_revealed_for_a_reason_that_stays(db: Settings) -> None:
    school = await a_school()
    person = await a_person(school, name="林海", identity=R2, phone="13900000003")

    with pytest.raises(RevealReasonMissing):
        await people.reveal(person.public_id, reason=" ", actor=school.manager, now=NOW)
    found = await people.reveal(person.public_id, reason="核对报名表", actor=school.manager, now=NOW)

    entry = await database.fetch_one("SELECT * FROM audit_entry WHERE action = 'person.revealed'")
    assert entry is not None
    assert (found.identity, found.phone, repr(found)) == (R2, "13900000003", "Revealed()")
    assert "核对报名表" in entry["detail"]
    assert R2 not in repr(entry)
    assert sealing.ring().open_text(bytes(person.identity_sealed or b""), place=people.IDENTITY_PLACE) == R2
