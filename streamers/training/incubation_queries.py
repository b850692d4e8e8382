"""Reading incubations: who is in which stage, one of them as a whole, and the rates they are judged by."""

from __future__ import annotations

from datetime import date, datetime
from fractions import Fraction

from msgspec import Struct

from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, bureau_scope, require
from livehub.kit import clock
from livehub.kit.errors import NotFound
from livehub.kit.paging import Page, window
from streamers.training.after_models import (
    Incubation,
    IncubationExtension,
    IncubationStage,
    Mentor,
    MentorVisit,
)


class Whole(Struct, frozen=True, kw_only=True):
    """One incubation with its person, bureau, mentor, extensions and visits, the newest first."""

    row: Incubation
    mentor: Mentor | None
    extensions: list[IncubationExtension]
    visits: list[MentorVisit]


class Rates(Struct, frozen=True, kw_only=True):
    """What a base is judged by: how many graduate of those who left, how many left in time."""

    inside: int
    overdue: int
    graduated: int
    exited: int
    in_time: int

    @property
    def success(self) -> Fraction | None:
        """孵化成功率: graduated of those who were admitted and left."""
        left = self.graduated + self.exited
        return Fraction(self.graduated, left) if left else None

    @property
    def on_time(self) -> Fraction | None:
        """按期离孵率: of those who left, who left by their day."""
        left = self.graduated + self.exited
        return Fraction(self.in_time, left) if left else None


async def listing(actor: Actor, *, stage: str = "", number: int = 1, size: int = 50) -> Page[Incubation]:
    """Incubations that an actor may see with their persons and bureaus, the newest first."""
    require(actor, Permission.TRAINING_READ)
    number, size, limit, offset = window(number=number, size=size)
    found = Incubation.filter(centre_id=actor.centre_id)
    scope = bureau_scope(actor, Permission.TRAINING_READ)
    if scope is not None:
        found = found.filter(bureau_id__in=scope)
    if stage:
        found = found.filter(stage=stage) if stage in set(IncubationStage) else found.filter(id=0)
    rows = (
        found.order_by("-id").limit(limit).offset(offset).select_related("person", "bureau", "mentor__person")
    )
    return Page(await rows, number, size, await found.count())


async def one(public_id: str, *, actor: Actor) -> Whole:
    """One incubation; NotFound when the actor has none of that id."""
    row = await Incubation.get_or_none(public_id=public_id).select_related("person", "bureau")
    if row is None:
        raise NotFound
    require(actor, Permission.TRAINING_READ, bureau_id=row.bureau_id, centre_id=row.centre_id)
    return Whole(
        row=row,
        mentor=await Mentor.get_or_none(id=row.mentor_id or 0).select_related("person"),
        extensions=await IncubationExtension.filter(incubation_id=row.id).order_by("-id"),
        visits=await MentorVisit.filter(incubation_id=row.id)
        .order_by("-on_day", "-id")
        .select_related("mentor__person"),
    )


async def rates(actor: Actor, *, now: datetime) -> Rates:
    """The numbers of all incubations that an actor may see."""
    require(actor, Permission.TRAINING_READ)
    found = Incubation.filter(centre_id=actor.centre_id, admitted_on__isnull=False)
    scope = bureau_scope(actor, Permission.TRAINING_READ)
    if scope is not None:
        found = found.filter(bureau_id__in=scope)
    today: date = clock.local_day(now)
    rows = [(each.stage, each.due_on, each.ended_on) for each in await found]
    inside = [
        due for stage, due, _ in rows if stage in {IncubationStage.ADMITTED, IncubationStage.INCUBATING}
    ]
    return Rates(
        inside=len(inside),
        overdue=sum(due is not None and due < today for due in inside),
        graduated=sum(stage is IncubationStage.GRADUATED for stage, _, _ in rows),
        exited=sum(stage is IncubationStage.EXITED for stage, _, _ in rows),
        in_time=sum(ended is not None and due is not None and ended <= due for _, due, ended in rows),
    )
