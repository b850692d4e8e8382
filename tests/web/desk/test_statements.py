"""结算单 on the desk: uploaded, looked at, imported, explained; and files that nobody should be able to break us with."""

from __future__ import annotations

import io

import aiohttp
import pytest

from livehub.accounts.models import AuditEntry, Role
from livehub.orders.statements.models import SettlementStatement, StatementPiece
from tests.factories.statements import GENERIC, a_file, a_row
from tests.web.desk.office import Office, Visitor, links
from tests.web.phones import hidden, visible

PATH = "/desk/statements"


async def send(
    who: Visitor,
    raw: bytes,
    *,
    shop: str,
    source: str = "generic",
    name: str = "4月对账.csv",
    csrf: str | None = None,
) -> tuple[int, str, str]:
    """The form with a file: status, text, and where it leads."""
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("csrf", hidden(await who.page("/desk"), "csrf") if csrf is None else csrf)
    form.add_field("shop", shop)
    form.add_field("source", source)
    form.add_field("file", io.BytesIO(raw), filename=name, content_type="text/csv")
    async with who.session.post(PATH, data=form, allow_redirects=False) as answer:
        return answer.status, await answer.text(), answer.headers.get("Location", "")


async def test_a_statement_is_looked_at_imported_and_its_difference_explained(office: Office) -> None:
    await office.sell("A1", paid_fen=12_800)
    await office.sell("A2", paid_fen=5_000)
    finance = await office.visitor(Role.FINANCE)
    raw = a_file(
        [a_row("A1", "128.00", fee="-6.40"), a_row("A2", "49.20"), a_row("A9", "1.00"), ("合计", *[""] * 7)],
        encoding="gbk",
    )

    status, _, where = await send(finance, raw, shop=office.shop.public_id)
    looked = visible(await finance.page(where))
    address = where.partition("?")[0]
    imported = await finance.post(f"{address}/import")
    result = await finance.page(imported[2])
    rows = links(result, f"{PATH}/differences")
    open_ = await finance.page(f"{PATH}/differences?state=open")
    number = open_.partition("/desk/statements/differences/")[2].partition("/explain")[0]
    explained = await finance.post(
        f"{PATH}/differences/{number}/explain", reason="平台扣了运费险", back=address
    )
    done = visible(await finance.page(explained[2]))
    listed = visible(await finance.page(PATH))

    assert (status, "done=statement-read" in where, imported[0], explained[0]) == (303, True, 303, 303)
    assert "3 行，另有 1 行合计不计" in looked
    assert "找不到订单 1 行，导入后列为差异" in looked
    assert "gb18030" in looked
    assert "销售款 ¥178.20" in looked
    assert "对上订单明细 2 行 177.20" in visible(result)
    assert "少结 待说明" in visible(result)
    assert "找不到订单 待说明" in visible(result)
    assert rows
    assert "已记下说明" in done
    assert "1 项待说明" in listed
    assert (await AuditEntry.filter(action__startswith="statement.").count()) == 2
    bridge = visible(await finance.page("/desk/bridge"))
    assert "＝ 结算额 G4 平台结算单的销售款，费用、佣金、运费另计 177.20" in bridge


async def test_rows_that_cannot_be_read_are_listed_and_nothing_is_imported(office: Office) -> None:
    finance = await office.visitor(Role.FINANCE)

    _, _, where = await send(
        finance, a_file([a_row("A1", "12.345"), a_row("6.92E+18", "1")]), shop=office.shop.public_id
    )
    page = visible(await finance.page(where))
    status, refused, _ = await finance.post(f"{where.partition('?')[0]}/import")

    assert "2 销售款 金额多于两位小数 精确到分，如 128.80" in page
    assert "3 订单号 号码被 Excel 改成了科学计数法" in page
    assert "有 2 处读不懂，文件没有入账，也一行都没有丢" in page
    assert (status, "一行都不会丢" in refused) == (409, True)


