"""A programme: whose money trains whom to what, begun from a city's rule; and its bar for graduating."""

from __future__ import annotations

from datetime import datetime
from typing import TypeVar

import msgspec
from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids
from livehub.kit.errors import Detail, NotFound
from streamers.training import locks, preset, rules
from streamers.training.errors import ProgrammeRefused
from streamers.training.models import GraduationRule, Programme
from streamers.training.rules import Bar, Terms

T = TypeVar("T", bound=Struct)

LEVELS = range(6)  # 0: without one


class NewProgramme(Struct, frozen=True, kw_only=True):
    """What a programme is; where ``terms`` or ``bar`` is None the preset's are taken."""

    name: str
    occupation: str
    preset: str
    funding: str = ""
    level: int = 0
    target_people: int = 0
    terms: Terms | None = None
    bar: Bar | None = None


@database.atomic
async def create(wanted: NewProgramme, *, bureau_id: int, actor: Actor, now: datetime) -> Programme:
    """Begin a programme of a bureau, with the first version of its bar."""
    bureau = await Bureau.get_or_none(id=bureau_id)
    if bureau is None:
        raise NotFound
    require(actor, Permission.TRAINING_MANAGE, bureau_id=bureau.id, centre_id=bureau.centre_id)
    chosen = preset.get(wanted.preset)
    terms, bar = wanted.terms or chosen.terms, wanted.bar or chosen.bar
    if details := [*_faults(wanted), *_share_faults(terms), *_share_faults(bar)]:
        raise ProgrammeRefused(details=details)
    programme = await Programme.create(
        public_id=ids.public_id(),
        centre_id=bureau.centre_id,
        bureau_id=bureau.id,
        name=wanted.name.strip(),
        funding=wanted.funding.strip(),
        occupation=wanted.occupation.strip(),
        level=wanted.level,
        max_class=terms.max_class,
        target_people=wanted.target_people,
        preset=chosen.name,
        terms=_text(terms),
        created_at=now,
    )
    await _version(programme, 1, bar, actor=actor, now=now)
    await _audit("programme.created", programme, actor=actor, now=now, detail={"preset": chosen.name})
    return programme


@database.atomic
async def change_bar(public_id: str, *, bar: Bar, actor: Actor, now: datetime) -> GraduationRule:
    """A new version of what graduates: cohorts that begin from now on have it, no decision changes."""
    programme = await held(public_id, actor=actor, permission=Permission.TRAINING_CERTIFY)
    if details := _share_faults(bar):
        raise ProgrammeRefused(details=details)
    await locks.hold("programme", {programme.id})
    newest = await newest_rule(programme.id)
    made = await _version(programme, newest.version + 1, bar, actor=actor, now=now)
    detail = {"version": made.version, "terms": msgspec.to_builtins(bar)}
    await _audit("programme.bar_changed", programme, actor=actor, now=now, detail=detail)
    return made


async def held(public_id: str, *, actor: Actor, permission: Permission) -> Programme:
    """The programme; NotFound when the actor has none of that id."""
    programme = await Programme.get_or_none(public_id=public_id)
    if programme is None:
        raise NotFound
    require(actor, permission, bureau_id=programme.bureau_id, centre_id=programme.centre_id)
    return programme


async def newest_rule(programme_id: int) -> GraduationRule:
    """The bar that a cohort beginning now gets."""
    found = await GraduationRule.filter(programme_id=programme_id).order_by("-version").first()
    assert found is not None  # noqa: S101 -- made with the programme
    return found


def terms_of(programme: Programme) -> Terms:
    """The programme's own numbers."""
    return read(programme.terms, Terms)


def bar_of(rule: GraduationRule) -> Bar:
    """What a version of the rule asks for."""
    return read(rule.terms, Bar)


def read(text: str, shape: type[T]) -> T:
    """A stored text as the struct it was written from."""
    return msgspec.json.decode(text.encode(), type=shape)


async def _version(
    programme: Programme, number: int, bar: Bar, *, actor: Actor, now: datetime
) -> GraduationRule:
    return await GraduationRule.create(
        programme_id=programme.id, version=number, terms=_text(bar), made_by=actor.name, made_at=now
    )


def _faults(wanted: NewProgramme) -> list[Detail]:
    found = [
        Detail(field, "请填写", f"1 到 {most} 个字")
        for field, text, most in (("name", wanted.name, 60), ("occupation", wanted.occupation, 40))
        if not 0 < len(text.strip()) <= most
    ]
    if len(wanted.funding.strip()) > 60:
        found.append(Detail("funding", "太长", "60 个字以内"))
    if wanted.level not in LEVELS:
        found.append(Detail("level", "没有这个等级", "5（五级，最低）到 1，0 为不分等级"))
    if not 0 <= wanted.target_people <= 1_000_000:
        found.append(Detail("target_people", "人数不对", "0 到 1000000"))
    return found


def _share_faults(shape: Terms | Bar) -> list[Detail]:
    return [Detail(name, "不是比例", "0 到 1，如 0.80 或 1/2") for name in rules.bad_shares(shape)]


def _text(shape: Struct) -> str:
    return msgspec.json.encode(shape).decode()


async def _audit(
    action: str, programme: Programme, *, actor: Actor, now: datetime, detail: dict[str, object]
) -> None:
    about = ("programme", programme.public_id)
    await audit.write(action, actor=actor, now=now, about=about, bureau_id=programme.bureau_id, detail=detail)
