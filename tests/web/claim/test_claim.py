"""The consumer's page over real HTTP: rules, a code, a voucher, and every way it is refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta

import pytest
import time_machine

from livehub.vouchers import campaigns, drops, enrolments, links, rounds
from livehub.vouchers.models import Claimant, ClaimLink, Validity, Voucher
from livehub.web import assets
from rooms.facts import BookingApproved
from rooms.models import Broadcast, BroadcastState
from tests.factories.vouchers import NOW, World, a_broadcast, a_claimant, a_kind, a_merchant, a_world
from tests.site import Site
from tests.web.phones import code_sent_to, hidden, tap, visible

PHONE = "13900001234"


@pytest.fixture(autouse=True)
def _evening() -> Iterator[None]:
    with time_machine.travel(NOW, tick=True):
        yield


async def verified(site: Site, slug: str, phone: str = PHONE, *, browser=None) -> str:
    """The link's page, after a code was sent to the phone."""
    page = await page_of(site, f"/c/{slug}", browser=browser)
    status, html, _ = await tap(site, f"/c/{slug}/code", page=page, browser=browser, phone=phone)
    assert status == 200, visible(html)
    return html


async def page_of(site: Site, path: str, *, browser=None) -> str:
    async with (browser or site.session).get(path, allow_redirects=False) as answer:
        assert answer.status == 200, (path, answer.status)
        return await answer.text()


async def claimed(site: Site, slug: str, phone: str = PHONE, *, browser=None) -> str:
    """Where a claim with a fresh code leads."""
    page = await verified(site, slug, phone, browser=browser)
    code = await code_sent_to(phone[-4:])
    status, html, where = await tap(
        site, f"/c/{slug}/claim", page=page, browser=browser, phone=phone, code=code, key=hidden(page, "key")
    )
    assert status == 303, visible(html)
    return where


async def test_a_phone_and_a_code_give_a_voucher_and_the_phone_is_remembered(client: Site) -> None:
    world = await a_world()
    slug = world.link.slug

    where = await claimed(client, slug)
    mine = await page_of(client, where)
    again = await page_of(client, f"/c/{slug}")

    assert where == f"/c/{slug}/mine?claimed=1"
    text = visible(mine)
    assert "领到了" in text
    assert "139****1234 · 共 1 张" in text
    assert "5月27日 24:00 前有效" not in text  # the day of the claim is the first of seven
    assert "5月26日 24:00 前有效" in text
    assert "<svg" in mine
    assert PHONE not in mine + again
    assert "用 139****1234 领取" in visible(again)
    cookies = {each.key: each for each in client.session.cookie_jar}
    assert cookies["__Host-claimant"]["httponly"]
    assert cookies["__Host-claimant"]["secure"]
    assert cookies["__Host-claimant"]["max-age"] == str(30 * 86_400)
    assert await Voucher.all().count() == 1


async def test_the_page_says_the_rules_in_plain_words(client: Site) -> None:
    world = await a_world(a_kind(merchants_only=True))
    for name in ("侨港海味馆", "老街饭店"):
        merchant, _ = await a_merchant(world, name)
        await enrolments.enrol(world.campaign.id, merchant_id=merchant.id, actor=world.officer, now=NOW)

    text = visible(await page_of(client, f"/c/{world.link.slug}"))

    assert "满 100 可用" in text
    assert "2 家门店通用" in text
    assert "每人限领 1 张" in text
    assert "领取后 7 天内有效（含当天）" in text
    assert "剩余 1,000 / 1,000" in text
    assert "农业农村局 发放" in text


async def test_openings_are_counted(client: Site) -> None:
    world = await a_world()

    for _ in range(3):
        await page_of(client, f"/c/{world.link.slug}")
    async with client.get("/c/nosuchlink") as answer:
        assert answer.status == 404
    await client.app.ctx.claim_desk.clicks.flush()

    assert (await ClaimLink.get(id=world.link.id)).clicks == 3


async def test_the_same_tap_twice_is_one_voucher(client: Site) -> None:
    world = await a_world(a_kind(rules={"per_person": {"limit": 5}}))
    slug = world.link.slug
    await claimed(client, slug)
    page = await page_of(client, f"/c/{slug}")

    first = await tap(client, f"/c/{slug}/claim", page=page, key=hidden(page, "key"))
    second = await tap(client, f"/c/{slug}/claim", page=page, key=hidden(page, "key"))

    assert (first[0], first[2]) == (second[0], second[2]) == (303, f"/c/{slug}/mine?claimed=1")
    assert await Voucher.all().count() == 2  # the first claim's, and one of the two taps


