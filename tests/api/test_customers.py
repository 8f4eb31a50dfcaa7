"""Customers and payment methods over HTTP, against the sandbox of Stripe."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx2
import pytest

from api.app import create_app
from api.deps import Deps
from dev.sandbox.stripe.app import build
from dev.sandbox.stripe.core import Sandbox
from dev.sandbox.stripe.store import Store
from domain.common.ids import customer_key, customer_workflow_id
from providers.payments.registry import Providers
from providers.payments.stripe import Client, StripeCustomers, make_client
from providers.payments.stripe.fields import metadata_of
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.conftest import DatabaseUrls
from tests.support.sandboxes import STRIPE_KEY, serving
from tests.support.serving import client_of
from tests.support.starts import Starts

pytestmark = pytest.mark.db


class Customers:
    """An app with Stripe, and Stripe's own view of it."""

    def __init__(self, deps: Deps, http: httpx2.AsyncClient, stripe: Client, starts: Starts) -> None:
        self.deps, self.http, self.stripe, self.starts = deps, http, stripe, starts

    def at(self, caller: Caller) -> Caller:
        """Return the same key, asking this app."""
        return Caller(self.http, caller.token, caller.org_id)

    async def customers_of(self, org_id: str) -> list[str]:
        listed = await self.stripe.v1.customers.list_async({"limit": 100})
        found = [customer async for customer in listed.auto_paging_iter()]
        return [customer.id for customer in found if metadata_of(customer, "org_id") == org_id]

    async def store_method(self, owner: Caller, card: str = "pm_card_visa") -> str:
        customer = good(await owner.post("/billing/customer"))["customer_id"]
        return (await self.stripe.v1.payment_methods.attach_async(card, {"customer": customer})).id


@asynccontextmanager
async def running(urls: DatabaseUrls, address: str, key: str = STRIPE_KEY, **changes: Any) -> AsyncIterator[Customers]:
    client, starts = make_client(key, api_base=address, timeout_seconds=60), Starts()
    temporal: Any = starts
    providers = Providers({}, customers=StripeCustomers(client))
    app = create_app(settings_for(urls, **changes), temporal=temporal, providers=providers)
    async with client_of(app) as http:
        yield Customers(app.state.deps, http, client, starts)
    await client.aclose()


@pytest.fixture(scope="module")
def stripe_url(tmp_path_factory: pytest.TempPathFactory) -> Any:
    sandbox = Sandbox(Store(tmp_path_factory.mktemp("stripe") / "stripe.sqlite"), check_answers=True)
    with serving(build(sandbox)) as url:
        sandbox.base_url = url
        yield url
    sandbox.store.close()


@pytest.fixture(scope="module")
async def customers(database_urls: DatabaseUrls, stripe_url: str) -> AsyncIterator[Customers]:
    async with running(database_urls, stripe_url) as found:
        yield found


@pytest.fixture
async def owner(customers: Customers, new_tenant: NewTenant) -> Caller:
    """The owner of a new organization."""
    return customers.at((await new_tenant("owner")).owner)


async def methods(caller: Caller) -> list[tuple[str, bool]]:
    return [(m["id"], m["is_default"]) for m in good(await caller.get("/billing/payment-methods"))["data"]]


async def test_repeated_requests_create_one_customer(customers: Customers, owner: Caller) -> None:
    refused(await owner.get("/billing/customer"), 404, "not_found")
    assert await methods(owner) == []
    answers = await asyncio.gather(*(owner.post("/billing/customer") for _ in range(8)))
    (made,) = {good(answer)["customer_id"] for answer in answers}
    assert good(await owner.get("/billing/customer")) == {
        "organization_id": owner.org_id,
        "provider": "stripe",
        "customer_id": made,
    }
    assert owner.org_id is not None
    assert await customers.customers_of(owner.org_id) == [made]


async def test_customer_made_before_it_was_noted_is_found_again(customers: Customers, owner: Caller) -> None:
    assert owner.org_id is not None
    made = await StripeCustomers(customers.stripe).ensure(owner.org_id, "x", idempotency_key=customer_key(owner.org_id))
    assert good(await owner.post("/billing/customer"))["customer_id"] == made
    assert await customers.customers_of(owner.org_id) == [made]


