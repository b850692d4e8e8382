"""Take back one voucher that nobody has used: its money is released, the slot of its claim stays used."""

from __future__ import annotations

from datetime import datetime

from livehub import database
from livehub.accounts import audit, permissions
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock, states
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.vouchers import ledger
from livehub.vouchers.errors import Expired
from livehub.vouchers.models import Account, VoucherState

REASON_LENGTH = 200
_OF = (
    "SELECT x.id, x.state, x.locked_until, x.valid_until, t.face_fen, t.round_id, c.id AS campaign_id,"
    " c.centre_id, c.bureau_id FROM voucher x JOIN voucher_template t ON t.id = x.template_id"
    " JOIN campaign_round n ON n.id = t.round_id JOIN campaign c ON c.id = n.campaign_id"
    " WHERE x.public_id = $1"
)


@database.atomic
async def revoke(public_id: str, *, reason: str, actor: Actor, now: datetime) -> None:
    """Revoke a voucher that is issued; whoever holds it can use it no more.

    For those who refund for the centre, never a merchant. Expired after its time, when its money comes back
    by itself; WrongState for one that is being used, was used or was revoked.
    """
    reason = reason.strip()
    if not 2 <= len(reason) <= REASON_LENGTH:
        raise Invalid(details=[Detail("reason", "请写明原因", f"2 至 {REASON_LENGTH} 个字")])
    suffix = " FOR NO KEY UPDATE OF x" if database.dialect() == "postgres" else ""
    found = await database.fetch_one(_OF + suffix, public_id)
    if found is None or found["centre_id"] != actor.centre_id:
        raise NotFound
    for each in (Permission.CAMPAIGN_READ, Permission.REDEMPTION_REFUND):  # merchants have not both
        permissions.require(actor, each, bureau_id=found["bureau_id"], centre_id=found["centre_id"])
    _require_unused(found["state"], found["locked_until"], clock.from_ms(found["valid_until"]), now=now)
    await database.execute(
        "UPDATE voucher SET state = $1, locked_until = NULL, version = version + 1 WHERE id = $2",
        str(VoucherState.REVOKED),
        found["id"],
    )
    held, released = (
        ledger.Key(found["campaign_id"], account, found["round_id"])
        for account in (Account.HELD, Account.RELEASED)
    )
    await ledger.post(
        [
            ledger.Posting(
                debit=held,
                credit=released,
                amount_fen=found["face_fen"],
                kind="revoke",
                voucher_id=found["id"],
            )
        ],
        now=now,
    )
    await audit.write(
        "voucher.revoked",
        actor=actor,
        now=now,
        about=("voucher", public_id),
        bureau_id=found["bureau_id"],
        detail={"reason": reason, "released_fen": found["face_fen"]},
    )


def _require_unused(state: str, locked_until: int | None, until: datetime, *, now: datetime) -> None:
    is_free = state == VoucherState.LOCKED and locked_until is not None and locked_until <= clock.to_ms(now)
    if state != VoucherState.ISSUED and not is_free:
        raise states.WrongState(data={"state": state, "wanted": str(VoucherState.REVOKED)})
    if now >= until:
        raise Expired