async def test_a_second_voucher_is_refused_on_the_same_page(client: Site) -> None:
    world = await a_world()
    slug = world.link.slug
    await claimed(client, slug)
    page = await page_of(client, f"/c/{slug}")

    status, html, _ = await tap(client, f"/c/{slug}/claim", page=page, key=hidden(page, "key"))

    assert status == 409
    assert "每人限领 1 张，您已经领过了。" in visible(html)
    assert "查看我的券" in visible(html)
    assert "领取 1 张" not in visible(html)  # nothing that could only be refused again


async def test_a_wrong_code_is_said_beside_its_field_and_five_end_it(client: Site) -> None:
    world = await a_world()
    slug = world.link.slug
    page = await verified(client, slug)
    code = await code_sent_to("1234")
    wrong = f"{(int(code) + 1) % 1_000_000:06d}"
    given = {"phone": PHONE, "key": hidden(page, "key")}

    for _ in range(5):
        status, html, _ = await tap(client, f"/c/{slug}/claim", page=page, code=wrong, **given)
        assert status == 422
        assert 'id="code-wrong"' in html
        assert f'value="{PHONE}"' in html  # what was typed is kept
        assert wrong not in html
    status, _, _ = await tap(client, f"/c/{slug}/claim", page=page, code=code, **given)

    assert status == 422  # the right one comes too late
    assert await Claimant.all().count() == 0


async def test_the_answer_does_not_tell_whether_a_phone_is_known(client: Site) -> None:
    world = await a_world()
    slug = world.link.slug
    await a_claimant(world, PHONE)
    page = await page_of(client, f"/c/{slug}")

    known = await tap(client, f"/c/{slug}/code", page=page, phone=PHONE, key="k")
    stranger = await tap(client, f"/c/{slug}/code", page=page, phone="13900005678", key="k")

    assert known[0] == stranger[0] == 200
    assert known[1].replace(PHONE, "") == stranger[1].replace("13900005678", "")


async def test_codes_are_limited_and_the_page_says_how_long_to_wait(client: Site) -> None:
    world = await a_world()
    page = await verified(client, world.link.slug)

    async with client.post(
        f"/c/{world.link.slug}/code", data={"csrf": hidden(page, "csrf"), "phone": PHONE}
    ) as answer:
        html = await answer.text()

    assert answer.status == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "过于频繁" in visible(html)


@pytest.mark.parametrize(
    ("phone", "code", "wrong"), [("123", "123456", "phone"), (PHONE, "12", "code"), ("", "", "phone")]
)
async def test_what_is_not_a_phone_or_a_code_is_said_beside_its_field(
    client: Site, phone: str, code: str, wrong: str
) -> None:
    world = await a_world()
    page = await page_of(client, f"/c/{world.link.slug}")

    status, html, _ = await tap(
        client, f"/c/{world.link.slug}/claim", page=page, phone=phone, code=code, key="k"
    )

    assert status == 422
    assert f'id="{wrong}-wrong"' in html


async def test_a_form_without_its_token_or_from_elsewhere_is_refused(client: Site) -> None:
    world = await a_world()
    slug = world.link.slug
    page = await page_of(client, f"/c/{slug}")

    without = await tap(client, f"/c/{slug}/code", phone=PHONE)
    async with client.browser() as stranger:
        stolen = await tap(client, f"/c/{slug}/code", page=page, browser=stranger, phone=PHONE)
    async with client.post(
        f"/c/{slug}/code",
        data={"csrf": hidden(page, "csrf"), "phone": PHONE},
        headers={"Sec-Fetch-Site": "cross-site"},
    ) as answer:
        assert answer.status == 403

    assert without[0] == stolen[0] == 403


async def of_broadcast(world: World) -> tuple[str, int]:
    """A live broadcast's link, and its planned drop of two vouchers."""
    broadcast = await a_broadcast(world)
    fact = BookingApproved(
        booking_id=broadcast.booking_id,
        centre_id=world.bureau.centre_id,
        bureau_id=world.bureau.id,
        broadcast_id=broadcast.id,
        at_ms=0,
    )
    await links.on_booking_approved(fact, NOW)
    link = await ClaimLink.get(broadcast_id=broadcast.id)
    drop = await drops.plan(
        broadcast.id, template_id=world.template.id, quantity=2, window_s=600, actor=world.staff, now=NOW
    )
    return link.slug, drop.id


