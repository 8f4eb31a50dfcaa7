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
TOP_UP = "top-up"
_TOP_UP, _ESCROWS, _KEYS = (TOP_UP, "Add credits"), ("escrows", "Escrows"), ("settings/keys", "Keys")
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
        "Automatic top-up reached its cap",
        "It buys no more this month. Add credits yourself if you need them.",
        *_TOP_UP,
    ),
    "credits.auto_topup_failed": Advice(
        "Automatic top-up failed",
        "It is tried again. Add credits if you need them before, and check the payment method.",
        *_TOP_UP,
    ),
    "credits.auto_topup_off": Advice(
        "Automatic top-up is off",
        "Its payments failed or were refunded. Add credits, and set it up again with a card that works.",
        *_TOP_UP,
    ),
    "credits.exhausted": Advice("Credits used up", "Add credits. What costs credits is refused until then.", *_TOP_UP),
    "customer.unused_cash": Advice("Money not assigned", _PLATFORM),
    "document.not_made": Advice("Document not made", _PLATFORM),
    "earnings.not_recovered": Advice("Earnings not recovered", _PLATFORM),
    "earnings.recovered": Advice(
        "Earnings recovered", "A buyer was refunded. See which earnings paid for it.", *_EARNINGS
    ),
    "earnings.recovered_in_vain": Advice(
        "Earnings owed", "A buyer was refunded. What you earn next pays for it first.", *_EARNINGS
    ),
    "escrow.books_refused": Advice("Escrow stopped", _PLATFORM),
    "escrow.decision_overdue": Advice(
        "Decision overdue", "The arbiter is late. The money stays held until then.", *_ESCROWS
    ),
    "escrow.signed_by_link": Advice(
        "Signed through a link", "Check that the signatory signed it themselves. Dispute the escrow if not.", *_ESCROWS
    ),
    "escrow.start_refused": Advice("Escrow did not start", _PLATFORM),
    "failed_payment": Advice(
        "Payment failed", "Pay the invoice, or add a card that works before the next attempt.", *_INVOICES
    ),
    "fraud_suspected": Advice("Related parties", _PLATFORM),
    "invoice.books_refused": Advice("Invoice stopped", _PLATFORM),
    "invoice.stuck": Advice("Invoice is stuck", _PLATFORM),
    "invoice.waits_for_operator": Advice("Invoice waits for an operator", _PLATFORM),
    "low_credit_balance": Advice(
        "Credits are running out", "At this rate they last less than a day. Add credits.", *_TOP_UP
    ),
    "mail.no_server": Advice("Mail is not sent", _PLATFORM),
    "mail.undelivered": Advice("Mail not delivered", "Check the address that it was sent to."),
    "notification.undelivered": Advice("Message not delivered", "Check the channel that it was sent to."),
    "organization.closed_payment": Advice("Payment to a closed organization", _PLATFORM),
    "payment.books_refused": Advice("Payment stopped", _PLATFORM),
    "payment.debt": Advice("Money owed", "A refund or chargeback is owed. What comes in next pays it first.", *_TOP_UP),
    "payment.dispute_inquiry": Advice("Inquiry by the bank", _EVIDENCE, *_DISPUTES),
    "payment.dispute_lost": Advice(
        "Chargeback lost", "The bank decided for the payer. See what you owe now.", *_DISPUTES
    ),
    "payment.dispute_opened": Advice("Chargeback opened", _EVIDENCE, *_DISPUTES),
    "payment.dispute_reopened": Advice("Chargeback reopened", _EVIDENCE, *_DISPUTES),
    "payment.evidence_due": Advice(
        "Evidence is due", "The bank accepts none after the deadline. Offer yours, and operators submit it.", *_DISPUTES
    ),
    "payment.evidence_offered": Advice(
        "Evidence to submit", "Operators review it, and submit it to the bank before the deadline.", *_DISPUTES
    ),
    "payment.overdue": Advice("Payment is overdue", "See the payment: it may wait for the payer.", *_PAYMENTS),
    "payment.purpose_gone": Advice("Payment without a purpose", _PLATFORM),
    "payment.refund_failed": Advice(
        "Refund failed", "The provider refused it. The payer has not been refunded.", *_PAYMENTS
    ),
    "payment.refund_taken_over": Advice("Refund taken over", _PLATFORM),
    "payment.reversed": Advice("Payment reversed", "See the payment, and what you owe now.", *_PAYMENTS),
    "payment.start_refused": Advice("Payment did not start", _PLATFORM),
    "payout.bank_refused": Advice(
        "Payout returned by the bank", "Check the bank account, and request the payout again.", *_EARNINGS
    ),
    "payout.books_refused": Advice("Payout stopped", _PLATFORM),
    "payout.destination_added": Advice(
        "Payout account added", "Ask who added it. Contact support at once if none of you did.", *_EARNINGS
    ),
    "payout.destination_changed": Advice(
        "Payout account changed", "Ask who changed it. Contact support at once if none of you did.", *_EARNINGS
    ),
    "payout.failed": Advice(
        "Payout failed", "The amount is back in your earnings. Check the payout account.", *_EARNINGS
    ),
    "payout.reversal_refused": Advice("Payout not reversed", _PLATFORM),
    "payout.reversed_elsewhere": Advice("Payout reversed at the provider", _PLATFORM),
    "payout.schedule_failed": Advice("Scheduled payout not made", _PLATFORM),
    "payout.sent_while_suspended": Advice("Payout sent to a suspended organization", _PLATFORM),
    "payout.unknown": Advice("Payout status unknown", _PLATFORM),
    "payout.waiting_for_funds": Advice(
        "Payout waits for funds", "It is sent when the platform's balance at the provider covers it.", *_EARNINGS
    ),
    "probe_failed": Advice("Probe failed", _PLATFORM),
    "provider_down": Advice("Provider does not answer", _PLATFORM),
    "reconciliation.difference": Advice("Discrepancy in the books", _PLATFORM),
    "reconciliation.failed": Advice("Reconciliation failed", _PLATFORM),
    "reconciliation.incomplete": Advice("Reconciliation incomplete", _PLATFORM),
    "referral.taken_back": Advice(
        "Referral reward reversed", "The payment behind it was refunded, so the reward was reversed."
    ),
    "reputation_anomaly": Advice("Score changed sharply", "See what moved the score of the agent.", "agents", "Agents"),
    "spend.burst": Advice(
        "Unusual burst of spending", "An agent may be in a loop. Freeze its limit if it is.", *_LIMITS
    ),
    "spend.no_rate": Advice("No exchange rate", _PLATFORM),
    "spend.refused": Advice("Spending refused", "See what was refused, and raise the limit if it is wanted.", *_LIMITS),
    "spend.threshold": Advice("Limit nearly used", "Raise the limit, or let it refuse what is beyond.", *_LIMITS),
    "statement.not_made": Advice("Statement not made", _PLATFORM),
    "subscription.books_refused": Advice("Subscription stopped", _PLATFORM),
    "subscription.made_after_all": Advice("Subscription created late", _PLATFORM),
    "subscription.charged_less": Advice("Plan charged too low", _PLATFORM),
    "subscription.seats_exceeded": Advice(
        "More people than seats", "Revoke keys that people no longer need, or change to a plan with more seats.", *_KEYS
    ),
    "subscription.upgrade_not_undone": Advice("Upgrade not undone", _PLATFORM),
    "tax.country_unproven": Advice("Country not proven", "Check country and region of your billing address."),
    "tax.vat_doubtful": Advice("VAT number may belong to another company", "Check that the VAT number is yours."),
    "tax.vat_not_in_force": Advice("VAT number not valid", "Check the VAT number in your billing details."),
    "usage.not_charged": Advice(
        "Usage not charged", "See what waits to be charged, and add credits if there are too few.", *_USAGE
    ),
    "usage.not_counted": Advice("Usage not counted", "What was sent cannot be read. Correct the sender.", *_USAGE),
    "webhook.wrong_mode": Advice("Webhook of another mode", _PLATFORM),
    "webhook_endpoint.books_refused": Advice("Webhooks stopped", _PLATFORM),
    "webhook_endpoint.full": Advice(
        "Too many webhooks wait", "Fix the receiver. Later events are kept, and sent when fewer wait.", *_ENDPOINTS
    ),
    "webhook_endpoint.given_up": Advice(
        "Webhook endpoint disabled", "Fix the receiver, then enable the endpoint. Events are kept.", *_ENDPOINTS
    ),
}


def advice_for(kind: str) -> Advice:
    """Return what to do about a kind; an unknown kind belongs to a custom rule."""
    return ADVICE.get(kind, _RULE)
