"""The town that the tests of the API live in."""

from __future__ import annotations

import pytest

from tests.site import Site
from tests.web.api.town import Town, a_town


@pytest.fixture
async def town(client: Site) -> Town:
    return await a_town(client)
