"""Usage events in arrears that an operator voids before their bill is sealed."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

from domain.common.ids import uuid_of
from repositories.usage import usage, usage_bill
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, Tenant, good, refused
from tests.api.metering import WHY, event, import_prices, send, statuses, void
from tests.api.test_approvals import two
from tests.api.test_billing_terms import agree
from tests.api.test_usage_charges import charged_meter, kind
from tests.conftest import DatabaseUrls
from tests.support.connections import connected, undone
from tests.support.proving import prove

__all__ = ["two"]
pytestmark = pytest.mark.db

MODEL = "void-model"


@pytest.fixture(autouse=True, scope="module")
async def proven(database_urls: DatabaseUrls, database: Database) -> AsyncIterator[None]:
    await import_prices(database, MODEL, datetime(2025, 1, 1, tzinfo=UTC), input_tokens="0.001")
    yield
    await prove(database_urls, usage.INVARIANTS, usage_bill.INVARIANTS)


@pytest.fixture
async def debtor(new_tenant: Any, operator: Caller) -> Tenant:
    tenant: Tenant = await new_tenant("owner")
    await agree(operator, tenant)
    return tenant


def call(tokens: int, **changes: Any) -> dict[str, Any]:
    return event(data={"model": MODEL, "provider": "openai", "usage": {"input_tokens": tokens}}, **changes)


async def sent(tenant: Tenant, one: dict[str, Any]) -> str:
    [told] = (await send(tenant.owner, one))["events"]
    assert told["status"] == "accepted", told
    return str(told["id"])


async def upcoming(tenant: Tenant) -> str:
    net: str = good(await tenant.owner.get("/billing/invoices/upcoming"))["net"]
    return net


async def billed(tenant: Tenant) -> dict[str, str]:
    log = good(await tenant.owner.get("/usage/logs", params={"limit": 200}))["data"]
    return {one["id"]: one["billed_status"] for one in log}


async def test_one_event_that_fills_the_bill_is_voided_and_the_next_ones_are_accepted(
    debtor: Tenant, operator: Caller
) -> None:
    type_ = kind()
    price = {"model": "per_unit", "unit_price": "9000", "free_units": "2"}
    await charged_meter(debtor.owner, operator, type_, price=price)
    kept = await sent(debtor, event(type=type_, data={"n": 3}))
    forged = await sent(debtor, event(type=type_, data={"n": 10**9}))
    assert statuses(await send(debtor.owner, event(type=type_, data={"n": 10**9}))) == ["usage.invalid_event"]
    shown = good(await void(operator, debtor, forged))
    assert (shown["status"], shown["waits_for"], shown["amount"], shown["spend_id"]) == ("void", None, None, None)
    # Again it changes nothing, whatever the reason.
    assert good(await void(operator, debtor, forged, reason="Another.")) == shown
    later = await sent(debtor, event(type=type_, data={"n": 1}))
    # By hand: 4 less 2 free, at 9,000.
    assert await upcoming(debtor) == "18000.00"
    assert await billed(debtor) == {kept: "unbilled", forged: "void", later: "unbilled"}
    [entry] = good(await debtor.owner.get("/audit", params={"action": "usage.void_event"}))["data"]
    assert (entry["target"], entry["details"]["reason"]) == (forged, WHY)


async def test_voided_call_leaves_the_sum_of_its_model(debtor: Tenant, operator: Caller) -> None:
    forged, _ = [await sent(debtor, call(tokens)) for tokens in (5_000_000, 2_000)]
    assert await upcoming(debtor) == "5002.00"
    good(await void(operator, debtor, forged))
    assert await upcoming(debtor) == "2.00"


async def test_voided_call_that_meters_count_leaves_what_each_has_billed(debtor: Tenant, operator: Caller) -> None:
    type_ = kind()
    at_cost = {"aggregation": "count", "property": None, "price": None, "currency": None}
    counted = {"aggregation": "sum", "property": "answer.pages", "price": {"model": "per_unit", "unit_price": "0.50"}}
    for name, meter in (("calls", at_cost), ("pages", counted)):
        await charged_meter(debtor.owner, operator, type_, name=f"{name} {type_}", **meter)
    # Not charged: it bills nothing.
    body = {"name": f"seen {type_}", "event_type": type_, "aggregation": "count"}
    good(await debtor.owner.post("/usage/meters", body), 201)
    calls = [call(tokens, type=type_) for tokens in (5_000, 2_000)]
    for one, pages in zip(calls, ("7", 2.5), strict=True):
        one["data"]["answer"] = {"pages": pages}
    forged, _ = [await sent(debtor, one) for one in calls]
    # By hand: 7 for the tokens, and 9.5 pages.
    assert await upcoming(debtor) == "11.75"
    good(await void(operator, debtor, forged))
    assert await upcoming(debtor) == "3.25"


async def test_organization_whose_usage_is_all_void_can_be_closed(debtor: Tenant, operator: Caller) -> None:
    good(await void(operator, debtor, await sent(debtor, call(1_000))))
    assert await upcoming(debtor) == "0.00"
    good(await operator.post(f"/organizations/{debtor.org_id}/close", {"reason": "left"}))


async def test_racing_voids_take_an_event_from_its_bill_once(debtor: Tenant, operator: Caller) -> None:
    forged, _ = [await sent(debtor, call(tokens)) for tokens in (5_000, 2_000)]
    answers = await asyncio.gather(*(void(operator, debtor, forged) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [200] * 5
    assert await upcoming(debtor) == "2.00"
    assert len(good(await debtor.owner.get("/audit", params={"action": "usage.void_event"}))["data"]) == 1


async def test_event_of_a_sealed_bill_is_not_voided(debtor: Tenant, operator: Caller, database: Database) -> None:
    told = await sent(debtor, call(1_000))
    async with database.platform() as session:
        connection = await driver_connection(session)
        await usage_bill.seal(connection, {debtor.org_id: "USD"}, date(2999, 1, 1), datetime.now(UTC))
    problem = refused(await void(operator, debtor, told), 409, "usage.not_voidable")
    assert "credit note" in problem["detail"]
    assert await billed(debtor) == {told: "unbilled"}


async def test_only_existing_events_are_voided(debtor: Tenant, stranger: Tenant, operator: Caller) -> None:
    told = await sent(debtor, call(1_000))
    refused(await void(operator, stranger, told), 404, "not_found")
    # It costs nothing, so it is on no bill.
    refused(await void(operator, debtor, await sent(debtor, event(type=kind(), data={}))), 404, "not_found")
    late = datetime.now(UTC) - timedelta(days=20)
    good(await void(operator, debtor, await sent(debtor, call(1_000, time=late.isoformat()))))
    assert await upcoming(debtor) == "1.00"


async def test_void_takes_two_operators_where_they_are_asked_for(
    debtor: Tenant, operator: Caller, two: tuple[Caller, Caller]
) -> None:
    asking, other = two
    told = await sent(debtor, call(1_000))
    needed = refused(await void(asking, debtor, told), 403, "approval.required")
    good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    assert good(await void(asking, debtor, told))["status"] == "void"


async def test_verify_finds_a_void_event_that_nobody_has_voided(
    debtor: Tenant, operator: Caller, database_urls: DatabaseUrls
) -> None:
    [proof] = [each for each in usage_bill.INVARIANTS if "void" in each.name]
    told = await sent(debtor, call(1_000))
    async with connected(database_urls.owner) as owner, undone(owner):
        await owner.execute(
            "INSERT INTO usage_voids (org_id, event, voided_at) VALUES ($1, $2, now())", debtor.org_id, uuid_of(told)
        )
        [found] = [row[0] for row in await owner.fetch(proof.violations)]
        assert "nobody" in found
