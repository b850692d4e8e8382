"""Every mistake of a form or a JSON body is shown at once, in Chinese, and what was typed is kept."""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from random import Random
from typing import Annotated, Any
from urllib.parse import quote

import aiohttp
import msgspec
import pytest
from msgspec import Meta, Struct
from sanic import Request
from sanic.response import HTTPResponse
from sanic.response import json as as_json

from livehub.kit.errors import Invalid
from livehub.web import reading
from livehub.web.reading import Fen, LocalTime, OneTimeCode, Phone
from tests.web.serving import App, served


class Room(StrEnum):
    AGRI = "agri"
    PARTY = "party"


class Asked(Struct, forbid_unknown_fields=True):
    title: Annotated[str, Meta(min_length=1, max_length=5)]
    room: Room
    starts_at: LocalTime
    amount: Fen
    phone: Phone
    quantity: Annotated[int, Meta(ge=1, le=500)] = 1
    note: str = ""
    towns: list[str] = []
    code: OneTimeCode | None = None


class Sent(Struct, forbid_unknown_fields=True):
    face_fen: Annotated[int, Meta(ge=1)]
    name: str
    tags: list[str] = []


SENT = ("key", "template", "code", "note")


def routes(app: App) -> None:
    @app.post("/form")
    async def _form(request: Request) -> HTTPResponse:
        try:
            got = reading.form(request, Asked)
        except Invalid as error:
            again = reading.refused(request, error)
            return as_json(
                {"errors": again.errors, "values": again.values, "message": again.message}, status=422
            )
        return HTTPResponse(msgspec.json.encode(got), content_type="application/json")

    @app.post("/last")
    async def _last(request: Request) -> HTTPResponse:
        names = (*SENT, "nothing", "csrf")
        return as_json([reading.typed(request), {name: reading.last(request, name) for name in names}])

    @app.post("/api/json")
    async def _json(request: Request) -> HTTPResponse:
        return HTTPResponse(msgspec.json.encode(reading.json(request, Sent)), content_type="application/json")

    @app.get("/query")
    async def _query(request: Request) -> HTTPResponse:
        return HTTPResponse(
            msgspec.json.encode(reading.query(request, Sent)), content_type="application/json"
        )


GOOD: dict[str, Any] = {
    "title": " 沙虫 ",
    "room": "agri",
    "starts_at": "2026-03-06T20:00",
    "amount": "¥1,326.5",
    "phone": "170 0000 0012",
}


async def test_a_good_form_becomes_its_struct() -> None:
    async with (
        served(routes) as client,
        client.post("/form", data=[*GOOD.items(), ("towns", "侨港"), ("towns", "沙田")]) as answer,
    ):
        got = msgspec.convert(await answer.json(), Asked)

    assert got == Asked(
        title="沙虫",
        room=Room.AGRI,
        starts_at=datetime(2026, 3, 6, 12, 0, tzinfo=UTC),
        amount=132650,
        phone="17000000012",
        towns=["侨港", "沙田"],
    )


async def test_all_errors_show_at_once_and_what_was_typed_is_kept() -> None:
    typed = {
        "title": "太长太长太长",
        "room": "moon",
        "starts_at": "morgen",
        "amount": "12.345",
        "phone": "123",
        "quantity": "900",
        "code": "12",
    }
    async with served(routes) as client, client.post("/form", data=typed) as answer:
        got = await answer.json()

    assert answer.status == 422
    assert got["errors"] == {
        "title": "最多 5 个字",
        "room": "不在可选范围内",
        "starts_at": "请填写日期和时间",
        "amount": "请填写金额，如 326.00",
        "phone": "请填写 11 位手机号",
        "quantity": "不能大于 500",
        "code": "请填写 6 位验证码",
    }
    assert got["values"] == {name: text for name, text in typed.items() if name != "code"}


async def test_empty_required_fields_are_named_and_optional_ones_take_their_default() -> None:
    async with served(routes) as client, client.post("/form", data={"title": "  ", "quantity": ""}) as answer:
        got = await answer.json()

    assert got["errors"] == dict.fromkeys(["title", "room", "starts_at", "amount", "phone"], "请填写")


async def test_full_width_digits_are_read_as_digits() -> None:
    typed = {**GOOD, "phone": "１７０００００００１２", "amount": "３２６．００"}
    async with served(routes) as client, client.post("/form", data=typed) as answer:
        got = await answer.json()

    assert (got["phone"], got["amount"]) == ("17000000012", 32600)


async def test_nul_is_refused_in_forms_and_json() -> None:
    async with served(routes) as client:
        raw = "&".join(f"{name}={quote(str(value))}" for name, value in {**GOOD, "note": "a\x00b"}.items())
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        async with client.post("/form", data=raw, headers=headers) as answer:
            form = await answer.json()
        async with client.post("/api/json", json={"face_fen": 1, "name": "x", "tags": ["a\x00"]}) as answer:
            sent = await answer.json()

    assert form["errors"] == {"note": "不能包含空字符（NUL）"}
    assert [(d["field"], d["reason"]) for d in sent["details"]] == [("tags", "不能包含空字符（NUL）")]


async def test_json_is_strict_and_names_unknown_missing_and_nested_fields() -> None:
    sent = {"face_fen": "1", "tags": ["a", 2], "extra": 1}
    async with served(routes) as client, client.post("/api/json", json=sent) as answer:
        got = await answer.json()

    assert answer.status == 422
    assert got["code"] == "INVALID"
    assert [(d["field"], d["reason"]) for d in got["details"]] == [
        ("extra", "没有这个字段"),
        ("face_fen", "请填写整数"),
        ("name", "必须提供"),
        ("tags[1]", "请填写文字"),
    ]


async def test_json_of_the_wrong_kind_is_refused() -> None:
    async with served(routes) as client:
        answers = []
        for body, kind in [
            (b"{", "application/json"),
            (b"[]", "application/json"),
            (b"{}", "text/plain"),
            (b"[" * 500, "application/json"),
        ]:
            async with client.post("/api/json", data=body, headers={"Content-Type": kind}) as answer:
                answers.append((answer.status, (await answer.json())["code"]))

    assert answers == [(422, "INVALID"), (422, "INVALID"), (415, "NOT_JSON"), (422, "INVALID")]


async def test_a_query_is_read_like_a_form() -> None:
    async with served(routes) as client, client.get("/query?face_fen=30&name=a&tags=x&tags=y") as answer:
        got = await answer.json()

    assert got == {"face_fen": 30, "name": "a", "tags": ["x", "y"]}


@pytest.mark.parametrize("as_parts", [False, True])
async def test_one_field_is_read_as_it_is_of_all(*, as_parts: bool) -> None:
    dice = Random(1)
    async with served(routes) as client:
        for _ in range(60):
            fields = [
                (dice.choice(SENT), "".join(dice.choices(" a键%+&=;\x00", k=dice.randrange(4))))
                for _ in range(dice.randrange(6))
            ]
            data = aiohttp.FormData(fields, default_to_multipart=as_parts)
            async with client.post("/last", data=data) as answer:
                typed, one_by_one = await answer.json()
            assert one_by_one == {name: typed.get(name, "") for name in one_by_one}, fields
