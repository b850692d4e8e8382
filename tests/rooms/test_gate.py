"""What must be true before a show goes on air: papers, people, signatures; what the database refuses."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from tortoise.exceptions import IntegrityError, OperationalError

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import SecondPersonNeeded
from livehub.accounts.models import AuditEntry
from livehub.kit.errors import LivehubError
from livehub.merchants import qualifications
from livehub.merchants.models import Product, QualificationPiece
from livehub.merchants.qualifications import File, Noted
from livehub.settings import Settings
from rooms import checklist, onair, prechecks, rundown
from rooms.air_models import PreAirCheck
from rooms.checklist import Signature
from rooms.errors import (
    ChecklistIncomplete,
    CheckOutdated,
    CueRefused,
    NotFitForAir,
    PreAirCheckMissing,
    SignerNeeded,
)
from rooms.models import Broadcast, BroadcastState, Theme
from rooms.rundown import Kind, Planned
from streamers import ages
from streamers.models import Person
from tests.factories.merchants import a_paper, a_product, an_approval
from tests.factories.rooms import House, a_broadcast, a_house, a_room, checked, local

DAY = local(20, 20)  # Friday 2026-03-20, 20:00
TICKED = ("identity", "prices", "papers", "rules", "food_safety", "party_review", "ai_label", "human_on_duty")


def rules(refusal: pytest.ExceptionInfo[LivehubError]) -> list[str]:
    return list(refusal.value.data["rules"])  # type: ignore[call-overload]


def herself(house: House) -> Actor:
    return Actor(kind="streamer", id=house.streamer.id, name="主播", centre_id=house.centre.id)


def shown(product: Product, *, length_s: int = 600) -> Planned:
    return Planned(kind=Kind.PRODUCT, title=product.name, length_s=length_s, product=product.public_id)


async def born(house: House, on: date) -> None:
    await database.unit(
        lambda: ages.note(house.streamer.public_id, born_on=on, actor=house.manager, now=local(1, 9))
    )


async def test_a_friday_evening_in_room_two(db: Settings) -> None:
    """Papers judged on the day of the show, the rundown's length, the platform's window, age and consent."""
    house = await a_house()
    show = await a_broadcast(house, DAY, minutes=120, check=False)
    expired = await a_product(house.centre, "虾酱", category="prepackaged", papers=False)
    await a_paper(expired, "sc_licence", valid_to=date(2026, 3, 19))
    good = await a_product(house.centre, "沙虫", papers=False)
    await a_paper(good, "conformity_cert")

    async def plan(*cues: Planned, of: Broadcast = show) -> None:
        await database.unit(
            lambda: rundown.plan(of.public_id, cues=cues, actor=house.officers[0], now=local(18, 9))
        )

    with pytest.raises(CueRefused) as refusal:
        await plan(shown(expired))
    assert (rules(refusal), refusal.value.status) == (["qualification_expired"], 422)
    assert "食品生产许可证（SC）已于 2026-03-19 到期" in refusal.value.details[0].reason
    await plan(shown(good))
    with pytest.raises(CueRefused) as refusal:
        await plan(shown(good, length_s=7500))
    assert (rules(refusal), refusal.value.data["overrun_s"]) == (["overrun"], 300)
    drop = {"kind": Kind.VOUCHER, "title": "投券", "template_ref": "tpl2345abcdefgh7", "quantity": 10}
    with pytest.raises(CueRefused) as refusal:
        await plan(Planned(**drop, window_s=1500))
    assert rules(refusal) == ["window_limit"]
    await plan(shown(good), Planned(**drop, offset_s=600, window_s=1200))

    async def sign(role: str, actor: Actor, ticked: tuple[str, ...] = TICKED) -> PreAirCheck:
        return await database.unit(
            lambda: prechecks.sign(show.public_id, ticked=ticked, role=role, actor=actor, now=DAY)
        )

    with pytest.raises(PreAirCheckMissing) as missing:
        await onair.start(show.public_id, actor=house.manager, now=DAY)
    assert missing.value.status == 409
    await born(house, date(2010, 3, 21))
    with pytest.raises(NotFitForAir) as refusal:
        await sign("anchor", herself(house))
    assert rules(refusal) == ["product_not_approved", "under_age"]
    await an_approval(good)
    await born(house, date(2010, 3, 20))
    with pytest.raises(NotFitForAir) as refusal:
        await sign("anchor", herself(house))
    assert rules(refusal) == ["guardian_consent_missing"]
    person = await Person.get(id=house.streamer.person_id)
    consent = Noted(owner_kind="person", owner=person.public_id, type="guardian_consent", number="乙-3")
    made = await qualifications.add(
        consent,
        actor=house.manager,
        now=local(18, 9),
        file=File(name="陈小海的同意书.pdf", body=b"%PDF-1.7 x"),
    )
    assert (made.number, made.file_name) == ("", "")  # nothing of her stands open in the table
    piece = await QualificationPiece.get(qualification_id=made.id)
    assert b"%PDF" not in bytes(piece.body_sealed)
    assert (await qualifications.opened(made.public_id, actor=house.manager, now=DAY))[1] == b"%PDF-1.7 x"
    assert await AuditEntry.filter(action="qualification.opened").count() == 1

    with pytest.raises(ChecklistIncomplete) as undone:
        await sign("anchor", herself(house), ("identity", "prices"))
    assert [each.field for each in undone.value.details] == ["papers", "rules", "food_safety"]
    with pytest.raises(SignerNeeded):
        await sign(
            "console", Actor(kind="token", id=7, centre_id=house.centre.id, grants=house.manager.grants)
        )
    assert (await sign("console", house.manager)).passed is False  # food: somebody signs for the centre too
    with pytest.raises(SecondPersonNeeded):
        await sign("centre", house.manager)
    with pytest.raises(PreAirCheckMissing):
        await onair.start(show.public_id, actor=house.manager, now=DAY)
    assert (await sign("centre", house.second)).passed is True
    assert (await Broadcast.get(id=show.id)).state is BroadcastState.CHECKED

    await plan(shown(good), Planned(kind=Kind.CLOSING, title="感谢", offset_s=600))
    assert (await Broadcast.get(id=show.id)).state is BroadcastState.PLANNED  # looked at anew
    await checked(show, now=DAY)
    await database.unit(
        lambda: qualifications.withdraw(
            made.public_id, reason="监护人撤回", actor=house.manager, now=local(20, 19)
        )
    )
    with pytest.raises(CheckOutdated) as outdated:
        await onair.start(show.public_id, actor=house.manager, now=DAY)
    assert (rules(outdated), outdated.value.status) == (["guardian_consent_missing"], 409)
    await born(house, date(1990, 1, 1))
    live = await onair.start(show.public_id, actor=house.manager, now=DAY)
    assert live.state is BroadcastState.LIVE
    unapproved = await a_product(house.centre, "带子", papers=False)
    await a_paper(unapproved, "conformity_cert")
    with pytest.raises(CueRefused) as refusal:  # on the air no other check comes after this one
        await rundown.add(
            show.public_id, cue=shown(unapproved), actor=house.officers[0], now=DAY + timedelta(minutes=5)
        )
    assert rules(refusal) == ["product_not_approved"]


async def test_the_party_room_sells_nothing_and_two_sign(db: Settings) -> None:
    house = await a_house(theme=Theme.PARTY_BUILDING, commerce_allowed=False)
    show = await a_broadcast(house, DAY, check=False)
    good = await a_product(house.centre)

    with pytest.raises(CueRefused) as refusal:
        await rundown.plan(show.public_id, cues=[shown(good)], actor=house.officers[0], now=local(18, 9))

    assert (rules(refusal), refusal.value.status) == (["commerce_not_allowed"], 422)
    wanted = await prechecks.standing(show.id)
    assert wanted.needs_centre
    assert wanted.items == ("identity", "prices", "papers", "rules", "party_review")


async def test_an_ai_host_is_labelled_and_watched_over(db: Settings) -> None:
    house = await a_house()
    show = await a_broadcast(house, DAY)
    told = {"actor": house.officers[0], "now": local(18, 9)}

    await prechecks.set_ai_host(show.public_id, ai_host=True, **told)

    assert (await Broadcast.get(id=show.id)).state is BroadcastState.PLANNED
    with pytest.raises(ChecklistIncomplete) as undone:
        await prechecks.sign(
            show.public_id, ticked=checklist.ITEMS, role="anchor", actor=herself(house), now=DAY
        )
    assert [each.field for each in undone.value.details] == ["ai_label", "human_on_duty"]


async def test_nobody_of_unknown_age_goes_on_air(db: Settings) -> None:
    house = await a_house()
    await Person.filter(id=house.streamer.person_id).update(born_sealed=None)
    with pytest.raises(NotFitForAir) as refusal:
        await a_broadcast(house, DAY)
    assert rules(refusal) == ["birth_unknown"]


async def test_the_database_lets_nothing_unchecked_on_air(db: Settings) -> None:
    house = await a_house()
    unchecked = await a_broadcast(house, local(3, 20), check=False)
    ready = await a_broadcast(house, local(4, 20), room=(await a_room(house.centre)).public_id)

    with pytest.raises((IntegrityError, OperationalError)):
        async with database.transaction():
            await Broadcast.filter(id=unchecked.id).update(state=BroadcastState.LIVE)
    assert await Broadcast.filter(id=ready.id).update(state=BroadcastState.LIVE) == 1
    with pytest.raises((IntegrityError, OperationalError)):
        async with database.transaction():
            await PreAirCheck.filter(broadcast_id=ready.id).update(passed=False)


ANCHOR, CONSOLE, CENTRE = (
    Signature("anchor", "streamer", 1),
    Signature("console", "user", 1),
    Signature("centre", "user", 1),
)
OTHER = Signature("centre", "user", 2)


@pytest.mark.parametrize(
    ("signed", "centre", "is_whole"),
    [
        ([], False, False),
        ([ANCHOR], False, True),
        ([CENTRE], False, False),
        ([ANCHOR], True, False),
        ([ANCHOR, CENTRE], True, True),
        ([CONSOLE, CENTRE], True, False),  # one and the same person
        ([CONSOLE, OTHER], True, True),
        ([CONSOLE, CENTRE, ANCHOR], True, True),
    ],
)
def test_whose_signatures_make_it_whole(signed: list[Signature], centre: bool, is_whole: bool) -> None:
    assert checklist.is_whole(signed, centre=centre) is is_whole


@pytest.mark.parametrize(
    ("birth", "on", "years"),
    [
        (date(2010, 3, 21), date(2026, 3, 20), 15),
        (date(2010, 3, 20), date(2026, 3, 20), 16),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
    ],
)
def test_how_old_somebody_is(birth: date, on: date, years: int) -> None:
    assert ages.age(birth, on=on) == years
