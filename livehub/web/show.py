"""How numbers, amounts and instants are written for people: the filters of every template."""

from __future__ import annotations

import re
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from livehub.kit import clock, money

NONE = "—"  # shown where a figure is unknown; never 0
_WEEK = "一二三四五六日"
_WAN_FEN = 10_000 * 100
_YI_FEN = 100_000_000 * 100


def yuan(fen: int | None) -> str:
    """128,463.05, or a dash when the amount is not known."""
    return NONE if fen is None else money.yuan(fen)


def yuan_sign(fen: int | None) -> str:
    """¥128,463.05; the sign of a negative amount stands before the ¥."""
    if fen is None:
        return NONE
    return f"-¥{money.yuan(-fen)}" if fen < 0 else f"¥{money.yuan(fen)}"


def yuan_short(fen: int) -> str:
    """The face of a voucher: ¥30 rather than ¥30.00, but ¥30.50."""
    return money.yuan(fen).removesuffix(".00")


def wan(fen: int | None) -> str:
    """About 12.85 万 or 1.20 亿, an extra beside the exact figure; empty below 10,000 yuan."""
    if fen is None or abs(fen) < _WAN_FEN:
        return ""
    unit, name = (_YI_FEN, "亿") if abs(fen) >= _YI_FEN else (_WAN_FEN, "万")
    return f"{_rounded(fen, unit, 2):,} {name}"


def count(number: int | None) -> str:
    """1,206, or a dash when it is not known."""
    return NONE if number is None else f"{number:,}"


def percent(numerator: int | None, denominator: int | None, reason: str = "") -> str:
    """5.9%, or a dash with the reason where there is nothing to divide by."""
    if numerator is None or not denominator:
        return f"{NONE}（{reason}）" if reason else NONE
    return f"{_rounded(numerator * 100, denominator, 1)}%"


def ratio(numerator: int | None, denominator: int | None, reason: str = "") -> str:
    """7.01, the way a leverage is written."""
    if numerator is None or not denominator:
        return f"{NONE}（{reason}）" if reason else NONE
    return f"{_rounded(numerator, denominator, 2):,}"


def quotient(numerator: int, denominator: int) -> str | None:
    """7.0123, for machines; None where there is nothing to divide by."""
    return f"{_rounded(numerator, denominator, 4)}" if denominator else None


def share(part: int | None, whole: int | None) -> str:
    """A width for a meter, 0% to 100%."""
    if not part or not whole:
        return "0%"
    return f"{max(0, min(100, _rounded(part * 100, whole, 1)))}%"


def hm(at: datetime | None) -> str:
    """20:41 on the wall clock of Shanghai."""
    return NONE if at is None else f"{clock.local(at):%H:%M}"


def hm_end(at: datetime | None) -> str:
    """The end of an interval: midnight reads as 24:00."""
    return "24:00" if hm(at) == "00:00" else hm(at)


def hms(at: datetime | None) -> str:
    """20:41:07 on the wall clock of Shanghai."""
    return NONE if at is None else f"{clock.local(at):%H:%M:%S}"


def md(at: datetime | date | None) -> str:
    """3月6日."""
    if at is None:
        return NONE
    day = _day(at)
    return f"{day.month}月{day.day}日"


def md_week(at: datetime | date | None) -> str:
    """3月6日 周五."""
    return NONE if at is None else f"{md(at)} 周{_WEEK[_day(at).weekday()]}"


def md_hm(at: datetime | None) -> str:
    """3月6日 20:41."""
    return NONE if at is None else f"{md(at)} {hm(at)}"


def until(at: datetime | None) -> str:
    """The last moment of an exclusive end: midnight reads as 24:00 of the day before."""
    if at is None:
        return NONE
    here = clock.local(at)
    if (here.hour, here.minute) == (0, 0):
        return f"{md(date.fromordinal(here.toordinal() - 1))} 24:00"
    return f"{md(here)} {here:%H:%M}"


def instant(at: datetime | None) -> str:
    """2026-03-06 20:41:07, for tables that an auditor reads."""
    return NONE if at is None else f"{clock.local(at):%Y-%m-%d %H:%M:%S}"


def iso(at: datetime | None) -> str:
    """What a <time datetime> wants."""
    return "" if at is None else clock.local(at).isoformat(timespec="seconds")


def since(at: datetime | None, now: datetime) -> str:
    """刚刚, 3 分钟前, 2 小时前, 5 天前."""
    if at is None:
        return NONE
    seconds = int((now - at).total_seconds())
    if seconds < 60:
        return "刚刚"
    for size, name in ((86_400, "天"), (3_600, "小时"), (60, "分钟")):
        if seconds >= size:
            return f"{seconds // size} {name}前"
    return "刚刚"


def lasting(seconds: float | None) -> str:
    """0.3 秒, 41 分钟, 2 小时 5 分."""
    if seconds is None:
        return NONE
    if seconds < 60:
        return f"{seconds:.1f} 秒"
    minutes = int(seconds // 60)
    if minutes < 60:
        return f"{minutes} 分钟"
    hours, rest = divmod(minutes, 60)
    return f"{hours} 小时 {rest} 分" if rest else f"{hours} 小时"


def phone(number: str | None) -> str:
    """138****1234; whatever is not a phone number is hidden whole."""
    if not number:
        return NONE
    return f"{number[:3]}****{number[-4:]}" if re.fullmatch(r"\d{11}", number) else "****"


def grouped(code: str) -> str:
    """A voucher code in groups of four, easier to read aloud."""
    return " ".join(code[i : i + 4] for i in range(0, len(code), 4))


def size(number: int | None) -> str:
    """412 B or 3.1 KB."""
    if number is None:
        return NONE
    return f"{number:,} B" if number < 1024 else f"{_rounded(number, 1024, 1):,} KB"


def hours(tenths: int | Fraction | None) -> str:
    """Tenths of an hour of training as hours: 45 is 4.5, and no more than one decimal."""
    if tenths is None:
        return NONE
    whole, part = divmod(int(tenths), 10)
    return f"{whole}.{part}" if part else f"{whole}"


def floored(rate: Fraction | None) -> str:
    """A rate in percent, cut and never rounded up: what is below 80 % never reads 80 %."""
    if rate is None:
        return NONE
    permille = int(rate * 1000)
    return f"{permille // 10}.{permille % 10} %"


def _day(at: datetime | date) -> date:
    return clock.local_day(at) if isinstance(at, datetime) else at


def _rounded(numerator: int, denominator: int, places: int) -> Decimal:
    exact = Decimal(numerator) / Decimal(denominator)
    return exact.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_UP)


_ALL = (
    yuan,
    yuan_sign,
    yuan_short,
    wan,
    count,
    percent,
    ratio,
    share,
    lasting,
    phone,
    grouped,
    size,
    hours,
    floored,
)
_TIMES = (hm, hm_end, hms, md, md_week, md_hm, until, instant, iso, since)
FILTERS = {each.__name__: each for each in (*_ALL, *_TIMES)}
