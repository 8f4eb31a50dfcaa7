import asyncio
import csv
import io
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from api.deps import Deps
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.credits import GrantSource
from ledger.gateway import Ledger
from runtime.database import driver_connection
from services.credits import credit_lot
from tests.api.conftest import Caller, NewTenant, Tenant, forget, good, new_key, refused
from tests.support.cases import for_each

pytestmark = pytest.mark.db

BALANCES = ("/billing/balance", "/credits/balance", "/payments/credits/balance", "/billing/credits")


async def grant(operator: Caller, org_id: str, amount: Any = "100.00", **more: Any) -> dict[str, Any]:
    body = {"organization_id": org_id, "amount": amount, "source": "promotion", **more}
    made: dict[str, Any] = good(await operator.post("/credits/grants", body, key=new_key()), 201)
    return made


@pytest.fixture
async def fresh(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "auditor")


async def test_grant_shows_in_every_balance_at_once(operator: Caller, fresh: Tenant) -> None:
    lot = await grant(operator, fresh.org_id, "100.00", note="Welcome")
    assert lot["id"].startswith("lot_")
    assert lot["transfer_id"].startswith("tr_")
    assert lot["note"] == "Welcome"
    for path in BALANCES:
        assert good(await fresh.auditor.get(path)) == {
            "organization_id": fresh.org_id,
            "currency": "CREDIT",
            "available": "100.00",
            "reserved": "0.00",
            "total": "100.00",
            "owed": "0.00",
            "expiring": [],
        }


async def test_pitfall_01_same_grant_twice_in_a_row_is_one(operator: Caller, fresh: Tenant) -> None:
    body = {"organization_id": fresh.org_id, "amount": "10", "source": "reward"}
    key = new_key()
    first = await operator.post("/credits/grants", body, key=key)
    second = await operator.post("/credits/grants", body, key=key)
    assert second.content == first.content
    assert good(await fresh.owner.get("/billing/balance"))["total"] == "10.00"


async def test_pitfall_01_same_grant_many_times_at_once_is_one(operator: Caller, fresh: Tenant) -> None:
    body = {"organization_id": fresh.org_id, "amount": "10", "source": "reward"}
    key = new_key()
    answers = await asyncio.gather(*(operator.post("/credits/grants", body, key=key) for _ in range(12)))
    for response in answers:
        if response.status_code != 201:
            refused(response, 409, "idempotency.in_flight")
    final = good(await operator.post("/credits/grants", body, key=key), 201)
    assert {response.json()["id"] for response in answers if response.status_code == 201} == {final["id"]}
    assert good(await fresh.owner.get("/billing/balance"))["total"] == "10.00"


async def test_grant_that_died_before_its_answer_is_found_again(operator: Caller, fresh: Tenant, deps: Deps) -> None:
    body = {"organization_id": fresh.org_id, "amount": "10", "source": "reward"}
    key = new_key()
    first = good(await operator.post("/credits/grants", body, key=key), 201)
    await forget(deps.database, key)
    assert good(await operator.post("/credits/grants", body, key=key), 201) == first
    assert good(await fresh.owner.get("/billing/balance"))["total"] == "10.00"


async def test_grant_needs_a_key(operator: Caller, fresh: Tenant) -> None:
    body = {"organization_id": fresh.org_id, "amount": "10", "source": "promotion"}
    refused(await operator.post("/credits/grants", body), 400, "idempotency.missing")


async def test_grants_are_spent_by_their_priority(operator: Caller, fresh: Tenant) -> None:
    for name, priority in (("usual", 0), ("last", 5), ("first", -5)):
        await grant(operator, fresh.org_id, "10", note=name, priority=priority)
    good(await fresh.owner.post("/credits/use", {"amount": "15"}, key=new_key()), 201)
    lots = good(await fresh.auditor.get("/credits/lots"))["data"]
    assert [(lot["priority"], lot["remaining"]) for lot in lots] == [(-5, "0.00"), (5, "10.00"), (0, "5.00")]


