"""Hosted checkout and the pages of the sandbox, as a payer and as a server meet them."""

import re

import pytest

from tests.sandbox.stripe.test_money_payments import happened, pay, refused

LINES = [
    {"price_data": {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "100 credits"}}, "quantity": 2}
]


async def opened(sandbox, **more):
    params = {
        "mode": "payment",
        "line_items": LINES,
        "success_url": "https://example.com/ok?session={CHECKOUT_SESSION_ID}",
        "cancel_url": "https://example.com/back",
        "client_reference_id": "pay_1",
        "metadata": {"payment_id": "pay_1"},
        "payment_intent_data": {"metadata": {"payment_id": "pay_1"}},
        **more,
    }
    return await sandbox.client.v1.checkout.sessions.create_async(params)


async def retrieved(sandbox, session, **more):
    return await sandbox.client.v1.checkout.sessions.retrieve_async(session.id, more)


async def post(sandbox, url, **form):
    return await sandbox.http.post(url, data=form)


async def test_open_session_has_a_page_and_no_intent_yet(stripe_sandbox):
    session = await opened(stripe_sandbox, expand=["line_items"])
    assert (session.status, session.payment_status, session.payment_intent) == ("open", "unpaid", None)
    assert (session.amount_total, session.currency, session.url) == (
        2000,
        "usd",
        f"{stripe_sandbox.url}/pay/{session.id}",
    )
    assert [(line.amount_total, line.quantity, line.description) for line in session.line_items.data] == [
        (2000, 2, "100 credits")
    ]
    listed = await stripe_sandbox.client.v1.checkout.sessions.line_items.list_async(session.id)
    assert [line.id for line in listed.data] == [line.id for line in session.line_items.data]


async def test_session_that_is_paid_is_complete_and_found_by_its_intent(stripe_sandbox):
    session = await opened(stripe_sandbox)
    await stripe_sandbox.control("checkout", session=session.id, payment_method="pm_card_visa")
    session = await retrieved(stripe_sandbox, session, expand=["payment_intent"])
    assert (session.status, session.payment_status, session.url) == ("complete", "paid", None)
    assert (session.payment_intent.status, session.payment_intent.metadata["payment_id"]) == ("succeeded", "pay_1")
    found = await stripe_sandbox.client.v1.checkout.sessions.list_async({"payment_intent": session.payment_intent.id})
    assert [each.id for each in found.data] == [session.id]
    assert set(await happened(stripe_sandbox)) >= {"checkout.session.completed", "payment_intent.succeeded"}


async def test_declined_payer_can_try_another_card_in_the_same_session(stripe_sandbox):
    session = await opened(stripe_sandbox)
    answer = await stripe_sandbox.control("checkout", session=session.id, card="4000 0000 0000 9995")
    assert (answer["session"]["status"], answer["error"]["decline_code"]) == ("open", "insufficient_funds")
    first = answer["session"]["payment_intent"]
    answer = await stripe_sandbox.control("checkout", session=session.id, card="4242424242424242")
    assert (answer["session"]["payment_status"], answer["session"]["payment_intent"]) == ("paid", first)


@pytest.mark.parametrize(("outcome", "status"), [("succeed", "paid"), ("fail", "unpaid")])
async def test_three_d_secure_of_a_session_decides_whether_it_is_paid(stripe_sandbox, outcome, status):
    session = await opened(stripe_sandbox)
    answer = await stripe_sandbox.control("checkout", session=session.id, card="4000002500003155", outcome=outcome)
    assert answer["session"]["payment_status"] == status


@pytest.mark.parametrize(
    ("outcome", "status", "event"),
    [
        ("settle", "paid", "checkout.session.async_payment_succeeded"),
        ("fail", "unpaid", "checkout.session.async_payment_failed"),
    ],
)
async def test_pitfall_21_session_paid_by_bank_debit_is_complete_and_unpaid_until_the_money_comes(
    stripe_sandbox, outcome, status, event
):
    session = await opened(stripe_sandbox)
    await stripe_sandbox.control("checkout", session=session.id, payment_method="pm_usBankAccount_success")
    session = await retrieved(stripe_sandbox, session)
    assert (session.status, session.payment_status) == ("complete", "unpaid")
    await stripe_sandbox.control("bank_debit", payment_intent=session.payment_intent, outcome=outcome)
    assert (await retrieved(stripe_sandbox, session)).payment_status == status
    assert event in await happened(stripe_sandbox)


