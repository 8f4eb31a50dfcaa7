"""Payment intents, charges and their balance, through the official SDK, every answer and event checked."""

import pytest
import stripe

from tests.sandbox.conftest import StripeSandbox
from tests.support.cases import for_each

NEVER = {"enabled": True, "allow_redirects": "never"}


async def pay(sandbox: StripeSandbox, method="pm_card_visa", amount=2000, currency="usd", **more):
    params = {"amount": amount, "currency": currency, "payment_method": method, "confirm": True}
    params |= {"automatic_payment_methods": NEVER, **more}
    return await sandbox.client.v1.payment_intents.create_async(params)


async def happened(sandbox: StripeSandbox) -> list[str]:
    events = await sandbox.client.v1.events.list_async({"limit": 100})
    return [event.type for event in reversed(events.data)]


async def declined(sandbox: StripeSandbox, method: str, **more) -> stripe.CardError:
    with pytest.raises(stripe.CardError) as refused:
        await pay(sandbox, method, **more)
    return refused.value


async def refused(awaitable) -> stripe.InvalidRequestError:
    with pytest.raises(stripe.InvalidRequestError) as caught:
        await awaitable
    return caught.value


async def test_card_that_succeeds_has_its_charge_and_its_line_in_the_balance(stripe_sandbox):
    intent = await pay(stripe_sandbox, expand=["latest_charge.balance_transaction"])
    charge = intent.latest_charge
    assert (intent.status, intent.amount_received, charge.amount_captured) == ("succeeded", 2000, 2000)
    line = charge.balance_transaction
    assert (line.type, line.amount, line.fee, line.net, line.status) == ("charge", 2000, 88, 1912, "pending")
    assert line.source == charge.id
    assert [fee.amount for fee in line.fee_details] == [88]
    assert await happened(stripe_sandbox) == ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]


