"""The document as a page for people: what templates/api_docs.html shows."""

from __future__ import annotations

import json
from typing import Any

from msgspec import Struct

from livehub.web.api.openapi import Json

_PLACES = {"path": "路径", "query": "查询", "header": "请求头"}


class Parameter(Struct, frozen=True):
    """One parameter of a call."""

    name: str
    place: str
    type: str
    required: bool
    words: str


class Answer(Struct, frozen=True):
    """One status of a call, with its words."""

    status: str
    words: str


class Shown(Struct, frozen=True, kw_only=True):
    """One call."""

    method: str
    path: str
    summary: str
    description: str
    needs: str
    parameters: list[Parameter]
    body: str
    answers: list[Answer]


class Group(Struct, frozen=True):
    """The calls about one thing."""

    name: str
    operations: list[Shown]


def groups(document: Json) -> list[Group]:
    """The document's calls by their tag, in its order."""
    root = document["servers"][0]["url"]
    found: dict[str, list[Shown]] = {tag["name"]: [] for tag in document["tags"]}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            found[operation["tags"][0]].append(_shown(method.upper(), root + path, operation, document))
    return [Group(name, operations) for name, operations in found.items()]


def _shown(method: str, path: str, operation: Json, document: Json) -> Shown:
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    shape = _resolved(body, document) if body else {}
    return Shown(
        method=method,
        path=path,
        summary=operation["summary"],
        description="",
        needs="、".join(operation["x-permissions"]),
        parameters=[_parameter(each, document) for each in operation["parameters"]],
        body=json.dumps(shape, ensure_ascii=False, indent=2) if shape.get("properties") else "",
        answers=[
            Answer(status, _words(answer, document)) for status, answer in operation["responses"].items()
        ],
    )


def _parameter(parameter: Json, document: Json) -> Parameter:
    schema = _resolved(parameter["schema"], document)
    words = parameter.get("description", "")
    if "enum" in schema:
        words = f"{words}（{' | '.join(schema['enum'])}）"
    if "default" in parameter["schema"]:
        words = f"{words} 默认 {parameter['schema']['default']}"
    return Parameter(
        parameter["name"],
        _PLACES[parameter["in"]],
        schema.get("format") or schema.get("type", "string"),
        parameter.get("required", False),
        words.strip(),
    )


def _words(answer: Json, document: Json) -> str:
    reference = answer["content"]["application/json"]["schema"]
    name = str(reference["$ref"]).rpartition("/")[2]
    if name == "Refusal":
        return str(answer["description"])
    described = document["components"]["schemas"][name].get("description", "")
    return f"{answer['description']}：{described}" if described else str(answer["description"])


def _resolved(schema: Any, document: Json, depth: int = 0) -> Any:
    """The schema with its references replaced, as far as a reader wants to look."""
    if isinstance(schema, list):
        return [_resolved(each, document, depth) for each in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and depth < 4:
        name = str(schema["$ref"]).rpartition("/")[2]
        return _resolved(document["components"]["schemas"][name], document, depth + 1)
    return {key: _resolved(value, document, depth) for key, value in schema.items() if key != "title"}
