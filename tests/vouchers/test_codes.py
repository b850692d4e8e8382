"""Codes are read however they are typed, tokens rotate, and neither can be made up."""

from __future__ import annotations

from datetime import timedelta

import pytest

from livehub.kit import ids, sealing
from livehub.vouchers import codes
from tests.conftest import KEYS
from tests.factories.vouchers import NOW

VOUCHER = "abcdefghij234567"


@pytest.fixture(autouse=True)
def _keys() -> None:
    sealing.install(sealing.Keyring(sealing.parse_keys(KEYS)))


def test_a_code_is_found_by_its_index_and_opened_for_its_claimant_only() -> None:
    made = codes.make(VOUCHER)
    code = codes.shown(made.sealed, voucher=VOUCHER)

    for typed in (code, code.lower(), " ".join(code), f"{code[:8]}-{code[8:]}"):
        reading = codes.read(typed, now=NOW)
        assert reading is not None
        assert reading.index == made.index
    assert code.encode() not in made.sealed
    with pytest.raises(sealing.KeyMissing):
        codes.shown(made.sealed, voucher="another")


def test_a_mistyped_code_is_none() -> None:
    code = ids.voucher_code()
    other = "3" if code[3] != "3" else "4"  # "2" and the last letter count alike

    for typed in (code[:-1], code[:3] + other + code[4:], "", "0" * 17, "v1", "券" * 17):
        assert codes.read(typed, now=NOW) is None


@pytest.mark.parametrize(("seconds", "fresh"), [(0, True), (30, True), (59, True), (60, False), (-30, False)])
def test_tokens_live_for_their_step_and_the_next(seconds: int, fresh: bool) -> None:
    reading = codes.read(codes.qr(VOUCHER, now=NOW), now=NOW + timedelta(seconds=seconds))

    assert reading == codes.Reading(voucher=VOUCHER, fresh=fresh)


def test_a_token_is_of_its_voucher_and_step() -> None:
    _, voucher, step, mac = codes.qr(VOUCHER, now=NOW).split(".")

    assert len(mac) * 6 >= 96
    for forged in (
        f"v1.{'b' + voucher[1:]}.{step}.{mac}",
        f"v1.{voucher}.{int(step) + 1}.{mac}",
        f"v1.{voucher}.{step}.{mac[:-2]}",
        f"v1.{voucher}.{step}",
        f"v1.{voucher}.x.{mac}",
        f"v1.{voucher}.{step}.é",
    ):
        assert codes.read(forged, now=NOW) is None
