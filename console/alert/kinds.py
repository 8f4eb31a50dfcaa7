"""Advice on each kind of alert: the action, and the page for it."""

from collections.abc import Mapping
from dataclasses import dataclass

from console.lists import Options
from console.texts import N_, _, language
from console.visit import Visit
from domain.messages import texts


@dataclass(frozen=True, slots=True)
class Advice:
    """Advice on one kind: `page` is relative to the organization's pages, empty for none, and `label` names it."""

    do: str
    page: str = ""
    label: str = ""


TOP_UP = "top-up"
#: Pages, by their addresses and names.
_LIMITS, _USAGE = ("limits", N_("Limits")), ("usage", N_("Usage"))
_PAYMENTS, _INVOICES = ("payments", N_("Payments")), ("invoices", N_("Invoices"))
_DISPUTES, _EARNINGS = ("disputes", N_("Chargebacks")), ("earnings", N_("Earnings"))
_TOP_UP, _ESCROWS = (TOP_UP, N_("Add credits")), ("escrows", N_("Escrows"))
_KEYS, _PURCHASES = ("settings/keys", N_("Keys")), ("purchases", N_("Purchases"))
_BUDGETS, _CARDS = ("budgets", N_("Budgets")), ("cards", N_("Cards"))
_FREE, _AGENTS = ("payment-policies/free-options", N_("Free options")), ("agents", N_("Agents"))
_ENDPOINTS = ("alerts/settings/endpoints", N_("Webhook endpoints"))
_EVIDENCE = N_("Send evidence before the deadline, or the money stays with the payer.")
_RULE = (N_("A metric of an alert rule is out of bounds. Check its subject."),)

