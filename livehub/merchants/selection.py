"""选品: what a meeting decides on a product."""

from __future__ import annotations

from datetime import date, datetime

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit.errors import Detail, NotFound
from livehub.merchants.errors import ReviewRefused
from livehub.merchants.models import Product, SelectionReview

DECISIONS = ("approved", "conditional", "rejected")
REASONS_LENGTH = 200


@database.atomic
async def review(
    product: str,
    *,
    meeting_on: date,
    decision: str,
    actor: Actor,
    now: datetime,
    valid_to: date | None = None,
    reasons: str = "",
) -> SelectionReview:
    """Note what a meeting decided on a product (public id); whoever is refused reads the reasons."""
    meant = await Product.get_or_none(public_id=product)
    if meant is None:
        raise NotFound
    require(actor, Permission.MERCHANT_MANAGE, centre_id=meant.centre_id)
    details = []
    if decision not in DECISIONS:
        details.append(Detail("decision", "没有这种结论", "、".join(DECISIONS)))
    if decision != "approved" and not reasons.strip():
        details.append(Detail("reasons", "有条件通过或不通过，请写明理由", f"1 到 {REASONS_LENGTH} 个字"))
    if len(reasons) > REASONS_LENGTH:
        details.append(Detail("reasons", "太长", f"{REASONS_LENGTH} 个字以内"))
    if valid_to is not None and valid_to < meeting_on:
        details.append(Detail("valid_to", "早于选品会日期", f"{meeting_on} 或以后"))
    if details:
        raise ReviewRefused(details=details)
    made = await SelectionReview.create(
        product_id=meant.id,
        meeting_on=meeting_on,
        decision=decision,
        valid_to=valid_to,
        reasons=reasons.strip(),
        decided_by=actor.name,
        at=now,
    )
    await audit.write(
        "product.reviewed",
        actor=actor,
        now=now,
        about=("product", meant.public_id),
        detail={"decision": decision, "meeting_on": str(meeting_on), "valid_to": str(valid_to or "")},
    )
    return made
