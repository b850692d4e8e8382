"""Kinds of vouchers as an officer writes them down with a round: checked, then created."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from livehub.kit import ids
from livehub.kit.errors import Detail
from livehub.vouchers import eligibility, validity
from livehub.vouchers.eligibility import Stage
from livehub.vouchers.errors import TemplateUnfit
from livehub.vouchers.models import Round, Template, Validity
from livehub.vouchers.pack_models import Pack, PackItem

Rules = dict[str, dict[str, object]]  # rule -> parameters (per person 1 unless it says otherwise)
Quantity = Annotated[int, Meta(ge=0, le=100_000_000)]  # 0: nothing but what is rolled over
MOST_VOUCHERS = 50  # in a pack
MOST_OF_ONE = 2**31 - 1  # vouchers of a template: its columns are INT


class NewKind(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One kind of voucher."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    face_fen: Annotated[int, Meta(gt=0)]
    threshold_fen: Annotated[int, Meta(gt=0)]
    validity: Validity
    validity_n: Annotated[int, Meta(ge=0)] = 0
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    merchants_only: bool = False
    rules: Rules = {}


class NewTemplate(NewKind, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that is given by itself."""

    quantity: Quantity


class NewItem(NewKind, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One that is given in a pack: ``n`` in each; its rules are about its use."""

    n: Annotated[int, Meta(ge=1, le=MOST_VOUCHERS)]


class NewPack(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Vouchers that are claimed together; ``quantity`` is of packs, the rules are about claiming one."""

    name: Annotated[str, Meta(min_length=1, max_length=60)]
    quantity: Quantity
    items: Annotated[tuple[NewItem, ...], Meta(min_length=1, max_length=20)]
    rules: Rules = {}

    @property
    def face_fen(self) -> int:
        """What one pack is worth."""
        return sum(item.face_fen * item.n for item in self.items)


def check(kind: NewKind) -> None:
    """TemplateUnfit says what is wrong with a kind of voucher."""
    _bound(kind.rules)
    complete = validity.is_complete(
        validity.Terms(
            kind=kind.validity,
            n=kind.validity_n,
            fixed_from=kind.valid_from,
            fixed_until=kind.valid_until,
        )
    )
    if not complete or kind.threshold_fen < kind.face_fen:
        raise TemplateUnfit


def check_template(template: NewTemplate) -> None:
    """The same of one that is given by itself."""
    check(template)
    _require_countable(template)


def check_pack(pack: NewPack) -> None:
    """The same of a pack: rules about claiming are the pack's, those about use its vouchers'."""
    if not pack.items or not 0 < sum(item.n for item in pack.items) <= MOST_VOUCHERS:
        raise TemplateUnfit(f"一个券包里要有 1 至 {MOST_VOUCHERS} 张券。")
    for item in pack.items:
        check(item)
        if _named(item.rules, Stage.CLAIM):
            raise TemplateUnfit("券包里的券一起领取，领取规则要写在券包上。")
        _require_countable(pack, each=item.n)
    _bound(pack.rules)
    if _named(pack.rules, Stage.USE):
        raise TemplateUnfit("使用规则要写在券包里的各个券种上。")


def check_direct(templates: Sequence[NewTemplate], packs: Sequence[NewPack]) -> None:
    """TemplateUnfit for what cannot be given to the households of a roster."""
    each = offers(templates, packs)
    if len(each) != 1:
        raise TemplateUnfit("定向发放的轮次只能有一个券种或一个券包。")
    if each[0].rules.get("platform_scope", {}).get("only"):
        raise _unfit("rules.platform_scope", "定向发放没有平台，不能限定平台", "去掉 platform_scope")


async def create(kind: NewKind, planned: Round, *, quantity: int) -> Template:
    """The template of a kind that was checked."""
    return await Template.create(
        public_id=ids.public_id(),
        round_id=planned.id,
        name=kind.name,
        face_fen=kind.face_fen,
        threshold_fen=kind.threshold_fen,
        quantity=quantity,
        validity=kind.validity,
        validity_n=kind.validity_n,
        valid_from=kind.valid_from,
        valid_until=kind.valid_until,
        merchants_only=kind.merchants_only,
        rules=_text(kind.rules),
    )


async def create_pack(pack: NewPack, planned: Round) -> Pack:
    """A pack that was checked, with its templates: each has what all packs together need of it."""
    made = await Pack.create(
        public_id=ids.public_id(), round_id=planned.id, name=pack.name, rules=_text(pack.rules)
    )
    for item in pack.items:
        template = await create(item, planned, quantity=pack.quantity * item.n)
        await PackItem.create(pack_id=made.id, template_id=template.id, n=item.n)
    return made


def allocated_fen(templates: Sequence[NewTemplate], packs: Sequence[NewPack]) -> int:
    """What a round sets aside: face x quantity of everything it gives."""
    return sum(each.face_fen * each.quantity for each in offers(templates, packs))


def offers(templates: Sequence[NewTemplate], packs: Sequence[NewPack]) -> Sequence[NewTemplate | NewPack]:
    """All that is written down."""
    return [*templates, *packs]


def _require_countable(offer: NewTemplate | NewPack, *, each: int = 1) -> None:
    if offer.quantity * each > MOST_OF_ONE:
        reason = f"“{offer.name}”的数量太大：一个券种最多 {MOST_OF_ONE:,} 张"
        raise _unfit("quantity", reason, f"最多 {MOST_OF_ONE // each:,}")


def _unfit(field: str, reason: str, expected: str) -> TemplateUnfit:
    return TemplateUnfit(f"{reason}。", details=[Detail(field, reason, expected)])


def _bound(rules: Rules) -> None:
    try:
        for stage in Stage:
            eligibility.bind(_text(rules), stage)
    except ValueError as error:
        raise TemplateUnfit(f"券种规则有误：{error}") from None


def _named(rules: Rules, stage: Stage) -> bool:
    return any(eligibility.registry()[name].stage is stage for name in rules)


def _text(rules: Rules) -> str:
    return msgspec.json.encode(rules).decode()
