"""The document as a page for people: what templates/api_docs.html shows."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import Struct

from livehub.web.api.openapi import Json

DEEPEST = 4  # how far into nested objects a reader wants to look
_PLACES = {"path": "路径", "query": "查询", "header": "请求头"}


class Field(Struct, frozen=True):
    """One parameter, or one field of a request or an answer."""

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
    needs: str
    parameters: list[Field]
    body: list[Field]
    result: list[Field]
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
            shown = _shown(method.upper(), root + path, operation, document)
            found[operation["tags"][0]].append(shown)
    return [Group(name, operations) for name, operations in found.items()]


def _shown(method: str, path: str, operation: Json, document: Json) -> Shown:
    done = next(answer for status, answer in operation["responses"].items() if status.startswith("2"))
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    return Shown(
        method=method,
        path=path,
        summary=operation["summary"],
        needs="、".join(operation["x-permissions"]),
        parameters=[_parameter(each, document) for each in operation["parameters"]],
        body=list(_fields(body, document)),
        result=list(_fields(done["content"]["application/json"]["schema"], document)),
        answers=[
            Answer(status, _words(answer, document)) for status, answer in operation["responses"].items()
        ],
    )


def _parameter(parameter: Json, document: Json) -> Field:
    described = {**parameter["schema"], **{k: v for k, v in parameter.items() if k == "description"}}
    return Field(
        parameter["name"],
        _PLACES[parameter["in"]],
        _type(described, document),
        parameter.get("required", False),
        _about(described, document),
    )


def _fields(schema: Json, document: Json, *, prefix: str = "", depth: int = 0) -> Iterator[Field]:
    """The fields of an object and of the objects in it: ``items[].id``."""
    shape = _resolved(schema, document)
    needed = shape.get("required", ())
    for name, each in shape.get("properties", {}).items():
        words = _about(each, document)
        yield Field(prefix + name, "", _type(each, document), name in needed, words)
        inner, path = _inner(each, document), f"{prefix}{name}."
        if "items" in inner:
            inner, path = _resolved(inner["items"], document), f"{prefix}{name}[]."
        if depth < DEEPEST:
            yield from _fields(inner, document, prefix=path, depth=depth + 1)


def _type(schema: Json, document: Json) -> str:
    inner = _inner(schema, document)
    named = str(inner.get("format") or inner.get("type") or ("string" if "enum" in inner else "object"))
    if "items" in inner:
        named = f"{_type(inner['items'], document)}[]"
    may_be_null = any(each == {"type": "null"} for each in schema.get("anyOf", ()))
    return f"{named} | null" if may_be_null else named


def _about(schema: Json, document: Json) -> str:
    inner = _inner(schema, document)
    parts = [schema.get("description", "")]
    if "enum" in inner:
        parts.append(" | ".join(str(each) for each in inner["enum"]))
    if schema.get("default") not in (None, "", [], {}):
        parts.append(f"默认 {schema['default']}")
    return "；".join(str(each) for each in parts if each)


def _inner(schema: Json, document: Json) -> Json:
    """What a field holds when it holds something, its reference followed."""
    for each in schema.get("anyOf", ()):
        if each != {"type": "null"}:
            return _resolved(each, document)
    return _resolved(schema, document)


def _resolved(schema: Json, document: Json) -> Json:
    if "$ref" not in schema:
        return schema
    found: Json = document["components"]["schemas"][str(schema["$ref"]).rpartition("/")[2]]
    return found


def _words(answer: Json, document: Json) -> str:
    schema = answer["content"]["application/json"]["schema"]
    if schema["$ref"].endswith("/Refusal"):
        return str(answer["description"])
    described = _resolved(schema, document).get("description", "")
    return f"{answer['description']}：{described}" if described else str(answer["description"])