async def test_a_broadcasts_link_waits_opens_sells_out_and_opens_again(client: Site) -> None:
    world = await a_world()
    slug, drop_id = await of_broadcast(world)

    before = visible(await page_of(client, f"/c/{slug}"))
    await drops.open_drop(drop_id, actor=world.staff, now=NOW)
    opened = visible(await page_of(client, f"/c/{slug}"))
    for phone in ("13900000001", "13900000002"):
        async with client.browser() as browser:
            await claimed(client, slug, phone, browser=browser)
    sold_out = visible(await page_of(client, f"/c/{slug}"))
    await drops.close_drop(drop_id, actor=world.staff, now=NOW + timedelta(minutes=3))
    next_drop = await drops.plan(
        (await ClaimLink.get(slug=slug)).broadcast_id,
        template_id=world.template.id,
        quantity=5,
        window_s=60,
        actor=world.staff,
        now=NOW,
    )
    await drops.open_drop(next_drop.id, actor=world.staff, now=NOW)
    await drops.close_drop(next_drop.id, actor=world.staff, now=NOW)
    between = visible(await page_of(client, f"/c/{slug}"))

    broadcast_id = (await ClaimLink.get(slug=slug)).broadcast_id
    await Broadcast.filter(id=broadcast_id).update(state=BroadcastState.ENDED)
    ended = visible(await page_of(client, f"/c/{slug}"))

    assert "领取已结束" in ended
    assert "还没有开始" in before
    assert "海哥的直播间" in opened
    assert "本场剩余 2 / 2" in opened
    assert "这一批已领完" in sold_out
    assert "这一批已结束" in between


async def test_who_comes_too_late_reads_it_on_the_same_page_and_is_remembered(client: Site) -> None:
    world = await a_world()
    slug, drop_id = await of_broadcast(world)
    await drops.open_drop(drop_id, actor=world.staff, now=NOW)
    page = await verified(client, slug)
    for phone in ("13900000001", "13900000002"):
        async with client.browser() as browser:
            await claimed(client, slug, phone, browser=browser)

    code = await code_sent_to("1234")
    status, html, _ = await tap(
        client, f"/c/{slug}/claim", page=page, phone=PHONE, code=code, key=hidden(page, "key")
    )

    assert status == 409
    assert "这一批已领完" in visible(html)
    assert "__Host-claimant" in {each.key for each in client.session.cookie_jar}


async def test_a_paused_campaign_and_a_closed_round_say_so(client: Site) -> None:
    world = await a_world()
    slug = world.link.slug

    await campaigns.pause(world.campaign.id, actor=world.officer, now=NOW)
    paused = visible(await page_of(client, f"/c/{slug}"))
    await campaigns.resume(world.campaign.id, actor=world.officer, now=NOW)
    await rounds.close_round(world.round.id, actor=world.officer, now=NOW)
    closed = visible(await page_of(client, f"/c/{slug}"))

    assert "活动暂停" in paused
    assert "领取已结束" in closed


async def test_a_link_of_a_round_with_two_kinds_offers_both(client: Site) -> None:
    world = await a_world(a_kind(), a_kind(name="满200减50", face_fen=5000, threshold_fen=20_000))
    slug = world.link.slug
    first = await page_of(client, f"/c/{slug}")
    other = await page_of(client, f"/c/{slug}?template={world.templates[1].public_id}")

    await client.session.close()
    client.session = client.browser()
    page = await page_of(client, f"/c/{slug}?template={world.templates[1].public_id}")
    _, page, _ = await tap(
        client, f"/c/{slug}/code", page=page, phone=PHONE, template=hidden(page, "template")
    )
    status, _, _ = await tap(
        client,
        f"/c/{slug}/claim",
        page=page,
        phone=PHONE,
        code=await code_sent_to("1234"),
        key=hidden(page, "key"),
        template=hidden(page, "template"),
    )

    assert "换领“满200减50”" in visible(first)
    assert "换领“满100减20”" in visible(other)
    assert status == 303
    assert (await Voucher.get()).template_id == world.templates[1].id


async def test_the_code_is_shown_to_its_claimant_only(client: Site) -> None:
    world = await a_world()
    slug = world.link.slug
    await claimed(client, slug)
    mine = await page_of(client, f"/c/{slug}/mine")

    async with client.browser() as stranger:
        theirs = await page_of(client, f"/c/{slug}/mine", browser=stranger)
        nobodys = await (await stranger.get("/c/mine")).text()

    assert "data-code" in mine
    assert "data-code" not in nobodys
    assert "用登记的手机号查看" in nobodys
    assert "data-code" not in theirs
    assert "用领券时的手机号查看" in theirs