@for_each(
    "changes",
    [
        {"amount": "0"},
        {"amount": "-5"},
        {"amount": "0.0000001"},
        {"amount": 1e-7},
        {"amount": "1000000001"},
        {"amount": "1,000"},
        {"amount": "Infinity"},
        {"amount": None},
        {"amount": []},
        {"source": "gift"},
        {"source": None},
        {"organization_id": "org_1"},
        {"organization_id": None},
        {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2099-01-01T00:00:00"},
        {"expires_at": "tomorrow"},
        {"expires_at": 4_000_000_000},
        {"expires_at": "9999-12-31T23:59:59-14:00"},
        {"priority": 101},
        {"priority": "first"},
        {"note": "n" * 4001},
        {"note": "bell\x07"},
        {"x": 1},
    ],
)
async def test_grant_that_breaks_a_rule_is_refused(changes: dict[str, Any], operator: Caller, fresh: Tenant) -> None:
    body = {"organization_id": fresh.org_id, "amount": "10", "source": "promotion", **changes}
    refused(await operator.post("/credits/grants", body, key=new_key()), 422, "request.invalid")
    assert good(await fresh.owner.get("/billing/balance"))["total"] == "0.00"


async def test_json_number_is_exact(operator: Caller, fresh: Tenant) -> None:
    content = f'{{"organization_id": "{fresh.org_id}", "amount": 100000000.000001, "source": "adjustment"}}'
    response = await operator.ask(
        "POST", "/credits/grants", key=new_key(), content=content, headers={"Content-Type": "application/json"}
    )
    assert good(response, 201)["amount"] == "100000000.000001"
    assert good(await fresh.owner.get("/billing/balance"))["total"] == "100000000.000001"


async def test_grant_to_an_unknown_organization_is_404_and_its_key_stays_free(operator: Caller, fresh: Tenant) -> None:
    key = new_key()
    body = {"organization_id": "org_" + "0" * 26, "amount": "10", "source": "promotion"}
    refused(await operator.post("/credits/grants", body, key=key), 404, "not_found")
    good(await operator.post("/credits/grants", {**body, "organization_id": fresh.org_id}, key=key), 201)


async def test_books_balance_after_grants_of_every_source(operator: Caller, fresh: Tenant, deps: Deps) -> None:
    for source in ("promotion", "reward", "adjustment"):
        await grant(operator, fresh.org_id, "1.5", source=source)
    async with deps.database.platform() as session:
        total = await session.scalar(text("SELECT sum(amount) FROM ledger.entries"))
        lots = await session.scalar(
            text("SELECT sum(amount_minor) FROM credit_lots WHERE org_id = :id"), {"id": fresh.org_id}
        )
    assert total == 0
    assert lots == 4_500_000
    assert good(await fresh.owner.get("/billing/balance"))["total"] == "4.50"


async def test_expiring_credits_are_listed_soonest_first(operator: Caller, fresh: Tenant) -> None:
    soon, later = ((datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0) for days in (1, 9))
    await grant(operator, fresh.org_id, "5", expires_at=later.isoformat())
    await grant(operator, fresh.org_id, "3", expires_at=soon.isoformat())
    await grant(operator, fresh.org_id, "2")
    balance = good(await fresh.owner.get("/billing/balance"))
    assert balance["total"] == "10.00"
    assert [item["amount"] for item in balance["expiring"]] == ["3.00", "5.00"]
    assert [datetime.fromisoformat(item["expires_at"]) for item in balance["expiring"]] == [soon, later]


async def test_lot_that_came_after_the_spending_is_whole(operator: Caller, fresh: Tenant, deps: Deps) -> None:
    """A lot does not pay spends that were made before its grant."""
    await grant(operator, fresh.org_id, "1000")
    await spend(deps, fresh.org_id, 300_000_000)
    soon = (datetime.now(UTC) + timedelta(days=1)).replace(microsecond=0)
    await grant(operator, fresh.org_id, "100", expires_at=soon.isoformat())
    balance = good(await fresh.owner.get("/billing/balance"))
    assert (balance["available"], balance["total"]) == ("800.00", "800.00")
    assert [item["amount"] for item in balance["expiring"]] == ["100.00"]


async def test_a_lot_that_has_expired_shows_nothing_remaining_before_it_is_booked(fresh: Tenant, deps: Deps) -> None:
    now = datetime.now(UTC)
    async with deps.database.platform() as session:
        await credit_lot.grant(
            session,
            Actor(principal="root", role=Role.OPERATOR),
            org_id=fresh.org_id,
            amount_minor=40_000_000,
            source=GrantSource.PROMOTION,
            expires_at=now - timedelta(days=1),
            note=None,
            command_id=new_key(),
            now=now - timedelta(days=2),
        )
    [lot] = good(await fresh.auditor.get("/credits/lots"))["data"]
    assert [lot[name] for name in ("amount", "remaining", "held", "expired")] == ["40.00", "0.00", "0.00", "40.00"]


async def test_lots_show_remaining_held_and_expired_credits(operator: Caller, fresh: Tenant, deps: Deps) -> None:
    now = datetime.now(UTC)
    soon = now + timedelta(days=1)
    first = await grant(operator, fresh.org_id, "100")
    second = await grant(operator, fresh.org_id, "40", expires_at=soon.isoformat())
    await spend(deps, fresh.org_id, 15_000_000)
    async with deps.database.platform() as session:
        ledger = Ledger(await driver_connection(session))
        await ledger.hold(
            key=new_key(),
            account=accounts.org_credits(fresh.org_id),
            amount_minor=5_000_000,
            expires_at=now + timedelta(days=9),
            held_at=now,
        )
        await ledger.expire_lots(now=soon + timedelta(seconds=1), limit=100_000)
    found = good(await fresh.auditor.get("/credits/lots?limit=1"))
    [lot] = found["data"]
    assert (lot["id"], lot["source"], lot["cost"]) == (second["id"], "promotion", None)
    assert [lot[name] for name in ("amount", "remaining", "held", "expired")] == ["40.00", "5.00", "5.00", "20.00"]
    found = good(await fresh.auditor.get(f"/credits/lots?limit=1&cursor={found['next_cursor']}"))
    assert [(lot["id"], lot["remaining"]) for lot in found["data"]] == [(first["id"], "100.00")]
    assert found["next_cursor"] is None


async def test_lots_of_others_are_not_listed(operator: Caller, fresh: Tenant, new_tenant: NewTenant) -> None:
    await grant(operator, fresh.org_id)
    other = await new_tenant("owner")
    assert good(await other.owner.get("/credits/lots"))["data"] == []
    refused(await other.owner.get(f"/credits/lots?organization_id={fresh.org_id}"), 404, "not_found")
    assert len(good(await operator.get(f"/credits/lots?organization_id={fresh.org_id}"))["data"]) == 1
    refused(await operator.get("/credits/lots"), 422, "request.invalid")
    refused(await fresh.owner.get("/credits/lots?cursor=x"), 422, "request.invalid")


async def spend(deps: Deps, org_id: str, amount_minor: int, at: datetime | None = None) -> None:
    async with deps.database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_key(),
            kind="test.spent",
            source=accounts.org_credits(org_id),
            destination=accounts.platform("credit_redemption", "CREDIT"),
            amount_minor=amount_minor,
            effective_at=at or datetime.now(UTC),
        )


