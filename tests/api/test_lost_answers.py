"""A repeated request whose answer was lost gets it, although its preconditions no longer hold."""

from dataclasses import replace
from typing import Any

import pytest

from api.bootstrap import operator_key
from runtime.database import Database
from tests.api.conftest import NUMBERS, Caller, NewTenant, Tenant, forget, good, new_key, refused
from tests.api.invoicing import PATH, body, issue
from tests.api.paying import paying_app
from tests.api.spending import balance, grant, use
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db


@pytest.fixture
async def customer(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner")


async def close(operator: Caller, tenant: Tenant) -> None:
    good(await operator.post(f"/organizations/{tenant.org_id}/close", {"reason": "The customer has left."}))


async def on_offer(operator: Caller, customer: Tenant, new_tenant: NewTenant) -> tuple[Tenant, str]:
    """Return a seller and the path of its agent, which the customer has the credits to buy."""
    seller = await new_tenant("owner")
    await grant(operator, customer.org_id)
    path = f"/marketplace/agents/{seller.agent_id}"
    good(await seller.owner.ask("PUT", path, json={"model": "one_time", "price": "4"}))
    return seller, path


async def test_a_grant_is_answered_after_its_organization_was_closed(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    wish, key = {"organization_id": customer.org_id, "amount": "5", "source": "reward"}, new_key()
    first = good(await operator.post("/credits/grants", wish, key=key), 201)
    await use(customer.owner, amount="5")
    await close(operator, customer)
    await forget(database, key)
    assert good(await operator.post("/credits/grants", wish, key=key), 201) == first
    await forget(database, key)
    refused(await operator.post("/credits/grants", {**wish, "amount": "6"}, key=key), 422, "idempotency.conflict")
    refused(await operator.post("/credits/grants", wish, key=new_key()), 409, "organization.closed")


async def test_invoices_are_answered_after_their_organization_was_closed(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    drafted = await issue(operator, customer, draft=True)
    asked = [
        (PATH, body(customer), new_key(), 201),
        (PATH, body(customer, draft=True), new_key(), 201),
        (f"{PATH}/{drafted['id']}/finalize", {}, new_key(), 200),
    ]
    made = [good(await operator.post(path, wish, key=key), status)["id"] for path, wish, key, status in asked]
    for invoice_id in (made[0], made[2]):
        good(await operator.post(f"{PATH}/{invoice_id}/void", None, key=new_key()))
    await close(operator, customer)
    for invoice_id, (path, wish, key, status) in zip(made, asked, strict=True):
        await forget(database, key)
        assert good(await operator.post(path, wish, key=key), status)["id"] == invoice_id
    refused(await operator.post(PATH, body(customer), key=new_key()), 409, "organization.closed")


async def test_an_invoice_is_answered_after_other_net_terms_were_agreed(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    key = new_key()
    first = good(await operator.post(PATH, body(customer), key=key), 201)
    terms = {"mode": "arrears", "currency": "USD", "time_zone": "UTC", "net_days": 60, "reason": "agreed"}
    good(await operator.ask("PUT", f"/organizations/{customer.org_id}/billing-terms", json=terms))
    await forget(database, key)
    assert good(await operator.post(PATH, body(customer), key=key), 201) == first
    await forget(database, key)
    refused(await operator.post(PATH, body(customer, due_in="P60D"), key=key), 422, "idempotency.conflict")


async def test_a_credit_note_is_answered_though_another_of_its_amount_would_take_two_operators(
    database_urls: DatabaseUrls, database: Database, customer: Tenant
) -> None:
    async with database.platform() as session:
        token = await operator_key(session, f"operator-{next(NUMBERS)}-repeats")
    async with paying_app(database_urls, two_operators_above="100.00") as http:
        operator = Caller(http, token)
        invoice = await issue(operator, customer, lines=[{"description": "Support", "unit_amount": "300.00"}])
        path, wish, key = f"{PATH}/{invoice['id']}/credit-notes", {"reason": "agreed", "amount": "80"}, new_key()
        first = good(await operator.post(path, wish, key=key), 201)
        await forget(database, key)
        assert good(await operator.post(path, wish, key=key), 201) == first
        refused(await operator.post(path, wish, key=new_key()), 403, "approval.required")


async def test_a_purchase_is_answered_after_its_seller_was_suspended(
    operator: Caller, customer: Tenant, new_tenant: NewTenant, database: Database, database_urls: DatabaseUrls
) -> None:
    seller, path = await on_offer(operator, customer, new_tenant)
    # The one operator has made both, so they would be related.
    async with paying_app(database_urls, reputation_registrars="*") as http:
        buyer = replace(customer.owner, http=http)
        key = new_key()
        first = good(await buyer.post(f"{path}/purchase", {}, key=key), 201)
        good(await operator.post(f"/organizations/{seller.org_id}/suspend", {"reason": "Under investigation."}))
        await forget(database, key)
        assert good(await buyer.post(f"{path}/purchase", {}, key=key), 201) == first
        refused(await buyer.post(f"{path}/purchase", {}, key=new_key()), 403, "organization.suspended")


async def test_a_refund_of_a_purchase_is_answered_again_and_given_back_once(
    operator: Caller, customer: Tenant, new_tenant: NewTenant, database: Database, database_urls: DatabaseUrls
) -> None:
    _, path = await on_offer(operator, customer, new_tenant)
    async with paying_app(database_urls, reputation_registrars="*") as http:
        buyer, key = replace(customer.owner, http=http), new_key()
        bought = good(await buyer.post(f"{path}/purchase", {}, key=new_key()), 201)["purchase"]
        path = f"/marketplace/purchases/{bought['id']}/refund"
        first = good(await buyer.post(path, {}, key=key))
        await forget(database, key)
        assert good(await buyer.post(path, {}, key=key)) == first
        refused(await buyer.post(path, {}, key=new_key()), 409, "marketplace.refunded")
        assert await balance(buyer) == ("100.00", "0.00")


async def test_a_contract_is_answered_after_its_agent_became_private(
    customer: Tenant, new_tenant: NewTenant, database: Database
) -> None:
    seller, key = await new_tenant("owner"), new_key()
    wish = {"agent_id": seller.agent_id, "title": "Summarise", "price": "50.00"}
    first = good(await customer.owner.post("/contracts", wish, key=key), 201)
    hidden = {"json": {"visibility": "private"}, "headers": {"If-Match": "*"}}
    good(await seller.owner.ask("PATCH", f"/agents/{seller.agent_id}", **hidden))
    await forget(database, key)
    assert good(await customer.owner.post("/contracts", wish, key=key), 201) == first
    await forget(database, key)
    refused(await customer.owner.post("/contracts", {**wish, "price": "51"}, key=key), 422, "idempotency.conflict")
    refused(await customer.owner.post("/contracts", wish, key=new_key()), 404, "not_found")


async def test_an_offer_is_answered_after_its_seller_was_suspended(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    path, key = f"/marketplace/agents/{customer.agent_id}", new_key()
    wish: dict[str, Any] = {"json": {"model": "one_time", "price": "4"}}
    first = good(await customer.owner.ask("PUT", path, key=key, **wish))
    good(await operator.post(f"/organizations/{customer.org_id}/suspend", {"reason": "Under investigation."}))
    await forget(database, key)
    again = good(await customer.owner.ask("PUT", path, key=key, **wish))
    # The offer is the one that was made; who may be hired is read as it is now.
    assert again == {**first, "can_be_hired": False}
