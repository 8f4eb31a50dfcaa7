"""Refunds and disputes, and what they do to the balance."""

import pytest

from tests.sandbox.stripe.test_money_payments import happened, pay, refused

DAY = 86_400


async def net_by_currency(sandbox):
    balance = await sandbox.client.v1.balance.retrieve_async()
    return {
        each.currency: each.amount + other.amount
        for each, other in zip(balance.available, balance.pending, strict=True)
    }


async def lines_of(sandbox, source):
    lines = await sandbox.client.v1.balance_transactions.list_async({"source": source})
    return [(line.type, line.reporting_category, line.amount, line.fee) for line in reversed(lines.data)]


async def test_pitfall_26_refund_without_an_amount_gives_back_only_the_remainder(stripe_sandbox):
    refunds = stripe_sandbox.client.v1.refunds
    intent = await pay(stripe_sandbox)
    await refunds.create_async({"payment_intent": intent.id, "amount": 500, "metadata": {"refund_id": "r1"}})
    rest = await refunds.create_async({"charge": intent.latest_charge, "reason": "requested_by_customer"})
    assert (rest.amount, rest.status, rest.reason) == (1500, "succeeded", "requested_by_customer")
    charge = await stripe_sandbox.client.v1.charges.retrieve_async(intent.latest_charge)
    assert (charge.amount_refunded, charge.refunded) == (2000, True)
    again = await refused(refunds.create_async({"payment_intent": intent.id}))
    assert again.code == "charge_already_refunded"
    assert await net_by_currency(stripe_sandbox) == {"usd": -88}
    assert (await happened(stripe_sandbox))[-4:] == [
        "refund.created",
        "charge.refunded",
        "refund.created",
        "charge.refunded",
    ]


async def test_refund_of_more_than_is_left_is_refused(stripe_sandbox):
    intent = await pay(stripe_sandbox)
    await stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 1999})
    error = await refused(stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 2}))
    assert error.param == "amount"
    for amount in (0, -5):
        params = {"payment_intent": intent.id, "amount": amount}
        assert (await refused(stripe_sandbox.client.v1.refunds.create_async(params))).param == "amount"


async def test_payment_without_money_cannot_be_refunded(stripe_sandbox):
    held = await pay(stripe_sandbox, capture_method="manual")
    open_ = await stripe_sandbox.client.v1.payment_intents.create_async({"amount": 100, "currency": "usd"})
    debit = await pay(stripe_sandbox, "pm_usBankAccount_success")
    for intent in (held, open_, debit):
        await refused(stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id}))
    assert (await stripe_sandbox.client.v1.refunds.list_async()).data == []


async def test_pending_refund_succeeds_later_and_has_taken_the_money_at_once(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_card_pendingRefund")
    refund = await stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    assert await lines_of(stripe_sandbox, refund.id) == [("refund", "refund", -2000, 0)]
    await refused(stripe_sandbox.client.v1.refunds.cancel_async(refund.id))
    await stripe_sandbox.control("clock", advance=DAY)
    assert (await stripe_sandbox.client.v1.refunds.retrieve_async(refund.id)).status == "succeeded"
    assert (await happened(stripe_sandbox))[-2:] == ["refund.updated", "charge.refund.updated"]


async def test_refund_that_fails_late_brings_the_money_back_and_can_be_made_anew(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_card_refundFail")
    refund = await stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 700})
    assert refund.status == "succeeded"
    await stripe_sandbox.control("clock", advance=DAY)
    refund = await stripe_sandbox.client.v1.refunds.retrieve_async(
        refund.id, {"expand": ["failure_balance_transaction", "charge"]}
    )
    assert (refund.status, refund.failure_reason) == ("failed", "lost_or_stolen_card")
    assert (refund.failure_balance_transaction.type, refund.failure_balance_transaction.amount) == (
        "refund_failure",
        700,
    )
    assert (refund.charge.amount_refunded, refund.charge.refunded) == (0, False)
    assert await lines_of(stripe_sandbox, refund.id) == [
        ("refund", "refund", -700, 0),
        ("refund_failure", "refund_failure", 700, 0),
    ]
    assert (await happened(stripe_sandbox))[-3:] == ["refund.updated", "charge.refund.updated", "refund.failed"]
    anew = await stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id})
    assert anew.amount == 2000


async def test_control_ends_a_refund_either_way(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_card_pendingRefund")
    first = await stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 100})
    second = await stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 200})
    assert (await stripe_sandbox.control("refund", refund=first.id, outcome="fail"))["status"] == "failed"
    assert (await stripe_sandbox.control("refund", refund=second.id, outcome="succeed"))["status"] == "succeeded"
    await stripe_sandbox.control("clock", advance=DAY)
    charge = await stripe_sandbox.client.v1.charges.retrieve_async(intent.latest_charge, {"expand": ["refunds"]})
    assert charge.amount_refunded == 200
    assert [each.status for each in charge.refunds.data] == ["succeeded", "failed"]


async def test_refund_of_a_bank_debit_is_a_payment_refund(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_usBankAccount_success")
    await stripe_sandbox.control("bank_debit", payment_intent=intent.id, outcome="settle")
    refund = await stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id})
    assert refund.status == "pending"
    assert await lines_of(stripe_sandbox, refund.id) == [("payment_refund", "refund", -2000, 0)]


