"""Every blueprint of the web application, audience by audience."""

from __future__ import annotations

from sanic import Blueprint

from livehub.web import (
    account,
    campaigns,
    desk,
    draws,
    feeds,
    hooks,
    login,
    operations,
    report_pages,
    verify,
    wall,
)
from livehub.web.api import blueprint as api
from livehub.web.bureau import pages as bureau
from livehub.web.bureau import rundown as bureau_rundown
from livehub.web.bureau import series as bureau_series
from livehub.web.bureau import waiting as bureau_waiting
from livehub.web.claim import entering as claim_entering
from livehub.web.claim import pages as claim
from livehub.web.claim import wallet as claim_wallet
from livehub.web.merchant import joining as merchant_campaigns
from livehub.web.merchant import pages as merchant
from livehub.web.merchant import settlements as merchant_settlements
from livehub.web.merchant import uses as merchant_uses
from livehub.web.streamer import pages as streamer
from livehub.web.streamer import review as streamer_review
from livehub.web.streamer import training as streamer_training

BLUEPRINTS: tuple[Blueprint, ...] = (
    operations.bp,
    hooks.bp,
    login.bp,
    account.bp,
    wall.bp,
    feeds.bp,
    verify.bp,
    report_pages.audit_packs,
    report_pages.desk,
    draws.bp,
    *campaigns.DESK,
    *desk.BLUEPRINTS,
    *campaigns.BUREAU,
    report_pages.bureau,
    bureau.bp,
    bureau_rundown.bp,
    bureau_series.bp,
    bureau_waiting.bp,
    claim_wallet.bp,
    claim.bp,
    claim_entering.bp,
    merchant.bp,
    merchant_uses.bp,
    merchant_settlements.bp,
    merchant_campaigns.bp,
    streamer_training.bp,
    streamer.bp,
    streamer_review.bp,
    api.bp,
)
