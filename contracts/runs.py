"""The run of an entity: its pinned type, its id and its start options, the same for every caller."""

from dataclasses import dataclass

from temporalio.common import TypedSearchAttributes, WorkflowIDReusePolicy

from contracts.billing.billing_run import BillingRun
from contracts.billing.invoice import InvoiceInput, InvoiceSignal
from contracts.billing.subscription import SubscriptionEventSignal, SubscriptionInput, SubscriptionSignal
from contracts.books.reconciliation import ReconciliationInput
from contracts.budgets.purchase_order import PurchaseOrderInput
from contracts.common.base import Message
from contracts.common.queues import cut_summary
from contracts.common.search_attributes import escrow_attributes, payment_attributes, search_attributes
from contracts.escrow.escrow import EscrowInput
from contracts.insight.export import ExportInput
from contracts.insight.report import RecomputeNow, ReportInput
from contracts.messages.escalation import EscalationInput
from contracts.messages.notification import DigestInput
from contracts.messages.webhook_endpoint import WebhookEndpointInput, WebhookNews
from contracts.payments.auto_topup import AutoTopUpInput
from contracts.payments.customer import CustomerInput
from contracts.payments.payment import PaymentInput, ProviderEventInput, ProviderEventSignal
from contracts.payouts.payout import FundsAvailable, PayoutInput
from contracts.returns.allocation import AllocationInput
from contracts.risk.case import CaseInput
from contracts.secrets.rotation import RotationChanged, RotationInput
from contracts.usage.usage import UsageSync
from domain.billing.billing_run.period import month_text
from domain.billing.invoice.collection import Collection
from domain.billing.invoice.presentation import summary as invoice_summary
from domain.billing.subscription.state import Subscription
from domain.budgets.purchase_order import summary as purchase_summary
from domain.common.access import Actor, Role
from domain.common.ids import (
    allocation_workflow_id,
    auto_topup_workflow_id,
    billing_run_workflow_id,
    customer_workflow_id,
    digest_workflow_id,
    escalation_workflow_id,
    escrow_workflow_id,
    export_workflow_id,
    invoice_workflow_id,
    payment_workflow_id,
    payout_workflow_id,
    provider_event_workflow_id,
    purchase_order_workflow_id,
    reconciliation_workflow_id,
    report_workflow_id,
    risk_case_workflow_id,
    rotation_workflow_id,
    subscription_workflow_id,
    usage_sync_workflow_id,
    webhook_endpoint_workflow_id,
)
from domain.common.money import CREDIT, format_amount
from domain.escrow.presentation import summary as escrow_summary
from domain.escrow.state import EscrowStatus
from domain.messages.alert.presentation import summary as escalation_summary
from domain.payments.payment.presentation import summary as payment_summary
from domain.payments.payment.state import PaymentStatus
from domain.payments.payment.terms import PaymentTerms
from domain.payouts.payout.presentation import summary as payout_summary
from domain.payouts.payout.state import Payout
from domain.risk.case import Case, summary as case_summary


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """How an entity's run is addressed, and how it is started if there is none.

    Attributes:
        workflow: the pinned type.
        workflow_id: the entity's id; at most one run of it is open.
        start: the input; with `resume` the run continues from the books.
        summary: shown in the Temporal UI's list.
        attributes: see `contracts.common.search_attributes`.
        reuse: whether a run may follow one that has ended.
        priority: of its tasks, from 1 (first) to 5; None is the default.
    """

    workflow: str
    workflow_id: str
    start: Message
    summary: str
    attributes: TypedSearchAttributes = TypedSearchAttributes.empty
    reuse: WorkflowIDReusePolicy = WorkflowIDReusePolicy.ALLOW_DUPLICATE
    priority: int | None = None


def escrow_run(start: EscrowInput, *, priority: int | None = None) -> Run:
    terms = start.terms
    return Run(
        workflow="escrow",
        workflow_id=escrow_workflow_id(terms.contract_id),
        start=start,
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        summary=escrow_summary(terms),
        attributes=escrow_attributes(terms, None if start.resume else EscrowStatus.OPEN),
        priority=priority,
    )


def payment_run(start: PaymentInput) -> Run:
    """Return the run of a payment. After it has ended, news start a new one."""
    terms = start.terms
    return Run(
        workflow="payment",
        workflow_id=payment_workflow_id(terms.payment_id),
        start=start,
        summary=cut_summary(payment_summary(terms)),
        attributes=payment_attributes(terms, None if start.resume else PaymentStatus.CREATED),
    )


def payment_news(terms: PaymentTerms, *, principal: str, event_id: str) -> tuple[Run, str, ProviderEventSignal]:
    """Return the signal that refreshes a payment: its run, the signal's name, and the message, for `runtime.reach`.

    Args:
        terms: of the payment; a new run resumes from the books.
        principal: who starts a new run.
        event_id: the cause; an inbox event of this id is marked as handled by the payment's own transaction.
    """
    actor = Actor(principal=principal, role=Role.OPERATOR)
    start = PaymentInput(terms=terms, created_by=actor, command_id=f"event:{event_id}", resume=True)
    return payment_run(start), "provider_event", ProviderEventSignal(event_id=event_id)


