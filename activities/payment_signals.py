"""Tells payments that their provider may have news."""

from temporalio.client import Client
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy

from contracts.payment import PaymentInput, ProviderEventSignal
from contracts.queues import TASK_QUEUE, TASK_TIMEOUT, cut_summary
from contracts.search_attributes import payment_attributes
from domain.access import Actor, Role
from domain.ids import payment_workflow_id
from domain.payment.state import PaymentTerms
from domain.payment.story import summary

#: The pinned type of the workflow that a payment's events go to, and its signal.
PAYMENT_WORKFLOW, PAYMENT_SIGNAL = "payment", "provider_event"


async def tell_payment(client: Client, terms: PaymentTerms, *, principal: str, event_id: str) -> None:
    """Make a payment look at its provider; a run that has ended starts again from the books.

    Args:
        client: of the worker.
        terms: of the payment.
        principal: in whose name a new run is started.
        event_id: why; the id of an event of the inbox is marked as handled by the payment's own transaction.
    """
    await client.start_workflow(
        PAYMENT_WORKFLOW,
        PaymentInput(
            terms=terms,
            created_by=Actor(principal=principal, role=Role.OPERATOR),
            command_id=f"event:{event_id}",
            resume=True,
        ),
        id=payment_workflow_id(terms.payment_id),
        task_queue=TASK_QUEUE,
        start_signal=PAYMENT_SIGNAL,
        start_signal_args=[ProviderEventSignal(event_id=event_id)],
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
        task_timeout=TASK_TIMEOUT,
        static_summary=cut_summary(summary(terms)),
        search_attributes=payment_attributes(terms, None),
    )
