"""Read what was typed or sent into a Struct, field by field, so that every mistake is shown at once."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, date, datetime
from functools import cache
from typing import Annotated, Any, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo, fields
from sanic import Request

from livehub.kit import clock, ids, money
from livehub.kit.errors import Detail, Invalid, LivehubError

T = TypeVar("T", bound=Struct)

YEARS = range(2000, 2200)  # what calendars and both databases can reckon with

# Types for forms: what people type is not what machines send.
Fen = Annotated[int, Meta(ge=0, le=10**12, extra={"reads": "yuan", "expected": "金额，如 326.00"})]
SomeFen = Annotated[int, Meta(ge=1, le=10**12, extra={"reads": "yuan", "expected": "金额，如 326.00"})]
LocalTime = Annotated[datetime, Meta(tz=True, extra={"reads": "local", "expected": "日期和时间"})]
Phone = Annotated[str, Meta(pattern=r"^1\d{10}$", extra={"reads": "digits", "expected": "11 位手机号"})]
OneTimeCode = Annotated[str, Meta(pattern=r"^\d{6}$", extra={"reads": "digits", "expected": "6 位验证码"})]


class NotJson(LivehubError):
    """请求内容必须是 JSON（Content-Type: application/json）。"""

    code, status = "NOT_JSON", 415


class Form(Struct):
    """What a form shows: the typed values, and what is wrong with them."""

    values: dict[str, str] = {}
    errors: dict[str, str] = {}
    message: str = ""

    def value(self, name: str) -> str:
        """What stands in the field."""
        return self.values.get(name, "")

    def error(self, name: str) -> str:
        """What is wrong with the field, empty when nothing is."""
        return self.errors.get(name, "")


def blank(**values: str) -> Form:
    """A form nobody has filled in yet, with its first values."""
    return Form(values=values)


def refused(request: Request, error: LivehubError) -> Form:
    """The same form again: everything typed is kept and each error stands beside its field."""
    return Form(
        values=typed(request),
        errors={detail.field: detail.reason for detail in error.details},
        message=error.message,
    )


def typed(request: Request) -> dict[str, str]:
    """The form's raw values, the last of each name; secrets are not given back."""
    return {name: texts[-1] for name, texts in _submitted(request).items() if name not in _NEVER_BACK}


def last(request: Request, name: str) -> str:
    """One field's raw value as ``typed`` has it, for who wants no other."""
    return field_text(request, name) if name not in _NEVER_BACK else ""


def field_text(request: Request, name: str) -> str:
    """One field's raw value, secrets too; empty when there is none."""
    texts = dict.get(request.form or {}, name)
    return _readable(texts[-1]) if texts else ""


def next_key(request: Request, refusal: LivehubError | None) -> str:
    """The hidden key of a form that is shown again: the same wish, unless another was sent with it before."""
    is_taken = refusal is not None and refusal.code == "IDEMPOTENCY_MISMATCH"
    return (last(request, "key") if not is_taken else "") or ids.token(nbytes=18)


def form(request: Request, shape: type[T]) -> T:
    """A submitted form as ``shape``; Invalid carries every field's error."""
    return _typed_text(_submitted(request), shape)


def part(request: Request, shape: type[T], prefix: str) -> T:
    """The fields whose names begin with ``prefix``, as ``shape`` without it; Invalid names them whole."""
    sent = _submitted(request)
    raw = {name.removeprefix(prefix): texts for name, texts in sent.items() if name.startswith(prefix)}
    try:
        return _typed_text(raw, shape)
    except Invalid as error:
        named = [Detail(prefix + each.field, each.reason, each.expected) for each in error.details]
        raise Invalid(error.message, details=named) from None


def query(request: Request, shape: type[T]) -> T:
    """The address's query as ``shape``; Invalid carries every field's error."""
    raw = {name: [str(value) for value in request.args[name]] for name in request.args}
    return _typed_text(raw, shape)


def within_reach(given: T) -> T:
    """The same value; Invalid when a day in it is one that no calendar of ours reaches."""
    details = [
        Detail(path, "日期超出范围", f"{YEARS.start} 至 {YEARS.stop - 1} 年")
        for path, day in _days(given, "")
        if day.year not in YEARS
    ]
    if details:
        raise Invalid(details=details)
    return given


