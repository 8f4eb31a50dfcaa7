"""Search over HTTP: what a text names, and of a customer where the money is and what is stuck."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from repositories import alert
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.escrowing import funded_escrow
from tests.api.invoicing import issue
from tests.api.paying import Written

pytestmark = pytest.mark.db


@pytest.fixture
async def customer(new_tenant: Callable[..., Awaitable[Tenant]]) -> Tenant:
    return await new_tenant("owner", "agent")


async def found(caller: Caller, q: str) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = good(await caller.get("/search", params={"q": q}))["data"]
    return hits


async def names(caller: Caller, q: str) -> list[tuple[str, str]]:
    return [(hit["kind"], hit["id"]) for hit in await found(caller, q)]


async def test_operator_sees_where_the_money_is_and_what_is_stuck(
    operator: Caller, database: Database, customer: Tenant, new_tenant: Callable[..., Awaitable[Tenant]]
) -> None:
    payee = await new_tenant("owner")
    # It was funded long ago, and no run lives that would have ended it.
    escrow_id = await funded_escrow(operator, database, customer, payee)
    async with database.platform() as session:
        await alert.raise_alert(session, kind="payment.debt", subject=escrow_id, detail="x", org_id=customer.org_id)
    (hit,) = await found(operator, customer.org_id)
    about = hit["customer"]
    assert (hit["kind"], hit["url"]) == ("organization", f"/api/v1/organizations/{customer.org_id}/summary")
    (credits,) = about["summary"]["assets"]
    assert (credits["in_escrow"], credits["available"]) == ("1.00", "999.00")
    assert [(one["kind"], one["subject"]) for one in about["open_alerts"]] == [("payment.debt", escrow_id)]
    (late,) = about["stuck"]
    assert (late["kind"], late["id"], late["status"]) == ("escrow", escrow_id, "funded")
    assert late["workflow_url"].endswith(f"/workflows/escrow%2F{escrow_id.replace('esc_', 'ctr_')}")
    (escrow,) = await found(operator, escrow_id)
    assert (escrow["title"], escrow["status"], escrow["amount"]) == ("Job", "funded", "1.00")
    assert escrow["workflow_url"] == late["workflow_url"]
    (own,) = await found(customer.owner, customer.org_id)
    assert (own["customer"]["stuck"], own["customer"]["open_alerts"]) == ([], [])
    assert own["customer"]["summary"]["assets"] == about["summary"]["assets"]
    assert [hit["workflow_url"] for hit in await found(payee.owner, escrow_id)] == [None]


async def test_names_numbers_and_external_ids_are_found(operator: Caller, customer: Tenant) -> None:
    name = f"Zephyr {customer.org_id[-6:]} 100%_ works"
    made = good(await operator.post("/organizations", {"name": name, "external_id": f"crm {customer.org_id}"}), 201)
    assert await names(operator, name.lower()[:20]) == [("organization", made["id"])]
    assert await names(operator, name[1:20]) == [("organization", made["id"])]
    assert await names(operator, f"crm {customer.org_id}") == [("organization", made["id"])]
    invoice = await issue(operator, customer)
    for caller in (operator, customer.owner):
        assert await names(caller, invoice["number"].lower()) == [("invoice", invoice["id"])]
    agent = good(await customer.owner.post("/agents", {"name": "Deep 50%_ reader", "external_id": "row 7"}), 201)
    for text in ("50%_", "row 7", agent["id"]):
        assert await names(customer.owner, text) == [("agent", agent["id"])]
    assert await names(customer.owner, "5__") == []


async def test_every_kind_of_object_is_found_by_its_id_and_read_on_where_it_says(
    operator: Caller, database: Database, customer: Tenant, new_tenant: Callable[..., Awaitable[Tenant]]
) -> None:
    stranger = await new_tenant("owner")
    body = {"organization_id": customer.org_id, "amount": "5", "source": "reward", "external_id": "grant 7"}
    grant = good(await operator.post("/credits/grants", body, key=new_key()), 201)["id"]
    department = good(await customer.owner.post("/departments", {"name": "Sales"}), 201)["id"]
    bought = await Written(database, customer.org_id).begin()
    bought.there.pay()
    await bought.look()
    payment = bought.terms.payment_id
    (moved, *_) = good(await customer.owner.get("/billing/transactions"))["data"]
    made = (
        *(("grant", grant), ("department", department), ("payment", payment)),
        ("transfer", moved["id"]),
    )
    for kind, id in made:
        for caller in (operator, customer.owner):
            ((found_kind, found_id), *_) = await names(caller, id)
            assert (found_kind, found_id) == (kind, id)
            (hit, *_) = await found(caller, id)
            assert id in (await caller.get(hit["url"])).text
        assert await names(stranger.owner, id) == []
    for caller in (operator, customer.owner):
        assert await names(caller, "grant 7") == [("grant", grant)]


async def test_operator_finds_what_a_document_is_for_by_its_number(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    invoice = await issue(operator, customer)
    there = f"/billing/invoices/{invoice['id']}"
    note = good(await operator.post(f"{there}/credit-notes", {"amount": "1", "reason": "x"}, key=new_key()), 201)
    assert await names(operator, note["number"].lower()) == [("invoice", invoice["id"])]


async def test_tenants_and_agents_find_their_own(
    operator: Caller,
    database: Database,
    customer: Tenant,
    new_tenant: Callable[..., Awaitable[Tenant]],
    issue_key: Callable[..., Awaitable[Caller]],
) -> None:
    stranger = await new_tenant("owner", "agent")
    escrow_id = await funded_escrow(operator, database, stranger, customer)
    invoice = await issue(operator, customer)
    for text in (customer.org_id, invoice["id"], invoice["number"]):
        assert await names(stranger.owner, text) == []
    for caller in (stranger.owner, customer.owner, customer.agent):
        assert await names(caller, escrow_id) == [("escrow", escrow_id)]
    for text in (escrow_id, stranger.org_id):
        assert await names(stranger.agent, text) == []
    assert await names(customer.agent, invoice["id"]) == []
    assert await names(customer.agent, customer.agent_id) == [("agent", customer.agent_id)]
    refused(await (await issue_key("validator")).get("/search?q=a"), 403, "auth.forbidden")
    for query in ("", "?q=", "?q=a&limit=51", "?q=a&kind=x"):
        refused(await operator.get(f"/search{query}"), 422, "request.invalid")
    assert await names(operator, "tr_" + "0" * 26) == []
