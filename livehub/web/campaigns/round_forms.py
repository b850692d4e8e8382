"""A round as it is typed: its window, kinds and packs, what is wrong beside its field, and its price."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Literal

from msgspec import Meta, Struct
from sanic import Request

from livehub.kit.errors import Detail, Invalid
from livehub.platforms import registry
from livehub.vouchers import expectations
from livehub.vouchers.expectations import Floor
from livehub.vouchers.models import Validity
from livehub.vouchers.new_kinds import MOST_OF_ONE, MOST_VOUCHERS, NewItem, NewPack, NewTemplate, Rules
from livehub.web import reading, show

MOST_KINDS, MOST_PACKS = 20, 3
_FIRST = {"validity": str(Validity.DAYS_FROM_CLAIM), "n": "7", "per_person": "1"}  # of a new kind

Quantity = Annotated[int, Meta(ge=1, le=100_000_000, extra={"expected": "大于 0 的整数"})]
PerPerson = Annotated[int, Meta(ge=1, le=50, extra={"expected": "1 至 50 的整数"})]
Platform = Annotated[str, Meta(max_length=32)]


class RoundForm(Struct):
    """The round itself."""

    mode: Annotated[Literal["rush", "direct"], Meta(extra={"expected": "一种发放方式"})]
    claim_from: reading.LocalTime
    claim_until: reading.LocalTime


class KindForm(Struct):
    """One kind; in a pack ``quantity`` is how many each holds, and who may claim is the pack's."""

    face: reading.SomeFen
    threshold: reading.SomeFen
    quantity: Quantity
    validity: Annotated[Validity, Meta(extra={"expected": "一种有效期"})]
    name: Annotated[str, Meta(max_length=60)] = ""
    pack: Annotated[int, Meta(ge=0, le=MOST_PACKS)] = 0
    per_person: PerPerson = 1
    n: Annotated[int, Meta(ge=1, le=10_000, extra={"expected": "1 至 10000 的整数"})] | None = None
    since: reading.LocalTime | None = None
    until: reading.LocalTime | None = None
    merchants_only: bool = False
    platform: Platform = ""
    shop_day: PerPerson | None = None


