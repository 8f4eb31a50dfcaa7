"""The kinds of alerts: their severity, what resolves them, and their escalation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from domain.common.access import Role
from domain.messages.alert.escalation import Step
from domain.messages.alert.life import Severity

Ladder = tuple[Step, ...]

#: The escalation of alerts that concern only the organization, whose people must be notified.
OWNERS: Ladder = (Step(role=Role.OWNER, after=timedelta()), Step(role=Role.ADMIN, after=timedelta(minutes=30)))
#: The escalation of alerts that concern the organization, and on which operators act if it does not answer.
OWNERS_FIRST: Ladder = (*OWNERS, Step(role=Role.OPERATOR, after=timedelta(hours=2)))
#: The escalation of alerts about a person who may be an owner or an operator: both roles are notified at once.
BOTH: Ladder = (OWNERS[0], Step(role=Role.OPERATOR, after=timedelta()), *OWNERS_FIRST[1:])
#: The escalation of alerts of the platform alone.
OPERATORS: Ladder = tuple(
    Step(role=Role.OPERATOR, after=after)
    for after in (timedelta(), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=8))
)

#: `closed_by` of alerts that only a person resolves.
OPERATOR, ORGANIZATION = "an operator", "its organization, or an operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of alerts.

    Attributes:
        severity: the default severity.
        closed_by: what resolves it, as in `docs/guides/alerts.md`.
        ladder: the steps of the escalation; empty without one.
    """

    closed_by: str
    severity: Severity = Severity.WARNING
    ladder: Ladder = ()


#: A signature was given in a session that another person's link opened. Subject: the escrow.
SIGNED_BY_LINK = "escrow.signed_by_link"
#: The quota of a free option is nearly used. Subject: the option.
FREE_QUOTA = "free_quota"
#: A change of a payment policy was proposed. Subject: the policy, or the organization if it has none.
POLICY_WAITING = "policy_waiting"
#: The rotation of a secret. Subject: the secret.
ROTATION_FAILED, ROTATION_OVERDUE = "secret_rotation_failed", "secret_rotation_overdue"
ROTATION_WAITS = "secret_rotation_waits"
_WINDOW = "the end of its window"
_TAKEN = "its next event that the books take"
_DECIDED = "the decision of the chargeback"
_ANSWERED = "the answer to the bank, or the decision of the chargeback"
_SENT = "the payout, sent or failed"
_BY_HAND = Kind(closed_by=OPERATOR, severity=Severity.CRITICAL, ladder=OPERATORS)
_REFUSED = Kind(closed_by=_TAKEN, severity=Severity.CRITICAL, ladder=OPERATORS)
_DISPUTE = Kind(closed_by=_DECIDED, severity=Severity.CRITICAL, ladder=OWNERS_FIRST)
# Critical, because operators can switch off the notifications of warnings.
_KEY = Kind(closed_by="an operator who is not in the key's line", severity=Severity.CRITICAL, ladder=BOTH)
_TOLD = Kind(closed_by=OPERATOR, severity=Severity.INFO)

