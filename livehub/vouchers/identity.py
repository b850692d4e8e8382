"""Who a claimant is: a phone that was shown to be hers by a one-time code, then a cookie for 30 days."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from msgspec import Struct

from livehub import database
from livehub.kit import clock, ids, limits, sealing, signing
from livehub.kit.resealing import Column
from livehub.notices import sending
from livehub.vouchers.errors import ClaimantUnknown, CodeWrong, TooManyPhones

CODE_TTL = timedelta(minutes=5)
CODE_TRIES = 5
SESSION_TTL = timedelta(days=30)
PER_PHONE = (
    limits.declare("code.phone_a_minute", 1, seconds=60),
    limits.declare("code.phone_a_day", 5, seconds=86_400),
)
PER_IP = limits.declare("code.address", 30, seconds=3600, setting="code_address_limit")
# A family may share a phone, and half a town an address of its carrier; a farm of either is slowed down.
PHONES_PER_DEVICE = limits.declare("verify.device", 10, seconds=86_400, setting="verify_device_limit")
PHONES_PER_NETWORK = limits.declare("verify.network", 1000, seconds=3600, setting="verify_network_limit")
PHONE_PLACE = "claimant.phone"
SEALED = (Column("claimant", "phone_sealed", PHONE_PLACE),)

# A claimant's columns, and the way to her from a cookie: ``v`` has its token_hash and ``now``.
CLAIMANT = "c.id, c.public_id, c.centre_id, c.person_key"
BY_COOKIE = (
    "JOIN claimant_session s ON s.token_hash = v.token_hash AND s.expires_at > v.now"
    " JOIN claimant c ON c.id = s.claimant_id"
)

Purpose = Literal["claim", "device"]


class ClaimantRef(Struct, frozen=True, kw_only=True):
    """A verified claimant, as claims want her."""

    id: int
    public_id: str
    centre_id: int
    person_key: bytes


class Session(Struct, frozen=True, kw_only=True):
    """A claimant and the token of her cookie; the token is not stored."""

    claimant: ClaimantRef
    token: str
    expires_at: datetime


async def send_code(
    phone: str,
    *,
    centre_id: int,
    ip: str,
    channel: str,
    now: datetime,
    purpose: Purpose = "claim",
) -> None:
    """Send a six-digit code to a phone; TooMany above the limits of phone and address.

    Older codes of the phone end with it.
    """
    index = phone_index(phone)
    code = ids.digits(6)

    async def work() -> None:
        await limits.require(f"code:ip:{ip}", limit=PER_IP.most, seconds=PER_IP.seconds, now=now)
        for each in PER_PHONE:
            key = f"code:phone:{index.hex()}:{each.seconds}"
            await limits.require(key, limit=each.most, seconds=each.seconds, now=now)
        await _store(index, code, purpose, now=now)
        await sending.send(
            "one_time_code",
            centre_id=centre_id,
            recipient=phone,
            body=f"您的验证码是 {code}，5 分钟内有效。请勿告诉他人。",
            dedupe_key=f"code:{index.hex()}:{clock.to_ms(now)}",
            now=now,
            channel=channel,
            expires_at=now + CODE_TTL,
        )

    await database.unit(work)


async def check_code(phone: str, code: str, *, now: datetime, purpose: Purpose = "claim") -> None:
    """Use a code up, or CodeWrong. A wrong try is counted for good: do not call this in a transaction."""
    index = phone_index(phone)
    right = await database.unit(lambda: _try(index, code, purpose, now=now))
    if not right:
        raise CodeWrong


async def verify(
    phone: str, code: str, *, centre_id: int, now: datetime, device: str = "", ip: str = ""
) -> Session:
    """The claimant of a phone whose code is right, with a new 30-day session; CodeWrong otherwise.

    TooManyPhones where too many phones were verified on the device, by its cookie, or in the network.
    """
    await check_code(phone, code, now=now)

    async def work() -> Session:
        session = await _open_session(phone, centre_id=centre_id, now=now)
        for name, text, limit in (
            ("device", device, PHONES_PER_DEVICE),
            ("network", limits.network(ip), PHONES_PER_NETWORK),
        ):
            if text:
                key = sealing.ring().blind(text, purpose="verify").hex()
                hits = await limits.hit(f"verify:{name}:{key}", seconds=limit.seconds, now=now)
                if hits > limit.most:
                    raise TooManyPhones(retry_after=limits.seconds_left(limit.seconds, now))
        return session

    return await database.unit(work)


async def claimant_of(token: str, *, now: datetime) -> ClaimantRef:
    """Whose cookie it is; ClaimantUnknown when it is nobody's or too old."""
    found = await claimants_of([token], now=now)
    if token not in found:
        raise ClaimantUnknown
    return found[token]


async def claimants_of(tokens: Sequence[str], *, now: datetime) -> dict[str, ClaimantRef]:
    """Whose cookies they are, with one question; those of nobody, or too old, are left out."""
    by_hash = {sealing.token_hash(token): token for token in tokens}
    rows = await database.with_rows(
        {"token_hash": "bytea", "now": "bigint"},
        [(each, clock.to_ms(now)) for each in sorted(by_hash)],
        f"SELECT v.token_hash, {CLAIMANT} FROM v {BY_COOKIE}",
        by_index=True,
    )
    return {by_hash[bytes(row["token_hash"])]: of_row(row) for row in rows}


def of_row(row: Mapping[str, Any]) -> ClaimantRef:
    """The claimant whose CLAIMANT columns were read."""
    return ClaimantRef(
        id=row["id"],
        public_id=row["public_id"],
        centre_id=row["centre_id"],
        person_key=bytes(row["person_key"]),
    )


