"""Credit notes of invoices that are open and that are paid, every answer and event checked."""

import pytest
import stripe

from tests.sandbox.stripe.billing import Shop


@pytest.fixture
async def shop(stripe_sandbox) -> Shop:
    return await Shop(stripe_sandbox).open()


async def opened(shop: Shop, *, rate: float = 19):
    """Returns a finalized invoice of 1000 and tax, which its customer could pay."""
    tax = await shop.api.tax_rates.create_async({"display_name": "VAT", "percentage": rate, "inclusive": False})
    customer = await shop.customer()
    item = {"customer": customer.id, "amount": 1000, "currency": "usd", "tax_rates": [tax.id]}
    await shop.api.invoice_items.create_async(item)
    include = {"customer": customer.id, "pending_invoice_items_behavior": "include"}
    return await shop.api.invoices.finalize_invoice_async((await shop.api.invoices.create_async(include)).id)


async def test_credit_before_the_payment_reduces_what_is_due_and_can_be_taken_back(shop):
    invoice = await opened(shop)
    half = {"invoice_line_item": invoice.lines.data[0].id, "type": "invoice_line_item", "amount": 500}
    note = await shop.api.credit_notes.create_async({"invoice": invoice.id, "lines": [half]})
    assert (note.type, note.subtotal, note.total, note.total_taxes[0].amount) == ("pre_payment", 500, 595, 95)
    assert note.number == f"{invoice.number}-CN-01"
    left = await shop.api.invoices.retrieve_async(invoice.id)
    assert (left.amount_remaining, left.pre_payment_credit_notes_amount, left.total) == (595, 595, 1190)
    assert (await shop.api.credit_notes.void_credit_note_async(note.id)).status == "void"
    assert (await shop.api.invoices.retrieve_async(invoice.id)).amount_remaining == 1190
    again = await shop.api.credit_notes.create_async({"invoice": invoice.id, "lines": [half]})
    paid = await shop.api.invoices.pay_async(invoice.id)
    assert (paid.status, paid.amount_paid, again.status) == ("paid", 595, "issued")


async def test_credit_of_all_that_is_due_pays_the_invoice(shop):
    invoice = await opened(shop)
    await shop.api.credit_notes.create_async({"invoice": invoice.id, "amount": 1190})
    paid = await shop.api.invoices.retrieve_async(invoice.id, {"expand": ["payments"]})
    assert (paid.status, paid.amount_paid, paid.payments.data[0].status) == ("paid", 0, "canceled")


async def test_credit_after_the_payment_is_refunded_and_credited_and_never_more_than_is_left(shop):
    invoice = await opened(shop)
    await shop.api.invoices.pay_async(invoice.id)
    params = {"invoice": invoice.id, "amount": 1000, "refund_amount": 700, "credit_amount": 300}
    preview = await shop.api.credit_notes.preview_async(params)
    assert (await shop.api.credit_notes.list_async({"invoice": invoice.id})).data == []
    note = await shop.api.credit_notes.create_async({**params, "reason": "order_change"})
    assert (note.type, note.post_payment_amount, preview.total) == ("post_payment", 1000, note.total)
    refund = await shop.api.refunds.retrieve_async(note.refunds[0].refund)
    assert (refund.amount, refund.status) == (700, "succeeded")
    assert (await shop.api.customers.retrieve_async(invoice.customer)).balance == -300
    with pytest.raises(stripe.InvalidRequestError) as refused:
        await shop.api.credit_notes.create_async({"invoice": invoice.id, "amount": 191, "refund_amount": 191})
    assert refused.value.code == "amount_too_large"
    with pytest.raises(stripe.InvalidRequestError, match="has to be just that"):
        await shop.api.credit_notes.create_async({"invoice": invoice.id, "amount": 100, "refund_amount": 50})
    with pytest.raises(stripe.InvalidRequestError, match="can be voided"):
        await shop.api.credit_notes.void_credit_note_async(note.id)
    rest = await shop.api.credit_notes.create_async({"invoice": invoice.id, "amount": 190, "out_of_band_amount": 190})
    whole = await shop.api.invoices.retrieve_async(invoice.id)
    assert (rest.total, whole.post_payment_credit_notes_amount, whole.status) == (190, 1190, "paid")
