"""A direct round is given to the households of a roster, each once, and seen by who holds the phone."""

from __future__ import annotations

import asyncio
import contextvars
import json
from collections import Counter
from collections.abc import Callable
from datetime import timedelta

import pytest

from livehub import database
from livehub.accounts.actors import Actor
from livehub.accounts.errors import OutOfScope
from livehub.accounts.models import AuditEntry, Role
from livehub.kit import invariants
from livehub.kit.errors import NotFound
from livehub.kit.sheets import decoding, writing
from livehub.kit.sheets.errors import Unreadable
from livehub.settings import Settings
from livehub.vouchers import (
    campaign_queries,
    direct,
    drops,
    enrolments,
    households,
    identity,
    ledger,
    links,
    packs,
    places,
    queries,
    rounds,
)
from livehub.vouchers.direct import Outcome
from livehub.vouchers.errors import DirectOnly, Ended, NotDirect, Stacking, TemplateUnfit
from livehub.vouchers.models import Account, Claimant, ClaimSlot, IdempotencyRecord, LedgerEntry, Voucher
from livehub.vouchers.pack_models import DirectImport, Household
from livehub.vouchers.redemptions import RedeemDesk
from streamers.training.errors import RosterRefused
from streamers.training.importing import Mode
from tests.contention import kinds, meet
from tests.factories.accounts import an_actor
from tests.factories.vouchers import NOW, World, a_broadcast, a_kind, a_merchant, a_pack, a_world
from tests.vouchers.test_packs import ZHONGWEI


def a_roster(*rows: tuple[str, str], head: tuple[str, ...] = ("户号", "手机号")) -> bytes:
    return "\n".join(",".join(row) for row in (head, *rows)).encode()


def numbered(count: int, first: int = 0) -> list[tuple[str, str]]:
    return [(f"H{n:05d}", f"139{n:08d}") for n in range(first, first + count)]


async def a_direct_world(*kinds: object, households: int = 3) -> World:
    return await a_world(*(kinds or (a_pack(*ZHONGWEI, quantity=households),)), mode="direct")


async def take(world: World, raw: bytes, mode: Mode = Mode.PARTIAL, **given: object) -> Outcome:
    values = {"name": "沙坡头名册.csv", "actor": world.officer, "now": NOW}
    return await direct.take(raw, round_id=world.round.id, mode=mode, **(values | given))


async def nothing_is_broken() -> None:
    for each in invariants.discover(["livehub.vouchers"]):
        assert await each.check() == [], each.name


async def counts() -> dict[str, int]:
    models = (Voucher, Claimant, ClaimSlot, IdempotencyRecord, LedgerEntry, Household, DirectImport)
    return {model.__name__: await model.all().count() for model in models}


async def test_zhongwei_a_thousand_households_and_not_one_more(db: Settings) -> None:
    """A1: 9,000 vouchers of 90,000.00 yuan; one household uses everything at the least orders there are."""
    world = await a_direct_world(households=1000)

    outcome = await take(world, a_roster(*numbered(1000)))

    assert (outcome.given, outcome.vouchers, outcome.wrong) == (1000, 9000, [])
    sums = await ledger.balances(world.campaign.id)
    assert (sums[Account.HELD], sums[Account.AVAILABLE], sums[Account.UNISSUED]) == (9_000_000, 0, 0)
    before = await counts()

    late = await take(world, a_roster(("H99999", "13800000000")), Mode.DRY_RUN)
    assert [(each.line, each.code) for each in late.wrong] == [(2, "SOLD_OUT")]
    with pytest.raises(RosterRefused):
        await take(world, a_roster(("H99999", "13800000000")), Mode.STRICT)
    assert await counts() == before

    merchant, store = await a_merchant(world)
    await enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=NOW)
    cashier = an_actor(Role.MERCHANT, merchant_id=merchant.id, centre_id=world.bureau.centre_id)
    household = await identity.enter("13900000500", centre_id=world.bureau.centre_id, now=NOW)
    mine = await queries.vouchers_of(household.id, now=NOW)
    assert Counter(each.face_fen for each in mine) == {500: 6, 1500: 2, 3000: 1}
    desk = RedeemDesk(db)
    desk.start()
    try:
        await _use_all(desk, mine, merchant.id, store.id, cashier)
        seen = await campaign_queries.campaign(
            world.campaign.public_id, centre_id=world.bureau.centre_id, now=NOW
        )
    finally:
        await desk.stop()

    pulled = seen.figures.pulled
    assert (pulled.subsidy_fen, pulled.order_fen) == (9_000, 32_000)
    assert round(pulled.threshold_fen / pulled.face_fen, 2) == 3.56
    await nothing_is_broken()


