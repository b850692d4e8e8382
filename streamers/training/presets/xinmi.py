"""新密市 2020: the plan names audience, goal, time, outline, courses and certificate."""

from __future__ import annotations

from streamers.training.preset import Preset
from streamers.training.rules import Bar, Terms

PRESET = Preset(
    name="xinmi",
    label="河南新密：培训方案六项齐全，50 人以内，提前 10 个工作日",
    source="新密市职业技能提升行动 2020 的培训方案要求",
    terms=Terms(plan_parts=("audience", "goal", "time", "outline", "courses", "certificate"), min_tenths=400),
    bar=Bar(),
)
