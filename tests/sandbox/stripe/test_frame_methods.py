import pytest
import stripe

RETURN = {"return_url": "https://a.example/back"}


async def customer(sandbox):
    return (await sandbox.client.v1.customers.create_async({})).id


async def types(sandbox):
    return [event.type for event in (await sandbox.client.v1.events.list_async({"limit": 100})).data][::-1]


async def test_test_card_becomes_a_method_of_its_own_each_time(stripe_sandbox):
    methods, owner = stripe_sandbox.client.v1.payment_methods, await customer(stripe_sandbox)
    first = await methods.attach_async("pm_card_visa", {"customer": owner})
    second = await methods.attach_async("pm_card_mastercard", {"customer": owner})
    assert first.id != second.id
    assert (first.customer, first.card.brand, first.card.last4) == (owner, "visa", "4242")
    listed = await stripe_sandbox.client.v1.customers.payment_methods.list_async(owner, {"type": "card"})
    assert [each.id for each in listed.data] == [second.id, first.id]
    found = await stripe_sandbox.client.v1.customers.payment_methods.retrieve_async(owner, first.id)
    assert found.id == first.id


async def test_method_is_made_from_a_number_or_a_token(stripe_sandbox):
    methods = stripe_sandbox.client.v1.payment_methods
    numbered = await methods.create_async(
        {"type": "card", "card": {"number": "4242424242424242", "exp_month": 1, "exp_year": 2040, "cvc": "123"}}
    )
    token = await methods.create_async({"type": "card", "card": {"token": "tok_visa"}})
    assert (numbered.card.exp_year, numbered.card.fingerprint) == (2040, token.card.fingerprint)


@pytest.mark.parametrize(
    ("data", "param"),
    [
        ({"card": {"token": "tok_visa"}}, "type"),
        ({"type": "card"}, "card"),
        ({"type": "ideal"}, "type"),
        ({"type": "gold"}, "type"),
        ({"type": "card", "card": {"token": "tok_none"}}, "card[token]"),
    ],
)
async def test_method_that_cannot_be_made_is_refused(stripe_sandbox, data, param):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await stripe_sandbox.client.v1.payment_methods.create_async(data)
    assert refused.value.param == param


async def test_attaching_twice_changes_nothing_and_to_another_is_refused(stripe_sandbox):
    methods, owner = stripe_sandbox.client.v1.payment_methods, await customer(stripe_sandbox)
    card = await methods.attach_async("pm_card_visa", {"customer": owner})
    again = await methods.attach_async(card.id, {"customer": owner})
    assert again.to_dict() == card.to_dict()
    with pytest.raises(stripe.InvalidRequestError, match="already been attached"):
        await methods.attach_async(card.id, {"customer": await customer(stripe_sandbox)})
    assert (await types(stripe_sandbox)).count("payment_method.attached") == 1


async def test_declining_card_is_not_attached(stripe_sandbox):
    methods, owner = stripe_sandbox.client.v1.payment_methods, await customer(stripe_sandbox)
    with pytest.raises(stripe.CardError) as declined:
        await methods.attach_async("pm_card_visa_chargeDeclined", {"customer": owner})
    assert (declined.value.http_status, declined.value.code) == (402, "card_declined")
    assert (await methods.list_async({"customer": owner})).data == []


async def test_card_that_fails_later_is_attached(stripe_sandbox):
    methods, owner = stripe_sandbox.client.v1.payment_methods, await customer(stripe_sandbox)
    assert (await methods.attach_async("pm_card_chargeCustomerFail", {"customer": owner})).customer == owner


async def test_detached_method_is_gone_for_good(stripe_sandbox):
    client, owner = stripe_sandbox.client.v1, await customer(stripe_sandbox)
    card = await client.payment_methods.attach_async("pm_card_visa", {"customer": owner})
    await client.customers.update_async(owner, {"invoice_settings": {"default_payment_method": card.id}})
    assert (await client.payment_methods.detach_async(card.id)).customer is None
    assert (await client.customers.retrieve_async(owner)).invoice_settings.default_payment_method is None
    (event,) = (await client.events.list_async({"type": "payment_method.detached"})).data
    assert event.data.previous_attributes.to_dict() == {"customer": owner}
    for again in (
        client.payment_methods.detach_async(card.id),
        client.payment_methods.attach_async(card.id, {"customer": owner}),
    ):
        with pytest.raises(stripe.InvalidRequestError):
            await again


async def test_default_method_has_to_be_the_customers_own(stripe_sandbox):
    client = stripe_sandbox.client.v1
    card = await client.payment_methods.attach_async("pm_card_visa", {"customer": await customer(stripe_sandbox)})
    with pytest.raises(stripe.InvalidRequestError, match="does not have a payment method"):
        await client.customers.update_async(
            await customer(stripe_sandbox), {"invoice_settings": {"default_payment_method": card.id}}
        )


