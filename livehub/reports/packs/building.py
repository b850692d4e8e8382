"""Make a pack: forms, evidence, the chain and the index, piece by piece within a bounded memory."""

from __future__ import annotations

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec import Struct

from livehub.accounts import chain
from livehub.kit import tables
from livehub.kit.tables import Cell
from livehub.reports import forms
from livehub.reports.forms import Ask, Document
from livehub.reports.packs import files, paper, sales, tally, words
from livehub.reports.packs.tally import Tally
from livehub.reports.packs.zipped import Member, Open, Zipped

FORMAT = "livehub-pack/1"
PIECE = 256 * 1024
INDEX, REPORT, SIGNATURE, CHAIN = "index.json", "report.json", "signature.json", "chain.csv"
CHAIN_HEAD = ("seq", "hash", "entry", "action", "payload")
_KEPT_BACK = frozenset({"claimant", "streamer"})


class PackDiffers(Exception):
    """The evidence does not add up to the figures: something that names them was changed since.

    It says in Chinese which, for a person.
    """


class Index(Struct, frozen=True, kw_only=True):
    """What a pack holds, and of whom it is."""

    format: str
    kind: str
    bureau: str
    campaign: str
    as_of: datetime
    report_sha256: str
    files: tuple[Member, ...]


class Stretch(Struct, frozen=True):
    """From which link of a bureau's chain to which; 0 to 0 is nothing."""

    bureau_id: int
    first: int
    last: int


class Piece(Struct, frozen=True):
    """The next bytes of a pack, and how many rows of evidence are in by now."""

    data: bytes
    rows: int


class Pack(Struct, frozen=True, kw_only=True):
    """What is to be packed: a frozen document, whose it is, who signed, and the chain that says so."""

    content: bytes
    ask: Ask
    signature: Mapping[str, str]  # '' -> none was given
    stretch: Stretch


async def pieces(pack: Pack) -> AsyncIterator[Piece]:
    """The bytes of the ZIP; PackDiffers when the evidence does not add up to the document."""
    document = forms.decoded(pack.content)
    made = Zipped(document.as_of)
    sums = Tally(document)
    for name, data in _papers(pack, document):
        await asyncio.to_thread(made.put, name, data)
    rows = 0
    async for rows in _evidence(made, document, pack.ask, sums):
        if made.ready >= PIECE:
            yield Piece(made.taken(), rows)
    if wrong := list(tally.differences(document, sums)):
        raise PackDiffers(words.changed(wrong))
    async for links in _chain(made, pack.stretch):
        if made.ready >= PIECE:
            yield Piece(made.taken(), rows + links)
    made.put(INDEX, _index(pack, document, made.members))
    made.close()
    yield Piece(made.taken(), rows)


def _papers(pack: Pack, document: Document) -> list[tuple[str, bytes]]:
    found = [("README.txt", words.readme(document).encode()), (REPORT, pack.content)]
    if pack.signature:
        found.append((SIGNATURE, msgspec.json.encode(pack.signature, order="sorted")))
    return [*found, *paper.files(document, pack.signature)]


async def _evidence(made: Zipped, document: Document, ask: Ask, sums: Tally) -> AsyncIterator[int]:
    """How many rows are in, after each page."""
    rows = 0
    for proof in document.proofs:
        for file in files.PROOFS[proof]:
            sums.begin(file.name, file.head)
            with made.file(f"evidence/{file.name}") as opened:
                await asyncio.to_thread(opened.write, tables.BOM.encode() + _written([file.head]))
                async for page in file.pages(ask):
                    await asyncio.to_thread(_add, opened, page, sums)
                    rows += len(page)
                    yield rows
        if proof == "messages":
            with made.file(f"evidence/{sales.FACTS}") as opened:
                async for data in sales.facts(ask):
                    await asyncio.to_thread(opened.write, data)
                    yield rows


def _add(opened: Open, page: Sequence[Sequence[Cell]], sums: Tally) -> None:
    cells = [[tables.cell(value) for value in row] for row in page]
    for row in cells:
        sums.add(row)
    opened.member.rows += len(cells)
    opened.write(_written(cells))


async def _chain(made: Zipped, stretch: Stretch) -> AsyncIterator[int]:
    """How many links are in: the one before the stretch, to begin from, then each of it.

    What consumers, streamers and tills did has its hash alone: their entries name people and addresses.
    """
    if not stretch.last:
        return
    done = 0
    with made.file(CHAIN) as opened:
        await asyncio.to_thread(opened.write, tables.BOM.encode() + _written([CHAIN_HEAD]))
        async for page in chain.links(stretch.bureau_id, first=max(1, stretch.first - 1), last=stretch.last):
            rows = [
                [str(each.seq), each.hash, str(each.entry_id), each.action, each.payload.decode()]
                if each.seq >= stretch.first and not _is_kept_back(each)
                else [str(each.seq), each.hash, str(each.entry_id), "", ""]
                for each in page
            ]
            opened.member.rows += len(rows)
            done += len(rows)
            await asyncio.to_thread(opened.write, _written(rows))
            yield done


def _is_kept_back(link: chain.Link) -> bool:
    return link.actor_kind in _KEPT_BACK or link.action.startswith("voucher.")


def _index(pack: Pack, document: Document, members: Sequence[Member]) -> bytes:
    index = Index(
        format=FORMAT,
        kind=document.kind,
        bureau=document.bureau,
        campaign=document.campaign,
        as_of=document.as_of,
        report_sha256=forms.digest(pack.content).hex(),
        files=tuple(members),
    )
    return msgspec.json.encode(index, order="sorted")


def _written(rows: Sequence[Sequence[str]]) -> bytes:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(rows)
    return out.getvalue().encode()