def _days(given: Any, path: str) -> Iterable[tuple[str, date]]:
    if isinstance(given, date):  # an instant is one too
        yield path or "$", given
    elif isinstance(given, Struct):
        for field in fields(given):
            yield from _days(getattr(given, field.name), f"{path}.{field.encode_name}".lstrip("."))
    elif isinstance(given, list | tuple):
        for number, each in enumerate(given):
            yield from _days(each, f"{path}[{number}]")


def json(request: Request, shape: type[T]) -> T:
    """A JSON object as ``shape``; Invalid carries every field's error, unknown fields included."""
    if request.content_type.partition(";")[0].strip().lower() != "application/json":
        raise NotJson
    try:
        given = msgspec.json.decode(request.body or b"")
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Invalid(details=[Detail(field="$", reason="不是合法的 JSON", expected="JSON 对象")]) from None
    if not isinstance(given, dict):
        raise Invalid(details=[Detail(field="$", reason="最外层必须是对象", expected="JSON 对象")])
    return convert(given, shape)


def convert(given: Mapping[str, Any], shape: type[T]) -> T:
    """Plain JSON values as ``shape``, field by field."""
    details: list[Detail] = []
    values: dict[str, Any] = {}
    known = {field.encode_name: field for field in fields(shape)}
    unknown = [name for name in given if name not in known]
    details.extend(Detail(field=name, reason="没有这个字段", expected="、".join(known)) for name in unknown)
    for name, field in known.items():
        if name not in given:
            if _is_required(field):
                details.append(Detail(field=name, reason="必须提供"))
            continue
        _take(field, given[name], values=values, details=details, strict=True)
    return _made(shape, values, details)


def _submitted(request: Request) -> dict[str, list[str]]:
    sent: Mapping[str, list[Any]] = request.form or {}
    return {name: [_readable(value) for value in sent[name]] for name in sent if sent[name]}


def _readable(value: Any) -> str:
    """A text as it can be stored: a form of parts may name a charset in which halves of letters stand."""
    text = str(value)
    return text if text.isascii() else text.encode(errors="replace").decode()


def _typed_text(raw: Mapping[str, list[str]], shape: type[T]) -> T:
    """The whole form at once, as it nearly always fits; else field by field, to tell what does not."""
    details: list[Detail] = []
    given = {field.encode_name: value for field, value in _meant(raw, shape, details)}
    if not details and not any("\x00" in text for texts in raw.values() for text in texts):
        with suppress(msgspec.ValidationError):
            return msgspec.convert(given, shape, strict=False)
    details = []
    values: dict[str, Any] = {}
    for field, value in _meant(raw, shape, details):
        _take(field, value, values=values, details=details, strict=False)
    return _made(shape, values, details)


def _meant(
    raw: Mapping[str, list[str]], shape: type[Struct], details: list[Detail]
) -> Iterator[tuple[FieldInfo, Any]]:
    """Each field that was filled in, as it is meant; ``details`` gets what is missing or cannot be read."""
    for field, kind, reads, is_list in _fields(shape):
        texts = raw.get(field.encode_name, ())
        if is_list:
            yield field, [text.strip() for text in texts if text.strip()]
            continue
        text = texts[-1].strip() if texts else ""
        if not text:
            if _is_required(field):
                details.append(Detail(field=field.encode_name, reason="请填写", expected=_expected(kind)))
            continue
        try:
            value = _as_meant(text, reads) if reads else text
        except (ValueError, OverflowError):
            expected = _expected(kind)
            details.append(Detail(field=field.encode_name, reason=_please(expected), expected=expected))
        else:
            yield field, value


@cache
def _fields(shape: type[Struct]) -> tuple[tuple[FieldInfo, Any, str, bool], ...]:
    """The fields of a form with their annotations: looking them up is dearer than reading a form.

    With each, how it is read where it is typed otherwise than it is meant, and whether it is a list.
    """
    kinds = get_type_hints(shape, include_extras=True)
    return tuple(
        (field, kind, _extra(kind).get("reads", ""), _is_list(kind))
        for field in fields(shape)
        for kind in [kinds[field.name]]
    )


