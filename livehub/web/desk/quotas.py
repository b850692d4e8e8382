"""/desk/quotas 额度: how much each bureau may take, and how much of it is used this week."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse

from livehub import database
from livehub.accounts import queries as accounts
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, may
from livehub.kit import clock
from livehub.kit.errors import Conflict, Detail, Invalid, LivehubError
from livehub.web import doors, reading
from livehub.web.desk.frame import back, frame
from livehub.web.reading import Form
from livehub.web.rendering import page
from rooms import queries, quotas
from rooms import sharing_queries as sharing
from rooms.models import Theme
from rooms.quotas import Rule
from rooms.sharing_models import QuotaUnit, QuotaWindow
from rooms.sharing_queries import QuotaUse

bp = Blueprint("desk_quotas", url_prefix="/desk/quotas")

HERE = "/desk/quotas"


class Day(Struct):
    """The day whose windows are looked at; today when nothing is said."""

    day: date | None = None


class QuotaForm(Struct):
    """One quota more, or another limit for one that is there."""

    bureau: Annotated[str, Meta(min_length=1, max_length=16)]
    window: QuotaWindow
    limit: Annotated[int, Meta(ge=0, le=100_000)]
    unit: QuotaUnit = QuotaUnit.BOOKINGS
    rooms: Annotated[list[Annotated[str, Meta(max_length=16)]], Meta(max_length=50)] = []
    theme: Theme | None = None
    prime_only: bool = False

    def rule(self) -> Rule:
        """The same as the domain says it."""
        return Rule(
            rooms=tuple(self.rooms),
            theme=str(self.theme or ""),
            window=self.window,
            unit=self.unit,
            limit=self.limit,
            prime_only=self.prime_only,
        )


class Dropping(Struct):
    """Which quota goes: the number it has in its bureau's list."""

    bureau: Annotated[str, Meta(min_length=1, max_length=16)]
    number: Annotated[int, Meta(ge=0, le=100)]


@bp.get("/")
@doors.signed_in(Permission.BOOKING_READ)
async def show(request: Request, actor: Actor) -> HTTPResponse:
    """Every quota with its use."""
    return await _page(request, actor, reading.blank(window="weekly", unit="bookings"))


@bp.post("/")
@doors.signed_in(Permission.ROOM_MANAGE)
async def add(request: Request, actor: Actor) -> HTTPResponse:
    """One more, in place of one for the same rooms, window and unit."""
    try:
        given = reading.form(request, QuotaForm)
        bureau_id = await _bureau(given.bureau, actor=actor)
        rule = given.rule()
        kept = [each for each in await _rules(bureau_id, actor=actor) if _same(each) != _same(rule)]
        await database.unit(lambda: quotas.put(bureau_id, [*kept, rule], actor=actor, now=clock.now()))
    except (Invalid, Conflict) as error:
        form = reading.refused(request, error)
        form.errors = {name.rpartition(".")[2]: text for name, text in form.errors.items()}
        return await _page(request, actor, form, status=error.status)
    return back(HERE, done="quota-set")


@bp.post("/drop")
@doors.signed_in(Permission.ROOM_MANAGE)
async def drop(request: Request, actor: Actor) -> HTTPResponse:
    """Take one away."""
    try:
        given = reading.form(request, Dropping)
        bureau_id = await _bureau(given.bureau, actor=actor)
        rules = await _rules(bureau_id, actor=actor)
        kept = [each for number, each in enumerate(rules) if number != given.number]
        await database.unit(lambda: quotas.put(bureau_id, kept, actor=actor, now=clock.now()))
    except LivehubError as error:
        shown = doors.shown(request, error)
        return await _page(request, actor, reading.blank(), refusal=shown, status=shown.status)
    return back(HERE, done="quota-dropped")


async def _page(
    request: Request,
    actor: Actor,
    form: Form,
    *,
    refusal: LivehubError | None = None,
    status: int = 200,
) -> HTTPResponse:
    day = reading.query(request, Day).day or clock.local_day(clock.now())
    bureaus = await accounts.bureaus(actor.centre_id)
    uses = await sharing.quota_uses(actor=actor, day=day)
    return page(
        "desk/quotas.html",
        status=status,
        shell=await frame(request, actor, "quotas", refusal=refusal),
        day=day,
        by_bureau=[
            (each.public_id, each.name, [use for use in uses if use.bureau_id == each.id]) for each in bureaus
        ],
        rooms=[(each.public_id, each.name) for each in await queries.rooms_of(actor.centre_id)],
        form=form,
        may_set=may(actor, Permission.ROOM_MANAGE),
    )


async def _bureau(public_id: str, *, actor: Actor) -> int:
    for each in await accounts.bureaus(actor.centre_id):
        if each.public_id == public_id:
            return int(each.id)
    raise Invalid(details=[Detail("bureau", "没有这个主管部门")])


async def _rules(bureau_id: int, *, actor: Actor) -> list[Rule]:
    today = clock.local_day(clock.now())
    found = await sharing.quota_uses(actor=actor, day=today, bureau_id=bureau_id)
    return [_rule(each) for each in found]


def _rule(use: QuotaUse) -> Rule:
    return Rule(
        rooms=tuple(use.room_ids),
        theme=use.theme,
        window=QuotaWindow(use.window),
        unit=QuotaUnit(use.unit),
        limit=use.limit,
        prime_only=use.prime_only,
    )


def _same(rule: Rule) -> tuple[object, ...]:
    return frozenset(rule.rooms), rule.theme, rule.window, rule.unit, rule.prime_only
