"""What a person with a phone does: open a page, read its forms, type, tap."""

from __future__ import annotations

import re
from html import unescape

from livehub.accounts.actors import system
from livehub.notices import queries as notices
from tests.site import Site


def hidden(html: str, name: str) -> str:
    """The value of a form's hidden field."""
    found = re.search(rf'name="{name}" value="([^"]*)"', html)
    assert found, f"no field {name}"
    return unescape(found[1])


def visible(html: str) -> str:
    """The text of a page, without markup."""
    body = re.sub(r"<(script|style)\b.*?</\1>", " ", html, flags=re.DOTALL)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


async def tap(site: Site, path: str, *, page: str = "", browser=None, **fields: str) -> tuple[int, str, str]:
    """Post a form with the token of ``page`` (its HTML): status, text, and where it leads."""
    given = {"csrf": hidden(page, "csrf"), **fields} if page else fields
    session = browser or site.session
    async with session.post(path, data=given, allow_redirects=False) as answer:
        return answer.status, await answer.text(), answer.headers.get("Location", "")


async def code_sent_to(tail: str) -> str:
    """The newest one-time code for the phone with these last four digits, as 发件箱 shows it."""
    page = await notices.recent(system("tests"), kind="one_time_code")
    for row in page.items:
        if row.recipient.endswith(tail):
            return re.search(r"\d{6}", row.body)[0]
    raise AssertionError(f"no code for {tail}")
