"""Every role with every right, said twice: here and in the table."""

import itertools

import pytest

from livehub.accounts import permissions
from livehub.accounts.actors import Actor, Grant, system
from livehub.accounts.errors import OutOfScope, PermissionMissing, SecondPersonNeeded
from livehub.accounts.models import Role
from livehub.accounts.permissions import Permission
from livehub.kit.errors import NotFound
from tests.factories.accounts import an_actor

# permission: bureau staff manager finance auditor merchant admin
MATRIX = """
room.read           b s m f a . x
room.manage         . . m . . . x
booking.read        b s m f a . .
booking.request     b s m . . . .
booking.approve     . s m . . . .
broadcast.read      b s m f a . .
broadcast.run       . s m . . . .
record.release      . . m . . . .
calendar.subscribe  b s m . . . .
plan.publish        . s m . . . .
streamer.read       b s m . a . .
streamer.manage     . s m . . . .
training.read       b s m f a . .
training.manage     . s m . . . .
training.approve    b . m . . . .
training.certify    . . m . . . .
merchant.read       b s m f a . .
merchant.manage     . s m . . . .
campaign.read       b s m f a . .
campaign.draft      b . m . . . .
campaign.countersign . . . f . . .
drop.run            . s m . . . .
voucher.redeem      . . . . . h .
redemption.read     b s m f a h .
redemption.refund   . . m f . h .
ledger.read         b . m f a . .
settlement.read     b . m f a h .
settlement.run      . . . f . . .
settlement.confirm  . . . f . h .
settlement.pay      . . m f . . .
case.read           b . m f a . .
case.handle         . . m f . . .
sales.read          b s m f a . .
sales.assign        . s m . . . .
statement.read      . . m f a . .
statement.import    . . . f . . .
period.close        . . . f . . .
report.read         b . m f a . .
report.prepare      b . m f . . .
report.sign         b . . . . . .
wall.read           b s m f a . .
sales.reconcile     . s m f . . .
inbox.read          . s m . a . .
inbox.replay        . s m . . . .
evidence.open       . . . . a . .
outbox.read         . s m . a . .
personal_data.open  . . m . a . .
shop.read           . s m . a . x
shop.manage         . . m . . . x
user.read           . . m . a . x
user.manage         . . . . . . x
token.manage        . . . . . . x
audit.read          b . m . a . .
job.read            . s m . a . x
"""
ROLES = (Role.BUREAU, Role.STAFF, Role.MANAGER, Role.FINANCE, Role.AUDITOR, Role.MERCHANT, Role.ADMIN)
EXPECTED = {
    (Permission(line.split()[0]), role): letter != "."
    for line in MATRIX.strip().splitlines()
    for role, letter in zip(ROLES, line.split()[1:], strict=True)
}
CASES = sorted(itertools.product(Permission, Role))


def test_the_matrix_names_every_permission_and_role():
    assert sorted(EXPECTED) == CASES


@pytest.mark.parametrize(("permission", "role"), CASES)
def test_a_role_may_exactly_what_the_matrix_says(permission, role):
    actor = an_actor(
        role, bureau_id=7 if role is Role.BUREAU else 0, merchant_id=9 if role is Role.MERCHANT else 0
    )

    assert permissions.may(actor, permission) is EXPECTED[permission, role]

    if EXPECTED[permission, role]:
        permissions.require(actor, permission)
    else:
        with pytest.raises(PermissionMissing):
            permissions.require(actor, permission)


def test_the_auditor_changes_nothing():
    rights = permissions.RIGHTS[Role.AUDITOR]

    assert {each for each in rights if not each.endswith(".read")} == {
        Permission.EVIDENCE_OPEN,
        Permission.PERSONAL_DATA_OPEN,
    }
    assert {each for each in Permission if each.endswith(".read")} <= rights


def test_an_officer_finds_nothing_of_another_bureau():
    officer = an_actor(Role.BUREAU, bureau_id=7)

    permissions.require(officer, Permission.BOOKING_REQUEST, bureau_id=7)
    for permission in Permission:
        with pytest.raises(OutOfScope) as refused:
            permissions.require(officer, permission, bureau_id=8)
        assert (refused.value.code, refused.value.message, refused.value.data) == (
            NotFound.code,
            NotFound().message,
            {},
        )