async def forget_session(token: str) -> None:
    """End a cookie: the next visitor of this device verifies her own phone."""
    await database.execute("DELETE FROM claimant_session WHERE token_hash = $1", sealing.token_hash(token))


async def phone_of(claimant_id: int) -> str:
    """The claimant's phone in clear, to be masked for herself or compared, never logged; empty: erased."""
    row = await database.fetch_one("SELECT phone_sealed FROM claimant WHERE id = $1", claimant_id)
    return open_phone(row["phone_sealed"]) if row and row["phone_sealed"] else ""


def open_phone(sealed: bytes) -> str:
    """A sealed phone in clear."""
    return sealing.ring().open_text(bytes(sealed), place=PHONE_PLACE)


def phone_index(phone: str) -> bytes:
    """The blind index of a phone: the same person has the same one whichever account she uses."""
    return sealing.ring().blind(phone, purpose="phone")


async def enter(phone: str, *, centre_id: int, now: datetime) -> ClaimantRef:
    """The claimant of a verified phone, made at her first visit; for imports and the past of a demo."""
    await _make_known([phone], centre_id=centre_id, now=now)
    row = await database.fetch_one(
        f"SELECT {CLAIMANT} FROM claimant c WHERE c.centre_id = $1 AND c.person_key = $2",
        centre_id,
        phone_index(phone),
    )
    if row is None:
        raise LookupError("the claimant that was just entered")
    return of_row(row)


async def enter_all(phones: Sequence[str], *, centre_id: int, now: datetime) -> dict[bytes, int]:
    """The row ids of the claimants of some phones by their indexes, made where they were not known."""
    indexes = await _make_known(phones, centre_id=centre_id, now=now)
    rows = await database.with_rows(
        {"centre_id": "bigint", "person_key": "bytea"},
        [(centre_id, index) for index in indexes],
        "SELECT c.id, c.person_key FROM v JOIN claimant c ON c.centre_id = v.centre_id"
        " AND c.person_key = v.person_key",
    )
    return {bytes(row["person_key"]): int(row["id"]) for row in rows}


async def _make_known(phones: Sequence[str], *, centre_id: int, now: datetime) -> list[bytes]:
    ring, at = sealing.ring(), clock.to_ms(now)
    by_index = {phone_index(phone): phone for phone in phones}
    await database.with_rows(
        {
            "public_id": "text",
            "centre_id": "bigint",
            "person_key": "bytea",
            "phone_sealed": "bytea",
            "at": "bigint",
        },
        [
            (ids.public_id(), centre_id, index, ring.seal_text(phone, place=PHONE_PLACE), at)
            for index, phone in sorted(by_index.items())
        ],
        "INSERT INTO claimant (public_id, centre_id, person_key, phone_sealed, created_at)"
        " SELECT public_id, centre_id, person_key, phone_sealed, at FROM v WHERE true"
        " ON CONFLICT (centre_id, person_key) DO NOTHING",
    )
    return list(by_index)


async def _open_session(phone: str, *, centre_id: int, now: datetime) -> Session:
    claimant = await enter(phone, centre_id=centre_id, now=now)
    token, expires_at = ids.token(), now + SESSION_TTL
    await database.with_rows(
        {"token_hash": "bytea", "claimant_id": "bigint", "at": "bigint", "expires_at": "bigint"},
        [(sealing.token_hash(token), claimant.id, clock.to_ms(now), clock.to_ms(expires_at))],
        "INSERT INTO claimant_session (token_hash, claimant_id, created_at, expires_at)"
        " SELECT token_hash, claimant_id, at, expires_at FROM v",
    )
    return Session(claimant=claimant, token=token, expires_at=expires_at)


async def _store(index: bytes, code: str, purpose: Purpose, *, now: datetime) -> None:
    await database.execute(
        "UPDATE one_time_code SET used_at = $1 WHERE phone_index = $2 AND purpose = $3 AND used_at IS NULL",
        clock.to_ms(now),
        index,
        purpose,
    )
    await database.with_rows(
        {
            "purpose": "text",
            "phone_index": "bytea",
            "code_mac": "text",
            "expires_at": "bigint",
            "at": "bigint",
        },
        [(purpose, index, _mac(index, purpose, code), clock.to_ms(now + CODE_TTL), clock.to_ms(now))],
        "INSERT INTO one_time_code (purpose, phone_index, code_mac, expires_at, tries, created_at)"
        " SELECT purpose, phone_index, code_mac, expires_at, 0, at FROM v",
    )


async def _try(index: bytes, code: str, purpose: Purpose, *, now: datetime) -> bool:
    """One counted try at the phone's live code; the row's own guard decides how many there are."""
    tried = await database.fetch(
        "UPDATE one_time_code SET tries = tries + 1 WHERE phone_index = $1 AND purpose = $2"
        " AND used_at IS NULL AND tries < $3 AND expires_at > $4 RETURNING id, code_mac",
        index,
        purpose,
        CODE_TRIES,
        clock.to_ms(now),
    )
    right = [row for row in tried if signing.matches(row["code_mac"], _mac(index, purpose, code))]
    for row in right:
        await database.execute(
            "UPDATE one_time_code SET used_at = $1 WHERE id = $2", clock.to_ms(now), row["id"]
        )
    return bool(right)


def _mac(index: bytes, purpose: Purpose, code: str) -> str:
    return signing.mac(sealing.ring().secret("one-time-code"), purpose, index.hex(), code)