async def _use_all(
    desk: RedeemDesk, mine: list[queries.Mine], merchant_id: int, store_id: int, cashier: Actor
) -> None:
    """By the code on paper, with the last digits of the phone; none together with another one."""
    for n, each in enumerate(mine):
        given = {
            "merchant_id": merchant_id,
            "store_id": store_id,
            "order_fen": each.threshold_fen,
            "actor": cashier,
            "now": NOW,
            "phone_tail": "0500",
        }
        if n:
            with pytest.raises(Stacking):
                await desk.redeem(each.code, key=f"stacked{n}", receipt_no=f"r{n - 1}", **given)
        await desk.redeem(each.code, key=f"use{n}", receipt_no=f"r{n}", **given)


async def test_the_same_file_again_changes_nothing(db: Settings) -> None:
    world = await a_direct_world()
    raw = a_roster(*numbered(3))
    first = await take(world, raw)
    before = await counts()

    again = await take(world, raw, Mode.STRICT)

    assert (first.given, again.given, again.unchanged, again.import_id) == (3, 0, 3, "")
    assert await counts() == before
    await nothing_is_broken()


async def test_a_dry_run_tells_what_would_come_and_writes_nothing(db: Settings) -> None:
    world = await a_direct_world()
    before = await counts()

    outcome = await take(world, a_roster(*numbered(4)), Mode.DRY_RUN)

    assert (outcome.given, outcome.vouchers, [each.code for each in outcome.wrong]) == (3, 27, ["SOLD_OUT"])
    assert await counts() == before
    assert await AuditEntry.filter(action="households.given").count() == 0


async def test_each_row_that_cannot_be_given_says_why(db: Settings) -> None:
    world = await a_direct_world(households=10)
    await take(world, a_roster(("H1", "13900000001"), ("H2", "13900000002")))
    raw = a_roster(
        ("", "13900000001"),  # has hers
        ("H3", "1390000003"),
        ("H4", "139 0000 0004"),
        ("H5", "13900000004"),
        ("H4", "13900000005"),
        ("H1", "13900000006"),
        ("H7", "13900000002"),
        ("", "13900000007"),
        ("H" * 41, "13900000008"),
    )

    outcome = await take(world, raw)

    assert [(each.line, each.code, each.of) for each in outcome.wrong] == [
        (3, "PHONE_FORMAT", 0),
        (5, "PHONE_IN_FILE", 4),
        (6, "HOUSEHOLD_IN_FILE", 4),
        (7, "HOUSEHOLD_KNOWN", 0),
        (8, "PHONE_KNOWN", 0),
        (10, "HOUSEHOLD_FORMAT", 0),
    ]
    assert (outcome.given, outcome.unchanged) == (2, 1)
    book = await direct.workbook(outcome.import_id, actor=world.officer, now=NOW)
    rows = [row for _, row in decoding.read(book).rows]
    assert rows[0] == ["户号", "手机号", "原行号", "未发放原因"]
    assert rows[2] == ["H5", "13900000004", "5", "和第 4 行是同一个手机号"]
    assert await AuditEntry.filter(action="households.mistakes_opened").count() == 1
    await nothing_is_broken()


async def test_a_strict_import_gives_all_or_nothing(db: Settings) -> None:
    world = await a_direct_world()
    before = await counts()

    with pytest.raises(RosterRefused) as refused:
        await take(world, a_roster(*numbered(2), ("H9", "12345")), Mode.STRICT)

    assert [each.field for each in refused.value.details] == ["rows[4].手机号"]
    assert await counts() == before
    whole = await take(world, a_roster(*numbered(2)), Mode.STRICT)
    assert whole.given == 2


async def test_a_workbook_is_read_like_a_csv_and_one_voucher_is_given_like_a_pack(db: Settings) -> None:
    world = await a_direct_world(a_kind(quantity=2))
    book = writing.workbook([("手机", "姓名"), ("13900000001", "甲"), ("13900000002", "乙")], sheet="名册")

    outcome = await take(world, book)

    assert (outcome.given, outcome.vouchers, outcome.unchanged) == (2, 2, 0)
    assert [each.household_index for each in await Household.all()] == [None, None]
    await nothing_is_broken()


