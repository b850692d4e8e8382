"""The commands: what they do, print and refuse, and how they end."""

from __future__ import annotations

import hashlib
import sqlite3
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from livehub import database
from livehub import settings as knobs
from livehub.accounts import tokens
from livehub.accounts.models import Bureau, Membership, User
from livehub.cli import COMMANDS
from livehub.kit import clock, outbox
from livehub.orders import intake
from livehub.orders.contribution import MEASURES
from livehub.orders.models import RollupBucket
from livehub.reports.reviews import SETTLED
from livehub.settings import Settings
from tests.cli.conftest import Ask, Livehub
from tests.vouchers.test_drawing import a_proof

SECRET = "b3a9c1d2-5e6f-4a7b-8c9d-0e1f2a3b4c5d"
APP = "6900000000000000001"
HOME = ("--centre", "北海直播消费促进中心", "--city", "北海")
OFFICER = (
    *("create-user", "lihua", "--name", "李华", "--role", "bureau", *HOME),
    *("--bureau", "农业农村局", "--bureau-kind", "agriculture", "--password", "Sandworm-2026"),
)
SHOP = (
    *("shop", "add", "doudian", "900001", "--name", "侨港海味", "--bureau", "农业农村局"),
    *("--app-key", APP, "--secret", SECRET),
)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_an_example(command: str, livehub: Livehub) -> None:
    ended = livehub(command, "--help")

    assert ended.status == 0
    assert f"Example:\n    livehub {command}" in ended.out


def test_the_first_user_brings_the_centre_and_the_bureau(livehub: Livehub, ask: Ask) -> None:
    ended = livehub(*OFFICER)

    assert ended == (0, "lihua (bureau) may log in at 北海直播消费促进中心\n", ended.err)
    again = livehub(*OFFICER)
    assert (again.status, again.err.startswith("livehub: LOGIN_TAKEN")) == (1, True)

    async def stored() -> Any:
        user, bureau = await User.get(login="lihua"), await Bureau.get(name="农业农村局")
        membership = await Membership.get(user_id=user.id)
        return user.name, membership.role, membership.bureau_id == bureau.id

    assert ask(stored) == ("李华", "bureau", True)


def test_what_cannot_be_is_said_in_one_line(livehub: Livehub) -> None:
    nowhere = livehub("create-user", "a1", "--name", "甲", "--role", "staff", "--password", "Sandworm-2026")
    livehub(*OFFICER)
    weak = livehub("create-user", "a2", "--name", "乙", "--role", "staff", "--password", "1")
    unknown = livehub("token", "create", "门户", "--role", "bureau", "--bureau", "没有")

    assert nowhere.status == 2
    assert "there is no centre yet" in nowhere.err
    assert weak.status == 1
    assert weak.err.startswith("livehub: ")
    assert unknown.status == 2
    assert "no bureau '没有'; there are: 农业农村局" in unknown.err


def test_a_token_is_printed_once_and_works(livehub: Livehub, ask: Ask) -> None:
    livehub(*OFFICER)

    ended = livehub("token", "create", "市政门户", "--role", "auditor", "--days", "30")

    plain = ended.out.strip()
    actor = ask(lambda: tokens.actor_of_token(plain, now=clock.now()))
    assert (actor.name, [str(grant.role) for grant in actor.grants]) == ("市政门户", ["auditor"])


def a_line(path: str, order: int, *, secret: str = SECRET, **more: str) -> bytes:
    data = {"p_id": order, "shop_id": 900001, "order_status": 2, "pay_time": 1760000010, "pay_amount": 3980}
    body = msgspec.json.encode(
        [{"tag": "101", "msg_id": f"{order}:101", "data": msgspec.json.encode(data).decode()}]
    )
    sign = hashlib.md5(APP.encode() + body + secret.encode()).hexdigest()
    headers = {"App-Id": APP, "Event-Sign": sign, "Content-Type": "application/json"}
    recorded = {"endpoint": path.rsplit("/", 1)[1], "headers": headers, "body": body.decode(), **more}
    return msgspec.json.encode(recorded) + b"\n"


def test_recorded_deliveries_go_the_way_of_pushes(livehub: Livehub, ask: Ask, tmp_path: Path) -> None:
    livehub(*OFFICER)
    path = livehub(*SHOP).out.strip()
    assert path.startswith("/hooks/doudian/")
    file = tmp_path / "deliveries.jsonl"
    file.write_bytes(b"".join([*(a_line(path, order) for order in range(1, 101)), b"\n"]))

    first = livehub("replay", str(file))
    second = livehub("replay", str(file))

    assert (first.status, first.out) == (0, "new: 100\n")
    assert (second.status, second.out) == (0, "known: 100\n")
    assert ask(lambda: database.fetch("SELECT count(*) AS n FROM inbox_message")) == [{"n": 100}]


