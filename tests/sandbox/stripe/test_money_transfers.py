"""Bank transfers: money arrives in the customer's cash balance, pays what waits for it, once, and is never lost."""

import asyncio

import pytest
import stripe

from tests.sandbox.stripe.test_money_payments import happened, refused

US = {"funding_type": "bank_transfer", "bank_transfer": {"type": "us_bank_transfer"}}
LINE = "customer_cash_balance_transaction.created"


async def customer_of(sandbox, **more):
    return await sandbox.client.v1.customers.create_async({"email": "payer@example.com", **more})


async def ask(sandbox, customer, amount=1000, currency="usd", terms=US, **more):
    return await sandbox.client.v1.payment_intents.create_async(
        {
            "amount": amount,
            "currency": currency,
            "customer": customer.id,
            "allowed_payment_method_types": ["customer_balance", "card"],
            "payment_method_data": {"type": "customer_balance"},
            "payment_method_options": {"customer_balance": terms} if terms else {},
            "confirm": True,
            **more,
        }
    )


async def send(sandbox, customer, amount, currency="usd", **more):
    params = {"amount": amount, "currency": currency, **more}
    return await sandbox.client.v1.test_helpers.customers.fund_cash_balance_async(customer.id, params)


async def available(sandbox, customer):
    balance = (await sandbox.client.v1.customers.cash_balance.retrieve_async(customer.id)).available
    return None if balance is None else balance.to_dict()


async def lines_of(sandbox, customer):
    lines = await sandbox.client.v1.customers.cash_balance_transactions.list_async(customer.id, {"limit": 100})
    return [(line.type, line.net_amount, line.ending_balance) for line in reversed(lines.data)]


async def set_mode(sandbox, customer, mode):
    settings = {"settings": {"reconciliation_mode": mode}}
    return await sandbox.client.v1.customers.cash_balance.update_async(customer.id, settings)


def missing(intent):
    return intent.next_action.display_bank_transfer_instructions.amount_remaining


async def look(sandbox, intent, **more):
    return await sandbox.client.v1.payment_intents.retrieve_async(intent.id, more)


async def test_intent_shows_where_to_send_the_money(stripe_sandbox):
    intent = await ask(stripe_sandbox, await customer_of(stripe_sandbox))
    assert (intent.status, intent.next_action.type) == ("requires_action", "display_bank_transfer_instructions")
    shown = intent.next_action.display_bank_transfer_instructions
    assert (shown.type, shown.currency, shown.amount_remaining) == ("us_bank_transfer", "usd", 1000)
    assert [each.type for each in shown.financial_addresses] == ["aba", "swift"]
    assert shown.reference
    assert (intent.amount_received, intent.latest_charge) == (0, None)