async def test_balance_of_another_currency_is_zero(fresh: Tenant) -> None:
    balance = good(await fresh.owner.get("/billing/balance?currency=JPY"))
    assert balance["available"] == "0"
    for bad in ("XXX", "usd", "", "C" * 50, "%00"):
        refused(await fresh.owner.get(f"/billing/balance?currency={bad}"), 422, "request.invalid")


@pytest.mark.parametrize("path", BALANCES)
async def test_balance_is_the_same_with_the_default_currency_named(
    path: str, fresh: Tenant, operator: Caller, anonymous: Caller
) -> None:
    for caller in (*fresh.callers.values(), operator, anonymous):
        plain, named = await caller.get(path), await caller.get(f"{path}?currency=CREDIT")
        assert plain.status_code == named.status_code
        told, again = plain.json(), named.json()
        assert {**told, "request_id": None} == {**again, "request_id": None}


async def test_operator_reads_any_balance_and_names_it(
    operator: Caller, fresh: Tenant, issue_key: Any, stranger: Tenant
) -> None:
    await grant(operator, fresh.org_id, "7")
    named = f"/billing/balance?organization_id={fresh.org_id}"
    assert good(await operator.get(named))["total"] == "7.00"
    assert good(await fresh.owner.get(named))["total"] == "7.00"
    refused(await stranger.owner.get(named), 404, "not_found")
    refused(await operator.get("/billing/balance"), 422, "request.invalid")
    refused(await operator.get("/billing/balance?organization_id=org_" + "0" * 26), 404, "not_found")
    arbiter = await issue_key("arbiter")
    refused(await arbiter.get(named), 403, "auth.forbidden")


