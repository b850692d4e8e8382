"""One-time codes: limited, used once, forgotten after five minutes or five tries; nothing readable is kept."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

import pytest

from livehub import database
from livehub.kit import sealing
from livehub.kit.errors import TooMany
from livehub.notices.models import Notice
from livehub.notices.sending import BODY_PLACE
from livehub.settings import Settings
from livehub.vouchers import identity
from livehub.vouchers.errors import ClaimantUnknown, CodeWrong
from tests.factories.accounts import a_centre
from tests.factories.vouchers import NOW

PHONE = "13812345678"


async def a_code(centre_id: int, now: datetime = NOW, phone: str = PHONE, ip: str = "203.0.113.9") -> str:
    await identity.send_code(phone, centre_id=centre_id, ip=ip, channel="outbox", now=now)
    notice = await Notice.all().order_by("-id").first()
    assert notice is not None
    body = sealing.ring().open_text(bytes(notice.body_sealed), place=BODY_PLACE)
    found = re.search(r"\d{6}", body)
    assert found is not None
    return found[0]


async def test_a_code_opens_a_session_for_30_days_and_the_person_is_the_same_next_time(db: Settings) -> None:
    centre = await a_centre()
    session = await identity.verify(PHONE, await a_code(centre.id), centre_id=centre.id, now=NOW)
    later = NOW + timedelta(minutes=1)
    again = await identity.verify(PHONE, await a_code(centre.id, later), centre_id=centre.id, now=later)

    assert again.claimant == session.claimant
    assert await identity.claimant_of(session.token, now=NOW + timedelta(days=29)) == session.claimant
    with pytest.raises(ClaimantUnknown):
        await identity.claimant_of(session.token, now=NOW + timedelta(days=30))
    assert await identity.phone_of(session.claimant.id) == PHONE
    await identity.forget_session(session.token)
    with pytest.raises(ClaimantUnknown):
        await identity.claimant_of(session.token, now=NOW)


async def test_a_code_is_used_once_and_ends_with_the_next_one(db: Settings) -> None:
    centre = await a_centre()
    code = await a_code(centre.id)
    await identity.check_code(PHONE, code, now=NOW)
    with pytest.raises(CodeWrong):
        await identity.check_code(PHONE, code, now=NOW)
    older = await a_code(centre.id, NOW + timedelta(minutes=1))
    newer = await a_code(centre.id, NOW + timedelta(minutes=2))
    later = NOW + timedelta(minutes=2)
    if older != newer:
        with pytest.raises(CodeWrong):
            await identity.check_code(PHONE, older, now=later)
    await identity.check_code(PHONE, newer, now=later)


async def test_five_tries_and_five_minutes(db: Settings) -> None:
    centre = await a_centre()
    code = await a_code(centre.id)
    wrong = "000000" if code != "000000" else "111111"
    for _ in range(5):
        with pytest.raises(CodeWrong):
            await identity.check_code(PHONE, wrong, now=NOW)
    with pytest.raises(CodeWrong):
        await identity.check_code(PHONE, code, now=NOW)

    other = await a_code(centre.id, phone="13900000000")
    with pytest.raises(CodeWrong):
        await identity.check_code("13900000000", other, now=NOW + identity.CODE_TTL)
    with pytest.raises(CodeWrong):
        await identity.check_code("13900000000", other, now=NOW, purpose="device")


async def test_codes_are_limited_by_phone_and_by_address(db: Settings) -> None:
    centre = await a_centre()
    await a_code(centre.id)
    with pytest.raises(TooMany) as caught:
        await a_code(centre.id, NOW + timedelta(seconds=1))
    assert caught.value.retry_after
    for minute in range(1, 5):
        await a_code(centre.id, NOW + timedelta(minutes=minute))
    with pytest.raises(TooMany):
        await a_code(centre.id, NOW + timedelta(minutes=9))

    for n in range(30):
        await a_code(centre.id, phone=f"137{n:08d}", ip="203.0.113.77")
    with pytest.raises(TooMany):
        await a_code(centre.id, phone="13711111111", ip="203.0.113.77")


async def test_nothing_readable_is_stored(db: Settings) -> None:
    centre = await a_centre()
    code = await a_code(centre.id)
    session = await identity.verify(PHONE, code, centre_id=centre.id, now=NOW)

    for table in ("claimant", "claimant_session", "one_time_code", "notice", "rate_window", "audit_entry"):
        for row in await database.fetch(f"SELECT * FROM {table}"):
            text = " ".join(
                value.decode("latin-1") if isinstance(value, bytes) else str(value) for value in row.values()
            )
            assert PHONE not in text
            assert session.token not in text
            assert table != "one_time_code" or code not in text