async def test_two_imports_at_once_give_each_household_its_vouchers_once(db: Settings) -> None:
    world = await a_direct_world(households=40)
    raw = a_roster(*numbered(60))

    outcomes = await asyncio.gather(*(take(world, raw) for _ in range(3)))

    assert sorted(each.given for each in outcomes) == [0, 0, 40]
    assert sorted(each.unchanged for each in outcomes) == [0, 40, 40]
    assert (await counts())["Voucher"] == 360
    await nothing_is_broken()


@pytest.mark.parametrize(
    ("raw", "reason"),
    [
        (b"", "文件是空的"),
        ("户号\nH1".encode(), "找不到列：手机号"),
        ("手机号,手机\n1,2".encode(), "列名重复"),
        ("手机号\n".encode(), "只有列名"),
    ],
)
async def test_a_file_that_is_no_roster_says_what_is_wrong(db: Settings, raw: bytes, reason: str) -> None:
    world = await a_direct_world()

    with pytest.raises(Unreadable) as refused:
        await take(world, raw)

    assert refused.value.details[0].reason.startswith(reason)


async def test_a_roster_is_taken_by_a_direct_round_that_is_open(db: Settings) -> None:
    world = await a_world()
    with pytest.raises(NotDirect):
        await take(world, a_roster(*numbered(1)))
    with pytest.raises(NotFound):
        await direct.take(
            a_roster(*numbered(1)), round_id=0, mode=Mode.PARTIAL, name="", actor=world.officer, now=NOW
        )

    other = await a_direct_world()
    stranger = an_actor(Role.BUREAU, bureau_id=other.bureau.id + 1, centre_id=other.bureau.centre_id)
    with pytest.raises(OutOfScope):
        await take(other, a_roster(*numbered(1)), actor=stranger)
    with pytest.raises(Ended):
        await take(other, a_roster(*numbered(1)), now=NOW + timedelta(days=4))
    await rounds.close_round(other.round.id, actor=other.officer, now=NOW)
    with pytest.raises(Ended):
        await take(other, a_roster(*numbered(1)))
    assert (await counts())["Voucher"] == 0


async def test_a_direct_round_has_neither_links_nor_drops_and_gives_one_thing(db: Settings) -> None:
    world = await a_direct_world()
    broadcast = await a_broadcast(world)

    with pytest.raises(DirectOnly):
        await links.create(world.round.id, actor=world.officer, now=NOW)
    with pytest.raises(DirectOnly):
        await drops.plan(
            broadcast.id,
            template_id=world.template.id,
            quantity=1,
            window_s=60,
            actor=world.staff,
            now=NOW,
        )
    with pytest.raises(TemplateUnfit):
        await rounds.schedule(
            world.campaign.id,
            templates=[a_kind(), a_kind()],
            claim_from=NOW,
            claim_until=NOW + timedelta(days=1),
            actor=world.officer,
            now=NOW,
            mode="direct",
        )


async def test_the_phones_of_a_roster_are_kept_as_claims_keep_them(db: Settings) -> None:
    world = await a_direct_world()
    await take(world, a_roster(("H1", "13900000001")))

    household = await Household.get()
    claimant = await Claimant.get(id=household.claimant_id)
    assert bytes(household.person_key) == bytes(claimant.person_key) == identity.phone_index("13900000001")
    assert await identity.phone_of(claimant.id) == "13900000001"
    (noted,) = await database.fetch("SELECT * FROM direct_import")
    assert b"13900000001" not in repr(noted).encode()
    entry = await AuditEntry.get(action="households.given")
    assert "13900000001" not in entry.detail


async def test_a_roster_taken_twice_at_one_moment_gives_each_household_its_vouchers_once(
    db: Settings,
) -> None:
    world = await a_direct_world(households=10)
    raw = a_roster(*numbered(3))

    answers = await meet(db, "SELECT 1 FROM ledger_account FOR UPDATE", *[lambda: take(world, raw)] * 2)

    assert kinds(answers) == ["Outcome", "Outcome"]
    assert sorted((each.given, each.unchanged) for each in answers) == [(0, 3), (3, 0)]
    assert (await counts())["Voucher"] == 27