async def test_first_use_makes_the_customer(customers: Customers, owner: Caller) -> None:
    made = good(await owner.post("/billing/setup-intent"))
    assert made["client_secret"].startswith(made["id"])
    intent = await customers.stripe.v1.setup_intents.retrieve_async(made["id"])
    assert intent.customer == good(await owner.get("/billing/customer"))["customer_id"]
    assert intent.usage == "off_session"


async def test_setup_intent_of_one_key_is_one(owner: Caller) -> None:
    key = new_key()
    first, again, other = [
        good(await owner.post("/billing/setup-intent", key=given)) for given in (key, key, new_key())
    ]
    assert first == again
    assert first["id"] != other["id"]


async def test_methods_are_listed_chosen_and_forgotten(customers: Customers, owner: Caller) -> None:
    first, second = [await customers.store_method(owner, card) for card in ("pm_card_visa", "pm_card_mastercard")]
    assert dict(await methods(owner)) == {first: False, second: False}
    (card,) = [m for m in good(await owner.get("/billing/payment-methods"))["data"] if m["id"] == first]
    assert (card["type"], card["brand"], card["last4"]) == ("card", "visa", "4242")
    answer = good(await owner.ask("PUT", f"/billing/payment-methods/{second}/default"))
    assert {m["id"]: m["is_default"] for m in answer["data"]} == {first: False, second: True}
    assert good(await owner.get("/billing/profile"))["card_country"] == "US"
    for _ in range(2):
        assert (await owner.delete(f"/billing/payment-methods/{second}")).status_code == 204
    assert await methods(owner) == [(first, False)]
    # The card that is left has paid nothing, so it says nothing of where its holder is.
    assert good(await owner.get("/billing/profile"))["card_country"] is None
    acts = [entry["action"] for entry in good(await owner.get(f"/audit?target={second}"))["data"]]
    assert acts == ["payment_method.detach", "payment_method.detach", "payment_method.make_default"]


@pytest.mark.parametrize("unknown", ["pm_0000000000000000", "pm_%2e%2e%2fx", "x" * 101])
async def test_method_of_somebody_else_does_not_exist(
    unknown: str, customers: Customers, owner: Caller, new_tenant: NewTenant
) -> None:
    stranger = customers.at((await new_tenant("owner")).owner)
    foreign = await customers.store_method(stranger)
    for method in (foreign, unknown):
        refused(await owner.delete(f"/billing/payment-methods/{method}"), 404, "not_found")
        refused(await owner.ask("PUT", f"/billing/payment-methods/{method}/default"), 404, "not_found")
    assert await methods(stranger) == [(foreign, False)]
    assert await methods(owner) == []


async def test_looking_at_the_portal_makes_no_customer(owner: Caller) -> None:
    back = {"return_url": "https://example.com/billing"}
    refused(await owner.get("/billing/portal", params=back), 409, "customer.missing")
    refused(await owner.get("/billing/customer"), 404, "not_found")
    assert good(await owner.post("/billing/portal", back))["url"].startswith("http")
    good(await owner.get("/billing/customer"))


async def test_payer_comes_back_to_the_setting_where_no_address_is_named(
    database_urls: DatabaseUrls, stripe_url: str, new_tenant: NewTenant
) -> None:
    async with running(database_urls, stripe_url, payment_return_url="https://example.com/back") as customers:
        owner = customers.at((await new_tenant("owner")).owner)
        good(await owner.post("/billing/portal"))
        good(await owner.get("/billing/portal"))


async def test_portal_leads_to_stripe_and_back(owner: Caller) -> None:
    good(await owner.post("/billing/customer"))
    made = good(await owner.get("/billing/portal", params={"return_url": "https://example.com/billing?a=b"}))
    assert made["url"].startswith("http")
    for wrong in ("", "javascript:alert(1)", "//example.com", "https://", "https://exa mple.com", "https://x" * 100):
        refused(await owner.get("/billing/portal", params={"return_url": wrong}), 422, "request.invalid")
    refused(await owner.get("/billing/portal"), 422, "request.invalid")


