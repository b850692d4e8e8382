"""What a campaign may pull: thresholds over faces, and the campaigns of the bureau that are over."""

from __future__ import annotations

from datetime import timedelta

from livehub.settings import Settings
from livehub.vouchers import campaign_ends, expectations
from livehub.vouchers.expectations import Floor
from tests.factories.accounts import a_bureau
from tests.factories.vouchers import NOW, a_kind
from tests.vouchers.test_redemptions import a_till
from tests.vouchers.test_refunds import asked, used

LATER = NOW + timedelta(hours=1)


def test_the_floor_weighs_thresholds_and_names_the_least() -> None:
    found = expectations.floor([(10_000, 2000, 30), (20_000, 3500, 10), (99, 1, 0)])

    assert found == Floor(threshold_fen=500_000, face_fen=95_000, least=(10_000, 2000))
    assert expectations.floor([(10_000, 2000, 0)]) == Floor()


async def test_what_is_over_is_past_the_least_pull_first(db: Settings) -> None:
    async with a_till(db, a_kind(quantity=9)) as high, a_till(db, a_kind(quantity=9)) as running:
        await used(high, 30_000)
        _, back = await used(high, 50_000, receipt_no="R2", key="t2")
        await asked(high, back)
        await used(running, 90_000)
        ended = high.world.campaign
        for bureau, campaign in ((high.world.bureau, ended), (running.world.bureau, None)):
            assert await expectations.past(bureau.id) == [], campaign
        await campaign_ends.end(ended.id, actor=high.world.officer, now=LATER)
        (one,) = await expectations.past(ended.bureau_id)
        none = await expectations.past(ended.bureau_id, but=ended.id)
        elsewhere = await expectations.past((await a_bureau()).id)

    assert (one.id, one.value) == (ended.public_id, 15)
    assert (none, elsewhere) == ([], [])
