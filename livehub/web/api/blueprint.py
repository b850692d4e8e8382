"""/api/v1: every declared call, the document made of the declarations, and its page."""

from __future__ import annotations

from functools import cache

import msgspec
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub.web import doors, rendering
from livehub.web.api import (
    allotting,
    assigning,
    audit,
    bookings,
    bridge,
    broadcasts,
    campaign_money,
    campaigns,
    cases,
    catalogue,
    docs,
    drops,
    enrolments,
    feeds,
    households,
    inbox,
    lotteries,
    me,
    moves,
    openapi,
    orders,
    papers,
    periods,
    plans,
    prechecks,
    reconciliation,
    records,
    redemptions,
    refunds,
    repayments,
    reports,
    reviews,
    rounds,
    sales,
    series,
    settlements,
    sharing,
    shop_accounts,
    statements,
    streamers,
    timeline,
    training,
    training_claims,
    training_course,
    training_end,
    training_followups,
    training_incubations,
    training_outcomes,
    training_people,
    users,
    vouchers,
    wall,
)
from livehub.web.api.calls import entrance
from livehub.web.api.declared import ROOT

SECTIONS = (
    bookings.calls,
    series.calls,
    plans.calls,
    feeds.calls,
    moves.calls,
    timeline.calls,
    sharing.calls,
    allotting.calls,
    broadcasts.calls,
    prechecks.calls,
    records.calls,
    papers.calls,
    streamers.calls,
    catalogue.calls,
    training.calls,
    training_people.calls,
    training_course.calls,
    training_end.calls,
    training_outcomes.calls,
    training_claims.calls,
    training_followups.calls,
    training_incubations.calls,
    reviews.calls,
    campaigns.calls,
    campaign_money.calls,
    rounds.calls,
    households.calls,
    lotteries.calls,
    enrolments.calls,
    drops.calls,
    vouchers.calls,
    redemptions.calls,
    refunds.calls,
    settlements.calls,
    cases.calls,
    repayments.calls,
    sales.calls,
    bridge.calls,
    statements.calls,
    periods.calls,
    reports.calls,
    orders.calls,
    assigning.calls,
    shop_accounts.calls,
    reconciliation.calls,
    inbox.calls,
    users.calls,
    audit.calls,
    wall.calls,
    me.calls,
)

bp = Blueprint("api", url_prefix=ROOT)

for _section in SECTIONS:
    for _operation in _section.operations:
        bp.add_route(
            entrance(_operation),
            _operation.path.replace("{", "<").replace("}", ":str>"),
            methods=[_operation.method],
            name=_operation.name,
        )


@bp.get("/openapi.json")
@doors.public
async def document(_request: Request) -> HTTPResponse:
    """The OpenAPI document."""
    return HTTPResponse(_document(), content_type="application/json")


@bp.get("/docs")
@doors.public
async def page(_request: Request) -> HTTPResponse:
    """The document for people; it needs no script from anywhere."""
    made = msgspec.json.decode(_document())
    return rendering.page(
        "api_docs.html",
        spec_url=f"{ROOT}/openapi.json",
        title=made["info"]["title"],
        version=made["info"]["version"],
        intro=made["info"]["description"],
        groups=docs.groups(made),
    )


@cache
def _document() -> bytes:
    return msgspec.json.encode(openapi.document(SECTIONS))
