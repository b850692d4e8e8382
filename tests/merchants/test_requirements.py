"""Which papers a product needs, and whether they hold on a day: tables, without a database."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from livehub.merchants import requirements
from livehub.merchants.registry import CATEGORIES
from livehub.merchants.requirements import Decision, Lack, Paper

DAY = date(2026, 3, 20)
YESTERDAY, TOMORROW = date(2026, 3, 19), date(2026, 3, 21)
SC = {"owner": "product", "type": "sc_licence"}


@pytest.mark.parametrize(
    ("category", "papers", "lacks"),
    [
        ("prepackaged", [], [Lack(rule="qualification_missing", type="sc_licence")]),
        ("prepackaged", [Paper(**SC)], []),
        ("prepackaged", [Paper(**SC, valid_to=DAY)], []),  # the last day is one of them
        (
            "prepackaged",
            [Paper(**SC, valid_to=YESTERDAY)],
            [Lack(rule="qualification_expired", type="sc_licence", until=YESTERDAY)],
        ),
        ("prepackaged", [Paper(**SC, valid_to=YESTERDAY), Paper(**SC, issued_on=DAY)], []),
        (
            "prepackaged",
            [Paper(**SC, issued_on=TOMORROW)],
            [Lack(rule="qualification_missing", type="sc_licence")],
        ),
        ("prepackaged", [Paper(owner="merchant", type="sc_licence")], []),
        ("edible_agri", [Paper(owner="product", type="conformity_cert")], []),
        (
            "edible_agri",  # a batch's certificate is the product's own
            [Paper(owner="merchant", type="conformity_cert")],
            [Lack(rule="qualification_missing", type="conformity_cert")],
        ),
        ("handicraft", [], []),
    ],
)
def test_what_a_category_needs(category: str, papers: list[Paper], lacks: list[Lack]) -> None:
    assert requirements.lacking(category, papers, DAY) == lacks


def test_every_category_and_every_paper_is_known() -> None:
    assert set(requirements.REQUIRED) == set(CATEGORIES)
    types = {type_ for known in requirements.TYPES.values() for type_ in known}
    needed = {each.type for known in requirements.REQUIRED.values() for each in known}
    assert needed <= types <= set(requirements.NAMES)


@pytest.mark.parametrize(
    ("decision", "lacks"),
    [
        (None, [Lack(rule="product_not_approved")]),
        (Decision(decision="approved"), []),
        (Decision(decision="conditional", valid_to=DAY), []),
        (Decision(decision="rejected"), [Lack(rule="product_not_approved", type="rejected")]),
        (
            Decision(decision="approved", valid_to=YESTERDAY),
            [Lack(rule="product_not_approved", type="expired", until=YESTERDAY)],
        ),
    ],
)
def test_what_a_selection_meeting_allows(decision: Decision | None, lacks: list[Lack]) -> None:
    assert requirements.unapproved(decision, DAY) == lacks


day_of_year = st.integers(0, 30).map(lambda n: date.fromordinal(DAY.toordinal() + n))
days = day_of_year | st.none()
some_papers = st.lists(
    st.builds(
        Paper, owner=st.just("product"), type=st.sampled_from(["a", "b"]), issued_on=days, valid_to=days
    ),
    max_size=5,
)


@given(papers=some_papers, day=day_of_year)
def test_what_ends_first_holds_until_then_and_not_after(papers: list[Paper], day: date) -> None:
    found = requirements.soonest(papers, None, day)

    if found is None:
        return
    type_, last = found
    of_type = [each for each in papers if each.type == type_]
    begun = [each for each in of_type if each.issued_on is None or each.issued_on <= day]
    assert any(each.holds(day) for each in of_type) is (last >= day)
    assert max(each.valid_to for each in begun if each.valid_to) == last
    assert not any(each.holds(date.fromordinal(max(last, day).toordinal() + 1)) for each in begun)
