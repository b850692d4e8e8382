"""身份证号 of GB 11643: the check letter, the day of birth, and what is no number."""

from __future__ import annotations

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamers import identity_numbers
from streamers.identity_numbers import Identity, NotOne

TODAY = date(2026, 3, 1)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("990101199501010015", Identity("990101199501010015", date(1995, 1, 1), "male")),
        (" 990101 19980312 0025", Identity("990101199803120025", date(1998, 3, 12), "female")),
        ("99010119960406004x", Identity("99010119960406004X", date(1996, 4, 6), "female")),
        ("９９０１０１１９９６０４０６００４ｘ", Identity("99010119960406004X", date(1996, 4, 6), "female")),
        ("990101199501010019", "ID_CHECKSUM"),
        ("", "ID_MISSING"),
        ("9901011995010100", "ID_FORMAT"),
        ("99010119950101001Y", "ID_FORMAT"),
        ("99010119950230001X", "ID_DATE"),
        ("990101209501010011", "ID_DATE"),
    ],
)
def test_a_number_is_read_or_its_first_fault_is_named(text: str, read: Identity | str) -> None:
    try:
        found: Identity | str = identity_numbers.read(text, today=TODAY)
    except NotOne as error:
        found = error.code

    assert found == read


@given(st.dates(date(1900, 1, 1), TODAY), st.integers(0, 999), st.integers(0, 16), st.integers(1, 9))
def test_one_wrong_digit_is_never_taken(born: date, nth: int, place: int, more: int) -> None:
    seventeen = f"990101{born:%Y%m%d}{nth:03}"
    number = seventeen + identity_numbers.check_letter(seventeen)
    wrong = number[:place] + str((int(number[place]) + more) % 10) + number[place + 1 :]

    assert identity_numbers.read(number, today=TODAY).born_on == born
    with pytest.raises(NotOne):
        identity_numbers.read(wrong, today=TODAY)
