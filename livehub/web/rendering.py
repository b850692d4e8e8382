"""Templates in, pages out: the one Jinja environment and the two ways to answer with it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from urllib.parse import urlencode

import segno
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sanic.response import HTTPResponse

from livehub.merchants import requirements
from livehub.web import assets, show

TEMPLATES = Path(__file__).parent / "templates"
HTML = "text/html; charset=utf-8"


def page(template: str, *, status: int = 200, **context: object) -> HTTPResponse:
    """A whole page; what the template needs and does not get is an error, not an empty place."""
    return HTTPResponse(fragment(template, **context), status=status, content_type=HTML)


def fragment(template: str, **context: object) -> str:
    """The text of a template or of a part of a page, as it is sent over a live stream."""
    return environment().get_template(template).render(**context)


@cache
def environment() -> Environment:
    """Jinja as we use it: escaped, strict, templates read once."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        auto_reload=False,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(show.FILTERS)
    made.filters["qr"] = qr
    made.filters["paper"] = lambda code: requirements.NAMES.get(code, code)
    made.globals.update(
        asset=assets.url, link=link, percent=show.percent, ratio=show.ratio, share=show.share, none=show.NONE
    )
    return made


def warm() -> None:
    """Compile every template, at start rather than in the first visitor's time."""
    for name in environment().list_templates(extensions=["html"]):
        environment().get_template(name)


def link(path: str, query: Mapping[str, object] | None = None, **changes: object) -> str:
    """An address with its query, some values replaced; empty values are left out."""
    merged = {**(query or {}), **changes}
    kept = {key: value for key, value in merged.items() if value not in (None, "")}
    return f"{path}?{urlencode(kept)}" if kept else path


def qr(text: str, title: str = "") -> Markup:
    """A QR code as inline SVG: dark on white in every theme, so that scanners read it."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, omitsize=True, border=3, dark="#000", light="#fff",
        svgclass="qr", lineclass=None, title=title or None,
    )  # fmt: skip
    return Markup(out.getvalue().decode().strip())  # noqa: S704 -- segno's own SVG, it escapes the title
