"""Endpoints and shops for tests."""

from __future__ import annotations

import itertools

from livehub.accounts.actors import system
from livehub.accounts.models import Bureau
from livehub.platforms import shops
from livehub.platforms.models import Endpoint, Shop
from tests.factories.accounts import NOW

STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="
DOUDIAN_SECRET = "b3a9c1d2-5e6f-4a7b-8c9d-0e1f2a3b4c5d"

_numbers = itertools.count(1)


async def an_endpoint(
    bureau: Bureau, *, platform: str = "doudian", app_key: str = "", secret: str = "", api_base_url: str = ""
) -> Endpoint:
    usual = STANDARD_SECRET if platform == "standard_webhooks" else DOUDIAN_SECRET
    return await shops.add_endpoint(
        bureau.centre_id,
        platform=platform,
        name=f"{platform} 应用",
        app_key=app_key or f"69{next(_numbers):017}",
        secret=secret or usual,
        access_token="access-token-of-tests",
        api_base_url=api_base_url,
        actor=system("tests", centre_id=bureau.centre_id),
        now=NOW,
    )


async def a_shop(bureau: Bureau, *, endpoint: Endpoint | None = None, shop_ref: str = "") -> Shop:
    endpoint = endpoint or await an_endpoint(bureau)
    return await shops.add_shop(
        bureau.id,
        endpoint_id=endpoint.id,
        shop_ref=shop_ref or f"4463{next(_numbers):04}",
        name="北海优选",
        actor=system("tests", centre_id=bureau.centre_id),
        now=NOW,
    )