async def test_her_vouchers_are_seen_on_another_phone_after_a_code(client: Site) -> None:
    world = await a_world()
    slug = world.link.slug
    await claimed(client, slug)

    with time_machine.travel(NOW + timedelta(minutes=2), tick=True):
        async with client.browser() as other:
            page = await page_of(client, f"/c/{slug}/mine", browser=other)
            _, page, _ = await tap(
                client, f"/c/{slug}/code", page=page, browser=other, phone=PHONE, back="mine"
            )
            assert "用领券时的手机号查看" in visible(page)
            code = await code_sent_to("1234")
            status, _, where = await tap(
                client, f"/c/{slug}/mine", page=page, browser=other, phone=PHONE, code=code
            )
            assert (status, where) == (303, f"/c/{slug}/mine")
            assert "共 1 张" in visible(await page_of(client, where, browser=other))
            assert "共 1 张" in visible(await page_of(client, "/c/mine", browser=other))


async def test_a_forgotten_phone_is_asked_for_again(client: Site) -> None:
    world = await a_world()
    slug = world.link.slug
    await claimed(client, slug)
    page = await page_of(client, f"/c/{slug}")
    token = next(each.value for each in client.session.cookie_jar if each.key == "__Host-claimant")

    status, _, where = await tap(client, f"/c/{slug}/forget", page=page)

    assert (status, where) == (303, f"/c/{slug}")
    assert 'id="phone"' in await page_of(client, f"/c/{slug}")
    async with client.browser(cookies={"__Host-claimant": token}) as thief:
        assert 'id="phone"' in await page_of(client, f"/c/{slug}", browser=thief)


async def test_the_qr_code_changes_every_thirty_seconds_and_one_is_open_at_a_time(client: Site) -> None:
    world = await a_world(a_kind(rules={"per_person": {"limit": 2}}))
    slug = world.link.slug
    await claimed(client, slug)
    page = await page_of(client, f"/c/{slug}")
    await tap(client, f"/c/{slug}/claim", page=page, key=hidden(page, "key"))

    now = await page_of(client, f"/c/{slug}/mine")
    with time_machine.travel(NOW + timedelta(seconds=31), tick=True):
        later = await page_of(client, f"/c/{slug}/mine")
    older = (await Voucher.all().order_by("id").first()).public_id
    other = await page_of(client, f"/c/{slug}/mine?show={older}")

    assert now.count("data-code=") == later.count("data-code=") == other.count("data-code=") == 1
    assert now.split("<svg")[1] != later.split("<svg")[1]
    assert f'data-code="{older}"' in other
    assert len(now.encode()) < 20_000


async def test_refreshing_an_answer_leads_back_to_the_link(client: Site) -> None:
    world = await a_world()

    for verb in ("code", "claim", "forget"):
        async with client.get(f"/c/{world.link.slug}/{verb}") as answer:
            assert (answer.status, answer.headers["Location"]) == (303, f"/c/{world.link.slug}")


async def test_the_address_is_told_to_nobody_and_the_privacy_page_is_there(client: Site) -> None:
    async with client.get("/c/privacy") as answer:
        assert answer.status == 200
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        assert "不提供给商户" in await answer.text()


async def test_a_fixed_time_is_said_as_it_is(client: Site) -> None:
    world = await a_world(
        a_kind(
            validity=Validity.FIXED,
            validity_n=0,
            valid_from=NOW + timedelta(hours=4),
            valid_until=NOW + timedelta(days=4, hours=4),
        )
    )
    slug = world.link.slug
    await claimed(client, slug)

    text = visible(await page_of(client, f"/c/{slug}"))
    mine = visible(await page_of(client, f"/c/{slug}/mine"))

    assert "5月24日 24:00 前有效" in text
    assert "5月21日 00:00 起可用，5月24日 24:00 前有效" in text
    assert "5月21日 00:00 起可用" in mine


async def test_another_centres_claimant_verifies_anew(client: Site) -> None:
    world, elsewhere = await a_world(), await a_world()
    await claimed(client, world.link.slug)

    page = await page_of(client, f"/c/{elsewhere.link.slug}")

    assert 'id="phone"' in page


async def test_her_vouchers_stay_a_light_page(client: Site) -> None:
    world = await a_world()
    await claimed(client, world.link.slug)
    html = await page_of(client, f"/c/{world.link.slug}/mine")
    loaded = re.findall(rf'"{assets.PREFIX}/{assets.shelf().version}/([\w./-]+)"', html)

    weight = len(html.encode()) + sum(len(assets.shelf().files[name].body) for name in loaded)

    assert "claim.js" in loaded
    assert weight < 50_000
