"""The 18-digit identity number of GB 11643: what it says, and whether it can be one. Pure."""

from __future__ import annotations

import re
from datetime import date

from msgspec import Struct

_SHAPE = re.compile(r"[0-9]{17}[0-9X]")
_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECKS = "10X98765432"  # by the weighted sum modulo 11
_HALF_WIDTH = str.maketrans("０１２３４５６７８９Ｘｘ", "0123456789XX")
FIRST_YEAR = 1900


class Identity(Struct, frozen=True):
    """A number that can be one, and what it says of its holder."""

    number: str
    born_on: date
    gender: str  # female | male


class NotOne(Exception):
    """Why a text is no identity number; ``code`` is ID_MISSING, ID_FORMAT, ID_DATE or ID_CHECKSUM."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


def read(text: str, *, today: date) -> Identity:
    """The number as it is stored, its X a capital; NotOne says what is wrong with it first."""
    number = "".join(text.translate(_HALF_WIDTH).split()).upper()
    if not number:
        raise NotOne("ID_MISSING")
    if not _SHAPE.fullmatch(number):
        raise NotOne("ID_FORMAT")
    try:
        born_on = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        raise NotOne("ID_DATE") from None
    if not born_on.year >= FIRST_YEAR or born_on > today:
        raise NotOne("ID_DATE")
    if check_letter(number) != number[17]:
        raise NotOne("ID_CHECKSUM")
    return Identity(number, born_on, "male" if int(number[16]) % 2 else "female")


def check_letter(number: str) -> str:
    """The last letter that the first seventeen digits ask for."""
    total = sum(int(digit) * weight for digit, weight in zip(number[:17], _WEIGHTS, strict=True))
    return _CHECKS[total % 11]


def masked(number: str) -> str:
    """As a list or a certificate shows it: the area and the last four."""
    return f"{number[:4]}{'*' * 10}{number[-4:]}"
