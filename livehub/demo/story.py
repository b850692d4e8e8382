"""The story the product exists for, told over real HTTP by one command: once and compared, or to stay."""

from __future__ import annotations

import asyncio
import secrets
import shutil
import signal
import socket
import tempfile
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec

from livehub import database, process
from livehub.database.migrate import migrate
from livehub.demo import (
    cast,
    giving,
    history,
    lots,
    planning,
    reconciling,
    reporting,
    settling,
    shared_rooms,
    statements,
    suspects,
)
from livehub.demo.browser import Machine, StoryBroken
from livehub.demo.comparing import Comparison, compare
from livehub.demo.history import Past
from livehub.demo.processes import Processes
from livehub.demo.scenes import Say, Scenes, Show
from livehub.demo.seeding import Seeded, seed
from livehub.kit import clock
from livehub.orders import differences
from livehub.sandbox import catalogue
from livehub.settings import Settings

DRAIN_SECONDS = 60
WORLD_FILE = "demo.json"


async def run(settings: Settings, *, check: bool, days: int, scale: float, reset: bool, say: Say) -> int:
    """Tell the story; with ``check`` compare everything and end, else stay until a signal comes."""
    me = asyncio.current_task()
    assert me is not None  # noqa: S101 -- a coroutine always runs in one
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, me.cancel)  # its children end with it
    if check:
        return await _checked(settings, say)
    if reset and settings.is_sqlite:
        shutil.rmtree(settings.data_dir, ignore_errors=True)
    return await _staying(settings, days=days, scale=scale, say=say)


