"""Filters, cursors and CSV of lists, which are declared once for all of them."""

import csv
import io
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from sqlalchemy import select

from api.csv_files import cell
from models.credit_lot import CreditLot
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.escrowing import escrow_between
from tests.api.paying import Written
from tests.support.routes import ROUTES

pytestmark = pytest.mark.db

AS_CSV = {"Accept": "text/csv"}
#: Each list, and an amount filter's currency where it has one.
LISTS = {
    "/organizations": None,
    "/agents": None,
    "/contracts": "CREDIT",
    "/escrows": "CREDIT",
    "/payments": "USD",
    "/billing/invoices": "USD",
    "/disputes": "USD",
    "/projects": None,
    "/billing/payouts": "USD",
    "/alerts": None,
    "/api-keys": None,
    "/audit": None,
    "/credits/lots": None,
    "/billing/credits/history": None,
    "/billing/transactions": "CREDIT",
    "/events": None,
    "/marketplace/library": None,
}


def moment(at: datetime) -> str:
    return quote(at.isoformat())


async def named(tenant: Tenant, *names: str) -> list[str]:
    made = [await tenant.owner.post("/agents", {"name": name, "visibility": "private"}) for name in names]
    return [good(answer, 201)["id"] for answer in made]


async def ids(caller: Caller, path: str) -> list[str]:
    return [row["id"] for row in good(await caller.get(path))["data"]]


@pytest.mark.parametrize("path", LISTS)
async def test_every_list_takes_a_range_and_comes_as_csv(path: str, customer: Tenant) -> None:
    tomorrow = moment(datetime.now(UTC) + timedelta(days=1))
    assert good(await customer.owner.get(f"{path}?from={tomorrow}")) == {"data": [], "next_cursor": None}
    listed, page = [], good(await customer.owner.get(f"{path}?to={tomorrow}&limit=200"))
    while True:
        listed += page["data"]
        if page["next_cursor"] is None:
            break
        page = good(await customer.owner.get(f"{path}?to={tomorrow}&limit=200&cursor={page['next_cursor']}"))
    answer = await customer.owner.get(f"{path}?to={tomorrow}&limit=1", headers=AS_CSV)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert [list(row) for row in rows] == [list(row) for row in listed]
    assert [row["id"] for row in rows] == [str(row["id"]) for row in listed]


@pytest.mark.parametrize("path", [*LISTS, "/billing/usage/logs", "/marketplace/agents"])
async def test_bad_filter_names_its_parameter(path: str, customer: Tenant) -> None:
    early, late = moment(datetime(2026, 1, 1, tzinfo=UTC)), moment(datetime(2026, 1, 2, tzinfo=UTC))
    assert (
        refused(await customer.owner.get(f"{path}?from={late}&to={early}"), 422, "request.invalid")["field"] == "from"
    )
    asked = refused(await customer.owner.get(f"{path}?colour=red"), 422, "request.invalid")
    assert asked["errors"] == [{"field": "colour", "message": "Unknown parameter."}]
    if LISTS.get(path) is not None:
        amounts = f"{path}?min_amount=2&max_amount=1"
        assert refused(await customer.owner.get(amounts), 422, "request.invalid")["field"] == "currency"
        amounts += f"&currency={LISTS[path]}"
        assert refused(await customer.owner.get(amounts), 422, "request.invalid")["field"] == "min_amount"
        many = f"{path}?max_amount=0.1234567890123&currency={LISTS[path]}"
        assert "max_amount" in refused(await customer.owner.get(many), 422, "request.invalid")["detail"]