@pytest.mark.parametrize(
    ("method", "code", "decline_code"),
    [
        ("pm_card_visa_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
        ("pm_card_radarBlock", "card_declined", "fraudulent"),
    ],
)
async def test_card_that_declines_leaves_a_failed_charge_and_an_intent_to_try_again(
    stripe_sandbox, method, code, decline_code
):
    error = await declined(stripe_sandbox, method)
    assert (error.http_status, error.code, error.error.decline_code) == (402, code, decline_code)
    intent = await stripe_sandbox.client.v1.payment_intents.retrieve_async(error.error.payment_intent.id)
    assert (intent.status, intent.payment_method, intent.amount_received) == ("requires_payment_method", None, 0)
    assert (intent.last_payment_error.code, intent.last_payment_error.decline_code) == (code, decline_code)
    charge = await stripe_sandbox.client.v1.charges.retrieve_async(error.error.charge)
    assert (charge.status, charge.paid, charge.balance_transaction) == ("failed", False, None)
    assert await happened(stripe_sandbox) == [
        "payment_intent.created",
        "charge.failed",
        "payment_intent.payment_failed",
    ]
    again = await stripe_sandbox.client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    assert (again.status, again.last_payment_error) == ("succeeded", None)


async def test_three_d_secure_leads_to_a_page_and_then_to_the_charge(stripe_sandbox):
    intent = await pay(
        stripe_sandbox,
        "pm_card_authenticationRequired",
        automatic_payment_methods={"enabled": True},
        return_url="https://example.com/back",
    )
    assert (intent.status, intent.latest_charge) == ("requires_action", None)
    assert intent.next_action.redirect_to_url.url == f"{stripe_sandbox.url}/3ds/{intent.id}"
    await stripe_sandbox.control("three_d_secure", payment_intent=intent.id, outcome="succeed")
    intent = await stripe_sandbox.client.v1.payment_intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    assert intent.status == "succeeded"
    assert intent.latest_charge.payment_method_details.card.three_d_secure.result == "authenticated"


async def test_three_d_secure_that_fails_takes_no_money(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_card_threeDSecure2Required")
    assert intent.next_action.type == "use_stripe_sdk"
    await stripe_sandbox.control("three_d_secure", payment_intent=intent.id, outcome="fail")
    intent = await stripe_sandbox.client.v1.payment_intents.retrieve_async(intent.id)
    assert (intent.status, intent.latest_charge) == ("requires_payment_method", None)
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    assert (await happened(stripe_sandbox))[-2:] == ["payment_intent.requires_action", "payment_intent.payment_failed"]


async def test_declined_after_three_d_secure(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds")
    answer = await stripe_sandbox.control("three_d_secure", payment_intent=intent.id, outcome="succeed")
    assert answer["status"] == "requires_payment_method"
    assert answer["last_payment_error"]["decline_code"] == "insufficient_funds"


async def test_off_session_payment_that_needs_its_payer_is_declined(stripe_sandbox):
    error = await declined(stripe_sandbox, "pm_card_authenticationRequired", off_session=True)
    assert (error.code, error.error.decline_code) == ("authentication_required", "authentication_required")
    assert error.error.payment_method.id.startswith("pm_")


async def test_card_set_up_with_its_payer_pays_off_session_afterwards(stripe_sandbox):
    customer = await stripe_sandbox.client.v1.customers.create_async({})
    more = {"customer": customer.id, "setup_future_usage": "off_session"}
    first = await pay(stripe_sandbox, "pm_card_authenticationRequiredOnSetup", **more)
    await stripe_sandbox.control("three_d_secure", payment_intent=first.id, outcome="succeed")
    first = await stripe_sandbox.client.v1.payment_intents.retrieve_async(first.id, {"expand": ["payment_method"]})
    assert first.payment_method.customer == customer.id
    second = await pay(stripe_sandbox, first.payment_method.id, customer=customer.id, off_session=True)
    assert second.status == "succeeded"
    assert "payment_method.attached" in await happened(stripe_sandbox)


async def test_server_side_confirmation_without_a_way_back_is_refused_and_makes_nothing(stripe_sandbox):
    params = {"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa", "confirm": True}
    error = await refused(stripe_sandbox.client.v1.payment_intents.create_async(params))
    assert error.param == "return_url"
    assert (await stripe_sandbox.client.v1.payment_intents.list_async()).data == []


async def test_partial_capture_takes_its_part_and_tells_the_release_as_a_refund_without_a_line(stripe_sandbox):
    intent = await pay(stripe_sandbox, capture_method="manual")
    assert (intent.status, intent.amount_capturable, intent.amount_received) == ("requires_capture", 2000, 0)
    too_much = await refused(
        stripe_sandbox.client.v1.payment_intents.capture_async(intent.id, {"amount_to_capture": 2001})
    )
    assert too_much.param == "amount_to_capture"
    intent = await stripe_sandbox.client.v1.payment_intents.capture_async(
        intent.id, {"amount_to_capture": 1500, "expand": ["latest_charge.balance_transaction", "latest_charge.refunds"]}
    )
    charge = intent.latest_charge
    assert (intent.status, intent.amount, intent.amount_received, intent.amount_capturable) == (
        "succeeded",
        2000,
        1500,
        0,
    )
    assert (charge.amount_captured, charge.amount_refunded, charge.balance_transaction.amount) == (1500, 500, 1500)
    assert [(each.amount, each.balance_transaction) for each in charge.refunds.data] == [(500, None)]
    again = await refused(stripe_sandbox.client.v1.payment_intents.capture_async(intent.id))
    assert again.code == "payment_intent_unexpected_state"
    assert again.error.payment_intent.status == "succeeded"


async def test_authorization_that_nobody_captures_expires_after_seven_days(stripe_sandbox):
    intent = await pay(stripe_sandbox, capture_method="manual")
    await stripe_sandbox.control("clock", advance=7 * 86_400)
    intent = await stripe_sandbox.client.v1.payment_intents.retrieve_async(intent.id)
    assert (intent.status, intent.cancellation_reason) == ("canceled", "automatic")
    assert (await stripe_sandbox.client.v1.balance.retrieve_async()).pending[0].amount == 0


async def test_canceled_intent_takes_nothing_any_more(stripe_sandbox):
    intent = await stripe_sandbox.client.v1.payment_intents.create_async({"amount": 2000, "currency": "usd"})
    canceled = await stripe_sandbox.client.v1.payment_intents.cancel_async(
        intent.id, {"cancellation_reason": "abandoned"}
    )
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "abandoned")
    error = await refused(
        stripe_sandbox.client.v1.payment_intents.confirm_async(intent.id, {"payment_method": "pm_card_visa"})
    )
    assert error.code == "payment_intent_unexpected_state"
    assert await happened(stripe_sandbox) == ["payment_intent.created", "payment_intent.canceled"]


async def test_intent_is_changed_until_it_has_been_paid(stripe_sandbox):
    intents = stripe_sandbox.client.v1.payment_intents
    intent = await intents.create_async({"amount": 2000, "currency": "usd", "metadata": {"a": "1"}})
    changed = await intents.update_async(intent.id, {"amount": 2500, "metadata": {"b": "2"}})
    assert (changed.amount, changed.metadata.to_dict()) == (2500, {"a": "1", "b": "2"})
    paid = await intents.confirm_async(
        intent.id, {"payment_method": "pm_card_visa", "return_url": "https://example.com"}
    )
    assert paid.amount_received == 2500
    assert (await refused(intents.update_async(intent.id, {"amount": 3000}))).code == "payment_intent_unexpected_state"
    assert (await intents.update_async(intent.id, {"metadata": {"a": ""}})).metadata.to_dict() == {"b": "2"}


@for_each(
    "amount, currency, code",
    [
        (49, "usd", "amount_too_small"),
        (29, "gbp", "amount_too_small"),
        (49, "jpy", "amount_too_small"),
        (17499, "huf", "amount_too_small"),
        (100_000_000, "usd", "amount_too_large"),
        (0, "usd", "parameter_invalid_integer"),
        (1005, "kwd", "parameter_invalid_integer"),
        (1001, "isk", "parameter_invalid_integer"),
        (1000, "zzz", None),
    ],
)
async def test_amount_that_cannot_be_charged_is_refused(stripe_sandbox, amount, currency, code):
    params = {"amount": amount, "currency": currency}
    error = await refused(stripe_sandbox.client.v1.payment_intents.create_async(params))
    assert error.code == code
    assert error.param == ("currency" if code is None else "amount")


@pytest.mark.parametrize(
    ("amount", "currency", "fee"),
    [(50, "usd", 31), (1000, "jpy", 29), (10_000, "kwd", 590), (99_999_999, "usd", 2_900_030)],
)
async def test_fee_counts_in_the_decimals_of_the_currency(stripe_sandbox, amount, currency, fee):
    intent = await pay(stripe_sandbox, amount=amount, currency=currency, expand=["latest_charge.balance_transaction"])
    assert intent.latest_charge.balance_transaction.fee == fee


async def test_money_becomes_available_after_two_days(stripe_sandbox):
    await pay(stripe_sandbox)
    balance = await stripe_sandbox.client.v1.balance.retrieve_async()
    assert (balance.pending[0].amount, balance.available[0].amount) == (1912, 0)
    assert "balance.available" not in await happened(stripe_sandbox)
    await stripe_sandbox.control("clock", advance=2 * 86_400)
    balance = await stripe_sandbox.client.v1.balance.retrieve_async()
    assert (balance.pending[0].amount, balance.available[0].amount) == (0, 1912)
    assert (await happened(stripe_sandbox)).count("balance.available") == 1


async def test_line_of_the_balance_can_come_later_than_the_charge(stripe_sandbox):
    await stripe_sandbox.control("balance_transactions", delay_seconds=60)
    intent = await pay(stripe_sandbox, expand=["latest_charge"])
    assert (intent.status, intent.latest_charge.balance_transaction) == ("succeeded", None)
    at_once = await pay(stripe_sandbox, capture_method="automatic", expand=["latest_charge"])
    assert at_once.latest_charge.balance_transaction is not None
    await stripe_sandbox.control("clock", advance=60)
    charge = await stripe_sandbox.client.v1.charges.retrieve_async(intent.latest_charge.id)
    assert charge.balance_transaction is not None
    assert (await happened(stripe_sandbox))[-1] == "charge.updated"


async def test_bank_debit_is_processing_until_it_settles(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_usBankAccount_success")
    assert (intent.status, intent.amount_received) == ("processing", 0)
    await stripe_sandbox.control("bank_debit", payment_intent=intent.id, outcome="settle")
    intent = await stripe_sandbox.client.v1.payment_intents.retrieve_async(
        intent.id, {"expand": ["latest_charge.balance_transaction"]}
    )
    line = intent.latest_charge.balance_transaction
    assert (intent.status, line.type, line.amount, line.fee) == ("succeeded", "payment", 2000, 16)
    assert await happened(stripe_sandbox) == [
        "payment_intent.created",
        "charge.pending",
        "payment_intent.processing",
        "charge.succeeded",
        "payment_intent.succeeded",
    ]


async def test_bank_debit_fails_when_its_days_have_passed(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_usBankAccount_insufficientFunds")
    await stripe_sandbox.control("clock", advance=4 * 86_400)
    intent = await stripe_sandbox.client.v1.payment_intents.retrieve_async(intent.id, {"expand": ["latest_charge"]})
    assert (intent.status, intent.last_payment_error.code) == ("requires_payment_method", "insufficient_funds")
    assert (intent.latest_charge.status, intent.latest_charge.balance_transaction) == ("failed", None)
    assert (await happened(stripe_sandbox))[-2:] == ["charge.failed", "payment_intent.payment_failed"]


async def test_bank_debit_that_hangs_can_be_canceled(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_usBankAccount_processing")
    await stripe_sandbox.control("clock", advance=30 * 86_400)
    canceled = await stripe_sandbox.client.v1.payment_intents.cancel_async(intent.id)
    assert canceled.status == "canceled"


async def test_bank_account_cannot_pay_in_another_currency(stripe_sandbox):
    error = await refused(pay(stripe_sandbox, "pm_usBankAccount_success", currency="eur"))
    assert error.code == "payment_intent_incompatible_payment_method"


async def test_method_of_another_customer_is_refused(stripe_sandbox):
    customer = await stripe_sandbox.client.v1.customers.create_async({})
    paid = await pay(stripe_sandbox, customer=customer.id, setup_future_usage="off_session")
    assert (await refused(pay(stripe_sandbox, paid.payment_method))).param == "payment_method"


async def test_charge_is_listed_by_intent_and_by_customer(stripe_sandbox):
    customer = await stripe_sandbox.client.v1.customers.create_async({})
    mine = await pay(stripe_sandbox, customer=customer.id)
    await pay(stripe_sandbox)
    for filter_ in ({"payment_intent": mine.id}, {"customer": customer.id}):
        charges = await stripe_sandbox.client.v1.charges.list_async(filter_)
        assert [charge.id for charge in charges.data] == [mine.latest_charge]


async def test_token_is_charged_directly_and_captured_later(stripe_sandbox):
    charges = stripe_sandbox.client.v1.charges
    charge = await charges.create_async({"amount": 900, "currency": "usd", "source": "tok_visa", "capture": False})
    assert (charge.captured, charge.balance_transaction) == (False, None)
    charge = await charges.capture_async(charge.id)
    assert (charge.captured, charge.amount_captured) == (True, 900)
    with pytest.raises(stripe.CardError) as caught:
        await charges.create_async({"amount": 900, "currency": "usd", "source": "tok_chargeDeclined"})
    assert caught.value.code == "card_declined"
    failed = await charges.list_async({"limit": 1})
    assert failed.data[0].failure_code == "card_declined"


async def test_lines_of_the_balance_are_filtered(stripe_sandbox):
    intent = await pay(stripe_sandbox)
    await pay(stripe_sandbox, currency="eur")
    lines = stripe_sandbox.client.v1.balance_transactions
    by_source = await lines.list_async({"source": intent.latest_charge})
    assert [line.amount for line in by_source.data] == [2000]
    assert [line.currency for line in (await lines.list_async({"currency": "eur"})).data] == ["eur"]
    assert (await lines.list_async({"type": "refund"})).data == []
    since = by_source.data[0].created + 1000
    assert (await lines.list_async({"created": {"gte": since}})).data == []


async def test_decline_is_answered_again_under_its_key_and_charges_once(stripe_sandbox):
    params = {"amount": 2000, "currency": "usd", "payment_method": "pm_card_visa_chargeDeclined", "confirm": True}
    params["automatic_payment_methods"] = NEVER
    seen = []
    for _ in range(2):
        with pytest.raises(stripe.CardError) as caught:
            await stripe_sandbox.client.v1.payment_intents.create_async(params, {"idempotency_key": "pay_1:create"})
        seen.append((caught.value.code, caught.value.error.charge, caught.value.error.payment_intent.id))
    assert seen[0] == seen[1]
    assert len((await stripe_sandbox.client.v1.charges.list_async()).data) == 1


async def test_method_used_without_a_customer_cannot_be_used_again(stripe_sandbox):
    paid = await pay(stripe_sandbox)
    assert (await refused(pay(stripe_sandbox, paid.payment_method))).param == "payment_method"


async def test_payment_is_found_by_its_metadata(stripe_sandbox):
    await pay(stripe_sandbox, metadata={"payment_id": "pay_1"})
    mine = await pay(stripe_sandbox, metadata={"payment_id": "pay_2"})
    query = {"query": "metadata['payment_id']:'pay_2'"}
    found = await stripe_sandbox.client.v1.payment_intents.search_async(query)
    assert [each.id for each in found.data] == [mine.id]
    assert [each.id for each in (await stripe_sandbox.client.v1.charges.search_async(query)).data] == [
        mine.latest_charge
    ]


async def test_intent_confirmed_by_hand_waits_for_the_server_after_three_d_secure(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_card_authenticationRequired", confirmation_method="manual")
    await stripe_sandbox.control("three_d_secure", payment_intent=intent.id, outcome="succeed")
    intent = await stripe_sandbox.client.v1.payment_intents.retrieve_async(intent.id)
    assert (intent.status, intent.latest_charge) == ("requires_confirmation", None)
    assert (await stripe_sandbox.client.v1.payment_intents.confirm_async(intent.id)).status == "succeeded"


async def test_control_that_is_not_asked_rightly_is_refused(stripe_sandbox):
    for path in ("three_d_secure", "bank_debit", "dispute", "dispute/close", "checkout", "refund"):
        answer = await stripe_sandbox.http.post(f"{stripe_sandbox.url}/_control/{path}", json={})
        assert answer.status_code == 404, path
