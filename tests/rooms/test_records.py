"""What is kept of a show: what went wrong and how it was put right, recordings, three years and a legal hold."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from tortoise.exceptions import IntegrityError, OperationalError

from livehub import database
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import AuditEntry
from livehub.kit import clock
from livehub.settings import Settings
from rooms import incidents, onair, records, retention
from rooms.air_models import Incident, Recording
from rooms.errors import AlreadyCorrected, RecordingKnown, RecordRefused, Retained
from rooms.models import Broadcast
from tests.factories.rooms import a_broadcast, a_house, local


@pytest.mark.parametrize(
    ("ended", "until"),
    [
        ("2026-03-20T22:05:30+08:00", "2029-03-20T22:05:30+08:00"),
        ("2028-02-29T23:59:00+08:00", "2031-03-01T23:59:00+08:00"),
        ("2024-02-28T16:30:00+00:00", "2027-03-01T00:30:00+08:00"),  # 29 February in Beihai already
    ],
)
def test_three_years_on_the_wall_clock(ended: str, until: str) -> None:
    assert retention.until(datetime.fromisoformat(ended)) == datetime.fromisoformat(until)


async def test_a_recording_stays_for_three_years_and_longer_when_held(db: Settings) -> None:
    house = await a_house()
    show = await a_broadcast(house, local(20, 20), minutes=120)
    ended = clock.from_ms(clock.to_ms(datetime(2026, 3, 20, 14, 5, 30, tzinfo=UTC)))
    told = {"actor": house.manager}
    with pytest.raises(RecordRefused):  # nothing was on the air yet
        await incidents.report(show.public_id, category="price", text="报错价", **told, now=local(20, 19))
    await onair.start(show.public_id, **told, now=local(20, 20))
    await onair.end(show.public_id, **told, now=ended)
    until = datetime.fromisoformat("2029-03-20T22:05:30+08:00")
    assert (await Broadcast.get(id=show.id)).retain_until == until
    kept = await records.add(show.public_id, ref="doudian:7312", seconds=7500, **told, now=ended)
    with pytest.raises(RecordingKnown):
        await database.unit(
            lambda: records.add(show.public_id, ref="doudian:7312", seconds=7500, **told, now=ended)
        )

    with pytest.raises(Retained) as refusal:
        await records.delete(kept.public_id, reason="清理", **told, now=local(21, 9))
    assert (refusal.value.status, refusal.value.code) == (409, "RETAINED")
    with pytest.raises(PermissionMissing):
        await records.delete(kept.public_id, reason="清理", actor=house.officers[0], now=local(21, 9))
    with pytest.raises((IntegrityError, OperationalError)):  # nor by whoever has the database
        async with database.transaction():
            await Recording.filter(id=kept.id).delete()
    await records.hold(show.public_id, is_held=True, reason="监管调查", **told, now=local(21, 9))
    later = until.astimezone(UTC).replace(year=2030)
    with pytest.raises(Retained):
        await records.delete(kept.public_id, reason="清理", **told, now=later)
    await records.hold(show.public_id, is_held=False, reason="调查结束", **told, now=later)
    await Broadcast.filter(id=show.id).update(retain_until=clock.to_ms(local(1, 9)))  # as if it were long ago
    with pytest.raises(Retained):
        await records.delete(kept.public_id, reason="清理", **told, now=local(1, 8))
    await Broadcast.filter(id=show.id).update(retain_until=0)
    await records.delete(kept.public_id, reason="已过保存期", **told, now=later)
    assert await Recording.all().count() == 0
    actions = [each.action for each in await AuditEntry.filter(object_kind="broadcast").order_by("id")]
    assert actions[-4:] == ["recording.noted", "broadcast.held", "broadcast.released", "recording.deleted"]


async def test_an_incident_is_corrected_once_and_stays(db: Settings) -> None:
    house = await a_house()
    show = await a_broadcast(house, local(20, 20))
    await onair.start(show.public_id, actor=house.manager, now=local(20, 20))
    said = "说成了国家级认证"
    made = await incidents.report(
        show.public_id, category="false_claim", text=said, actor=house.manager, now=local(20, 20, 10)
    )
    wrong = {"category": "nothing", "text": " ", "at": local(20, 19)}
    with pytest.raises(RecordRefused) as refusal:
        await incidents.report(show.public_id, **wrong, actor=house.manager, now=local(20, 20, 11))
    assert [each.field for each in refusal.value.details] == ["category", "text", "at"]

    put_right = {"text": "口播更正：没有国家级认证", "actor": house.manager, "now": local(20, 20, 15)}
    corrected = await incidents.correct(made.public_id, **put_right)

    assert (corrected.text, corrected.correction, corrected.corrected_at) == (
        said,
        "口播更正：没有国家级认证",
        local(20, 20, 15),
    )
    with pytest.raises(AlreadyCorrected):
        await incidents.correct(made.public_id, **put_right)
    for change in (
        lambda: Incident.filter(id=made.id).update(text="没说过"),
        lambda: Incident.filter(id=made.id).delete(),
    ):
        with pytest.raises((IntegrityError, OperationalError)):
            async with database.transaction():
                await change()
