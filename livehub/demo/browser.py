"""A person with a browser, as far as forms and cookies go: the story is told through the real pages."""

from __future__ import annotations

import asyncio
from html.parser import HTMLParser
from typing import Any, Self

import aiohttp
from msgspec import Struct
from yarl import URL


class StoryBroken(Exception):
    """A page did not answer as the story needs it to."""


class Answer(Struct, frozen=True):
    """What a page answered."""

    status: int
    text: str
    location: str


class Browser:
    """One person: her cookies, and the hidden fields of the page she is on."""

    def __init__(self, base_url: str) -> None:
        self._url = URL(base_url)
        jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=self._url)
        self._session = aiohttp.ClientSession(base_url=self._url, cookie_jar=jar)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def open(self, path: str) -> str:
        """A page, wherever redirects lead; StoryBroken unless it is there."""
        async with self._session.get(path) as answer:
            text = await answer.text()
            if answer.status != 200:
                raise StoryBroken(f"GET {path} answered {answer.status}: {_plain(text)}")
            return text

    async def submit(self, page: str, action: str, **fields: object) -> Answer:
        """Fill in the form of ``page`` whose action ends with ``action``, and send it."""
        forms = Forms()
        forms.feed(await self.open(page))
        found = [(target, hidden) for target, hidden in forms.found if target.split("?")[0].endswith(action)]
        if not found:
            raise StoryBroken(f"{page} has no form for {action}: {[target for target, _ in forms.found]}")
        target, hidden = found[0]
        data = [*((name, value) for name, value in hidden.items() if name not in fields)]
        for name, value in fields.items():  # a list is one field that is sent several times
            data += [(name, str(each)) for each in (value if isinstance(value, list | tuple) else [value])]
        headers = {"origin": str(self._url).rstrip("/")}
        async with self._session.post(target, data=data, headers=headers, allow_redirects=False) as answer:
            return Answer(answer.status, await answer.text(), answer.headers.get("location", ""))

    async def must(self, page: str, action: str, **fields: object) -> Answer:
        """``submit``, and StoryBroken unless it was accepted."""
        answer = await self.submit(page, action, **fields)
        if answer.status >= 400:
            raise StoryBroken(f"POST {action} answered {answer.status}: {_plain(answer.text)}")
        return answer

    async def sign_in(self, login: str, password: str) -> None:
        """Log in through the login page."""
        answer = await self.must("/login", "/login", account=login, password=password)
        if answer.status != 303:
            raise StoryBroken(f"{login} could not log in: {_plain(answer.text)}")


class Forms(HTMLParser):
    """The forms of a page: where each goes, and its hidden fields and chosen buttons."""

    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str]]] = []
        self._open = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note forms and their hidden inputs."""
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.found.append((given.get("action", ""), {}))
            self._open = True
        elif tag == "input" and self._open and given.get("type") == "hidden":
            self.found[-1][1][given.get("name", "")] = given.get("value", "")
        elif tag == "button" and self._open and given.get("formaction"):
            self.found.insert(len(self.found) - 1, (given["formaction"], self.found[-1][1]))

    def handle_endtag(self, tag: str) -> None:
        """A form ends."""
        self._open = self._open and tag != "form"


class Machine:
    """A program with a token, talking JSON."""

    def __init__(self, base_url: str, *, token: str = "") -> None:
        headers = {"authorization": f"Bearer {token}"} if token else {}
        self._session = aiohttp.ClientSession(
            base_url=URL(base_url), headers=headers, timeout=aiohttp.ClientTimeout(total=90)
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._session.close()

    async def get(self, path: str, **query: str) -> Any:
        """The JSON of a GET; StoryBroken unless it succeeds."""
        async with self._session.get(path, params=query) as answer:
            return await _json(path, answer)

    async def post(self, path: str, body: Any) -> Any:
        """The JSON of a POST; StoryBroken unless it succeeds."""
        async with self._session.post(path, json=body) as answer:
            return await _json(path, answer)

    async def delete(self, path: str) -> Any:
        """The JSON of a DELETE; StoryBroken unless it succeeds."""
        async with self._session.delete(path) as answer:
            return await _json(path, answer)

    async def until_there(self, path: str, *, seconds: float = 60) -> None:
        """Wait until a GET succeeds."""
        for _ in range(int(seconds * 10)):
            try:
                async with self._session.get(path) as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
        raise StoryBroken(f"{path} did not answer within {seconds} seconds")


async def _json(path: str, answer: aiohttp.ClientResponse) -> Any:
    if answer.status >= 400:
        raise StoryBroken(f"{path} answered {answer.status}: {(await answer.text())[:500]}")
    return await answer.json()


def _plain(text: str) -> str:
    """The words of a page, for a message."""
    words: list[str] = []
    parser = HTMLParser()
    parser.handle_data = lambda data: words.append(data.strip())  # type: ignore[method-assign]  # its own idiom
    parser.feed(text)
    return " ".join(word for word in words if word)[:400]
