"""…/campaigns/{id}/budget: who countersigns changes the budget, from what she read to what is wanted."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission
from livehub.kit import clock
from livehub.kit.errors import Detail, Invalid, LivehubError
from livehub.vouchers import budgets
from livehub.vouchers.errors import BudgetCommitted, BudgetMoved
from livehub.web import doors, reading, show, two_doors
from livehub.web.campaigns import showing
from livehub.web.desk.frame import back


class BudgetForm(Struct):
    """What it was when it was read, in fen, and what it is to be."""

    current: Annotated[int, Meta(ge=1, le=budgets.MOST_FEN)]
    budget: Annotated[
        int,
        Meta(ge=1, le=budgets.MOST_FEN, extra={"reads": "yuan", "expected": "大于 0 的金额，如 60000.00"}),
    ]
    budget_reason: Annotated[str, Meta(max_length=budgets.REASON_LENGTH)] = ""


@doors.signed_in(Permission.CAMPAIGN_COUNTERSIGN, freshly=True)
async def change(request: Request, actor: Actor, public_id: str) -> HTTPResponse:
    """Compare and set; a refusal says it at its field and keeps what was typed."""
    seen = await showing.read(public_id, actor, Permission.CAMPAIGN_COUNTERSIGN)
    try:
        given = reading.form(request, BudgetForm)
        await database.unit(
            lambda: budgets.change(
                seen.row_id,
                current_fen=given.current,
                target_fen=given.budget,
                reason=given.budget_reason,
                actor=actor,
                now=clock.now(),
            )
        )
    except LivehubError as error:
        shown = doors.shown(request, error)
        form = reading.refused(request, Invalid(shown.message, details=_beside(shown)))
        return await showing.show(request, actor, public_id, refusal=shown, form=form)
    return back(f"{two_doors.path_of(request)}/{public_id}", done="budget-changed")


bureau, desk = two_doors.mounted(
    "campaigns", (("POST", "/<public_id:str>/budget", change),), name="campaign_budgets"
)

_FIELDS = {"target_fen": "budget", "reason": "budget_reason"}


def _beside(error: LivehubError) -> list[Detail]:
    if isinstance(error, BudgetMoved):
        return [Detail("budget", f"现在的预算是 {show.yuan(_fen(error, 'budget_fen'))} 元")]
    if isinstance(error, BudgetCommitted):
        return [Detail("budget", f"最少 {show.yuan(_fen(error, 'least_fen'))} 元，其余已经分出或用掉")]
    return [Detail(_FIELDS.get(each.field, each.field), each.reason) for each in error.details]


def _fen(error: LivehubError, name: str) -> int:
    return int(str(error.data[name]))
