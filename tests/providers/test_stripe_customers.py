import asyncio

import pytest

from providers.payments.base import ProviderRefused
from providers.payments.stripe import StripeCustomers
from runtime.identity import new_id
from tests.providers.harness import key
from tests.providers.stripe_harness import SandboxHarness


@pytest.fixture
def customers(sandbox: SandboxHarness) -> StripeCustomers:
    return StripeCustomers(sandbox.client)


async def customer_with(sandbox: SandboxHarness, customers: StripeCustomers, *methods: str) -> tuple[str, list[str]]:
    org_id = new_id("org")
    customer = await customers.ensure(org_id, "Acme", idempotency_key=f"customer:{org_id}")
    attached = [
        (await sandbox.client.v1.payment_methods.attach_async(method, {"customer": customer})).id for method in methods
    ]
    return customer, attached


async def count(sandbox: SandboxHarness) -> int:
    return len((await sandbox.client.v1.customers.list_async({"limit": 100})).data)


async def test_organization_has_one_customer(sandbox: SandboxHarness, customers: StripeCustomers):
    await sandbox.control("search", lag_seconds=60)
    org_id, other = new_id("org"), new_id("org")

    async def ensure(of: str) -> str:
        return await customers.ensure(of, "Acme", idempotency_key=f"customer:{of}")

    first, second, different = await asyncio.gather(ensure(org_id), ensure(org_id), ensure(other))
    assert first == second != different
    await sandbox.control("clock", advance=3 * 86_400)
    assert await ensure(org_id) == first
    assert await count(sandbox) == 2


async def test_a_lost_answer_leaves_one_customer(sandbox: SandboxHarness, customers: StripeCustomers):
    sandbox.lose_next_answer()
    await customers.ensure("org_1", "Acme", idempotency_key="customer:org_1")
    assert await count(sandbox) == 1


async def test_a_name_with_quotes_finds_only_itself(customers: StripeCustomers):
    names = ["org_'1", "org_' OR name:'Acme", "org_\\1"]
    refs = [await customers.ensure(name, "Acme", idempotency_key=f"a:{name}") for name in names]
    assert len(set(refs)) == 3
    assert refs == [await customers.ensure(name, "Acme", idempotency_key=f"b:{name}") for name in names]


async def test_stored_methods_are_listed_with_brand_and_last_digits(
    sandbox: SandboxHarness, customers: StripeCustomers
):
    customer, (visa, bank) = await customer_with(sandbox, customers, "pm_card_visa", "pm_usBankAccount_success")
    await customers.set_default(customer, visa, idempotency_key=key("default"))
    by_id = {method.id: method for method in await customers.methods(customer)}
    assert by_id.keys() == {visa, bank}
    assert (by_id[visa].type, by_id[visa].brand, by_id[visa].last4) == ("card", "visa", "4242")
    assert by_id[visa].is_default
    assert by_id[visa].exp_year is not None
    assert by_id[bank].type == "us_bank_account"
    assert by_id[bank].last4
    assert by_id[bank].brand
    assert by_id[bank].exp_year is None
    assert not by_id[bank].is_default


async def test_card_of_the_country_is_the_default_else_the_one_that_paid_last_and_never_one_that_is_stored(
    sandbox: SandboxHarness, customers: StripeCustomers
):
    customer, (american, german) = await customer_with(sandbox, customers, "pm_card_visa", "pm_card_de")

    async def country() -> str | None:
        return await customers.paying_country(customer, await customers.methods(customer))

    async def pay(method: str) -> None:
        await sandbox.client.v1.payment_intents.create_async(
            {
                "amount": 500,
                "currency": "usd",
                "customer": customer,
                "payment_method": method,
                "confirm": True,
                "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"},
            }
        )

    assert await country() is None
    await pay(american)
    await sandbox.control("clock", advance=60)
    await pay(german)
    assert await country() == "DE"
    await customers.set_default(customer, american, idempotency_key=key())
    assert await country() == "US"


async def test_a_method_is_forgotten_once_and_again(sandbox: SandboxHarness, customers: StripeCustomers):
    customer, (method,) = await customer_with(sandbox, customers, "pm_card_visa")
    for _ in range(2):
        await customers.detach(customer, method, idempotency_key=key("detach"))
    assert await customers.methods(customer) == []


async def test_the_method_of_another_customer_is_out_of_reach(sandbox: SandboxHarness, customers: StripeCustomers):
    theirs, (method,) = await customer_with(sandbox, customers, "pm_card_visa")
    ours, _ = await customer_with(sandbox, customers)
    with pytest.raises(ProviderRefused):
        await customers.detach(ours, method, idempotency_key=key("detach"))
    with pytest.raises(ProviderRefused):
        await customers.set_default(ours, method, idempotency_key=key("default"))
    with pytest.raises(ProviderRefused):
        await customers.detach(ours, "pm_unknown", idempotency_key=key("detach"))
    assert [kept.id for kept in await customers.methods(theirs)] == [method]


async def test_a_method_that_was_stored_by_setup_is_charged_off_session(
    sandbox: SandboxHarness, customers: StripeCustomers
):
    customer, _ = await customer_with(sandbox, customers)
    once = key("setup")
    setup = await customers.setup_intent(customer, idempotency_key=once)
    assert setup == await customers.setup_intent(customer, idempotency_key=once)
    assert setup.client_secret.startswith(setup.id)
    await sandbox.client.v1.setup_intents.confirm_async(
        setup.id, {"payment_method": "pm_card_visa", "return_url": "https://example.test/back"}
    )
    (method,) = await customers.methods(customer)
    payment = sandbox.payment(customer_ref=customer, method_ref=method.id, off_session=True)
    paid = await sandbox.provider.create(payment, idempotency_key=key())
    assert paid.status.value == "succeeded"
    assert (await sandbox.provider.find(payment, idempotency_key=key())).ref == paid.ref


async def test_the_portal_is_a_page(sandbox: SandboxHarness, customers: StripeCustomers):
    customer, _ = await customer_with(sandbox, customers)
    url = await customers.portal(customer, "https://example.test/back", idempotency_key=key("portal"))
    assert url.startswith("http")
