"""The messages of an order are found by an index that holds none of those that wait."""

from __future__ import annotations

import pytest

from livehub import database
from livehub.orders import folding
from livehub.reports import messages
from livehub.settings import Settings

MANY = (
    "WITH RECURSIVE of(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM of WHERE n < 20000)"
    " INSERT INTO inbox_message (delivery_id, centre_id, platform, endpoint_id, shop_ref, digest, native_type,"
    " native_id, source, position, fact, order_key, provider_ts, received_at, status, reason, attempts,"
    " next_attempt_at, lease_until, lease_token, last_error)"
    " SELECT n, 1, 'doudian', 1, 's', {digest}, 't', n, 'push', 0, '',"
    " CASE WHEN n % 2 = 0 THEN '' ELSE 'doudian:s:' || n END, 0, n, 'applied', '', 0, n, 0, 0, '' FROM of"
)
DIGEST = {"sqlite": "CAST(n AS BLOB)", "postgres": "decode(md5(n::text), 'hex')"}
ASKED = {
    "of one": messages._OF_ORDER,
    "of many, to fold them": f"WITH v AS (SELECT $1 AS order_key) {folding.FACTS}",
}


@pytest.mark.parametrize("asked", ASKED)
async def test_they_are_found_by_the_orders_key(db: Settings, asked: str) -> None:
    await database.execute(MANY.format(digest=DIGEST[database.dialect()]))
    await database.execute("ANALYZE")

    explain = "EXPLAIN QUERY PLAN" if db.is_sqlite else "EXPLAIN"
    plan = await database.fetch(f"{explain} {ASKED[asked]}".replace("$1", "'doudian:s:77'"))

    assert "inbox_message_of_order" in " ".join(str(row) for row in plan)