async def test_session_expires_on_the_clock_and_by_hand(stripe_sandbox):
    first, second = await opened(stripe_sandbox), await opened(stripe_sandbox)
    await stripe_sandbox.control("checkout", session=first.id, card="4000000000000002")
    expired = await stripe_sandbox.client.v1.checkout.sessions.expire_async(second.id)
    assert expired.status == "expired"
    await refused(stripe_sandbox.client.v1.checkout.sessions.expire_async(second.id))
    await stripe_sandbox.control("clock", advance=86_400)
    first = await retrieved(stripe_sandbox, first, expand=["payment_intent"])
    assert (first.status, first.payment_intent.status) == ("expired", "canceled")
    assert (await happened(stripe_sandbox)).count("checkout.session.expired") == 2
    answer = await stripe_sandbox.http.post(f"{stripe_sandbox.url}/_control/checkout", json={"session": first.id})
    assert answer.status_code == 400


@pytest.mark.parametrize(
    ("wrong", "param"),
    [
        ({"line_items": []}, "line_items"),
        ({"line_items": [{"price": "price_unknown"}]}, "line_items[0][price]"),
        ({"expires_at": 1}, "expires_at"),
        ({"mode": "subscription"}, "line_items"),
        ({"customer": "cus_unknown"}, "customer"),
    ],
)
async def test_session_that_could_not_be_paid_is_refused(stripe_sandbox, wrong, param):
    assert (await refused(opened(stripe_sandbox, **wrong))).param == param


async def test_session_below_the_least_amount_is_refused(stripe_sandbox):
    cheap = [{"price_data": {"currency": "usd", "unit_amount": 10, "product_data": {"name": "x"}}, "quantity": 1}]
    assert (await refused(opened(stripe_sandbox, line_items=cheap))).code == "amount_too_small"


async def test_session_of_nothing_needs_no_payment(stripe_sandbox):
    free = [{"price_data": {"currency": "usd", "unit_amount": 0, "product_data": {"name": "x"}}, "quantity": 1}]
    session = await opened(stripe_sandbox, line_items=free)
    answer = await stripe_sandbox.control("checkout", session=session.id)
    assert (answer["session"]["status"], answer["session"]["payment_status"]) == ("complete", "no_payment_required")


async def test_fractions_of_a_cent_are_rounded_once_for_the_line(stripe_sandbox):
    line = {
        "price_data": {"currency": "usd", "unit_amount_decimal": "0.5", "product_data": {"name": "x"}},
        "quantity": 101,
    }
    assert (await opened(stripe_sandbox, line_items=[line])).amount_total == 51


async def test_payer_pays_on_the_page_and_is_led_back(stripe_sandbox):
    session = await opened(stripe_sandbox, customer_email="ann@example.com")
    page = (await stripe_sandbox.http.get(session.url)).text
    assert "20.00 USD" in page
    assert "100 credits" in page
    assert not re.search(r"(src|href)=.?https?://(?!example\.com)", page)
    declined = await post(stripe_sandbox, session.url, number="4000 0000 0000 0002", expiry="12/34", cvc="123")
    assert (declined.status_code, "declined" in declined.text) == (402, True)
    paid = await post(stripe_sandbox, session.url, number="4242 4242 4242 4242", expiry="11/33", cvc="123")
    assert (paid.status_code, paid.headers["location"]) == (303, f"https://example.com/ok?session={session.id}")
    again = await post(stripe_sandbox, session.url, number="4242 4242 4242 4242", expiry="11/33", cvc="123")
    assert again.status_code == 303
    charges = (await stripe_sandbox.client.v1.charges.list_async()).data
    assert [charge.status for charge in charges] == ["succeeded", "failed"]
    assert charges[0].payment_method_details.card.exp_year == 2033


