"""Double entry: each fen of a campaign's budget lies in exactly one account, and every move is one entry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec import Struct

from livehub import database
from livehub.kit import clock
from livehub.vouchers.errors import InsufficientFunds
from livehub.vouchers.models import Account

MAY_BE_NEGATIVE = frozenset({Account.TREASURY, Account.RECEIVABLE})


class Key(Struct, frozen=True, order=True):
    """Which account: its kind, and 0 where a dimension does not apply."""

    campaign_id: int
    kind: Account
    round_id: int = 0
    merchant_id: int = 0


class Posting(Struct, frozen=True, kw_only=True):
    """An amount that leaves ``debit`` and enters ``credit``: it balances by its shape."""

    debit: Key
    credit: Key
    amount_fen: int
    kind: str  # fund | unfund | allocate | claim | redeem | close | refund | clawback | repay | revoke …
    voucher_id: int = 0
    redemption_id: int = 0


_KEY = {"campaign_id": "bigint", "kind": "text", "round_id": "bigint", "merchant_id": "bigint"}
_ENTRY = {
    "at": "bigint",
    "campaign_id": "bigint",
    "debit_id": "bigint",
    "credit_id": "bigint",
    "amount_fen": "bigint",
    "kind": "text",
    "voucher_id": "bigint",
    "redemption_id": "bigint",
}
_INSERT = f"INSERT INTO ledger_entry ({', '.join(_ENTRY)}) SELECT {', '.join(_ENTRY)} FROM v"
_OPEN = (
    "INSERT INTO ledger_account (campaign_id, kind, round_id, merchant_id, balance_fen)"
    " SELECT campaign_id, kind, round_id, merchant_id, 0 FROM v WHERE true"
    " ON CONFLICT (campaign_id, kind, round_id, merchant_id) DO NOTHING"
)
_FIND = (
    "SELECT a.id, a.campaign_id, a.kind, a.round_id, a.merchant_id, a.balance_fen"
    " FROM v JOIN ledger_account a ON a.campaign_id = v.campaign_id AND a.kind = v.kind"
    " AND a.round_id = v.round_id AND a.merchant_id = v.merchant_id ORDER BY a.id"
)
_BALANCE = (
    "UPDATE ledger_account SET balance_fen = balance_fen + v.delta FROM v"
    " WHERE ledger_account.id = v.account_id"
)


async def open_accounts(keys: Iterable[Key]) -> None:
    """Make sure that the accounts exist, in key order."""
    await database.with_rows(_KEY, [_row(key) for key in sorted(set(keys))], _OPEN)


async def post(postings: Sequence[Posting], *, now: datetime) -> None:
    """Book the postings in the current transaction; InsufficientFunds when an account would fall below zero.

    Postings of 0 are left out. Accounts are locked in the order of their ids, once, and last.
    """
    postings = [posting for posting in postings if posting.amount_fen]
    if not postings:
        return
    accounts = await _locked({key for posting in postings for key in (posting.debit, posting.credit)})
    deltas: dict[Key, int] = {}
    for posting in postings:
        deltas[posting.debit] = deltas.get(posting.debit, 0) - posting.amount_fen
        deltas[posting.credit] = deltas.get(posting.credit, 0) + posting.amount_fen
    for key, delta in deltas.items():
        if accounts[key][1] + delta < 0 and key.kind not in MAY_BE_NEGATIVE:
            raise InsufficientFunds(data={"account": str(key.kind)})
    at = clock.to_ms(now)
    rows = [
        (
            at,
            posting.debit.campaign_id,
            accounts[posting.debit][0],
            accounts[posting.credit][0],
            posting.amount_fen,
            posting.kind,
            posting.voucher_id,
            posting.redemption_id,
        )
        for posting in postings
    ]
    await database.with_rows(_ENTRY, rows, _INSERT)
    await database.with_rows(
        {"account_id": "bigint", "delta": "bigint"},
        sorted((accounts[key][0], delta) for key, delta in deltas.items()),
        _BALANCE,
    )


async def hold(keys: Iterable[Key]) -> dict[Key, int]:
    """What lies in the accounts, kept from others until the transaction ends: to decide before posting."""
    return {key: found[1] for key, found in (await _locked(set(keys))).items()}


async def balance(key: Key) -> int:
    """What lies in an account; 0 when it was never used."""
    found = await _find([key], lock=False)
    return found[key][1] if found else 0


async def account_id(key: Key) -> int:
    """The row id of an account that was opened."""
    return (await _find([key], lock=False))[key][0]


async def balances(campaign_id: int) -> dict[Account, int]:
    """The sum of a campaign's accounts by kind, every kind named."""
    rows = await database.fetch(
        "SELECT kind, sum(balance_fen) AS balance_fen FROM ledger_account"
        " WHERE campaign_id = $1 GROUP BY kind",
        campaign_id,
    )
    sums = {Account(row["kind"]): int(row["balance_fen"]) for row in rows}
    return {kind: sums.get(kind, 0) for kind in Account}


def is_conserved(sums: dict[Account, int]) -> bool:
    """Whether funded == available + unissued + held + released + payable + receivable + paid + returned."""
    return -sums[Account.TREASURY] == sum(fen for kind, fen in sums.items() if kind is not Account.TREASURY)


async def _locked(keys: set[Key]) -> dict[Key, tuple[int, int]]:
    """Account -> (id, balance), kept from others until the transaction ends; new ones are opened."""
    wanted = sorted(keys)
    found = await _find(wanted, lock=True)
    if len(found) < len(wanted):
        await open_accounts(keys - found.keys())
        found = await _find(wanted, lock=True)
    return found


async def _find(keys: Sequence[Key], *, lock: bool) -> dict[Key, tuple[int, int]]:
    suffix = " FOR UPDATE OF a" if lock and database.dialect() == "postgres" else ""
    rows = await database.with_rows(_KEY, [_row(key) for key in keys], _FIND + suffix)
    return {
        Key(row["campaign_id"], Account(row["kind"]), row["round_id"], row["merchant_id"]): (
            int(row["id"]),
            int(row["balance_fen"]),
        )
        for row in rows
    }


def _row(key: Key) -> tuple[int, str, int, int]:
    return key.campaign_id, str(key.kind), key.round_id, key.merchant_id