def subscription_run(start: SubscriptionInput) -> Run:
    """Return the run of a subscription. After it has ended, news start a new one."""
    held = start.subscription
    return Run(
        workflow="subscription",
        workflow_id=subscription_workflow_id(held.subscription_id),
        start=start,
        summary=cut_summary(f"{held.terms.plan} by the {held.terms.interval.value}, for {held.org_id}"),
        attributes=search_attributes(
            org_id=held.org_id,
            state=None if start.resume else held.status.value,
            amount_minor=held.terms.amount_minor,
            currency=held.terms.currency,
        ),
    )


def subscription_news(held: Subscription, *, principal: str, event_id: str) -> tuple[Run, str, SubscriptionEventSignal]:
    """Return the signal that refreshes a subscription: its run, the signal's name, and the message."""
    actor = Actor(principal=principal, role=Role.OPERATOR)
    start = SubscriptionInput(subscription=held, created_by=actor, command_id=f"event:{event_id}", resume=True)
    return subscription_run(start), "provider_event", SubscriptionEventSignal(event_id=event_id)


def subscription_look(held: Subscription, *, actor: Actor) -> tuple[Run, str, SubscriptionSignal]:
    start = SubscriptionInput(subscription=held, created_by=actor, command_id=f"look:{held.version}", resume=True)
    return subscription_run(start), "look", SubscriptionSignal()


def provider_event_run(start: ProviderEventInput, *, summary: str = "started again by the inbox sweep") -> Run:
    """Return the run that dispatches an inbox event; a new one may follow while the event is not handled."""
    return Run(
        workflow="provider-event",
        workflow_id=provider_event_workflow_id(start.provider, start.event_id),
        start=start,
        summary=cut_summary(summary),
    )


def payout_run(start: PayoutInput, payout: Payout) -> Run:
    """Return the run of a payout. It may follow a run that completed before the books were restored."""
    return Run(
        workflow="payout",
        workflow_id=payout_workflow_id(start.payout_id),
        start=start,
        summary=cut_summary(payout_summary(payout)),
        attributes=search_attributes(org_id=payout.org_id, amount_minor=payout.amount_minor, currency=payout.currency),
    )


def payout_news(held: Payout, *, event_id: str, place: int) -> tuple[Run, str, FundsAvailable]:
    """Return the signal that retries a payout soon: its run, the signal's name, and the message, for `runtime.reach`.

    Args:
        held: the payout's state in the books; a lost run is started again.
        event_id: the provider's event that says that its balance has grown.
        place: the number of older payouts signalled by the event.
    """
    run = payout_run(PayoutInput(payout_id=held.payout_id), held)
    return run, "funds_available", FundsAvailable(event_id=event_id, place=place)


def risk_case_run(case: Case) -> Run:
    """Return the run of a case; a new one follows only if a closed case is missing its last events."""
    return Run(
        workflow="risk-case",
        workflow_id=risk_case_workflow_id(case.case_id),
        start=CaseInput(case_id=case.case_id),
        summary=cut_summary(case_summary(case)),
        attributes=search_attributes(
            org_id=case.org_ids[0] if case.org_ids else None, state=case.status, amount_minor=case.value_minor
        ),
    )


def invoice_run(held: Collection) -> Run:
    return Run(
        workflow="invoice",
        workflow_id=invoice_workflow_id(held.invoice_id),
        start=InvoiceInput(invoice_id=held.invoice_id),
        summary=cut_summary(invoice_summary(held)),
        attributes=search_attributes(org_id=held.org_id, currency=held.currency),
    )


def invoice_news(held: Collection) -> tuple[Run, str, InvoiceSignal]:
    """Return the signal to read the invoice again: the run, the signal's name, and the message, for `runtime.reach`."""
    return invoice_run(held), "look", InvoiceSignal()


def webhook_endpoint_run(endpoint_id: str, org_id: str) -> Run:
    return Run(
        workflow="webhook-endpoint",
        workflow_id=webhook_endpoint_workflow_id(endpoint_id),
        start=WebhookEndpointInput(endpoint_id=endpoint_id),
        summary=cut_summary(f"webhooks of {org_id} to {endpoint_id}"),
        attributes=search_attributes(org_id=org_id),
    )


def webhook_endpoint_news(endpoint_id: str, org_id: str) -> tuple[Run, str, WebhookNews]:
    """Return the signal to check for deliveries: the run, the signal's name, and the message."""
    return webhook_endpoint_run(endpoint_id, org_id), "news", WebhookNews()


def digest_run(start: DigestInput, org_id: str | None) -> Run:
    return Run(
        workflow="digest",
        workflow_id=digest_workflow_id(start.recipient, start.digest),
        start=start,
        summary=cut_summary(f"digest {start.digest} of somebody of {org_id or 'the platform'}"),
        attributes=search_attributes(org_id=org_id),
    )


