"""Filters, cursors and CSV of lists, which are declared once for all of them."""

import csv
import io
import json
import re
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any
from urllib.parse import quote
from uuid import UUID

import pytest
from fastapi.routing import APIRoute
from sqlalchemy import select

from api.lists import Int32, ListEndpoint, scope_of
from api.pagination import encode_cursor
from api.parameters import query_names
from domain.common.cells import cell_text
from models.credits.credit_lot import CreditLot
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.escrowing import escrow_between
from tests.api.paying import Written
from tests.support.cases import for_each
from tests.support.openapi import served
from tests.support.outbox import past_others
from tests.support.routes import ROUTES

pytestmark = pytest.mark.db

AS_CSV = {"Accept": "text/csv"}
LISTS_PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "lists.md"
#: Lists that take no range of time, and why.
WITHOUT_RANGE = {
    "/billing/balances": "balances are of one moment",
    "/credits/earnings": "what agents have now",
    "/payment-policies": "the policies that hold now",
    "/principals": "who can act now",
    "/tasks": "what waits now, by its deadline",
}
#: Lists whose range is in days.
BY_DAY = {"/reputation/history/{agent_id}"}
#: Required parameters of lists.
NEEDED = {"/reputation/feedback": f"agent_id=agt_{'0' * 26}&"}
#: The currency of amounts, where a list is filtered by them.
AMOUNTS = {
    "/contracts": "CREDIT",
    "/escrows": "CREDIT",
    "/payments": "USD",
    "/billing/invoices": "USD",
    "/billing/invoice-items": "USD",
    "/disputes": "USD",
    "/billing/payouts": "USD",
    "/billing/transactions": "CREDIT",
}
#: Lists whose CSV has special cells, or whose rows do not depend on the time.
OWN_CELLS = {"/billing/usage/logs", "/usage/logs", "/accounting/journal", "/billing/statement", "/billing/earnings"}


def names(route: APIRoute) -> set[str]:
    return {name for name, _ in query_names(route.dependant)}


GETS = {route.path_format: route for route in ROUTES if "GET" in (route.methods or ())}
LISTS = {path: route for path, route in GETS.items() if "cursor" in names(route)}
#: Reports that take a range, and what else they need.
RANGES = {
    "/credits/usage/summary": "",
    "/escrows/summary": "",
    "/payments/summary": "",
    "/series": "metric=spending&interval=day&",
    "/analytics/spent": "",
    "/billing/usage": "",
    "/economics/models": "",
    "/economics/models/compare": "a=x&b=y&",
    "/economics/roi": "",
}
#: Looks for its meter first, and then reads the range as `/billing/usage` does.
OF_A_METER = "/usage/meters/{meter_id}"
PLAIN = [
    path for path in LISTS if "{" not in path and "from" in names(LISTS[path]) and path not in OWN_CELLS | NEEDED.keys()
]


def moment(at: datetime) -> str:
    return quote(at.isoformat())


async def named(tenant: Tenant, *names: str) -> list[str]:
    made = [await tenant.owner.post("/agents", {"name": name, "visibility": "private"}) for name in names]
    return [good(answer, 201)["id"] for answer in made]


async def ids(caller: Caller, path: str) -> list[str]:
    return [row["id"] for row in good(await caller.get(path))["data"]]


@for_each("path", LISTS)
async def test_every_list_is_of_one_form(path: str, tenant: Tenant) -> None:
    """`test_queries` checks that every operation refuses unknown parameters."""
    content = LISTS[path].responses.get(200, {}).get("content", {})
    assert "text/csv" in content
    here = f"{re.sub('{.*?}', 'x', path)}?{NEEDED.get(path, '')}"
    another = refused(await tenant.owner.get(f"{here}cursor={encode_cursor('another', 'x')}"), 422, "request.invalid")
    assert another["field"] == "cursor"
    assert ({"from", "to"} <= names(LISTS[path])) == (path not in WITHOUT_RANGE)
    if path not in WITHOUT_RANGE:
        hour = "" if path in BY_DAY else "T00:00:00Z"
        late = f"{here}from=2026-01-02{hour}&to=2026-01-01{hour}"
        assert refused(await tenant.owner.get(late), 422, "request.invalid")["field"] == "from"


@pytest.mark.parametrize("path", RANGES)
async def test_range_of_a_report_is_refused_as_that_of_a_list_is(path: str, tenant: Tenant) -> None:
    known = {path for path, route in GETS.items() if {"from", "to"} <= names(route) and path not in LISTS}
    assert known == {*RANGES, OF_A_METER}
    hour = "" if path == "/economics/roi" else "T00:00:00Z"
    late = f"{path}?{RANGES[path]}from=2026-01-02{hour}&to=2026-01-01{hour}"
    assert refused(await tenant.owner.get(late), 422, "request.invalid")["field"] == "from"


