"""The files of evidence: what stands in each, read page by page as it was known at the report's instant."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence

from msgspec import Struct

from livehub.kit.tables import Cell
from livehub.reports.forms import Ask
from livehub.reports.packs import funds, sales, settled, shows

Page = Sequence[Sequence[Cell]]


class File(Struct, frozen=True, kw_only=True):
    """One table of evidence."""

    name: str
    head: tuple[str, ...]
    pages: Callable[[Ask], AsyncIterator[Page]]


# Which files prove what a report names as its proofs.
PROOFS: Mapping[str, tuple[File, ...]] = {
    "sales": (
        File(name="lines.csv", head=sales.LINE_HEAD, pages=sales.lines),
        File(name="entries.csv", head=sales.ENTRY_HEAD, pages=sales.entries),
    ),
    "messages": (File(name="messages.csv", head=sales.MESSAGE_HEAD, pages=sales.messages),),
    "broadcasts": (File(name="broadcasts.csv", head=shows.BROADCAST_HEAD, pages=shows.broadcasts),),
    "training": (File(name="attendance.csv", head=shows.ATTENDANCE_HEAD, pages=shows.attendance),),
    "ledger": (
        File(name="accounts.csv", head=funds.ACCOUNT_HEAD, pages=funds.accounts),
        File(name="ledger.csv", head=funds.ENTRY_HEAD, pages=funds.entries),
    ),
    "redemptions": (
        File(name="redemptions.csv", head=funds.USE_HEAD, pages=funds.uses),
        File(name="refunds.csv", head=funds.REFUND_HEAD, pages=funds.refunds),
    ),
    "vouchers": (File(name="vouchers.csv", head=funds.VOUCHER_HEAD, pages=funds.vouchers),),
    "settlement": (
        File(name="batches.csv", head=settled.BATCH_HEAD, pages=settled.batches),
        File(name="settlement_lines.csv", head=settled.LINE_HEAD, pages=settled.lines),
    ),
    "rules": (File(name="rules.csv", head=funds.RULE_HEAD, pages=funds.rules),),
}
