"""XML as platforms write messages: elements, text and CDATA. All else is refused, entities and DTDs first."""

from __future__ import annotations

import re
from typing import Any

from livehub.platforms import scan
from livehub.platforms.contract import Malformed

MAX_TAGS = 1000  # a message of ours has a few dozen

_TOKEN = re.compile(
    r"<!\[CDATA\[(?P<data>.*?)\]\]>"
    r"|<(?P<end>/?)(?P<name>[A-Za-z_][A-Za-z0-9_.-]{0,63})[ \t\r\n]*(?P<empty>/?)>"
    r"|(?P<text>[^<]+)",
    re.DOTALL,
)
_REFERENCE = re.compile(r"&([^;&]{0,8};?)")
_NAMED = {"amp;": "&", "lt;": "<", "gt;": ">", "quot;": '"', "apos;": "'"}


class _Element:
    """An element that is open: its text so far, or its children."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str) -> None:
        self.name = name
        self.text: list[str] = []
        self.children: dict[str, Any] = {}

    def value(self) -> Any:
        """Children as a dict, in which the last of a name wins; else the text."""
        text = "".join(self.text)
        if not self.children:
            return text
        if text.strip():
            raise Malformed("schema", "text between elements")
        return self.children


def read(raw: bytes) -> Any:
    """What is inside the one root element; Malformed('schema') for everything this is not meant for.

    No attributes, comments, instructions, declarations or named entities but XML's own five: nothing in it
    can refer to anything, so nothing can grow. Takes time in proportion to its length.
    """
    scan.refuse_bytes(raw)
    text = raw.decode().strip(" \t\r\n")
    open_: list[_Element] = [_Element("")]
    at = tags = 0
    while at < len(text):
        if at and len(open_) == 1:
            raise Malformed("schema", "something follows the root element")
        token = _TOKEN.match(text, at)
        if token is None:
            raise Malformed("schema", f"no element and no text at character {at}")
        at = token.end()
        if token["name"] is None:
            _add_text(open_, token)
            continue
        tags += 1
        if tags > MAX_TAGS or len(open_) > scan.MAX_DEPTH:
            raise Malformed("schema", f"more than {MAX_TAGS} tags, or nested deeper than {scan.MAX_DEPTH}")
        _take_tag(open_, token)
    if len(open_) > 1 or not open_[0].children:
        raise Malformed("schema", "an element is not closed, or there is none")
    (value,) = open_[0].children.values()
    return value


def _add_text(open_: list[_Element], token: re.Match[str]) -> None:
    if len(open_) == 1:
        raise Malformed("schema", "text outside the root element")
    data = token["data"]
    open_[-1].text.append(_plain(token["text"]) if data is None else data)


def _plain(text: str) -> str:
    if "&" not in text:
        return text

    def meant(reference: re.Match[str]) -> str:
        character = _NAMED.get(reference[1])
        if character is None:
            raise Malformed("schema", "an entity that is not XML's own")
        return character

    return _REFERENCE.sub(meant, text)


def _take_tag(open_: list[_Element], token: re.Match[str]) -> None:
    name = token["name"]
    if token["end"]:
        if token["empty"] or open_[-1].name != name:
            raise Malformed("schema", "a tag closes what is not open")
        closed = open_.pop()
        open_[-1].children[name] = closed.value()
    elif token["empty"]:
        open_[-1].children[name] = ""
    else:
        open_.append(_Element(name))