def test_every_list_has_csv_or_a_documented_reason() -> None:
    """By the document that is served: whatever has `data` is a list, with a cursor or without."""
    document = served()

    def has_data(operation: dict[str, Any]) -> bool:
        schema = operation["responses"].get("200", {}).get("content", {}).get("application/json", {}).get("schema", {})
        named = document["components"]["schemas"].get(schema.get("$ref", "").rpartition("/")[2], schema)
        return "data" in named.get("properties", {})

    without = {
        path.removeprefix("/api/v1")
        for path, methods in document["paths"].items()
        if "get" in methods
        and has_data(methods["get"])
        and "text/csv" not in methods["get"]["responses"]["200"]["content"]
    }
    section = LISTS_PAGE.read_text("utf-8").partition("\n## Without CSV\n")[2]
    said = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    assert sorted(re.findall("`(.*?)`", " ".join(said))) == sorted(without)


@for_each("path", PLAIN)
async def test_list_takes_a_range_and_its_file_holds_the_same(path: str, customer: Tenant, operator: Caller) -> None:
    tomorrow, ago = (moment(datetime.now(UTC) + timedelta(days=days)) for days in (1, -1))
    probe = await customer.owner.get(f"{path}?limit=1")
    caller = operator if probe.status_code == 403 else customer.owner
    assert good(await caller.get(f"{path}?from={tomorrow}")) == {"data": [], "next_cursor": None}
    asked = f"{path}?from={ago}&to={tomorrow}"
    listed, page = [], good(await caller.get(f"{asked}&limit=200"))
    while True:
        listed += page["data"]
        if page["next_cursor"] is None:
            break
        page = good(await caller.get(f"{asked}&limit=200&cursor={page['next_cursor']}"))
    answer = await caller.get(f"{asked}&limit=1", headers=AS_CSV)
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    shown = [{name: cell_text(value) for name, value in row.items()} for row in listed]
    for row in (*rows, *shown):
        row.pop("last_used_at", None)  # of the key that asks, which has been used since
    assert rows == shown


@for_each("path", AMOUNTS)
async def test_amounts_of_a_list_need_a_currency_and_fit_it(path: str, customer: Tenant) -> None:
    amounts = f"{path}?min_amount=2&max_amount=1"
    assert refused(await customer.owner.get(amounts), 422, "request.invalid")["field"] == "currency"
    amounts += f"&currency={AMOUNTS[path]}"
    assert refused(await customer.owner.get(amounts), 422, "request.invalid")["field"] == "min_amount"
    many = f"{path}?max_amount=0.1234567890123&currency={AMOUNTS[path]}"
    assert "max_amount" in refused(await customer.owner.get(many), 422, "request.invalid")["detail"]


