"""A campaign gives vouchers away only while it runs."""

from __future__ import annotations

from msgspec import Struct

from livehub.vouchers.eligibility import Attempt, Refusal, Stage
from livehub.vouchers.models import CampaignStatus


class Params(Struct, frozen=True, forbid_unknown_fields=True):
    """None."""


class CampaignRunning:
    name, label, stage, rank, always, params = "campaign_running", "活动进行中", Stage.CLAIM, 10, True, Params

    def judge(self, attempt: Attempt, params: Params) -> Refusal | None:  # noqa: ARG002 -- a rule's signature
        match attempt.campaign:
            case CampaignStatus.RUNNING:
                return None
            case CampaignStatus.PAUSED:
                return Refusal("PAUSED")
            case CampaignStatus.DRAFT | CampaignStatus.APPROVED:
                return Refusal("NOT_STARTED")
            case _:
                return Refusal("ENDED")


RULE = CampaignRunning()
