"""The codes of a second factor: what a user has, and using one up so that it opens nothing again.

The newest step that was used is kept, and an UPDATE that finds no older one refuses. Recovery codes are rows
that go when they are used. Who guesses is counted in ``logins``.
"""

from __future__ import annotations

from datetime import datetime

from livehub.accounts import totp
from livehub.accounts.errors import WrongCode
from livehub.accounts.models import RecoveryCode, SecondFactor
from livehub.kit import ids, sealing
from livehub.kit.errors import Detail
from livehub.kit.resealing import Column

PLACE = "second_factor.secret"
SEALED = (Column("second_factor", "secret_sealed", PLACE),)
RECOVERY_CODES = 10


async def of(user_id: int) -> SecondFactor | None:
    """What a user has set up, proved or not."""
    return await SecondFactor.get_or_none(user_id=user_id)


async def is_on(user_id: int) -> bool:
    """Whether a login asks for a code."""
    return await SecondFactor.exists(user_id=user_id, confirmed_at__not_isnull=True)


async def on_since(user_id: int) -> datetime | None:
    """When the factor was proved; None while it is not."""
    factor = await SecondFactor.get_or_none(user_id=user_id)
    return factor.confirmed_at if factor else None


async def codes_left(user_id: int) -> int:
    """How many recovery codes were not used yet."""
    return await RecoveryCode.filter(user_id=user_id).count()


async def use(user_id: int, code: str, *, now: datetime) -> str:
    """Use a code up in the current transaction: what it was, ``code`` or ``recovery``; WrongCode else."""
    meant = ids.code_as_meant(code)
    factor = await SecondFactor.get_or_none(user_id=user_id, confirmed_at__not_isnull=True)
    if factor is not None and await use_step(factor, meant, now=now):
        return "code"
    if (
        factor is not None
        and await RecoveryCode.filter(user_id=user_id, code_hash=_hash(user_id, meant)).delete()
    ):
        return "recovery"
    raise WrongCode(details=[Detail("totp", "不正确，或已经用过")])


def secret_of(factor: SecondFactor) -> bytes:
    """The secret in the clear, for an enrolment's page and for comparing."""
    return sealing.ring().open(bytes(factor.secret_sealed), place=PLACE)


async def use_step(factor: SecondFactor, code: str, *, now: datetime) -> bool:
    """Use a code of the authenticator up; False when it is none of now, or not newer than the last one."""
    step = totp.matching_step(secret_of(factor), ids.code_as_meant(code), now=now)
    if step is None:
        return False
    return bool(await SecondFactor.filter(id=factor.id, last_step__lt=step).update(last_step=step))


async def new_codes(user_id: int) -> list[str]:
    """Recovery codes in the place of all older ones, as people write them down."""
    codes = [ids.secret_code() for _ in range(RECOVERY_CODES)]
    await RecoveryCode.filter(user_id=user_id).delete()
    for code in codes:
        await RecoveryCode.create(user_id=user_id, code_hash=_hash(user_id, code))
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


async def forget(user_id: int) -> int:
    """Take everything away; 1 when there was a factor, else 0."""
    await RecoveryCode.filter(user_id=user_id).delete()
    return await SecondFactor.filter(user_id=user_id).delete()


def _hash(user_id: int, code: str) -> bytes:
    return sealing.ring().blind(f"{user_id}\x00{code}", purpose="recovery code")
