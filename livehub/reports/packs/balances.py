"""What tables of evidence must say of each other: lines and entries, uses and ledger, batches and lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from hashlib import sha256
from itertools import groupby
from typing import Protocol

import msgspec
from msgspec import Struct

from livehub.reports.line_rows import KEY, MEASURES
from livehub.vouchers.ledger import MAY_BE_NEGATIVE
from livehub.vouchers.models import Account

_RECOVERED = frozenset({"clawback", "refund"})
Record = dict[str, str]


class Tables(Protocol):
    """A pack as these checks read it."""

    def has(self, name: str) -> bool:
        """Whether it holds a file."""

    def records(self, name: str) -> Iterator[Record]:
        """The rows of a table."""

    def lines(self, name: str) -> Iterator[bytes]:
        """The lines of a file."""


class _Fact(Struct):
    """A line of facts.jsonl; the bytes of the fact as they stand."""

    message: str
    fact: msgspec.Raw


def lines(pack: Tables) -> Iterator[str]:
    """Each line that is not what its entries add up to, each that has none, and each that is left out."""
    if not pack.has("evidence/lines.csv"):
        return
    stated = pack.records("evidence/lines.csv")
    for key, some in groupby(pack.records("evidence/entries.csv"), key=lambda row: _names(row, KEY)):
        sums = dict.fromkeys(MEASURES, 0)
        for row in some:
            for name in MEASURES:
                sums[name] += int(row[name])
        if not any(sums.values()):
            continue
        line = next(stated, None)
        if line is None:
            yield f"order {key[0]}, line {key[1]}: it has entries and is left out"
            return
        if _names(line, KEY) != key:
            yield f"order {line['order']}, line {line['line']}: its entries are not those that follow"
            return  # what follows is out of step
        if wrong := [name for name in MEASURES if int(line[name]) != sums[name]]:
            yield f"order {key[0]}, line {key[1]}: {'、'.join(wrong)} is not the sum of its entries"
    for line in stated:
        yield f"order {line['order']}, line {line['line']}: it has no entries"


def messages(pack: Tables) -> Iterator[str]:
    """Each entry whose message is not there, and each fact that is not the one of its message."""
    if not pack.has("evidence/messages.csv"):
        return
    facts: dict[str, str] = {}
    for row in pack.records("evidence/messages.csv"):
        if row["message"] in facts:
            yield f"message {row['message'].strip()} is there twice"
        facts[row["message"]] = row["fact_sha256"].strip()
    for row in pack.records("evidence/entries.csv"):
        if row["message"] and row["message"] not in facts:
            yield f"order {row['order']}: message {row['message'].strip()} is left out"
    wanted = {message.strip(): found for message, found in facts.items() if found}
    for number, raw in enumerate(pack.lines("evidence/facts.jsonl"), start=1):
        fact = msgspec.json.decode(raw, type=_Fact)
        if wanted.pop(fact.message, None) != sha256(bytes(fact.fact)).hexdigest():
            yield f"facts.jsonl, line {number}: not the fact of message {fact.message}"
    yield from (f"message {message}: its fact is left out" for message in wanted)


def ledger(pack: Tables) -> Iterator[str]:
    """Accounts that are not what the postings leave in them, or are below zero though they must not be."""
    if not pack.has("evidence/ledger.csv"):
        return
    found: dict[str, int] = defaultdict(int)
    for row in pack.records("evidence/ledger.csv"):
        amount = int(row["amount_fen"])
        if amount <= 0 or row["debit"] == row["credit"]:
            yield f"entry {row['entry'].strip()}: moves nothing"
        found[row["debit"]] -= amount
        found[row["credit"]] += amount
    whole: dict[str, int] = defaultdict(int)
    for row in pack.records("evidence/accounts.csv"):
        stated = int(row["balance_fen"])
        if found.pop(row["account"], None) != stated:
            yield f"account {row['account'].strip()} ({row['kind']}): not what its postings leave in it"
        if stated < 0 and row["kind"] not in _NEGATIVE:
            yield f"account {row['account'].strip()} ({row['kind']}): below zero"
        whole[row["campaign"]] += stated
    yield from (f"account {name.strip()}: it has postings and is left out" for name in found)
    yield from (
        f"campaign {name}: what was funded is not where the accounts say"
        for name, fen in whole.items()
        if fen
    )


_NEGATIVE = frozenset(str(each) for each in MAY_BE_NEGATIVE | {Account.TREASURY})


def uses(pack: Tables) -> Iterator[str]:
    """Uses and refunds that the ledger did not book like that, and bookings without a use."""
    if not pack.has("evidence/redemptions.csv"):
        return
    booked, recovered = _booked(pack)
    refunds = _refunds(pack)
    for row in pack.records("evidence/redemptions.csv"):
        name, amounts = row["redemption"], {each: int(row[each]) for each in _AMOUNTS}
        if booked.pop(name, None) != amounts["subsidy_fen"]:
            yield f"redemption {name}: the ledger booked another subsidy"
        if recovered.pop(name, 0) != amounts["recovered_fen"]:
            yield f"redemption {name}: the ledger took back another amount"
        if refunds.pop(name, (0, 0)) != (amounts["refunded_fen"], amounts["recovered_fen"]):
            yield f"redemption {name}: not the sums of its refunds"
        if any(amounts[each] != want for each, want in _derived(amounts).items()):
            yield f"redemption {name}: its net amounts do not follow from the others"
    left = booked.keys() | recovered.keys() | refunds.keys()
    yield from (f"redemption {name}: it was booked and is left out" for name in sorted(left))


_AMOUNTS = (
    *("order_fen", "subsidy_fen", "refunded_fen", "recovered_fen", "threshold_fen", "face_fen"),
    *("net_order_fen", "net_subsidy_fen", "kept_threshold_fen", "kept_face_fen"),
)


def _derived(of: dict[str, int]) -> dict[str, int]:
    is_kept = of["refunded_fen"] < of["order_fen"]
    return {
        "net_order_fen": of["order_fen"] - of["refunded_fen"],
        "net_subsidy_fen": of["subsidy_fen"] - of["recovered_fen"],
        "kept_threshold_fen": of["threshold_fen"] if is_kept else 0,
        "kept_face_fen": of["face_fen"] if is_kept else 0,
    }


def _booked(pack: Tables) -> tuple[dict[str, int], dict[str, int]]:
    booked: dict[str, int] = defaultdict(int)
    recovered: dict[str, int] = defaultdict(int)
    for row in pack.records("evidence/ledger.csv"):
        if row["kind"] == "redeem":
            booked[row["redemption"]] += int(row["amount_fen"])
        elif row["kind"] in _RECOVERED:
            recovered[row["redemption"]] += int(row["amount_fen"])
    return booked, recovered


def _refunds(pack: Tables) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for row in pack.records("evidence/refunds.csv"):
        if int(row["refund_fen"]) != int(row["cash_fen"]) + int(row["clawback_fen"]):
            raise ValueError(f"refund {row['refund_no']} of {row['redemption']} is not cash and subsidy")
        refunded, recovered = found.get(row["redemption"], (0, 0))
        found[row["redemption"]] = refunded + int(row["refund_fen"]), recovered + int(row["clawback_fen"])
    return found


def vouchers(pack: Tables) -> Iterator[str]:
    """Vouchers that the ledger did not set money aside for once, and claims without a voucher."""
    if not pack.has("evidence/vouchers.csv"):
        return
    claimed: dict[str, int] = {}
    for row in pack.records("evidence/ledger.csv"):
        if row["kind"] == "claim":
            if row["voucher"] in claimed:
                yield f"voucher {row['voucher']}: claimed twice"
            claimed[row["voucher"]] = int(row["amount_fen"])
    for row in pack.records("evidence/vouchers.csv"):
        if claimed.pop(row["voucher"], None) != int(row["face_fen"]):
            yield f"voucher {row['voucher']}: the ledger did not hold its face for it"
    yield from (f"voucher {name}: it was claimed and is left out" for name in sorted(claimed))


def batches(pack: Tables) -> Iterator[str]:
    """Batches that are not the sums of their lines."""
    if not pack.has("evidence/batches.csv"):
        return
    sums: dict[str, list[int]] = {}
    for row in pack.records("evidence/settlement_lines.csv"):
        of = sums.setdefault(row["batch"], [0, 0, 0])
        amount = int(row["amount_fen"])
        of[0 if amount > 0 else 2 if row["late"] == "1" else 1] += abs(amount)
    for row in pack.records("evidence/batches.csv"):
        redeemed, recovered, late, net, pay = (
            int(row[f"{name}_fen"]) for name in ("redeemed", "recovered", "late", "net", "pay")
        )
        if sums.pop(row["batch"], [0, 0, 0]) != [redeemed, recovered, late]:
            yield f"batch {row['number']}: not the sums of its lines"
        if pay != redeemed - recovered - net:
            yield f"batch {row['number']}: its payment does not follow from its sums"
    yield from (f"batch {name}: it has lines and is left out" for name in sorted(sums))


def _names(row: Record, names: Iterable[str]) -> tuple[str, ...]:
    return tuple(row[name] for name in names)
