"""How the billing portal is set up."""

import pytest

from tests.sandbox.stripe.test_money_payments import happened, refused

DEFAULT = "bpc_sandbox_default"


def configurations(sandbox):
    return sandbox.client.v1.billing_portal.configurations


async def make(sandbox, **features):
    params = {
        "business_profile": {"headline": "Bursar"},
        "features": features or {"invoice_history": {"enabled": True}},
    }
    return await configurations(sandbox).create_async(params)


async def test_configuration_has_what_was_asked_for_and_nothing_else(stripe_sandbox):
    made = await make(
        stripe_sandbox,
        subscription_cancel={"enabled": True, "mode": "immediately"},
        customer_update={"enabled": True, "allowed_updates": ["email", "phone"]},
    )
    assert (made.active, made.is_default, made.business_profile.headline) == (True, False, "Bursar")
    features = made.features
    assert (features.subscription_cancel.enabled, features.subscription_cancel.mode) == (True, "immediately")
    assert features.customer_update.allowed_updates == ["email", "phone"]
    assert not features.payment_method_update.enabled
    assert await happened(stripe_sandbox) == ["billing_portal.configuration.created"]
    assert (await configurations(stripe_sandbox).retrieve_async(made.id)).to_dict() == made.to_dict()


async def test_update_changes_what_it_names_and_tells_the_former_values(stripe_sandbox):
    made = await make(stripe_sandbox, customer_update={"enabled": True, "allowed_updates": ["email"]})
    params = {
        "business_profile": {"headline": ""},
        "features": {"customer_update": {"allowed_updates": ""}},
        "metadata": {"foo": "bar"},
    }
    changed = await configurations(stripe_sandbox).update_async(made.id, params)
    assert (changed.business_profile.headline, changed.features.customer_update.enabled) == (None, True)
    assert (changed.features.customer_update.allowed_updates, changed.metadata["foo"]) == ([], "bar")
    (event,) = (await stripe_sandbox.client.v1.events.list_async({"type": "billing_portal.configuration.updated"})).data
    previous = event.data.previous_attributes.to_dict()
    assert previous.pop("updated") == made.updated
    assert previous == {
        "business_profile": {"headline": "Bursar"},
        "features": {"customer_update": {"allowed_updates": ["email"]}},
        "metadata": {"foo": None},
    }
    await configurations(stripe_sandbox).update_async(made.id, params)
    assert (await happened(stripe_sandbox)).count("billing_portal.configuration.updated") == 1


async def test_list_is_filtered(stripe_sandbox):
    made = await make(stripe_sandbox)
    await configurations(stripe_sandbox).update_async(made.id, {"active": False})

    async def listed(**params):
        return {each.id for each in (await configurations(stripe_sandbox).list_async(params)).data}

    assert await listed() == {made.id, DEFAULT}
    assert await listed(active=True) == {DEFAULT}
    assert await listed(active=False) == {made.id}
    assert await listed(is_default=False) == {made.id}


async def test_session_takes_the_configuration_that_it_names_while_it_is_active(stripe_sandbox):
    customer = await stripe_sandbox.client.v1.customers.create_async()
    made = await make(stripe_sandbox)
    sessions = stripe_sandbox.client.v1.billing_portal.sessions
    params = {"customer": customer.id, "configuration": made.id}
    assert (await sessions.create_async(params)).configuration == made.id
    await configurations(stripe_sandbox).update_async(made.id, {"active": False})
    assert (await refused(sessions.create_async(params))).param == "configuration"
    assert (await refused(sessions.create_async(params | {"configuration": "bpc_unknown"}))).http_status == 400


async def test_default_configuration_stays_active(stripe_sandbox):
    assert (await refused(configurations(stripe_sandbox).update_async(DEFAULT, {"active": False}))).param == "active"


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"login_page": {"enabled": True}}, "login_page[enabled]"),
        (
            {
                "features": {
                    "subscription_update": {"enabled": True, "products": [{"product": "prod_x", "prices": ["price_x"]}]}
                }
            },
            "features[subscription_update][products][0][product]",
        ),
        ({"features": {"invoice_history": {"enabled": "maybe"}}}, "features[invoice_history][enabled]"),
        ({"features": {"refunds": {"enabled": True}}}, "features[refunds]"),
    ],
)
async def test_configuration_that_cannot_be_is_refused(stripe_sandbox, more, param):
    params = {"features": {"invoice_history": {"enabled": True}}, **more}
    answer = await refused(configurations(stripe_sandbox).create_async(params))
    assert answer.param == param
    assert await happened(stripe_sandbox) == []
