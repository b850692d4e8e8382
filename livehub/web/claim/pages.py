"""The consumer's phone: the rules and a voucher in two taps, and her vouchers with a code that changes."""

from __future__ import annotations

import time
from typing import Annotated, Any

from msgspec import Meta, Struct
from sanic import Blueprint, Request, Sanic
from sanic.response import HTTPResponse, redirect

from livehub.kit import clock, ids
from livehub.kit.errors import Invalid, LivehubError, TooMany
from livehub.vouchers import identity, kinds, latch, link_pages, tills
from livehub.vouchers.claims import ClaimDesk
from livehub.vouchers.entries import EntryDesk
from livehub.vouchers.errors import (
    CodeWrong,
    LimitPerson,
    LinkUnknown,
    SoldOut,
    VoucherRefused,
)
from livehub.vouchers.kinds import Bundle, Kind
from livehub.vouchers.link_pages import LinkPage
from livehub.vouchers.returning import Returning
from livehub.web import doors, reading, show
from livehub.web.claim import asking, door, lottery, wallet, words
from livehub.web.claim.door import Visitor
from livehub.web.claim.words import Ticket
from livehub.web.headers import Ready
from livehub.web.rendering import HTML, page
from livehub.web.shielding import committed_in_groups
from streamers import queries as streamer_queries

bp = Blueprint("claim", url_prefix="/c")

# What a refused claim means for the page, where the link itself does not say it (any more).
_CLOSED = {"SOLD_OUT": "sold_out", "ENDED": "ended", "NOT_STARTED": "not_started", "PAUSED": "paused"}


class Wish(Struct):
    """One tap on 领取; ``template`` where a link has several."""

    key: Annotated[str, Meta(max_length=200)] = ""
    template: Annotated[str, Meta(max_length=16)] = ""


@bp.before_server_start
async def _open(app: Sanic[Any, Any]) -> None:
    door.open_door(app)
    app.ctx.claim_desk = ClaimDesk(app.ctx.settings)
    app.ctx.claim_desk.start()
    app.ctx.entry_desk = EntryDesk(app.ctx.settings)
    app.ctx.entry_desk.start()


async def _close(app: Sanic[Any, Any]) -> None:
    await app.ctx.unfinished.finished(within_seconds=app.config.GRACEFUL_SHUTDOWN_TIMEOUT)
    await app.ctx.claim_desk.stop()
    await app.ctx.entry_desk.stop()


bp.listener(_close, "after_server_stop", priority=-10)  # of all endings this one comes before the database's


@bp.get("/privacy")
@doors.public
async def privacy(_request: Request) -> HTTPResponse:
    """What is kept about a claimant."""
    return page("claim/privacy.html")


@bp.get("/<slug:str>")
@door.visitor
async def open_link(request: Request, visitor: Visitor, slug: str) -> HTTPResponse:
    """What the link gives now; the opening is counted."""
    link = await link_of(slug)
    request.app.ctx.claim_desk.clicks.count({slug: 1})
    return await page_of_link(request, visitor, link)


@bp.post("/<slug:str>/code")
@door.visitor
async def send_code(request: Request, visitor: Visitor, slug: str) -> HTTPResponse:
    """Send a one-time code; the answer is the same whether the phone is known here or not."""
    link = await link_of(slug)
    shown = _whose if request.form and request.form.get("back") == "mine" else page_of_link
    try:
        await asking.send(request, centre_id=link.centre_id)
    except (Invalid, TooMany) as refusal:
        return await shown(request, visitor, link, refusal=refusal)
    return await shown(request, visitor, link, code_sent=True)