async def test_the_same_file_leads_to_what_came_of_it(office: Office) -> None:
    finance = await office.visitor(Role.FINANCE)
    raw = a_file([a_row("A1", "1")])
    _, _, first = await send(finance, raw, shop=office.shop.public_id)
    await finance.post(f"{first.partition('?')[0]}/import")

    status, _, again = await send(finance, raw, shop=office.shop.public_id)

    assert (status, again) == (303, f"{first.partition('?')[0]}?done=statement-known")


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"", "文件是空的"),
        (b"PK\x03\x04" + b"\x00" * 100, "坏的或加了密"),
        (b"\xd0\xcf\x11\xe0\xa1", "旧版"),
        (b"a\x00b", "NUL"),
        (b"\x81\x81\xff", "编码认不出来"),
        (b"just some text", "找不到列"),
        (a_file([], head=GENERIC), "没有数据"),
        (a_file([a_row("1", "1")], head=(*GENERIC[:-1], "订单号")), "列名重复"),
        (b'"never closed' + b"x" * 100_000, "引号没有配对"),
    ],
)
async def test_a_file_that_is_none_is_refused_beside_its_field(office: Office, raw: bytes, said: str) -> None:
    finance = await office.visitor(Role.FINANCE)

    status, body, _ = await send(finance, raw, shop=office.shop.public_id)

    assert (status, said in visible(body)) == (422, True), visible(body)
    assert await StatementPiece.all().count() == 0


async def test_too_large_a_file_is_refused_and_the_next_one_is_taken(office: Office) -> None:
    finance = await office.visitor(Role.FINANCE)
    limit = office.site.app.ctx.settings.statement_limit

    status, body, _ = await send(finance, b"x" * (limit + 1), shop=office.shop.public_id)
    assert (status, "MB" in body) == (422, True)
    try:
        refused = (await send(finance, b"x" * (limit + 10**6), shop=office.shop.public_id))[0]
    except aiohttp.ClientError:  # we hang up on what is sent after the refusal
        refused = 413
    assert refused == 413

    assert (await send(finance, a_file([a_row("A1", "1")]), shop=office.shop.public_id))[0] == 303


async def test_a_body_larger_than_others_is_taken_only_from_who_may(office: Office) -> None:
    rows = [a_row(f"ORDER{n}", "1.00", entry=str(n)) for n in range(40_000)]
    raw = a_file(rows)
    assert len(raw) > office.site.app.ctx.settings.body_limit
    manager, finance = await office.visitor(Role.MANAGER), await office.visitor(Role.FINANCE)

    try:
        refused = (await send(manager, raw, shop=office.shop.public_id))[0]
    except aiohttp.ClientError:
        refused = 403
    assert refused in (403, 413)
    assert (await send(finance, raw, shop=office.shop.public_id, csrf="wrong"))[0] == 403
    status, _, where = await send(finance, raw, shop=office.shop.public_id)

    assert status == 303
    assert "40,000 行" in visible(await finance.page(where))
    assert await SettlementStatement.all().count() == 1


async def test_names_of_files_are_harmless(office: Office) -> None:
    finance = await office.visitor(Role.FINANCE)

    _, _, where = await send(
        finance, a_file([a_row("A1", "1")]), shop=office.shop.public_id, name="../../<b>账.csv"
    )

    page = await finance.page(where)
    assert ("&lt;b&gt;账.csv" in page, "<b>账" in page, ".." in visible(page)) == (True, False, False)


async def test_differences_are_exported_without_a_formula(office: Office) -> None:
    finance = await office.visitor(Role.FINANCE)
    _, _, where = await send(finance, a_file([a_row("A1", "1")]), shop=office.shop.public_id, name="=cmd.csv")
    await finance.post(f"{where.partition('?')[0]}/import")

    body = (await finance.get(f"{PATH}/differences.csv"))[1]

    assert "'=cmd.csv,2," in body
    assert ",找不到订单,0.00,1.00,1.00,待说明," in body
