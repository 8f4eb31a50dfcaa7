"""Disputes: charges that the payer's bank takes back or asks about, and how they are answered and end.

Facts from docs.stripe.com/disputes and docs.stripe.com/testing. A dispute takes what is left of the charge and a fee
out of the balance; an inquiry takes nothing. One that is won brings the amount back; the fee stays.
"""

from typing import Any

from dev.sandbox.stripe import lists, money
from dev.sandbox.stripe.core import Context, Refusal, control, operation, task
from dev.sandbox.stripe.errors import invalid, missing
from dev.sandbox.stripe.operations import charges, payment_intents
from dev.sandbox.stripe.parameters import merge

JSON = dict[str, Any]

RESPONSE_SECONDS = 9 * 86_400
OPEN = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")
ANSWERABLE = ("needs_response", "warning_needs_response")
NETWORK_REASONS = {"fraudulent": "10.4", "product_not_received": "13.1", "duplicate": "12.6", "general": "13.7"}
TEXTS = (
    "access_activity_log billing_address cancellation_policy cancellation_policy_disclosure cancellation_rebuttal "
    "customer_communication customer_email_address customer_name customer_purchase_ip customer_signature "
    "duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id product_description receipt "
    "refund_policy refund_policy_disclosure refund_refusal_explanation service_date service_documentation "
    "shipping_address shipping_carrier shipping_date shipping_documentation shipping_tracking_number "
    "uncategorized_file uncategorized_text"
)


def get(ctx: Context, id: str) -> JSON:
    """Return a dispute, or refuse."""
    dispute: JSON | None = ctx.store.get("dispute", id)
    if dispute is None:
        raise missing("dispute", id, param="dispute")
    return dispute


