"""The OpenAPI document: it leaves no call out, says what is true of each, and its page reads well."""

from __future__ import annotations

import re
from functools import cache

import jsonschema_rs
import pytest

from livehub.app import create_app
from livehub.settings import Settings
from livehub.web.api import openapi
from livehub.web.api.blueprint import SECTIONS
from livehub.web.api.declared import ROOT
from livehub.web.doors import POLICY
from tests.conftest import KEYS
from tests.site import Site
from tests.web.api.callers import document

ABOUT_ITSELF = {f"{ROOT}/openapi.json", f"{ROOT}/docs"}
OPERATIONS = [operation for section in SECTIONS for operation in section.operations]


@cache
def routes() -> dict[tuple[str, str], object]:
    """(method, path as the document writes it) of everything below /api."""
    app = create_app(Settings(keys=KEYS), name="livehub-routes")
    return {
        (method, re.sub(r"<(\w+):str>", r"{\1}", f"/{route.path}")): route.handler
        for route in app.router.routes
        if route.path.startswith("api/")
        for method in route.methods
    }


def test_every_route_is_in_the_document_and_nothing_else() -> None:
    described = {
        (method.upper(), ROOT + path) for path, methods in document()["paths"].items() for method in methods
    }

    assert {route for route in routes() if route[1] not in ABOUT_ITSELF} == described


def test_every_call_asks_for_what_the_document_says() -> None:
    for (method, path), handler in routes().items():
        if path in ABOUT_ITSELF:
            assert getattr(handler, POLICY) == "public"
            continue
        operation = document()["paths"][path.removeprefix(ROOT)][method.lower()]
        kind, permissions = getattr(handler, POLICY)
        assert (kind, [str(each) for each in permissions]) == ("machine", operation["x-permissions"])


def test_operations_have_names_of_their_own() -> None:
    names = [operation.name for operation in OPERATIONS]

    assert sorted(names) == sorted(set(names))


def test_every_reference_leads_somewhere() -> None:
    text = repr(document())
    named = set(re.findall(r"#/components/schemas/([\w]+)", text))

    assert named - set(document()["components"]["schemas"]) == set()
    assert document()["openapi"] == "3.1.0"


@pytest.mark.parametrize("name", sorted(document()["components"]["schemas"]))
def test_every_schema_is_one(name: str) -> None:
    jsonschema_rs.meta.validate(document()["components"]["schemas"][name])


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_every_refusal_is_said(operation) -> None:
    described = document()["paths"][operation.path][operation.method.lower()]["responses"]

    for error in openapi.refusals_of(operation):
        assert f"{error.code}：" in described[str(error.status)]["description"]


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda each: each.name)
def test_no_body_takes_what_it_does_not_know(operation) -> None:
    if operation.body is not None:
        assert operation.body.__struct_config__.forbid_unknown_fields


async def test_the_document_and_its_page_are_there_for_everybody(client: Site) -> None:
    async with client.get(f"{ROOT}/openapi.json") as answer:
        assert (answer.status, await answer.json()) == (200, document())

    page = await client.text(f"{ROOT}/docs")

    for operation in OPERATIONS:
        assert f"{ROOT}{operation.path}" in page
        assert operation.summary in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)  # nothing comes from elsewhere
