"""The archive of a class: everything is in it, each file is what the index says, and no number is in clear."""

from __future__ import annotations

import io
import zipfile
from datetime import date
from hashlib import sha256

import msgspec
import pytest

from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import AuditEntry
from livehub.kit.sheets import decoding
from livehub.settings import Settings
from streamers.errors import RevealReasonMissing
from streamers.training import archive, certificates, evidence
from streamers.training.course_models import Certificate
from streamers.training.errors import EvidenceChanged, EvidenceKnown, EvidenceRefused
from streamers.training.subsidy_models import EvidenceFile
from tests.factories.claims import a_closed_school, checked, submitted
from tests.factories.training import LATER, School, a_trainee, an_identity

PDF = b"%PDF-1.7 a leave slip"


async def packed(school: School, *, reason: str | None = None) -> tuple[zipfile.ZipFile, archive.Index]:
    whole = await archive.prepared(school.cohort.public_id, reason=reason, actor=school.manager, now=LATER)
    pieces = [
        each
        async for each in archive.stream(whole, in_clear=reason is not None, actor=school.manager, now=LATER)
    ]
    book = zipfile.ZipFile(io.BytesIO(b"".join(pieces)))
    return book, msgspec.json.decode(book.read("index.json"), type=archive.Index)


def rows(book: zipfile.ZipFile, path: str) -> list[list[str]]:
    return [list(cells) for _, cells in decoding.read(book.read(path)).rows]


async def test_everything_about_a_class_is_in_one_file_and_the_index_names_its_digest(db: Settings) -> None:
    school, (first, *_) = await a_closed_school()
    paper = await Certificate.get(enrolment_id=first.id)
    await certificates.replace(paper.public_id, reason="姓名打错", actor=school.manager, now=LATER)
    await checked(school, first)
    await submitted(school)
    await evidence.add(
        school.cohort.public_id,
        kind="leave_slip",
        name="请假条 1.pdf",
        body=PDF,
        actor=school.staff,
        now=LATER,
    )

    book, index = await packed(school)

    assert book.testzip() is None
    inside = {each.path: each for each in index.files if each.included}
    assert sorted(book.namelist()) == sorted([*inside, "index.json"])
    for path, each in inside.items():
        assert (sha256(book.read(path)).hexdigest(), len(book.read(path))) == (each.sha256, each.size)
    assert [path[:2] for path in inside] == [
        "01", "02", "03", "04", "05", "06", "07", "08", "09", "10", "11", "12",
    ]  # fmt: skip
    assert [(each.path, each.sha256) for each in index.files if not each.included] == [
        ("90-佐证材料/001-请假条_1.pdf", sha256(PDF).hexdigest())
    ]
    assert [row[3] for row in rows(book, "08-证书登记.xlsx")[1:]] == ["已换发", "有效", "有效"]
    assert rows(book, "10-补贴测算.xlsx")[-1][-1] == "480.00"
    changes = [row[2] for row in rows(book, "12-变更记录.xlsx")[1:]]
    assert {"cohort.created", "certificate.issued", "claim.submitted", "spot_check.noted"} <= set(changes)
    assert (index.numbers, index.retain_until) == ("masked", "2036-03-31")


async def test_numbers_are_masked_unless_somebody_who_may_open_them_says_why(db: Settings) -> None:
    school, _ = await a_closed_school(trainees=2)
    identity, phone = an_identity(), "13900000001"
    school.cohort.state = "running"
    await school.cohort.save(update_fields=["state"])
    await a_trainee(school, identity=identity, phone=phone)
    await evidence.add(
        school.cohort.public_id, kind="photo", name="a.pdf", body=PDF, actor=school.staff, now=LATER
    )

    masked, _ = await packed(school)
    clear, index = await packed(school, reason="主管部门验收")
    with pytest.raises(PermissionMissing):
        await archive.prepared(school.cohort.public_id, reason="验收", actor=school.staff, now=LATER)
    with pytest.raises(RevealReasonMissing):
        await archive.prepared(school.cohort.public_id, reason=" ", actor=school.manager, now=LATER)

    everything = "".join(str(rows(masked, name)) for name in masked.namelist() if name.endswith("xlsx"))
    assert identity not in everything
    assert phone not in everything
    assert [identity, phone] in [row[2:4] for row in rows(clear, "02-花名册.xlsx")]
    assert "139****0001" in [row[3] for row in rows(masked, "02-花名册.xlsx")]
    assert (index.numbers, clear.read("90-佐证材料/001-a.pdf")) == ("clear", PDF)
    entries = await AuditEntry.filter(action="archive.packed").order_by("id")
    assert [("主管部门验收" in each.detail, '"clear"' in each.detail) for each in entries] == [
        (False, False), (True, True),
    ]  # fmt: skip


async def test_what_begins_like_a_formula_stays_text(db: Settings) -> None:
    school, (first, *_) = await a_closed_school(trainees=2)
    first.reason = '=HYPERLINK("http://x")'
    await first.save(update_fields=["reason"])

    book, _ = await packed(school)

    inner = zipfile.ZipFile(io.BytesIO(book.read("02-花名册.xlsx")))
    sheet = inner.read("xl/worksheets/sheet1.xml").decode()
    assert "<f>" not in sheet
    assert '=HYPERLINK("http://x")' in str(rows(book, "02-花名册.xlsx"))


async def test_a_file_is_kept_once_sealed_for_ten_years_and_only_if_it_can_be_looked_at(db: Settings) -> None:
    school, _ = await a_closed_school(trainees=2)
    cohort, by = school.cohort.public_id, {"actor": school.staff, "now": LATER}

    kept = await evidence.add(cohort, kind="photo", name="a.pdf", body=PDF, **by)
    with pytest.raises(EvidenceKnown):
        await evidence.add(cohort, kind="other", name="b.pdf", body=PDF, **by)
    for wrong in (
        {"kind": "gossip", "name": "a.pdf", "body": PDF},
        {"kind": "photo", "name": "\n", "body": PDF},
        {"kind": "photo", "name": "a.exe", "body": b"MZ"},
        {"kind": "photo", "name": "a.pdf", "body": PDF + b"x" * evidence.FILE_LIMIT},
    ):
        with pytest.raises(EvidenceRefused):
            await evidence.add(cohort, **wrong, **by)

    assert (kept.retain_until, await evidence.content(kept.id)) == (date(2036, 3, 31), PDF)
    assert PDF not in bytes((await EvidenceFile.get(id=kept.id)).content_sealed)
    await EvidenceFile.filter(id=kept.id).update(sha256=sha256(b"another").digest())
    with pytest.raises(EvidenceChanged):
        await evidence.content(kept.id)
