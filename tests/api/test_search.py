"""Search over HTTP, and a customer's overview of money and stuck objects."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text

from api.bootstrap import operator_key
from domain.billing.subscription.state import Transition, numbered
from repositories.messages import alert
from runtime.database import Database
from runtime.identity import new_id
from services.billing.subscription import write
from tests.api.conftest import Caller, NewTenant, Tenant, good, make_tenant, new_key, refused
from tests.api.escrowing import contract_between, funded_escrow
from tests.api.invoicing import issue
from tests.api.paying import Written, paying_app
from tests.api.spending import grant, reserve, use
from tests.conftest import DatabaseUrls
from tests.domain.subscription.building import PLANS, START, active
from tests.support.outbox import past_others

pytestmark = pytest.mark.db

#: As their services write them, but for what is not searched.
_DOCUMENTS = (
    """
    INSERT INTO tax_receipts (id, org_id, payment_id, movement, number, series, currency, gross_minor, net_minor,
        tax_minor, tax_code, category, rate_e6, transfer_id, issued_at)
    VALUES ('rcp_' || :series, :org, :payment, 'm', 'RCP-' || :series, 'RCP', 'USD', 1, 1, 0, 'x', 'x', 0,
        gen_random_uuid(), now())
    """,
    """
    INSERT INTO creator_statements (id, org_id, month, currency, number, series, total_minor, tax_code, content,
        issued_at)
    VALUES ('st_' || :series, :org, '2026-01-01', 'USD', 'ST-' || :series, 'ST', 1, 'x', '{}', now())
    """,
    """
    INSERT INTO creator_corrections (id, statement_id, org_id, month, currency, number, series, total_minor, tax_minor,
        content, issued_at)
    VALUES ('stc_' || :series, 'st_' || :series, :org, '2026-02-01', 'USD', 'STC-' || :series, 'STC', 1, 0, '{}', now())
    """,
)

_ENDPOINT = """
    INSERT INTO webhook_endpoints (id, org_id, command_id, url, types, ordering, status, version, state, read_in,
        read_id, idle, slowed, created_by, created_at, updated_at)
    VALUES (:id, :org, :id, 'https://example.com/hook', '{*}', 'subject', 'active', 1, '{}', 0, '', true, 0, 'kim',
        now(), now())
