"""The twin that never crashed: the same deliveries told to another database in peace."""

from __future__ import annotations

from livehub.kit import clock
from livehub.orders import intake
from livehub.settings import Settings
from tests.faults import reckoning
from tests.faults.load import signed
from tests.faults.reckoning import Buckets
from tests.faults.recorder import Recorder
from tests.faults.town import a_town
from tests.site import running


async def buckets_of_twin(settings: Settings, recorder: Recorder) -> Buckets:
    """What the rollups say where nothing ever went wrong; ``settings`` are those of a fresh database."""
    town = await a_town(settings, people=1, stock=1)
    path = f"/hooks/standard_webhooks/{town.endpoint_key}"
    async with running(settings) as site:
        for each in recorder.deliveries().values():
            async with site.post(path, data=each.body.encode(), headers=signed(each, town)) as answer:
                assert answer.status == 200
        while await intake.run_once(now=clock.now(), lease_seconds=30):
            pass
        return await reckoning.buckets(town)
