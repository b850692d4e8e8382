"""广西 钦州: the national hours of the lowest level, applied for ten working days ahead."""

from __future__ import annotations

from streamers.training.preset import Preset
from streamers.training.rules import Bar, Terms

PRESET = Preset(
    name="qinzhou",
    label="广西钦州：五级 120 学时，开班前 10 个工作日申请",
    source="桂人社规〔2022〕3号的申领材料；学时按互联网营销师国家标准（2021）",
    terms=Terms(min_tenths=1200, plan_parts=("audience", "goal", "time", "outline", "courses")),
    bar=Bar(require_food_safety=False),
)
