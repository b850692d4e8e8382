"""Signed reports are what was signed, and their packs what was made."""

from __future__ import annotations

from hashlib import sha256

from livehub.kit.invariants import Invariant
from livehub.reports import packing
from livehub.reports.models import BureauReport, PackState, ReportPack, ReportState

RECENT = 200


async def check() -> list[str]:
    """Reports and packs, the newest first, whose bytes do not have their SHA-256."""
    wrong = [
        f"report {row.public_id} is not what was signed"
        for row in await BureauReport.exclude(state=ReportState.DRAFT).order_by("-id").limit(RECENT)
        if sha256(row.content.encode()).digest() != row.sha256
    ]
    for pack in await ReportPack.filter(state=PackState.DONE).order_by("-id").limit(RECENT // 10):
        found = sha256()
        async for data in packing.pieces(pack.id):
            found.update(data)
        if found.digest() != pack.sha256:
            wrong.append(f"the pack of report {pack.report_id} is not what was made")
    return wrong


INVARIANT = Invariant("reports.signed", "签字的报表和资料包与其 SHA-256 一致", check)
