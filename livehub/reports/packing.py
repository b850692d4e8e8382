"""Packs of signed reports: made one by one by the jobs process under a lease, kept in pieces."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from hashlib import sha256

import structlog
from msgspec import Struct

from livehub import database
from livehub.accounts import chain
from livehub.accounts.actors import Actor
from livehub.accounts.models import Bureau, Centre
from livehub.accounts.permissions import Permission, require
from livehub.kit import clock, leases
from livehub.kit.errors import NotFound
from livehub.reports import composing, documents, forms
from livehub.reports.basis import Basis
from livehub.reports.errors import PackFailed, PackNotReady, ReportOutlived
from livehub.reports.forms import Ask
from livehub.reports.models import BureauReport, PackState, ReportPack, ReportPackPiece
from livehub.reports.packs import building
from livehub.reports.packs.building import Pack, PackDiffers, Stretch
from livehub.reports.packs.links import SIGNED
from livehub.reports.reviews import SETTLED
from livehub.vouchers.models import Campaign

LEASE_MS = 120_000  # renewed with each piece
ATTEMPTS = 5
CAMPAIGN = "voucher_funds"  # the kind of report that a campaign's audit pack is

log = structlog.get_logger(__name__)


class LeaseGone(Exception):
    """Somebody else makes this pack now."""


class Kept(Struct, frozen=True, kw_only=True):
    """A pack that is ready to be sent."""

    id: int
    name: str
    size: int
    sha256: str


async def build_next(*, now: datetime) -> int:
    """Make one pack that waits; 0 when none does, or its signing is not in the audit chain yet."""
    for found in await _waiting():
        report = await BureauReport.get(id=found["report_id"])
        last = await chain.link_of(report.bureau_id, SIGNED, report.public_id)
        token = leases.token()
        if last and await _take(found["id"], token):
            await _build(found["id"], report, last, token=token, now=now)
            return 1
    return 0


async def _waiting() -> list[dict[str, int]]:
    return await database.fetch(
        "SELECT id, report_id FROM report_pack WHERE state = 'waiting'"
        f" AND lease_until < {database.now_ms()} ORDER BY attempts, id LIMIT 5"
    )


async def _take(pack_id: int, token: int) -> bool:
    taken = await database.execute(
        f"UPDATE report_pack SET lease_token = $1, lease_until = {database.now_ms()} + {LEASE_MS},"
        " attempts = attempts + 1, rows = 0 WHERE id = $2 AND state = 'waiting'"
        f" AND lease_until < {database.now_ms()}",
        token,
        pack_id,
    )
    return taken == 1


async def _build(pack_id: int, report: BureauReport, last: int, *, token: int, now: datetime) -> None:
    try:
        await ReportPackPiece.filter(pack_id=pack_id).delete()  # of somebody who did not finish
        await _write(pack_id, await _pack(report, last), token=token, now=now)
    except LeaseGone:
        log.warning("pack.lease_gone", report=report.public_id)
    except PackDiffers as error:
        log.exception("pack.differs", report=report.public_id)
        await _give_up(pack_id, token, str(error))
    except database.DatabaseUnavailable:
        raise
    except Exception as error:
        log.exception("pack.failed", report=report.public_id)
        await _put_back(pack_id, token, f"{type(error).__name__}: {error}")


async def _pack(report: BureauReport, last: int) -> Pack:
    assert report.as_of is not None  # noqa: S101 -- the database keeps signed ones so
    assert report.signed_at is not None  # noqa: S101 -- as above
    since = await chain.first_since(report.bureau_id, clock.at_local(report.since))
    return Pack(
        content=report.content.encode(),
        ask=await documents.ask_of(report, as_of=report.as_of),
        signature={
            "编制": report.prepared_by,
            "签字": report.signed_by,
            "签字时间": clock.local(report.signed_at).isoformat(timespec="seconds"),
            "编号": report.public_id,
            "SHA-256": forms.digest(report.content.encode()).hex(),
        },
        stretch=Stretch(report.bureau_id, min(since or last, last), last),
    )


async def _write(pack_id: int, pack: Pack, *, token: int, now: datetime) -> None:
    whole, size, number = sha256(), 0, 0
    async for piece in building.pieces(pack):
        number += 1
        whole.update(piece.data)
        size += len(piece.data)

        async def keep(body: bytes = piece.data, rows: int = piece.rows, n: int = number) -> None:
            await _renew(pack_id, token, rows)
            await ReportPackPiece.create(pack_id=pack_id, number=n, body=body)

        await database.unit(keep)
    done = await ReportPack.filter(id=pack_id, lease_token=token, state=PackState.WAITING).update(
        state=PackState.DONE, size=size, sha256=whole.digest(), made_at=now, error="", lease_until=0
    )
    if not done:
        raise LeaseGone


async def _renew(pack_id: int, token: int, rows: int) -> None:
    held = await database.execute(
        f"UPDATE report_pack SET lease_until = {database.now_ms()} + {LEASE_MS}, rows = $1"
        " WHERE id = $2 AND lease_token = $3 AND state = 'waiting'",
        rows,
        pack_id,
        token,
    )
    if not held:
        raise LeaseGone


async def _give_up(pack_id: int, token: int, error: str) -> None:
    await ReportPack.filter(id=pack_id, lease_token=token, state=PackState.WAITING).update(
        state=PackState.FAILED, error=error[:500], lease_until=0
    )


async def _put_back(pack_id: int, token: int, error: str) -> None:
    """Another try later, and after ATTEMPTS none."""
    await database.execute(
        f"UPDATE report_pack SET error = $1, lease_until = {database.now_ms()} + 60000 * attempts, state ="
        f" CASE WHEN attempts >= {ATTEMPTS} THEN 'failed' ELSE state END"
        " WHERE id = $2 AND lease_token = $3 AND state = 'waiting'",
        error[:500],
        pack_id,
        token,
    )


async def of_report(report_id: int) -> ReportPack | None:
    """How far the pack of a report is; None while it is a draft."""
    return await ReportPack.filter(report_id=report_id).first()


async def ready(public_id: str, *, actor: Actor) -> Kept:
    """The pack of a report the reader may see; PackNotReady, PackFailed, ReportOutlived."""
    row = await BureauReport.filter(public_id=public_id, centre_id=actor.centre_id).first()
    if row is None:
        raise NotFound
    require(actor, Permission.REPORT_READ, bureau_id=row.bureau_id, centre_id=row.centre_id)
    pack = await of_report(row.id)
    if pack is None:
        raise NotFound
    if pack.state is PackState.FAILED:
        raise ReportOutlived(data={"changed": pack.error}) if pack.is_outlived else PackFailed
    if pack.state is not PackState.DONE or pack.sha256 is None:
        raise PackNotReady
    return Kept(
        id=pack.id, name=_name(row.kind, row.since, row.public_id), size=pack.size, sha256=pack.sha256.hex()
    )


def _name(kind: str, since: date, public_id: str) -> str:
    return f"{composing.kind(kind).title}_{since:%Y%m%d}_{public_id}.zip"


async def pieces(pack_id: int) -> AsyncIterator[bytes]:
    """The bytes of a pack, one piece after the other."""
    number = 1
    while piece := await ReportPackPiece.filter(pack_id=pack_id, number=number).first():
        yield bytes(piece.body)
        number += 1


class Made(Struct, frozen=True, kw_only=True):
    """A pack that is made as it is sent: the same instant gives the same bytes."""

    name: str
    as_of: datetime
    pieces: AsyncIterator[bytes]


async def of_campaign(public_id: str, *, actor: Actor, now: datetime, as_of: datetime | None = None) -> Made:
    """The audit pack of a campaign as it was known at an instant, or by now; NotFound."""
    campaign = await Campaign.filter(public_id=public_id, centre_id=actor.centre_id).first()
    if campaign is None:
        raise NotFound
    bureau_id: int = campaign.bureau_id
    require(actor, Permission.LEDGER_READ, bureau_id=bureau_id, centre_id=actor.centre_id)
    as_of = min(as_of or now, now - SETTLED)
    report = composing.kind(CAMPAIGN)
    bureau, centre = await Bureau.get(id=bureau_id), await Centre.get(id=actor.centre_id)
    ask = Ask(
        centre_id=actor.centre_id,
        centre=centre.name,
        bureau_id=bureau.id,
        bureau=bureau.public_id,
        bureau_name=bureau.name,
        since=min(clock.local_day(campaign.created_at), clock.local_day(as_of)),
        until=clock.local_day(as_of) + timedelta(days=1),
        axis=report.axis,
        basis=Basis.G3,
        as_of=as_of,
        campaign=public_id,
    )
    first = await chain.first_since(bureau.id, campaign.created_at)
    last = await chain.last_until(bureau.id, as_of)
    pack = Pack(
        content=forms.encoded(await composing.compose(ask, report)),
        ask=ask,
        signature={},
        stretch=Stretch(bureau.id, first, last) if first and first <= last else Stretch(bureau.id, 0, 0),
    )
    return Made(name=f"{campaign.name}_{public_id}_审计包.zip", as_of=as_of, pieces=_bytes(pack))


async def _bytes(pack: Pack) -> AsyncIterator[bytes]:
    async for piece in building.pieces(pack):
        yield piece.data
