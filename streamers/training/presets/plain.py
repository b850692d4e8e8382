"""No city's rule: a short course without an examination, where showing up is what graduates."""

from __future__ import annotations

from streamers.training.preset import Preset
from streamers.training.rules import Bar, Terms

PRESET = Preset(
    name="plain",
    label="短期班：不考试，按出勤结业",
    source="本中心自定",
    terms=Terms(plan_parts=("audience", "goal"), lead_days=0, lead_in_working_days=False),
    bar=Bar(min_theory_tenths=0, min_skill_tenths=0),
)
