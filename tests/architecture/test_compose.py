"""The files of an installation agree with each other and with the settings, as far as no engine is needed."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from livehub.settings import Settings, load
from tests.architecture.tree import ROOT

VARIABLE = re.compile(r"\$\{([A-Z_]+)")


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))


def example() -> dict[str, str]:
    lines = (ROOT / "deploy" / "env.example").read_text("utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


def ours(compose: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: each for name, each in compose["services"].items() if "build" in each}


def filled(text: str) -> str:
    values = example()
    return re.sub(r"\$\{([A-Z_]+)(?::[?-][^}]*)?\}", lambda found: values[found[1]], text)


def test_the_four_processes_and_the_proxy_are_there(compose: dict[str, Any]) -> None:
    assert set(compose["services"]) == {"database", "migrate", "web", "jobs", "proxy"}
    assert set(ours(compose)) == {"migrate", "web", "jobs"}


def test_what_runs_for_good_is_restarted(compose: dict[str, Any]) -> None:
    forever = {name: each["restart"] for name, each in compose["services"].items() if name != "migrate"}

    assert set(forever.values()) == {"always"}, forever


def test_every_variable_given_is_a_setting_that_can_be_read(compose: dict[str, Any]) -> None:
    known = {f"LIVEHUB_{name.upper()}" for name in Settings.__struct_fields__}

    for name, service in ours(compose).items():
        given = {key: filled(value) for key, value in service["environment"].items()}
        assert set(given) <= known, name
        assert not load(given).is_sqlite


def test_only_the_proxy_is_reachable_from_outside(compose: dict[str, Any]) -> None:
    assert [name for name, each in compose["services"].items() if "ports" in each] == ["proxy"]


def test_web_is_asked_whether_it_is_ready_on_the_port_it_listens_on(compose: dict[str, Any]) -> None:
    web = compose["services"]["web"]

    assert f"http://127.0.0.1:{web['environment']['LIVEHUB_PORT']}/readyz" in " ".join(
        web["healthcheck"]["test"]
    )


def test_every_dependency_and_volume_exists(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        assert set(service.get("depends_on", {})) <= set(compose["services"])
        for volume in service.get("volumes", []):
            source = volume.split(":")[0]
            assert (ROOT / source).exists() if source.startswith("./") else source in compose["volumes"]


def test_the_example_gives_every_variable_that_is_asked_for() -> None:
    asked = set(VARIABLE.findall((ROOT / "docker-compose.yml").read_text("utf-8")))

    assert asked == set(example())


def test_the_image_copies_only_what_exists_and_is_not_ignored() -> None:
    allowed = set(re.findall(r"^!(.+)$", (ROOT / ".dockerignore").read_text("utf-8"), re.MULTILINE))
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE)

    assert copied
    for source in " ".join(copied).split():
        assert (ROOT / source).exists()
        assert source in allowed


def test_the_image_does_not_run_as_root() -> None:
    last_stage = (ROOT / "Dockerfile").read_text("utf-8").rsplit("FROM ", 1)[1]

    assert re.search(r"^USER (?!root)\S+$", last_stage, re.MULTILINE)


def pins(path: str) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", (ROOT / path).read_text("utf-8"), re.MULTILINE))


def test_the_image_runs_the_versions_that_were_tested() -> None:
    image, tested = pins("deploy/requirements.lock"), pins("requirements.lock")

    assert image.items() <= tested.items()
    assert {"sanic", "tortoise-orm", "asyncpg"} <= set(image)
    assert not {"pytest", "mypy", "playwright"} & set(image)


@pytest.mark.parametrize("path", ["requirements.lock", "deploy/requirements.lock"])
def test_a_lock_names_no_index(path: str) -> None:
    text = (ROOT / path).read_text("utf-8")

    assert not re.search(r"https?://|--index-url|--extra-index-url|--find-links", text)
    assert text.count("==") <= text.count("--hash=sha256:")
