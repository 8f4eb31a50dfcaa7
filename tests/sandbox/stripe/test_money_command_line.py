"""Requests of Stripe's CLI, which names no version and pays sessions through the hosted pages' paths."""

from tests.sandbox.stripe.test_money_payments import happened


async def versionless(sandbox, method, path, form=None):
    return await sandbox.raw(method, path, form, Stripe_Version="")


async def test_intent_of_a_caller_without_a_version_takes_cards_by_default(stripe_sandbox):
    for more in ({}, {"payment_method_types[]": "card"}):
        form = {"amount": "2000", "currency": "usd", "payment_method": "pm_card_visa", "confirm": "true", **more}
        answer = await versionless(stripe_sandbox, "POST", "/v1/payment_intents", form)
        assert (answer.status_code, answer.json()["payment_method_types"]) == (200, ["card"])
    dated = await stripe_sandbox.raw("POST", "/v1/payment_intents", form)
    assert dated.json()["error"]["param"] == "payment_method_types"


async def test_session_is_paid_through_the_paths_of_the_payment_pages(stripe_sandbox):
    form = {
        "mode": "payment",
        "success_url": "https://example.com",
        "line_items[0][price_data][currency]": "eur",
        "line_items[0][price_data][unit_amount]": "1500",
        "line_items[0][price_data][product_data][name]": "x",
        "line_items[0][quantity]": "2",
        "payment_method_types[]": "sepa_debit",
    }
    session = (await versionless(stripe_sandbox, "POST", "/v1/checkout/sessions", form)).json()
    page = f"/v1/payment_pages/{session['id']}"
    assert (await versionless(stripe_sandbox, "GET", page)).json()["amount_total"] == 3000
    paid = await versionless(stripe_sandbox, "POST", f"{page}/confirm", {"payment_method": "pm_failed_it"})
    assert (paid.json()["status"], paid.json()["payment_status"]) == ("complete", "unpaid")
    await stripe_sandbox.control("clock", advance=4 * 86_400)
    assert "checkout.session.async_payment_failed" in await happened(stripe_sandbox)
    again = await versionless(stripe_sandbox, "POST", f"{page}/confirm", {"payment_method": "pm_card_visa"})
    assert again.status_code == 400


async def test_transfer_in_japan_is_asked_for_under_its_former_name(stripe_sandbox):
    customer = (await versionless(stripe_sandbox, "POST", "/v1/customers", {"description": "x"})).json()["id"]
    options = "payment_method_options[customer_balance]"
    form = {
        "amount": "20000",
        "currency": "jpy",
        "customer": customer,
        "payment_method_types[]": "customer_balance",
        "payment_method_data[type]": "customer_balance",
        f"{options}[funding_type]": "bank_transfer",
        f"{options}[bank_transfer][type]": "jp_bank_account",
        "confirm": "true",
    }
    intent = (await versionless(stripe_sandbox, "POST", "/v1/payment_intents", form)).json()
    assert intent["next_action"]["display_bank_transfer_instructions"]["type"] == "jp_bank_transfer"
    helper = f"/v1/test_helpers/customers/{customer}/fund_cash_balance"
    await versionless(stripe_sandbox, "POST", helper, {"amount": "10000", "currency": "jpy"})
    assert "payment_intent.partially_funded" in await happened(stripe_sandbox)
