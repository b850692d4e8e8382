"""Rows held until the end of the transaction, always in the order of their ids."""

from __future__ import annotations

from collections.abc import Collection
from typing import Literal

from livehub import database

Table = Literal["voucher_template", "campaign_round", "campaign", "voucher_drop"]


async def hold(table: Table, ids: Collection[int]) -> None:
    """Keep others from changing these rows; SQLite has one writer and needs nothing.

    Order among tables: template, round, campaign, drop, link, ledger account; claims keep to it too.
    """
    if database.dialect() == "postgres":
        await database.with_rows(
            {"wanted": "bigint"},
            [(each,) for each in sorted(ids)],
            f"SELECT t.id FROM {table} t WHERE t.id IN (SELECT wanted FROM v) ORDER BY t.id FOR UPDATE OF t",
        )
