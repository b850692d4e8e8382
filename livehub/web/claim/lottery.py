"""A lottery on the consumer's phone: sign up, wait for the draw, drawn or not."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sanic.response import HTTPResponse

from livehub.kit import clock
from livehub.kit.errors import LivehubError
from livehub.vouchers import lottery_queries
from livehub.vouchers.link_pages import LinkPage
from livehub.vouchers.lottery_queries import Lot, Lottery, LotteryStage
from livehub.web.claim.door import Visitor
from livehub.web.rendering import page


async def page_of(
    visitor: Visitor,
    link: LinkPage,
    *,
    refusal: LivehubError | None,
    known_phone: str,
    asking: Mapping[str, Any],
    seen: Mapping[str, Any],
) -> HTTPResponse | None:
    """How the lottery is for this visitor; None when she is to claim, or may try to."""
    now = clock.now()
    found = await lottery_queries.of_round(link.lottery_id, now=now)
    if found is None:
        return None
    claimant = visitor.of(link.centre_id)
    lot = None
    if claimant is not None:
        lot = await lottery_queries.lot_of(
            link.lottery_id, platform=link.platform, person_key=claimant.person_key
        )
    if _is_for_claims(found, lot, is_known=claimant is not None):
        return None
    return page(
        "claim/lottery.html",
        status=refusal.status if refusal else 200,
        csrf=visitor.csrf,
        lottery=found,
        stage=str(found.stage),
        lot=lot,
        known_phone=known_phone,
        **asking,
        **seen,
    )


def _is_for_claims(found: Lottery, lot: Lot | None, *, is_known: bool) -> bool:
    if found.stage not in (LotteryStage.CLAIMING, LotteryStage.ENDED):
        return False
    return not is_known or (lot is not None and bool(lot.won))