def open_dispute(ctx: Context, charge: JSON, reason: str, *, inquiry: bool) -> JSON:
    """Create a dispute, or an inquiry, of the unrefunded part of a charge."""
    amount = charge["amount"] - charge["amount_refunded"]
    if not charge["captured"] or amount == 0 or ctx.store.query("dispute", charge=charge["id"]):
        raise invalid(f"Charge {charge['id']} cannot be disputed.", param="charge")
    method = charge["payment_method_details"]
    network = NETWORK_REASONS.get(reason, "13.7")
    brand = (method.get("card") or {}).get("brand")
    dispute: JSON = {
        "id": ctx.new_id("du"),
        "object": "dispute",
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": ctx.now(),
        "currency": charge["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(TEXTS.split()) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": ctx.now() + RESPONSE_SECONDS,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
            "submission_method": "not_submitted",
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "network_reason_code": network if brand else None,
        "payment_intent": charge["payment_intent"],
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    if brand:
        case = "inquiry" if inquiry else "chargeback"
        card = {"brand": brand, "case_type": case, "network": brand, "network_reason_code": network}
        dispute["payment_method_details"] = {"type": "card", "card": card}
    charge["disputed"] = True
    ctx.store.put(charge)
    if not inquiry:
        _withdraw(ctx, dispute)
    ctx.store.put(dispute)
    ctx.emit("charge.dispute.created", dispute)
    if not inquiry:
        ctx.emit("charge.dispute.funds_withdrawn", dispute)
    ctx.after(RESPONSE_SECONDS, "dispute.past_due", {"dispute": dispute["id"]})
    return dispute


def close(ctx: Context, dispute: JSON, *, won: bool) -> None:
    """End a dispute that is open; what was withdrawn comes back when it is won."""
    if dispute["status"] not in OPEN:
        raise Refusal(400, "invalid_request_error", f"Dispute {dispute['id']} has ended: it is {dispute['status']}.")
    is_inquiry = dispute["status"].startswith("warning_")
    dispute["status"] = "warning_closed" if is_inquiry else "won" if won else "lost"
    if won and not is_inquiry:
        _reinstate(ctx, dispute)
    ctx.store.put(dispute)
    ctx.emit("charge.dispute.closed", dispute)
    if won and not is_inquiry:
        ctx.emit("charge.dispute.funds_reinstated", dispute)


def close_inquiries(ctx: Context, charge: JSON) -> None:
    """Close what a bank has asked about a charge, because all of it was given back."""
    for dispute in ctx.store.query("dispute", charge=charge["id"]):
        if dispute["status"] in ("warning_needs_response", "warning_under_review"):
            close(ctx, dispute, won=True)


@operation("get", "/v1/disputes/{dispute}")
async def retrieve(ctx: Context, _: JSON, dispute: str) -> JSON:
    """Return a dispute."""
    return get(ctx, dispute)


@operation("get", "/v1/disputes")
async def list_all(ctx: Context, params: JSON) -> JSON:
    """List disputes, newest first."""
    return lists.answer(ctx, "dispute", params, "/v1/disputes", "charge", "payment_intent")


@operation("post", "/v1/disputes/{dispute}")
async def update(ctx: Context, params: JSON, dispute: str) -> JSON:
    """Add evidence to a dispute and, unless `submit` is false, hand it in: the bank decides by its text."""
    found = get(ctx, dispute)
    if "evidence" in params and found["status"] not in ANSWERABLE:
        raise invalid(
            f"Evidence cannot be submitted for dispute {dispute} while it is {found['status']}.", param="evidence"
        )
    before = {"status": found["status"], "evidence": found["evidence"]}
    merge(found, params)
    sent = params.get("evidence") or {}
    if sent:
        found["evidence"] = found["evidence"] | sent
        found["evidence_details"]["has_evidence"] = True
    if sent and params.get("submit", True):
        _submit(ctx, found)
    ctx.store.put(found)
    ctx.emit("charge.dispute.updated", found, {name: old for name, old in before.items() if found[name] != old})
    return found


@operation("post", "/v1/disputes/{dispute}/close")
async def accept(ctx: Context, _: JSON, dispute: str) -> JSON:
    """Accept a dispute: it is lost."""
    found = get(ctx, dispute)
    if found["status"] not in ANSWERABLE:
        raise invalid(f"Dispute {dispute} cannot be closed: it is {found['status']}.")
    close(ctx, found, won=False)
    return found


@task("dispute.open")
async def open_by_card(ctx: Context, charge: str, reason: str, inquiry: bool) -> None:
    """Open the dispute that a test card brings, unless the charge was refunded before."""
    stored = charges.get(ctx, charge)
    if stored["amount_refunded"] < stored["amount"] and not stored["disputed"]:
        open_dispute(ctx, stored, reason, inquiry=inquiry)


@task("dispute.decide")
async def decide(ctx: Context, dispute: str, text: str) -> None:
    """Close the dispute as its evidence says."""
    found = get(ctx, dispute)
    if found["status"] not in OPEN:
        return
    if text == "escalate_inquiry_evidence" and found["status"].startswith("warning_"):
        found |= {"status": "needs_response", "is_charge_refundable": False}
        _withdraw(ctx, found)
        ctx.store.put(found)
        ctx.emit("charge.dispute.updated", found, {"status": "warning_under_review"})
        ctx.emit("charge.dispute.funds_withdrawn", found)
        return
    close(ctx, found, won=text == "winning_evidence")


@task("dispute.past_due")
async def past_due(ctx: Context, dispute: str) -> None:
    """End a dispute that was not answered in time: it is lost."""
    found = get(ctx, dispute)
    if found["status"] in ANSWERABLE:
        found["evidence_details"]["past_due"] = True
        close(ctx, found, won=False)


@control("dispute")
async def dispute_charge(ctx: Context, body: JSON) -> JSON:
    """Dispute a `charge` or the charge of a `payment_intent`, for `reason`; with `inquiry` only ask about it."""
    id = body.get("charge")
    if id is None:
        intent = payment_intents.get(ctx, str(body.get("payment_intent")), param="payment_intent")
        id = str(intent["latest_charge"])
    return open_dispute(ctx, charges.get(ctx, id), body.get("reason", "fraudulent"), inquiry=body.get("inquiry", False))


@control("dispute/close")
async def close_dispute(ctx: Context, body: JSON) -> JSON:
    """End `dispute` with `outcome` `won` or `lost`."""
    found = get(ctx, str(body.get("dispute")))
    close(ctx, found, won=body.get("outcome", "lost") == "won")
    return found


def _submit(ctx: Context, dispute: JSON) -> None:
    is_inquiry = dispute["status"].startswith("warning_")
    dispute["status"] = "warning_under_review" if is_inquiry else "under_review"
    details = dispute["evidence_details"]
    details |= {"submission_count": details["submission_count"] + 1, "submission_method": "manual"}
    text = dispute["evidence"]["uncategorized_text"]
    if text in ("winning_evidence", "losing_evidence", "escalate_inquiry_evidence"):
        ctx.after(0, "dispute.decide", {"dispute": dispute["id"], "text": text})


def _withdraw(ctx: Context, dispute: JSON) -> None:
    line = money.record(
        ctx,
        "adjustment",
        -dispute["amount"],
        dispute["currency"],
        source=dispute["id"],
        category="dispute",
        available_on=ctx.now(),
        fee=money.dispute_fee(dispute["currency"]),
        fee_description="Dispute fee",
        description=f"Chargeback withdrawal for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(line)


def _reinstate(ctx: Context, dispute: JSON) -> None:
    line = money.record(
        ctx,
        "adjustment",
        dispute["amount"],
        dispute["currency"],
        source=dispute["id"],
        category="dispute_reversal",
        available_on=ctx.now(),
        description=f"Chargeback reversal for {dispute['charge']}",
    )
    dispute["balance_transactions"].append(line)
