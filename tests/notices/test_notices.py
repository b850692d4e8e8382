"""Messages to people: once, sealed, passed on, and read by those who may."""

import sqlite3
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
import structlog

from livehub import database
from livehub.accounts.errors import PermissionMissing
from livehub.accounts.models import Role
from livehub.kit import clock
from livehub.notices import queries, recipients, sending
from livehub.notices.contract import Message, NotDelivered
from livehub.notices.models import Notice
from tests.contention import meet
from tests.factories.accounts import NOW, an_actor

PHONE, CODE = "13807791234", "492817"
STAFF = an_actor(Role.STAFF, centre_id=1)


async def send(
    key="code:1",
    *,
    body=f"您的验证码是 {CODE}，5 分钟内有效。",
    recipient=PHONE,
    channel="outbox",
    centre_id=1,
    **more,
):
    return await sending.send(
        "one_time_code",
        centre_id=centre_id,
        recipient=recipient,
        body=body,
        dedupe_key=key,
        now=NOW,
        channel=channel,
        **more,
    )


class Flaky:
    """A channel of somebody else's, that fails as often as it is told."""

    label, readable = "短信", False

    def __init__(self, failures=0):
        self.failures, self.passed = failures, []

    async def deliver(self, message: Message) -> None:
        if self.failures:
            self.failures -= 1
            raise NotDelivered("gateway said 503")
        self.passed.append((message.recipient, message.body))


@pytest.fixture
def sms(monkeypatch):
    return a_channel(monkeypatch)


def a_channel(monkeypatch):
    channel = Flaky()
    monkeypatch.setitem(sending.known(), "sms", channel)
    return channel


async def time_passes():
    """Whatever waited for its time, or is held by somebody, is due by the database's clock."""
    await database.execute("UPDATE notice SET next_attempt_at = 0")


async def states():
    return [(row.state, row.attempts) for row in await Notice.all().order_by("id")]


async def test_a_code_is_read_in_the_outbox(db):
    assert await send()
    assert await sending.deliver_waiting(NOW) == 1
    assert await sending.deliver_waiting(NOW) == 0

    page = await queries.recent(STAFF)

    row = page.items[0]
    assert (row.recipient, row.body, row.state, row.channel_label, row.sent_at, page.total) == (
        "138****1234",
        f"您的验证码是 {CODE}，5 分钟内有效。",
        "sent",
        "发件箱",
        NOW,
        1,
    )
    assert CODE not in repr(row)


async def test_the_same_key_is_one_message(db):
    assert [await send(), await send(body="again"), await send("code:2")] == [True, False, True]
    assert await Notice.all().count() == 2


async def test_a_message_is_gone_with_its_transaction(db):
    with pytest.raises(ZeroDivisionError):
        async with database.transaction():
            await send()
            raise ZeroDivisionError

    assert await Notice.all().count() == 0


async def test_no_phone_and_no_code_is_in_the_database(db):
    await send(f"code:{PHONE}:1")
    await sending.deliver_waiting(NOW)

    raw = await everything_stored(db)

    assert b"138****1234" in raw, "this test looks at the right bytes"
    assert PHONE.encode() not in raw
    assert CODE.encode() not in raw
    assert PHONE.encode().hex().encode() not in raw


async def everything_stored(db) -> bytes:
    if db.is_sqlite:
        file = Path(db.database.removeprefix("sqlite://"))
        with sqlite3.connect(file) as connection:
            dump = "\n".join(connection.iterdump()).encode()
        connection.close()
        return dump + b"".join(path.read_bytes() for path in file.parent.glob(f"{file.name}*"))
    connection = await asyncpg.connect(db.database)
    rows = await connection.fetch("SELECT notice::text AS line FROM notice")
    await connection.close()
    return "\n".join(row["line"] for row in rows).encode()


async def test_codes_never_reach_a_log(db, sms):
    sms.failures = 1
    await send(channel="sms")

    with structlog.testing.capture_logs() as lines:
        await sending.deliver_waiting(NOW)

    assert [(line["event"], line["error"]) for line in lines] == [("notice.not_delivered", "NotDelivered")]
    assert CODE not in str(lines)
    assert PHONE not in str(lines)
    assert CODE not in repr(Message(kind="x", recipient=PHONE, body=CODE))