async def test_roles_that_may_not_pay_may_only_look(customers: Customers, tenant: Tenant) -> None:
    await customers.store_method(customers.at(tenant.owner))
    auditor = customers.at(tenant.auditor)
    good(await auditor.get("/billing/customer"))
    assert len(await methods(auditor)) == 1
    for caller in (auditor, customers.at(tenant.agent)):
        for method, path in (
            ("PUT", "/billing/payment-methods/pm_1/default"),
            ("DELETE", "/billing/payment-methods/pm_1"),
        ):
            refused(await caller.ask(method, path), 403, "auth.forbidden")


async def test_operator_names_the_organization_and_a_tenant_only_itself(
    customers: Customers, operator: Caller, tenant: Tenant, stranger: Tenant
) -> None:
    root, owner = customers.at(operator), customers.at(tenant.owner)
    made = good(await owner.post("/billing/customer"))
    assert good(await root.get(f"/billing/customer?organization_id={tenant.org_id}")) == made
    good(await root.get(f"/billing/payment-methods?organization_id={tenant.org_id}"))
    refused(await root.get("/billing/customer"), 422, "request.invalid")
    refused(await root.get("/billing/customer?organization_id=org_" + "0" * 26), 404, "not_found")
    for path in ("/billing/customer", "/billing/payment-methods"):
        refused(await owner.get(f"{path}?organization_id={stranger.org_id}"), 404, "not_found")


async def test_stripe_that_does_not_answer_is_503_and_a_later_try_succeeds(
    customers: Customers, owner: Caller, database_urls: DatabaseUrls
) -> None:
    key = new_key()
    async with running(database_urls, "http://127.0.0.1:1") as cut_off:
        asking = cut_off.at(owner)
        document = refused(await asking.post("/billing/setup-intent", key=key), 503, "provider.unavailable")
        assert "127.0.0.1" not in str(document)
    good(await owner.post("/billing/setup-intent", key=key))


async def test_key_that_stripe_refuses_is_our_fault_and_not_shown(
    owner: Caller, database_urls: DatabaseUrls, stripe_url: str
) -> None:
    async with running(database_urls, stripe_url, key="sk_live_never") as wrong:
        document = refused(await wrong.at(owner).post("/billing/customer"), 503, "provider.unavailable")
    assert "sk_live" not in str(document)


async def test_refusal_has_stripes_message(customers: Customers, owner: Caller) -> None:
    customer = good(await owner.post("/billing/customer"))["customer_id"]
    await customers.stripe.v1.customers.delete_async(customer)
    document = refused(await owner.post("/billing/setup-intent"), 422, "provider.refused")
    assert customer in document["detail"]


async def test_without_stripe_there_are_no_customers(tenant: Tenant, anonymous: Caller) -> None:
    for caller, status, code in ((tenant.owner, 404, "not_found"), (anonymous, 401, "auth.missing")):
        refused(await caller.post("/billing/customer"), status, code)
        refused(await caller.get("/billing/payment-methods"), status, code)


async def test_registration_begins_the_customer_once(customers: Customers, operator: Caller) -> None:
    root, key = customers.at(operator), new_key()
    org_id = good(await root.post("/organizations", {"name": "New"}, key=key), 201)["id"]
    assert good(await root.post("/organizations", {"name": "New"}, key=key), 201)["id"] == org_id
    await customers.deps.background.idle()
    assert customers.starts.ids.count(customer_workflow_id(org_id)) == 1


async def test_registration_does_not_wait_for_temporal_or_stripe(operator: Caller, database_urls: DatabaseUrls) -> None:
    async with running(database_urls, "http://127.0.0.1:1") as customers:
        customers.starts.let_through.clear()
        customers.starts.error = ConnectionError("no Temporal")
        org_id = good(await customers.at(operator).post("/organizations", {"name": "New"}), 201)["id"]
        good(await customers.at(operator).get(f"/organizations/{org_id}"))
        customers.starts.let_through.set()
        await customers.deps.background.idle()
        assert customers.starts.ids == []


async def test_registration_without_stripe_begins_nothing(deps: Deps, operator: Caller) -> None:
    good(await operator.post("/organizations", {"name": "New"}), 201)
    assert not deps.background._tasks
