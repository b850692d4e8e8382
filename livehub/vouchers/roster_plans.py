"""What a roster's rows mean against what a direct round gave before, and the numbers that become known."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from livehub import database
from livehub.kit import sealing
from livehub.vouchers import households, identity
from livehub.vouchers.households import Row, Wrong

Indexed = tuple[Row, bytes, bytes | None]  # with the indexes of phone and household


class Plan(Struct):
    """What rows mean against the round. The row of one that is new or numbered keeps its twins."""

    new: list[Indexed]
    numbered: list[Indexed]  # known by their phones, and now by a number that nobody has
    unchanged: int
    wrong: list[Wrong]
    twins: list[Wrong]  # other rows of the numbers of those that are new or numbered


async def against(rows: Sequence[Row], round_id: int) -> Plan:
    """Who has hers already, and whose phone and number belong to two households."""
    groups = await asyncio.to_thread(lambda: [[_indexes(each) for each in (row, *row.twins)] for row in rows])
    known = await database.with_rows(
        {"round_id": "bigint", "person_key": "bytea", "household_index": "bytea"},
        [(round_id, phone, number or b"") for group in groups for _, phone, number in group],
        "SELECT h.person_key, h.household_index FROM v JOIN direct_household h ON h.round_id = v.round_id"
        " AND (h.person_key = v.person_key OR h.household_index = v.household_index)",
    )
    by_phone = {bytes(row["person_key"]): row["household_index"] for row in known}
    numbers = {bytes(row["household_index"]) for row in known if row["household_index"] is not None}
    plan = Plan(new=[], numbered=[], unchanged=0, wrong=[], twins=[])
    for group in groups:
        chosen = _household(group, by_phone)
        row, phone, number = chosen
        had = by_phone.get(phone)
        twins = [
            households.wrong(each, "HOUSEHOLD_IN_FILE", "household", of=row.line)
            for each, _, _ in group
            if each.line != row.line
        ]
        if phone in by_phone and (number is None or (had is not None and bytes(had) == number)):
            plan.unchanged += 1
        elif had is not None:
            plan.wrong.append(households.wrong(row, "PHONE_KNOWN", "phone"))
        elif number is not None and number in numbers:
            plan.wrong.append(households.wrong(row, "HOUSEHOLD_KNOWN", "household"))
        else:
            (plan.numbered if phone in by_phone else plan.new).append((group[0][0], phone, number))
            plan.twins += twins
            continue
        plan.wrong += twins
    return plan


def _household(group: Sequence[Indexed], by_phone: Mapping[bytes, bytes | None]) -> Indexed:
    """Which row of a number is the household: who has this number, who has none yet, or the first."""

    def rank(each: Indexed) -> int:
        _, phone, number = each
        if phone not in by_phone:
            return 2
        had = by_phone[phone]
        if had is None:
            return 1
        return 0 if bytes(had) == number else 2

    return min(group, key=rank)


async def number(known: Sequence[Indexed], round_id: int) -> None:
    """Keep the numbers of households that were known by their phones alone: each is given theirs once."""
    await database.write_rows(
        {"round_id": "bigint", "person_key": "bytea", "household_index": "bytea"},
        [(round_id, phone, number) for _, phone, number in known],
        "UPDATE direct_household SET household_index = v.household_index FROM v"
        " WHERE direct_household.round_id = v.round_id AND direct_household.person_key = v.person_key"
        " AND direct_household.household_index IS NULL",
    )


def _indexes(row: Row) -> Indexed:
    number = sealing.ring().blind(row.household, purpose="household") if row.household else None
    return row, identity.phone_index(row.phone), number
