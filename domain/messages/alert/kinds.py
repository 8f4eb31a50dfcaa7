"""The kinds of alerts: their severity, what resolves them, and their escalation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta

from domain.common.access import Role
from domain.messages.alert.escalation import EscalationStep
from domain.messages.alert.life import Severity

Ladder = tuple[EscalationStep, ...]

#: The escalation of alerts that concern only the organization, whose people must be notified.
OWNERS: Ladder = (
    EscalationStep(role=Role.OWNER, after=timedelta()),
    EscalationStep(role=Role.ADMIN, after=timedelta(minutes=30)),
)
#: The escalation of alerts that concern the organization, and on which operators act if it does not answer.
OWNERS_FIRST: Ladder = (*OWNERS, EscalationStep(role=Role.OPERATOR, after=timedelta(hours=2)))
#: The escalation of alerts about a person who may be an owner or an operator: both roles are notified at once.
BOTH: Ladder = (OWNERS[0], EscalationStep(role=Role.OPERATOR, after=timedelta()), *OWNERS_FIRST[1:])
#: The escalation of alerts of the platform alone.
OPERATORS: Ladder = tuple(
    EscalationStep(role=Role.OPERATOR, after=after)
    for after in (timedelta(), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=8))
)

#: `closed_by` of alerts that only a person resolves.
OPERATOR, ORGANIZATION = "an operator", "its organization, or an operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertKind:
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
_TAKEN = "its next event that the books accept"
_DECIDED = "the decision of the chargeback"
_ANSWERED = "the answer to the bank, or the decision of the chargeback"
_SENT = "the payout, sent or failed"
_BY_HAND = AlertKind(closed_by=OPERATOR, severity=Severity.CRITICAL, ladder=OPERATORS)
_REFUSED = AlertKind(closed_by=_TAKEN, severity=Severity.CRITICAL, ladder=OPERATORS)
_DISPUTE = AlertKind(closed_by=_DECIDED, severity=Severity.CRITICAL, ladder=OWNERS_FIRST)
# Critical, because operators can switch off the notifications of warnings.
_KEY = AlertKind(
    closed_by="an operator who is not in the key's chain of issuers", severity=Severity.CRITICAL, ladder=BOTH
)
_TOLD = AlertKind(closed_by=OPERATOR, severity=Severity.INFO)

#: Every kind that code raises, and the kinds of built-in rules that have an escalation.
KINDS: Mapping[str, AlertKind] = {
    "api_key.made_by_operator": _KEY,
    "api_key.made_for_signatory": _KEY,
    "approval.requested": AlertKind(closed_by="its decision"),
    "approval_waiting": AlertKind(closed_by="the decision, or its deadline"),
    "billing.invoice_failed": AlertKind(closed_by=OPERATOR),
    "billing.other_currency": AlertKind(closed_by=OPERATOR),
    "budget_80_percent": AlertKind(closed_by=_WINDOW),
    "card_overspent": AlertKind(closed_by=ORGANIZATION, severity=Severity.CRITICAL, ladder=OWNERS_FIRST),
    "card_refund_unmatched": AlertKind(closed_by=OPERATOR),
    "credits.auto_topup_cap": AlertKind(closed_by=OPERATOR),
    "credits.auto_topup_failed": AlertKind(
        closed_by="the automatic top-up, when it succeeds, is configured again or is off"
    ),
    "credits.auto_topup_off": AlertKind(closed_by="the automatic top-up, when it is configured again"),
    "credits.exhausted": AlertKind(closed_by=ORGANIZATION, severity=Severity.CRITICAL, ladder=OWNERS),
    "customer.unused_cash": AlertKind(closed_by=OPERATOR),
    "document.has_boxes": AlertKind(closed_by=OPERATOR),
    "document.not_made": AlertKind(closed_by=OPERATOR),
    "earnings.not_recovered": AlertKind(closed_by=OPERATOR),
    "earnings.recovered": _TOLD,
    "earnings.recovered_in_vain": AlertKind(closed_by=OPERATOR),
    "emergency_draw": AlertKind(closed_by=ORGANIZATION),
    "emergency_waiting": AlertKind(closed_by="a second person, or its end"),
    "escrow.api_was_away": _BY_HAND,
    "escrow.books_refused": _REFUSED,
    "escrow.decision_overdue": AlertKind(closed_by="the decision", severity=Severity.CRITICAL, ladder=OPERATORS),
    SIGNED_BY_LINK: _KEY,
    "escrow.start_refused": _BY_HAND,
    "forced_spend": AlertKind(closed_by=ORGANIZATION),
    "fraud_suspected": _BY_HAND,
    FREE_QUOTA: AlertKind(closed_by="its first use in a later window, or its organization"),
    "invoice.books_refused": _REFUSED,
    "invoice.stuck": AlertKind(closed_by="its next step"),
    "invoice.waits_for_operator": AlertKind(closed_by="the operator's decision"),
    "mail.no_server": AlertKind(closed_by=OPERATOR),
    "mail.undelivered": AlertKind(closed_by=OPERATOR),
    "notification.undelivered": AlertKind(closed_by=OPERATOR),
    "organization.closed_payment": AlertKind(closed_by=OPERATOR, severity=Severity.CRITICAL, ladder=OPERATORS),
    "organization.subscription_goes_on": AlertKind(
        closed_by="the subscription, when its end is scheduled; or the organization, when it is resumed"
    ),
    "payment.books_refused": _REFUSED,
    "payment.debt": AlertKind(closed_by="the debt, when it is paid"),
    "payment.dispute_inquiry": AlertKind(closed_by=_DECIDED),
    "payment.dispute_lost": AlertKind(closed_by="the money, when it is returned; otherwise an operator"),
    "payment.dispute_opened": _DISPUTE,
    "payment.dispute_reopened": _DISPUTE,
    "payment.evidence_due": AlertKind(closed_by=_ANSWERED, severity=Severity.CRITICAL, ladder=OPERATORS),
    "payment.evidence_offered": AlertKind(closed_by=_ANSWERED),
    "payment.fees_high": AlertKind(closed_by=OPERATOR),
    "payment.overdue": AlertKind(closed_by="the payment, when it is over"),
    "payment.purpose_gone": AlertKind(closed_by=OPERATOR),
    "payment.refund_failed": AlertKind(closed_by=OPERATOR),
    "payment.refund_taken_over": AlertKind(closed_by=OPERATOR),
    "payment.reversed": AlertKind(closed_by=OPERATOR),
    "payment.start_refused": _BY_HAND,
    "payout.bank_refused": AlertKind(closed_by=OPERATOR),
    "payout.books_refused": _REFUSED,
    "payout.destination_added": AlertKind(
        closed_by="the next check of the account after the hold", severity=Severity.INFO
    ),
    "payout.destination_changed": AlertKind(closed_by=OPERATOR, severity=Severity.CRITICAL, ladder=OWNERS_FIRST),
    "payout.failed": AlertKind(closed_by=OPERATOR),
    "payout.reversal_refused": AlertKind(closed_by=OPERATOR),
    "payout.reversed_elsewhere": AlertKind(closed_by=OPERATOR),
    "payout.schedule_failed": AlertKind(closed_by=OPERATOR),
    "payout.sent_while_suspended": AlertKind(closed_by=OPERATOR, severity=Severity.CRITICAL, ladder=OPERATORS),
    "payout.unknown": AlertKind(closed_by=_SENT),
    "payout.waiting_for_funds": AlertKind(closed_by=_SENT),
    POLICY_WAITING: AlertKind(closed_by="its approval, another change of the policy, or its organization"),
    "probe_failed": AlertKind(closed_by="its rule", severity=Severity.CRITICAL, ladder=OPERATORS),
    "provider_down": AlertKind(closed_by="its rule", severity=Severity.CRITICAL, ladder=OPERATORS),
    "purchase_unconfirmed": AlertKind(closed_by="the confirmation of the agent's purchases"),
    "purchase_unknown": AlertKind(closed_by="the result of the attempt"),
    "reconciliation.difference": AlertKind(closed_by="the discrepancy, when it is resolved"),
    "reconciliation.failed": AlertKind(closed_by="a later run that covers the window"),
    "reconciliation.incomplete": AlertKind(closed_by="the next run of the provider"),
    "reference_rates.unread": AlertKind(closed_by=OPERATOR),
    "referral.taken_back": _TOLD,
    "reserve_low": AlertKind(closed_by=ORGANIZATION),
    "risk.case_overdue": AlertKind(closed_by="the decision", severity=Severity.CRITICAL, ladder=OPERATORS),
    "risk.unavailable": AlertKind(closed_by=OPERATOR, severity=Severity.CRITICAL, ladder=OPERATORS),
    "risk_case.books_refused": _REFUSED,
    "search_index.refused": AlertKind(closed_by=OPERATOR),
    "search_index.silent": AlertKind(closed_by=OPERATOR),
    ROTATION_FAILED: AlertKind(closed_by="the rotation, when it succeeds"),
    ROTATION_OVERDUE: AlertKind(
        closed_by="the rotation, when it succeeds", severity=Severity.CRITICAL, ladder=OWNERS_FIRST
    ),
    ROTATION_WAITS: AlertKind(closed_by="the new value", severity=Severity.INFO),
    "spend.burst": AlertKind(closed_by=_WINDOW),
    "spend.no_rate": AlertKind(closed_by=OPERATOR),
    "spend.refused": AlertKind(closed_by=_WINDOW),
    "spend.threshold": AlertKind(closed_by=_WINDOW),
    "statement.not_made": AlertKind(closed_by=OPERATOR),
    "subscription.books_refused": _REFUSED,
    "subscription.charged_less": AlertKind(
        closed_by="the next period that is charged in full, or the subscription's end"
    ),
    "subscription.credits_not_granted": AlertKind(closed_by=OPERATOR),
    "subscription.made_after_all": AlertKind(closed_by=OPERATOR),
    "subscription.not_answered": AlertKind(closed_by="the provider call, when it is answered or given up"),
    "subscription.seats_exceeded": AlertKind(closed_by="people and seats, when they fit", ladder=OWNERS),
    "subscription.upgrade_not_undone": AlertKind(closed_by="the undo, when the provider accepts it", ladder=OPERATORS),
    "tax.country_unproven": AlertKind(closed_by=OPERATOR),
    "tax.vat_doubtful": AlertKind(closed_by=OPERATOR),
    "tax.vat_not_in_force": AlertKind(closed_by=OPERATOR),
    "usage.cost_differs": AlertKind(closed_by=OPERATOR),
    "usage.not_charged": AlertKind(closed_by=OPERATOR),
    "usage.not_counted": AlertKind(closed_by=OPERATOR),
    "usage.unpaid_near": AlertKind(closed_by=ORGANIZATION),
    "usage.unpaid_reached": AlertKind(closed_by=ORGANIZATION, severity=Severity.CRITICAL, ladder=OWNERS_FIRST),
    "webhook.unmatched": AlertKind(closed_by=OPERATOR),
    "webhook.wrong_mode": AlertKind(closed_by=OPERATOR),
    "webhook_endpoint.books_refused": _REFUSED,
    "webhook_endpoint.full": AlertKind(closed_by="the endpoint, when half as many webhooks wait"),
    "webhook_endpoint.given_up": AlertKind(closed_by="the endpoint, enabled again", ladder=OWNERS),
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
        return tuple(EscalationStep.named(name) for name in of_rule)
    known = KINDS.get(kind)
    return () if known is None else known.ladder