def test_refused_lines_are_named_and_the_others_taken(livehub: Livehub, tmp_path: Path) -> None:
    livehub(*OFFICER)
    path = livehub(*SHOP).out.strip()
    file = tmp_path / "deliveries.jsonl"
    lines = [
        a_line(path, 1),
        b"{broken\n",
        a_line(path, 2, secret="another"),
        a_line("/hooks/doudian/nobody", 3),
        a_line(path, 4, received_at="2026-05-01T10:00:00+08:00"),
        a_line(path, 5, received_at="2026-05-01T10:00:00"),
    ]
    file.write_bytes(b"".join(lines))

    ended = livehub("replay", str(file))

    assert ended.status == 1
    assert sorted(ended.out.splitlines()) == [
        "bad signature: 1 (lines 3)",
        "new: 2",
        "not a recorded delivery: 2 (lines 2, 6)",
        "unknown endpoint: 1 (lines 4)",
    ]


def test_a_new_shop_opens_what_was_parked_for_it(livehub: Livehub, ask: Ask, tmp_path: Path) -> None:
    livehub(*OFFICER)
    other = (*SHOP[:3], "900002", *SHOP[4:])
    path = livehub(*other).out.strip()
    file = tmp_path / "deliveries.jsonl"
    file.write_bytes(a_line(path, 1))
    livehub("replay", str(file))

    async def process_all() -> list[dict[str, Any]]:
        now = clock.now()
        await outbox.hand_out(now=now)
        await intake.run_once(now=now, lease_seconds=30)
        return await database.fetch("SELECT status, reason FROM inbox_message")

    assert ask(process_all) == [{"status": "parked", "reason": "shop"}]
    without_app = (*SHOP[: SHOP.index("--app-key")], "--endpoint", path.rsplit("/", 1)[1])
    added = livehub(*without_app)
    assert (added.status, added.out.strip()) == (0, path)
    assert ask(process_all)[0]["status"] in {"applied", "stale"}


def test_rebuild_mends_what_audit_finds(livehub: Livehub, ask: Ask) -> None:
    livehub(*OFFICER)
    sound = livehub("audit")
    assert (sound.status, sound.out.startswith("all ")) == (0, True)

    async def spoil() -> None:
        await RollupBucket.create(
            centre_id=1, day=20261123, broadcast_id=0, shop_id=0, streamer_id=0, product_id=0, attribution="U",
            revision=1, **dict.fromkeys(MEASURES, 7),
        )  # fmt: skip

    ask(spoil)
    broken = livehub("audit")
    assert broken.status == 1
    assert "invariants do not hold: orders.buckets" in broken.err
    assert "orders.buckets: " in broken.out

    assert livehub("rebuild").out == "0 buckets summed anew, 1 differed from their entries\n"
    assert livehub("audit").status == 0


def test_rebuild_from_the_facts_compares_and_replaces_only_when_told(livehub: Livehub, ask: Ask) -> None:
    livehub(*OFFICER)
    assert livehub("rebuild", "--apply").status == 2
    sound = livehub("rebuild", "--from-facts")
    assert (sound.status, sound.out) == (0, "0 orders folded anew from their messages\nnothing differs\n")

    async def spoil() -> None:
        await RollupBucket.create(
            centre_id=1, day=20261123, broadcast_id=0, shop_id=0, streamer_id=0, product_id=0, attribution="U",
            revision=1, **dict.fromkeys(MEASURES, 7),
        )  # fmt: skip

    ask(spoil)
    told = livehub("rebuild", "--from-facts")
    assert told.status == 1
    assert "1 buckets were not the sum of their entries" in told.out
    assert "--apply replaces what differs" in told.out
    assert livehub("rebuild", "--from-facts", "--apply").status == 0
    assert livehub("rebuild", "--from-facts").out.endswith("nothing differs\n")


def test_a_backup_is_whole_and_holds_no_key(livehub: Livehub, environment: Settings, tmp_path: Path) -> None:
    livehub(*OFFICER)
    target = tmp_path / "copies" / "monday"

    ended = livehub("backup", "--to", str(target))

    assert ended.status == 0, ended.err
    digest, _, name = ended.out.strip().partition("  ")
    assert (digest, name) == (hashlib.sha256(target.read_bytes()).hexdigest(), str(target))
    assert target.stat().st_mode & 0o777 == 0o600
    key = next(iter(knobs.sealing.parse_keys(environment.keys).values()))
    assert key not in target.read_bytes()
    assert environment.keys.partition(":")[2].encode() not in target.read_bytes()
    if environment.is_sqlite:
        with sqlite3.connect(target) as copy:
            assert copy.execute("SELECT login FROM user_account").fetchall() == [("lihua",)]
        copy.close()
    else:
        assert target.read_bytes().startswith(b"PGDMP")
    again = livehub("backup", "--to", str(target))
    assert (again.status, again.err) == (1, f"livehub: {target} exists already\n")


def test_migrate_says_when_there_is_nothing_to_do(livehub: Livehub) -> None:
    assert livehub("migrate")[:2] == (0, "the schema is current\n")


