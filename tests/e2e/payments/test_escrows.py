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