async def _checked(settings: Settings, say: Say) -> int:
    """The story once, in a world of its own; 0 when every figure agrees."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="livehub-check-") as folder:
        own = msgspec.structs.replace(settings, port=_free_port(), public_url="", data_dir=Path(folder))
        if settings.is_sqlite:
            own = msgspec.structs.replace(own, database_url="")
        if not own.keys:
            own.keyring()  # made once, before several processes look for it
        teller = Teller(own, tag=secrets.token_hex(3), say=say)
        try:
            found = await teller.tell_and_compare()
        except StoryBroken as broken:
            found = Comparison()
            found.differences.append(f"the story broke: {broken}")
    correct = not found.differences and found.figures > 0
    for difference in found.differences:
        say(f"differs: {difference}")
    report = {
        "engine": "sqlite" if settings.is_sqlite else "postgres",
        "figures": found.figures,
        "opened": found.opened,
        "differences": len(found.differences),
        "seconds": round(time.monotonic() - began, 1),
        "correct": correct,
    }
    say(msgspec.json.encode(report).decode())
    return 0 if correct else 1


async def _staying(settings: Settings, *, days: int, scale: float, say: Say) -> int:
    teller = Teller(settings, tag="", say=say)
    try:
        await teller.stay(days=days, scale=scale)
    except StoryBroken as broken:
        say(f"the story broke: {broken}")
        return 1
    except asyncio.CancelledError:
        say("结束 · ended")
    return 0


class Teller:
    """The story, and the processes it runs in."""

    def __init__(self, settings: Settings, *, tag: str, say: Say) -> None:
        self._settings = settings
        self._tag = tag
        self._say = say
        self._processes = Processes(settings)
        self._url = f"http://{settings.host}:{settings.port}"
        self.scenes = Scenes(self._url, say=say)

    async def tell_and_compare(self) -> Comparison:
        """The whole story once, then every figure."""
        try:
            world, sandbox_url = await self._set_up(first_day=clock.now() - timedelta(days=3))
            async with Machine(sandbox_url) as sandbox, Machine(self._url, token=world.token) as api:
                await self._declare(sandbox, world)
                await reconciling.hold(now=clock.now())
                await self._past(sandbox, world, days=0, scale=0, heat=suspects.TENTH)
                await self._processes.start_jobs()
                await self.scenes.tell(sandbox, world)
                await self._drained(api, sandbox)
                await suspects.look(centre_id=world.centre_id, now=clock.now())
                await reconciling.read()
                await self._reconciled()
                await self._settle(world, before=clock.now())
                return await compare(api, sandbox, world, self.scenes.told(world))
        finally:
            await self._tear_down()

    async def stay(self, *, days: int, scale: float) -> None:
        """History, one live show that keeps selling, and the addresses; until somebody ends it."""
        try:
            world, sandbox_url = await self._set_up(first_day=clock.now() - timedelta(days=days + 2))
            async with Machine(sandbox_url) as sandbox:
                await self._declare(sandbox, world)
                self._introduce(world)
                was_told = await history.is_told(world)
                if was_told:
                    await reconciling.forget(now=clock.now())
                    await self._processes.start_jobs()
                else:
                    await reconciling.hold(now=clock.now())
                    await self._fill(sandbox, world, days=days, scale=scale)
                    await planning.plan(world, now=clock.now())
                    await shared_rooms.share(world, now=clock.now())
                    await giving.give(world, self._settings, now=clock.now())
                show = await self.scenes.tell(sandbox, world)
                if not was_told:
                    await self._fetched()
                    waiting = await suspects.look(centre_id=world.centre_id, now=clock.now())
                    self._say(f"  核查案件 {waiting} 件待处理：/desk/integrity")
                    await self._settle(world, before=clock.at_local(clock.local_day(clock.now())))
                    await reporting.tell(world, now=clock.now())
                await reconciling.read()
                await self._keep_selling(sandbox, world, show)
        finally:
            await self._tear_down()

    async def _set_up(self, *, first_day: Any) -> tuple[Seeded, str]:
        self._say("迁移数据库 · migrating")
        await migrate(self._settings)
        await process.start(self._settings)
        kept = self._settings.data_dir / WORLD_FILE
        port = 0 if self._tag else self._settings.port + 100
        sandbox_url = await self._processes.start_sandbox(port=port)
        if not self._tag and kept.exists():
            world = msgspec.json.decode(kept.read_bytes(), type=Seeded)
        else:
            self._say("布置中心：部门、直播间、主播、店铺、活动 · seeding")
            world = await seed(tag=self._tag, sandbox_url=sandbox_url, now=first_day)
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.touch(mode=0o600)
            kept.write_bytes(msgspec.json.encode(world))
        await self._processes.start_web()
        return world, sandbox_url

    async def _tear_down(self) -> None:
        await self._processes.stop()
        await process.stop()

    async def _declare(self, sandbox: Machine, world: Seeded) -> None:
        for shop in world.shops.values():
            platform: Any = shop.platform
            await sandbox.post(
                "/control/shops",
                {
                    "platform": shop.platform,
                    "shop_ref": shop.shop_ref,
                    "hook_url": f"{self._url}/hooks/{shop.platform}/{shop.endpoint_key}",
                    "secret": shop.secret,
                    "app_key": shop.app_key,
                    "access_token": shop.access_token,
                    "products": msgspec.to_builtins(catalogue.products(platform)),
                },
            )

    def _introduce(self, world: Seeded) -> None:
        self._say("")
        self._say("历史场次、领券与核销由领域函数按过去的时间生成；销售由仿真平台签名推送，逐单取数。")
        self._say(f"  大屏    {self._url}/wall")
        self._say(f"  中心    {self._url}/desk      部门 {self._url}/bureau      商户 {self._url}/m")
        for role, login in world.logins.items():
            self._say(f"  {role:9} {login} / {cast.PASSWORD}")
        self._say("")

    async def _fill(self, sandbox: Machine, world: Seeded, *, days: int, scale: float) -> None:
        began = time.monotonic()
        self._say(f"补 {days} 天历史 · telling {days} days of history")
        heat = suspects.WHOLE if scale >= history.SCALE else suspects.TENTH
        past = await self._past(sandbox, world, days=days, scale=scale, heat=heat)
        await settling.tell(world, days=days, today=clock.local_day(clock.now()))
        slug = await lots.tell(world, self._settings)
        self._say(f"  摇号报名 {self._url}/c/{slug}")
        await self._processes.start_jobs()
        await self.scenes.push(sandbox, wait_seconds=80)
        self._say(f"  {len(past.rooms)} 场、{past.orders} 单，{time.monotonic() - began:.0f} 秒")

    async def _past(
        self, sandbox: Machine, world: Seeded, *, days: int, scale: float, heat: suspects.Heat
    ) -> Past:
        """What was before today, as far as the story takes it into account."""
        historian = history.Historian(world, self._settings, sandbox, scale=scale, seed=20260306)
        today = clock.local_day(clock.now())
        past = await historian.tell(days, today=today, heat=heat, say=self._say)
        self.scenes.claims += past.claims
        self.scenes.claims_before += past.claims
        self.scenes.redemptions += past.redemptions
        self.scenes.rooms |= past.rooms
        self.scenes.signals |= suspects.signals(heat)
        return past

    async def _settle(self, world: Seeded, *, before: datetime) -> None:
        """The platform's statements of what was sold by then."""
        shop = world.shops["doudian"].shop_ref
        lines = await statements.tell(shop, centre_id=world.centre_id, before=before, now=clock.now())
        self._say(f"  结算单 {lines} 行：/desk/statements · settled")

    async def _drained(self, api: Machine, sandbox: Machine) -> None:
        """Wait until nothing waits anywhere."""
        wanted = len(self.scenes.redemptions)
        board: dict[str, Any] = {}
        for _ in range(DRAIN_SECONDS * 5):
            board = (await api.get("/api/v1/wall"))["board"]
            waiting = sum(feed["waiting"] for feed in board["feeds"])
            status = await sandbox.get("/control/status")
            used = board["pulled"]["redemptions"]
            quiet = status["idle"] and not waiting and not board["today"]["pending"]
            if quiet and used >= wanted and not await self._fetches_waiting():
                return
            await asyncio.sleep(0.2)
        raise StoryBroken(f"not everything was booked within {DRAIN_SECONDS} s: {board}")

    async def _reconciled(self) -> None:
        """Wait until every list was read, and what it asked for is fetched."""
        for _ in range(DRAIN_SECONDS * 5):
            if not await reconciling.waiting() and not await self._fetches_waiting():
                await differences.settle(now=clock.now())
                return
            await asyncio.sleep(0.2)
        raise StoryBroken(f"the platforms' lists were not read within {DRAIN_SECONDS} s")

    async def _fetched(self) -> None:
        """Wait a while until no order of the past waits for its amount."""
        for _ in range(DRAIN_SECONDS * 5):
            if not await self._fetches_waiting():
                return
            await asyncio.sleep(0.2)

    async def _fetches_waiting(self) -> int:
        row = await database.fetch_one("SELECT count(*) AS n FROM fetch_job WHERE status = 'waiting'")
        return int(row["n"]) if row else 0

    async def _keep_selling(self, sandbox: Machine, world: Seeded, show: Show) -> None:
        await sandbox.post(
            "/control/live",
            {
                "shop": world.shops["doudian"].shop_ref,
                "orders_per_second": 0.4,
                "refund_rate": 0.06,
                "duplicates": 0.1,
                "loss": 0.05,
                "room_ref": show.room_ref,
                "author_ref": world.authors[show.stage_name],
                "author_name": show.stage_name,
            },
        )
        self._say("")
        self._say(f"  领券    {self._url}/c/{show.slug}")
        self._say(f"  主播    {self._url}{show.streamer_path}（另一台设备打开需要验证码）")
        self._say(f"  对账    {self._url}/desk/reconcile（平台丢掉百分之五的推送，每 10 分钟由清单补回）")
        self._say("验证码在 /desk/outbox 发件箱查看。按 Ctrl-C 结束。")
        await self._processes.any_ended()
        raise StoryBroken("a process of the demo ended by itself")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
