"""An escrow or an invoice has one payment under way: no card is charged twice for what is paid once."""

import asyncio
from typing import Any

import pytest

from tests.api.conftest import good, new_key, refused
from tests.workflows.shop import Shop

pytestmark = [pytest.mark.timeskip, pytest.mark.db]

CARD = {"provider": "stripe"}


async def invoice_of(shop: Shop, price: str = "10.00") -> dict[str, Any]:
    asked = {
        "organization_id": shop.payer.org_id,
        "currency": "USD",
        "lines": [{"description": "Consulting", "unit_amount": price}],
    }
    made: dict[str, Any] = good(await shop.operator.post("/billing/invoices", asked, key=new_key()), 201)
    return made


async def pay(shop: Shop, invoice: dict[str, Any], body: dict[str, Any]) -> Any:
    return await shop.payer.post(f"/billing/invoices/{invoice['id']}/pay", body, key=new_key())


async def test_second_payment_of_an_escrow_is_refused_until_the_first_is_cancelled(shop: Shop) -> None:
    escrow = await shop.escrow()
    first = good(await shop.fund(escrow, CARD))["payment"]
    named = {"purpose": "escrow", "escrow_id": escrow["id"]}
    for answer in (await shop.fund(escrow, CARD), await shop.payer.post("/payments", named, key=new_key())):
        document = refused(answer, 409, "payment.under_way")
        assert (document["payment_id"], document["state"]) == (first["id"], "requires_action")
        assert "cancel" in document["detail"].lower()
    good(await shop.payer.post(f"/payments/{first['id']}/cancel", {}, key=new_key()))
    second = good(await shop.fund(escrow, {**CARD, "payment_method": "pm_ok"}))
    assert second["status"] == "funded"


async def test_second_payment_of_an_invoice_is_refused_until_the_first_has_failed(shop: Shop) -> None:
    invoice = await invoice_of(shop)
    refused(await pay(shop, invoice, {"payment_method": "pm_declined"}), 402, "payment.declined")
    first = good(await pay(shop, invoice, {}), 201)
    document = refused(await pay(shop, invoice, {"payment_method": "pm_ok"}), 409, "payment.under_way")
    assert document["payment_id"] == first["id"]
    good(await shop.payer.post(f"/payments/{first['id']}/confirm", {"payment_method": "pm_card"}, key=new_key()))
    refused(await pay(shop, invoice, {"payment_method": "pm_ok"}), 409, "invoice.wrong_state")


@pytest.mark.parametrize("what", ["escrow", "invoice"])
async def test_one_of_concurrent_requests_charges_the_card(shop: Shop, what: str) -> None:
    body = {"provider": "stripe", "payment_method": "pm_ok"}
    if what == "escrow":
        escrow = await shop.escrow()
        answers = await asyncio.gather(*(shop.fund(escrow, body) for _ in range(5)))
    else:
        invoice = await invoice_of(shop)
        answers = await asyncio.gather(*(pay(shop, invoice, body) for _ in range(5)))
    payments = good(await shop.payer.get("/billing/payments"))["data"]
    assert [payment["status"] for payment in payments] == ["succeeded"]
    assert sorted(answer.status_code for answer in answers)[1:] == [409] * 4


async def test_rest_of_an_invoice_is_paid_by_a_second_payment(shop: Shop) -> None:
    invoice = await invoice_of(shop)
    first = good(await pay(shop, invoice, {}), 201)
    there = shop.there(first)
    there.authorize()
    await shop.refreshed(first)
    good(await shop.payer.post(f"/payments/{first['id']}/capture", {"amount": "4.00"}, key=new_key()))
    second = good(await pay(shop, invoice, {"payment_method": "pm_ok"}), 201)
    assert (second["amount"], second["status"]) == ("6.00", "succeeded")


async def test_escrow_is_not_funded_from_the_balance_during_a_payment(shop: Shop) -> None:
    escrow = await shop.escrow("50.00")
    bought = await shop.top_up()
    good(await shop.payer.post(f"/payments/{bought['payment_id']}/confirm", {}, key=new_key()))
    first = good(await shop.fund(escrow, CARD))["payment"]
    document = refused(await shop.fund(escrow, {"source": "credits"}), 409, "payment.under_way")
    assert document["payment_id"] == first["id"]
    assert good(await shop.payer.get(f"/escrows/{escrow['id']}"))["status"] == "open"
    tried = good(await shop.payer.get(f"/escrows/{escrow['id']}/actions"))["actions"]
    (shown,) = [each for each in tried if each["action"] == "fund"]
    assert (shown["allowed"], shown["reason"]["code"]) == (False, "payment.under_way")
    good(await shop.payer.post(f"/payments/{first['id']}/cancel", {}, key=new_key()))
    assert good(await shop.fund(escrow, {"source": "credits"}))["status"] == "funded"
