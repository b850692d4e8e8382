"""Which papers there are, which a category of products needs, and whether one holds on a day. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import date

from msgspec import Struct

PRODUCT, MERCHANT, PERSON = "product", "merchant", "person"
TYPES: Mapping[str, tuple[str, ...]] = {
    PRODUCT: (
        "sc_licence", "conformity_cert", "inspection_report", "food_licence", "green_food", "organic",
        "gi_mark", "trademark", "business_licence", "other",
    ),
    MERCHANT: ("business_licence", "food_licence", "food_filing", "sc_licence", "other"),
    PERSON: ("guardian_consent", "food_safety", "health_certificate", "identity", "other"),
}  # fmt: skip
NAMES: Mapping[str, str] = {
    "sc_licence": "食品生产许可证（SC）",
    "conformity_cert": "承诺达标合格证",
    "inspection_report": "检验报告",
    "food_licence": "食品经营许可证",
    "food_filing": "预包装食品备案",
    "business_licence": "营业执照",
    "green_food": "绿色食品证书",
    "organic": "有机产品认证",
    "gi_mark": "地理标志授权",
    "trademark": "商标注册证",
    "guardian_consent": "监护人同意书",
    "food_safety": "食品安全培训",
    "health_certificate": "健康证",
    "identity": "身份核验",
    "selection": "选品结论",
    "other": "其他证明",
}
CONSENT = "guardian_consent"
FOOD = frozenset({"prepackaged", "edible_agri", "other_food"})
APPROVING = frozenset({"approved", "conditional"})


class Required(Struct, frozen=True):
    """A paper that must hold, and who may have it: the product itself or its merchant."""

    type: str
    owners: tuple[str, ...] = (PRODUCT, MERCHANT)


REQUIRED: Mapping[str, tuple[Required, ...]] = {
    "prepackaged": (Required("sc_licence"),),
    "edible_agri": (Required("conformity_cert", (PRODUCT,)),),
    "other_food": (Required("food_licence"),),
    "handicraft": (),
    "service": (Required("business_licence"),),
}


class Paper(Struct, frozen=True, kw_only=True):
    """What a qualification says of the days it holds."""

    owner: str
    type: str
    issued_on: date | None = None
    valid_to: date | None = None

    def holds(self, day: date) -> bool:
        """Whether it holds on a day; its last day is one of them."""
        return (self.issued_on is None or self.issued_on <= day) and (
            self.valid_to is None or day <= self.valid_to
        )


class Decision(Struct, frozen=True, kw_only=True):
    """What the newest selection meeting decided."""

    decision: str
    valid_to: date | None = None


class Lack(Struct, frozen=True, kw_only=True):
    """One thing a product lacks on a day; ``until`` is when what there was ended."""

    rule: str  # qualification_missing | qualification_expired | product_not_approved
    type: str = ""
    until: date | None = None


def lacking(category: str, papers: Sequence[Paper], day: date) -> list[Lack]:
    """The required papers that do not hold on a day."""
    found = []
    for required in REQUIRED.get(category, ()):
        of_type = [each for each in papers if each.type == required.type and each.owner in required.owners]
        if any(each.holds(day) for each in of_type):
            continue
        ended = [each.valid_to for each in of_type if each.valid_to is not None and each.valid_to < day]
        if ended:
            found.append(Lack(rule="qualification_expired", type=required.type, until=max(ended)))
        else:
            found.append(Lack(rule="qualification_missing", type=required.type))
    return found


def unapproved(decision: Decision | None, day: date) -> list[Lack]:
    """What the selection meeting left undone for a day."""
    if decision is None or decision.decision not in APPROVING:
        return [Lack(rule="product_not_approved", type=decision.decision if decision else "")]
    if decision.valid_to is not None and decision.valid_to < day:
        return [Lack(rule="product_not_approved", type="expired", until=decision.valid_to)]
    return []


def soonest(papers: Iterable[Paper], decision: Decision | None, day: date) -> tuple[str, date] | None:
    """(type, last day) of what ends first among all that has begun by a day, or has ended before it.

    Of several papers of one type the one that lasts longest counts.
    """
    begun = [each for each in papers if each.issued_on is None or each.issued_on <= day]
    endless = {each.type for each in begun if each.valid_to is None}
    last: dict[str, date] = {}
    for each in begun:
        if each.valid_to is not None and each.type not in endless:
            last[each.type] = max(each.valid_to, last.get(each.type, each.valid_to))
    if decision is not None and decision.valid_to is not None:
        last["selection"] = decision.valid_to
    return min(last.items(), key=lambda pair: (pair[1], pair[0]), default=None)