def report_run(start: ReportInput, org_id: str | None) -> Run:
    """Return the run that makes a period of a report; a request to compute the period once more starts a new one."""
    return Run(
        workflow="report",
        workflow_id=report_workflow_id(start.report_id, start.period),
        start=start,
        summary=cut_summary(f"report of {start.period} for {org_id or 'the platform'}"),
        attributes=search_attributes(org_id=org_id),
        # Many are due at the same midnight, and nobody waits for one.
        priority=5,
    )


def report_news(start: ReportInput, org_id: str | None) -> tuple[Run, str, RecomputeNow]:
    """Return the signal to compute a period once more: its run, the signal's name, and the message."""
    return report_run(start, org_id), "look_again", RecomputeNow()


def customer_run(start: CustomerInput) -> Run:
    """Return the run that creates an organization's customer; a new one follows only a lost run."""
    return Run(
        workflow="customer",
        workflow_id=customer_workflow_id(start.org_id),
        start=start,
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        summary="make a new organization a customer",
        attributes=search_attributes(org_id=start.org_id),
    )


def reconciliation_run(start: ReconciliationInput) -> Run:
    """Return the run of a reconciliation; it is never started twice."""
    return Run(
        workflow="reconciliation",
        workflow_id=reconciliation_workflow_id(start.provider, start.run_id),
        start=start,
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        summary=cut_summary(f"{start.provider}, {start.since:%Y-%m-%d %H:%M} to {start.until:%Y-%m-%d %H:%M}"),
    )


def usage_sync_run(start: UsageSync, command_id: str) -> Run:
    """Return the run of a sync that an operator requested; its id is the command's, so a repetition starts none."""
    return Run(
        workflow="usage-sync",
        workflow_id=usage_sync_workflow_id(command_id),
        start=start,
        reuse=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        summary=cut_summary("Pulls calls from the spend log, as an operator ordered"),
    )


def auto_topup_run(start: AutoTopUpInput) -> Run:
    """Return the run that buys credits for a fall of a balance; a new one may follow while the fall is open."""
    return Run(
        workflow="auto-topup",
        workflow_id=auto_topup_workflow_id(start.org_id, start.number),
        start=start,
        summary=cut_summary(f"buys {format_amount(start.credits_minor, CREDIT)} credits, because the balance is low"),
        attributes=search_attributes(org_id=start.org_id, amount_minor=start.credits_minor, currency=CREDIT),
    )


def escalation_run(start: EscalationInput) -> Run:
    return Run(
        workflow="escalation",
        workflow_id=escalation_workflow_id(start.alert_id),
        start=start,
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        summary=cut_summary(escalation_summary(start.kind, start.subject)),
        attributes=search_attributes(org_id=start.org_id, state="firing"),
    )


def purchase_order_run(start: PurchaseOrderInput, org_id: str, agent_id: str) -> Run:
    return Run(
        workflow="purchase-order",
        workflow_id=purchase_order_workflow_id(start.order_id),
        start=start,
        reuse=WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
        summary=cut_summary(purchase_summary(start.order_id)),
        attributes=search_attributes(org_id=org_id, agent_id=agent_id, state="needs_approval"),
    )


def allocation_run(start: AllocationInput, org_id: str) -> Run:
    """Return the run of a project's night; a new one may follow while the night stays due, and allocates once."""
    return Run(
        workflow="allocation",
        workflow_id=allocation_workflow_id(start.project_id, start.night),
        start=start,
        summary=cut_summary(f"divides the budget of {start.project_id} for {start.night}"),
        attributes=search_attributes(org_id=org_id, state="proposed"),
    )


def rotation_run(secret_id: str, org_id: str) -> Run:
    return Run(
        workflow="secret-rotation",
        workflow_id=rotation_workflow_id(secret_id),
        start=RotationInput(secret_id=secret_id),
        summary=cut_summary(f"rotates {secret_id} of {org_id}"),
        attributes=search_attributes(org_id=org_id),
    )


def rotation_news(secret_id: str, org_id: str) -> tuple[Run, str, RotationChanged]:
    """Return the signal to read a rotation again: the run, the signal's name, and the message."""
    return rotation_run(secret_id, org_id), "news", RotationChanged()


def billing_run_run(start: BillingRun) -> Run:
    """Return the run that an operator starts for a month; a new one retries the organizations that failed."""
    assert start.month is not None
    return Run(
        workflow="monthly-invoicing",
        workflow_id=billing_run_workflow_id(month_text(start.month)),
        start=start,
        summary=cut_summary(f"invoices {month_text(start.month)}, as an operator ordered"),
    )


def export_run(start: ExportInput, org_id: str | None) -> Run:
    """Return the run of an export; after it has ended, a new one deletes the files."""
    return Run(
        workflow="export",
        workflow_id=export_workflow_id(start.export_id),
        start=start,
        summary=cut_summary(start.summary),
        attributes=search_attributes(org_id=org_id),
    )
