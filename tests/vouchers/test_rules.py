"""Rules judge one attempt from what they are given, and a template names them with parameters."""

from __future__ import annotations

from datetime import timedelta

import msgspec
import pytest

from livehub.vouchers import arithmetic, eligibility
from livehub.vouchers.eligibility import Attempt, DropNow, Refusal, Stage, Use, bind, judge
from livehub.vouchers.errors import REASONS
from livehub.vouchers.models import CampaignStatus, RoundStatus
from tests.factories.vouchers import NOW

GOOD = Attempt(
    now=NOW,
    campaign=CampaignStatus.RUNNING,
    round=RoundStatus.OPEN,
    claim_from=NOW,
    claim_until=NOW + timedelta(hours=1),
    valid_until=NOW + timedelta(days=7),
    platform="doudian",
    drop=DropNow(state="open", opens_at=NOW, closes_at=NOW + timedelta(minutes=20)),
)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({}, ""),
        ({"campaign": CampaignStatus.PAUSED}, "PAUSED"),
        ({"campaign": CampaignStatus.APPROVED}, "NOT_STARTED"),
        ({"campaign": CampaignStatus.ENDED}, "ENDED"),
        ({"round": RoundStatus.SCHEDULED}, "NOT_STARTED"),
        ({"round": RoundStatus.CLOSED}, "ENDED"),
        ({"claim_from": NOW + timedelta(milliseconds=1)}, "NOT_STARTED"),
        ({"claim_until": NOW}, "ENDED"),
        ({"valid_until": NOW}, "ENDED"),
        ({"drop": DropNow(state="open", opens_at=NOW, closes_at=NOW)}, "ENDED"),
        ({"drop": DropNow(state="closed")}, "ENDED"),
        ({"drop": None}, ""),
        ({"platform": "kuaishou"}, "WRONG_PLATFORM"),
        ({"claims_by_person": 1}, ""),
        ({"claims_by_person": 2}, "LIMIT_PERSON"),
    ],
)
def test_claim_rules(change: dict[str, object], code: str) -> None:
    rules = bind('{"per_person": {"limit": 2}, "platform_scope": {"only": ["doudian"]}}', Stage.CLAIM)

    refusal = judge(rules, msgspec.structs.replace(GOOD, **change))

    assert (refusal.code if refusal else "") == code
    if refusal:
        assert isinstance(refusal.error(), REASONS[code])


def test_one_per_person_without_being_told() -> None:
    refusal = judge(bind("{}", Stage.CLAIM), msgspec.structs.replace(GOOD, claims_by_person=1))

    assert refusal is not None
    assert refusal.code == "LIMIT_PERSON"


def test_use_rules() -> None:
    rules = bind('{"per_shop_day": {"limit": 2}}', Stage.USE)

    assert judge(rules, Use(now=NOW, uses_in_shop_today=1)) is None
    refused = judge(rules, Use(now=NOW, uses_in_shop_today=2))
    assert refused is not None
    assert refused.code == "LIMIT_SHOP_DAY"
    assert bind("{}", Stage.USE) == ()


@pytest.mark.parametrize(
    "text", ['{"nonsense": {}}', '{"per_person": {"limit": 0}}', '{"per_person": {"max": 1}}']
)
def test_unknown_rules_and_parameters_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        bind(text, Stage.CLAIM)


def test_every_rule_is_named_as_its_file() -> None:
    rules = eligibility.registry()

    assert rules
    assert all(type(rule).__module__.endswith(f".{name}") for name, rule in rules.items())
    assert all(rule.label for rule in rules.values())


@pytest.mark.parametrize(
    ("order_fen", "face", "threshold", "min_pay", "expected"),
    [
        (10_150, 2_000, 10_000, 1, 2_000),
        (10_000, 2_000, 10_000, 1, 2_000),
        (9_999, 2_000, 10_000, 1, "BELOW_THRESHOLD"),
        (2_000, 2_000, 2_000, 1, 1_999),
        (2_000, 2_000, 2_000, 2_000, "BELOW_THRESHOLD"),
    ],
)
def test_what_a_voucher_takes_off(
    order_fen: int, face: int, threshold: int, min_pay: int, expected: int | str
) -> None:
    taken = arithmetic.subsidy(
        order_fen=order_fen, face_fen=face, threshold_fen=threshold, min_pay_fen=min_pay
    )

    assert (taken.code if isinstance(taken, Refusal) else taken) == expected
