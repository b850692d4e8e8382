"""Whose phone is it: the two fields that show it, on the claim form and before somebody's vouchers."""

from __future__ import annotations

from typing import Any

from msgspec import Struct
from sanic import Request
from sanic.response import HTTPResponse

from livehub.kit import clock
from livehub.kit.errors import LivehubError, TooMany
from livehub.vouchers import identity
from livehub.vouchers.errors import CodeWrong
from livehub.web import doors, reading
from livehub.web.claim.door import Visitor
from livehub.web.reading import Form
from livehub.web.rendering import page

CODE_EVERY_SECONDS = identity.PER_PHONE[0].seconds


class Asked(Struct):
    """Whose phone a code is sent to."""

    phone: reading.Phone


class Proof(Struct):
    """A phone and the code that was sent to it."""

    phone: reading.Phone
    code: reading.OneTimeCode


async def send(request: Request, *, centre_id: int) -> None:
    """Send a code to the phone of the form; nobody is told whether the phone is known here."""
    await identity.send_code(
        reading.form(request, Asked).phone,
        centre_id=centre_id,
        ip=doors.where(request)["ip"],
        channel=request.app.ctx.settings.sms_channel,
        now=clock.now(),
    )


async def verified(request: Request, visitor: Visitor, proof: Proof, *, centre_id: int) -> identity.Session:
    """The session of a phone whose code is right."""
    return await identity.verify(
        proof.phone,
        proof.code,
        centre_id=centre_id,
        now=clock.now(),
        device=visitor.csrf,  # stands for the browser's cookie
        ip=doors.where(request)["ip"],
    )


def whose(
    request: Request,
    visitor: Visitor,
    *,
    home: str,
    to: str,
    refusal: LivehubError | None = None,
    code_sent: bool = False,
) -> HTTPResponse:
    """Whose vouchers? ``home`` sends the code, ``to`` takes it."""
    answer = page(
        "claim/who.html",
        status=refusal.status if refusal else 200,
        here=home,
        to=to,
        csrf=visitor.csrf,
        **fields(request, refusal=refusal, code_sent=code_sent),
    )
    return with_wait(answer, refusal)


def fields(request: Request, *, refusal: LivehubError | None, code_sent: bool) -> dict[str, Any]:
    """The part of a page that asks for phone and code."""
    form = reading.refused(request, refusal) if refusal else Form(values=reading.typed(request))
    if isinstance(refusal, CodeWrong):
        form.errors["code"], form.message = refusal.message, ""
    wait = CODE_EVERY_SECONDS - clock.to_ms(clock.now()) // 1000 % CODE_EVERY_SECONDS if code_sent else 0
    if isinstance(refusal, TooMany):
        wait = refusal.retry_after or 0
        if type(refusal) is TooMany:
            form.message = "获取验证码过于频繁，请稍后再试。已收到的验证码 5 分钟内可用。"
    return {"form": form, "code_sent": code_sent, "wait_seconds": wait}


def with_wait(answer: HTTPResponse, refusal: LivehubError | None) -> HTTPResponse:
    """The answer, saying when to come again."""
    if refusal is not None and refusal.retry_after is not None:
        answer.headers["Retry-After"] = str(refusal.retry_after)
    return answer