async def test_events_are_narrowed_by_time_over_pages(
    database: Database, customer: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = {"agent_id": customer.agent_id, "title": "Job", "price": "1"}
    for _ in range(3):
        good(await customer.owner.post("/contracts", job), 201)
    await past_others(database)
    rows = good(await customer.owner.get("/events?type=contract.created"))["data"]
    middle = rows[1]["at"]
    monkeypatch.setattr("repositories.common.listing.SCAN_LIMITS", (2,))
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


def listing_of(route: APIRoute) -> ListEndpoint | None:
    """Return what a route lists, of the closure that reads its parameters; None where it is no `ListEndpoint`."""
    cells = [cell for part in route.dependant.dependencies for cell in getattr(part.call, "__closure__", None) or ()]
    return next((each.cell_contents for each in cells if isinstance(each.cell_contents, ListEndpoint)), None)


def forged(listing: ListEndpoint, path: dict[str, str], given: dict[str, str], *, last: bool) -> str:
    """Return a cursor of the first or last place that its order's types can name."""
    ends: dict[Any, tuple[object, object]] = {
        int: (0, 2**63 - 1),
        Int32: (0, 2**40),
        date: ("0001-01-01", "9999-12-31"),
        datetime: ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"),
        UUID: (UUID(int=0), UUID(int=2**128 - 1)),
    }
    place = [
        list(kind)[-last]
        if isinstance(kind, type) and issubclass(kind, StrEnum)
        else f"{kind}_{'7' * 26 if last else '0' * 26}"
        if isinstance(kind, str)
        else ends.get(kind, ("0", "z"))[last]
        for kind in listing.order
    ]
    scope = scope_of(listing.name, json.dumps([given, [None, {}], *([path] if path else [])], sort_keys=True))
    return encode_cursor(scope, *place)


@pytest.mark.slow
async def test_forged_cursors_are_followed_or_refused(new_tenant: Any, operator: Caller) -> None:
    tenant: Tenant = await new_tenant("owner")
    control = {"subject": {"type": "organization"}, "currency": "CREDIT", "limits": [{"window": "day", "amount": "1"}]}
    made = good(await tenant.owner.post("/spend-controls", control, key=new_key()), 201)["id"]
    known = {"agent_id": tenant.agent_id, "control_id": made}
    answers: dict[str, list[int]] = {}
    for path, route in LISTS.items():
        listing = listing_of(route)
        if listing is None:
            continue
        values = {name: known.get(name, "x") for name in re.findall(r"{(\w+)}", path)}
        query = NEEDED.get(path, "")
        given = dict(pair.split("=") for pair in query.split("&") if pair)
        for caller in (tenant.owner, operator):
            for last in (False, True):
                cursor = forged(listing, values, given, last=last)
                answer = await caller.get(f"{path.format(**values)}?{query}cursor={cursor}")
                answers.setdefault(path, []).append(answer.status_code)
    assert not {path: codes for path, codes in answers.items() if not {200, 403, 404, 422}.issuperset(codes)}
    assert sum(200 in codes for codes in answers.values()) > 30
    assert answers["/spend-controls/{control_id}/versions"] == [200, 422, 200, 422]
    assert answers["/reputation/history/{agent_id}"] == [422, 200, 422, 200]


@for_each("zone", ["UTC", "America/New_York", "Asia/Tokyo"])
@for_each(
    "since, until",
    [
        ("0001-01-01T00:00:00+00:00", "9999-12-31T23:59:59.999999+00:00"),
        ("0001-01-01T00:00:00+14:00", "2026-01-01T00:00:00+00:00"),
        ("2026-01-01T00:00:00+00:00", "9999-12-31T23:59:59-14:00"),
        ("2026-01-01T00:00:00+00:00", "2025-01-01T00:00:00+00:00"),
    ],
)
async def test_forged_cursor_of_a_statement_is_followed_or_refused(
    tenant: Tenant, zone: str, since: str, until: str
) -> None:
    scope = scope_of("account-statement", json.dumps([None, None, None]))
    for after in (0, 2**63 - 1):
        cursor = encode_cursor(scope, since, until, after)
        answer = await tenant.owner.get(f"/billing/statement?zone={quote(zone)}&cursor={cursor}")
        assert answer.status_code in {200, 422}, answer.text


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


async def test_filtered_list_continues_after_a_page_at_its_scan_limit(
    customer: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = await named(customer, "wanted first", *(f"other {number}" for number in range(6)))
    monkeypatch.setattr("repositories.common.listing.SCAN_LIMITS", (2, 3))
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
    operator: Caller, database: Database, new_tenant: NewTenant
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


async def test_escrows_by_text_of_the_work_and_by_part_of_ones_own_id(
    operator: Caller,
    database: Database,
    new_tenant: NewTenant,
    issue_key: Callable[..., Awaitable[Caller]],
) -> None:
    payer, payee, other = [await new_tenant() for _ in range(3)]
    made = await escrow_between(operator, database, payer, payee, title="Reads 100% of it_all")
    plain = await escrow_between(operator, database, payer, payee, title="Reads 1000 of it")
    for tenant, external_id in ((payer, "Order-6735"), (payee, "job-77")):
        own = {"json": {"external_id": external_id}, "headers": {"If-Match": "*"}}
        good(await tenant.owner.ask("PATCH", f"/escrows/{made}", **own))
    for q, callers in {
        "reads 100%": (payer, payee),
        "IT_ALL": (payer, payee),
        "order-67": (payer,),
        "JOB-7": (payee,),
    }.items():
        for tenant in (payer, payee, other):
            found = await ids(tenant.owner, f"/escrows?q={quote(q)}")
            assert found == ([made] if tenant in callers else []), (q, tenant)
    assert await ids(payer.owner, "/escrows?q=reads") == [plain, made]
    assert await ids(payer.owner, "/escrows?q=reads&status=released") == []
    # Operators find what they are shown: the payer's ids, or those of the organization that they name.
    assert await ids(operator, "/escrows?q=order-6735") == [made]
    assert await ids(operator, f"/escrows?q=job-77&organization_id={payee.org_id}") == [made]
    arbiter = await issue_key("arbiter")
    assert await ids(arbiter, "/escrows?q=it_all") == [made]
    assert await ids(arbiter, "/escrows?q=order-6735") == []
    counted = good(await payer.owner.get("/escrows/summary?q=it_all"))["by_status"]
    assert [(each["status"], each["count"]) for each in counted] == [("open", 1)]
    answer = await payer.owner.get("/escrows?q=it_all", headers=AS_CSV)
    assert [row["id"] for row in csv.DictReader(io.StringIO(answer.text))] == [made]


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


@for_each(
    "value, text",
    [
        (None, ""),
        ("-12.50", "-12.50"),
        (["=a", "b"], "=a b"),
        ({"a": "=1"}, '{"a":"=1"}'),
        (True, "true"),
        ([{"amount": "1"}], '[{"amount":"1"}]'),
    ],
)
def test_cell_of_a_value(value: Any, text: str) -> None:
    assert cell_text(value) == text


async def test_grants_do_not_include_bought_credits(customer: Tenant, operator: Caller, database: Database) -> None:
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
