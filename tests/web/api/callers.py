"""Machines that call the API: each answer is held against the OpenAPI document before the test sees it."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from functools import cache
from typing import Any, ClassVar

import aiohttp
import jsonschema_rs

from livehub.accounts import forms, logins, tokens
from livehub.accounts.actors import Grant, system
from livehub.accounts.models import Centre, Role
from livehub.kit import clock
from livehub.web import doors
from livehub.web.api import openapi
from livehub.web.api.blueprint import SECTIONS
from livehub.web.api.declared import ROOT
from tests.factories.accounts import PASSWORD, a_user
from tests.site import Site


class Reply:
    """A checked answer."""

    def __init__(self, status: int, headers: Mapping[str, str], body: Any) -> None:
        self.status, self.headers, self.body = status, headers, body

    def __getitem__(self, name: str) -> Any:
        return self.body[name]

    def __repr__(self) -> str:
        return f"{self.status} {json.dumps(self.body, ensure_ascii=False)[:600]}"


class Caller:
    """Somebody with a bearer token; ``called`` notes the operations that were answered well."""

    called: ClassVar[set[str]] = set()

    def __init__(self, site: Site, token: str = "", **headers: str) -> None:
        self._site = site
        self._headers = {**({"Authorization": f"Bearer {token}"} if token else {}), **headers}

    async def get(self, path: str, **query: object) -> Reply:
        return await self._send("GET", path, params={name: str(value) for name, value in query.items()})

    async def post(self, path: str, body: object = None, **headers: str) -> Reply:
        more = {} if body is None else {"json": body}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self._send("POST", path, headers=named, **more)

    async def put(self, path: str, body: object) -> Reply:
        return await self._send("PUT", path, json=body)

    async def patch(self, path: str, body: object) -> Reply:
        return await self._send("PATCH", path, json=body)

    async def post_raw(self, path: str, data: bytes, content_type: str) -> Reply:
        return await self._send("POST", path, data=io.BytesIO(data), headers={"Content-Type": content_type})

    async def _send(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more) -> Reply:
        given = {**self._headers, **(headers or {})}
        where = path if path.startswith("/api") else ROOT + path
        async with (
            aiohttp.ClientSession(base_url=self._site.url) as http,
            http.request(method, where, headers=given, **more) as answer,
        ):
            assert answer.content_type == "application/json", (path, answer.status, await answer.text())
            reply = Reply(answer.status, answer.headers, await answer.json())
        operation = check(method, path.partition("?")[0].removeprefix(ROOT), reply)
        if reply.status < 300:
            Caller.called.add(operation)
        return reply


async def a_caller(
    site: Site, role: Role, *, centre_id: int, bureau_id: int = 0, merchant_id: int = 0
) -> Caller:
    """A machine with a token of one role."""
    return Caller(
        site, await a_token(role, centre_id=centre_id, bureau_id=bureau_id, merchant_id=merchant_id)
    )


async def a_person(site: Site, role: Role, *, centre: Centre, bureau_id: int = 0) -> Caller:
    """Somebody who is logged in, and whose scripts send the form token in a header."""
    user = await a_user(Grant(role, bureau_id), centre=centre)
    session, _ = await logins.log_in(user.login, PASSWORD, ip="198.51.100.7", agent="tests", now=clock.now())
    cookie, token = f"{doors.SESSION}={session}", forms.form_token(session)
    return Caller(site, **{"Cookie": cookie, "X-CSRF-Token": token})


async def a_token(role: Role, *, centre_id: int, bureau_id: int = 0, merchant_id: int = 0) -> str:
    """The plain text of a new token."""
    plain, _ = await tokens.create(
        f"{role} 的机器",
        Grant(role, bureau_id, merchant_id),
        actor=system("tests", centre_id=centre_id),
        centre_id=centre_id,
        now=clock.now(),
    )
    return plain


@cache
def document() -> dict[str, Any]:
    return json.loads(json.dumps(openapi.document(SECTIONS)))


def check(method: str, path: str, reply: Reply) -> str:
    """The id of the operation that was called; the answer must be one that it documents."""
    operation = _operation(method, path)
    described = operation["responses"].get(str(reply.status))
    assert described, f"{method} {path} answered {reply!r}, which is not documented"
    errors = [
        f"{error.instance_path}: {error.message}"
        for error in _validator(json.dumps(described["content"]["application/json"]["schema"])).iter_errors(
            reply.body
        )
    ]
    assert errors == [], (method, path, reply)
    return operation["operationId"]


def _operation(method: str, path: str) -> dict[str, Any]:
    for template, methods in document()["paths"].items():
        if method.lower() in methods and re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path):
            return methods[method.lower()]
    raise AssertionError(f"{method} {path} is not in the document")


@cache
def _validator(schema: str) -> jsonschema_rs.Draft202012Validator:
    return jsonschema_rs.Draft202012Validator(
        {**json.loads(schema), "components": document()["components"]}, validate_formats=True
    )
