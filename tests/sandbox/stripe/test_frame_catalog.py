import pytest
import stripe

from tests.support.cases import for_each


async def test_product_comes_with_its_first_price(stripe_sandbox):
    client = stripe_sandbox.client.v1
    product = await client.products.create_async(
        {"name": "Credits", "default_price_data": {"currency": "USD", "unit_amount": 1000}}
    )
    price = await client.prices.retrieve_async(product.default_price, {"expand": ["product"]})
    assert (price.unit_amount, price.currency, price.type, price.product.name) == (1000, "usd", "one_time", "Credits")


async def test_product_is_changed_listed_and_searched(stripe_sandbox):
    products = stripe_sandbox.client.v1.products
    made = await products.create_async({"id": "credits", "name": "Credits", "metadata": {"a": "b"}})
    off = await products.create_async({"name": "Old", "active": False})
    changed = await products.update_async("credits", {"name": "Credit", "images": ["https://a.example/a.png"]})
    assert (changed.id, changed.name, changed.images) == ("credits", "Credit", ["https://a.example/a.png"])
    assert [each.id for each in (await products.list_async({"active": True})).data] == ["credits"]
    assert [each.id for each in (await products.list_async({"active": False})).data] == [off.id]
    assert [each.id for each in (await products.list_async({"ids": ["credits", off.id]})).data] == [off.id, "credits"]
    assert [each.id for each in (await products.search_async({"query": "active:'true'"})).data] == [made.id]
    assert [each.id for each in (await products.search_async({"query": "metadata['a']:'b'"})).data] == [made.id]


async def test_product_id_is_taken_once(stripe_sandbox):
    await stripe_sandbox.client.v1.products.create_async({"id": "credits", "name": "A"})
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await stripe_sandbox.client.v1.products.create_async({"id": "credits", "name": "B"})
    assert refused.value.code == "resource_already_exists"


async def test_product_with_prices_stays(stripe_sandbox):
    client = stripe_sandbox.client.v1
    priced = await client.products.create_async(
        {"name": "A", "default_price_data": {"currency": "usd", "unit_amount": 1}}
    )
    free = await client.products.create_async({"name": "B"})
    assert (await client.products.delete_async(free.id)).deleted
    with pytest.raises(stripe.InvalidRequestError, match="user-created prices"):
        await client.products.delete_async(priced.id)


@pytest.mark.parametrize(
    ("given", "whole", "exact"),
    [
        ({"unit_amount": 1999}, 1999, "1999"),
        ({"unit_amount": 0}, 0, "0"),
        ({"unit_amount_decimal": "0.05"}, None, "0.05"),
        ({"unit_amount_decimal": "10.000000000001"}, None, "10.000000000001"),
        ({"unit_amount_decimal": "1200.00"}, 1200, "1200"),
    ],
)
async def test_price_is_said_whole_and_exactly(stripe_sandbox, given, whole, exact):
    price = await stripe_sandbox.client.v1.prices.create_async(
        {"currency": "usd", "product_data": {"name": "A"}, **given}
    )
    assert (price.unit_amount, str(price.unit_amount_decimal)) == (whole, exact)


@for_each(
    "given, param",
    [
        ({}, "unit_amount"),
        ({"unit_amount": 1, "unit_amount_decimal": "1"}, "unit_amount"),
        ({"unit_amount": -1}, "unit_amount"),
        ({"unit_amount_decimal": "0.0000000000001"}, "unit_amount_decimal"),
        ({"unit_amount": 1, "product": "prod_none"}, "product"),
        ({"unit_amount": 1, "currency": "dollars"}, "currency"),
        ({"unit_amount": 1, "recurring": {"interval": "decade"}}, "recurring[interval]"),
        ({"unit_amount": 1, "billing_scheme": "tiered"}, "billing_scheme"),
    ],
)
async def test_price_that_cannot_be_is_refused(stripe_sandbox, given, param):
    made = {"currency": "usd", **({} if "product" in given else {"product_data": {"name": "A"}}), **given}
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await stripe_sandbox.client.v1.prices.create_async(made)
    assert refused.value.param == param
    assert (await stripe_sandbox.client.v1.products.list_async()).data == []


async def test_lookup_key_belongs_to_one_price(stripe_sandbox):
    prices = stripe_sandbox.client.v1.prices
    given = {"currency": "usd", "unit_amount": 1, "product_data": {"name": "A"}, "lookup_key": "credits"}
    first = await prices.create_async(given)
    with pytest.raises(stripe.InvalidRequestError, match="already uses"):
        await prices.create_async(given)
    second = await prices.create_async({**given, "transfer_lookup_key": True})
    assert [each.id for each in (await prices.list_async({"lookup_keys": ["credits"]})).data] == [second.id]
    assert (await prices.retrieve_async(first.id)).lookup_key is None


async def test_recurring_prices_are_listed_apart(stripe_sandbox):
    prices = stripe_sandbox.client.v1.prices
    given = {"currency": "usd", "unit_amount": 1, "product_data": {"name": "A"}}
    once = await prices.create_async(given)
    monthly = await prices.create_async({**given, "recurring": {"interval": "month"}})
    assert (monthly.recurring.interval_count, monthly.recurring.usage_type) == (1, "licensed")
    assert [each.id for each in (await prices.list_async({"type": "one_time"})).data] == [once.id]
    assert [each.id for each in (await prices.list_async({"recurring": {"interval": "month"}})).data] == [monthly.id]
    off = await prices.update_async(once.id, {"active": False, "nickname": "old"})
    assert (off.active, off.nickname) == (False, "old")
    assert [each.id for each in (await prices.list_async({"active": True})).data] == [monthly.id]
