"""Streamers, merchants and products over the API: every call that keeps them."""

from __future__ import annotations

from livehub.accounts.models import Role
from tests.factories.merchants import a_merchant
from tests.factories.platforms import a_shop
from tests.factories.rooms import a_house
from tests.site import Site
from tests.web.api.callers import a_caller

IDENTITY = "990101199501010015"
NEW = {"stage_name": "退渔阿姐", "name": "陈阿海", "identity": IDENTITY, "town": "侨港镇"}
SHRIMP = {"name": "虾酱 200g", "category": "prepackaged", "price_fen": 2650, "town": "侨港镇"}


async def the_catalogue_is_kept(site: Site) -> None:
    """Each call of the three, in a centre of its own."""
    house = await a_house()
    shop = await a_shop(house.bureaus[0])
    machine = await a_caller(site, Role.MANAGER, centre_id=house.centre.id)

    made = await machine.post("/streamers", NEW)
    assert (made.status, (await machine.post("/streamers", NEW)).status) == (201, 409)
    wrong = await machine.post("/streamers", {**NEW, "identity": IDENTITY[:-1] + "9"})
    assert (wrong.status, wrong["details"][0]["field"]) == (422, "identity")
    here = f"/streamers/{made['id']}"
    whole = await machine.get(here)
    assert (whole["has_identity"], IDENTITY in str(whole.body)) == (True, False)
    link = await machine.post(f"{here}/links", {})
    assert (link.status, link["path"].startswith("/s/")) == (201, True)
    assert (await machine.post(f"{here}/links/{link['id']}/revoke", {})).status == 200
    assert (await machine.post(f"{here}/links/77/revoke", {})).status == 404
    assert (await machine.post(f"{here}/accounts", {"platform": "jd", "account_ref": "j1"})).status == 201
    assert (await machine.post(f"{here}/status", {"status": "active"}))["status"] == "active"
    assert [each["stage_name"] for each in (await machine.get("/streamers", status="active"))["items"]] == [
        "退渔阿姐"
    ]
    none = await machine.get(f"{here}/performance")
    assert {each["name"]: each["value"] for each in none["measures"]}["on_time_rate"] is None
    assert (await machine.get("/reports/streamers"))["items"] == []

    seller = await machine.post("/merchants", {"name": "老侨港海味", "town": "侨港镇"})
    assert (seller.status, seller["status"]) == (201, "pending")
    at = f"/merchants/{seller['id']}"
    assert (await machine.post(f"{at}/status", {"status": "approved"}))["status"] == "approved"
    assert (await machine.post(f"{at}/stores", {"name": "侨港店"})).status == 201
    stranger = await a_merchant((await a_house()).centre)
    assert (await machine.get(f"/merchants/{stranger.public_id}")).status == 404
    refused = await machine.post("/products", {**SHRIMP, "category": "jewels"})
    assert (refused.status, refused["details"][0]["field"]) == (422, "category")
    refused = await machine.post("/products", {**SHRIMP, "merchant": stranger.public_id})
    assert (refused.status, refused["details"][0]["field"]) == (422, "merchant")
    product = await machine.post("/products", {**SHRIMP, "merchant": seller["id"]})
    assert product.status == 201
    of = f"/products/{product['id']}"
    assert (await machine.put(of, {**SHRIMP, "merchant": seller["id"], "price_fen": 3000})).status == 200
    listing = {"shop": shop.public_id, "product_ref": "p1"}
    assert (await machine.post(f"{of}/listings", listing))["outcome"] == "new"
    assert (await machine.post(f"{of}/listings", listing))["outcome"] == "same"
    assert (await machine.post(f"{of}/listings", {**listing, "shop": "nobody"})).status == 422
    shown = await machine.get(of)
    assert shown["product"]["lacks"] == ["qualification_missing:sc_licence", "product_not_approved"]
    assert (shown["product"]["price_fen"], shown["listings"][0]["product_ref"]) == (3000, "p1")
    kept = await machine.get(at)
    assert (kept["products"], kept["stores"][0]["name"]) == ([shown["product"]], "侨港店")
    assert (await machine.get("/catalogue", state="lacking"))["items"] == [shown["product"]]
    assert [each["id"] for each in (await machine.get("/merchants", name="侨港"))["items"]] == [seller["id"]]


async def test_the_catalogue_is_kept_over_the_api(client: Site) -> None:
    await the_catalogue_is_kept(client)
