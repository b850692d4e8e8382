"""北京: 60 hours for a certificate, theory and practice two fifths each; paid by the share that passes."""

from __future__ import annotations

from streamers.training.preset import Preset
from streamers.training.rules import Bar, Terms

PRESET = Preset(
    name="beijing",
    label="北京：发证 60 学时，理论和实操各不少于四成，400 元/人",
    source="北京市职业培训补贴的旧规定，金额以当年文件为准",
    terms=Terms(
        min_tenths=600,
        min_theory_share="0.40",
        min_practice_share="0.40",
        per_head_fen=40_000,
        full_rate="0.90",
        reduced_factor="0.60",
        exam_roster_days=7,
        phone_check_share="0.10",
    ),
    bar=Bar(),
)
