"""My vouchers on a phone: by a claim link, or at the address of a centre, where rosters send their people."""

from __future__ import annotations

from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub.accounts.models import Centre
from livehub.kit import clock
from livehub.kit.errors import Invalid, NotFound, TooMany
from livehub.vouchers import codes, identity, queries
from livehub.vouchers.errors import ClaimantUnknown, CodeWrong
from livehub.web import doors, reading
from livehub.web import show as words
from livehub.web.claim import asking, door
from livehub.web.claim.door import Visitor
from livehub.web.rendering import page

bp = Blueprint("claim_wallet", url_prefix="/c")


@bp.get("/mine")
@door.visitor
async def mine(request: Request, visitor: Visitor) -> HTTPResponse:
    """My vouchers without a link at hand; whoever is not known here shows whose phone it is."""
    if visitor.claimant is not None:
        centre = await Centre.get(id=visitor.claimant.centre_id)
        return await show(request, visitor, visitor.claimant, home=f"/c/at/{centre.public_id}")
    centres = await Centre.all().limit(2)
    if len(centres) != 1:
        raise ClaimantUnknown("请打开直播间里的领券链接，验证手机号后查看您的券。")
    return redirect(f"/c/at/{centres[0].public_id}", status=303)


@bp.get("/at/<centre_id:str>")
@door.visitor
async def enter(request: Request, visitor: Visitor, centre_id: str) -> HTTPResponse:
    """A centre's vouchers of whoever holds the phone."""
    centre = await _centre(centre_id)
    if visitor.of(centre.id) is not None:
        return redirect("/c/mine", status=303)
    return _whose(request, visitor, centre)


@bp.post("/at/<centre_id:str>/code")
@door.visitor
async def send_code(request: Request, visitor: Visitor, centre_id: str) -> HTTPResponse:
    """Send a one-time code; the answer is the same whether the phone is known here or not."""
    centre = await _centre(centre_id)
    try:
        await asking.send(request, centre_id=centre.id)
    except (Invalid, TooMany) as refusal:
        return _whose(request, visitor, centre, refusal=refusal)
    return _whose(request, visitor, centre, code_sent=True)


@bp.post("/at/<centre_id:str>")
@door.visitor
async def verify(request: Request, visitor: Visitor, centre_id: str) -> HTTPResponse:
    """Show whose phone it is."""
    centre = await _centre(centre_id)
    try:
        proof = reading.form(request, asking.Proof)
        session = await asking.verified(request, visitor, proof, centre_id=centre.id)
    except (Invalid, CodeWrong, TooMany) as refusal:
        return _whose(request, visitor, centre, refusal=refusal)
    return door.remember(redirect("/c/mine", status=303), session)


@bp.post("/at/<centre_id:str>/forget")
@door.visitor
async def forget(_request: Request, visitor: Visitor, centre_id: str) -> HTTPResponse:
    """End this phone's session: the next one verifies her own number."""
    return await forgotten(visitor, to=f"/c/at/{centre_id}")


@bp.get("/at/<centre_id:str>/code", name="back_from_code_at")
@bp.get("/at/<centre_id:str>/forget", name="back_from_forget_at")
@doors.public
async def back(_request: Request, centre_id: str) -> HTTPResponse:
    """Somebody refreshed the answer of a form: back to its page."""
    return redirect(f"/c/at/{centre_id}", status=303)


async def show(
    request: Request, visitor: Visitor, claimant: identity.ClaimantRef, *, home: str
) -> HTTPResponse:
    """Her vouchers, the code of one of them; ``home`` is the address she came by."""
    now = clock.now()
    vouchers = await queries.vouchers_of(claimant.id, now=now)
    usable = [each.id for each in vouchers if each.qr]
    wanted = str(request.args.get("show", ""))
    is_at_centre = home.startswith("/c/at/")
    return page(
        "claim/mine.html",
        here="/c/mine" if is_at_centre else f"{home}/mine",
        home=home,
        home_link="" if is_at_centre else home,
        csrf=visitor.csrf,
        just_claimed="claimed" in request.args,
        phone=words.phone(await identity.phone_of(claimant.id)),
        wait=codes.seconds_left(now),
        now=now,
        shown=wanted if wanted in usable else next(iter(usable), ""),
        vouchers=vouchers,
    )


async def forgotten(visitor: Visitor, *, to: str) -> HTTPResponse:
    """The phone's session is over."""
    if visitor.token:
        await identity.forget_session(visitor.token)
    answer = redirect(to, status=303)
    doors.drop_cookie(answer, door.CLAIMANT)
    return answer


def _whose(
    request: Request,
    visitor: Visitor,
    centre: Centre,
    *,
    refusal: Invalid | CodeWrong | TooMany | None = None,
    code_sent: bool = False,
) -> HTTPResponse:
    home = f"/c/at/{centre.public_id}"
    return asking.whose(request, visitor, home=home, to=home, refusal=refusal, code_sent=code_sent)


async def _centre(public_id: str) -> Centre:
    centre = await Centre.get_or_none(public_id=public_id)
    if centre is None:
        raise NotFound
    return centre
