"""The context of the big screen, with nothing on it and with one broadcast on air."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from livehub.vouchers import leverage

AT = datetime(2026, 3, 6, 12, 41, 7, tzinfo=UTC)


def a_board(*, g3_fen: int = 12846305, orders: int = 1206) -> dict[str, Any]:
    curve = [{"at": f"20:{m:02d}", "fen": m * 10_000, "orders": m, "drop": ""} for m in range(0, 45, 5)]
    curve[4]["drop"] = "农特 30 元"
    return an_empty_board() | {
        "on_air": 1, "on_time": 241, "on_time_of": 250, "chain_links": 4120, "chain_waiting": 2,
        "redeemed_fen": 4690500, "committed_fen": 59365500, "budget_fen": 99000000,
        "pulled": leverage.of_row({
            "redemptions": 1184, "order_fen": 24934570, "subsidy_fen": 3557000, "threshold_fen": 667, "face_fen": 100,
            "net_order_fen": 24934570, "net_subsidy_fen": 3557000, "kept_threshold_fen": 667, "kept_face_fen": 100,
        }),
        "g3_fen": g3_fen, "g2_fen": g3_fen, "pending": 2, "lag_seconds": 0.3, "orders": orders, "refunded_orders": 71,
        "claimed": 2000, "redeemed": 1184, "left": 816, "curve": curve, "curve_max_fen": 400_000,
        "towns": [{"name": "侨港镇", "fen": 5231000, "href": "/desk/sales?town=1", "on_air": False}],
        "streamers": [{"name": "侨港小林", "fen": 4218060, "href": "/desk/sales?streamer=1", "on_air": True}],
        "platforms": [{"name": "doudian", "lag_seconds": 0.3, "waiting": 2, "parked": 3}],
    }  # fmt: skip


def an_empty_board() -> dict[str, Any]:
    counts = (
        "on_air late conflicts cases chain_links chain_waiting on_time on_time_of redeemed_fen committed_fen budget_fen "
        "g3_fen g2_fen pending orders refunded_orders claimed redeemed "
        "left curve_max_fen unreconciled"
    )
    return dict.fromkeys(counts.split(), 0) | {
        "pulled": leverage.of_row(None), "drill": True, "centre": "北海直播消费促进中心", "as_of": AT, "day": "2026-03-06",
        "lag_seconds": None, "unreconciled_since": None, "curve": [], "towns": [], "streamers": [], "products": [],
        "platforms": [],
    }  # fmt: skip
