"""Escrows that are paid from outside, in time, too late, or with money that the bank takes back."""

import pytest

from tests.e2e.conftest import good
from tests.e2e.payments.paying import Payer, Sandboxes

pytestmark = pytest.mark.e2e


async def test_paypal_payment_funds_an_escrow(payer: Payer, sandboxes: Sandboxes) -> None:
    escrow = await payer.escrow("50.00", "EUR")
    body = {"purpose": "escrow", "escrow_id": escrow["id"], "provider": "paypal"}
    made = good(await payer.caller.post("/payments", body), 201)
    assert (made["amount"], made["currency"]) == ("50.00", "EUR")
    await sandboxes.approve(made["approval_url"])
    await payer.settled(made)
    assert (await payer.escrow_in(escrow, "funded"))["funded_amount"] == "50.00"


async def test_payment_of_an_escrow_that_was_cancelled_can_no_longer_be_paid(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    escrow = await payer.escrow("50.00")
    body = {"purpose": "escrow", "escrow_id": escrow["id"], "provider": "stripe", "hosted": True}
    made = good(await payer.caller.post("/payments", body), 201)
    good(await payer.caller.post(f"/escrows/{escrow['id']}/cancel", {}))
    ended = await payer.settled(made, "cancelled")
    assert (ended["received_amount"], ended["fulfilment"]) == ("0.00", "pending")
    with pytest.raises(AssertionError, match="is expired"):
        await sandboxes.check_out(made["approval_url"])
    assert (await payer.escrow_in(escrow, "cancelled"))["funded_amount"] == "0.00"


async def test_chargeback_of_the_money_in_an_escrow_freezes_it(payer: Payer, sandboxes: Sandboxes) -> None:
    escrow = await payer.escrow("50.00")
    payment = await payer.pay(purpose="escrow", escrow_id=escrow["id"], amount=None, currency=None)
    await payer.escrow_in(escrow, "funded")
    await sandboxes.stripe("dispute", charge=await payer.charge_of(payment))
    await payer.settled(payment, "disputed")
    frozen = await payer.escrow_in(escrow, "disputed")
    assert frozen["released_amount"] == "0.00"
