"""The whole story by the command people use, and that its comparison can fail."""

from __future__ import annotations

import asyncio
import re
import sys
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from livehub.demo import cast, story
from livehub.demo.browser import Browser, Machine
from livehub.demo.comparing import compare
from livehub.kit import clock
from livehub.settings import Settings, environment
from tests.flows import loose

pytestmark = pytest.mark.slow

EXPORTS = ("/desk/sales/export.csv", "/desk/sales/lines.csv", "/desk/inbox/export.csv")


async def test_the_story_ends_in_figures_that_agree(settings: Settings) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "livehub", "demo", "--check",
        env=environment(settings), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(child.communicate(), 150)
    last = msgspec.json.decode(out.strip().split(b"\n")[-1])

    assert (child.returncode, last["correct"]) == (0, True), (out.decode()[-3000:], err.decode()[-3000:])
    assert last["figures"] > 150
    assert last["opened"] > 5


async def test_a_sale_that_livehub_never_heard_of_is_found(settings: Settings) -> None:
    """The books know an order that was never pushed: the comparison must say so."""
    own = msgspec.structs.replace(settings, port=loose.port())
    teller = story.Teller(own, tag="t1", say=lambda _: None)
    world, sandbox_url = await teller._set_up(first_day=clock.now() - timedelta(days=1))
    try:
        async with Machine(sandbox_url) as sandbox, Machine(teller._url, token=world.token) as api:
            await teller._declare(sandbox, world)
            now = clock.to_ms(clock.now())
            shop = world.shops["doudian"].shop_ref
            order = {"shop": shop, "created_at_ms": now - 9000, "paid_at_ms": now - 8000}
            await sandbox.post("/control/orders", {"seed": 5, "orders": [order]})

            found = await compare(api, sandbox, world, teller.scenes.told(world))
    finally:
        await teller._tear_down()

    assert any(
        f"orders of shop {shop}: livehub says 0, the books say 1" in each for each in found.differences
    )


async def test_no_phone_number_is_readable_at_rest(
    settings: Settings, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Every number the story types is looked for in the files, in what the processes log, and in the exports."""
    if not settings.is_sqlite:
        pytest.skip("the file of SQLite is searched; PostgreSQL keeps the same bytes in its columns")
    own = msgspec.structs.replace(settings, port=loose.port())
    said: list[str] = []
    teller = story.Teller(own, tag="t2", say=said.append)
    world, sandbox_url = await teller._set_up(first_day=clock.now() - timedelta(days=1))
    try:
        async with Machine(sandbox_url) as sandbox, Machine(teller._url, token=world.token) as api:
            await teller._declare(sandbox, world)
            await teller._processes.start_jobs()
            await teller.scenes.tell(sandbox, world)
            await teller._drained(api, sandbox)
            async with Browser(teller._url) as manager:
                await manager.sign_in(world.logins["manager"], cast.PASSWORD)
                exports = [await manager.open(path) for path in EXPORTS]
    finally:
        await teller._tear_down()

    assert len(teller.scenes.phones) >= 6
    logged = "".join(capfd.readouterr())
    assert "web.ready" in logged
    assert "jobs.ready" in logged
    assert all(len(export.splitlines()) > 1 for export in exports)
    for phone in teller.scenes.phones:
        assert phone not in logged
        assert not any(phone in export for export in exports)
    files = _files(tmp_path)
    assert any(path.suffix == ".db" for path in files)
    for path in files:
        content = path.read_bytes()
        for phone in teller.scenes.phones:
            assert phone.encode() not in content, path
    assert not re.search(r"\b17[0-2]\d{8}\b", "\n".join(said))


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]