async def test_history_shows_each_movement_with_the_balance_after_it(operator: Caller, fresh: Tenant) -> None:
    lots = [await grant(operator, fresh.org_id, amount) for amount in ("1", "2", "3")]
    for path in ("/billing/transactions", "/credits/transactions"):
        rows = good(await fresh.owner.get(path))["data"]
        assert [row["amount"] for row in rows] == ["3.00", "2.00", "1.00"]
        assert [row["balance_after"] for row in rows] == ["6.00", "3.00", "1.00"]
        assert [row["reference"] for row in rows] == [lot["id"] for lot in reversed(lots)]
        assert [row["id"] for row in rows] == [lot["transfer_id"] for lot in reversed(lots)]
        assert {row["account"] for row in rows} == {f"org/{fresh.org_id}/credits"}
        # A tenant does not see the platform's side of a movement.
        assert all(row["counterparties"] == [] for row in rows)
        assert all(row["kind"] == "credit.grant" for row in rows)
    theirs = good(await operator.get(f"/billing/transactions?organization_id={fresh.org_id}"))["data"]
    assert theirs[0]["counterparties"] == ["platform/promotions"]


async def test_history_is_read_page_by_page_without_gap_or_repeat(operator: Caller, fresh: Tenant) -> None:
    for amount in range(1, 8):
        await grant(operator, fresh.org_id, amount)
    seen: list[str] = []
    path = "/billing/transactions?limit=3"
    while path:
        page = good(await fresh.owner.get(path))
        seen += [row["amount"] for row in page["data"]]
        path = f"/billing/transactions?limit=3&cursor={page['next_cursor']}" if page["next_cursor"] else ""
    assert seen == [f"{amount}.00" for amount in range(7, 0, -1)]


async def test_history_is_filtered(operator: Caller, fresh: Tenant) -> None:
    lot = await grant(operator, fresh.org_id, "1")
    await grant(operator, fresh.org_id, "2")
    account = f"org/{fresh.org_id}/credits"

    async def count(query: str) -> int:
        return len(good(await fresh.owner.get(f"/billing/transactions?{query}"))["data"])

    assert await count(f"reference={lot['id']}") == 1
    assert await count("kind=credit.grant") == 2
    assert await count("kind=other") == 0
    assert await count(f"account={account}") == 2
    assert await count("account=org/other/credits") == 0
    assert await count(f"q={lot['id'][8:]}") == 1
    assert await count("q=GRANT") == 2
    assert await count("q=%25") == 0
    assert await count("q=credit_grant") == 0
    assert await count("from=2020-01-01T00:00:00Z") == 2
    assert await count("to=2020-01-01T00:00:00Z") == 0
    assert await count("from=2999-01-01T00:00:00%2B02:00") == 0


@for_each(
    "query",
    [
        "limit=0",
        "limit=201",
        "limit=x",
        "cursor=x",
        "cursor=!",
        "cursor=",
        "cursor=" + "A" * 401,
        "cursor=WyJtb3ZlbWVudCIsIngiLDEsMV0",
        "cursor=WyJvcmciLCJ4Il0",
        "cursor=WyJtb3ZlbWVudCIsIngiLDEuNSwxXQ",
        "from=yesterday",
        "from=2020-01-01",
        "to=0",
        "q=",
        "q=%00",
        "q=" + "x" * 201,
        "kind=",
        "organization_id=x",
    ],
)
async def test_bad_query_is_refused(query: str, fresh: Tenant) -> None:
    refused(await fresh.owner.get(f"/billing/transactions?{query}"), 422, "request.invalid")


async def test_history_comes_as_csv_when_asked_for(operator: Caller, fresh: Tenant) -> None:
    for amount in ("1", "2.5"):
        await grant(operator, fresh.org_id, amount)
    response = await fresh.owner.get("/billing/transactions?limit=1", headers={"Accept": "text/csv"})
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/csv; charset=utf-8"
    rows = list(csv.DictReader(io.StringIO(response.text)))
    assert [row["amount"] for row in rows] == ["2.50", "1.00"]
    assert rows[0]["account"] == f"org/{fresh.org_id}/credits"