@pytest.mark.parametrize(
    ("role", "own"), [(Role.BUREAU, {"bureau_id": 7}), (Role.MERCHANT, {"merchant_id": 9})]
)
def test_the_centres_own_objects_are_nobody_elses(role, own):
    actor = an_actor(role, **own)
    permission = Permission.REDEMPTION_READ

    with pytest.raises(OutOfScope):
        permissions.require(actor, permission, bureau_id=0)
    with pytest.raises(OutOfScope):
        permissions.require(actor, permission, merchant_id=0)


def test_a_grant_without_a_bureau_covers_no_object():
    with pytest.raises(OutOfScope):
        permissions.require(an_actor(Role.BUREAU), Permission.BOOKING_READ, bureau_id=0)


def test_a_merchant_redeems_for_itself_only():
    merchant = an_actor(Role.MERCHANT, merchant_id=9)

    permissions.require(merchant, Permission.VOUCHER_REDEEM, merchant_id=9)
    permissions.require(merchant, Permission.REDEMPTION_READ, merchant_id=9, bureau_id=7)
    with pytest.raises(OutOfScope):
        permissions.require(merchant, Permission.VOUCHER_REDEEM, merchant_id=10)
    with pytest.raises(OutOfScope):
        permissions.require(merchant, Permission.REDEMPTION_READ, bureau_id=7)


@pytest.mark.parametrize("role", list(Role))
def test_another_centre_does_not_exist(role):
    actor = an_actor(role, bureau_id=7, merchant_id=9, centre_id=1)

    with pytest.raises(OutOfScope):
        permissions.require(actor, Permission.ROOM_READ, centre_id=2)


def test_rights_of_one_role_do_not_stretch_over_the_objects_of_another():
    both = Actor(kind="user", id=1, centre_id=1, grants=(Grant(Role.BUREAU, 7), Grant(Role.FINANCE)))

    permissions.require(both, Permission.CAMPAIGN_DRAFT, bureau_id=7)
    permissions.require(both, Permission.CAMPAIGN_COUNTERSIGN, bureau_id=8)
    with pytest.raises(PermissionMissing) as refused:
        permissions.require(both, Permission.CAMPAIGN_DRAFT, bureau_id=8)
    assert refused.value.data == {"permission": "campaign.draft"}


def test_scopes():
    officer = Actor(kind="user", id=1, grants=(Grant(Role.BUREAU, 7), Grant(Role.BUREAU, 8)))
    merchant = an_actor(Role.MERCHANT, merchant_id=9)
    finance = an_actor(Role.FINANCE)
    admin = an_actor(Role.ADMIN)

    assert permissions.bureau_scope(officer, Permission.SALES_READ) == {7, 8}
    assert permissions.bureau_scope(officer, Permission.INBOX_READ) == frozenset()
    assert permissions.bureau_scope(merchant, Permission.REDEMPTION_READ) == frozenset()
    assert permissions.merchant_scope(merchant, Permission.REDEMPTION_READ) == {9}
    assert permissions.merchant_scope(officer, Permission.REDEMPTION_READ) == frozenset()
    assert permissions.bureau_scope(finance, Permission.SALES_READ) is None
    assert permissions.merchant_scope(finance, Permission.REDEMPTION_READ) is None
    assert permissions.bureau_scope(admin, Permission.SALES_READ) == frozenset()
    assert permissions.bureau_scope(system("intake"), Permission.SALES_READ) is None
    assert permissions.merchant_scope(system("intake"), Permission.SALES_READ) is None


@pytest.mark.parametrize("kind", ["streamer", "claimant", "user", "token"])
def test_nobody_without_a_role_may_anything(kind):
    actor = Actor(kind=kind, id=1, centre_id=1)

    for permission in Permission:
        assert not permissions.may(actor, permission)
        with pytest.raises(PermissionMissing):
            permissions.require(actor, permission, bureau_id=7)


def test_the_second_person_is_another_one():
    permissions.require_second_person(an_actor(Role.FINANCE, user_id=5), first_user_id=4)

    with pytest.raises(SecondPersonNeeded):
        permissions.require_second_person(an_actor(Role.FINANCE, user_id=4), first_user_id=4)