class PackForm(Struct):
    """One pack: how many, and who may claim it."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    quantity: Quantity
    per_person: PerPerson = 1
    platform: Platform = ""


class Line(Struct, frozen=True, kw_only=True):
    """What one offer costs."""

    field: str  # where its quantity is typed
    name: str
    face_fen: int  # of a voucher, or of a pack
    quantity: int
    pack: bool

    @property
    def total_fen(self) -> int:
        """Of all of it."""
        return self.face_fen * self.quantity


class Planned(Struct, kw_only=True):
    """What could be read of a form, with what is wrong with it; only what is whole is counted."""

    round: RoundForm | None = None
    kinds: dict[int, KindForm] = {}
    packs: dict[int, PackForm] = {}
    wrong: list[Detail] = []

    @property
    def lines(self) -> list[Line]:
        """The offers, the loose kinds first."""
        loose = [
            Line(
                field=f"k{number}-quantity",
                name=_name(kind),
                face_fen=kind.face,
                quantity=kind.quantity,
                pack=False,
            )
            for number, kind in self.kinds.items()
            if not kind.pack
        ]
        return loose + [
            Line(
                field=f"p{number}-quantity",
                name=pack.name,
                face_fen=sum(kind.face * kind.quantity for kind in self.inside(number)),
                quantity=pack.quantity,
                pack=True,
            )
            for number, pack in self.packs.items()
        ]

    @property
    def total_fen(self) -> int:
        """What the round sets aside."""
        return sum(each.total_fen for each in self.lines)

    @property
    def floor(self) -> Floor:
        """Of the vouchers of all offers."""
        return expectations.floor(
            (kind.threshold, kind.face, kind.quantity * self._times(kind)) for kind in self.kinds.values()
        )

    def inside(self, pack: int) -> list[KindForm]:
        """The kinds in a pack."""
        return [kind for kind in self.kinds.values() if kind.pack == pack]

    def templates(self) -> list[NewTemplate]:
        """The loose kinds as the domain takes them."""
        return [
            NewTemplate(
                name=_name(kind),
                face_fen=kind.face,
                threshold_fen=kind.threshold,
                quantity=kind.quantity,
                validity=kind.validity,
                validity_n=_n(kind),
                valid_from=_of_fixed(kind, kind.since),
                valid_until=_of_fixed(kind, kind.until),
                merchants_only=kind.merchants_only,
                rules=_claim_rules(kind) | _use_rules(kind),
            )
            for kind in self.kinds.values()
            if not kind.pack
        ]

    def new_packs(self) -> list[NewPack]:
        """The packs as the domain takes them."""
        return [
            NewPack(
                name=pack.name,
                quantity=pack.quantity,
                rules=_claim_rules(pack),
                items=tuple(
                    NewItem(
                        name=_name(kind),
                        face_fen=kind.face,
                        threshold_fen=kind.threshold,
                        n=kind.quantity,
                        validity=kind.validity,
                        validity_n=_n(kind),
                        valid_from=_of_fixed(kind, kind.since),
                        valid_until=_of_fixed(kind, kind.until),
                        merchants_only=kind.merchants_only,
                        rules=_use_rules(kind),
                    )
                    for kind in self.inside(number)
                ),
            )
            for number, pack in self.packs.items()
        ]

    def _times(self, kind: KindForm) -> int:
        if not kind.pack:
            return 1
        return self.packs[kind.pack].quantity if kind.pack in self.packs else 0


def platforms() -> list[str]:
    """Those whose links a kind or pack may be kept to."""
    return [each.name for each in registry.all()]


def first(values: Mapping[str, str]) -> dict[str, str]:
    """The form with its first kind."""
    return {
        "kinds": "1",
        "packs": "0",
        "mode": "rush",
        **{f"k1-{name}": _FIRST[name] for name in _FIRST},
        **values,
    }


def counts(values: Mapping[str, str]) -> tuple[int, int]:
    """(kinds, packs) that the form has, within what there may be."""
    return _count(values, "kinds", 1, MOST_KINDS), _count(values, "packs", 0, MOST_PACKS)


def grown(values: dict[str, str], step: str) -> dict[str, str]:
    """The form after one of its buttons: kind, pack, drop-kind-N or drop-pack-N."""
    kinds, packs = counts(values)
    what, _, number = step.rpartition("-")
    if step == "kind" and kinds < MOST_KINDS:
        kinds += 1
        values = values | {f"k{kinds}-{name}": _FIRST[name] for name in _FIRST}
    elif step == "pack" and packs < MOST_PACKS:
        packs += 1
        values = values | {f"p{packs}-per_person": "1"}
    elif what == "drop-kind" and _number(number) in range(1, kinds + 1) and kinds > 1:
        values, kinds = _without(values, "k", int(number)), kinds - 1
    elif what == "drop-pack" and _number(number) in range(1, packs + 1):
        gone = int(number)
        values, packs = _without(values, "p", gone), packs - 1
        for each in range(1, kinds + 1):
            chosen = values.get(f"k{each}-pack", "")
            if _number(chosen) >= gone:
                values[f"k{each}-pack"] = str(int(chosen) - 1) if int(chosen) > gone else ""
    return values | {"kinds": str(kinds), "packs": str(packs)}


def read(request: Request, *, now: datetime) -> Planned:
    """All of the form that can be read, each mistake by its field."""
    kinds, packs = counts(reading.typed(request))
    made = Planned()
    try:
        made.round = reading.form(request, RoundForm)
    except Invalid as error:
        made.wrong += error.details
    for number in range(1, packs + 1):
        try:
            made.packs[number] = reading.part(request, PackForm, f"p{number}-")
        except Invalid as error:
            made.wrong += error.details
    for number in range(1, kinds + 1):
        try:
            made.kinds[number] = reading.part(request, KindForm, f"k{number}-")
        except Invalid as error:
            made.wrong += error.details
    made.wrong += _unfit(made, packs=packs, now=now)
    return made


def beyond(made: Planned, available_fen: int) -> list[Detail]:
    """Where the most is asked for, when all of it is more than there is."""
    over_fen = made.total_fen - available_fen
    if over_fen <= 0 or not made.lines:
        return []
    most = max(made.lines, key=lambda each: each.total_fen)
    total, available, over = (show.yuan(each) for each in (made.total_fen, available_fen, over_fen))
    reason = f"合计 {total} 元，可分配只有 {available} 元，多 {over} 元"
    return [Detail(most.field, reason, "更小的数量")]


def _unfit(made: Planned, *, packs: int, now: datetime) -> Iterator[Detail]:
    opens = made.round.claim_from if made.round else None
    if made.round:
        if made.round.claim_until <= made.round.claim_from:
            yield Detail("claim_until", "要晚于领取开始", "更晚的时间")
        elif made.round.claim_until <= now:
            yield Detail("claim_until", "已经过去了", "将来的时间")
    for number, kind in made.kinds.items():
        yield from _unfit_kind(kind, f"k{number}-", packs=packs, opens=opens)
    for number, pack in made.packs.items():
        yield from _unfit_pack(pack, made.inside(number), f"p{number}-")
    offers = [(f"k{number}-", kind.platform) for number, kind in made.kinds.items()]
    offers += [(f"p{number}-", pack.platform) for number, pack in made.packs.items()]
    for at, platform in offers:
        if platform and platform not in platforms():
            yield Detail(f"{at}platform", "没有这个平台", "一个平台，或不限")
        elif platform and made.round and made.round.mode == "direct":
            yield Detail(f"{at}platform", "定向发放没有平台，不能限定平台", "不限")
    if made.round and made.round.mode == "direct" and len(made.lines) != 1:
        yield Detail("mode", "定向发放的轮次只能有一个券种或一个券包", "一个券种或一个券包")


def _unfit_kind(kind: KindForm, at: str, *, packs: int, opens: datetime | None) -> Iterator[Detail]:
    if kind.threshold < kind.face:
        yield Detail(f"{at}threshold", "门槛不能低于面额", "不低于面额的金额")
    if kind.pack > packs:
        yield Detail(f"{at}pack", "没有这个券包", "一个券包，或单独发放")
    if kind.pack and kind.quantity > MOST_VOUCHERS:
        yield Detail(f"{at}quantity", f"一个券包里最多 {MOST_VOUCHERS} 张券", f"最多 {MOST_VOUCHERS}")
    if kind.validity is not Validity.FIXED:
        if kind.n is None:
            yield Detail(f"{at}n", "请填写几天或几小时", "大于 0 的整数")
        return
    for name, instant in (("since", kind.since), ("until", kind.until)):
        if instant is None:
            yield Detail(f"{at}{name}", "固定日期的有效期要填起止时间", "日期和时间")
    if kind.since and kind.until and kind.until <= kind.since:
        yield Detail(f"{at}until", "要晚于开始时间", "更晚的时间")
    elif kind.until and opens and kind.until <= opens:
        yield Detail(f"{at}until", "开放领取之前就过期了", "晚于领取开始的时间")


def _unfit_pack(pack: PackForm, inside: Sequence[KindForm], at: str) -> Iterator[Detail]:
    if not inside:
        yield Detail(f"{at}name", "还没有券种放进这个券包", "至少一个券种")
    elif sum(kind.quantity for kind in inside) > MOST_VOUCHERS:
        yield Detail(f"{at}name", f"一个券包里最多 {MOST_VOUCHERS} 张券", f"最多 {MOST_VOUCHERS} 张")
    elif pack.quantity * max(kind.quantity for kind in inside) > MOST_OF_ONE:
        yield Detail(f"{at}quantity", "数量太大", f"一个券种最多 {MOST_OF_ONE:,} 张")


def _name(kind: KindForm) -> str:
    return kind.name or f"满{show.yuan_short(kind.threshold)}减{show.yuan_short(kind.face)}"


def _n(kind: KindForm) -> int:
    return 0 if kind.validity is Validity.FIXED else kind.n or 0


def _of_fixed(kind: KindForm, instant: datetime | None) -> datetime | None:
    return instant if kind.validity is Validity.FIXED else None


def _claim_rules(offer: KindForm | PackForm) -> Rules:
    rules: Rules = {"per_person": {"limit": offer.per_person}}
    return rules | ({"platform_scope": {"only": [offer.platform]}} if offer.platform else {})


def _use_rules(kind: KindForm) -> Rules:
    return {"per_shop_day": {"limit": kind.shop_day}} if kind.shop_day else {}


def _count(values: Mapping[str, str], name: str, least: int, most: int) -> int:
    return min(max(_number(values.get(name, "")), least), most)


def _number(text: str) -> int:
    """A number of at most three digits; 0 for all else."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else 0


def _without(values: Mapping[str, str], letter: str, gone: int) -> dict[str, str]:
    """The form without its n-th kind or pack; those after it move up."""
    kept = {}
    for name, text in values.items():
        head, _, field = name.partition("-")
        number = _number(head.removeprefix(letter))
        if not field or not head.startswith(letter) or not number:
            kept[name] = text
        elif number != gone:
            kept[f"{letter}{number - (number > gone)}-{field}"] = text
    return kept
