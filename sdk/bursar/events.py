"""Data of events. Written by `python -m dev.sdk` from the OpenAPI document: not edited by hand."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from bursar._wire import NOT_SENT, Amount, Model


class Unknown(Model):
    """Data of a type that this version does not know; see its `model_extra`."""


class _Escrow(Model):
    """Data that several event types share."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    contract_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    status: (
        Literal["open", "funded", "delivered", "disputed", "released", "refunded", "split", "cancelled", "expired"]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    funded_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    commission_amount: Amount = NOT_SENT
    signatures: int = NOT_SENT
    required_signatures: int = NOT_SENT
    validation_score: Amount | None = None
    next_deadline_at: datetime | None = None


class EscrowOpened(_Escrow):
    """An escrow was opened; it waits for its money."""


class EscrowFunded(_Escrow):
    """The payer's money is in the escrow; the agent can begin."""


class EscrowDelivered(_Escrow):
    """Work was delivered, for review."""


class EscrowDisputed(_Escrow):
    """A dispute was opened; the money is frozen."""


class EscrowReleased(_Escrow):
    """The payee was paid, and the escrow has ended."""


class EscrowRefunded(_Escrow):
    """The payer got everything back, and the escrow has ended."""


class EscrowSplit(_Escrow):
    """Both sides got a part, and the escrow has ended."""


class EscrowCancelled(_Escrow):
    """The escrow was cancelled, or not funded in time; what it held was refunded."""


class EscrowExpired(_Escrow):
    """The next part was not delivered in time; the payer got back what was left."""


class EscrowValidated(_Escrow):
    """A validator scored the delivery below the contract's threshold."""


class EscrowApproved(_Escrow):
    """A signatory approved the delivery; further approvals are needed."""


class EscrowFundingExtended(_Escrow):
    """The payer has longer to fund the escrow, because the API was away."""


class EscrowDeliveryExtended(_Escrow):
    """The payee has longer to deliver, because the API was away."""


class EscrowReviewExtended(_Escrow):
    """The review goes on, because the payee is suspended, the work is checked or the API was away."""


class EscrowEvidenceSubmitted(_Escrow):
    """A party submitted evidence in the dispute."""


class EscrowPartiallyRefunded(_Escrow):
    """The payee refunded a part of the money."""


class EscrowCancelRequested(_Escrow):
    """The payer asks the payee to end the escrow."""


class EscrowDefaultExtended(_Escrow):
    """The dispute waits longer for evidence or a decision, because the payee is suspended or the API was away."""


class EscrowDecisionOverdue(_Escrow):
    """No arbiter has decided in time; the default applies next."""


class EscrowMilestoneReleased(_Escrow):
    """A milestone was paid for, and the next one can begin."""


class _Payment(Model):
    """Data that several event types share."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    provider: str = NOT_SENT
    status: (
        Literal[
            "created",
            "requires_action",
            "processing",
            "unknown",
            "requires_capture",
            "succeeded",
            "failed",
            "expired",
            "cancelled",
            "partially_refunded",
            "refunded",
            "disputed",
            "charged_back",
        ]
        | str
    ) = NOT_SENT
    purpose: Literal["credits", "escrow", "invoice", "slot", "balance", "purchase"] | str = NOT_SENT
    escrow_id: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    received_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    disputed_amount: Amount = NOT_SENT
    decline_code: str | None = None


class PaymentCreated(_Payment):
    """A payment was created."""


class PaymentRequiresAction(_Payment):
    """The payer has to do something: confirm, approve, or send coins."""


class PaymentProcessing(_Payment):
    """The payer has done their part; the money is on its way."""


class PaymentUnknown(_Payment):
    """The provider did not answer; the payment is being looked up there."""


class PaymentRequiresCapture(_Payment):
    """The money is held on the payer's side, to be captured."""


class PaymentSucceeded(_Payment):
    """The money was received."""


class PaymentFailed(_Payment):
    """The payment was declined; no money was received."""


class PaymentExpired(_Payment):
    """The payment was not paid in time."""


class PaymentCancelled(_Payment):
    """The payment was cancelled before it was paid."""


class PaymentPartiallyRefunded(_Payment):
    """A part of the money was refunded, or is about to be."""


class PaymentRefunded(_Payment):
    """All of the money was refunded, or is about to be."""


class PaymentDisputed(_Payment):
    """The payer's bank contests the payment; what it bought is held."""


class PaymentChargedBack(_Payment):
    """A chargeback was lost; the money went back to the payer."""


