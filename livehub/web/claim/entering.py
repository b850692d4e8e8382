"""The consumer signs up for a lottery in two taps, or asks how hers came out."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct
from sanic import Blueprint, Request
from sanic.response import HTTPResponse, redirect

from livehub.kit import clock
from livehub.kit.errors import Invalid, TooMany
from livehub.vouchers import identity
from livehub.vouchers.entries import EntryDesk, Lot
from livehub.vouchers.errors import CodeWrong, LinkUnknown, VoucherRefused
from livehub.vouchers.identity import ClaimantRef
from livehub.vouchers.link_pages import LinkPage
from livehub.web import doors, reading
from livehub.web.claim import asking, door, pages
from livehub.web.claim.asking import Proof
from livehub.web.claim.door import Visitor
from livehub.web.shielding import committed_in_groups

bp = Blueprint("claim_entering", url_prefix="/c")


class Enter(Struct):
    """One tap on 报名; ``look``: only to see how it came out."""

    look: Annotated[str, Meta(max_length=1)] = ""


@bp.post("/<slug:str>/enter")
@committed_in_groups
@door.visitor
async def enter(request: Request, visitor: Visitor, slug: str) -> HTTPResponse:
    """Verify the phone where it is not known, then sign up; the link's page then says how it is."""
    link = await pages.link_of(slug)
    if not link.lottery_id:
        raise LinkUnknown
    session: identity.Session | None = None
    try:
        wanted = reading.form(request, Enter)
        claimant = visitor.of(link.centre_id)
        if claimant is None:
            proof = reading.form(request, Proof)
            verifying = asking.verified(request, visitor, proof, centre_id=link.centre_id)
            session = await request.app.ctx.unfinished.finish(verifying)
            claimant = session.claimant
        if not wanted.look:
            await _enter(request, link, claimant)
    except (Invalid, CodeWrong, VoucherRefused, TooMany) as refusal:
        who = visitor.now_known(session.claimant) if session else visitor
        shown = await pages.page_of_link(request, who, await pages.link_of(slug), refusal=refusal)
        return door.remember(shown, session)
    return door.remember(redirect(f"/c/{slug}", status=303), session)


@bp.get("/<slug:str>/enter", name="back_from_enter")
@doors.public
async def back(_request: Request, slug: str) -> HTTPResponse:
    """Somebody refreshed the answer of the form: back to the link."""
    return redirect(f"/c/{slug}", status=303)


async def _enter(request: Request, link: LinkPage, claimant: ClaimantRef) -> None:
    desk: EntryDesk = request.app.ctx.entry_desk
    await desk.enter(
        Lot(
            round_id=link.lottery_id,
            platform=link.platform,
            link_id=link.row_id,
            claimant=claimant,
            now=clock.now(),
            **doors.where(request),
        )
    )
