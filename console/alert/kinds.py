"""What each kind of alert is called, what to do about it, and the page on which that is done."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Advice:
    """What people do about a kind: `page` is below those of the organization, empty for none, and `label` names it."""

    title: str
    do: str
    page: str = ""
    label: str = ""


_PLATFORM = "The platform's operators look at it. There is nothing for you to do."
_LIMITS, _USAGE, _PAYMENTS = ("limits", "Limits"), ("usage", "Usage"), ("payments", "Payments")
_INVOICES, _DISPUTES, _EARNINGS = ("invoices", "Invoices"), ("disputes", "Chargebacks"), ("earnings", "Earnings")
_TOP_UP, _ESCROWS, _KEYS = ("top-up", "Add credits"), ("escrows", "Escrows"), ("settings/keys", "Keys")
_ENDPOINTS = ("alerts/settings", "Webhook endpoints")
_EVIDENCE = "Send evidence before the deadline, or the money stays with the payer."
_RULE = Advice("One of your rules", "A figure that a rule of yours watches is out of bounds. Look at what it is about.")

ADVICE: Mapping[str, Advice] = {
    "api_key.made_by_operator": Advice(
        "Key made by an operator", "Revoke the key if you did not ask the platform for it.", *_KEYS
    ),
    "api_key.made_for_signatory": Advice(
        "Key made for a signatory", "Ask who made it. Revoke the key if it was not agreed.", *_KEYS
    ),
    "approval.requested": Advice("Approval requested", _PLATFORM),
    "billing.invoice_failed": Advice("Invoice not made", _PLATFORM),
    "billing.other_currency": Advice("Usage in another currency", _PLATFORM),
    "budget_80_percent": Advice(
        "80% of a limit is used", "Raise the limit, or let it refuse what is beyond.", *_LIMITS
    ),
    "cost_spike": Advice("Costs went up", "See what was used today, and limit it if it is not wanted.", *_USAGE),
    "credits.auto_topup_cap": Advice(
        "Automatic top-up at its cap", "It buys no more this month. Add credits by hand if you need them.", *_TOP_UP
    ),
    "credits.auto_topup_off": Advice(
        "Automatic top-up is off",
        "Its payments failed or went back. Add credits, and set it up anew with a card that works.",
        *_TOP_UP,
    ),
    "credits.exhausted": Advice("Credits used up", "Add credits. What costs credits is refused until then.", *_TOP_UP),
    "customer.unused_cash": Advice("Money not assigned", _PLATFORM),
    "document.not_made": Advice("Document not made", _PLATFORM),
    "earnings.not_recovered": Advice("Earnings not taken back", _PLATFORM),
    "earnings.recovered": Advice(
        "Taken from earnings", "A buyer was refunded. See what it was taken from.", *_EARNINGS
    ),
    "earnings.recovered_in_vain": Advice("Owed by earnings", "What you earn next pays for it first.", *_EARNINGS),
    "escrow.books_refused": Advice("Escrow stopped", _PLATFORM),
    "escrow.decision_overdue": Advice(
        "Decision overdue", "The arbiter is late. The money stays held until then.", *_ESCROWS
    ),
    "escrow.signed_by_link": Advice(
        "Signed through a link", "Check that the signatory signed it themselves. Dispute the escrow if not.", *_ESCROWS
    ),
    "escrow.start_refused": Advice("Escrow did not start", _PLATFORM),
    "failed_payment": Advice(
        "Payment failed", "Pay the invoice, or give a card that works before the next try.", *_INVOICES
    ),
    "fraud_suspected": Advice("Related parties", _PLATFORM),
    "invoice.books_refused": Advice("Invoice stopped", _PLATFORM),
    "invoice.stuck": Advice("Invoice waits", _PLATFORM),
    "invoice.waits_for_operator": Advice("Invoice waits for an operator", _PLATFORM),
    "low_credit_balance": Advice("Credits run out", "At this pace they end within a day. Add credits.", *_TOP_UP),
    "mail.no_server": Advice("Mail is not sent", _PLATFORM),
    "mail.undelivered": Advice("Mail came back", "Check the address that it was sent to."),
    "notification.undelivered": Advice("Message not delivered", "Check the channel that it was sent to."),
    "organization.closed_payment": Advice("Payment after the end", _PLATFORM),
    "payment.books_refused": Advice("Payment stopped", _PLATFORM),
    "payment.debt": Advice(
        "Money owed", "What was refunded or taken back is owed. What comes in next pays it.", *_TOP_UP
    ),
    "payment.dispute_inquiry": Advice("Inquiry of a bank", _EVIDENCE, *_DISPUTES),
    "payment.dispute_lost": Advice("Chargeback lost", "The money went back. See what is owed now.", *_DISPUTES),
    "payment.dispute_opened": Advice("Chargeback", _EVIDENCE, *_DISPUTES),
    "payment.dispute_reopened": Advice("Chargeback again", _EVIDENCE, *_DISPUTES),
    "payment.evidence_due": Advice(
        "Evidence is due", "The bank takes none after its date. Offer yours, and operators answer it.", *_DISPUTES
    ),
    "payment.evidence_offered": Advice(
        "Evidence to submit", "Operators read it, and answer the bank before the deadline.", *_DISPUTES
    ),
    "payment.overdue": Advice("Payment takes long", "Look at the payment: it may wait for the payer.", *_PAYMENTS),
    "payment.purpose_gone": Advice("Payment without a purpose", _PLATFORM),
    "payment.refund_failed": Advice("Refund failed", "The provider refused it. The payer has nothing yet.", *_PAYMENTS),
    "payment.refund_taken_over": Advice("Refund taken over", _PLATFORM),
    "payment.reversed": Advice("Payment taken back", "See the payment, and what is owed now.", *_PAYMENTS),
    "payment.start_refused": Advice("Payment did not start", _PLATFORM),
    "payout.bank_refused": Advice(
        "Bank refused a payout", "Check the account, and ask for the payout again.", *_EARNINGS
    ),
    "payout.books_refused": Advice("Payout stopped", _PLATFORM),
    "payout.destination_changed": Advice(
        "Account for payouts changed", "Ask who changed it. Tell support at once if nobody of you did.", *_EARNINGS
    ),
    "payout.failed": Advice("Payout failed", "What was to be paid out is yours again. Check the account.", *_EARNINGS),
    "payout.reversal_refused": Advice("Payout not taken back", _PLATFORM),
    "payout.schedule_failed": Advice("Payout by schedule not made", _PLATFORM),
    "payout.unknown": Advice("Payout not known yet", _PLATFORM),
    "payout.waiting_for_funds": Advice("Payout waits", "It is sent when the platform's money is there.", *_EARNINGS),
    "probe_failed": Advice("Probe failed", _PLATFORM),
    "provider_down": Advice("Provider does not answer", _PLATFORM),
    "reconciliation.difference": Advice("Discrepancy in the books", _PLATFORM),
    "reconciliation.failed": Advice("Reconciliation failed", _PLATFORM),
    "reconciliation.incomplete": Advice("Reconciliation incomplete", _PLATFORM),
    "referral.taken_back": Advice("Referral taken back", "The payment behind it went back, and so did the credits."),
    "reputation_anomaly": Advice("Score changed much", "See what moved the score of the agent.", "agents", "Agents"),
    "spend.burst": Advice("Many spends at once", "An agent may be in a loop. Freeze its limit if it is.", *_LIMITS),
    "spend.no_rate": Advice("No exchange rate", _PLATFORM),
    "spend.refused": Advice("Spending refused", "See what was refused, and raise the limit if it is wanted.", *_LIMITS),
    "spend.threshold": Advice("Limit nearly used", "Raise the limit, or let it refuse what is beyond.", *_LIMITS),
    "statement.not_made": Advice("Statement not made", _PLATFORM),
    "subscription.books_refused": Advice("Subscription stopped", _PLATFORM),
    "subscription.made_after_all": Advice("Subscription made after all", _PLATFORM),
    "subscription.seats_exceeded": Advice(
        "More people than seats", "Revoke keys of people who need none, or take a plan with more seats.", *_KEYS
    ),
    "subscription.upgrade_not_undone": Advice("Upgrade not undone", _PLATFORM),
    "tax.country_unproven": Advice("Country not proven", "Check country and region of your billing address."),
    "tax.vat_doubtful": Advice("VAT number may be somebody else's", "Check whose the VAT number is."),
    "tax.vat_not_in_force": Advice("VAT number not in force", "Check the VAT number that you are billed with."),
    "usage.not_charged": Advice(
        "Usage not charged", "See what waits, and add credits if they do not suffice.", *_USAGE
    ),
    "usage.not_counted": Advice("Usage not counted", "What was sent cannot be read. Mend what sends it.", *_USAGE),
    "webhook.wrong_mode": Advice("Webhook of another mode", _PLATFORM),
    "webhook_endpoint.books_refused": Advice("Webhooks stopped", _PLATFORM),
    "webhook_endpoint.full": Advice(
        "Too many webhooks wait", "Mend the receiver. Later events are kept, and sent when fewer wait.", *_ENDPOINTS
    ),
    "webhook_endpoint.given_up": Advice(
        "Webhooks not taken", "Mend the receiver, and enable the endpoint. Events are kept.", *_ENDPOINTS
    ),
}


def advice_for(kind: str) -> Advice:
    """Return what to do about a kind; a kind that is not known is one of a rule that somebody wrote."""
    return ADVICE.get(kind, _RULE)
