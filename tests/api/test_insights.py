"""Advice and comparison over HTTP."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import pytest

from api.app import create_app
from api.bootstrap import operator_key
from api.v1.analytics import insights
from domain.payments.auto_topup import month_start
from repositories.credits.spend_id_range import first_id
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import TENANT_ROLES, Caller, Tenant, good, make_tenant, new_key, refused, settings_for
from tests.api.purchasing import budget
from tests.conftest import DatabaseUrls
from tests.support.rows import rows_of
from tests.support.serving import client_of

pytestmark = pytest.mark.db

ADVICE = "payment_method-stripe_card_USD"


@pytest.fixture
def database(fresh_database: Database) -> Database:
    return fresh_database


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Mock:
    """Stop the clock of the endpoints, so that no month ends during a test."""
    made = Mock(wraps=datetime)
    monkeypatch.setattr(insights, "datetime", made)
    return made


@pytest.fixture
async def tenants(
    fresh_database_urls: DatabaseUrls, database: Database, clock: Mock
) -> AsyncIterator[tuple[Tenant, Tenant, Caller]]:
    """Two organizations whose payments failed last month, and an operator."""
    async with client_of(create_app(settings_for(fresh_database_urls))) as http:
        async with database.platform() as session:
            operator = Caller(http, await operator_key(session, "operator-of-insights"))
        made = [await make_tenant(operator, database, *TENANT_ROLES) for _ in range(2)]
        # Keys approve what is younger than they are.
        clock.now.return_value = datetime.now(UTC)
        at = month_start(clock.now()) - timedelta(days=1)
        async with rows_of(fresh_database_urls) as rows:
            for tenant in made:
                await rows.count_payments(tenant.org_id, at, "stripe", succeeded=5, failed=5)
                await rows.count_payments(tenant.org_id, at, "paypal", succeeded=10, failed=0)
        yield made[0], made[1], operator


async def test_advice_shows_amount_calculation_and_action_until_dismissed(
    tenants: tuple[Tenant, Tenant, Caller],
) -> None:
    tenant, other, operator = tenants
    shown = good(await tenant.auditor.get("/analytics/insights"))
    assert (shown["organization_id"], shown["spending"]) == (tenant.org_id, [])
    (one,) = shown["data"]
    assert one == {
        "id": ADVICE,
        "kind": "payment_method",
        "meaning": "stopped",
        "amount": "5.00",
        "currency": "USD",
        "title": "Payments by paypal card succeed more often than by stripe card.",
        "how": [
            "By stripe card 5 of 10 payments failed, 5.00 USD of 10.00 USD.",
            "By paypal card 0 of 10 failed. At that rate, 0.00 USD would have failed.",
        ],
        "figures": {
            "failed": 5,
            "payments": 10,
            "other_failed": 0,
            "other_payments": 10,
            "failed_amount": "5.00",
        },
        "act": {"method": "POST", "path": "/payments/create", "body": {"provider": "paypal", "currency": "USD"}},
        "takes": None,
        "taken": None,
        "link": f"/console/{tenant.org_id}/payment-methods",
    }
    refused(await tenant.agent.get("/analytics/insights"), 403, "auth.forbidden")
    refused(await tenant.owner.get(f"/analytics/insights?organization_id={other.org_id}"), 404, "not_found")
    there = f"/analytics/insights/{ADVICE}/dismiss"
    refused(await tenant.owner.post("/analytics/insights/unused-x/dismiss", key=new_key()), 404, "not_found")
    key = new_key()
    for _ in range(2):
        assert good(await tenant.owner.post(there, key=key)) == one
    assert good(await tenant.owner.get("/analytics/insights"))["data"] == []
    assert [each["id"] for each in good(await other.owner.get("/analytics/insights"))["data"]] == [ADVICE]
    of_other = f"?organization_id={other.org_id}"
    assert [each["id"] for each in good(await operator.get(f"/analytics/insights{of_other}"))["data"]] == [ADVICE]
    good(await operator.post(there + of_other, key=new_key()))
    assert good(await other.owner.get("/analytics/insights"))["data"] == []


@pytest.fixture
async def buyer(
    tenants: tuple[Tenant, Tenant, Caller], fresh_database_urls: DatabaseUrls, clock: Mock
) -> AsyncIterator[Tenant]:
    """An organization whose agent bought the same three times, knows the price of a year, and a free option."""
    tenant = tenants[0]
    same = {
        "org_id": tenant.org_id,
        "agent_id": tenant.agent_id,
        "item": "Maps",
        "vendor": "Here",
        "category": "data",
        "currency": "USD",
        "status": "purchased",
        "alternatives": "[]",
        "created_at": clock.now(),
    }
    at = month_start(clock.now()) - timedelta(days=1)
    async with rows_of(fresh_database_urls) as rows:
        await rows.add("purchase_orders", **same, id=new_id("por"), command_id="year", term="year", amount_minor=12_000)
        for number in range(3):
            order_id = new_id("por")
            await rows.add("purchase_orders", **same, id=order_id, command_id=str(number), amount_minor=1_100)
            await rows.add("ledger.purchase_counts", order_id=order_id, number=0, org_id=tenant.org_id, asset="USD",
                           id=UUID(int=first_id(at).int + number), amount=1_100, spent=1_100, at=at,
                           pool="operating")  # fmt: skip
        await rows.add("free_options", id=new_id("fro"), org_id=tenant.org_id, name="Open maps", category="data")
        yield tenant


async def advice_of(caller: Caller, kind: str) -> dict[str, Any]:
    found: list[dict[str, Any]] = good(await caller.get("/analytics/insights"))["data"]
    (one,) = [each for each in found if each["kind"] == kind]
    return one


async def test_advice_taken_twice_makes_one_order_that_another_person_approves(
    buyer: Tenant, database: Database
) -> None:
    # It would fit, and the agent itself could buy it without asking.
    await budget(database, buyer.org_id, ("agent", buyer.agent_id), month=1_000)
    one = await advice_of(buyer.auditor, "bulk")
    assert (one["amount"], one["takes"], one["taken"]) == ("23.00", "purchase_order", None)
    there = f"/analytics/insights/{one['id']}/take"
    elsewhere = refused(
        await buyer.owner.post(f"/analytics/insights/{ADVICE}/take", key=new_key()), 409, "insight.taken_elsewhere"
    )
    assert (elsewhere["method"], elsewhere["path"]) == ("POST", "/payments/create")
    # What the policy does not let wait for a person is not taken; what was bought before was not free.
    policy = {"subject": {"type": "organization"}}
    for change, status in (
        ({"per_purchase": "50"}, "declined_policy"),
        ({"free_first": "require"}, "needs_alternatives"),
    ):
        good(await buyer.owner.ask("PUT", "/payment-policies", json=policy | change, key=new_key()))
        refused(await buyer.finance.post(there, key=new_key()), 409, "insight.order_refused")
        assert good(await buyer.owner.get(f"/purchase-orders?status={status}"))["data"] == []
    good(await buyer.owner.ask("PUT", "/payment-policies", json=policy, key=new_key()))
    assert (await advice_of(buyer.auditor, "bulk"))["taken"] is None
    taken = good(await buyer.finance.post(there, key=new_key()))
    again = await asyncio.gather(*(caller.post(there, key=new_key()) for caller in (buyer.finance, buyer.owner)))
    assert [good(each) for each in again] == [taken, taken]
    assert (await advice_of(buyer.auditor, "bulk"))["taken"] == taken["taken"]
    (order,) = good(await buyer.owner.get("/purchase-orders?status=needs_approval"))["data"]
    assert (order["id"], order["amount"], order["term"]) == (taken["taken"]["purchase_order_id"], "120.00", "year")
    (before,) = order["alternatives"]
    assert (before["name"], before["cost"]) == ("The earlier purchase", "33.00")
    grant = {"digest": order["digest"]}
    refused(
        await buyer.finance.post(f"/purchase-orders/{order['id']}/grant", grant, key=new_key()), 403, "approval.own"
    )
    granted = good(await buyer.owner.post(f"/purchase-orders/{order['id']}/grant", grant, key=new_key()))
    assert (granted["status"], granted["spent"]) == ("approved", "0.00")


async def test_advice_changes_a_policy_only_for_policy_editors_and_the_version_read(buyer: Tenant, clock: Mock) -> None:
    one = await advice_of(buyer.finance, "free_tier")
    assert (one["amount"], one["takes"]) == ("33.00", "payment_policy")
    there = f"/analytics/insights/{one['id']}"
    refused(await buyer.owner.post(f"{there}/approve", key=new_key()), 404, "not_found")
    taken = good(await buyer.finance.post(f"{there}/take", key=new_key()))["taken"]
    assert (taken["status"], taken["policy_scope"]) == ("proposed", "organization")
    assert taken["policy_change"] == "Agents look at a free option before they buy."
    assert good(await buyer.owner.get("/payment-policies"))["data"] == []
    firing = "/alerts?status=firing&kind=policy_waiting"
    (waiting,) = good(await buyer.owner.get(firing))["data"]
    assert waiting["subject"] == buyer.org_id
    mine = {"subject": {"type": "organization"}, "per_purchase": "50"}
    good(await buyer.owner.ask("PUT", "/payment-policies", json=mine, key=new_key()))
    # What waited was for what the policy no longer is.
    assert good(await buyer.owner.get(firing))["data"] == []
    refused(await buyer.owner.post(f"{there}/approve", key=new_key()), 409, "payment_policy.version")
    # The policy has an id now, and the advice is about it, until it is deleted.
    there = f"/analytics/insights/{(await advice_of(buyer.finance, 'free_tier'))['id']}"
    good(await buyer.finance.post(f"{there}/take", key=new_key()))
    (policy,) = good(await buyer.owner.get("/payment-policies"))["data"]
    assert (await buyer.owner.delete(f"/payment-policies/{policy['id']}")).status_code == 204
    assert good(await buyer.owner.get(firing))["data"] == []
    refused(await buyer.owner.post(f"{there}/approve", key=new_key()), 409, "payment_policy.version")
    good(await buyer.owner.ask("PUT", "/payment-policies", json=mine, key=new_key()))
    there = f"/analytics/insights/{(await advice_of(buyer.finance, 'free_tier'))['id']}"
    good(await buyer.finance.post(f"{there}/take", key=new_key()))
    good(await buyer.owner.ask("PUT", "/payment-policies", json={**mine, "per_purchase": "60"}, key=new_key()))
    refused(await buyer.owner.post(f"{there}/approve", key=new_key()), 409, "payment_policy.version")
    good(await buyer.finance.post(f"{there}/take", key=new_key()))
    (waiting,) = good(await buyer.owner.get(firing))["data"]
    # Advice is about another month soon; what was proposed waits for its approval.
    today, clock.now.return_value = clock.now(), clock.now() + timedelta(days=31)
    approved = good(await buyer.owner.post(f"{there}/approve", key=new_key()))
    assert approved["status"] == "approved"
    assert good(await buyer.owner.get(firing))["data"] == []
    assert good(await buyer.admin.post(f"{there}/approve", key=new_key())) == approved
    clock.now.return_value = today
    (policy,) = good(await buyer.owner.get("/payment-policies"))["data"]
    assert (policy["free_first"], policy["per_purchase"]) == ("require", "60.00")
    kinds = {each["kind"] for each in good(await buyer.owner.get("/analytics/insights"))["data"]}
    assert "free_tier" not in kinds


async def test_comparison_needs_the_organizations_own_agreement(tenants: tuple[Tenant, Tenant, Caller]) -> None:
    tenant, _, operator = tenants
    asked = "/analytics/peers?metric=spending"
    shown = good(await tenant.owner.get(asked))
    assert (shown["percentile"], shown["reason"], shown["agreed_at"]) == (None, "not_agreed", None)
    assert shown["sentence"] == "Your organization had not agreed to be compared when the month began."
    consent, agrees = "/analytics/peers/consent", {"agrees": True}
    refused(await operator.ask("PUT", consent, json=agrees, key=new_key()), 422, "request.invalid")
    first = good(await tenant.admin.ask("PUT", consent, json=agrees, key=new_key()))
    assert good(await tenant.owner.ask("PUT", consent, json=agrees, key=new_key())) == first
    assert first["agreed_at"] is not None
    assert good(await tenant.owner.get(asked))["agreed_at"] == first["agreed_at"]
    withdrawn = good(await tenant.owner.ask("PUT", consent, json={"agrees": False}, key=new_key()))
    assert withdrawn == {"agrees": False, "agreed_at": None}
    own = f"{asked.replace('spending', 'price_per_use')}&agent_id={tenant.agent_id}"
    assert good(await tenant.owner.get(own))["reason"] == "not_agreed"
    refused(await tenant.owner.get(asked.replace("spending", "price_per_use")), 422, "request.invalid")
    refused(await tenant.owner.get(asked + f"&agent_id={tenant.agent_id}"), 422, "request.invalid")