class _Refund(Model):
    """Data that several event types share."""

    refund_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["requested", "unknown", "pending", "succeeded", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class RefundRequested(_Refund):
    """A refund was requested; the entitlement was taken back from the organization."""


class RefundUnknown(_Refund):
    """The provider did not answer to a refund; it is being looked up there."""


class RefundPending(_Refund):
    """The provider has accepted the refund."""


class RefundSucceeded(_Refund):
    """The money was refunded."""


class RefundFailed(_Refund):
    """The provider did not make the refund; the entitlement was restored to the organization."""


class _Chargeback(Model):
    """Data that several event types share."""

    chargeback_id: str = NOT_SENT
    payment_id: str = NOT_SENT
    status: Literal["inquiry", "needs_response", "under_review", "won", "lost"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    reason: str = NOT_SENT
    evidence_due_at: datetime | None = None


class ChargebackInquiry(_Chargeback):
    """The payer's bank asks about a payment; no money was taken."""


class ChargebackNeedsResponse(_Chargeback):
    """A chargeback was opened; evidence can be submitted."""


class ChargebackUnderReview(_Chargeback):
    """The payer's bank has the evidence."""


class ChargebackWon(_Chargeback):
    """The chargeback was won; the money was returned to the platform."""


class ChargebackLost(_Chargeback):
    """The chargeback was lost; the money went back to the payer."""


class _Subscription(Model):
    """Data that several event types share."""

    subscription_id: str = NOT_SENT
    status: Literal["created", "incomplete", "trialing", "active", "past_due", "unpaid", "ended"] | str = NOT_SENT
    plan: str = NOT_SENT
    interval: Literal["month", "year"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    recurring_price: Amount = NOT_SENT
    recurring_net: Amount = NOT_SENT
    seats: int | None = None
    period_end: datetime | None = None
    cancels_at_period_end: bool = NOT_SENT


class SubscriptionCreated(_Subscription):
    """A subscription was created."""


class SubscriptionIncomplete(_Subscription):
    """Its first payment is awaited."""


class SubscriptionTrialing(_Subscription):
    """A trial has begun."""


class SubscriptionActive(_Subscription):
    """The subscription is paid for."""


class SubscriptionPastDue(_Subscription):
    """The payment of a period failed; the provider retries it."""


class SubscriptionUnpaid(_Subscription):
    """The provider has stopped retrying; the organization has the free plan."""


class SubscriptionEnded(_Subscription):
    """The subscription has ended."""


class SubscriptionUpdated(_Subscription):
    """The plan or price was changed, a new period has begun, or its end was set or revoked."""


class _Payout(Model):
    """Data that several event types share."""

    payout_id: str = NOT_SENT
    status: Literal["requested", "waiting_for_funds", "unknown", "paid", "failed"] | str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    failure_code: str | None = None


class PayoutRequested(_Payout):
    """A payout was requested; its amount was taken out of the earnings."""


class PayoutWaitingForFunds(_Payout):
    """The platform's balance at the provider is too low; the payout is sent once it suffices."""


class PayoutUnknown(_Payout):
    """The provider did not answer to a payout; it is being looked up there."""


class PayoutPaid(_Payout):
    """The payout was sent to the creator's account."""


class PayoutFailed(_Payout):
    """The payout was not sent; its amount was returned to the earnings."""


class _PurchaseOrder(Model):
    """Data that several event types share."""

    purchase_order_id: str = NOT_SENT
    external_id: str | None = None
    agent_id: str = NOT_SENT
    project_id: str | None = None
    status: (
        Literal[
            "approved",
            "needs_alternatives",
            "needs_approval",
            "declined_over_budget",
            "declined_policy",
            "purchased",
            "abandoned",
            "expired",
            "cancelled",
        ]
        | str
    ) = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    code: (
        Literal[
            "approved",
            "granted",
            "over_budget",
            "no_budget",
            "policy",
            "needs_alternatives",
            "approval_required",
            "refused",
            "unanswered",
        ]
        | str
    ) = NOT_SENT
    budget_id: str | None = None
    window: str | None = None


class PurchaseOrderApproved(_PurchaseOrder):
    """A purchase was approved; its amount is held in the budgets above the agent."""


class PurchaseOrderNeedsAlternatives(_PurchaseOrder):
    """A purchase needs alternatives: the agent has to look at free ones first."""


class PurchaseOrderNeedsApproval(_PurchaseOrder):
    """A purchase waits for the approval of a person."""


class PurchaseOrderDeclinedOverBudget(_PurchaseOrder):
    """A purchase was declined: it does not fit into a budget."""


class PurchaseOrderDeclinedPolicy(_PurchaseOrder):
    """A purchase was declined by the policy or by a person."""


class PurchaseOrderPurchased(_PurchaseOrder):
    """A purchase was paid for."""


class PurchaseOrderAbandoned(_PurchaseOrder):
    """A purchase was given up; what was held is released."""


class PurchaseOrderExpired(_PurchaseOrder):
    """A purchase was not made in time; what was held is released."""


class PurchaseOrderCancelled(_PurchaseOrder):
    """A purchase that renewed was cancelled; it does not renew any more."""


class _SpendControl(Model):
    """Data that several event types share."""

    control_id: str = NOT_SENT
    parent_id: str | None = None
    subject_type: Literal["organization", "department", "project", "agent", "run", "key"] | str = NOT_SENT
    subject_id: str | None = None
    currency: str = NOT_SENT
    status: Literal["active", "frozen", "closed"] | str = NOT_SENT
    version: int = NOT_SENT


class SpendControlCreated(_SpendControl):
    """A spend control was created."""


class SpendControlUpdated(_SpendControl):
    """A spend control's limits, rules or parent were changed."""


class SpendControlFrozen(_SpendControl):
    """A spend control was frozen: nothing can be spent under it."""


class SpendControlUnfrozen(_SpendControl):
    """A spend control was unfrozen: its limits apply again."""


class SpendControlClosed(_SpendControl):
    """A spend control was closed permanently; it has no effect any more."""


class SpendLimitCrossed(Model):
    """The amount spent and reserved has reached a threshold of a limit."""

    control_id: str = NOT_SENT
    window: str = NOT_SENT
    threshold_percent: int = NOT_SENT
    resets_at: datetime | None = None


class ReportReady(Model):
    """A report of a period was made, or a later version of it with other figures."""

    report_id: str = NOT_SENT
    period: str = NOT_SENT
    version: int = NOT_SENT
    number: int = NOT_SENT


class _Risk(Model):
    """Data that several event types share."""

    case_id: str = NOT_SENT
    status: Literal["open", "assigned", "waiting", "decided", "appealed", "closed"] | str = NOT_SENT
    reason: (
        Literal["unusual_payment", "unusual_payout", "related_parties", "delivery_check", "account_safety"] | str
    ) = NOT_SENT
    result: Literal["release", "refuse"] | str | None = None


class RiskCaseOpened(_Risk):
    """Acts of the organization are reviewed; `GET /risk/cases/{id}` shows what is held."""


class RiskInformationRequested(_Risk):
    """A question about a case waits for the organization's answer."""


class RiskCaseDecided(_Risk):
    """A case was decided. After a release, repeat held requests with the same Idempotency-Key."""


class _Organization(Model):
    """Data that several event types share."""

    organization_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["active", "suspended", "closed"] | str = NOT_SENT
    changed_at: datetime = NOT_SENT


class OrganizationSuspended(_Organization):
    """An operator has suspended the organization: nothing new begins until it is resumed."""


class OrganizationResumed(_Organization):
    """An operator has resumed the organization."""


class OrganizationClosed(_Organization):
    """An operator has closed the organization permanently; its keys are revoked."""


class AgentCreated(Model):
    """The organization has created an agent."""

    agent_id: str = NOT_SENT
    external_id: str | None = None


class AgentRetired(Model):
    """The organization has retired an agent: nothing new begins with it."""

    agent_id: str = NOT_SENT
    external_id: str | None = None
    retired_at: datetime = NOT_SENT


class OrganizationUpdated(Model):
    """Fields of an organization were changed; `changed` names them."""

    organization_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id", "name"] | str] = NOT_SENT


class AgentUpdated(Model):
    """Fields of an agent were changed; `changed` names them."""

    agent_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[
        Literal["metadata", "external_id", "name", "description", "category", "pricing", "terms", "visibility"] | str
    ] = NOT_SENT


class ProjectUpdated(Model):
    """Fields of a project were changed; `changed` names them."""

    project_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id", "name"] | str] = NOT_SENT


class ContractUpdated(Model):
    """Fields of a contract were changed; `changed` names them."""

    contract_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class EscrowUpdated(Model):
    """Fields of an escrow were changed; `changed` names them."""

    escrow_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class PaymentUpdated(Model):
    """Fields of a payment were changed; `changed` names them."""

    payment_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class InvoiceUpdated(Model):
    """Fields of an invoice were changed; `changed` names them."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class GrantUpdated(Model):
    """Fields of a grant were changed; `changed` names them."""

    grant_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class PurchaseOrderUpdated(Model):
    """Fields of a purchase_order were changed; `changed` names them."""

    purchase_order_id: str = NOT_SENT
    external_id: str | None = None
    changed: list[Literal["metadata", "external_id"] | str] = NOT_SENT


class _Invoice(Model):
    """Data that several event types share."""

    invoice_id: str = NOT_SENT
    external_id: str | None = None
    status: Literal["open", "paid", "void", "draft", "uncollectible"] | str = NOT_SENT
    currency: str = NOT_SENT
    total: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT
    paid_amount: Amount = NOT_SENT
    due_amount: Amount = NOT_SENT
    paused_for: Literal["refund", "chargeback"] | str | None = None
    due_at: datetime = NOT_SENT


class InvoiceCreated(_Invoice):
    """An invoice was drafted; it can still change."""


class InvoiceFinalized(_Invoice):
    """An invoice was issued."""


class InvoicePaid(_Invoice):
    """Nothing of the invoice is due any more."""


class InvoiceReopened(_Invoice):
    """A refund or a chargeback made a settled invoice due again."""


class InvoiceVoided(_Invoice):
    """The invoice was voided."""


class InvoiceMarkedUncollectible(_Invoice):
    """The amount due was given up as uncollectible."""


class InvoiceDeleted(_Invoice):
    """A draft was discarded."""


class CreditNoteCreated(Model):
    """A credit note was issued, which reduces an invoice."""

    credit_note_id: str = NOT_SENT
    invoice_id: str = NOT_SENT
    currency: str = NOT_SENT
    amount: Amount = NOT_SENT
    tax_amount: Amount = NOT_SENT


class _Purchase(Model):
    """Data that several event types share."""

    purchase_id: str = NOT_SENT
    agent_id: str = NOT_SENT
    role: Literal["buyer", "seller"] | str = NOT_SENT
    model: Literal["monthly", "free", "one_time", "usage"] | str = NOT_SENT
    status: Literal["active", "suspended", "refunded", "ended"] | str = NOT_SENT
    currency: str | None = None
    price: Amount | None = None
    ends_at: datetime | None = None


class PurchaseCreated(_Purchase):
    """An agent was bought."""


class PurchaseSuspended(_Purchase):
    """The payment for the agent is contested; the buyer cannot use the agent meanwhile."""


class PurchaseResumed(_Purchase):
    """The buyer can use the agent again."""


class PurchaseRefunded(_Purchase):
    """The buyer returned the agent, and the price was refunded."""


class PurchaseEnded(_Purchase):
    """The paid month has ended, whether renewed or not, or a purchase by use was cancelled."""


class _Project(Model):
    """Data that several event types share."""

    project_id: str = NOT_SENT
    external_id: str | None = None
    deploy_type: str = NOT_SENT
    deployed_at: datetime | None = None


class ProjectCreated(_Project):
    """A project was created."""


class DeploymentStarted(_Project):
    """A project was deployed."""


class DeploymentStopped(_Project):
    """A project is no longer deployed."""


class _Contract(Model):
    """Data that several event types share."""

    contract_id: str = NOT_SENT
    external_id: str | None = None
    agent_id: str = NOT_SENT
    role: Literal["payer", "payee", "signatory"] | str = NOT_SENT
    currency: str = NOT_SENT
    price: Amount = NOT_SENT
    accept_by: datetime | None = None
    accepted_at: datetime | None = None


class ContractCreated(_Contract):
    """A contract was created; its escrow can be opened."""


class ContractProposed(_Contract):
    """A contract was proposed on terms that the payee has to accept."""


class ContractAccepted(_Contract):
    """The payee has accepted the terms."""


class ContractExpired(_Contract):
    """The payee did not accept the terms in time, and cannot accept them any more."""


class _Alert(Model):
    """Data that several event types share."""

    alert_id: str = NOT_SENT
    kind: str = NOT_SENT
    subject: str = NOT_SENT
    severity: Literal["info", "warning", "critical"] | str = NOT_SENT


class AlertRaised(_Alert):
    """Something needs a person's attention."""


class AlertAcknowledged(_Alert):
    """The alert was acknowledged, or its case is closed."""


class AlertSnoozed(Model):
    """The alert is snoozed: no notifications of it until a set time."""

    alert_id: str = NOT_SENT
    kind: str = NOT_SENT
    subject: str = NOT_SENT
    severity: Literal["info", "warning", "critical"] | str = NOT_SENT
    snoozed_until: datetime = NOT_SENT


class AlertResolved(_Alert):
    """The alert's case is closed."""


class CreditLotCreated(Model):
    """Credits were added."""

    lot_id: str = NOT_SENT
    external_id: str | None = None
    source: str = NOT_SENT
    amount: Amount = NOT_SENT
    expires_at: datetime | None = None
    debt_paid: Amount = NOT_SENT


class CreditLotExpired(Model):
    """Credits have expired."""

    lot_id: str = NOT_SENT
    external_id: str | None = None
    source: str = NOT_SENT
    amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class _Reservation(Model):
    """Data that several event types share."""

    reservation_id: str = NOT_SENT
    status: str = NOT_SENT
    agent_id: str | None = None
    asset: str = NOT_SENT
    amount: Amount = NOT_SENT
    captured_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class ReservationCreated(_Reservation):
    """Credits were reserved."""


class ReservationCaptured(_Reservation):
    """A reservation was captured, in part or in full."""


class ReservationReleased(_Reservation):
    """A reservation was released; none of it was used."""


class ReservationExpired(_Reservation):
    """A reservation has expired; none of it was used."""


class ReservationRefunded(_Reservation):
    """A reservation has ended; everything used of it was already refunded."""


class SpendRefunded(Model):
    """An operator refunded a part or all of what was charged."""

    spend_id: str = NOT_SENT
    status: str = NOT_SENT
    agent_id: str | None = None
    asset: str = NOT_SENT
    amount: Amount = NOT_SENT
    captured_amount: Amount = NOT_SENT
    released_amount: Amount = NOT_SENT
    refunded_amount: Amount = NOT_SENT
    expires_at: datetime | None = None


class ScoreChanged(Model):
    """An agent's stars changed in a night, by a tenth or more."""

    agent_id: str = NOT_SENT
    external_id: str | None = None
    stars: Amount = NOT_SENT
    change: Amount = NOT_SENT
    is_sudden: bool = NOT_SENT
    day: str = NOT_SENT


class WebhookEndpointTest(Model):
    """A test event, sent to one endpoint on request."""

    endpoint_id: str = NOT_SENT


#: The class of each type.
BY_TYPE: dict[str, type[Model]] = {
    "escrow.opened": EscrowOpened,
    "escrow.funded": EscrowFunded,
    "escrow.delivered": EscrowDelivered,
    "escrow.disputed": EscrowDisputed,
    "escrow.released": EscrowReleased,
    "escrow.refunded": EscrowRefunded,
    "escrow.split": EscrowSplit,
    "escrow.cancelled": EscrowCancelled,
    "escrow.expired": EscrowExpired,
    "escrow.validated": EscrowValidated,
    "escrow.approved": EscrowApproved,
    "escrow.funding_extended": EscrowFundingExtended,
    "escrow.delivery_extended": EscrowDeliveryExtended,
    "escrow.review_extended": EscrowReviewExtended,
    "escrow.evidence_submitted": EscrowEvidenceSubmitted,
    "escrow.partially_refunded": EscrowPartiallyRefunded,
    "escrow.cancel_requested": EscrowCancelRequested,
    "escrow.default_extended": EscrowDefaultExtended,
    "escrow.decision_overdue": EscrowDecisionOverdue,
    "escrow.milestone_released": EscrowMilestoneReleased,
    "payment.created": PaymentCreated,
    "payment.requires_action": PaymentRequiresAction,
    "payment.processing": PaymentProcessing,
    "payment.unknown": PaymentUnknown,
    "payment.requires_capture": PaymentRequiresCapture,
    "payment.succeeded": PaymentSucceeded,
    "payment.failed": PaymentFailed,
    "payment.expired": PaymentExpired,
    "payment.cancelled": PaymentCancelled,
    "payment.partially_refunded": PaymentPartiallyRefunded,
    "payment.refunded": PaymentRefunded,
    "payment.disputed": PaymentDisputed,
    "payment.charged_back": PaymentChargedBack,
    "refund.requested": RefundRequested,
    "refund.unknown": RefundUnknown,
    "refund.pending": RefundPending,
    "refund.succeeded": RefundSucceeded,
    "refund.failed": RefundFailed,
    "chargeback.inquiry": ChargebackInquiry,
    "chargeback.needs_response": ChargebackNeedsResponse,
    "chargeback.under_review": ChargebackUnderReview,
    "chargeback.won": ChargebackWon,
    "chargeback.lost": ChargebackLost,
    "subscription.created": SubscriptionCreated,
    "subscription.incomplete": SubscriptionIncomplete,
    "subscription.trialing": SubscriptionTrialing,
    "subscription.active": SubscriptionActive,
    "subscription.past_due": SubscriptionPastDue,
    "subscription.unpaid": SubscriptionUnpaid,
    "subscription.ended": SubscriptionEnded,
    "subscription.updated": SubscriptionUpdated,
    "payout.requested": PayoutRequested,
    "payout.waiting_for_funds": PayoutWaitingForFunds,
    "payout.unknown": PayoutUnknown,
    "payout.paid": PayoutPaid,
    "payout.failed": PayoutFailed,
    "purchase_order.approved": PurchaseOrderApproved,
    "purchase_order.needs_alternatives": PurchaseOrderNeedsAlternatives,
    "purchase_order.needs_approval": PurchaseOrderNeedsApproval,
    "purchase_order.declined_over_budget": PurchaseOrderDeclinedOverBudget,
    "purchase_order.declined_policy": PurchaseOrderDeclinedPolicy,
    "purchase_order.purchased": PurchaseOrderPurchased,
    "purchase_order.abandoned": PurchaseOrderAbandoned,
    "purchase_order.expired": PurchaseOrderExpired,
    "purchase_order.cancelled": PurchaseOrderCancelled,
    "spend_control.created": SpendControlCreated,
    "spend_control.updated": SpendControlUpdated,
    "spend_control.frozen": SpendControlFrozen,
    "spend_control.unfrozen": SpendControlUnfrozen,
    "spend_control.closed": SpendControlClosed,
    "spend_limit.crossed": SpendLimitCrossed,
    "report.ready": ReportReady,
    "risk.case_opened": RiskCaseOpened,
    "risk.information_requested": RiskInformationRequested,
    "risk.case_decided": RiskCaseDecided,
    "organization.suspended": OrganizationSuspended,
    "organization.resumed": OrganizationResumed,
    "organization.closed": OrganizationClosed,
    "agent.created": AgentCreated,
    "agent.retired": AgentRetired,
    "organization.updated": OrganizationUpdated,
    "agent.updated": AgentUpdated,
    "project.updated": ProjectUpdated,
    "contract.updated": ContractUpdated,
    "escrow.updated": EscrowUpdated,
    "payment.updated": PaymentUpdated,
    "invoice.updated": InvoiceUpdated,
    "grant.updated": GrantUpdated,
    "purchase_order.updated": PurchaseOrderUpdated,
    "invoice.created": InvoiceCreated,
    "invoice.finalized": InvoiceFinalized,
    "invoice.paid": InvoicePaid,
    "invoice.reopened": InvoiceReopened,
    "invoice.voided": InvoiceVoided,
    "invoice.marked_uncollectible": InvoiceMarkedUncollectible,
    "invoice.deleted": InvoiceDeleted,
    "credit_note.created": CreditNoteCreated,
    "purchase.created": PurchaseCreated,
    "purchase.suspended": PurchaseSuspended,
    "purchase.resumed": PurchaseResumed,
    "purchase.refunded": PurchaseRefunded,
    "purchase.ended": PurchaseEnded,
    "project.created": ProjectCreated,
    "deployment.started": DeploymentStarted,
    "deployment.stopped": DeploymentStopped,
    "contract.created": ContractCreated,
    "contract.proposed": ContractProposed,
    "contract.accepted": ContractAccepted,
    "contract.expired": ContractExpired,
    "alert.raised": AlertRaised,
    "alert.acknowledged": AlertAcknowledged,
    "alert.snoozed": AlertSnoozed,
    "alert.resolved": AlertResolved,
    "credit_lot.created": CreditLotCreated,
    "credit_lot.expired": CreditLotExpired,
    "reservation.created": ReservationCreated,
    "reservation.captured": ReservationCaptured,
    "reservation.released": ReservationReleased,
    "reservation.expired": ReservationExpired,
    "reservation.refunded": ReservationRefunded,
    "spend.refunded": SpendRefunded,
    "score.changed": ScoreChanged,
    "webhook_endpoint.test": WebhookEndpointTest,
}
