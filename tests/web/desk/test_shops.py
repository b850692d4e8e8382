"""店铺与接口: a new secret beside the old one until its end, and how long bytes are kept, over real HTTP."""

from __future__ import annotations

from datetime import timedelta

import time_machine

from livehub import database
from livehub.accounts.models import Role
from livehub.cli.audit import PACKAGES
from livehub.inbox import retention
from livehub.kit import clock, invariants
from tests.factories.platforms import STANDARD_SECRET
from tests.web.desk.office import Office
from tests.web.phones import visible
from tests.web.senders import Sender
from tests.web.test_secret_rotation import NEW, STANDARD, answers


async def test_the_old_secret_is_accepted_until_its_end_and_then_refused(office: Office) -> None:
    sender, path = Sender(STANDARD, office.site, office.endpoint), f"/desk/shops/{office.endpoint.id}"
    manager = await office.visitor(Role.MANAGER)
    assert await answers(sender, old=STANDARD_SECRET) == {"old": 200, "new": 401}

    asked = await manager.page(f"{path}/secret")
    assert STANDARD_SECRET not in asked
    done = await manager.post(f"{path}/secret", secret=NEW, hours=1)
    assert (done[0], done[2]) == (303, "/desk/shops?done=secret-rotated")
    shown = await manager.page(done[2])

    assert (NEW in shown, f"/hooks/standard_webhooks/{office.endpoint.endpoint_key}" in shown) == (
        False,
        True,
    )
    assert "停用" in visible(shown)
    assert await answers(sender, old=STANDARD_SECRET) == {"old": 200, "new": 200}
    with time_machine.travel(clock.now() + timedelta(minutes=61), tick=True):
        assert await answers(sender, old=STANDARD_SECRET) == {"old": 401, "new": 200}
    details = await database.fetch("SELECT detail FROM audit_entry WHERE action = 'endpoint.secret_rotated'")
    assert [NEW in each["detail"] for each in details] == [False]


async def test_a_leaked_secret_ends_at_once(office: Office) -> None:
    sender, path = Sender(STANDARD, office.site, office.endpoint), f"/desk/shops/{office.endpoint.id}"
    manager = await office.visitor(Role.MANAGER)
    await manager.post(f"{path}/secret", secret=NEW, hours=168)
    assert await answers(sender, old=STANDARD_SECRET) == {"old": 200, "new": 200}

    assert (await manager.post(f"{path}/end-old-secrets"))[2] == "/desk/shops?done=old-secrets-ended"

    assert await answers(sender, old=STANDARD_SECRET) == {"old": 401, "new": 200}


async def test_what_cannot_be_a_secret_is_said_and_not_shown_again(office: Office) -> None:
    admin, path = await office.visitor(Role.ADMIN), f"/desk/shops/{office.endpoint.id}/secret"

    status, page, _ = await admin.post(path, secret="whsec_not-base64!", hours=24)

    assert status == 422
    assert 'role="alert"' in page
    assert "not-base64" not in page
    assert 'value="24" selected' in page


async def test_who_may_not_manage_shops_sees_no_addresses(office: Office) -> None:
    staff, path = await office.visitor(Role.STAFF), f"/desk/shops/{office.endpoint.id}/secret"

    page = await staff.page("/desk/shops")

    assert ("北海优选" in page, "/hooks/" in page, "更换密钥" in page) == (True, False, False)
    assert (await staff.get(path))[0] == 403
    assert (await staff.post(path, secret=NEW, hours=0))[0] == 403


async def test_bytes_go_after_their_time_and_every_figure_stays(office: Office) -> None:
    await office.sell("A1", paid_fen=10_000)
    manager, auditor = await office.visitor(Role.MANAGER), await office.visitor(Role.AUDITOR)
    row = await database.fetch_one("SELECT max(id) AS id FROM inbox_delivery")
    path, months = f"/desk/deliveries/{row['id']}", clock.now() + timedelta(days=100)
    assert (await auditor.post(f"{path}/open", reason="核对退款"))[0] == 200

    below = await manager.post(f"/desk/shops/{office.shop.public_id}/evidence", days=89)
    assert (below[0], "原文至少保存 90 天" in below[1]) == (422, True)
    done = await manager.post(f"/desk/shops/{office.shop.public_id}/evidence", days=90)
    assert (done[0], done[2]) == (303, "/desk/shops?done=evidence-kept")
    assert await retention.erase_due(now=months) == 1

    page = visible(await auditor.page(path))
    assert "保存期满，字节已删除；上面的 SHA-256 仍可核对。" in page
    status, refused, _ = await auditor.post(f"{path}/open", reason="核对退款")
    assert (status, "字节已删除" in visible(refused)) == (410, True)
    assert "100.00" in visible(await manager.page("/desk/sales"))
    assert [each.name for each in invariants.discover(PACKAGES) if await each.check()] == []
