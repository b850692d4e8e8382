"""RFC 6238's own vectors, and which codes of which moments count."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from livehub.accounts import totp
from tests.factories.accounts import NOW

SECRET = b"12345678901234567890"


@pytest.mark.parametrize(
    ("seconds", "code"),
    [
        (59, "287082"),
        (1111111109, "081804"),
        (1111111111, "050471"),
        (1234567890, "005924"),
        (2000000000, "279037"),
        (20000000000, "353130"),
    ],
)
def test_the_vectors_of_the_rfc(seconds: int, code: str) -> None:
    at = datetime.fromtimestamp(seconds, UTC)

    assert totp.code_at(SECRET, totp.step_of(at)) == code


def test_one_step_of_drift_counts_and_no_more() -> None:
    here = totp.step_of(NOW)
    found = [
        totp.matching_step(SECRET, totp.code_at(SECRET, here + drift), now=NOW) for drift in range(-2, 3)
    ]

    assert found == [None, here - 1, here, here + 1, None]
    assert totp.matching_step(SECRET, "", now=NOW) is None
    assert totp.matching_step(SECRET, "\udcff二三四五六", now=NOW) is None
    assert totp.matching_step(SECRET, totp.code_at(SECRET, here), now=NOW + timedelta(hours=1)) is None


def test_what_an_authenticator_scans() -> None:
    assert totp.uri(SECRET, login="li.hua", issuer="中心") == (
        "otpauth://totp/%E4%B8%AD%E5%BF%83:li.hua?secret=GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ"
        "&issuer=%E4%B8%AD%E5%BF%83&digits=6&period=30"
    )
    assert totp.shown(SECRET).startswith("GEZD GNBV GY3T")
