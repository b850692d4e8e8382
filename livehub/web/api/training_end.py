"""结业认定和证书。"""

from __future__ import annotations

import base64
from hashlib import sha256

from livehub import database
from livehub.accounts.permissions import Permission
from livehub.kit.states import WrongState
from livehub.web.api import training_course_shapes as shapes
from livehub.web.api.declared import Asked, Section
from livehub.web.api.shapes import All, Nothing
from livehub.web.api.training_course_shapes import CertificateSeen, Judged, Paper
from livehub.web.api.training_shapes import Because
from streamers.training import certificates, graduation
from streamers.training.course_models import Certificate
from streamers.training.errors import CertificateEnded, CertificateRefused, PaperChanged

calls = Section("结业与证书")


@calls.get(
    "/cohorts/{cohort_id}/graduation/evaluate",
    summary="按结业标准试算，不写入",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=All[Judged],
)
async def evaluate(asked: Asked[Nothing, None], cohort_id: str) -> All[Judged]:
    """What would be decided."""
    found, _ = await graduation.evaluate(cohort_id, actor=asked.actor, now=asked.now)
    return All(items=[shapes.judged(who, stands) for who, stands in found])


@calls.post(
    "/cohorts/{cohort_id}/graduation/confirm",
    summary="确认结业认定，留存认定时的依据",
    needs=(Permission.TRAINING_CERTIFY,),
    body=Nothing,
    answer=All[Judged],
    refusals=(WrongState,),
)
async def confirm(asked: Asked[None, Nothing], cohort_id: str) -> All[Judged]:
    """Decide."""
    await database.unit(lambda: graduation.confirm(cohort_id, actor=asked.actor, now=asked.now))
    found, _ = await graduation.evaluate(cohort_id, actor=asked.actor, now=asked.now)
    return All(items=[shapes.judged(who, stands) for who, stands in found])


@calls.post(
    "/cohorts/{cohort_id}/certificates",
    summary="给结业而没有证书的学员发证",
    needs=(Permission.TRAINING_CERTIFY,),
    body=Nothing,
    answer=All[CertificateSeen],
    refusals=(CertificateRefused,),
)
async def issue(asked: Asked[None, Nothing], cohort_id: str) -> All[CertificateSeen]:
    """Issue."""
    made = await database.unit(lambda: certificates.issue(cohort_id, actor=asked.actor, now=asked.now))
    return All(items=[await _seen(each) for each in made])


@calls.get(
    "/certificates/{certificate_id}/paper",
    summary="证书的 PDF",
    needs=(Permission.TRAINING_READ,),
    query=Nothing,
    answer=Paper,
    refusals=(PaperChanged,),
)
async def paper(asked: Asked[Nothing, None], certificate_id: str) -> Paper:
    """The paper."""
    serial, raw = await certificates.paper_of(
        certificate_id, base_url=asked.opened.settings.url, actor=asked.actor
    )
    digest = sha256(raw).hexdigest()
    return Paper(serial=serial, sha256=digest, pdf_base64=base64.b64encode(raw).decode())


@calls.post(
    "/certificates/{certificate_id}/revoke",
    summary="证书作废",
    needs=(Permission.TRAINING_CERTIFY,),
    body=Because,
    answer=CertificateSeen,
    refusals=(CertificateEnded, CertificateRefused),
)
async def revoke(asked: Asked[None, Because], certificate_id: str) -> CertificateSeen:
    """It is good no longer."""
    made = await database.unit(
        lambda: certificates.revoke(
            certificate_id, reason=asked.body.reason, actor=asked.actor, now=asked.now
        )
    )
    return await _seen(made)


@calls.post(
    "/certificates/{certificate_id}/replace",
    summary="换发证书，用新编号",
    needs=(Permission.TRAINING_CERTIFY,),
    body=Because,
    answer=CertificateSeen,
    status=201,
    refusals=(CertificateEnded, CertificateRefused),
)
async def replace(asked: Asked[None, Because], certificate_id: str) -> CertificateSeen:
    """A new one instead."""
    made = await database.unit(
        lambda: certificates.replace(
            certificate_id, reason=asked.body.reason, actor=asked.actor, now=asked.now
        )
    )
    return await _seen(made)


async def _seen(row: Certificate) -> CertificateSeen:
    await row.fetch_related("enrolment")
    return shapes.certificate(row, row.enrolment.public_id)
