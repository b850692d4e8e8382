"""Nothing is loaded from elsewhere, everything vendored is accounted for, and the consumer's page stays light."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from livehub.web import assets, rendering
from livehub.web.claim.words import Ticket
from livehub.web.reading import blank

ROOT = Path(__file__).resolve().parents[2]
WEB = ROOT / "livehub" / "web"
OURS = sorted(
    path
    for path in [*(WEB / "templates").rglob("*.html"), *(WEB / "static").rglob("*")]
    if path.is_file() and "vendor" not in path.parts
)
VENDORED = sorted(path for path in (WEB / "static" / "vendor").iterdir() if path.is_dir())
ADDRESS = re.compile(r"(?:https?:)?//[\w-]+(?:\.[\w-]+)+")
SVG_NAMESPACE = "http://www.w3.org/2000/svg"


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(WEB)))
def test_no_file_of_ours_names_a_foreign_address(path: Path) -> None:
    text = path.read_text("utf-8").replace(SVG_NAMESPACE, "")

    assert ADDRESS.findall(text) == []


@pytest.mark.parametrize("path", [p for p in OURS if p.suffix == ".html"], ids=lambda path: path.name)
def test_no_template_needs_more_than_the_policy_allows(path: Path) -> None:
    text = path.read_text("utf-8")

    assert re.findall(r"<script(?![^>]*\bsrc=)", text) == []
    assert re.findall(r"<style\b", text) == []
    assert re.findall(r"\son\w+\s*=", text) == []
    assert "javascript:" not in text


@pytest.mark.parametrize("path", [p for p in OURS if p.suffix == ".html"], ids=lambda path: path.name)
def test_every_template_says_first_what_it_needs(path: Path) -> None:
    assert path.read_text("utf-8").startswith("{#")


@pytest.mark.parametrize("path", [p for p in OURS if p.suffix == ".html"], ids=lambda path: path.name)
def test_every_posted_form_carries_the_token(path: Path) -> None:
    forms = re.findall(r'<form[^>]*method="post".*?</form>', path.read_text("utf-8"), re.DOTALL)

    assert [form for form in forms if "csrf" not in form] == []


@pytest.mark.parametrize("folder", VENDORED, ids=lambda folder: folder.name)
def test_every_vendored_folder_has_its_licence_and_its_line(folder: Path) -> None:
    listed = (ROOT / "docs" / "vendored.md").read_text("utf-8")
    code = [path for path in folder.iterdir() if path.suffix in {".js", ".css", ".mjs", ".woff2"}]

    assert (folder / "LICENSE").is_file()
    assert code
    for path in code:
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        assert re.search(rf"^\| `{folder.name}` \| `{path.name}` \|.*`{digest}` \|$", listed, re.MULTILINE)


def test_no_line_describes_a_file_that_is_gone() -> None:
    listed = re.findall(
        r"^\| `([\w.-]+)` \| `([\w.-]+)` \|", (ROOT / "docs" / "vendored.md").read_text("utf-8"), re.MULTILINE
    )

    assert listed
    assert [pair for pair in listed if not (WEB / "static" / "vendor" / pair[0] / pair[1]).is_file()] == []


def test_the_consumers_page_stays_under_50_kb() -> None:
    html = rendering.fragment(
        "claim/claim.html",
        slug="k7m2q9xw",
        csrf="t" * 43,
        title="开海第一网 · 农特券",
        from_words="侨港小林的直播间 · 北海市农业农村局 发放",
        tickets=[
            Ticket(
                face_fen=3000,
                threshold_fen=20000,
                name="北海农特消费券",
                n=1,
                until_words="3月12日 24:00 前有效",
                where_words="206 家门店通用",
            )
        ],
        left=820,
        quantity=2000,
        rules={
            "per_person": 1,
            "unit": "张",
            "threshold_fen": 20000,
            "refund": "futian",
            "valid_words": "领取后 7 天内有效",
        },
        form=blank(),
        code_sent=True,
        wait_seconds=42,
        known_phone="",
        key="k" * 32,
        is_known=False,
        pack=None,
        of_lottery=False,
        kind_id="",
        others=[],
        of_broadcast=True,
        at_limit=False,
    )
    loaded = re.findall(rf'"{assets.PREFIX}/{assets.shelf().version}/([\w./-]+)"', html)

    total = len(html.encode()) + sum(len(assets.shelf().files[name].body) for name in loaded)

    assert {"app.css", "forms.js"} <= set(loaded)
    assert total < 50_000


def luminance(colour: str) -> float:
    digits = colour.lstrip("#")
    digits = digits if len(digits) == 6 else "".join(d * 2 for d in digits)
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.03928 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def themes() -> list[dict[str, str]]:
    css = (WEB / "static" / "app.css").read_text("utf-8").split("@media print")[0]
    blocks = re.findall(
        r"(?:^:root|:root:not\(\[data-tone\]\)|\[data-tone=\"wall\"\]) \{(.*?)\}",
        css,
        re.DOTALL | re.MULTILINE,
    )
    return [dict(re.findall(r"--([\w-]+): (#[0-9a-f]{3,6});", block)) for block in blocks]


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark", "wall"])
def test_text_has_the_contrast_of_level_aa(theme: dict[str, str]) -> None:
    grounds = ["paper", "surface", "sunken"]
    pairs = [(ink, ground) for ink in ("ink", "ink-2", "ink-3", "accent-ink") for ground in grounds]
    pairs += [("accent-ink", "accent-wash"), ("on-accent", "accent"), ("live", "surface")]
    pairs += [(state, f"{state}-wash") for state in ("live", "warn", "info")]

    assert {
        pair: contrast(theme[pair[0]], theme[pair[1]])
        for pair in pairs
        if contrast(theme[pair[0]], theme[pair[1]]) < 4.5
    } == {}


def test_every_template_compiles() -> None:
    rendering.warm()

    assert len(rendering.environment().list_templates(extensions=["html"])) > 30


def test_an_unknown_asset_is_our_own_mistake() -> None:
    with pytest.raises(KeyError):
        assets.url("nowhere.css")


def test_a_missing_value_is_an_error_and_not_an_empty_place() -> None:
    with pytest.raises(Exception, match="is undefined"):
        rendering.fragment("desk/today.html", now=datetime(2026, 3, 6, tzinfo=UTC))