#: Every kind that code raises, and the kinds of built-in rules that have an escalation.
KINDS: Mapping[str, Kind] = {
    "api_key.made_by_operator": _KEY,
    "api_key.made_for_signatory": _KEY,
    "approval.requested": Kind(closed_by="its decision"),
    "approval_waiting": Kind(closed_by="the answer, or the end of the time to answer"),
    "billing.invoice_failed": Kind(closed_by=OPERATOR),
    "billing.other_currency": Kind(closed_by=OPERATOR),
    "budget_80_percent": Kind(closed_by=_WINDOW),
    "card_overspent": Kind(closed_by=ORGANIZATION, severity=Severity.CRITICAL, ladder=OWNERS_FIRST),
    "card_refund_unmatched": Kind(closed_by=OPERATOR),
    "credits.auto_topup_cap": Kind(closed_by=OPERATOR),
    "credits.auto_topup_failed": Kind(closed_by="the automatic top-up, when it succeeds, is set anew or is off"),
    "credits.auto_topup_off": Kind(closed_by="the automatic top-up, when it is set anew"),
    "credits.exhausted": Kind(closed_by=ORGANIZATION, severity=Severity.CRITICAL, ladder=OWNERS),
    "customer.unused_cash": Kind(closed_by=OPERATOR),
    "document.has_boxes": Kind(closed_by=OPERATOR),
    "document.not_made": Kind(closed_by=OPERATOR),
    "earnings.not_recovered": Kind(closed_by=OPERATOR),
    "earnings.recovered": _TOLD,
    "earnings.recovered_in_vain": Kind(closed_by=OPERATOR),
    "emergency_draw": Kind(closed_by=ORGANIZATION),
    "emergency_waiting": Kind(closed_by="a second person, or its end"),
    "escrow.api_was_away": _BY_HAND,
    "escrow.books_refused": _REFUSED,
    "escrow.decision_overdue": Kind(closed_by="the decision", severity=Severity.CRITICAL, ladder=OPERATORS),
    SIGNED_BY_LINK: _KEY,
    "escrow.start_refused": _BY_HAND,
    "forced_spend": Kind(closed_by=ORGANIZATION),
    "fraud_suspected": _BY_HAND,
    FREE_QUOTA: Kind(closed_by="its first use in a later window, or its organization"),
    "invoice.books_refused": _REFUSED,
    "invoice.stuck": Kind(closed_by="its next step"),
    "invoice.waits_for_operator": Kind(closed_by="the operator's decision"),
    "mail.no_server": Kind(closed_by=OPERATOR),
    "mail.undelivered": Kind(closed_by=OPERATOR),
    "notification.undelivered": Kind(closed_by=OPERATOR),
    "organization.closed_payment": Kind(closed_by=OPERATOR, severity=Severity.CRITICAL, ladder=OPERATORS),
    "organization.subscription_goes_on": Kind(
        closed_by="the subscription, when it is to end; or the organization, when it is resumed"
    ),
    "payment.books_refused": _REFUSED,
    "payment.debt": Kind(closed_by="the debt, when it is paid"),
    "payment.dispute_inquiry": Kind(closed_by=_DECIDED),
    "payment.dispute_lost": Kind(closed_by="the money, when it comes back; else an operator"),
    "payment.dispute_opened": _DISPUTE,
    "payment.dispute_reopened": _DISPUTE,
    "payment.evidence_due": Kind(closed_by=_ANSWERED, severity=Severity.CRITICAL, ladder=OPERATORS),
    "payment.evidence_offered": Kind(closed_by=_ANSWERED),
    "payment.fees_high": Kind(closed_by=OPERATOR),
    "payment.overdue": Kind(closed_by="the payment, when it is over"),
    "payment.purpose_gone": Kind(closed_by=OPERATOR),
    "payment.refund_failed": Kind(closed_by=OPERATOR),
    "payment.refund_taken_over": Kind(closed_by=OPERATOR),
    "payment.reversed": Kind(closed_by=OPERATOR),
    "payment.start_refused": _BY_HAND,
    "payout.bank_refused": Kind(closed_by=OPERATOR),
    "payout.books_refused": _REFUSED,
    "payout.destination_added": Kind(closed_by="the next look at the account after the hold", severity=Severity.INFO),
    "payout.destination_changed": Kind(closed_by=OPERATOR, severity=Severity.CRITICAL, ladder=OWNERS_FIRST),
    "payout.failed": Kind(closed_by=OPERATOR),
    "payout.reversal_refused": Kind(closed_by=OPERATOR),
    "payout.reversed_elsewhere": Kind(closed_by=OPERATOR),
    "payout.schedule_failed": Kind(closed_by=OPERATOR),
    "payout.sent_while_suspended": Kind(closed_by=OPERATOR, severity=Severity.CRITICAL, ladder=OPERATORS),
    "payout.unknown": Kind(closed_by=_SENT),
    "payout.waiting_for_funds": Kind(closed_by=_SENT),
    POLICY_WAITING: Kind(closed_by="its approval, another change of the policy, or its organization"),
    "probe_failed": Kind(closed_by="its rule", severity=Severity.CRITICAL, ladder=OPERATORS),
    "provider_down": Kind(closed_by="its rule", severity=Severity.CRITICAL, ladder=OPERATORS),
    "purchase_unconfirmed": Kind(closed_by="the confirmation of the agent's purchases"),
    "purchase_unknown": Kind(closed_by="the result of the attempt"),
    "reconciliation.difference": Kind(closed_by="the discrepancy, when it is resolved"),
    "reconciliation.failed": Kind(closed_by="a later run that covers the window"),
    "reconciliation.incomplete": Kind(closed_by="the next run of the provider"),
    "reference_rates.unread": Kind(closed_by=OPERATOR),
    "referral.taken_back": _TOLD,
    "reserve_low": Kind(closed_by=ORGANIZATION),
    "search_index.refused": Kind(closed_by=OPERATOR),
    "search_index.silent": Kind(closed_by=OPERATOR),
    ROTATION_FAILED: Kind(closed_by="the rotation, when it succeeds"),
    ROTATION_OVERDUE: Kind(closed_by="the rotation, when it succeeds", severity=Severity.CRITICAL, ladder=OWNERS_FIRST),
    ROTATION_WAITS: Kind(closed_by="the new value", severity=Severity.INFO),
    "spend.burst": Kind(closed_by=_WINDOW),
    "spend.no_rate": Kind(closed_by=OPERATOR),
    "spend.refused": Kind(closed_by=_WINDOW),
    "spend.threshold": Kind(closed_by=_WINDOW),
    "statement.not_made": Kind(closed_by=OPERATOR),
    "subscription.books_refused": _REFUSED,
    "subscription.charged_less": Kind(closed_by="the next period that is charged in full, or the end"),
    "subscription.credits_not_granted": Kind(closed_by=OPERATOR),
    "subscription.made_after_all": Kind(closed_by=OPERATOR),
    "subscription.not_answered": Kind(closed_by="the order, when it is answered or given up"),
    "subscription.seats_exceeded": Kind(closed_by="people and seats, when they fit", ladder=OWNERS),
    "subscription.upgrade_not_undone": Kind(closed_by="the undo, when the provider takes it", ladder=OPERATORS),
    "tax.country_unproven": Kind(closed_by=OPERATOR),
    "tax.vat_doubtful": Kind(closed_by=OPERATOR),
    "tax.vat_not_in_force": Kind(closed_by=OPERATOR),
    "usage.cost_differs": Kind(closed_by=OPERATOR),
    "usage.not_charged": Kind(closed_by=OPERATOR),
    "usage.not_counted": Kind(closed_by=OPERATOR),
    "usage.unpaid_near": Kind(closed_by=ORGANIZATION),
    "usage.unpaid_reached": Kind(closed_by=ORGANIZATION, severity=Severity.CRITICAL, ladder=OWNERS_FIRST),
    "webhook.unmatched": Kind(closed_by=OPERATOR),
    "webhook.wrong_mode": Kind(closed_by=OPERATOR),
    "webhook_endpoint.books_refused": _REFUSED,
    "webhook_endpoint.full": Kind(closed_by="the endpoint, when half as many webhooks wait"),
    "webhook_endpoint.given_up": Kind(closed_by="the endpoint, enabled again", ladder=OWNERS),
}


def severity_of(kind: str) -> Severity:
    """Return the severity of a kind; `warning` if it is not listed."""
    known = KINDS.get(kind)
    return Severity.WARNING if known is None else known.severity


def ladder_of(kind: str, of_rule: Sequence[str] | None = None) -> Ladder:
    """Return the steps of the escalation; empty if there are none.

    Args:
        kind: of the alert.
        of_rule: the names of the steps of the rule that raised it; None if the rule has none.
    """
    if of_rule is not None:
        return tuple(Step.named(name) for name in of_rule)
    known = KINDS.get(kind)
    return () if known is None else known.ladder
