"""/desk/reconcile 对账: up to when each shop agrees with its platform's list, what differs, and why."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import LivehubError, NotFound
from livehub.orders import explaining, reconciled
from livehub.orders.pull_models import DifferenceStatus
from livehub.orders.reconciled import Search
from livehub.web import doors, reading
from livehub.web.desk.frame import Reason, asked, back, frame, order_path
from livehub.web.reading import Form
from livehub.web.rendering import page

bp = Blueprint("desk_reconcile", url_prefix="/desk/reconcile")

SHOWN_DAYS = 30
YEARS = range(2000, 2200)
ALL = "all"


class Query(Struct, rename={"since": "from", "until": "to"}):
    """The list's address; without a status the open ones, both days included."""

    q: Annotated[str, Meta(max_length=64)] = ""
    shop: Annotated[str, Meta(max_length=16)] = ""
    kind: Annotated[str, Meta(max_length=16)] = ""
    status: Annotated[str, Meta(max_length=16)] = ""
    since: date | None = None
    until: date | None = None
    page: Annotated[int, Meta(ge=1, le=1_000_000)] = 1

    def __post_init__(self) -> None:
        """Refuse days that no calendar of ours reaches."""
        if any(day is not None and day.year not in YEARS for day in (self.since, self.until)):
            raise ValueError("日期超出范围")

    def search(self) -> Search:
        """The same question to the differences."""
        return Search(
            q=self.q,
            shop=self.shop,
            kind=self.kind,
            status="" if self.status == ALL else self.status or DifferenceStatus.OPEN,
            day_from=self.since,
            day_to=self.until,
        )


class Explanation(Struct):
    """Why a difference is as it is."""

    reason: Annotated[str, Meta(min_length=1, max_length=16)]
    note: Annotated[str, Meta(min_length=2, max_length=300)]


@bp.get("/")
@doors.signed_in(Permission.SALES_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """Every shop, and the differences."""
    now, query = clock.now(), reading.query(request, Query)
    shops = await reconciled.shops(actor=actor, now=now)
    return page(
        "desk/reconcile.html",
        shell=await frame(request, actor, "reconcile"),
        now=now,
        query=asked(request, Query),
        shops=shops,
        late={each.shop for each in shops if each.is_late(now)},
        page=await reconciled.differences(query.search(), actor=actor, number=query.page),
        order_path=order_path,
    )


@bp.get("/shops/<shop_id:str>")
@doors.signed_in(Permission.SALES_READ)
async def show_shop(request: Request, actor: Actor, shop_id: str) -> HTTPResponse:
    """One shop's days, and its windows that hang."""
    return await _shop(request, actor, shop_id)


@bp.get("/differences/<found_id:str>")
@doors.signed_in(Permission.SALES_READ)
async def show_difference(request: Request, actor: Actor, found_id: str) -> HTTPResponse:
    """One difference, and the form that explains it."""
    return await _difference(request, actor, found_id, form=reading.blank())


@bp.post("/differences/<found_id:str>/explain")
@doors.signed_in(Permission.SALES_RECONCILE)
async def explain(request: Request, actor: Actor, found_id: str) -> HTTPResponse:
    """Say why."""
    await reconciled.difference(found_id, actor=actor)  # of this centre, or NotFound
    try:
        said = reading.form(request, Explanation)
        await database.unit(
            lambda: explaining.explain(
                found_id, reason=said.reason, note=said.note, actor=actor, now=clock.now()
            )
        )
    except LivehubError as error:
        form = reading.refused(request, doors.shown(request, error))
        return await _difference(request, actor, found_id, form=form, status=error.status)
    return back(f"/desk/reconcile/differences/{found_id}", done="difference-explained")


@bp.post("/windows/<window_id:int>/again")
@doors.signed_in(Permission.SALES_RECONCILE)
async def try_again(request: Request, actor: Actor, window_id: int) -> HTTPResponse:
    """Read a given-up window on from its page."""
    shop = await explaining.shop_of(window_id, actor=actor)
    try:
        await database.unit(lambda: explaining.try_again(window_id, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _shop(request, actor, shop, refusal=doors.shown(request, error))
    return back(f"/desk/reconcile/shops/{shop}", done="window-again")


@bp.post("/windows/<window_id:int>/drop")
@doors.signed_in(Permission.SALES_RECONCILE)
async def drop(request: Request, actor: Actor, window_id: int) -> HTTPResponse:
    """Wait no longer for a given-up window."""
    shop = await explaining.shop_of(window_id, actor=actor)
    try:
        why = reading.form(request, Reason).reason
        await database.unit(lambda: explaining.drop(window_id, note=why, actor=actor, now=clock.now()))
    except LivehubError as error:
        return await _shop(request, actor, shop, refusal=doors.shown(request, error))
    return back(f"/desk/reconcile/shops/{shop}", done="window-dropped")


async def _shop(
    request: Request, actor: Actor, shop_id: str, *, refusal: LivehubError | None = None
) -> HTTPResponse:
    now = clock.now()
    found = await reconciled.shops(actor=actor, now=now, shop=shop_id)
    if not found:
        raise NotFound
    today = clock.local_day(now)
    return page(
        "desk/reconcile_shop.html",
        status=refusal.status if refusal else 200,
        shell=await frame(request, actor, "reconcile", refusal=refusal),
        now=now,
        shop=found[0],
        is_late=found[0].is_late(now),
        days=await reconciled.days(
            shop_id, day_from=today - timedelta(days=SHOWN_DAYS), day_to=today, actor=actor
        ),
        shown_days=SHOWN_DAYS,
        windows=await reconciled.windows(shop_id, actor=actor),
        may_reconcile=may(actor, Permission.SALES_RECONCILE),
    )


async def _difference(
    request: Request, actor: Actor, found_id: str, *, form: Form, status: int = 200
) -> HTTPResponse:
    found = await reconciled.difference(found_id, actor=actor)
    return page(
        "desk/reconcile_difference.html",
        status=status,
        shell=await frame(request, actor, "reconcile"),
        difference=found,
        order_href=order_path(found.shop, found.order_ref) if found.is_known else "",
        may_explain=found.status == DifferenceStatus.OPEN and may(actor, Permission.SALES_RECONCILE),
        reasons=explaining.REASONS,
        form=form,
    )
