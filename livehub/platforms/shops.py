"""App credentials and shops: registered, their secrets sealed and rotated; each step is audited."""

from __future__ import annotations

from datetime import datetime, timedelta

from tortoise.exceptions import IntegrityError
from tortoise.expressions import Q

from livehub import database
from livehub.accounts import audit
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau
from livehub.accounts.permissions import Permission, require
from livehub.kit import ids, outbox, sealing
from livehub.kit.errors import Detail, Invalid, NotFound
from livehub.kit.resealing import Column
from livehub.platforms import registry
from livehub.platforms.errors import ShopKnown
from livehub.platforms.facts import ShopAdded
from livehub.platforms.models import EVIDENCE_FLOOR, Endpoint, EndpointSecret, Shop

SECRET_PLACE = "endpoint_secret.secret"  # noqa: S105 -- where a secret lies, not one
TOKEN_PLACE = "endpoint.access_token"  # noqa: S105 -- as above
SEALED = (
    Column("endpoint_secret", "secret_sealed", SECRET_PLACE),
    Column("endpoint", "access_token_sealed", TOKEN_PLACE),
)
KEY_BYTES = 24  # 192 random bits in the webhook's path
OVERLAP_MOST = timedelta(days=30)
EVIDENCE_MOST = 36_500
REF_LENGTH = 64
NAME_LENGTH = 80


@database.atomic
async def add_endpoint(
    centre_id: int,
    *,
    platform: str,
    name: str,
    app_key: str,
    secret: str,
    access_token: str = "",
    api_base_url: str = "",
    actor: Actor,
    now: datetime,
) -> Endpoint:
    """Register one app credential; UnknownPlatform or UnusableSecret when it cannot work."""
    require(actor, Permission.SHOP_MANAGE, centre_id=centre_id)
    registry.get(platform).check_secret(secret)
    _require_length("name", name, limit=NAME_LENGTH)
    endpoint = await Endpoint.create(
        centre_id=centre_id,
        platform=platform,
        endpoint_key=ids.token(nbytes=KEY_BYTES),
        name=name.strip(),
        app_key=app_key,
        access_token_sealed=_sealed(access_token, place=TOKEN_PLACE) if access_token else None,
        api_base_url=api_base_url.rstrip("/"),
        created_at=now,
    )
    await _keep_secret(endpoint, secret=secret, now=now)
    await _audit("endpoint.added", endpoint, actor=actor, now=now)
    return endpoint


@database.atomic
async def rotate_secret(
    endpoint_id: int, *, secret: str, overlap_until: datetime, actor: Actor, now: datetime
) -> Endpoint:
    """Add a newer secret; the older ones stay valid until the overlap ends, and none longer."""
    endpoint = await _held(endpoint_id, actor=actor)
    registry.get(endpoint.platform).check_secret(secret)
    if not now <= overlap_until <= now + OVERLAP_MOST:
        raise Invalid(
            details=[Detail("overlap_until", "结束时间已经过去，或太晚", f"最多 {OVERLAP_MOST.days} 天后")]
        )
    await _end_secrets(endpoint, at=overlap_until)
    await _keep_secret(endpoint, secret=secret, now=now)
    await _audit("endpoint.secret_rotated", endpoint, actor=actor, now=now, until=overlap_until.isoformat())
    return endpoint


@database.atomic
async def end_old_secrets(endpoint_id: int, *, actor: Actor, now: datetime) -> Endpoint:
    """End the overlap at once: only the newest secret is accepted from now on."""
    endpoint = await _held(endpoint_id, actor=actor)
    newest = await EndpointSecret.filter(endpoint_id=endpoint.id).order_by("-id").first()
    if newest is None:
        raise NotFound
    await _end_secrets(endpoint, at=now, but=newest.id)
    await _audit("endpoint.old_secrets_ended", endpoint, actor=actor, now=now)
    return endpoint


@database.atomic
async def set_access_token(endpoint_id: int, *, access_token: str, actor: Actor, now: datetime) -> Endpoint:
    """Keep the token the platform's API asks for."""
    endpoint = await _endpoint(endpoint_id, actor=actor)
    endpoint.access_token_sealed = _sealed(access_token, place=TOKEN_PLACE)
    await endpoint.save(update_fields=["access_token_sealed"])
    await _audit("endpoint.access_token_set", endpoint, actor=actor, now=now)
    return endpoint


@database.atomic
async def set_disabled(endpoint_id: int, *, disabled: bool, actor: Actor, now: datetime) -> Endpoint:
    """Close or reopen an endpoint; a closed one refuses as if its signature were wrong."""
    endpoint = await _endpoint(endpoint_id, actor=actor)
    endpoint.disabled = disabled
    await endpoint.save(update_fields=["disabled"])
    await _audit("endpoint.disabled" if disabled else "endpoint.enabled", endpoint, actor=actor, now=now)
    return endpoint


