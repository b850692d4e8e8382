"""A claim as most people would write it: one Tortoise transaction that locks the template's row."""

from __future__ import annotations

from datetime import timedelta

from sanic import Request
from sanic.response import HTTPResponse, redirect
from tortoise.expressions import F
from tortoise.transactions import in_transaction

from livehub.accounts import forms
from livehub.accounts.models import AuditEntry
from livehub.kit import clock, ids, sealing
from livehub.vouchers import codes
from livehub.vouchers.models import (
    Account,
    Campaign,
    Claimant,
    ClaimLink,
    ClaimSlot,
    IdempotencyRecord,
    LedgerAccount,
    LedgerEntry,
    Round,
    RoundStatus,
    Template,
    Voucher,
    VoucherState,
)
from livehub.vouchers.phone_models import ClaimantSession
from livehub.web.claim.door import CLAIMANT, VISITOR


async def claim(request: Request, slug: str) -> HTTPResponse:
    """Give one voucher of a round's only template; 409 says that there is none."""
    now = clock.now()
    form = request.form
    assert form is not None  # noqa: S101 -- the benchmark sends one
    forms.check_form_token(request.cookies.get(VISITOR) or "", given=str(form.get("csrf")))
    token = sealing.token_hash(request.cookies.get(CLAIMANT) or "")
    session = await ClaimantSession.get(token_hash=token, expires_at__gt=now)
    person = await Claimant.get(id=session.claimant_id)
    key = f"{person.id}:{form.get('key')}"
    async with in_transaction("default"):
        if await IdempotencyRecord.exists(kind="claim", key=key):
            return redirect(f"/c/{slug}/mine?claimed=1", status=303)
        link = await ClaimLink.get(slug=slug)
        template = await Template.filter(round_id=link.round_id).select_for_update().get()
        round_ = await Round.get(id=link.round_id)
        campaign = await Campaign.get(id=round_.campaign_id)
        slots = ClaimSlot.filter(round_id=round_.id, template_id=template.id, person_key=person.person_key)
        if round_.status != RoundStatus.OPEN or template.issued >= template.quantity or await slots.exists():
            return HTTPResponse("没有了", status=409)
        public_id = ids.public_id()
        made = codes.make(public_id)
        await IdempotencyRecord.create(
            kind="claim", key=key, body_hash=bytes(16), answer=public_id, created_at=now
        )
        await ClaimSlot.create(
            round_id=round_.id, template_id=template.id, platform="", person_key=person.person_key, n=1
        )
        voucher = await Voucher.create(
            id=ids.row_id(clock.to_ms(now)),
            public_id=public_id,
            code_index=made.index,
            code_sealed=made.sealed,
            template_id=template.id,
            campaign_id=campaign.id,
            round_id=round_.id,
            claimant_id=person.id,
            link_id=link.id,
            claimed_at=now,
            valid_from=now,
            valid_until=now + timedelta(days=7),
            state=VoucherState.ISSUED,
        )
        unissued = await LedgerAccount.get(
            campaign_id=campaign.id, round_id=round_.id, kind=Account.UNISSUED, merchant_id=0
        )
        held = await LedgerAccount.get(
            campaign_id=campaign.id, round_id=round_.id, kind=Account.HELD, merchant_id=0
        )
        await LedgerEntry.create(
            at=now,
            campaign_id=campaign.id,
            debit_id=unissued.id,
            credit_id=held.id,
            amount_fen=template.face_fen,
            kind="claim",
            voucher_id=voucher.id,
        )
        await AuditEntry.create(
            at=now,
            centre_id=campaign.centre_id,
            bureau_id=campaign.bureau_id,
            actor_kind="claimant",
            actor_id=person.id,
            action="voucher.claimed",
            object_kind="voucher",
            object_id=public_id,
        )
        await LedgerAccount.filter(id=unissued.id).update(balance_fen=F("balance_fen") - template.face_fen)
        await LedgerAccount.filter(id=held.id).update(balance_fen=F("balance_fen") + template.face_fen)
        await ClaimLink.filter(id=link.id).update(claims=F("claims") + 1)
        await Template.filter(id=template.id).update(issued=F("issued") + 1)
    return redirect(f"/c/{slug}/mine?claimed=1", status=303)