async def test_events_are_narrowed_by_time_over_pages(customer: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    job = {"agent_id": customer.agent_id, "title": "Job", "price": "1"}
    for _ in range(3):
        good(await customer.owner.post("/contracts", job), 201)
    rows = good(await customer.owner.get("/events?type=contract.created"))["data"]
    middle = rows[1]["at"]
    monkeypatch.setattr("repositories.event.SCANNED", 2)
    for end, expected in ((f"from={quote(middle)}", rows[1:]), (f"to={quote(middle)}", rows[:1])):
        found, cursor = list[object](), ""
        while True:
            page = good(await customer.owner.get(f"/events?type=contract.created&{end}{cursor}"))
            found += page["data"]
            if page["next_cursor"] is None:
                break
            cursor = f"&cursor={page['next_cursor']}"
        assert found == expected


async def test_cursor_belongs_to_its_list_and_filters(customer: Tenant) -> None:
    await named(customer, "One", "Two", "Three")
    here = f"/agents?limit=1&organization_id={customer.org_id}"
    cursor = good(await customer.owner.get(here))["next_cursor"]
    assert len(good(await customer.owner.get(f"{here}&cursor={cursor}"))["data"]) == 1
    for other in (f"/agents?cursor={cursor}", f"{here}&q=o&cursor={cursor}", f"/projects?cursor={cursor}"):
        assert refused(await customer.owner.get(other), 422, "request.invalid")["field"] == "cursor"


async def test_pages_and_csv_of_a_filter_hold_the_same(customer: Tenant) -> None:
    made = await named(customer, "Sum 50%", "Sum_50", "Other", "sum 5", "SUM 500")
    path = f"/agents?organization_id={customer.org_id}&q=sum%205"
    expected = [made[4], made[3], made[0]]
    found, cursor = list[str](), ""
    while True:
        page = good(await customer.owner.get(f"{path}&limit=1{cursor}"))
        found += [row["id"] for row in page["data"]]
        if page["next_cursor"] is None:
            break
        cursor = f"&cursor={page['next_cursor']}"
    assert found == expected
    answer = await customer.owner.get(path, headers=AS_CSV)
    assert [row["id"] for row in csv.DictReader(io.StringIO(answer.text))] == expected


async def test_filtered_list_goes_on_where_a_page_has_looked_enough(
    customer: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await named(customer, "wanted first", *(f"other {number}" for number in range(6)))
    monkeypatch.setattr("repositories.listing.LOOKED", (2, 3))
    path = f"/agents?organization_id={customer.org_id}&q=wanted&limit=1"
    page, pages = good(await customer.owner.get(path)), 1
    while page["next_cursor"] is not None:
        assert page["data"] == []
        page, pages = good(await customer.owner.get(f"{path}&cursor={page['next_cursor']}")), pages + 1
    assert [row["id"] for row in page["data"]] == [made[0]]
    assert pages == 3
    answer = await customer.owner.get(path, headers=AS_CSV)
    assert [row["id"] for row in csv.DictReader(io.StringIO(answer.text))] == [made[0]]


async def test_escrows_by_time_amount_agent_contract_and_several_states(
    operator: Caller, database: Database, new_tenant: Callable[..., Awaitable[Tenant]]
) -> None:
    payer, payee, other = [await new_tenant() for _ in range(3)]
    made = await escrow_between(operator, database, payer, payee)
    shown = good(await payer.owner.get(f"/escrows/{made}"))
    created, amount = datetime.fromisoformat(shown["created_at"]), shown["amount"]
    second = timedelta(seconds=1)
    there = [
        f"from={moment(created)}&to={moment(datetime.now(UTC) + second)}",
        f"min_amount={amount}&max_amount={amount}&currency={shown['currency']}",
        f"agent_id={shown['payee_agent_id']}",
        f"contract_id={shown['contract_id']}",
        f"contract_id={shown['contract_id']}&status=open,funded",
        "status=open,funded",
        "status=open&status=funded",
    ]
    missing = [
        f"to={moment(created)}",
        f"from={moment(created + second)}",
        f"max_amount=0.01&currency={shown['currency']}",
        f"contract_id={shown['contract_id']}&status=released",
        "status=released,split",
    ]
    for query in there:
        for caller, whose in ((payer.owner, ""), (payee.owner, ""), (operator, f"&organization_id={payer.org_id}")):
            assert await ids(caller, f"/escrows?{query}{whose}") == [made], query
        assert await ids(other.owner, f"/escrows?{query}") == [], query
    for query in missing:
        assert await ids(payer.owner, f"/escrows?{query}") == [], query
    refused(await payer.owner.get("/escrows?status=open,nothing"), 422, "request.invalid")


async def test_payments_by_provider_and_reference(database: Database, customer: Tenant) -> None:
    written = Written(database, customer.org_id)
    await written.begin()
    made = written.payment.terms.payment_id
    assert await ids(customer.owner, "/payments?provider=stripe") == [made]
    assert await ids(customer.owner, "/payments?provider=paypal") == []
    assert await ids(customer.owner, "/payments?q=nothing-like-it") == []


async def test_audit_by_time_ends_at_its_bounds(customer: Tenant) -> None:
    for name in ("a", "b", "c"):
        await named(customer, name)
    rows = good(await customer.owner.get("/audit?action=agent.create"))["data"]
    middle = datetime.fromisoformat(rows[1]["at"])
    found = good(await customer.owner.get(f"/audit?action=agent.create&from={moment(middle)}"))["data"]
    assert found == [row for row in rows if datetime.fromisoformat(row["at"]) >= middle]
    found = good(await customer.owner.get(f"/audit?action=agent.create&to={moment(middle)}"))["data"]
    assert found == [row for row in rows if datetime.fromisoformat(row["at"]) < middle]


async def test_openapi_names_csv_wherever_it_is_answered(operator: Caller) -> None:
    document = good(await operator.get("/openapi.json"))
    for path in LISTS:
        answers = document["paths"][f"/api/v1{path}"]["get"]["responses"]["200"]["content"]
        assert set(answers) == {"application/json", "text/csv"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        ("-12.50", "-12.50"),
        ("-cmd", "'-cmd"),
        (["=a", "b"], "'=a b"),
        ({"a": "=1"}, '{"a":"=1"}'),
        (True, "true"),
        ([{"amount": "1"}], '[{"amount":"1"}]'),
        ("\n=1", "'\n=1"),
    ],
)
def test_cell_of_a_value(value: Any, text: str) -> None:
    assert cell(value) == text


def test_every_list_here_is_an_endpoint() -> None:
    known = {route.path for route in ROUTES}
    assert set(LISTS) <= known


async def test_grants_are_what_was_granted_and_not_what_was_bought(
    customer: Tenant, operator: Caller, database: Database
) -> None:
    bought = await Written(database, customer.org_id).begin()
    bought.there.pay()
    await bought.look()
    async with database.platform() as session:
        query = select(CreditLot.id).where(CreditLot.org_id == customer.org_id, CreditLot.source == "purchase")
        lot = (await session.scalars(query)).one()
    body = {"organization_id": customer.org_id, "amount": "5.00", "source": "reward"}
    granted = good(await operator.post("/credits/grants", body, key=new_key()), 201)["id"]
    for caller in (customer.owner, operator):
        assert await ids(caller, f"/credits/grants?organization_id={customer.org_id}") == [granted]
        refused(await caller.get(f"/credits/grants/{lot}"), 404, "not_found")