async def test_payer_authenticates_on_the_page_of_the_bank(stripe_sandbox):
    session = await opened(stripe_sandbox)
    sent = await post(stripe_sandbox, session.url, number="4000 0025 0000 3155", expiry="12/34", cvc="123")
    bank = stripe_sandbox.url + sent.headers["location"]
    assert "20.00 USD" in (await stripe_sandbox.http.get(bank)).text
    failed = await post(stripe_sandbox, bank, outcome="fail")
    assert failed.headers["location"].startswith(session.url)
    assert "redirect_status=failed" in failed.headers["location"]
    back = await stripe_sandbox.http.get(failed.headers["location"])
    assert "could not be authenticated" in back.text
    assert (await stripe_sandbox.http.get(bank)).status_code == 404
    await post(stripe_sandbox, session.url, number="4000 0025 0000 3155", expiry="12/34", cvc="123")
    await post(stripe_sandbox, bank, outcome="succeed")
    assert (await retrieved(stripe_sandbox, session)).payment_status == "paid"


async def test_what_a_caller_names_is_text_on_the_page(stripe_sandbox):
    name = "<script>alert(1)</script>"
    line = {"price_data": {"currency": "usd", "unit_amount": 1000, "product_data": {"name": name}}, "quantity": 1}
    session = await opened(stripe_sandbox, line_items=[line], customer_email="'><script>x</script>@example.com")
    assert "<script>" not in (await stripe_sandbox.http.get(session.url)).text


async def test_portal_shows_what_a_customer_pays_with(stripe_sandbox):
    customer = await stripe_sandbox.client.v1.customers.create_async({"email": "ann@example.com"})
    await pay(stripe_sandbox, "pm_card_mastercard", customer=customer.id, setup_future_usage="off_session")
    portal = await stripe_sandbox.client.v1.billing_portal.sessions.create_async(
        {"customer": customer.id, "return_url": "https://example.com/account", "expand": ["configuration"]}
    )
    assert portal.configuration.is_default
    page = (await stripe_sandbox.http.get(portal.url)).text
    assert all(text in page for text in ("ann@example.com", "mastercard •••• 4444", "https://example.com/account"))
    assert (await stripe_sandbox.http.get(f"{stripe_sandbox.url}/portal/bps_unknown")).status_code == 404


@pytest.mark.parametrize(
    ("card", "outcome", "done"), [("4242424242424242", "", True), ("4000002500003155", "fail", False)]
)
async def test_session_of_mode_setup_stores_a_method_of_the_customer(stripe_sandbox, card, outcome, done):
    customer = await stripe_sandbox.client.v1.customers.create_async({})
    session = await stripe_sandbox.client.v1.checkout.sessions.create_async(
        {"mode": "setup", "customer": customer.id, "currency": "usd", "success_url": "https://example.com/ok"}
    )
    assert (session.payment_status, session.amount_total) == ("no_payment_required", None)
    answer = await stripe_sandbox.control("checkout", session=session.id, card=card, outcome=outcome)
    assert (answer["session"]["status"], answer["error"] is None) == ("complete" if done else "open", done)
    methods = await stripe_sandbox.client.v1.payment_methods.list_async({"customer": customer.id})
    assert [each.card.last4 for each in methods.data] == (["4242"] if done else [])


async def test_method_is_stored_on_the_page_after_the_bank_has_agreed(stripe_sandbox):
    customer = await stripe_sandbox.client.v1.customers.create_async({})
    session = await stripe_sandbox.client.v1.checkout.sessions.create_async(
        {"mode": "setup", "customer": customer.id, "currency": "usd", "success_url": "https://example.com/ok"}
    )
    sent = await post(stripe_sandbox, session.url, number="4000 0025 0000 3155", expiry="12/34", cvc="123")
    back = await post(stripe_sandbox, stripe_sandbox.url + sent.headers["location"], outcome="succeed")
    done = await stripe_sandbox.http.get(back.headers["location"])
    assert (done.status_code, done.headers["location"]) == (303, "https://example.com/ok")


async def test_session_sells_what_has_a_price(stripe_sandbox):
    price = await stripe_sandbox.client.v1.prices.create_async(
        {"currency": "usd", "unit_amount": 700, "product_data": {"name": "Credits"}}
    )
    session = await opened(stripe_sandbox, line_items=[{"price": price.id, "quantity": 3}])
    assert session.amount_total == 2100


async def test_customer_is_made_when_the_session_shall_make_one(stripe_sandbox):
    session = await opened(stripe_sandbox, customer_creation="always", customer_email="ann@example.com")
    answer = await stripe_sandbox.control("checkout", session=session.id)
    customer = await stripe_sandbox.client.v1.customers.retrieve_async(answer["session"]["customer"])
    assert customer.email == "ann@example.com"
