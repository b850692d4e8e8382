"""The OpenAPI 3.1 document, put together from the declarations of the calls."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import version
from typing import Any

import msgspec
from msgspec import Struct

from livehub.accounts.errors import FormExpired, PermissionMissing
from livehub.kit.errors import Detail, Invalid, LivehubError, NotFound, StaleVersion, TooLarge, Unavailable
from livehub.web.answers import BadRequest
from livehub.web.api.calls import KEY_LENGTH
from livehub.web.api.declared import ROOT, Operation, Section
from livehub.web.doors import CrossSite, SignInNeeded, TokenNeeded
from livehub.web.reading import NotJson

TITLE = "直播消费促进中心 接口"
INTRO = "金额是整数分，时刻是带时区的 ISO 8601，编号不可猜测。"
_REF = "#/components/schemas/{name}"
Json = dict[str, Any]


class Refusal(Struct, frozen=True, kw_only=True):
    """没有照做的原因：程序看 code，人看 message。"""

    code: str
    message: str
    details: list[Detail]
    data: dict[str, Any] | msgspec.UnsetType = msgspec.UNSET
    request_id: str | msgspec.UnsetType = msgspec.UNSET


def document(sections: Sequence[Section]) -> Json:
    """The whole document."""
    operations = [operation for section in sections for operation in section.operations]
    references, schemas = _schemas(operations)
    paths: Json = {}
    for operation in operations:
        described = _operation(operation, references, schemas)
        paths.setdefault(operation.path, {})[operation.method.lower()] = described
    queries = {_name(references[each.query]) for each in operations if each.query is not None}
    bodies = {_name(references[each.body]) for each in operations if each.body is not None}
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "version": version("livehub"), "description": INTRO},
        "servers": [{"url": ROOT}],
        "tags": [{"name": name} for name in dict.fromkeys(section.name for section in sections)],
        "paths": paths,
        "components": {
            "schemas": {name: each for name, each in schemas.items() if name not in queries - bodies},
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer"},
                "session": {"type": "apiKey", "in": "cookie", "name": "__Host-session"},
                "form": {"type": "apiKey", "in": "header", "name": "X-CSRF-Token"},
            },
        },
    }


def refusals_of(operation: Operation) -> list[type[LivehubError]]:
    """Every refusal a caller of the operation may meet, by status."""
    met: list[type[LivehubError]] = [BadRequest, TokenNeeded, SignInNeeded, Unavailable]
    if operation.needs:
        met.append(PermissionMissing)
    if operation.query is not None and operation.query.__struct_fields__:
        met.append(Invalid)
    if operation.names_in_path or operation.body is not None:
        met.append(NotFound)
    if operation.body is not None:
        met += [Invalid, NotJson, TooLarge, CrossSite, FormExpired]
    if operation.versioned:
        met.append(StaleVersion)
    return sorted({*met, *operation.refusals}, key=lambda each: (each.status, each.code))


def _operation(operation: Operation, references: Mapping[Any, Json], schemas: Json) -> Json:
    described: Json = {
        "tags": [operation.section],
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": _parameters(operation, references, schemas),
        "responses": _responses(operation, references),
        "security": [{"token": []}, {"session": [], "form": []} if operation.body else {"session": []}],
        "x-permissions": [str(each) for each in operation.needs],
    }
    if operation.body is not None:
        described["requestBody"] = {
            "required": bool(schemas[_name(references[operation.body])].get("required")),
            "content": {"application/json": {"schema": references[operation.body]}},
        }
    return described


def _parameters(operation: Operation, references: Mapping[Any, Json], schemas: Json) -> list[Json]:
    found: list[Json] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string", "minLength": 1}}
        for name in operation.names_in_path
    ]
    if operation.query is not None:
        shape = schemas[_name(references[operation.query])]
        found += [
            _parameter(name, schema, required=name in shape.get("required", ()))
            for name, schema in shape["properties"].items()
        ]
    if operation.versioned:
        found.append(
            {
                "name": "If-Match",
                "in": "header",
                "description": "读到的版本；别人改过就拒绝",
                "schema": {"type": "string", "pattern": '^"[0-9]{1,9}"$'},
            }
        )
    if operation.keyed:
        found.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "description": "同一次提交的编号；重复提交得到第一次的结果",
                "schema": {"type": "string", "pattern": f"^[!-~]{{1,{KEY_LENGTH}}}$"},
            }
        )
    return found


def _parameter(name: str, schema: Json, *, required: bool) -> Json:
    kept = {key: value for key, value in schema.items() if key not in {"description", "default", "anyOf"}}
    given = [each for each in schema.get("anyOf", []) if each != {"type": "null"}]
    for each in given:  # what may be left out is not sent as null
        kept |= each
    if schema.get("default") not in (None, ""):
        kept["default"] = schema["default"]
    described: Json = {"name": name, "in": "query", "required": required, "schema": kept}
    if "description" in schema:
        described["description"] = schema["description"]
    return described


def _responses(operation: Operation, references: Mapping[Any, Json]) -> Json:
    content = {"application/json": {"schema": references[operation.answer]}}
    done = {200, operation.status} if operation.keyed else {operation.status}
    answers: Json = {
        str(status): {"description": _DONE[status], "content": content} for status in sorted(done)
    }
    by_status: dict[int, list[type[LivehubError]]] = {}
    for error in refusals_of(operation):
        by_status.setdefault(error.status, []).append(error)
    for status, errors in by_status.items():
        answers[str(status)] = {
            "description": " ".join(f"{each.code}：{_sentence(each)}" for each in errors),
            "content": {"application/json": {"schema": references[Refusal]}},
        }
    return answers


def _schemas(operations: Iterable[Operation]) -> tuple[dict[Any, Json], Json]:
    """(the reference of every shape, the schemas by name)."""
    shapes: dict[Any, None] = {Refusal: None}
    for operation in operations:
        for shape in (operation.query, operation.body, operation.answer):
            if shape is not None:
                shapes[shape] = None
    references, schemas = msgspec.json.schema_components(shapes, ref_template=_REF)
    return dict(zip(shapes, references, strict=True)), schemas


def _name(reference: Json) -> str:
    return str(reference["$ref"]).rpartition("/")[2]


def _sentence(error: type[LivehubError]) -> str:
    return inspect.cleandoc(error.__doc__ or "").splitlines()[0]


_DONE = {200: "完成", 201: "已建立"}
