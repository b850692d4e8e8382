"""A voucher is taken back: its money is released once, and whoever held it neither uses it nor claims another."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.errors import OutOfScope
from livehub.accounts.models import AuditEntry, Role
from livehub.kit.errors import Forbidden, Invalid, NotFound
from livehub.kit.states import WrongState
from livehub.settings import Settings
from livehub.vouchers import revoking
from livehub.vouchers.errors import Expired, LimitPerson, VoucherUnknown
from livehub.vouchers.models import Account, Template, Voucher, VoucherState
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, a_claimant, a_kind
from tests.vouchers.test_redemptions import Till, a_till
from tests.vouchers.test_refunds import asked, broken, lies, used


async def revoke(till: Till, voucher: Voucher, *, reason: str = "领错了人", now=NOW, actor=None) -> None:
    who = actor or an_actor(Role.MANAGER, centre_id=till.world.bureau.centre_id)
    await database.unit(lambda: revoking.revoke(voucher.public_id, reason=reason, actor=who, now=now))


async def test_its_money_is_released_and_its_slot_stays_used(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        person = await a_claimant(till.world)
        voucher = await till.voucher(person)

        await revoke(till, voucher)

        assert (await Voucher.get(id=voucher.id)).state is VoucherState.REVOKED
        assert await lies(till, Account.HELD, Account.RELEASED, Account.UNISSUED) == (0, 2_000, 8_000)
        assert (await Template.get()).issued == 1
        with pytest.raises(VoucherUnknown):
            await till.redeem(voucher)
        with pytest.raises(LimitPerson):
            await till.voucher(person, key="again")
        entry = await AuditEntry.get(action="voucher.revoked")
        assert (entry.object_id, "领错了人" in entry.detail) == (voucher.public_id, True)
        assert await broken() == []


async def test_only_one_that_is_issued_is_revoked_and_once(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        voucher, redemption = await used(till)
        with pytest.raises(WrongState) as refused:
            await revoke(till, voucher)
        assert refused.value.data == {"state": "redeemed", "wanted": "revoked"}
        await asked(till, redemption)  # given back: it may be used again, and be revoked

        other = await till.voucher(await a_claimant(till.world))
        await Voucher.filter(id=other.id).update(state=VoucherState.LOCKED, locked_until=NOW)
        with pytest.raises(WrongState):
            await revoke(till, other, now=NOW - timedelta(milliseconds=1))
        await revoke(till, other)  # its lock is over
        late = await till.voucher(await a_claimant(till.world))
        with pytest.raises(Expired):
            await revoke(till, late, now=late.valid_until)
        answers = await meet(db, "SELECT 1 FROM voucher FOR UPDATE", *[lambda: revoke(till, voucher)] * 2)

        assert kinds(answers) == ["NoneType", "WrongState"]
        assert await lies(till, Account.HELD, Account.RELEASED) == (2_000, 4_000)
        assert await broken() == []


async def test_two_who_revoke_a_voucher_at_once_revoke_it_once(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        voucher, _ = [await till.voucher(await a_claimant(till.world)) for _ in range(2)]

        answers = await meet(db, "SELECT 1 FROM voucher FOR UPDATE", *[lambda: revoke(till, voucher)] * 2)

        assert kinds(answers) == ["NoneType", "WrongState"]
        assert await lies(till, Account.HELD, Account.RELEASED) == (2_000, 2_000)


async def test_a_till_and_a_revoking_that_meet_do_not_both_happen(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        voucher = await till.voucher(await a_claimant(till.world))

        answers = await meet(
            db,
            "SELECT 1 FROM voucher FOR UPDATE",
            lambda: revoke(till, voucher),
            lambda: till.redeem(voucher),
        )

        assert len([each for each in answers if isinstance(each, Exception)]) == 1
        assert sum(await lies(till, Account.RELEASED, Account.PAYABLE)) == 2_000
        assert await broken() == []


async def test_who_may_revoke(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=5)) as till:
        voucher = await till.voucher(await a_claimant(till.world))
        centre = {"centre_id": till.world.bureau.centre_id}

        for actor in (till.cashier, an_actor(Role.STAFF, **centre), an_actor(Role.AUDITOR, **centre)):
            with pytest.raises((Forbidden, OutOfScope)):
                await revoke(till, voucher, actor=actor)
        with pytest.raises(NotFound):
            await revoke(till, voucher, actor=an_actor(Role.MANAGER, centre_id=centre["centre_id"] + 1))
        with pytest.raises(Invalid) as refused:
            await revoke(till, voucher, reason=" ")
        assert [each.field for each in refused.value.details] == ["reason"]
        assert (await Voucher.get(id=voucher.id)).state is VoucherState.ISSUED
        await revoke(till, voucher, actor=an_actor(Role.FINANCE, **centre))
