"""What people do about each kind of alert, and the page on which that is done."""

from collections.abc import Mapping
from dataclasses import dataclass

from domain.messages.texts import TEXTS


@dataclass(frozen=True, slots=True)
class Advice:
    """What people do about a kind: `page` is below those of the organization, empty for none, and `label` names it."""

    do: str
    page: str = ""
    label: str = ""


#: The kinds of alerts, and what people call them.
KINDS: Mapping[str, str] = dict(sorted(TEXTS["en"].alerts.items(), key=lambda pair: pair[1]))
_PLATFORM = "The platform's operators handle it. You need not do anything."
_LIMITS, _USAGE, _PAYMENTS = ("limits", "Limits"), ("usage", "Usage"), ("payments", "Payments")
_INVOICES, _DISPUTES, _EARNINGS = ("invoices", "Invoices"), ("disputes", "Chargebacks"), ("earnings", "Earnings")
TOP_UP = "top-up"
_TOP_UP, _ESCROWS, _KEYS = (TOP_UP, "Add credits"), ("escrows", "Escrows"), ("settings/keys", "Keys")
_PURCHASES, _BUDGETS = ("purchases", "Purchases"), ("budgets", "Budgets")
_CARDS = ("cards", "Cards")
_FREE = ("payment-policies/free-options", "Free options")
_ENDPOINTS = ("alerts/settings", "Webhook endpoints")
_EVIDENCE = "Send evidence before the deadline, or the money stays with the payer."
_RULE = Advice("A metric of an alert rule is out of bounds. Check its subject.")

