"""Invoices, issued and paid over HTTP on the running stack."""

from decimal import Decimal

import pytest

from tests.e2e.conftest import good, new_key, refused
from tests.e2e.payments.paying import CARD, Json, Payer, Sandboxes, until

pytestmark = pytest.mark.e2e

PATH = "/billing/invoices"


async def issued(payer: Payer, amount: str = "10.00", currency: str = "USD") -> Json:
    body = {"currency": currency, "lines": [{"description": "Support", "unit_amount": amount}]}
    return good(await payer.world.operator.post(PATH, {"organization_id": payer.org_id, **body}), 201)


async def pay(payer: Payer, invoice: Json, **means: object) -> Json:
    return good(await payer.caller.post(f"{PATH}/{invoice['id']}/pay", {**CARD, **means}), 201)


async def seen(payer: Payer, invoice: Json) -> Json:
    return good(await payer.caller.get(f"{PATH}/{invoice['id']}"))


async def stands(payer: Payer, invoice: Json, status: str, due: str) -> Json:
    """Wait until the invoice has this state, and check what is due then."""
    found: Json = await until(lambda: seen(payer, invoice), lambda shown: shown["status"] == status)
    assert Decimal(found["due"]) == Decimal(due)
    return found


async def cash(payer: Payer, currency: str = "USD") -> str:
    return str(good(await payer.caller.get(f"/billing/balance?currency={currency}"))["available"])


async def test_invoice_is_paid_by_card_and_due_again_after_an_operator_gave_it_back(payer: Payer) -> None:
    invoice, key = await issued(payer), new_key()
    answers = [await payer.caller.post(f"{PATH}/{invoice['id']}/pay", CARD, key=key) for _ in range(2)]
    made = good(answers[0], 201)
    assert good(answers[1], 201) == made
    assert (made["status"], made["purpose"], made["invoice_id"]) == ("succeeded", "invoice", invoice["id"])
    assert (made["amount"], made["description"], made["fulfilment"]) == (
        "10.00",
        f"Invoice {invoice['number']}",
        "done",
    )
    shown = await stands(payer, invoice, "paid", "0")
    assert shown["payments"] == [{"payment_id": made["id"], "amount": "10.00"}]
    answer = await payer.caller.post(f"{PATH}/{invoice['id']}/pay", CARD)
    assert refused(answer, 409, "invoice.wrong_state")["state"] == "paid"

    refused(await payer.refund(made), 403, "auth.forbidden")
    refunds = f"/payments/{made['id']}/refunds"
    good(await payer.world.operator.post(refunds, {"amount": "4.00"}), 201)
    await stands(payer, invoice, "open", "4.00")
    again = await pay(payer, invoice)
    assert again["amount"] == "4.00"
    shown = await stands(payer, invoice, "paid", "0")
    assert [each["amount"] for each in shown["payments"]] == ["6.00", "4.00"]
    assert await cash(payer) == "0.00"


async def test_invoice_is_paid_by_paypal_once_it_has_the_money(payer: Payer, sandboxes: Sandboxes) -> None:
    invoice = await issued(payer)
    made = await pay(payer, invoice, provider="paypal", payment_method=None)
    await stands(payer, invoice, "open", "10.00")
    await sandboxes.approve(made["approval_url"])
    await stands(payer, invoice, "paid", "0")
    assert (await payer.look(made))["fulfilment"] == "done"


async def test_invoice_in_a_coin_is_paid_in_that_coin_and_the_rest_is_on_the_balance(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    invoice = await issued(payer, "12", "USDC")
    made = await pay(payer, invoice, provider="crypto", payment_method=None)
    assert (made["amount"], made["currency"], made["quote"]) == ("12.00", "USDC", None)
    await sandboxes.send(made["deposit"], "15.00")
    await stands(payer, invoice, "paid", "0")
    assert await cash(payer, "USDC") == "3.00"
