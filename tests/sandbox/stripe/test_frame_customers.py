import pytest
import stripe

from tests.sandbox.conftest import StripeSandbox


async def test_customer_is_answered_as_it_was_created(stripe_sandbox: StripeSandbox) -> None:
    created = await stripe_sandbox.client.v1.customers.create_async(
        {"email": "a@example.com", "metadata": {"org_id": "org_1"}}
    )
    found = await stripe_sandbox.client.v1.customers.retrieve_async(created.id)
    assert (found.email, found.metadata["org_id"]) == ("a@example.com", "org_1")


async def test_unknown_parameter_is_refused_by_name(stripe_sandbox: StripeSandbox) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await stripe_sandbox.client.v1.customers.create_async({"address": {"planet": "Mars"}})
    assert (refused.value.code, refused.value.param) == ("parameter_unknown", "address[planet]")
