import pytest
import stripe


async def test_customer_is_answered_as_it_was_created(stripe_sandbox):
    created = await stripe_sandbox.client.v1.customers.create_async(
        {"email": "a@example.com", "metadata": {"org_id": "org_1"}}
    )
    found = await stripe_sandbox.client.v1.customers.retrieve_async(created.id)
    assert (found.email, found.metadata["org_id"]) == ("a@example.com", "org_1")


async def test_update_merges_metadata_and_unsets_what_is_empty(stripe_sandbox):
    customers = stripe_sandbox.client.v1.customers
    made = await customers.create_async({"name": "A", "metadata": {"a": "1", "b": "2"}})
    changed = await customers.update_async(made.id, {"name": "", "metadata": {"a": "", "c": "3"}})
    assert (changed.name, changed.metadata.to_dict()) == (None, {"b": "2", "c": "3"})
    emptied = await customers.update_async(made.id, {"metadata": ""})
    assert emptied.metadata.to_dict() == {}


async def test_update_event_names_former_values(stripe_sandbox):
    customers = stripe_sandbox.client.v1.customers
    made = await customers.create_async({"name": "A", "metadata": {"a": "1"}})
    await customers.update_async(made.id, {"name": "B", "metadata": {"b": "2"}})
    (event,) = (await stripe_sandbox.client.v1.events.list_async({"type": "customer.updated"})).data
    assert event.data.previous_attributes.to_dict() == {"name": "A", "metadata": {"b": None}}
    assert event.data.object["name"] == "B"


async def test_deleted_customer_stays_known_as_deleted(stripe_sandbox):
    customers = stripe_sandbox.client.v1.customers
    made = await customers.create_async({})
    card = await stripe_sandbox.client.v1.payment_methods.attach_async("pm_card_visa", {"customer": made.id})
    await customers.delete_async(made.id)
    assert (await customers.retrieve_async(made.id)).deleted
    assert (await customers.list_async()).data == []
    assert (await stripe_sandbox.client.v1.payment_methods.retrieve_async(card.id)).customer is None
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await customers.update_async(made.id, {"name": "B"})
    assert (refused.value.http_status, refused.value.code) == (404, "resource_missing")


async def test_search_finds_by_metadata_and_mail(stripe_sandbox):
    customers = stripe_sandbox.client.v1.customers
    made = await customers.create_async({"email": "It's@Example.com", "metadata": {"org_id": "org_1"}})
    await customers.create_async({"email": "other@example.com", "metadata": {"org_id": "org_2"}})
    for query in (
        "metadata['org_id']:'org_1'",
        'metadata["org_id"]:"org_1" AND created>0',
        "email:'it\\'s@example.com'",
        'email~"it\'s"',
        "-metadata['org_id']:'org_2'",
    ):
        found = await customers.search_async({"query": query})
        assert [each.id for each in found.data] == [made.id], query


async def test_search_goes_through_all_pages(stripe_sandbox):
    customers = stripe_sandbox.client.v1.customers
    made = [(await customers.create_async({"metadata": {"org_id": "org_1"}})).id for _ in range(5)]
    first = await customers.search_async({"query": "metadata['org_id']:'org_1'", "limit": 2})
    assert first.has_more
    assert [each.id async for each in first.auto_paging_iter()] == made[::-1]


@pytest.mark.parametrize(
    "query", ["", "shoe_size:'9'", "metadata:'x'", "email:'a' AND name:'b' OR phone:'c'", "email='a'", "email:'a' x"]
)
async def test_search_refuses_what_it_cannot_read(stripe_sandbox, query):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await stripe_sandbox.client.v1.customers.search_async({"query": query})
    assert (refused.value.http_status, refused.value.param) == (400, "query")


async def test_search_lags_by_as_much_as_is_asked(stripe_sandbox):
    customers = stripe_sandbox.client.v1.customers
    await stripe_sandbox.control("search", lag_seconds=60)
    await customers.create_async({"email": "a@example.com"})
    assert (await customers.search_async({"query": "email:'a@example.com'"})).data == []
    await stripe_sandbox.control("clock", advance=60)
    assert len((await customers.search_async({"query": "email:'a@example.com'"})).data) == 1