async def test_disputed_charge_loses_the_money_and_a_fee(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_card_createDispute")
    await stripe_sandbox.control("clock", advance=0)
    disputes = (await stripe_sandbox.client.v1.disputes.list_async({"payment_intent": intent.id})).data
    assert [(each.status, each.reason, each.amount) for each in disputes] == [("needs_response", "fraudulent", 2000)]
    assert await lines_of(stripe_sandbox, disputes[0].id) == [("adjustment", "dispute", -2000, 1500)]
    assert (await stripe_sandbox.client.v1.charges.retrieve_async(intent.latest_charge)).disputed
    error = await refused(stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id}))
    assert error.code == "charge_disputed"
    assert (await happened(stripe_sandbox))[-2:] == ["charge.dispute.created", "charge.dispute.funds_withdrawn"]
    assert await net_by_currency(stripe_sandbox) == {"usd": 1912 - 2000 - 1500}


@pytest.mark.parametrize(
    ("text", "status", "net"), [("winning_evidence", "won", 412), ("losing_evidence", "lost", -1588)]
)
async def test_evidence_decides_the_dispute(stripe_sandbox, text, status, net):
    intent = await pay(stripe_sandbox)
    dispute = await stripe_sandbox.control("dispute", payment_intent=intent.id, reason="product_not_received")
    disputes = stripe_sandbox.client.v1.disputes
    draft = await disputes.update_async(dispute["id"], {"evidence": {"customer_name": "Ann"}, "submit": False})
    assert (draft.status, draft.evidence_details.submission_count) == ("needs_response", 0)
    sent = await disputes.update_async(dispute["id"], {"evidence": {"uncategorized_text": text}})
    assert (sent.status, sent.evidence.customer_name, sent.evidence_details.has_evidence) == (
        "under_review",
        "Ann",
        True,
    )
    await stripe_sandbox.control("clock", advance=0)
    ended = await disputes.retrieve_async(dispute["id"])
    assert ended.status == status
    assert sum(line.net for line in ended.balance_transactions) == net - 1912
    assert await net_by_currency(stripe_sandbox) == {"usd": net}
    last = "charge.dispute.funds_reinstated" if status == "won" else "charge.dispute.closed"
    assert (await happened(stripe_sandbox))[-1] == last
    assert (await refused(disputes.close_async(dispute["id"]))).http_status == 400


async def test_dispute_after_a_partial_refund_takes_what_is_left(stripe_sandbox):
    intent = await pay(stripe_sandbox)
    await stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id, "amount": 1500})
    dispute = await stripe_sandbox.control("dispute", charge=intent.latest_charge)
    assert dispute["amount"] == 500


async def test_inquiry_takes_nothing_until_it_escalates(stripe_sandbox):
    intent = await pay(stripe_sandbox, "pm_card_createDisputeInquiry")
    await stripe_sandbox.control("clock", advance=0)
    disputes = stripe_sandbox.client.v1.disputes
    inquiry = (await disputes.list_async({"charge": intent.latest_charge})).data[0]
    assert (inquiry.status, inquiry.balance_transactions, inquiry.is_charge_refundable) == (
        "warning_needs_response",
        [],
        True,
    )
    await disputes.update_async(inquiry.id, {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}})
    await stripe_sandbox.control("clock", advance=0)
    escalated = await disputes.retrieve_async(inquiry.id)
    assert (escalated.status, len(escalated.balance_transactions)) == ("needs_response", 1)
    closed = await disputes.close_async(inquiry.id)
    assert closed.status == "lost"


async def test_inquiry_ends_when_all_was_given_back(stripe_sandbox):
    intent = await pay(stripe_sandbox)
    inquiry = await stripe_sandbox.control("dispute", payment_intent=intent.id, inquiry=True)
    await stripe_sandbox.client.v1.refunds.create_async({"payment_intent": intent.id})
    ended = await stripe_sandbox.client.v1.disputes.retrieve_async(inquiry["id"])
    assert (ended.status, ended.balance_transactions) == ("warning_closed", [])


async def test_dispute_that_nobody_answers_is_lost(stripe_sandbox):
    intent = await pay(stripe_sandbox)
    dispute = await stripe_sandbox.control("dispute", payment_intent=intent.id)
    await stripe_sandbox.control("clock", advance=9 * DAY)
    ended = await stripe_sandbox.client.v1.disputes.retrieve_async(dispute["id"])
    assert (ended.status, ended.evidence_details.past_due) == ("lost", True)


async def test_control_closes_a_dispute(stripe_sandbox):
    intent = await pay(stripe_sandbox)
    dispute = await stripe_sandbox.control("dispute", payment_intent=intent.id)
    closed = await stripe_sandbox.control("dispute/close", dispute=dispute["id"], outcome="won")
    assert closed["status"] == "won"
    assert await lines_of(stripe_sandbox, dispute["id"]) == [
        ("adjustment", "dispute", -2000, 1500),
        ("adjustment", "dispute_reversal", 2000, 0),
    ]