@bp.post("/<slug:str>/claim")
@committed_in_groups
@door.unasked
async def claim(request: Request, visitor: Visitor, slug: str) -> HTTPResponse:
    """Verify the phone where it is not known, then claim; a refusal is a state of the same page."""
    now = clock.now()
    session: identity.Session | None = None
    desk: ClaimDesk = request.app.ctx.claim_desk
    wish = _wish(request)
    visitor, before = await _recognised(request, visitor, slug, wish)
    centre_id = await desk.centre_of(slug)
    try:
        claimant = visitor.of(centre_id)
        if claimant is None:
            proof = reading.form(request, asking.Proof)
            verifying = asking.verified(request, visitor, proof, centre_id=centre_id)
            session = await request.app.ctx.unfinished.finish(verifying)
            claimant = session.claimant
        wish = wish or reading.form(request, Wish)
        await desk.claim(
            slug,
            claimant=claimant,
            key=wish.key,
            now=now,
            template=wish.template,
            before=before,
            **doors.where(request),
        )
    except (Invalid, CodeWrong, VoucherRefused, TooMany) as refusal:
        who = visitor.now_known(session.claimant) if session else visitor
        return door.remember(await _refused(request, who, slug, refusal), session)
    mine = Ready(b"", status=303, content_type=HTML, untold=True, location=f"/c/{slug}/mine?claimed=1")
    return door.remember(mine, session)


@bp.get("/<slug:str>/code", name="back_from_code")
@bp.get("/<slug:str>/claim", name="back_from_claim")
@bp.get("/<slug:str>/forget", name="back_from_forget")
@doors.public
async def back(_request: Request, slug: str) -> HTTPResponse:
    """Somebody refreshed the answer of a form: back to the link."""
    return redirect(f"/c/{slug}", status=303)


@bp.get("/<slug:str>/mine")
@door.visitor
async def mine(request: Request, visitor: Visitor, slug: str) -> HTTPResponse:
    """My vouchers, the code of one of them; or the question whose they are."""
    link = await link_of(slug)
    claimant = visitor.of(link.centre_id)
    if claimant is None:
        return await _whose(request, visitor, link)
    return await wallet.show(request, visitor, claimant, home=f"/c/{slug}")


@bp.post("/<slug:str>/mine")
@door.visitor
async def verify(request: Request, visitor: Visitor, slug: str) -> HTTPResponse:
    """Verify the phone to see its vouchers, without claiming."""
    link = await link_of(slug)
    try:
        proof = reading.form(request, asking.Proof)
        session = await asking.verified(request, visitor, proof, centre_id=link.centre_id)
    except (Invalid, CodeWrong, TooMany) as refusal:
        return await _whose(request, visitor, link, refusal=refusal)
    return door.remember(redirect(f"/c/{slug}/mine", status=303), session)


@bp.post("/<slug:str>/forget")
@door.visitor
async def forget(_request: Request, visitor: Visitor, slug: str) -> HTTPResponse:
    """End this phone's session: the next one verifies her own number."""
    return await wallet.forgotten(visitor, to=f"/c/{slug}")


def _wish(request: Request) -> Wish | None:
    """What is wished for, None where the form is wrong: that is told after who she is."""
    try:
        return reading.form(request, Wish)
    except Invalid:
        return None


async def _recognised(
    request: Request, visitor: Visitor, slug: str, wish: Wish | None
) -> tuple[Visitor, Returning | None]:
    """Who she is; where nothing is left, with what her key was answered before."""
    desk: ClaimDesk = request.app.ctx.claim_desk
    if wish is None or not visitor.token or not desk.asks_returning(slug, wish.template, wish.key):
        return await door.recognised(request, visitor), None
    before = await desk.returning(visitor.token, wish.key)
    return (visitor.now_known(before.claimant) if before is not None else visitor), before


async def link_of(slug: str) -> LinkPage:
    """What a link leads to now; LinkUnknown."""
    link = await link_pages.behind(slug, now=clock.now())
    if link is None:
        raise LinkUnknown
    return link


async def _refused(request: Request, visitor: Visitor, slug: str, refusal: LivehubError) -> HTTPResponse:
    """A refusal as a state of the page; in a rush most are told the same: nothing is left."""
    template = reading.last(request, "template")
    if not isinstance(refusal, SoldOut) or latch.round_of((slug, template)) is None:
        return await page_of_link(request, visitor, await link_of(slug), refusal=refusal)
    name = (slug, template, visitor.claimant is not None)
    until, kept = _sold_out.get(name, (0.0, b""))
    if until <= time.monotonic():
        answer = await page_of_link(request, visitor, await link_of(slug), refusal=refusal)
        kept = answer.body or b""
        if len(_sold_out) > 1000:
            _sold_out.clear()
        _sold_out[name] = (time.monotonic() + latch.SECONDS, kept)
    return Ready(kept, status=refusal.status, content_type=HTML, untold=True)


