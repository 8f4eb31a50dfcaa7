"""Money that goes back, because somebody asks for it or because a bank takes it, on the running stack."""

from typing import Any

import pytest

from tests.e2e.conftest import good, refused
from tests.e2e.payments.paying import CARD, Json, Payer, Sandboxes, until

pytestmark = pytest.mark.e2e


async def refund_in(payer: Payer, payment: Json, status: str) -> Json:
    async def look() -> Any:
        return good(await payer.caller.get(f"/payments/{payment['id']}/refunds"))["data"][0]

    reached: Json = await until(look, lambda refund: refund["status"] == status)
    return reached


async def test_refund_that_stays_pending_is_settled_when_the_provider_says_so(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    payment = await payer.pay(payment_method="pm_card_pendingRefund")
    assert good(await payer.refund(payment), 201)["status"] == "pending"
    assert await payer.balance() == ("0.00", "0.00")
    [pending] = await sandboxes.at_stripe("refunds", charge=await payer.charge_of(payment))
    await sandboxes.stripe("refund", refund=pending["id"], outcome="succeed")
    await refund_in(payer, payment, "succeeded")
    assert (await payer.look(payment))["status"] == "refunded"


async def test_paypal_refunds_a_part_and_then_the_rest(payer: Payer, sandboxes: Sandboxes) -> None:
    made = await payer.top_up("100.00", provider="paypal")
    await sandboxes.approve(made["approval_url"])
    payment = await payer.settled(made)
    good(await payer.refund(payment, "4.00"), 201)
    await payer.settled(payment, "partially_refunded")
    good(await payer.world.operator.post(f"/payments/{payment['id']}/refunds", {}), 201)
    await payer.settled(payment, "refunded")
    assert await payer.balance() == ("0.00", "0.00")


async def disputed(payer: Payer, sandboxes: Sandboxes, payment: Json) -> tuple[Json, str]:
    """Dispute a payment at the bank; return it afterwards, and the dispute's id at Stripe."""
    opened = await sandboxes.stripe("dispute", charge=await payer.charge_of(payment))
    await payer.settled(payment, "disputed")
    [dispute] = good(await payer.caller.get("/disputes"))["data"]
    return dispute, str(opened["id"])


async def test_chargeback_holds_the_credits_and_a_win_gives_them_back(payer: Payer, sandboxes: Sandboxes) -> None:
    payment = await payer.pay()
    dispute, at_stripe = await disputed(payer, sandboxes, payment)
    assert (dispute["taken"]["amount"], dispute["owed"]["amount"]) == ("100.00", "0.00")
    assert await payer.balance() == ("0.00", "0.00")
    path = f"/disputes/{dispute['id']}/evidence"
    offered = good(await payer.caller.post(path, {"text": "The credits were used by the cardholder."}))
    assert offered["evidence_submitted_at"] is None
    answered = good(await payer.world.operator.post(path, {"text": offered["offered_evidence"]}))
    assert answered["evidence_submitted_at"] is not None
    await sandboxes.stripe("dispute/close", dispute=at_stripe, outcome="won")
    await payer.settled(payment)
    assert await payer.balance() == ("100.00", "0.00")
    refused(await payer.caller.post(path, {"text": "More."}), 409, "payment.evidence_closed")


async def test_pitfall_29_chargeback_for_spent_credits_is_owed_and_owner_and_operator_are_alerted(
    payer: Payer, sandboxes: Sandboxes
) -> None:
    payment = await payer.pay()
    await payer.spend("70.00")
    dispute, at_stripe = await disputed(payer, sandboxes, payment)
    assert (dispute["taken"]["amount"], dispute["owed"]["amount"]) == ("100.00", "70.00")
    await sandboxes.stripe("dispute/close", dispute=at_stripe, outcome="lost")
    lost = await payer.settled(payment, "charged_back")
    assert lost["owed"] == {"amount": "70.00", "currency": "CREDIT"}
    assert await payer.balance() == ("0.00", "70.00")
    alerts = good(await payer.world.operator.get("/alerts?limit=100"))["data"]
    told = {one["kind"] for one in alerts if one["subject"] == payment["id"]}
    assert told == {"payment.debt", "payment.dispute_opened", "payment.dispute_lost"}
    trail = good(await payer.caller.get(f"/audit?target={payment['id']}&action=payment.debt"))["data"]
    assert [entry["details"]["amount"] for entry in trail] == ["70.00"]
    await payer.top_up("100.00", **CARD)
    assert await payer.balance() == ("30.00", "0.00"), "the next money pays the debt first"