@database.atomic
async def add_shop(
    bureau_id: int, *, endpoint_id: int, shop_ref: str, name: str, actor: Actor, now: datetime
) -> Shop:
    """Register a shop that speaks through an endpoint; ShopKnown when somebody did."""
    endpoint = await _endpoint(endpoint_id, actor=actor)
    _require_length("name", name, limit=NAME_LENGTH)
    _require_length("shop_ref", shop_ref, limit=REF_LENGTH)
    bureau = await Bureau.get_or_none(id=bureau_id, centre_id=endpoint.centre_id)
    if bureau is None:
        raise Invalid(details=[Detail("bureau", "没有这个主管部门")])
    shop = Shop(
        public_id=ids.public_id(),
        centre_id=endpoint.centre_id,
        bureau_id=bureau.id,
        endpoint_id=endpoint.id,
        platform=endpoint.platform,
        shop_ref=shop_ref,
        name=name.strip(),
        created_at=now,
    )
    try:
        async with database.transaction():
            await shop.save()
    except IntegrityError as error:
        raise ShopKnown from error
    fact = ShopAdded(
        shop_id=shop.id,
        centre_id=shop.centre_id,
        endpoint_id=endpoint.id,
        platform=shop.platform,
        shop_ref=shop.shop_ref,
    )
    await outbox.record(fact, now=now)
    await audit.write(
        "shop.added",
        actor=actor,
        now=now,
        about=("shop", shop.public_id),
        bureau_id=bureau.id,
        detail={"platform": shop.platform, "shop_ref": shop.shop_ref},
    )
    return shop


@database.atomic
async def keep_evidence(public_id: str, *, days: int, actor: Actor, now: datetime) -> Shop:
    """Say how long the sealed bytes of a shop's deliveries are kept; Invalid below the floor."""
    shop = await Shop.get_or_none(public_id=public_id)
    if shop is None:
        raise NotFound
    require(actor, Permission.SHOP_MANAGE, centre_id=shop.centre_id)
    if not EVIDENCE_FLOOR <= days <= EVIDENCE_MOST:
        raise Invalid(
            f"原文至少保存 {EVIDENCE_FLOOR} 天，最多 {EVIDENCE_MOST} 天。",
            details=[Detail("days", "不在范围内", f"{EVIDENCE_FLOOR} 到 {EVIDENCE_MOST}")],
        )
    before, shop.evidence_days = shop.evidence_days, days
    await shop.save(update_fields=["evidence_days"])
    await audit.write(
        "shop.evidence_days_set",
        actor=actor,
        now=now,
        about=("shop", shop.public_id),
        bureau_id=shop.bureau_id,
        detail={"days": days, "before": before},
    )
    return shop


async def _endpoint(endpoint_id: int, *, actor: Actor) -> Endpoint:
    endpoint = await Endpoint.get_or_none(id=endpoint_id)
    if endpoint is None:
        raise NotFound
    require(actor, Permission.SHOP_MANAGE, centre_id=endpoint.centre_id)
    return endpoint


async def _held(endpoint_id: int, *, actor: Actor) -> Endpoint:
    """The endpoint, whose secrets nobody else changes meanwhile."""
    if database.dialect() == "postgres":
        await database.fetch("SELECT id FROM endpoint WHERE id = $1 FOR UPDATE", endpoint_id)
    return await _endpoint(endpoint_id, actor=actor)


async def _end_secrets(endpoint: Endpoint, *, at: datetime, but: int = 0) -> None:
    """Let no secret there is be valid after an instant; one that ends earlier is left so."""
    living = Q(not_after__isnull=True) | Q(not_after__gt=at)
    await EndpointSecret.filter(living, endpoint_id=endpoint.id).exclude(id=but).update(not_after=at)


async def _keep_secret(endpoint: Endpoint, *, secret: str, now: datetime) -> None:
    await EndpointSecret.create(
        endpoint_id=endpoint.id, secret_sealed=_sealed(secret, place=SECRET_PLACE), created_at=now
    )


def _sealed(text: str, *, place: str) -> bytes:
    return sealing.ring().seal_text(text, place=place)


def _require_length(field: str, text: str, *, limit: int) -> None:
    if not 0 < len(text.strip()) <= limit:
        raise Invalid(details=[Detail(field, "请填写", f"1 到 {limit} 个字")])


async def _audit(action: str, endpoint: Endpoint, *, actor: Actor, now: datetime, **more: str) -> None:
    await audit.write(
        action,
        actor=actor,
        now=now,
        about=("endpoint", str(endpoint.id)),
        detail={"platform": endpoint.platform, "name": endpoint.name, **more},
    )
