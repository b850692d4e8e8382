"""The link on a streamer's phone: a secret, one device, thirty days, revocable.

Only hashes of tokens are stored. Its first use, a tap and no mere opening, binds the link to a device by a
second secret that lives in that device's cookie; after that the link's own token opens nothing elsewhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from msgspec import Struct

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, ids
from livehub.kit.errors import NotFound
from livehub.kit.sealing import token_hash
from streamers.errors import DeviceCodeNeeded, LinkUnknown
from streamers.models import Streamer, StreamerLink

LIFETIME = timedelta(days=30)
TOKEN_BYTES = 24  # 192 random bits


class Issued(Struct, frozen=True):
    """A new link; the token is shown this once."""

    link_id: int
    token: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Without the token, for logs and tracebacks."""
        return f"Issued(link_id={self.link_id})"


class Opened(Struct, frozen=True):
    """A link that was opened; the device token is for the cookie."""

    streamer_id: int
    device_token: str
    expires_at: datetime

    def __repr__(self) -> str:
        """Without the token, for logs and tracebacks."""
        return f"Opened(streamer_id={self.streamer_id})"


@database.atomic
async def issue(streamer: str, *, actor: Actor, now: datetime) -> Issued:
    """Make a new link for a streamer (public id); her earlier links keep working."""
    owner = await Streamer.get_or_none(public_id=streamer)
    if owner is None:
        raise NotFound
    require(actor, Permission.STREAMER_MANAGE, centre_id=owner.centre_id)
    token = ids.token(nbytes=TOKEN_BYTES)
    link = await StreamerLink.create(
        streamer_id=owner.id, token_hash=token_hash(token), created_at=now, expires_at=now + LIFETIME
    )
    about = ("streamer", owner.public_id)
    await audit.write("streamer_link.issued", actor=actor, now=now, about=about, detail={"link": link.id})
    return Issued(link.id, token, link.expires_at)


@database.atomic
async def revoke(link_id: int, *, actor: Actor, now: datetime) -> None:
    """Close a link and the device bound to it; closing it again changes nothing."""
    link = await StreamerLink.get_or_none(id=link_id)
    if link is None:
        raise NotFound
    owner = await Streamer.get(id=link.streamer_id)
    require(actor, Permission.STREAMER_MANAGE, centre_id=owner.centre_id)
    if await StreamerLink.filter(id=link.id, revoked_at__isnull=True).update(revoked_at=now):
        about, detail = ("streamer", owner.public_id), {"link": link.id}
        await audit.write("streamer_link.revoked", actor=actor, now=now, about=about, detail=detail)


class Unbound(Struct, frozen=True):
    """A link as a device sees it that is not the link's own: whose it is, and whether it has a device yet."""

    stage_name: str
    has_device: bool


async def recognise(token: str, *, device_token: str | None, now: datetime) -> Opened | None:
    """The link on the device it is bound to; None on any other, and nothing is changed.

    LinkUnknown for unknown, expired and revoked links alike.
    """
    link = await _usable(token, now=now)
    if device_token and link.device_hash == token_hash(device_token):
        return Opened(link.streamer_id, device_token, link.expires_at)
    return None


async def unbound(token: str, *, now: datetime) -> Unbound:
    """What a device that is not bound may be told before it asks to be."""
    link = await _usable(token, now=now)
    owner = await Streamer.get(id=link.streamer_id)
    return Unbound(owner.stage_name, has_device=link.device_hash is not None)


@database.atomic
async def open_link(token: str, *, device_token: str | None, now: datetime) -> Opened:
    """Open a link on its device, binding it at the first use.

    LinkUnknown for unknown, expired and revoked links alike; DeviceCodeNeeded on another device.
    """
    link = await _usable(token, now=now)
    if device_token and link.device_hash == token_hash(device_token):
        return Opened(link.streamer_id, device_token, link.expires_at)
    fresh = ids.token(nbytes=TOKEN_BYTES)
    free = StreamerLink.filter(id=link.id, device_hash__isnull=True)  # decides who is first
    if not await free.update(device_hash=token_hash(fresh)):
        raise DeviceCodeNeeded
    await _audit_device("streamer_link.bound", link, now=now)
    return Opened(link.streamer_id, fresh, link.expires_at)


@database.atomic
async def move_to_device(token: str, *, now: datetime) -> Opened:
    """Bind a link to another device; the caller has checked a one-time code sent to the streamer's phone."""
    link = await _usable(token, now=now)
    fresh = ids.token(nbytes=TOKEN_BYTES)
    await StreamerLink.filter(id=link.id).update(device_hash=token_hash(fresh))
    await _audit_device("streamer_link.moved", link, now=now)
    return Opened(link.streamer_id, fresh, link.expires_at)


async def streamer_of_link(token: str, *, now: datetime) -> int:
    """Whose link it is, for sending her a code; LinkUnknown when it opens nothing."""
    return (await _usable(token, now=now)).streamer_id


async def actor_of_device(device_token: str, *, now: datetime) -> Actor | None:
    """The streamer behind a device's cookie, None when its link expired, was revoked or moved."""
    row = await database.fetch_one(
        "SELECT s.id, s.stage_name, s.centre_id FROM streamer_link k JOIN streamer s ON s.id = k.streamer_id"
        " WHERE k.device_hash = $1 AND k.expires_at > $2 AND k.revoked_at IS NULL AND s.status <> 'left'",
        token_hash(device_token),
        clock.to_ms(now),
    )
    if row is None:
        return None
    return Actor(kind="streamer", id=row["id"], name=row["stage_name"], centre_id=row["centre_id"])


async def _usable(token: str, *, now: datetime) -> StreamerLink:
    link = await StreamerLink.get_or_none(token_hash=token_hash(token))
    if link is None or link.revoked_at is not None or link.expires_at <= now:
        raise LinkUnknown
    return link


async def _audit_device(action: str, link: StreamerLink, *, now: datetime) -> None:
    streamer = await Streamer.get(id=link.streamer_id)
    actor = Actor(kind="streamer", id=streamer.id, name=streamer.stage_name, centre_id=streamer.centre_id)
    about = ("streamer", streamer.public_id)
    await audit.write(action, actor=actor, now=now, about=about, detail={"link": link.id})