def test_bad_settings_and_usage_end_with_two(livehub: Livehub, monkeypatch: pytest.MonkeyPatch) -> None:
    assert livehub("nonsense").status == 2
    assert livehub("serve", "--workers", "0").status == 2
    monkeypatch.setenv("LIVEHUB_PORT", "eighty")
    bad = livehub("migrate")
    assert (bad.status, bad.err) == (2, "livehub: LIVEHUB_PORT='eighty': expected a whole number\n")
    monkeypatch.setenv("LIVEHUB_PORT", "8000")
    monkeypatch.setenv("LIVEHUB_CLAIM_NETWORK_LIMIT", "0")
    none = livehub("serve")
    assert (none.status, none.err) == (2, "livehub: LIVEHUB_CLAIM_NETWORK_LIMIT='0': expected at least 1\n")


@pytest.mark.parametrize("seconds", ["0", "101"])
def test_a_lease_is_shorter_than_figures_are_waited_for(
    livehub: Livehub, monkeypatch: pytest.MonkeyPatch, seconds: str
) -> None:
    monkeypatch.setenv("LIVEHUB_LEASE_SECONDS", seconds)

    told = livehub("serve")

    assert told.err == f"livehub: LIVEHUB_LEASE_SECONDS='{seconds}': expected 1 to 100\n"
    assert timedelta(seconds=knobs.LONGEST_LEASE_SECONDS) < SETTLED


def test_sqlite_gets_one_worker(livehub: Livehub, environment: Settings) -> None:
    if not environment.is_sqlite:
        pytest.skip("PostgreSQL takes several")

    ended = livehub("serve", "--workers", "2")

    assert ended.status == 2
    assert "SQLite has one writer" in ended.err


def test_a_database_that_is_away_is_told_in_one_line(
    livehub: Livehub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LIVEHUB_DATABASE_URL", "postgres://nobody@127.0.0.1:1/nothing")

    ended = livehub("audit")

    assert ended.status == 1
    assert ended.err.splitlines()[-1].startswith("livehub: DATABASE_UNAVAILABLE")


def test_a_backup_is_restored_into_an_empty_place_only(
    livehub: Livehub, environment: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not environment.is_sqlite:
        pytest.skip("tests/faults/test_restore.py does it on PostgreSQL")
    livehub(*OFFICER)
    path = livehub(*SHOP).out.strip()
    file = tmp_path / "deliveries.jsonl"
    file.write_bytes(a_line(path, 1))
    livehub("replay", str(file))
    copy, elsewhere = tmp_path / "copy.db", tmp_path / "elsewhere"
    digest = livehub("backup", "--to", str(copy)).out.split()[0]

    occupied = livehub("restore", str(copy))
    assert (occupied.status, "would be overwritten" in occupied.err) == (1, True)
    monkeypatch.setenv("LIVEHUB_DATABASE_URL", f"sqlite://{elsewhere}/livehub.db")
    wrong = livehub("restore", str(copy), "--sha256", "0" * 64)
    assert (wrong.status, "does not have that SHA-256" in wrong.err) == (1, True)
    elsewhere.mkdir()
    (elsewhere / "livehub.db-wal").write_bytes(b"of another database")
    leftover = livehub("restore", str(copy))
    assert (leftover.status, "livehub.db-wal would be overwritten" in leftover.err) == (1, True)
    (elsewhere / "livehub.db-wal").unlink()
    damaged = tmp_path / "damaged.db"
    damaged.write_bytes(copy.read_bytes()[:-8192])
    cut = livehub("restore", str(damaged))
    assert (cut.status, "damaged.db is" in cut.err) == (1, True)
    assert not (elsewhere / "livehub.db").exists()

    done = livehub("restore", str(copy), "--sha256", digest)
    assert (done.status, done.out.splitlines()[0]) == (0, "restored; checking it now")
    assert (elsewhere / "livehub.db").stat().st_mode & 0o777 == 0o600
    monkeypatch.setenv("LIVEHUB_KEYS", "other:b3RoZXIta2V5LW9mLWV4YWN0bHktMzItYnl0ZXMhISE=")
    locked = livehub("audit")
    assert (locked.status, locked.err.splitlines()[-1]) == (
        1,
        "livehub: what is sealed does not open: test is not among the keys of LIVEHUB_KEYS",
    )


def test_a_stranger_does_a_draw_again_from_its_file(livehub: Livehub, tmp_path: Path) -> None:
    file = tmp_path / "draw.json"
    proof = a_proof()
    file.write_bytes(msgspec.json.encode(proof))
    ended = livehub("verify-draw", str(file))
    assert (ended.status, ended.out.startswith("the draw of round round holds: 20 entries, 5 winners")) == (
        0,
        True,
    )

    file.write_bytes(msgspec.json.encode(msgspec.structs.replace(proof, entries=proof.entries[1:])))
    ended = livehub("verify-draw", str(file))
    assert ended.status == 1
    assert "list_hash: it is not the SHA-256 of the list" in ended.out

    file.write_text("{}")
    ended = livehub("verify-draw", str(file))
    assert (ended.status, "is no proof of a draw" in ended.err) == (1, True)