ADVICE: Mapping[str, Advice] = {
    "api_key.made_by_operator": Advice("Revoke the key if you did not request it.", *_KEYS),
    "api_key.made_for_signatory": Advice("Ask who created it. Revoke the key if it was not agreed.", *_KEYS),
    "approval.requested": Advice(_PLATFORM),
    "approval_waiting": Advice("Approve or refuse the purchase before it expires.", *_PURCHASES),
    "billing.invoice_failed": Advice(_PLATFORM),
    "billing.other_currency": Advice(_PLATFORM),
    "budget_80_percent": Advice("Raise the limit, or let it decline further charges.", *_LIMITS),
    "cost_spike": Advice("Check today's usage, and set a limit if needed.", *_USAGE),
    "card_overspent": Advice("Check the card's payments, and freeze it if they are not yours.", *_CARDS),
    "card_refund_unmatched": Advice(_PLATFORM),
    "credits.auto_topup_cap": Advice(
        "The monthly cap is reached. Add credits manually if you need them.",
        *_TOP_UP,
    ),
    "credits.auto_topup_failed": Advice(
        "The top-up is retried. Check the payment method, or add credits manually.",
        *_TOP_UP,
    ),
    "credits.auto_topup_off": Advice(
        "Its payments failed or were refunded. Add credits, and set it up again with a valid card.",
        *_TOP_UP,
    ),
    "credits.exhausted": Advice("Add credits. Charges are declined until then.", *_TOP_UP),
    "customer.unused_cash": Advice(_PLATFORM),
    "document.has_boxes": Advice(_PLATFORM),
    "document.not_made": Advice(_PLATFORM),
    "earnings.not_recovered": Advice(_PLATFORM),
    "earnings.recovered": Advice("A buyer was refunded. See which earnings were deducted.", *_EARNINGS),
    "earnings.recovered_in_vain": Advice("A buyer was refunded. It is deducted from your next earnings.", *_EARNINGS),
    "emergency_draw": Advice("Check that the purchase belongs to the emergency that was declared.", *_PURCHASES),
    "emergency_waiting": Advice("Confirm the emergency on the page of its budget, or end it.", *_BUDGETS),
    "escrow.api_was_away": Advice(_PLATFORM),
    "escrow.books_refused": Advice(_PLATFORM),
    "escrow.decision_overdue": Advice("The arbiter is late. The money stays held until then.", *_ESCROWS),
    "escrow.signed_by_link": Advice(
        "Check that the signatory signed it themselves. Dispute the escrow if not.", *_ESCROWS
    ),
    "escrow.start_refused": Advice(_PLATFORM),
    "failed_payment": Advice("Pay the invoice, or add a valid card before the next attempt.", *_INVOICES),
    "free_quota": Advice("Check the catalogue: another option may be free, or worth buying.", *_FREE),
    "forced_spend": Advice("Ask the vendor for a refund if the charge is not justified.", *_PURCHASES),
    "fraud_suspected": Advice(_PLATFORM),
    "high_roi": Advice("See its revenue and costs, and whether it can do more.", "analytics", "Analytics"),
    "invoice.books_refused": Advice(_PLATFORM),
    "invoice.stuck": Advice(_PLATFORM),
    "invoice.waits_for_operator": Advice(_PLATFORM),
    "low_credit_balance": Advice("At this rate your credits last less than a day. Add credits.", *_TOP_UP),
    "mail.no_server": Advice(_PLATFORM),
    "mail.undelivered": Advice("Check the address that it was sent to."),
    "notification.undelivered": Advice("Check the channel that it was sent to."),
    "organization.closed_payment": Advice(_PLATFORM),
    "organization.subscription_goes_on": Advice(_PLATFORM),
    "payment.books_refused": Advice(_PLATFORM),
    "payment.debt": Advice("A refund or chargeback is owed. It is deducted from your next payment.", *_TOP_UP),
    "payment.dispute_inquiry": Advice(_EVIDENCE, *_DISPUTES),
    "payment.dispute_lost": Advice("The bank decided for the payer. See what you owe now.", *_DISPUTES),
    "payment.dispute_opened": Advice(_EVIDENCE, *_DISPUTES),
    "payment.dispute_reopened": Advice(_EVIDENCE, *_DISPUTES),
    "payment.evidence_due": Advice("Add evidence before the bank's deadline. Operators submit it.", *_DISPUTES),
    "payment.evidence_offered": Advice(
        "Operators review it, and submit it to the bank before the deadline.", *_DISPUTES
    ),
    "payment.fees_high": Advice(_PLATFORM),
    "payment.overdue": Advice("Check the payment: it may be waiting for the payer.", *_PAYMENTS),
    "payment.purpose_gone": Advice(_PLATFORM),
    "payment.refund_failed": Advice("The provider refused the refund. Nothing was refunded.", *_PAYMENTS),
    "payment.refund_taken_over": Advice(_PLATFORM),
    "payment.reversed": Advice("See the payment, and what you owe now.", *_PAYMENTS),
    "payment.start_refused": Advice(_PLATFORM),
    "payout.bank_refused": Advice("Check the bank account, and request the payout again.", *_EARNINGS),
    "payout.books_refused": Advice(_PLATFORM),
    "payout.destination_added": Advice("Ask who added it. Contact support at once if none of you did.", *_EARNINGS),
    "payout.destination_changed": Advice("Ask who changed it. Contact support at once if none of you did.", *_EARNINGS),
    "payout.failed": Advice("The amount is back in your earnings. Check the payout account.", *_EARNINGS),
    "payout.reversal_refused": Advice(_PLATFORM),
    "payout.reversed_elsewhere": Advice(_PLATFORM),
    "payout.schedule_failed": Advice(_PLATFORM),
    "payout.sent_while_suspended": Advice(_PLATFORM),
    "payout.unknown": Advice(_PLATFORM),
    "payout.waiting_for_funds": Advice("It is sent when the platform's balance at the provider covers it.", *_EARNINGS),
    "policy_waiting": Advice("Review the proposed change, and approve it if you agree.", "analytics", "Advice"),
    "probe_failed": Advice(_PLATFORM),
    "provider_down": Advice(_PLATFORM),
    "purchase_unconfirmed": Advice(
        "Compare the purchases with the vendors' charges, and confirm or correct them.", *_PURCHASES
    ),
    "purchase_unknown": Advice("Look up the payment at the vendor, and report its result.", *_PURCHASES),
    "reconciliation.difference": Advice(_PLATFORM),
    "reconciliation.failed": Advice(_PLATFORM),
    "reconciliation.incomplete": Advice(_PLATFORM),
    "reference_rates.unread": Advice(_PLATFORM),
    "referral.taken_back": Advice("The payment behind it was refunded, so the reward was reversed."),
    "reputation_anomaly": Advice("See what changed the agent's score.", "agents", "Agents"),
    "reserve_low": Advice("Raise the reserve, or approve less from it.", *_BUDGETS),
    "search_index.refused": Advice(_PLATFORM),
    "search_index.silent": Advice(_PLATFORM),
    "secret_rotation_failed": Advice("The previous value stays in use. The rotation is retried. Check the reason."),
    "secret_rotation_overdue": Advice("Check the reason, and replace the value: its schedule is broken."),
    "secret_rotation_waits": Advice("Set a new value at its target, and enter it."),
    "spend.burst": Advice("An agent may be in a loop. Freeze its limit if it is.", *_LIMITS),
    "spend.no_rate": Advice(_PLATFORM),
    "spend.refused": Advice("See what was declined, and raise the limit if needed.", *_LIMITS),
    "spend.threshold": Advice("Raise the limit, or let it decline further charges.", *_LIMITS),
    "statement.not_made": Advice(_PLATFORM),
    "subscription.books_refused": Advice(_PLATFORM),
    "subscription.made_after_all": Advice(_PLATFORM),
    "subscription.charged_less": Advice(_PLATFORM),
    "subscription.credits_not_granted": Advice("Credits are only granted for payments. Operators decide."),
    "subscription.not_answered": Advice(_PLATFORM),
    "subscription.seats_exceeded": Advice(
        "Revoke keys that people no longer need, or change to a plan with more seats.", *_KEYS
    ),
    "subscription.upgrade_not_undone": Advice(_PLATFORM),
    "tax.country_unproven": Advice("Check country and region of your billing address."),
    "tax.vat_doubtful": Advice("Check that the VAT number is yours."),
    "tax.vat_not_in_force": Advice("Check the VAT number in your billing details."),
    "usage.cost_differs": Advice(_PLATFORM),
    "usage.not_charged": Advice("See pending charges, and add credits if needed.", *_USAGE),
    "usage.not_counted": Advice("The events cannot be parsed. Fix the sender.", *_USAGE),
    "usage.unpaid_near": Advice("Pay open invoices, or agree a higher limit. Charges beyond it are declined.", *_USAGE),
    "usage.unpaid_reached": Advice("Charges are declined. Pay open invoices, or agree a higher limit.", *_USAGE),
    "webhook.unmatched": Advice(_PLATFORM),
    "webhook.wrong_mode": Advice(_PLATFORM),
    "webhook_endpoint.books_refused": Advice(_PLATFORM),
    "webhook_endpoint.full": Advice("Fix the receiver. Events are queued until the backlog shrinks.", *_ENDPOINTS),
    "webhook_endpoint.given_up": Advice("Fix the receiver, then enable the endpoint. Events are kept.", *_ENDPOINTS),
}


def advice_for(kind: str) -> Advice:
    """Return what to do about a kind; an unknown kind belongs to a custom rule."""
    return ADVICE.get(kind, _RULE)