"""


@pytest.fixture
async def customer(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "agent")


async def found(caller: Caller, q: str) -> list[dict[str, Any]]:
    hits: list[dict[str, Any]] = good(await caller.get("/search", params={"q": q}))["data"]
    return hits


async def names(caller: Caller, q: str) -> list[tuple[str, str]]:
    return [(hit["kind"], hit["id"]) for hit in await found(caller, q)]


async def subscribe(database: Database, org_id: str) -> str:
    held = replace(active(), org_id=org_id, subscription_id=new_id("sub"), ref=None, version=0, receipts=())
    outcome = numbered(Transition(subscription=held, event="activated", actor="kim"), new_id("cmd"))
    async with database.platform() as session:
        await write(session, None, outcome, command_id=new_id("cmd"), actor=None, at=START, plans=PLANS)
    return held.subscription_id


async def test_operator_sees_money_by_place_and_stuck_objects(
    operator: Caller, database: Database, customer: Tenant, new_tenant: NewTenant
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
    for named in ("50%_", "row 7", agent["id"]):
        assert await names(customer.owner, named) == [("agent", agent["id"])]
    assert await names(customer.owner, "5__") == []


async def test_every_kind_of_object_is_found_by_its_id_and_readable_at_its_path(
    operator: Caller, database: Database, customer: Tenant, new_tenant: NewTenant
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


async def test_object_of_a_document_is_found_by_its_number(
    fresh_database: Database,
    fresh_database_urls: DatabaseUrls,
) -> None:
    """In a separate ledger, because the documents are not booked."""
    async with paying_app(fresh_database_urls) as client:
        async with fresh_database.platform() as session:
            operator = Caller(client, await operator_key(session, "documents"))
        await _documents_are_found(operator, fresh_database)


async def _documents_are_found(operator: Caller, database: Database) -> None:
    customer, stranger = [await make_tenant(operator, database, "owner", "agent") for _ in range(2)]
    invoice = await issue(operator, customer)
    there = f"/billing/invoices/{invoice['id']}"
    note = good(await operator.post(f"{there}/credit-notes", {"amount": "1", "reason": "x"}, key=new_key()), 201)
    bought = await Written(database, customer.org_id).begin()
    payment, series = bought.terms.payment_id, customer.org_id[-8:].upper()
    async with database.platform() as session:
        for statement in _DOCUMENTS:
            values = {"org": customer.org_id, "payment": payment, "series": series}
            await session.execute(text(statement), values)
    for number, expected in {
        note["number"]: ("invoice", invoice["id"]),
        f"RCP-{series}": ("payment", payment),
        f"ST-{series}": ("organization", customer.org_id),
        f"STC-{series}": ("organization", customer.org_id),
    }.items():
        for caller in (operator, customer.owner):
            assert await names(caller, number.lower()) == [expected]
        assert await names(stranger.owner, number) == await names(customer.agent, number) == []


async def test_uses_and_lots_of_credits_are_found_by_their_ids(
    operator: Caller, database: Database, customer: Tenant, new_tenant: NewTenant
) -> None:
    stranger = await new_tenant("owner")
    await grant(operator, customer.org_id)
    bought = await Written(database, customer.org_id).begin()
    bought.there.pay()
    await bought.look()
    used, held = await use(customer.agent, action="api_call"), await reserve(customer.owner)
    listed = good(await customer.owner.get("/credits/lots"))["data"]
    assert len(listed) == 2
    made = [("spend", used["id"]), ("spend", held["id"])]
    made += [("grant" if row["source"] == "promotion" else "lot", row["id"]) for row in listed]
    for kind, id in made:
        for caller in (operator, customer.owner):
            (hit,) = await found(caller, id)
            assert (hit["kind"], hit["id"], hit["organization_id"]) == (kind, id, customer.org_id)
            whose = f"?organization_id={customer.org_id}" if kind == "lot" else ""
            assert id in (await caller.get(hit["url"] + whose)).text
        assert await names(stranger.owner, id) == []
    (hit,) = await found(customer.agent, used["id"])
    assert (hit["title"], hit["status"], hit["amount"]) == ("api_call", "charged", used["amount"])
    # Credits that the organization has reserved are not the agent's.
    assert await names(customer.agent, held["id"]) == []


async def test_keys_are_found_by_callers_that_may_list_them_and_never_by_their_secret(
    operator: Caller, new_tenant: NewTenant
) -> None:
    customer, stranger = await new_tenant("owner", "auditor", "member", "agent"), await new_tenant("owner")
    body = {"principal": f"Night.Batch-{customer.org_id[-6:]}", "role": "member"}
    made = good(await customer.owner.post("/api-keys", body), 201)
    for wanted in (made["id"], body["principal"].lower(), body["principal"][2:]):
        for caller in (operator, customer.owner, customer.auditor):
            (hit,) = await found(caller, wanted)
            assert (hit["kind"], hit["id"], hit["title"]) == ("api_key", made["id"], body["principal"])
            assert (hit["status"], hit["url"]) == ("active", "/api/v1/api-keys")
            assert made["secret"] not in str(hit)
        for caller in (customer.member, customer.agent, stranger.owner):
            assert await names(caller, wanted) == []
    for secret in (made["secret"], made["secret"].rpartition("_")[2]):
        assert await names(operator, secret) == await names(customer.owner, secret) == []
    assert (await customer.owner.delete(f"/api-keys/{made['id']}")).status_code == 200
    assert [hit["status"] for hit in await found(customer.owner, made["id"])] == ["revoked"]


async def test_agents_own_objects_are_found_among_many_of_others(
    operator: Caller, customer: Tenant, new_tenant: NewTenant
) -> None:
    payer = await new_tenant("owner")
    mine = await contract_between(operator, payer, customer, title="Night reports", signatories=["finance"])
    other = good(await customer.owner.post("/agents", {"name": "Night reader"}), 201)["id"]
    for _ in range(3):
        await contract_between(
            operator, customer, Tenant(customer.org_id, other), title="Night reports", signatories=["finance"]
        )
    hits = good(await customer.agent.get("/search?q=night&limit=1"))
    assert [(hit["kind"], hit["id"]) for hit in hits["data"]] == [("contract", mine)]
    assert hits["shortened"] is False


async def test_tenants_and_agents_find_only_their_own_objects(
    operator: Caller,
    database: Database,
    customer: Tenant,
    new_tenant: NewTenant,
    issue_key: Callable[..., Awaitable[Caller]],
) -> None:
    stranger = await new_tenant("owner", "agent")
    escrow_id = await funded_escrow(operator, database, stranger, customer)
    invoice = await issue(operator, customer)
    for whose in (customer.org_id, invoice["id"], invoice["number"]):
        assert await names(stranger.owner, whose) == []
    for caller in (stranger.owner, customer.owner, customer.agent):
        assert await names(caller, escrow_id) == [("escrow", escrow_id)]
    for whose in (escrow_id, stranger.org_id):
        assert await names(stranger.agent, whose) == []
    assert await names(customer.agent, invoice["id"]) == []
    assert await names(customer.agent, customer.agent_id) == [("agent", customer.agent_id)]
    refused(await (await issue_key("validator")).get("/search?q=a"), 403, "auth.forbidden")
    for query in ("", "?q=", "?q=a&limit=51", "?q=a&kind=x"):
        refused(await operator.get(f"/search{query}"), 422, "request.invalid")
    assert await names(operator, "tr_" + "0" * 26) == []


async def test_operators_find_contracts_and_projects_by_a_part_of_the_name(
    operator: Caller, customer: Tenant, new_tenant: NewTenant
) -> None:
    payee, named = await new_tenant("owner"), f"Quince {customer.org_id[-6:]}"
    contract = await contract_between(operator, customer, payee, title=f"{named} report", signatories=["finance"])
    project = good(await customer.owner.post("/projects", {"name": f"{named} site", "slug": "quince"}), 201)["id"]
    assert await names(operator, named.lower()) == [("contract", contract), ("project", project)]


async def test_parts_and_settings_are_found_by_their_ids(
    operator: Caller, database: Database, customer: Tenant, new_tenant: NewTenant
) -> None:
    stranger = await new_tenant("owner")
    await grant(operator, customer.org_id)
    limit = {
        **{"subject": {"type": "agent", "id": customer.agent_id}, "currency": "CREDIT"},
        "limits": [{"window": "day", "amount": "9"}],
    }
    control = good(await customer.owner.post("/spend-controls", limit, key=new_key()), 201)["id"]
    invoice = await issue(operator, customer)
    there = f"/billing/invoices/{invoice['id']}"
    note = good(await operator.post(f"{there}/credit-notes", {"amount": "1", "reason": "x"}, key=new_key()), 201)["id"]
    subscription = await subscribe(database, customer.org_id)
    async with database.platform() as session:
        await alert.raise_alert(
            session, kind="payment.debt", subject=invoice["id"], detail="x", org_id=customer.org_id, shared=True
        )
    raised = good(await customer.owner.get(f"/alerts?subject={invoice['id']}"))["data"][0]["id"]
    await past_others(database)
    event = good(await customer.owner.get(f"/events?subject={invoice['id']}"))["data"][0]["id"]
    made = {
        **{control: "spend_control", note: "credit_note", subscription: "subscription", raised: "alert"},
        **{event: "event"},
    }
    for id, kind in made.items():
        for caller in (operator, customer.owner):
            (hit,) = await found(caller, id)
            assert (hit["kind"], hit["id"], hit["organization_id"]) == (kind, id, customer.org_id)
            whose = f"?organization_id={customer.org_id}" if kind == "subscription" and caller is operator else ""
            assert id in (await caller.get(hit["url"] + whose)).text
        assert await names(stranger.owner, id) == []
    assert await names(customer.agent, control) == [("spend_control", control)]
    assert await names(customer.agent, note) == []


async def test_alerts_for_operators_are_found_only_by_operators(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    async with database.platform() as session:
        await alert.raise_alert(
            session, kind="payment.debt", subject=customer.agent_id, detail="x", org_id=customer.org_id
        )
    raised = good(await operator.get(f"/alerts?subject={customer.agent_id}"))["data"][0]["id"]
    assert await names(operator, raised) == [("alert", raised)]
    assert await names(customer.owner, raised) == []


async def test_webhook_endpoints_are_found_by_callers_that_may_list_them(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    customer, stranger = await new_tenant("owner", "member"), await new_tenant("owner")
    endpoint = new_id("whe")
    async with database.platform() as session:
        await session.execute(text(_ENDPOINT), {"id": endpoint, "org": customer.org_id})
    for caller in (operator, customer.owner):
        (hit,) = await found(caller, endpoint)
        assert (hit["kind"], hit["url"]) == ("webhook_endpoint", f"/api/v1/webhook-endpoints/{endpoint}")
    for caller in (customer.member, stranger.owner):
        assert await names(caller, endpoint) == []


async def test_payments_chargebacks_and_refunds_are_found_by_their_ids_at_providers_and_here(
    operator: Caller, database: Database, customer: Tenant, new_tenant: NewTenant
) -> None:
    stranger = await new_tenant("owner")
    bought = await Written(database, customer.org_id).begin()
    bought.there.pay()
    bought.there.refund(250)
    (refund,) = (await bought.look()).payment.refunds
    payment, reference = bought.terms.payment_id, bought.payment.ref
    for wanted, hit in {reference: ("payment", payment), refund.refund_id: ("refund", refund.refund_id)}.items():
        for caller in (operator, customer.owner):
            assert await names(caller, wanted) == [hit]
        for caller in (stranger.owner, customer.agent):
            assert await names(caller, wanted) == []
    (shown,) = await found(operator, refund.refund_id)
    assert (shown["status"], shown["amount"], shown["currency"]) == ("succeeded", "2.50", "USD")
    assert refund.refund_id in (await operator.get(shown["url"])).text