def _as_meant(text: str, reads: str) -> Any:
    plain = text if text.isascii() else text.translate(_HALF_WIDTH)
    if reads == "yuan":
        return money.parse_yuan(plain.removeprefix("¥"))
    if reads == "local":
        return datetime.fromisoformat(text).replace(tzinfo=clock.SHANGHAI).astimezone(UTC)
    return re.sub(r"[\s-]", "", plain)  # digits


def _take(
    field: FieldInfo, value: Any, *, values: dict[str, Any], details: list[Detail], strict: bool
) -> None:
    name = field.encode_name
    if "\x00" in value if type(value) is str else _has_nul(value):
        details.append(Detail(field=name, reason="不能包含空字符（NUL）"))
        return
    try:
        values[field.name] = msgspec.convert(value, field.type, strict=strict)
    except msgspec.ValidationError as error:
        path, reason = _in_chinese(str(error), _expected(field.type))
        details.append(Detail(field=name + path, reason=reason, expected=_expected(field.type)))


def _made(shape: type[T], values: dict[str, Any], details: list[Detail]) -> T:
    if details:
        raise Invalid(details=details)
    try:
        return shape(**values)
    except (ValueError, TypeError) as error:  # a check in __post_init__ that looks at several fields
        raise Invalid(details=[Detail(field="$", reason=str(error))]) from None


def _in_chinese(message: str, expected: str) -> tuple[str, str]:
    """(path below the field, sentence) of msgspec's English."""
    text, _, path = message.partition(" - at `$")
    path = path.rstrip("`")
    if expected:
        return path, _please(expected)
    for pattern, sentence in _SENTENCES:
        found = re.search(pattern, text)
        if found:
            return path, sentence.format(*found.groups())
    return path, "格式不对"


def _please(expected: str) -> str:
    return f"请填写 {expected}" if expected[:1].isascii() else f"请填写{expected}"


def _has_nul(value: Any) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, Mapping):
        return any(_has_nul(part) for pair in value.items() for part in pair)
    return isinstance(value, Iterable) and any(_has_nul(part) for part in value)


def _is_required(field: FieldInfo) -> bool:
    return field.default is NODEFAULT and field.default_factory is NODEFAULT


def _is_list(kind: Any) -> bool:
    inner = get_args(kind)[0] if get_origin(kind) is Annotated else kind
    return (get_origin(inner) or inner) in (list, set, frozenset, tuple)


def _extra(kind: Any) -> dict[str, str]:
    found: dict[str, str] = {}
    for part in get_args(kind) if get_origin(kind) is not None else ():
        if isinstance(part, Meta):
            found.update(part.extra or {})
        elif get_origin(part) is not None:  # Fen | None
            found.update(_extra(part))
    return found


def _expected(kind: Any) -> str:
    return _extra(kind).get("expected", "")


_NEVER_BACK = frozenset({"password", "old", "again", "csrf", "totp", "code", "secret"})
_HALF_WIDTH = str.maketrans("０１２３４５６７８９．，－￥", "0123456789.,-¥")
_SENTENCES = (
    (r"of length >= 1$", "请填写"),
    (r"`str` of length >= (\d+)", "至少 {} 个字"),
    (r"`str` of length <= (\d+)", "最多 {} 个字"),
    (r"`array` of length >= (\d+)", "至少选 {} 项"),
    (r"`array` of length <= (\d+)", "最多 {} 项"),
    (r"`(?:int|float)` >= (-?[\d.]+)", "不能小于 {}"),
    (r"`(?:int|float)` <= (-?[\d.]+)", "不能大于 {}"),
    (r"`(?:int|float)` > (-?[\d.]+)", "必须大于 {}"),
    (r"`(?:int|float)` < (-?[\d.]+)", "必须小于 {}"),
    (r"Invalid enum value", "不在可选范围内"),
    (r"Invalid (?:RFC3339|ISO)|`datetime`|Invalid date", "日期或时间格式不对"),
    (r"Expected `int", "请填写整数"),
    (r"Expected `float", "请填写数字"),
    (r"Expected `bool", "只能是“是”或“否”"),
    (r"Expected `str", "请填写文字"),
    (r"matching regex", "格式不对"),
    (r"missing required field `(\w+)`", "缺少 {}"),
    (r"contains unknown field `(\w+)`", "没有字段 {}"),
)
