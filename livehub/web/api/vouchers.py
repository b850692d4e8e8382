"""券: taking back one that nobody has used."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.vouchers import revoking
from livehub.vouchers.errors import Expired
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import Nothing
from livehub.web.doors import SignInAgain

calls = Section("券")


class Revoking(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """为什么作废。"""

    reason: Annotated[str, Meta(min_length=2, max_length=revoking.REASON_LENGTH, description="记入审计")]


@calls.post(
    "/vouchers/{voucher_id}/revoke",
    summary="作废一张没有用过的券：钱释放给本轮次，领取名额不退",
    needs=(Permission.REDEMPTION_REFUND,),
    body=Revoking,
    answer=Nothing,
    refusals=(WrongState, Expired, SignInAgain),
)
async def revoke(asked: Asked[None, Revoking], voucher_id: str) -> Nothing:
    """Whoever holds it can use it no more."""
    await database.unit(
        lambda: revoking.revoke(voucher_id, reason=asked.body.reason, actor=asked.actor, now=asked.now)
    )
    return Nothing()