async def test_one_household_of_two_rosters_with_two_phones_is_given_once(db: Settings) -> None:
    world = await a_direct_world(households=10)
    phones = ("13900000001", "13900000002")

    answers = await meet(
        db,
        "SELECT 1 FROM ledger_account FOR UPDATE",
        *[lambda phone=phone: take(world, a_roster(("H1", phone))) for phone in phones],
    )

    assert sorted((each.given, len(each.wrong)) for each in answers) == [(0, 1), (1, 0)]
    assert (await counts())["Voucher"] == 9


async def test_a_number_that_comes_later_is_kept_and_counts(db: Settings) -> None:
    """H1 was known by its phone alone: once its number came, another phone of H1 is given nothing."""
    world = await a_direct_world(households=10)
    await take(world, a_roster(("", "13900000001"), ("H2", "13900000002")))

    numbering = await take(world, a_roster(("H1", "13900000001")))
    other_phone = await take(world, a_roster(("H1", "13900000003")))
    other_number = await take(world, a_roster(("H9", "13900000001")))
    before = await counts()
    again = await take(world, a_roster(("H1", "13900000001")), Mode.STRICT)

    assert (numbering.given, numbering.unchanged, bool(numbering.import_id)) == (0, 1, True)
    assert (other_phone.given, [each.code for each in other_phone.wrong]) == (0, ["HOUSEHOLD_KNOWN"])
    assert (other_number.given, [each.code for each in other_number.wrong]) == (0, ["PHONE_KNOWN"])
    assert (again.unchanged, again.import_id, await counts()) == (1, "", before)
    assert (await counts())["Voucher"] == 18
    await nothing_is_broken()


@pytest.mark.parametrize(
    "rows",
    [
        (("H1", "13900000002"), ("H1", "13900000001")),
        (("H1", "13900000001"), ("H1", "13900000002")),
        (("", "13900000001"), ("H1", "13900000002"), ("H1", "13900000001")),
        (("H1", "13900000002"), ("H1", "13900000003"), ("H1", "13900000001")),
    ],
)
@pytest.mark.parametrize("mode", list(Mode))
async def test_a_household_known_by_a_phone_is_not_given_again_by_another_phone_of_its_number(
    db: Settings, rows: tuple[tuple[str, str], ...], mode: Mode
) -> None:
    """Its phone came without a number before, and now in one file with a number that has other phones too."""
    world = await a_direct_world(households=10)
    await take(world, a_roster(("", "13900000001")))

    if mode is Mode.STRICT:
        with pytest.raises(RosterRefused):
            await take(world, a_roster(*rows), mode)
    else:
        outcome = await take(world, a_roster(*rows), mode)
        assert (outcome.given, outcome.unchanged, outcome.rows) == (0, 1, len(rows))
        assert len(outcome.wrong) == len(rows) - 1
        assert {each.code for each in outcome.wrong} <= {"HOUSEHOLD_IN_FILE", "PHONE_IN_FILE"}
    assert (await counts())["Voucher"] == 9
    if mode is Mode.PARTIAL:
        alone = await take(world, a_roster(("H1", "13900000002")))  # the number was kept
        assert (alone.given, [each.code for each in alone.wrong]) == (0, ["HOUSEHOLD_KNOWN"])
    await nothing_is_broken()


async def test_a_file_that_names_a_phone_twice_counts_by_the_row_with_the_number(db: Settings) -> None:
    world = await a_direct_world(households=10)

    outcome = await take(
        world, a_roster(("", "13900000001"), ("H1", "13900000002"), ("H1", "13900000001"), ("", ""))
    )

    assert outcome.given == 1
    assert sorted((each.line, each.code, each.of) for each in outcome.wrong) == [
        (2, "PHONE_IN_FILE", 4),
        (4, "HOUSEHOLD_IN_FILE", 3),
    ]
    await nothing_is_broken()


async def test_a_household_that_comes_to_be_known_meanwhile_is_not_given_again(db: Settings) -> None:
    """Its phone alone is given its vouchers between the look at a file and its turn."""
    world = await a_direct_world(households=10)
    rows = (("H1", "13900000002"), ("H1", "13900000001"))

    answers = await meet(
        db,
        "SELECT 1 FROM ledger_account FOR UPDATE",
        lambda: take(world, a_roster(("", "13900000001"))),
        lambda: take(world, a_roster(*rows)),
    )

    assert [(each.given, each.unchanged) for each in answers] == [(1, 0), (0, 1)]
    assert (await counts())["Voucher"] == 9
    await nothing_is_broken()


