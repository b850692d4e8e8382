"""A pack says the truth about itself, and whatever is changed, left out or added in it is found."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import random
import zipfile
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from click.testing import CliRunner

from livehub.cli.verify_pack import command
from livehub.reports import composing
from livehub.reports.packs import checking
from livehub.settings import Settings
from tests.factories.reports import Books, a_month, packed
from tests.settlement.merchants import D, of

Change = Callable[[bytes], bytes]
on_one_engine = pytest.mark.parametrize("settings", ["sqlite"], indirect=True)  # of what no database is asked


def rewritten(path: Path, changes: dict[str, Change | None], *, index: bool = True) -> Path:
    """The pack with other contents; with ``index`` its hashes are those of the other contents."""
    there = zipfile.ZipFile(path)
    contents = {info.filename: there.read(info) for info in there.infolist()}
    for name, change in changes.items():
        if change is None:
            del contents[name]
        else:
            contents[name] = change(contents.get(name, b""))
    if index:
        says = json.loads(contents["index.json"])
        says["files"] = [
            each | {"sha256": hashlib.sha256(contents[each["name"]]).hexdigest(), "size": len(contents[each["name"]])}
            for each in says["files"]
            if each["name"] in contents
        ]  # fmt: skip
        says["report_sha256"] = hashlib.sha256(contents["report.json"]).hexdigest()
        contents["index.json"] = json.dumps(says).encode()
    other = path.with_suffix(".other.zip")
    with zipfile.ZipFile(other, "w", zipfile.ZIP_DEFLATED) as made:
        for name, content in contents.items():
            made.writestr(name, content)
    return other


def rows_of(content: bytes) -> list[list[str]]:
    return list(csv.reader(io.StringIO(content.decode(), newline="")))


def table(rows: list[list[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()


def without(row: int) -> Change:
    return lambda content: table([each for n, each in enumerate(rows_of(content)) if n != row])


def twice(row: int) -> Change:
    return lambda content: table(
        [each for n, each in enumerate(rows_of(content)) for _ in range(1 + (n == row))]
    )


def one_more(row: int, column: int) -> Change:
    def change(content: bytes) -> bytes:
        rows = rows_of(content)
        rows[row][column] = str(int(rows[row][column]) + 1)
        return table(rows)

    return change


def is_number(text: str) -> bool:
    return text.removeprefix("-").isdigit()


def wrong(path: Path) -> list[str]:
    return [line for each in checking.check(path).checks for line in each.wrong]


async def settle(books: Books) -> None:
    """The first merchant's batch is submitted, and one of the other's refunds comes after it."""
    await books.town.run(D)
    await books.town.submit(await of(books.town.first))
    await books.town.submit(await of(books.town.second))


@pytest.mark.parametrize("kind", sorted(composing.registry()))
async def test_nothing_is_wrong_with_a_pack(db: Settings, tmp_path: Path, kind: str) -> None:
    async with a_month(db) as books:
        await settle(books)
        path = await packed(books, kind, tmp_path)
        (tmp_path / "later").mkdir()
        with time_machine.travel(timedelta(days=400), tick=True):
            again = await packed(books, kind, tmp_path / "later")

    found = checking.check(path)

    assert {each.name: each.wrong for each in found.checks if each.wrong} == {}
    assert path.read_bytes() == again.read_bytes()
    assert wrong(rewritten(path, {})) == []


# What a row says that no sum and no other table says too: a change of it is found by the hash alone.
MOST_ROWS = 6  # of each table
ONLY_HASHED = {
    "batches.csv": {"carried_in_fen"},
    "redemptions.csv": {"threshold_fen", "face_fen"},  # of one that was refunded whole
}


def spoiled(path: Path) -> Iterator[tuple[str, dict[str, Change | None]]]:
    """Rows of every table of evidence left out, doubled, and each of their amounts changed by one."""
    archive = zipfile.ZipFile(path)
    for name in archive.namelist():
        if not (name.startswith("evidence/") and name.endswith(".csv")) or "rules" in name:
            continue
        rows = rows_of(archive.read(name))
        for number in range(1, min(len(rows), MOST_ROWS + 1)):
            yield f"{name}, row {number} left out", {name: without(number)}
            yield f"{name}, row {number} twice", {name: twice(number)}
            for column, head in enumerate(rows[0]):
                if head.endswith("_fen") or head in {"minutes", "orders", "units", "pending"}:
                    if head in ONLY_HASHED.get(name.removeprefix("evidence/"), ()):
                        continue
                    if is_number(rows[number][column]):
                        yield f"{name}, row {number}, {head}", {name: one_more(number, column)}


@pytest.mark.parametrize("kind", ["monthly", "settlement_sheet", "voucher_funds"])
@on_one_engine
async def test_a_row_left_out_added_or_changed_is_found_even_when_the_hashes_are_made_anew(
    db: Settings, tmp_path: Path, kind: str
) -> None:
    async with a_month(db) as books:
        await settle(books)
        path = await packed(books, kind, tmp_path)

    cases = dict(spoiled(path))
    unnoticed = [name for name, changes in cases.items() if not wrong(rewritten(path, changes))]

    assert unnoticed == []
    assert len(cases) > 40


@on_one_engine
async def test_a_changed_byte_is_found(db: Settings, tmp_path: Path) -> None:
    async with a_month(db) as books:
        path = await packed(books, "monthly", tmp_path)
    chance = random.Random(7)
    archive = zipfile.ZipFile(path)

    for name in archive.namelist():
        size = archive.getinfo(name).file_size
        for at in {0, size - 1, chance.randrange(size)}:

            def flipped(content: bytes, at: int = at) -> bytes:
                return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]

            assert wrong(rewritten(path, {name: flipped}, index=False)), (name, at)


@on_one_engine
async def test_a_file_too_many_too_few_or_twice_is_found(db: Settings, tmp_path: Path) -> None:
    async with a_month(db) as books:
        path = await packed(books, "origins", tmp_path)

    more = wrong(rewritten(path, {"evidence/more.csv": lambda _: b"x"}))
    fewer = wrong(rewritten(path, {"evidence/entries.csv": None}, index=False))
    other = rewritten(path, {})
    with zipfile.ZipFile(other, "a") as made, pytest.warns(UserWarning, match="Duplicate"):
        made.writestr("report.json", b"{}")

    assert "evidence/more.csv is in the pack and not in its index" in more
    assert "evidence/entries.csv is in the index and not in the pack" in fewer
    assert wrong(other)


@pytest.mark.parametrize("raw", [b"", b"PK", b"not a zip at all", b"PK\x05\x06" + bytes(18)])
def test_what_is_no_pack_is_told_in_a_sentence(tmp_path: Path, raw: bytes) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(raw)

    ran = CliRunner().invoke(command, [str(path)])

    assert ran.exit_code == 1
    assert "WRONG  can be read" in ran.output


@on_one_engine
async def test_the_command_says_what_it_looked_at(db: Settings, tmp_path: Path) -> None:
    async with a_month(db) as books:
        path = await packed(books, "monthly", tmp_path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    bad = rewritten(path, {"evidence/lines.csv": without(1)})

    good = CliRunner().invoke(command, [str(path), "--sha256", digest])
    other = CliRunner().invoke(command, [str(path), "--sha256", "0" * 64])
    found = CliRunner().invoke(command, [str(bad)])

    assert (good.exit_code, "nothing is wrong with it" in good.output) == (0, True)
    assert (other.exit_code, "does not have the SHA-256" in other.output) == (1, True)
    assert (found.exit_code, "WRONG  figures are the sums of their evidence" in found.output) == (1, True)
