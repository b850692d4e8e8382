"""报表: prepared by one, signed by another for what she saw, packed, submitted, returned; and never changed."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from livehub import database
from livehub.accounts.errors import OutOfScope, PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import AuditEntry, Role
from livehub.kit.errors import Invalid, NotFound
from livehub.kit.states import WrongState
from livehub.reports import documents, later, packing
from livehub.reports.documents import NewReport, Seen
from livehub.reports.errors import PackFailed, PackNotReady, ReportMoved, ReportOutlived
from livehub.reports.invariants import signed as signed_invariant
from livehub.reports.models import BureauReport, PackState, ReportPack, ReportState
from livehub.reports.packs import checking
from livehub.settings import Settings
from tests.contention import kinds, meet
from tests.factories.accounts import a_bureau, an_actor
from tests.factories.reports import SINCE, UNTIL, Books, a_month, an_empty_month, linked
from tests.factories.vouchers import NOW
from tests.reports.packs.test_checking import rewritten, without, wrong

LATER = NOW + timedelta(days=20)
MONTH = {"since": SINCE, "until": UNTIL}


def second(books: Books):
    """Another officer of the bureau."""
    return an_actor(Role.BUREAU, bureau_id=books.house.bureaus[0].id, centre_id=books.house.centre.id)


async def drafted(books: Books, kind: str = "monthly", **changes: object) -> BureauReport:
    wanted = {"kind": kind, "bureau": books.house.bureaus[0].public_id, **MONTH, **changes}
    return await documents.prepare(NewReport(**wanted), actor=books.officer, now=LATER)


async def seen(books: Books, report: BureauReport, *, now=LATER) -> Seen:
    return await documents.read(report.public_id, actor=books.officer, now=now)


async def signed(books: Books, report: BureauReport, *, actor=None, now=LATER) -> BureauReport:
    """Signed as it is read at this moment."""
    read = await seen(books, report, now=now)
    return await documents.sign(
        report.public_id, sha256=read.sha256, as_of=read.ask.as_of, actor=actor or second(books), now=now
    )


async def on_disk(books: Books, report: BureauReport, path: Path) -> Path:
    kept = await packing.ready(report.public_id, actor=books.officer)
    with path.open("wb") as file:
        async for data in packing.pieces(kept.id):
            file.write(data)
    return path


async def test_a_report_is_prepared_signed_packed_submitted_and_returned(
    db: Settings, tmp_path: Path
) -> None:
    async with a_month(db) as books:
        draft = await drafted(books)
        read = await seen(books, draft)
        done = await signed(books, draft)
        with pytest.raises(PackNotReady):
            await packing.ready(draft.public_id, actor=books.officer)
        assert await packing.build_next(now=LATER) == 0  # its signing is not in the chain yet
        await linked()
        assert [await packing.build_next(now=LATER) for _ in range(2)] == [1, 0]
        path = await on_disk(books, draft, tmp_path / "pack.zip")
        kept = await packing.ready(draft.public_id, actor=books.officer)
        handed_in = await documents.submit(
            draft.public_id, reference="农发〔2026〕7 号", actor=second(books), now=LATER
        )
        back = await documents.give_back(draft.public_id, reason="缺盖章", actor=second(books), now=LATER)
        entry = await AuditEntry.get(action="report.signed")
        invariant = await signed_invariant.check()
        await database.execute("UPDATE report_pack_piece SET body = substr(body, 2) WHERE number = 1")
        assert len(await signed_invariant.check()) == 1

    assert (done.state, done.sha256, done.content.encode()) == (
        ReportState.SIGNED,
        bytes.fromhex(read.sha256),
        read.content,
    )
    assert invariant == []
    found = checking.check(path)
    assert {each.name: each.wrong for each in found.checks if each.wrong} == {}
    assert (found.sha256, found.report_sha256) == (kept.sha256, read.sha256)
    assert path.stat().st_size == kept.size
    assert read.sha256 in entry.detail
    assert (handed_in.state, handed_in.reference) == (ReportState.SUBMITTED, "农发〔2026〕7 号")
    assert (back.state, back.reason) == (ReportState.RETURNED, "缺盖章")
    last = len(_rows(path, "chain.csv")) - 1
    for change in (
        {"report.json": lambda raw: raw.replace("月度".encode(), "年度".encode())},
        {"chain.csv": without(last)},
    ):
        assert wrong(rewritten(path, change)), change
    assert wrong(rewritten(path, {"chain.csv": without(last // 2)}))
    assert wrong(rewritten(path, {"chain.csv": None}))


def _rows(path: Path, name: str) -> list[list[str]]:
    import zipfile  # noqa: PLC0415 -- of this one test

    from tests.reports.packs.test_checking import rows_of  # noqa: PLC0415 -- as above

    return rows_of(zipfile.ZipFile(path).read(name))


async def test_who_prepared_it_a_machine_and_others_do_not_sign(db: Settings) -> None:
    async with a_month(db) as books:
        draft = await drafted(books)
        other = await a_bureau(books.house.centre, name="商务局")
        stranger = an_actor(Role.BUREAU, bureau_id=other.id, centre_id=books.house.centre.id)
        with pytest.raises(SecondPersonNeeded):
            await signed(books, draft, actor=books.officer)
        with pytest.raises(SecondPersonNeeded):
            await signed(books, draft, actor=replace(second(books), kind="token"))
        for role in (Role.MANAGER, Role.FINANCE, Role.AUDITOR, Role.STAFF):
            with pytest.raises(PermissionMissing):
                await signed(books, draft, actor=an_actor(role, centre_id=books.house.centre.id))
        with pytest.raises(OutOfScope):
            await signed(books, draft, actor=stranger)
        with pytest.raises(OutOfScope):
            await documents.read(draft.public_id, actor=stranger, now=LATER)
        with pytest.raises(OutOfScope):
            await packing.ready(draft.public_id, actor=stranger)
        with pytest.raises(OutOfScope):
            await documents.prepare(
                NewReport(kind="monthly", bureau=books.house.bureaus[0].public_id, **MONTH),
                actor=stranger,
                now=LATER,
            )
        elsewhere = replace(books.officer, centre_id=books.house.centre.id + 1)
        with pytest.raises(NotFound):
            await documents.read(draft.public_id, actor=elsewhere, now=LATER)
        mine = await documents.listed(actor=books.officer)
        theirs = await documents.listed(actor=stranger)
        auditor = await documents.listed(
            actor=an_actor(Role.AUDITOR, centre_id=books.house.centre.id), state="draft"
        )

    assert [each.public_id for each in mine.items] == [draft.public_id]
    assert (theirs.total, auditor.total) == (0, 1)


async def test_what_changed_since_it_was_looked_at_is_not_signed(db: Settings) -> None:
    async with a_month(db) as books:
        draft = await drafted(books)
        early = await seen(books, draft)
        await books.products[0].filter(id=books.products[0].id).update(town="营盘镇")
        with pytest.raises(ReportMoved):
            await documents.sign(
                draft.public_id, sha256=early.sha256, as_of=early.ask.as_of, actor=second(books), now=LATER
            )
        fresh = await seen(books, draft)
        with pytest.raises(ReportMoved):  # nobody can have looked at this instant yet
            await documents.sign(
                draft.public_id,
                sha256=fresh.sha256,
                as_of=LATER + timedelta(days=1),
                actor=second(books),
                now=LATER,
            )
        done = await signed(books, draft)
        with pytest.raises(WrongState):
            await signed(books, draft)
        with pytest.raises(WrongState):
            await documents.give_back(draft.public_id, reason="还没有上报", actor=second(books), now=LATER)

    assert done.state is ReportState.SIGNED


async def test_a_signed_report_stays_and_what_came_later_stands_beside_it(db: Settings) -> None:
    async with a_month(db) as books:
        draft = await drafted(books)
        await signed(books, draft)
        before = await seen(books, draft)
        after = LATER + timedelta(days=1)
        await books.sell("E", ("egg", 900, 1), paid_at=NOW, told_at=after)
        await books.sell(
            "A",
            ("worm", 12_800, 1),
            ("egg", 3_000, 2),
            paid_at=NOW,
            told_at=after,
            refunded={"1": 300},
            room=books.room,
        )
        again = await seen(books, draft, now=after + timedelta(hours=1))
        changes = {each.reason: (each.g3_fen, each.orders) for each in await later.sales(again.ask)}
        refunds = await later.refunds(again.ask)

    assert again.content == before.content
    assert changes == {"late": (900, 1)}  # A's money went back in June
    assert (refunds.refunds, refunds.refund_fen) == (0, 0)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"kind": "weekly"}, "kind"),
        ({"bureau": "nobody"}, "bureau"),
        ({"until": SINCE}, "to"),
        ({"until": date(2027, 8, 1)}, "to"),
        ({"since": date(2026, 7, 1), "until": date(2026, 8, 1)}, "from"),
        ({"since": date(1026, 7, 1)}, "from"),
    ],
)
async def test_a_period_that_cannot_be_is_refused_by_its_field(
    db: Settings, changes: dict[str, object], field: str
) -> None:
    async with an_empty_month(db) as books:
        with pytest.raises(Invalid) as refused:
            await drafted(books, **changes)

    assert [each.field for each in refused.value.details] == [field]


async def test_a_pack_whose_sums_do_not_fit_is_not_made(db: Settings) -> None:
    async with a_month(db) as books:
        draft = await drafted(books)
        await signed(books, draft)
        await books.products[0].filter(id=books.products[0].id).update(town="营盘镇")
        await linked()
        assert await packing.build_next(now=LATER) == 1
        pack = await ReportPack.get(report_id=draft.id)
        with pytest.raises(ReportOutlived, match="另外编制") as refused:
            await packing.ready(draft.public_id, actor=books.officer)

    assert pack.state is PackState.FAILED
    assert refused.value.data == {"changed": pack.error}
    assert pack.error.startswith("签字之后改过：乡镇“沙田镇”（")
    assert "依据里现在是“营盘镇”" in pack.error


async def test_a_pack_that_fails_by_itself_sends_to_the_administrator(db: Settings) -> None:
    async with a_month(db) as books:
        pack = await waiting(books)
        await ReportPack.filter(id=pack.id).update(state=PackState.FAILED, error="OSError: no space left")
        report = await BureauReport.get(id=pack.report_id)
        with pytest.raises(PackFailed, match="联系管理员"):
            await packing.ready(report.public_id, actor=books.officer)


async def waiting(books: Books) -> ReportPack:
    """A signed report whose pack can be made."""
    draft = await drafted(books)
    await signed(books, draft)
    await linked()
    return await ReportPack.get(report_id=draft.id)


async def test_of_two_who_make_a_pack_one_does(db: Settings) -> None:
    async with a_month(db) as books:
        await waiting(books)
        answers = await meet(
            db,
            "LOCK TABLE report_pack IN EXCLUSIVE MODE",
            *[lambda: packing.build_next(now=LATER)] * 2,
        )
        pack = await ReportPack.get()

    assert sorted(map(str, answers)) == ["0", "1"]
    assert (pack.state, pack.attempts) == (PackState.DONE, 1)


async def test_who_lost_the_lease_of_a_pack_writes_nothing(db: Settings) -> None:
    async with an_empty_month(db) as books:
        pack = await waiting(books)
        assert await packing._take(pack.id, 7)
        assert not await packing._take(pack.id, 8)
        await database.execute("UPDATE report_pack SET lease_until = 0")
        assert await packing._take(pack.id, 8)
        with pytest.raises(packing.LeaseGone):
            await packing._renew(pack.id, 7, 1)
        await packing._renew(pack.id, 8, 1)


async def test_two_who_sign_at_once_sign_once(db: Settings) -> None:
    async with a_month(db) as books:
        draft = await drafted(books)
        answers = await meet(
            db,
            "LOCK TABLE bureau_report IN EXCLUSIVE MODE",
            *[lambda: signed(books, draft)] * 2,
        )

    assert kinds(answers) == ["BureauReport", "WrongState"]
    assert await AuditEntry.filter(action="report.signed").count() == 1


async def test_a_campaigns_audit_pack(db: Settings, tmp_path: Path) -> None:
    async with a_month(db) as books:
        await linked()
        campaign = books.town.till.world.campaign
        made = await packing.of_campaign(campaign.public_id, actor=books.officer, now=LATER)
        path = tmp_path / "campaign.zip"
        with path.open("wb") as file:
            async for data in made.pieces:
                file.write(data)
        other = await a_bureau(books.house.centre, name="商务局")
        stranger = an_actor(Role.BUREAU, bureau_id=other.id, centre_id=books.house.centre.id)
        with pytest.raises(OutOfScope):
            await packing.of_campaign(campaign.public_id, actor=stranger, now=LATER)
        phones = [row["phone_sealed"] for row in await database.fetch("SELECT phone_sealed FROM claimant")]

    found = checking.check(path)
    assert {each.name: each.wrong for each in found.checks if each.wrong} == {}
    assert phones
    assert made.as_of < LATER
