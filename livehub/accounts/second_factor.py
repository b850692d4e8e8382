"""A user's second factor 动态码: set up, proved by a first code, taken away."""

from __future__ import annotations

import os
from datetime import datetime

from tortoise.exceptions import IntegrityError

from livehub import database
from livehub.accounts import audit, factor_codes, logins, totp
from livehub.accounts.actors import Actor
from livehub.accounts.errors import OwnAccount, SecondFactorOn, WrongCode
from livehub.accounts.models import SecondFactor, User
from livehub.accounts.permissions import Permission, require
from livehub.kit import sealing
from livehub.kit.errors import Detail


async def begin(actor: Actor, *, now: datetime) -> None:
    """Make the actor a secret that counts once ``confirm`` has seen a code of it; a former try is forgotten.

    SecondFactorOn when one is on: it is taken away first.
    """
    sealed = sealing.ring().seal(os.urandom(totp.SECRET_BYTES), place=factor_codes.PLACE)

    async def work() -> None:
        factor = await factor_codes.of(actor.id)
        if factor is None:
            await SecondFactor.create(user_id=actor.id, secret_sealed=sealed, created_at=now)
        elif not await SecondFactor.filter(id=factor.id, confirmed_at=None).update(
            secret_sealed=sealed, created_at=now, last_step=0
        ):
            raise SecondFactorOn

    try:
        await database.unit(work)
    except IntegrityError as error:  # the same button at the same moment in two windows
        raise SecondFactorOn from error


async def confirm(user: User, code: str, *, actor: Actor, now: datetime) -> list[str]:
    """Switch the factor on by its first code; returns the recovery codes, which are shown only now."""

    async def work() -> list[str]:
        factor = await SecondFactor.get_or_none(user_id=user.id, confirmed_at=None)
        if factor is None:
            raise SecondFactorOn
        if not await factor_codes.use_step(factor, code, now=now):
            raise WrongCode(details=[Detail("totp", "动态码不正确，请等下一个")])
        await SecondFactor.filter(id=factor.id).update(confirmed_at=now)
        await audit.write("user.second_factor_on", actor=actor, about=("user", user.public_id), now=now)
        return await factor_codes.new_codes(user.id)

    return await database.unit(work)


async def renew_codes(user: User, code: str, *, actor: Actor, now: datetime, device: str = "") -> list[str]:
    """New recovery codes in the place of all older ones, for a code; WrongCode or TooManyLogins else."""

    async def work() -> list[str]:
        codes = await factor_codes.new_codes(user.id)
        await audit.write("user.recovery_codes_renewed", actor=actor, about=("user", user.public_id), now=now)
        return codes

    return await logins.with_code(user, code, work, actor=actor, device=device, now=now)


async def switch_off(user: User, code: str, *, actor: Actor, now: datetime, device: str = "") -> None:
    """Take the own factor away, for a code or a recovery code; WrongCode or TooManyLogins else."""

    async def work() -> None:
        await factor_codes.forget(user.id)
        await audit.write("user.second_factor_off", actor=actor, about=("user", user.public_id), now=now)

    await logins.with_code(user, code, work, actor=actor, device=device, now=now)


async def reset(user: User, *, reason: str, actor: Actor, now: datetime) -> None:
    """Take somebody else's factor away who lost it, by an administrator; every login of hers ends."""
    require(actor, Permission.USER_MANAGE, centre_id=user.centre_id)
    if actor.kind == "user" and actor.id == user.id:
        raise OwnAccount

    async def work() -> None:
        if await factor_codes.forget(user.id):
            await audit.write(
                "user.second_factor_reset",
                actor=actor,
                about=("user", user.public_id),
                now=now,
                detail={"reason": reason},
            )
            await logins.log_out_everywhere(user.id, actor=actor, now=now)

    await database.unit(work)