async def test_intent_that_is_funded_whole_succeeds_with_one_charge(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    funded = await send(stripe_sandbox, customer, 1000)
    assert (funded.type, funded.funded.bank_transfer.type) == ("funded", "us_bank_transfer")
    intent = await look(stripe_sandbox, intent, expand=["latest_charge.balance_transaction", "payment_method"])
    assert (intent.status, intent.amount_received, intent.next_action) == ("succeeded", 1000, None)
    charge = intent.latest_charge
    assert (charge.status, charge.amount_captured, charge.payment_method_details.type) == (
        "succeeded",
        1000,
        "customer_balance",
    )
    line = charge.balance_transaction
    assert (line.type, line.amount, line.fee) == ("payment", 1000, 100)
    assert intent.payment_method.type == "customer_balance"
    assert await available(stripe_sandbox, customer) == {"usd": 0}
    assert (await happened(stripe_sandbox))[1:] == [
        "payment_intent.created",
        "payment_intent.requires_action",
        LINE,
        LINE,
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


async def test_partly_funded_intent_waits_for_the_rest_and_has_charged_nothing(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 300)
    intent = await look(stripe_sandbox, intent)
    assert (intent.status, missing(intent), intent.amount_received) == ("requires_action", 700, 0)
    assert intent.latest_charge is None
    assert (await stripe_sandbox.client.v1.balance_transactions.list_async()).data == []
    (event,) = (await stripe_sandbox.client.v1.events.list_async({"type": "payment_intent.partially_funded"})).data
    told = event.data.object["next_action"]["display_bank_transfer_instructions"]
    assert told["amount_remaining"] == 700
    assert "cash_balance.funds_available" not in await happened(stripe_sandbox)
    await send(stripe_sandbox, customer, 700)
    intent = await look(stripe_sandbox, intent, expand=["latest_charge"])
    assert (intent.status, intent.latest_charge.amount) == ("succeeded", 1000)


async def test_what_is_sent_too_much_stays_available_and_pays_the_next_intent_at_once(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 1500)
    assert await available(stripe_sandbox, customer) == {"usd": 500}
    (event,) = (await stripe_sandbox.client.v1.events.list_async({"type": "cash_balance.funds_available"})).data
    assert event.data.object["available"].to_dict() == {"usd": 500}
    next_one = await ask(stripe_sandbox, customer, 400)
    assert (next_one.status, next_one.next_action) == ("succeeded", None)
    assert await available(stripe_sandbox, customer) == {"usd": 100}
    third = await ask(stripe_sandbox, customer, 400)
    assert (third.status, missing(third)) == ("requires_action", 300)


@pytest.mark.parametrize(
    ("currency", "kind", "way", "reference"),
    [
        ("eur", "eu_bank_transfer", "iban", True),
        ("gbp", "gb_bank_transfer", "sort_code", True),
        ("jpy", "jp_bank_transfer", "zengin", False),
        ("mxn", "mx_bank_transfer", "spei", True),
    ],
)
async def test_each_currency_has_its_own_transfers(stripe_sandbox, currency, kind, way, reference):
    customer = await customer_of(stripe_sandbox)
    transfer = {"type": kind, **({"eu_bank_transfer": {"country": "FR"}} if currency == "eur" else {})}
    terms = {"funding_type": "bank_transfer", "bank_transfer": transfer}
    intent = await ask(stripe_sandbox, customer, 1000, currency, terms)
    shown = intent.next_action.display_bank_transfer_instructions
    assert [each.type for each in shown.financial_addresses] == [way]
    assert bool(shown.reference) == reference
    assert (await send(stripe_sandbox, customer, 1000, currency)).funded.bank_transfer.type == kind
    assert (await look(stripe_sandbox, intent)).status == "succeeded"


async def test_money_in_another_currency_pays_nothing(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 1000, "eur")
    assert missing(await look(stripe_sandbox, intent)) == 1000
    assert await available(stripe_sandbox, customer) == {"eur": 1000}


async def statuses(sandbox, *intents):
    return [(await look(sandbox, each)).status for each in intents]


async def test_transfer_pays_what_its_reference_names(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    oldest, named = [await ask(stripe_sandbox, customer, amount) for amount in (500, 900)]
    reference = named.next_action.display_bank_transfer_instructions.reference
    await send(stripe_sandbox, customer, 500, reference=f"invoice {reference.lower()} thanks")
    assert missing(await look(stripe_sandbox, named)) == 400
    await send(stripe_sandbox, customer, 600, reference=reference)
    assert (await statuses(stripe_sandbox, named), missing(await look(stripe_sandbox, oldest))) == (["succeeded"], 300)


async def test_transfer_without_a_reference_pays_what_waits_for_just_its_amount(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    large, small, equal, other = [await ask(stripe_sandbox, customer, amount) for amount in (5000, 600, 1000, 300)]
    await send(stripe_sandbox, customer, 1000)
    assert await statuses(stripe_sandbox, large, small, equal) == ["requires_action", "requires_action", "succeeded"]
    # Together they wait for it.
    await send(stripe_sandbox, customer, 900)
    assert await statuses(stripe_sandbox, small, other) == ["succeeded", "succeeded"]
    assert missing(await look(stripe_sandbox, large)) == 5000


async def test_transfer_that_fits_nothing_pays_the_oldest(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    oldest, newer = [await ask(stripe_sandbox, customer, amount) for amount in (700, 600)]
    await send(stripe_sandbox, customer, 750)
    assert await statuses(stripe_sandbox, oldest) == ["succeeded"]
    assert missing(await look(stripe_sandbox, newer)) == 550


async def test_canceled_intent_returns_what_it_was_funded_with(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 300)
    canceled = await stripe_sandbox.client.v1.payment_intents.cancel_async(intent.id)
    assert (canceled.status, canceled.next_action, canceled.latest_charge) == ("canceled", None, None)
    assert await available(stripe_sandbox, customer) == {"usd": 300}
    assert await lines_of(stripe_sandbox, customer) == [
        ("funded", 300, 300),
        ("applied_to_payment", -300, 0),
        ("unapplied_from_payment", 300, 300),
    ]
    assert (await stripe_sandbox.client.v1.balance_transactions.list_async()).data == []
    assert (await happened(stripe_sandbox))[-1] == "payment_intent.canceled"


async def test_what_a_canceled_intent_returns_pays_another_that_waits(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    first, second = await ask(stripe_sandbox, customer, 1000), await ask(stripe_sandbox, customer, 300)
    reference = first.next_action.display_bank_transfer_instructions.reference
    await send(stripe_sandbox, customer, 400, reference=reference)
    await stripe_sandbox.client.v1.payment_intents.cancel_async(first.id)
    assert (await look(stripe_sandbox, second)).status == "succeeded"
    assert await available(stripe_sandbox, customer) == {"usd": 100}


async def test_partly_funded_intent_that_is_paid_by_card_takes_nothing_of_the_transfer(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 300)
    paid = await stripe_sandbox.client.v1.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa", "expand": ["latest_charge"]}
    )
    assert (paid.status, paid.amount_received) == ("succeeded", 1000)
    assert paid.latest_charge.payment_method_details.type == "card"
    assert await available(stripe_sandbox, customer) == {"usd": 300}


async def test_partly_funded_intent_whose_card_is_declined_returns_the_money_too(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 300)
    with pytest.raises(stripe.CardError):
        await stripe_sandbox.client.v1.payment_intents.confirm_async(
            intent.id, {"payment_method": "pm_card_visa_chargeDeclined"}
        )
    assert (await look(stripe_sandbox, intent)).status == "requires_payment_method"
    assert await available(stripe_sandbox, customer) == {"usd": 300}


async def test_partly_funded_intent_that_goes_on_to_3d_secure_holds_nothing_meanwhile(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 300)
    intent = await stripe_sandbox.client.v1.payment_intents.confirm_async(
        intent.id, {"payment_method": "pm_card_authenticationRequired"}
    )
    assert (intent.status, intent.next_action.type) == ("requires_action", "use_stripe_sdk")
    assert await available(stripe_sandbox, customer) == {"usd": 300}
    await stripe_sandbox.control("three_d_secure", payment_intent=intent.id, outcome="succeed")
    assert (await look(stripe_sandbox, intent)).amount_received == 1000
    assert await available(stripe_sandbox, customer) == {"usd": 300}


async def test_another_amount_returns_the_money_and_asks_for_another_confirmation(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intents = stripe_sandbox.client.v1.payment_intents
    intent = await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 300)
    untouched = await intents.update_async(intent.id, {"amount": 1000, "description": "same amount"})
    assert (untouched.status, missing(untouched)) == ("requires_action", 700)
    changed = await intents.update_async(intent.id, {"amount": 300})
    assert (changed.status, changed.next_action) == ("requires_confirmation", None)
    assert await available(stripe_sandbox, customer) == {"usd": 300}
    assert (await intents.confirm_async(intent.id)).status == "succeeded"
    assert await available(stripe_sandbox, customer) == {"usd": 0}


async def test_confirmed_again_an_intent_keeps_what_it_has(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 300)
    again = await stripe_sandbox.client.v1.payment_intents.confirm_async(intent.id)
    assert (again.status, missing(again)) == ("requires_action", 700)
    assert [line[0] for line in await lines_of(stripe_sandbox, customer)] == ["funded", "applied_to_payment"]


async def test_manual_customers_are_funded_and_pay_only_on_request(stripe_sandbox):
    customer = await customer_of(stripe_sandbox, cash_balance={"settings": {"reconciliation_mode": "manual"}})
    intents = stripe_sandbox.client.v1.payment_intents
    intent = await ask(stripe_sandbox, customer)
    await send(stripe_sandbox, customer, 600)
    assert missing(await look(stripe_sandbox, intent)) == 1000
    assert "cash_balance.funds_available" in await happened(stripe_sandbox)
    part = await intents.apply_customer_balance_async(intent.id, {"amount": 200, "currency": "usd"})
    assert (part.status, missing(part)) == ("requires_action", 800)
    part = await intents.apply_customer_balance_async(intent.id)
    assert (missing(part), await available(stripe_sandbox, customer)) == (400, {"usd": 0})
    none_left = await refused(intents.apply_customer_balance_async(intent.id))
    assert none_left.code == "insufficient_funds"
    await send(stripe_sandbox, customer, 500)
    assert (await refused(intents.apply_customer_balance_async(intent.id, {"amount": 401}))).param == "amount"
    assert (await refused(intents.apply_customer_balance_async(intent.id, {"currency": "eur"}))).param == "currency"
    assert (await intents.apply_customer_balance_async(intent.id)).status == "succeeded"
    assert await available(stripe_sandbox, customer) == {"usd": 100}
    done = await refused(intents.apply_customer_balance_async(intent.id))
    assert done.code == "payment_intent_unexpected_state"


async def test_mode_of_a_customer_is_told_and_goes_back_to_the_account_s(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    told = (await set_mode(stripe_sandbox, customer, "manual")).settings
    assert (told.reconciliation_mode, told.using_merchant_default) == ("manual", False)
    customers = stripe_sandbox.client.v1.customers
    params = {"cash_balance": {"settings": {"reconciliation_mode": "merchant_default"}}, "expand": ["cash_balance"]}
    told = (await customers.update_async(customer.id, params)).cash_balance.settings
    assert (told.reconciliation_mode, told.using_merchant_default) == ("automatic", True)


async def test_balance_alone_pays_or_fails_when_no_transfer_is_wanted(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    await send(stripe_sandbox, customer, 999)
    error = await refused(ask(stripe_sandbox, customer, terms=None))
    assert (error.code, error.error.payment_intent.status) == ("insufficient_funds", "requires_payment_method")
    assert "payment_intent.payment_failed" in await happened(stripe_sandbox)
    assert await available(stripe_sandbox, customer) == {"usd": 999}
    assert (await ask(stripe_sandbox, customer, 999, terms=None)).status == "succeeded"
    assert (await refused(ask(stripe_sandbox, customer, error_on_requires_action=True))).code == "insufficient_funds"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"currency": "chf"}, "currency"),
        ({"currency": "eur"}, "payment_method_options[customer_balance][bank_transfer][type]"),
        ({"capture_method": "manual"}, "capture_method"),
        ({"terms": {"funding_type": "bank_transfer"}}, "payment_method_options[customer_balance][bank_transfer]"),
        (
            {
                "currency": "eur",
                "terms": {"funding_type": "bank_transfer", "bank_transfer": {"type": "eu_bank_transfer"}},
            },
            "payment_method_options[customer_balance][bank_transfer][eu_bank_transfer]",
        ),
    ],
)
async def test_transfer_that_cannot_be_is_refused_and_makes_no_intent(stripe_sandbox, change, param):
    customer = await customer_of(stripe_sandbox)
    assert (await refused(ask(stripe_sandbox, customer, **change))).param == param
    assert (await stripe_sandbox.client.v1.payment_intents.list_async()).data == []


async def test_transfer_needs_a_customer(stripe_sandbox):
    params = {
        "amount": 1000,
        "currency": "usd",
        "allowed_payment_method_types": ["customer_balance"],
        "payment_method_data": {"type": "customer_balance"},
        "confirm": True,
    }
    assert (await refused(stripe_sandbox.client.v1.payment_intents.create_async(params))).param == "customer"


@pytest.mark.parametrize(
    ("amount", "currency", "param"), [(0, "usd", "amount"), (-5, "usd", "amount"), (5, "chf", "currency")]
)
async def test_funds_that_cannot_be_are_refused(stripe_sandbox, amount, currency, param):
    customer = await customer_of(stripe_sandbox)
    assert (await refused(send(stripe_sandbox, customer, amount, currency))).param == param
    assert await available(stripe_sandbox, customer) is None


async def test_pitfall_01_transfer_with_one_key_arrives_once(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    helper = stripe_sandbox.client.v1.test_helpers.customers.fund_cash_balance_async
    params, once = {"amount": 700, "currency": "usd"}, {"idempotency_key": "transfer-1"}
    first = await helper(customer.id, params, once)
    assert (await helper(customer.id, params, once)).id == first.id
    assert await available(stripe_sandbox, customer) == {"usd": 700}


async def test_transfers_at_once_are_all_there(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    await asyncio.gather(*(send(stripe_sandbox, customer, 150) for _ in range(8)))
    assert (await look(stripe_sandbox, intent)).status == "succeeded"
    assert await available(stripe_sandbox, customer) == {"usd": 200}


async def test_lines_belong_to_their_customer(stripe_sandbox):
    customer, other = await customer_of(stripe_sandbox), await customer_of(stripe_sandbox)
    line = await send(stripe_sandbox, customer, 100)
    lines = stripe_sandbox.client.v1.customers.cash_balance_transactions
    assert (await lines.retrieve_async(customer.id, line.id)).net_amount == 100
    assert (await refused(lines.retrieve_async(other.id, line.id))).http_status == 404
    assert (await lines.list_async(other.id)).data == []


async def test_customer_with_a_cash_balance_stays_even_with_nothing_in_it(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    await send(stripe_sandbox, customer, 1000)
    assert (await ask(stripe_sandbox, customer)).status == "succeeded"
    assert "cash balance" in str(await refused(stripe_sandbox.client.v1.customers.delete_async(customer.id)))


async def test_refund_of_a_transfer_waits_for_the_payer_s_account(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    refunds = stripe_sandbox.client.v1.refunds
    await send(stripe_sandbox, customer, 1000)
    intent = await ask(stripe_sandbox, customer)
    refund = await refunds.create_async({"payment_intent": intent.id, "amount": 400})
    assert (refund.status, refund.destination_details.type) == ("requires_action", "us_bank_transfer")
    assert refund.next_action.display_details.email_sent.email_sent_to == "payer@example.com"
    ended = await stripe_sandbox.control("refund", refund=refund.id, outcome="succeed")
    assert (ended["status"], "next_action" in ended) == ("succeeded", False)
    assert (await refused(refunds.cancel_async(refund.id))).http_status == 400
    # What goes to the bank is not the customer's cash balance.
    assert await available(stripe_sandbox, customer) == {"usd": 0}


@pytest.mark.parametrize(("end", "status"), [("cancel", "canceled"), ("nobody answers", "failed")])
async def test_refund_of_a_transfer_that_reaches_nobody_can_be_made_again(stripe_sandbox, end, status):
    customer = await customer_of(stripe_sandbox)
    refunds = stripe_sandbox.client.v1.refunds
    await send(stripe_sandbox, customer, 1000)
    intent = await ask(stripe_sandbox, customer)
    refund = await refunds.create_async({"payment_intent": intent.id})
    if end == "cancel":
        await refunds.cancel_async(refund.id)
    else:
        await stripe_sandbox.control("clock", advance=45 * 86_400)
    refund = await refunds.retrieve_async(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (refund.status, refund.failure_balance_transaction.amount) == (status, 1000)
    charge = await stripe_sandbox.client.v1.charges.retrieve_async(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (0, False)
    assert (await refunds.create_async({"payment_intent": intent.id})).amount == 1000


async def test_refund_of_a_transfer_needs_an_address_to_ask(stripe_sandbox):
    customer = await stripe_sandbox.client.v1.customers.create_async()
    refunds = stripe_sandbox.client.v1.refunds
    await send(stripe_sandbox, customer, 1000)
    intent = await ask(stripe_sandbox, customer)
    assert (await refused(refunds.create_async({"payment_intent": intent.id}))).param == "instructions_email"
    params = {"payment_intent": intent.id, "instructions_email": "other@example.com"}
    assert (await refunds.create_async(params)).instructions_email == "other@example.com"
    from_balance = {"origin": "customer_balance", "customer": customer.id, "amount": 1, "currency": "usd"}
    assert (await refused(refunds.create_async(from_balance))).param == "origin"


async def test_page_shows_where_to_send_money_and_lets_it_arrive(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    shown = intent.next_action.display_bank_transfer_instructions
    page = (await stripe_sandbox.http.get(shown.hosted_instructions_url)).text
    assert "10.00 USD" in page
    assert shown.reference in page
    page = (await stripe_sandbox.http.post(shown.hosted_instructions_url, data={"amount": "300"})).text
    assert "7.00 USD" in page
    page = (await stripe_sandbox.http.post(shown.hosted_instructions_url, data={"amount": "700"})).text
    assert "has arrived" in page
    assert (await look(stripe_sandbox, intent)).status == "succeeded"
    assert (await stripe_sandbox.http.post(shown.hosted_instructions_url, data={"amount": "1"})).status_code == 404


async def test_intent_that_waits_for_money_cannot_be_ended_by_three_d_secure(stripe_sandbox):
    intent = await ask(stripe_sandbox, await customer_of(stripe_sandbox))
    answer = await stripe_sandbox.http.post(
        f"{stripe_sandbox.url}/_control/three_d_secure", json={"payment_intent": intent.id}
    )
    assert answer.status_code == 400
    assert (await stripe_sandbox.http.get(f"{stripe_sandbox.url}/3ds/{intent.id}")).status_code == 404
    assert (await look(stripe_sandbox, intent)).status == "requires_action"


async def test_method_that_stands_for_the_balance_cannot_be_attached(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    intent = await ask(stripe_sandbox, customer)
    methods = stripe_sandbox.client.v1.payment_methods
    assert "customer_balance" in str(
        await refused(methods.attach_async(intent.payment_method, {"customer": customer.id}))
    )


async def test_session_is_complete_when_the_transfer_is_asked_for_and_paid_when_it_arrives(stripe_sandbox):
    customer = await customer_of(stripe_sandbox)
    sessions = stripe_sandbox.client.v1.checkout.sessions
    price = {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "100 credits"}}
    session = await sessions.create_async(
        {
            "mode": "payment",
            "customer": customer.id,
            "line_items": [{"price_data": price, "quantity": 1}],
            "success_url": "https://example.com/ok",
            "allowed_payment_method_types": ["customer_balance"],
            "payment_method_options": {"customer_balance": US},
        }
    )
    method = (await ask(stripe_sandbox, customer, 50)).payment_method
    await stripe_sandbox.control("checkout", session=session.id, payment_method=method)
    session = await sessions.retrieve_async(session.id, {"expand": ["payment_intent"]})
    assert (session.status, session.payment_status) == ("complete", "unpaid")
    assert missing(session.payment_intent) == 1000
    await send(stripe_sandbox, customer, 1000)
    assert (await sessions.retrieve_async(session.id)).payment_status == "paid"
    assert "checkout.session.async_payment_succeeded" in await happened(stripe_sandbox)