#: What operators handle alone.
_OF_OPERATORS = """
    approval.requested billing.invoice_failed billing.other_currency card_refund_unmatched
    customer.unused_cash document.has_boxes document.not_made earnings.not_recovered escrow.api_was_away
    escrow.books_refused escrow.start_refused fraud_suspected invoice.books_refused invoice.stuck
    invoice.waits_for_operator mail.no_server organization.closed_payment organization.subscription_goes_on
    payment.books_refused payment.fees_high payment.purpose_gone payment.refund_taken_over
    payment.start_refused payout.books_refused payout.reversal_refused payout.reversed_elsewhere
    payout.schedule_failed payout.sent_while_suspended payout.unknown probe_failed provider_down
    reconciliation.difference reconciliation.failed reconciliation.incomplete reference_rates.unread
    risk.case_overdue risk.unavailable risk_case.books_refused search_index.refused search_index.silent
    spend.no_rate statement.not_made subscription.books_refused subscription.made_after_all
    subscription.charged_less subscription.not_answered subscription.upgrade_not_undone usage.cost_differs
    webhook.unmatched webhook.wrong_mode webhook_endpoint.books_refused
"""
ADVICE: Mapping[str, tuple[str, ...]] = dict.fromkeys(
    _OF_OPERATORS.split(), (N_("The platform's operators handle it. You need not do anything."),)
) | {
    "api_key.made_by_operator": (N_("Revoke the key if you did not request it."), *_KEYS),
    "api_key.made_for_signatory": (N_("Ask who created it. Revoke the key if it was not agreed."), *_KEYS),
    "approval_waiting": (N_("Approve or refuse the purchase before it expires."), *_PURCHASES),
    "budget_80_percent": (N_("Raise the limit, or let it decline further charges."), *_LIMITS),
    "cost_spike": (N_("Check today's usage, and set a limit if needed."), *_USAGE),
    "card_overspent": (N_("Check the card's payments, and freeze it if they are not yours."), *_CARDS),
    "credits.auto_topup_cap": (N_("The monthly cap is reached. Add credits manually if you need them."), *_TOP_UP),
    "credits.auto_topup_failed": (
        N_("The top-up is retried. Check the payment method, or add credits manually."),
        *_TOP_UP,
    ),
    "credits.auto_topup_off": (
        N_("Its payments failed or were refunded. Add credits, and set it up again with a valid card."),
        *_TOP_UP,
    ),
    "credits.exhausted": (N_("Add credits. Charges are declined until then."), *_TOP_UP),
    "earnings.recovered": (N_("A buyer was refunded. See which earnings were deducted."), *_EARNINGS),
    "earnings.recovered_in_vain": (N_("A buyer was refunded. It is deducted from your next earnings."), *_EARNINGS),
    "emergency_draw": (N_("Check that the purchase belongs to the emergency that was declared."), *_PURCHASES),
    "emergency_waiting": (N_("Confirm the emergency on the page of its budget, or end it."), *_BUDGETS),
    "escrow.decision_overdue": (N_("The arbiter is late. The money stays held until then."), *_ESCROWS),
    "escrow.signed_by_link": (
        N_("Check that the signatory signed it themselves. Dispute the escrow if not."),
        *_ESCROWS,
    ),
    "failed_payment": (N_("Pay the invoice, or add a valid card before the next attempt."), *_INVOICES),
    "free_quota": (N_("Check the catalogue: another option may be free, or worth buying."), *_FREE),
    "forced_spend": (N_("Ask the vendor for a refund if the charge is not justified."), *_PURCHASES),
    "high_roi": (N_("See its revenue and costs, and whether it can do more."), "analytics", N_("Analytics")),
    "low_credit_balance": (N_("At this rate your credits last less than a day. Add credits."), *_TOP_UP),
    "mail.undelivered": (N_("Check the address that it was sent to."),),
    "notification.undelivered": (N_("Check the channel that it was sent to."),),
    "payment.debt": (N_("A refund or chargeback is owed. It is deducted from your next payment."), *_TOP_UP),
    "payment.dispute_inquiry": (_EVIDENCE, *_DISPUTES),
    "payment.dispute_lost": (N_("The bank decided for the payer. See what you owe now."), *_DISPUTES),
    "payment.dispute_opened": (_EVIDENCE, *_DISPUTES),
    "payment.dispute_reopened": (_EVIDENCE, *_DISPUTES),
    "payment.evidence_due": (N_("Add evidence before the bank's deadline. Operators submit it."), *_DISPUTES),
    "payment.evidence_offered": (N_("Operators review it, and submit it to the bank before the deadline."), *_DISPUTES),
    "payment.overdue": (N_("Check the payment: it may be waiting for the payer."), *_PAYMENTS),
    "payment.refund_failed": (N_("The provider refused the refund. Nothing was refunded."), *_PAYMENTS),
    "payment.reversed": (N_("See the payment, and what you owe now."), *_PAYMENTS),
    "payout.bank_refused": (N_("Check the bank account, and request the payout again."), *_EARNINGS),
    "payout.destination_added": (N_("Ask who added it. Contact support at once if none of you did."), *_EARNINGS),
    "payout.destination_changed": (N_("Ask who changed it. Contact support at once if none of you did."), *_EARNINGS),
    "payout.failed": (N_("The amount is back in your earnings. Check the payout account."), *_EARNINGS),
    "payout.waiting_for_funds": (N_("It is sent when the platform's balance at the provider covers it."), *_EARNINGS),
    "policy_waiting": (N_("Review the proposed change, and approve it if you agree."), "analytics", N_("Advice")),
    "purchase_unconfirmed": (
        N_("Compare the purchases with the vendors' charges, and confirm or correct them."),
        *_PURCHASES,
    ),
    "purchase_unknown": (N_("Look up the payment at the vendor, and report its result."), *_PURCHASES),
    "referral.taken_back": (N_("The payment behind it was refunded, so the reward was reversed."),),
    "reputation_anomaly": (N_("See what changed the agent's score."), *_AGENTS),
    "reserve_low": (N_("Raise the reserve, or approve less from it."), *_BUDGETS),
    "secret_rotation_failed": (N_("The previous value stays in use. The rotation is retried. Check the reason."),),
    "secret_rotation_overdue": (N_("Check the reason, and replace the value: its schedule is broken."),),
    "secret_rotation_waits": (N_("Set a new value at its target, and enter it."),),
    "spend.burst": (N_("An agent may be in a loop. Freeze its limit if it is."), *_LIMITS),
    "spend.refused": (N_("See what was declined, and raise the limit if needed."), *_LIMITS),
    "spend.threshold": (N_("Raise the limit, or let it decline further charges."), *_LIMITS),
    "subscription.credits_not_granted": (N_("Credits are only granted for payments. Operators decide."),),
    "subscription.seats_exceeded": (
        N_("Revoke keys that people no longer need, or change to a plan with more seats."),
        *_KEYS,
    ),
    "tax.country_unproven": (N_("Check country and region of your billing address."),),
    "tax.vat_doubtful": (N_("Check that the VAT number is yours."),),
    "tax.vat_not_in_force": (N_("Check the VAT number in your billing details."),),
    "usage.not_charged": (N_("See pending charges, and add credits if needed."), *_USAGE),
    "usage.not_counted": (N_("The events cannot be parsed. Fix the sender."), *_USAGE),
    "usage.unpaid_near": (N_("Pay open invoices, or agree a higher limit. Charges beyond it are declined."), *_USAGE),
    "usage.unpaid_reached": (N_("Charges are declined. Pay open invoices, or agree a higher limit."), *_USAGE),
    "webhook_endpoint.full": (N_("Fix the receiver. Events are queued until the backlog shrinks."), *_ENDPOINTS),
    "webhook_endpoint.given_up": (N_("Fix the receiver, then enable the endpoint. Events are kept."), *_ENDPOINTS),
}


def title_of(kind: str) -> str:
    """Return the title of a kind in the reader's language; that of a custom rule is its name."""
    return texts.title_of(kind, language() if language() in texts.TEXTS else "en")


def kinds(_visit: Visit) -> Options:
    """Return the kinds of alerts as options of a filter, by their titles."""
    pairs = ((kind, title_of(kind)) for kind in texts.TEXTS["en"].alerts)
    return (("", _("Any")), *sorted(pairs, key=lambda pair: pair[1].casefold()))


def advice_for(kind: str) -> Advice:
    """Return what to do about a kind; an unknown kind belongs to a custom rule."""
    return Advice(*ADVICE.get(kind, _RULE))
