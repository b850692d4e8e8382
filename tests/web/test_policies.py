"""Every route says who may come through it, and none lets a reader change anything."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sanic import Sanic
from sanic_routing.route import Route

from livehub.accounts.models import Role
from livehub.accounts.permissions import RIGHTS, Permission
from livehub.app import create_app
from livehub.settings import Settings
from livehub.web import doors
from tests.conftest import KEYS

FILES = {"static_file", "favicon"}  # the program's own scripts and styles
WRITING = {"POST", "PUT", "PATCH"}
STRANGERS_POST = {
    "login",
    "login/code",
    "hooks/<platform:str>/<endpoint_key:str>",
}  # these know whom they let in
ADMINS_DOORS = {
    "desk", "desk/shops", "desk/shops/<endpoint_id:int>/secret", "desk/shops/<endpoint_id:int>/end-old-secrets",
    "desk/shops/<shop_id:str>/evidence", "desk/shops/<shop_id:str>/accounts",
    "desk/shops/<shop_id:str>/accounts/unbind", "api/v1/shops/<shop_id:str>/accounts",
    "api/v1/shops/<shop_id:str>/accounts/bind",
    "api/v1/shops/<shop_id:str>/accounts/unbind",
    "desk/rooms", "desk/rooms/<room_id:str>", "desk/closures", "desk/closures/<closure_id:str>/lift", "desk/quotas",
    "desk/quotas/drop", "api/v1/rooms", "api/v1/rooms/rules", "api/v1/rooms/<room_id:str>/rules", "api/v1/equipment",
    "api/v1/closures", "api/v1/closures/<closure_id:str>/lift", "api/v1/quotas", "api/v1/me", "logout", "logout/everywhere",
}  # fmt: skip
USERS = {f"{door}/users/<user_id:str>/{verb}" for door in ("desk", "api/v1") for verb in (
    "roles", "roles/withdraw", "disable", "enable", "password", "unlock", "logins/end", "second-factor/reset",
)}  # fmt: skip
ADMINS_DOORS |= {"desk/users", "desk/users/new", "desk/users/<user_id:str>"} | USERS
ADMINS_DOORS |= {"api/v1/users", "api/v1/users/<user_id:str>"}
OWN = {"account", "account/password", "account/logins/end", "account/second-factor"}  # anybody's who logs in
OWN |= {f"account/second-factor/{verb}" for verb in ("confirm", "off", "codes")}
VERIFYING = {"desk/trail/verify", "api/v1/audit/verify"}  # reads, and leaves an entry that it did
_READS = frozenset(each for each in Permission if each.endswith(".read"))


@pytest.fixture
def routes(tmp_path: Path) -> Iterator[list[Route]]:
    Sanic.test_mode = True
    settings = Settings(data_dir=tmp_path, database_url=f"sqlite://{tmp_path}/none.db", keys=KEYS)
    app = create_app(settings, name=f"livehub-{uuid.uuid4().hex[:8]}")
    yield list(app.router.routes)
    Sanic.unregister_app(app)


def policy(route: Route) -> object:
    return getattr(route.handler, doors.POLICY, None)


def permissions(route: Route) -> tuple[Permission, ...] | None:
    """Of the routes for logins and machines: any of these lets in; empty is whoever is known."""
    found = policy(route)
    return found[1] if isinstance(found, tuple) else None


def test_every_route_says_who_may_come(routes: list[Route]) -> None:
    silent = {route.path for route in routes if policy(route) is None}

    assert silent == {route.path for route in routes if route.name.partition(".")[2] in FILES}
    known = {"public", "claimant", "streamer", "streamer-link", "session", "machine"}
    kinds = {found[0] if isinstance(found := policy(route), tuple) else found for route in routes}
    assert kinds - {None} == known


def test_the_methods_are_those_that_the_doors_know(routes: list[Route]) -> None:
    assert {method for route in routes for method in route.methods} == {"GET", "HEAD"} | WRITING


def test_strangers_post_only_where_they_prove_who_they_are(routes: list[Route]) -> None:
    assert {r.path for r in routes if "POST" in r.methods and policy(r) == "public"} == STRANGERS_POST


def test_what_changes_something_asks_for_more_than_reading(routes: list[Route]) -> None:
    posts = [route for route in routes if WRITING & set(route.methods) and permissions(route) is not None]
    only_read = {
        route.path for route in posts if set(permissions(route) or ()) & _READS or not permissions(route)
    }

    assert only_read == {"logout", "logout/everywhere"} | OWN - {"account"} | VERIFYING
    assert len(posts) > 30


def test_the_system_administrator_meets_no_money_and_no_personal_data(routes: list[Route]) -> None:
    rights = RIGHTS[Role.ADMIN]
    open_to = {
        r.path for r in routes if (need := permissions(r)) is not None and (not need or rights & set(need))
    }

    assert open_to == ADMINS_DOORS | OWN


def test_an_auditor_opens_sealed_things_and_changes_nothing(routes: list[Route]) -> None:
    rights = RIGHTS[Role.AUDITOR]
    posts = {r.path for r in routes if WRITING & set(r.methods) and rights & set(permissions(r) or ())}

    assert posts - VERIFYING == {
        "desk/deliveries/<delivery_id:int>/open",
        "desk/training/<cohort_id:str>/archive.zip",
        "desk/training/enrolments/<enrolment_id:str>/reveal",
        "api/v1/people/<person_id:str>/reveal",
        "desk/streamers/<streamer_id:str>/reveal",
    }


def test_money_exports_and_secrets_ask_for_a_fresh_password(routes: list[Route]) -> None:
    fresh = {r.path for r in routes if getattr(r.handler, doors.FRESHLY, False)}

    money = {r.path for r in routes if Permission.CAMPAIGN_COUNTERSIGN in (permissions(r) or ())}
    money |= {"desk/periods/close", "api/v1/periods/close", "desk/redemptions/<public_id:str>/refund"}
    money |= {"api/v1/vouchers/<voucher_id:str>/revoke", "desk/redemptions/<public_id:str>/revoke-voucher"}
    money |= {f"desk/settlement/<public_id:str>/{verb}" for verb in ("submit", "pay")}
    money |= {
        f"api/v1/settlements/<settlement_id:str>/{verb}" for verb in ("submit", "pay", "file", "repayments")
    }
    money |= {"desk/settlement/repayments", "desk/settlement/repayments/<repayment_id:str>/confirm"}
    money |= {"api/v1/settlement-repayments/<repayment_id:str>/confirm"}
    money |= {f"{door}/reports/<report_id:str>/sign" for door in ("desk", "bureau", "api/v1")}
    exports = {r.path for r in routes if r.path.endswith((".csv", ".xlsx", ".zip"))}
    exports |= {"api/v1/reports/<report_id:str>/pack", "api/v1/campaigns/<campaign_id:str>/audit-pack"}
    secrets = {r.path for r in routes if Permission.SHOP_MANAGE in (permissions(r) or ())}
    secrets |= {path for path in OWN if "second-factor" in path} | {"desk/users/new", "api/v1/users"}
    secrets |= {path for path in USERS if "roles" in path or path.endswith(("password", "reset"))}
    assert fresh == money | exports | secrets
    assert len(fresh) > 4
