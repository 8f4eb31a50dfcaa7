"""Tells payments that their provider may have news."""

from temporalio.client import Client

from contracts.payment import PaymentInput, ProviderEventSignal
from contracts.runs import payment_run
from domain.access import Actor, Role
from domain.payment.terms import PaymentTerms
from runtime import reach


async def tell_payment(client: Client, terms: PaymentTerms, *, principal: str, event_id: str) -> None:
    """Make a payment look at its provider; a run that has ended starts again from the books.

    Args:
        client: of the worker.
        terms: of the payment.
        principal: in whose name a new run is started.
        event_id: why; the id of an event of the inbox is marked as handled by the payment's own transaction.
    """
    start = PaymentInput(
        terms=terms,
        created_by=Actor(principal=principal, role=Role.OPERATOR),
        command_id=f"event:{event_id}",
        resume=True,
    )
    await reach.signal(client, payment_run(start), "provider_event", ProviderEventSignal(event_id=event_id))
