"""The log: one JSON object a line, ours and the libraries', and no phone number in it."""

from __future__ import annotations

import logging as standard
from collections.abc import Iterator

import msgspec
import pytest
import structlog

from livehub.kit import logging


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    before, root = structlog.get_config(), standard.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    structlog.contextvars.clear_contextvars()
    structlog.configure(**before)
    root.handlers[:] = handlers
    root.setLevel(level)


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, str]]:
    return [msgspec.json.decode(line) for line in capsys.readouterr().err.splitlines()]


def test_our_lines_and_the_libraries_have_one_shape(capsys: pytest.CaptureFixture[str]) -> None:
    logging.install(style="json", level="INFO", process="web")

    structlog.get_logger("ours").info("drop.opened", drop=7)
    standard.getLogger("sanic.error").warning("theirs %s", 8)
    standard.getLogger("aiosqlite").info("too much")

    ours, theirs = lines(capsys)
    assert (ours["event"], ours["drop"], ours["process"], ours["level"]) == ("drop.opened", 7, "web", "info")
    assert (theirs["event"], theirs["logger"], theirs["level"]) == ("theirs 8", "sanic.error", "warning")
    assert ours["timestamp"].endswith("Z")


@pytest.mark.parametrize("style", ["json", "text"])
def test_a_phone_that_slipped_in_is_masked(style: str, capsys: pytest.CaptureFixture[str]) -> None:
    logging.install(style=style, level="INFO", process="web")

    structlog.get_logger("ours").info(
        "code sent to 13912345678", to="13912345678", order="6913912345678000001"
    )
    try:
        raise ValueError("no consumer 13912345678")
    except ValueError:
        structlog.get_logger("ours").exception("failed")

    said = capsys.readouterr().err
    assert "13912345678" not in said.replace("6913912345678000001", "")
    assert "139****5678" in said
    assert "6913912345678000001" in said


def test_a_traceback_does_not_show_what_the_variables_held(capsys: pytest.CaptureFixture[str]) -> None:
    logging.install(style="text", level="INFO", process="web")
    name = "李华的身份证"

    try:
        raise ValueError(len(name))
    except ValueError:
        structlog.get_logger("ours").exception("failed")

    said = capsys.readouterr().err
    assert "ValueError: 6" in said
    assert name not in said.replace(f'name = "{name}"', "")
