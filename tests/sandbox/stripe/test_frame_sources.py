"""Cards of customers over the API that came before payment methods."""

import pytest
import stripe

from tests.sandbox.stripe.test_money_payments import happened, pay, refused


async def customer_of(sandbox, **more):
    return await sandbox.client.v1.customers.create_async(more)


async def add(sandbox, customer, token="tok_visa", **more):
    return await sandbox.client.v1.customers.payment_sources.create_async(customer.id, {"source": token, **more})


async def default_of(sandbox, customer):
    return (await sandbox.client.v1.customers.retrieve_async(customer.id)).default_source


async def test_token_becomes_a_card_and_the_first_one_the_default(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    card = await add(stripe_sandbox, customer, metadata={"a": "b"})
    assert card.id.startswith("card_")
    assert (card.object, card.brand, card.last4, card.customer) == ("card", "Visa", "4242", customer.id)
    assert card.metadata.to_dict() == {"a": "b"}
    await add(stripe_sandbox, customer, "tok_mastercard")
    assert await default_of(stripe_sandbox, customer) == card.id
    assert {"customer.source.created", "customer.updated"} <= set(await happened(stripe_sandbox))


async def test_changed_card_is_told_with_its_former_values(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    card, sources = await add(stripe_sandbox, customer), stripe_sandbox.client.v1.customers.payment_sources
    params = {"exp_month": "3", "address_zip": "94080", "name": "A B", "metadata": {"foo": "bar"}}
    changed = await sources.update_async(customer.id, card.id, params)
    assert (changed.exp_month, changed.address_zip, changed.name) == (3, "94080", "A B")
    (event,) = (await stripe_sandbox.client.v1.events.list_async({"type": "customer.source.updated"})).data
    assert event.data.previous_attributes.to_dict() == {
        "exp_month": 12,
        "address_zip": None,
        "name": None,
        "metadata": {"foo": None},
    }
    method = await stripe_sandbox.client.v1.payment_methods.retrieve_async(card.id)
    assert (method.card.exp_month, method.billing_details.address.postal_code) == (3, "94080")


async def test_deleted_card_is_gone_and_the_newest_other_becomes_the_default(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    cards = [await add(stripe_sandbox, customer, token) for token in ("tok_visa", "tok_amex", "tok_mastercard")]
    sources = stripe_sandbox.client.v1.customers.payment_sources
    gone = await sources.delete_async(customer.id, cards[0].id)
    assert (gone.id, gone.deleted) == (cards[0].id, True)
    assert await default_of(stripe_sandbox, customer) == cards[2].id
    assert (await refused(sources.retrieve_async(customer.id, cards[0].id))).http_status == 404
    (event,) = (await stripe_sandbox.client.v1.events.list_async({"type": "customer.source.deleted"})).data
    assert (event.data.object["id"], event.data.object["customer"]) == (cards[0].id, customer.id)
    error = await refused(pay(stripe_sandbox, cards[0].id, customer=customer.id))
    assert "cannot be used again" in str(error)


async def test_cards_are_listed_page_by_page(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    ids = [(await add(stripe_sandbox, customer)).id for _ in range(3)][::-1]
    sources = stripe_sandbox.client.v1.customers.payment_sources
    page = await sources.list_async(customer.id, {"limit": 2})
    assert ([each.id for each in page.data], page.has_more) == (ids[:2], True)
    assert [each.id async for each in page.auto_paging_iter()] == ids
    before = await sources.list_async(customer.id, {"limit": 1, "ending_before": ids[2]})
    assert ([each.id for each in before.data], before.has_more) == (ids[1:2], True)
    assert (await sources.list_async(customer.id, {"object": "bank_account"})).data == []
    unknown = await refused(sources.list_async(customer.id, {"starting_after": "card_unknown"}))
    assert unknown.param == "starting_after"
    expanded = await stripe_sandbox.client.v1.customers.retrieve_async(
        customer.id, {"expand": ["sources", "default_source"]}
    )
    assert [each.id for each in expanded.sources.data] == ids
    assert (expanded.default_source.object, expanded.default_source.id) == ("card", ids[2])


async def test_card_that_the_bank_declines_is_not_added(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    with pytest.raises(stripe.CardError) as declined:
        await add(stripe_sandbox, customer, "tok_chargeDeclined")
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    assert await default_of(stripe_sandbox, customer) is None
    assert "customer.source.created" not in await happened(stripe_sandbox)


@pytest.mark.parametrize("token", ["tok_unknown", "pm_card_visa", "btok_us_verified"])
async def test_what_is_no_token_of_a_card_is_refused(stripe_sandbox, token):
    error = await refused(add(stripe_sandbox, await customer_of(stripe_sandbox), token))
    assert (error.code, error.param, error.http_status) == ("resource_missing", "source", 400)


@pytest.mark.parametrize(
    ("params", "code"),
    [
        ({"exp_month": "13"}, "invalid_expiry_month"),
        ({"exp_year": "next"}, "invalid_expiry_year"),
        ({"account_holder_name": "A"}, "parameter_unknown"),
    ],
)
async def test_change_that_no_card_can_have_is_refused(stripe_sandbox, params, code):
    customer = await customer_of(stripe_sandbox)
    card = await add(stripe_sandbox, customer)
    with pytest.raises(stripe.StripeError) as refusal:
        await stripe_sandbox.client.v1.customers.payment_sources.update_async(customer.id, card.id, params)
    assert refusal.value.code == code


async def test_card_belongs_to_its_customer_alone(stripe_sandbox):
    owner, other = await customer_of(stripe_sandbox), await customer_of(stripe_sandbox)
    card, sources = await add(stripe_sandbox, owner), stripe_sandbox.client.v1.customers.payment_sources
    for attempt in (
        sources.retrieve_async(other.id, card.id),
        sources.update_async(other.id, card.id, {"name": "B"}),
        sources.delete_async(other.id, card.id),
    ):
        assert (await refused(attempt)).http_status == 404
    charge = {"amount": 500, "currency": "usd", "source": card.id, "customer": other.id}
    assert (await refused(stripe_sandbox.client.v1.charges.create_async(charge))).param == "source"


async def test_default_card_pays_charges_and_any_card_pays_intents(stripe_sandbox):
    customer = await customer_of(stripe_sandbox, source="tok_visa")
    charge = await stripe_sandbox.client.v1.charges.create_async(
        {"amount": 500, "currency": "usd", "customer": customer.id}
    )
    assert (charge.status, charge.payment_method) == ("succeeded", customer.default_source)
    card = await add(stripe_sandbox, customer, "tok_mastercard")
    intent = await pay(stripe_sandbox, card.id, customer=customer.id)
    assert (intent.status, intent.payment_method) == ("succeeded", card.id)


async def test_default_is_chosen_and_replaced_by_changing_the_customer(stripe_sandbox):
    customers = stripe_sandbox.client.v1.customers
    customer = await customer_of(stripe_sandbox, source="tok_visa")
    second = await add(stripe_sandbox, customer, "tok_amex")
    chosen = await customers.update_async(customer.id, {"default_source": second.id})
    assert chosen.default_source == second.id
    replaced = await customers.update_async(customer.id, {"source": "tok_mastercard", "expand": ["default_source"]})
    assert replaced.default_source.brand == "MasterCard"
    cards = await customers.payment_sources.list_async(customer.id)
    assert [card.brand for card in cards.data] == ["MasterCard", "Visa"]
    assert (await refused(customers.update_async(customer.id, {"default_source": second.id}))).param == "default_source"
    events = (await stripe_sandbox.client.v1.events.list_async({"type": "customer.updated"})).data
    assert [event.data.previous_attributes.to_dict() for event in events] == [
        {"default_source": second.id},
        {"default_source": customer.default_source},
    ]


async def test_cards_go_with_their_customer(stripe_sandbox):
    customer = await customer_of(stripe_sandbox, source="tok_visa")
    await stripe_sandbox.client.v1.customers.delete_async(customer.id)
    assert "customer.source.deleted" in await happened(stripe_sandbox)
    sources = stripe_sandbox.client.v1.customers.payment_sources
    assert (await refused(sources.list_async(customer.id))).http_status == 404
