"""A running sandbox and a client for it, in the test's own loop."""

from __future__ import annotations

import aiohttp
import pytest

from livehub import sandbox
from tests.sandbox import shapes


@pytest.fixture
async def box():
    async with sandbox.running(pace=shapes.QUICK) as box:
        yield box


@pytest.fixture
async def client():
    async with aiohttp.ClientSession() as client:
        yield client
