"""The office of the desk's tests, at half past eight on a Monday evening."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator

import pytest
import time_machine

from tests.site import Site
from tests.web.desk.office import EVENING, Office, an_office


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(EVENING, tick=True):
        yield


@pytest.fixture
async def office(client: Site) -> AsyncIterator[Office]:
    """A centre with a show on air; somebody of each role can be asked in."""
    made = await an_office(client)
    yield made
    await made.close()