# The page that a link shows while its latch is shut; it names nobody.
_sold_out: dict[tuple[str, str, bool], tuple[float, bytes]] = {}


async def page_of_link(
    request: Request,
    visitor: Visitor,
    link: LinkPage,
    *,
    refusal: LivehubError | None = None,
    code_sent: bool = False,
) -> HTTPResponse:
    """The link's page as it is for a visitor, with what she was just refused."""
    why = link.why or (_CLOSED.get(refusal.code, "") if refusal else "")
    kind = _chosen(request, link)
    seen = {
        "slug": link.slug,
        "title": link.title,
        "from_words": await _from(link),
        "rules": words.rules(kind, link) if kind else None,
        "is_known": visitor.of(link.centre_id) is not None,
        "tickets": await _tickets(kind),
        "pack": kind if isinstance(kind, Bundle) else None,
    }
    if link.lottery_id and link.why != "paused":
        fields = asking.fields(request, refusal=refusal, code_sent=code_sent)
        phone = await _phone(visitor, link)
        told = await lottery.page_of(
            visitor, link, refusal=refusal, known_phone=phone, asking=fields, seen=seen
        )
        if told is not None:
            return asking.with_wait(told, refusal)
    if why or kind is None:
        status = refusal.status if refusal and refusal.code in _CLOSED else 200
        return page("claim/closed.html", status=status, why=why, opens_at=link.opens_at, **seen)
    several = len(link.kinds) > 1
    answer = page(
        "claim/claim.html",
        status=refusal.status if refusal else 200,
        csrf=visitor.csrf,
        left=kind.quantity - kind.issued if several else link.left,
        quantity=kind.quantity if several else link.quantity,
        kind_id=kind.id if several else "",
        at_limit=refusal is not None and refusal.code == LimitPerson.code,
        of_broadcast=bool(link.broadcast_id),
        of_lottery=bool(link.lottery_id),
        others=[each for each in link.kinds if each.id != kind.id],
        known_phone=await _phone(visitor, link),
        key=_key(request) or ids.token(nbytes=18),
        **asking.fields(request, refusal=refusal, code_sent=code_sent),
        **seen,
    )
    return asking.with_wait(answer, refusal)


async def _whose(
    request: Request,
    visitor: Visitor,
    link: LinkPage,
    *,
    refusal: LivehubError | None = None,
    code_sent: bool = False,
) -> HTTPResponse:
    home = f"/c/{link.slug}"
    return asking.whose(request, visitor, home=home, to=f"{home}/mine", refusal=refusal, code_sent=code_sent)


def _key(request: Request) -> str:
    """The key a form was sent with: a second try of the same form is the same wish."""
    return reading.last(request, "key")


def _chosen(request: Request, link: LinkPage) -> Kind | Bundle | None:
    """Of several kinds the one that was asked for, else the first with any left."""
    wanted = reading.last(request, "template") or str(request.args.get("template", ""))
    for each in link.kinds:
        if each.id == wanted:
            return each
    with_stock = [each for each in link.kinds if each.issued < each.quantity]
    return next(iter(with_stock or link.kinds), None)


async def _from(link: LinkPage) -> str:
    names = await streamer_queries.names([link.streamer_id]) if link.streamer_id else {}
    host = f"{names[link.streamer_id]}的直播间" if link.streamer_id in names else ""
    issuer = f"{link.bureau or link.issuer_name} 发放" if link.kinds else ""
    return " · ".join(filter(None, (host, issuer)))


async def _tickets(offer: Kind | Bundle | None) -> list[Ticket]:
    if offer is None:
        return []
    stores = await tills.stores_taking(kinds.of_offer(offer)[0].id)
    return words.tickets(offer, stores=stores, now=clock.now())


async def _phone(visitor: Visitor, link: LinkPage) -> str:
    claimant = visitor.of(link.centre_id)
    return show.phone(await identity.phone_of(claimant.id)) if claimant else ""