async def test_method_of_a_customer_can_be_changed(stripe_sandbox):
    methods, owner = stripe_sandbox.client.v1.payment_methods, await customer(stripe_sandbox)
    card = await methods.attach_async("pm_card_visa", {"customer": owner})
    changed = await methods.update_async(
        card.id, {"card": {"exp_month": 5}, "billing_details": {"address": {"city": "Bern"}}, "metadata": {"a": "b"}}
    )
    assert (changed.card.exp_month, changed.billing_details.address.city, changed.metadata["a"]) == (5, "Bern", "b")
    loose = await methods.create_async({"type": "card", "card": {"token": "tok_visa"}})
    with pytest.raises(stripe.InvalidRequestError, match="save this PaymentMethod"):
        await methods.update_async(loose.id, {"metadata": {"a": "b"}})


async def test_confirmed_setup_attaches_the_method(stripe_sandbox):
    client, owner = stripe_sandbox.client.v1, await customer(stripe_sandbox)
    intent = await client.setup_intents.create_async({"customer": owner, "usage": "off_session"})
    assert intent.status == "requires_payment_method"
    intent = await client.setup_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa", **RETURN})
    assert intent.status == "succeeded"
    (card,) = (await client.payment_methods.list_async({"customer": owner})).data
    assert intent.payment_method == card.id
    assert (await types(stripe_sandbox))[1:] == [
        "setup_intent.created",
        "payment_method.attached",
        "setup_intent.succeeded",
    ]
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await client.setup_intents.cancel_async(intent.id)
    assert refused.value.code == "setup_intent_unexpected_state"
    assert refused.value.error.setup_intent.id == intent.id


async def test_declined_setup_says_why_and_takes_another_card(stripe_sandbox):
    client, owner = stripe_sandbox.client.v1, await customer(stripe_sandbox)
    intent = await client.setup_intents.create_async(
        {"customer": owner, "automatic_payment_methods": {"enabled": True, "allow_redirects": "never"}}
    )
    with pytest.raises(stripe.CardError) as declined:
        await client.setup_intents.confirm_async(
            intent.id, {"payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds"}
        )
    assert declined.value.error.decline_code == "insufficient_funds"
    assert declined.value.error.setup_intent.id == intent.id
    intent = await client.setup_intents.retrieve_async(intent.id)
    assert (intent.status, intent.last_setup_error.decline_code) == ("requires_payment_method", "insufficient_funds")
    intent = await client.setup_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (intent.status, intent.last_setup_error) == ("succeeded", None)
    assert "setup_intent.setup_failed" in await types(stripe_sandbox)


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "succeeded"), ("fail", "requires_payment_method")])
async def test_setup_with_3d_secure_waits_for_the_payer(stripe_sandbox, outcome, status):
    client, owner = stripe_sandbox.client.v1, await customer(stripe_sandbox)
    intent = await client.setup_intents.create_async(
        {"customer": owner, "payment_method": "pm_card_authenticationRequiredOnSetup", "confirm": True, **RETURN}
    )
    assert (intent.status, intent.next_action.type) == ("requires_action", "redirect_to_url")
    assert intent.next_action.redirect_to_url.return_url == RETURN["return_url"]
    assert (await client.payment_methods.list_async({"customer": owner})).data == []
    await stripe_sandbox.control("three_d_secure", setup_intent=intent.id, outcome=outcome)
    intent = await client.setup_intents.retrieve_async(intent.id)
    assert (intent.status, intent.next_action) == (status, None)
    assert len((await client.payment_methods.list_async({"customer": owner})).data) == (outcome == "succeed")


async def test_setup_that_may_redirect_needs_a_way_back(stripe_sandbox):
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await stripe_sandbox.client.v1.setup_intents.create_async({"payment_method": "pm_card_visa", "confirm": True})
    assert refused.value.param == "return_url"


async def test_cancelled_setup_takes_nothing_more(stripe_sandbox):
    intents = stripe_sandbox.client.v1.setup_intents
    intent = await intents.create_async({"payment_method": "pm_card_visa", "metadata": {"a": "b"}})
    assert intent.status == "requires_confirmation"
    intent = await intents.cancel_async(intent.id, {"cancellation_reason": "abandoned"})
    assert (intent.status, intent.cancellation_reason) == ("canceled", "abandoned")
    for act in (intents.confirm_async(intent.id, RETURN), intents.update_async(intent.id, {"description": "x"})):
        with pytest.raises(stripe.InvalidRequestError):
            await act


async def test_setup_intents_are_changed_and_listed_by_customer(stripe_sandbox):
    intents, owner = stripe_sandbox.client.v1.setup_intents, await customer(stripe_sandbox)
    other = await intents.create_async({})
    mine = await intents.create_async({})
    mine = await intents.update_async(mine.id, {"customer": owner, "metadata": {"a": "b"}, "description": "d"})
    assert [each.id for each in (await intents.list_async({"customer": owner})).data] == [mine.id]
    assert [each.id for each in (await intents.list_async()).data] == [mine.id, other.id]