async def test_a_failing_channel_is_tried_again_later_and_then_no_more(db, sms):
    sms.failures = 99
    await send(channel="sms")

    tried = 0
    for _ in range(20):
        tried += await sending.deliver_waiting(NOW)
        assert await sending.deliver_waiting(NOW) == 0, "not before the pause is over"
        await time_passes()

    assert tried == sending.MAX_ATTEMPTS
    assert await states() == [("failed", sending.MAX_ATTEMPTS)]


async def test_a_message_gets_through_once_the_channel_is_back(db, sms):
    sms.failures = 2
    await send(channel="sms")
    await send("code:2", channel="outbox")

    for _ in range(4):
        await sending.deliver_waiting(NOW)
        await time_passes()

    assert sms.passed == [(PHONE, f"您的验证码是 {CODE}，5 分钟内有效。")]
    assert await states() == [("sent", 3), ("sent", 1)]


async def test_an_expired_code_is_not_sent(db, sms):
    await send(channel="sms", expires_at=clock.now() - timedelta(seconds=1))

    await sending.deliver_waiting(NOW)

    assert (sms.passed, await states()) == ([], [("expired", 1)])


async def test_a_message_taken_over_is_settled_by_the_taker_only(db, sms):
    await send(channel="sms")
    slow = (await sending._lease(limit=1))[0]

    assert await sending.deliver_waiting(NOW) == 0
    await time_passes()
    assert await sending.deliver_waiting(NOW) == 1
    await sending._settle(slow, state="failed", now=NOW)

    assert await states() == [("sent", 2)]


async def test_who_was_too_slow_does_not_settle_the_takers_attempt(db, sms):
    await send(channel="sms")
    slow = (await sending._lease(limit=1))[0]
    await time_passes()
    taker = (await sending._lease(limit=1))[0]

    await sending._settle(slow, state="failed", now=NOW)
    before = await states()
    await sending._settle(taker, state="sent", now=NOW)

    assert (before, await states()) == ([("waiting", 2)], [("sent", 2)])


async def test_two_processes_pass_each_message_on_once(db, sms):
    for n in range(9):
        await send(f"code:{n}", channel="sms", body=f"{n}")

    async def deliver():
        return await sending.deliver_waiting(NOW, limit=4)

    await meet(db, "SELECT 1 FROM notice ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE", deliver, deliver)
    await deliver()

    assert sorted(body for _, body in sms.passed) == [str(n) for n in range(9)]


async def test_what_went_out_by_another_way_is_not_opened(db, sms):
    await send(channel="sms")
    await sending.deliver_waiting(NOW)

    row = (await queries.recent(STAFF)).items[0]

    assert (row.body, row.channel_label, row.state) == ("", "短信", "sent")


async def test_who_reads_the_outbox(db):
    await send()
    await send("code:2", centre_id=2)

    assert (await queries.recent(STAFF)).total == 1
    assert (await queries.recent(STAFF, kind="booking.approved")).total == 0
    assert (await queries.recent(STAFF, recipient="138****1234")).total == 1
    for role in (Role.BUREAU, Role.FINANCE, Role.MERCHANT, Role.ADMIN):
        with pytest.raises(PermissionMissing):
            await queries.recent(an_actor(role, bureau_id=7, merchant_id=9))


async def test_ended_messages_are_forgotten(db):
    await send()
    await sending.deliver_waiting(NOW)
    await send("code:2")

    assert await sending.forget(before=NOW + timedelta(days=1)) == 1
    assert await states() == [("waiting", 0)]


async def test_an_unknown_channel_is_our_mistake(db):
    with pytest.raises(LookupError, match="pigeon"):
        await send(channel="pigeon")


@pytest.mark.parametrize(
    ("recipient", "shown"),
    [
        ("13807791234", "138****1234"),
        ("+86 138-0779-1234", "138****1234"),
        ("zhangsan@example.cn", "z***@example.cn"),
        ("user:abcdef", "u***"),
        ("", "***"),
    ],
)
def test_masks(recipient, shown):
    assert recipients.mask(recipient) == shown