async def test_a_number_that_another_phone_has_is_not_given_to_a_second_one(db: Settings) -> None:
    world = await a_direct_world(households=10)
    await take(world, a_roster(("", "13900000001"), ("H2", "13900000002")))

    outcome = await take(world, a_roster(("H2", "13900000001")), Mode.DRY_RUN)

    assert [(each.line, each.code) for each in outcome.wrong] == [(2, "HOUSEHOLD_KNOWN")]


async def test_a_partial_import_lets_tills_in_and_goes_on_where_it_was_cut_short(
    db: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(direct, "VOUCHERS_AT_ONCE", 30)  # three households
    world = await a_direct_world(households=120)
    raw = a_roster(*numbered(120), ("H99999", "1"))
    taking = asyncio.create_task(take(world, raw))
    while not (seen := await Household.all().count()):  # noqa: ASYNC110 -- what others see of it
        await asyncio.sleep(0)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    await asyncio.sleep(0.3)  # what was in hand is committed
    (begun,) = await DirectImport.all()
    given = await Household.all().count()

    rest = await take(world, raw)

    assert seen % 3 == 0 < given < 120
    assert (begun.given, begun.wrong) == (given, 1)
    assert (rest.given, rest.unchanged, rest.vouchers) == (120 - given, given, 9 * (120 - given))
    noted = await DirectImport.get(public_id=rest.import_id)
    assert (noted.given, noted.unchanged, noted.wrong) == (120 - given, given, 1)
    entries = await AuditEntry.filter(action="households.given", object_id=rest.import_id)
    assert sum(json.loads(each.detail)["given"] for each in entries) == 120 - given
    await nothing_is_broken()


@pytest.mark.parametrize("settings", [pytest.param("postgres", marks=pytest.mark.postgres)], indirect=True)
async def test_a_dry_run_waits_for_nobody(db: Settings) -> None:
    world = await a_direct_world()

    async with database.transaction():
        await places.hold({await packs.only_offer(world.round.id)})
        other = contextvars.Context().run(
            asyncio.create_task, take(world, a_roster(*numbered(2)), Mode.DRY_RUN)
        )
        outcome = await asyncio.wait_for(other, 5)

    assert outcome.given == 2


async def test_a_strict_import_is_bounded_in_vouchers(db: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(direct, "MOST_AT_ONCE", 20)
    world = await a_direct_world(households=10)

    with pytest.raises(Unreadable) as refused:
        await take(world, a_roster(*numbered(3)), Mode.STRICT)

    (told,) = refused.value.details
    assert told.reason == "要发 27 张券，整批发放一次最多 20 张"
    assert told.expected == "改用部分发放，或拆成几个文件，每个最多 2 户"
    assert (await counts())["Voucher"] == 0
    await take(world, a_roster(*numbered(2)), Mode.STRICT)
    again = await take(world, a_roster(*numbered(4)), Mode.STRICT)
    assert (again.given, again.unchanged) == (2, 2)


@pytest.mark.parametrize("make", [a_kind, a_pack])
async def test_a_direct_round_cannot_be_bound_to_platforms(db: Settings, make: Callable[..., object]) -> None:
    with pytest.raises(TemplateUnfit) as refused:
        await a_direct_world(make(rules={"platform_scope": {"only": ["doudian"]}}))

    assert [each.field for each in refused.value.details] == ["rules.platform_scope"]
    world = await a_direct_world(make(rules={"platform_scope": {"only": []}}))
    assert (await take(world, a_roster(*numbered(1)))).given == 1


async def test_the_reason_stands_in_its_column_beside_wider_rows(db: Settings) -> None:
    world = await a_direct_world()

    outcome = await take(world, a_roster(("H1", "1", "甲", "乙"), ("H2", "2")))  # type: ignore[arg-type]

    rows = [row for _, row in decoding.read(direct.workbook_of(outcome.wrong, outcome.head)).rows]
    assert rows[0] == ["户号", "手机号", "", "", "原行号", "未发放原因"]
    assert [row[4:] for row in rows[1:]] == [
        ["2", households.REASONS["PHONE_FORMAT"]],
        ["3", households.REASONS["PHONE_FORMAT"]],
    ]
