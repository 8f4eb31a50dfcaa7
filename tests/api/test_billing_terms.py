"""Billing terms over HTTP, and usage in arrears: on a bill or charged to credits, never both."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.risk.case import HoldKind, NewHold
from repositories.risk import case as cases
from repositories.usage import usage, usage_bill
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.invoicing import issue
from tests.api.metering import event, import_prices, send, statuses
from tests.api.spending import balance, grant, use
from tests.api.test_usage_charges import charged_meter, kind, sweep
from tests.conftest import DatabaseUrls
from tests.support.proving import prove

pytestmark = pytest.mark.db

LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
MODEL = "arrears-model"


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls, database: Database) -> AsyncIterator[None]:
    await import_prices(database, MODEL, LONG_AGO, input_tokens="0.001")
    yield
    await prove(database_urls, usage.INVARIANTS, usage_bill.INVARIANTS)


@pytest.fixture
async def debtor(new_tenant: Any, operator: Caller) -> Tenant:
    """An organization that is invoiced for its usage, and has 100 credits."""
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id)
    await agree(operator, tenant)
    return tenant


async def agree(operator: Caller, tenant: Tenant, **changes: Any) -> dict[str, Any]:
    body = {"mode": "arrears", **changes}
    agreed: dict[str, Any] = good(await operator.ask("PUT", f"/organizations/{tenant.org_id}/billing-terms", json=body))
    return agreed


def call(tokens: int, **changes: Any) -> dict[str, Any]:
    data = {"model": MODEL, "provider": "openai", "usage": {"input_tokens": tokens}}
    return event(data={**data, **changes.pop("data", {})}, **changes)


async def billed(caller: Caller) -> dict[str, str]:
    log = good(await caller.get("/usage/logs", params={"limit": 200}))["data"]
    return {one["event_id"]: one["billed_status"] for one in log}


async def test_manual_invoice_is_due_by_the_terms_unless_stated(new_tenant: Any, operator: Caller) -> None:
    tenant = await new_tenant("owner")
    agreed = await agree(operator, tenant, mode="prepaid", net_days=60, collection_method="send_invoice")
    assert (agreed["net_days"], agreed["collection_method"]) == (60, "send_invoice")
    made = [await issue(operator, tenant, **due) for due in ({}, {"due_in": "P9D"})]
    spans = [datetime.fromisoformat(each["due_at"]) - datetime.fromisoformat(each["issued_at"]) for each in made]
    assert spans == [timedelta(days=60), timedelta(days=9)]


async def test_usage_is_paid_once_by_the_terms_in_force_on_receipt(
    debtor: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(debtor.owner, operator, type_)
    spent = (await use(debtor.owner, amount="2", action="call"))["id"]
    plain, named = call(10), call(10, data={"spend_id": spent})
    metered, free = event(type=type_, data={"n": 3}), event()
    assert statuses(await send(debtor.owner, plain, named, metered, free, plain)) == [*["accepted"] * 4, "duplicate"]
    await sweep(database)
    assert await balance(debtor.owner) == ("98.00", "0.00")
    assert await billed(debtor.owner) == {
        plain["id"]: "unbilled",
        named["id"]: "prepaid",
        metered["id"]: "unbilled",
        free["id"]: "prepaid",
    }


async def test_event_in_another_currency_than_the_invoice_is_refused_and_not_converted(
    new_tenant: Any, operator: Caller
) -> None:
    tenant = await new_tenant("owner")
    await agree(operator, tenant, currency="EUR")
    assert statuses(await send(tenant.owner, call(1))) == ["usage.other_currency"]
    assert await billed(tenant.owner) == {}


async def test_terms_act_forward_in_versions_and_every_change_is_audited(new_tenant: Any, operator: Caller) -> None:
    tenant = await new_tenant("owner")
    path = f"/organizations/{tenant.org_id}/billing-terms"
    usual = good(await tenant.owner.get(path))
    assert (usual["version"], usual["mode"], usual["starts_at"], usual["next"]) == (0, "prepaid", None, None)
    steps = [{"from": "100.00", "discount": "0.05"}, {"from": "1000", "discount": "0.125"}]
    first = await agree(operator, tenant, minimum_commitment="50.00", volume_discounts=steps)
    assert (first["version"], first["minimum_commitment"]) == (1, "50.00")
    assert [step["discount"] for step in first["volume_discounts"]] == ["0.0500", "0.1250"]
    assert good(await tenant.owner.get(path)) == first
    assert (await agree(operator, tenant, minimum_commitment="50.00", volume_discounts=steps)) == first
    body, key = {"mode": "prepaid", "reason": "They asked"}, new_key()
    changed = good(await operator.ask("PUT", path, json=body, key=key))
    assert good(await operator.ask("PUT", path, json=body, key=key)) == changed
    assert (changed["version"], changed["next"]["version"], changed["next"]["mode"]) == (1, 2, "prepaid")
    begins = datetime.fromisoformat(changed["next"]["starts_at"])
    assert begins.day == 1
    assert datetime.now(UTC) < begins < datetime.now(UTC) + timedelta(days=32)
    entries = good(await operator.get("/audit", params={"action": "billing_terms.change"}))["data"]
    changes = [entry["details"] for entry in entries if entry["target"] == tenant.org_id]
    assert [change["version"] for change in changes] == [2, 1]
    assert changes[0]["before"]["commitment_minor"] == 5000
    price: dict[str, Any] = {"plan": "starter", "amount": "20.00"}
    for wrong in (
        {"mode": "prepaid", "minimum_commitment": "1"},
        {"mode": "arrears", "currency": "CREDIT"},
        *({"mode": "prepaid", "plan_prices": prices} for prices in ([price, price], [{**price, "plan": "gold"}])),
        {"mode": "prepaid", "plan_prices": [{**price, "currency": "CREDIT"}]},
        {"mode": "prepaid", "plan_prices": [{**price, "amount": "0"}]},
    ):
        refused(await operator.ask("PUT", path, json=wrong), 422, "request.invalid")
    asked = {"mode": "prepaid", "currency": "BHD", "plan_prices": [{**price, "amount": "7.505", "currency": "BHD"}]}
    refused(await operator.ask("PUT", path, json=asked), 422, "provider.refused")


async def test_usage_after_sealing_goes_to_the_next_bill(debtor: Tenant, database: Database) -> None:
    today = datetime.now(UTC).date()
    await send(debtor.owner, call(10), call(20))
    async with database.platform_statement() as connection:
        await usage_bill.seal(connection, {debtor.org_id: "USD"}, today.replace(day=1), datetime.now(UTC))
    await send(debtor.owner, call(30))
    async with database.platform_statement() as connection:
        sealed = await usage_bill.unbilled(connection, [debtor.org_id], today)
        every = await usage_bill.unbilled(connection, [debtor.org_id], today, also_open=True)
    key = (debtor.org_id, "USD")
    assert [(one.number, one.events, one.pico) for one in sealed[key]] == [(1, 2, 30 * 10**9)]
    assert [(one.number, one.events, one.pico) for one in every[key]] == [(1, 2, 30 * 10**9), (2, 1, 30 * 10**9)]


async def test_limit_on_unpaid_usage_refuses_requests_but_no_reports(
    debtor: Tenant, database: Database, operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.unpaid.CACHE_SECONDS", 0)
    await agree(operator, debtor, unpaid_limit="1.00")

    async def alerts() -> list[str]:
        found = good(await debtor.owner.get("/alerts", params={"limit": 200}))["data"]
        return sorted(one["kind"] for one in found if one["kind"].startswith("usage.unpaid"))

    async def ask(key: str) -> Any:
        return await debtor.owner.post("/credits/use", {"amount": "1"}, key=key)

    first = new_key()
    assert statuses(await send(debtor.owner, call(700))) == ["accepted"]
    assert await alerts() == []
    used = good(await ask(first), 201)
    assert statuses(await send(debtor.owner, call(300))) == ["accepted"]
    assert await alerts() == ["usage.unpaid_near"]
    good(await ask(new_key()), 201)
    assert statuses(await send(debtor.owner, call(1))) == ["accepted"]
    assert await alerts() == ["usage.unpaid_near", "usage.unpaid_reached"]
    for path in ("use", "reserve"):
        refusal = await debtor.owner.post(f"/credits/{path}", {"amount": "1"}, key=new_key())
        assert refused(refusal, 422, "usage.unpaid_limit")["unpaid"] == "1.01"
    items = [{"key": new_key(), "amount": "1"}]
    [item] = good(await debtor.owner.post("/credits/use/batch", {"items": items}))["data"]
    assert (item["status"], item["error"]["code"]) == ("invalid", "usage.unpaid_limit")
    # What was answered is answered again, and what has happened is counted.
    assert good(await ask(first), 201)["id"] == used["id"]
    assert statuses(await send(debtor.owner, call(5))) == ["accepted"]
    agreed = await agree(operator, debtor, unpaid_limit="5.00")
    assert agreed["next"]["unpaid_limit"] == "5.00"
    good(await ask(new_key()), 201)
    case_id, now = new_id(cases.PREFIX), datetime.now(UTC)
    async with database.platform() as session:
        hold = NewHold(kind=HoldKind.PREPAY, subject=debtor.org_id, org_id=debtor.org_id)
        await cases.hold(session, case_id, [hold], now)
    assert refused(await ask(new_key()), 422, "usage.unpaid_limit")["limit"] == "0.00"
    async with database.platform() as session:
        await cases.end_holds(session, case_id, now)
    good(await ask(new_key()), 201)


async def test_unpaid_invoices_count_against_the_limit(
    debtor: Tenant, operator: Caller, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("api.unpaid.CACHE_SECONDS", 0)
    await agree(operator, debtor, unpaid_limit="1.00")
    await issue(operator, debtor)
    refused(await debtor.owner.post("/credits/use", {"amount": "1"}, key=new_key()), 422, "usage.unpaid_limit")
