"""Refresh of unpaid payments whose subject can no longer be paid, so that they are cancelled at their provider."""

from collections.abc import Mapping
from contextlib import suppress
from datetime import timedelta

from temporalio.client import Client
from temporalio.service import RPCError

from contracts.payments.payment import PaymentSignal
from domain.common.ids import payment_workflow_id
from repositories.payments import payment
from runtime import reach
from runtime.database import Database

#: The timeout of the signal to a payment.
SIGNAL_TIMEOUT = timedelta(seconds=2)


async def refresh_unpaid(
    database: Database, client: Client | None, org_id: str, subject: Mapping[str, str | None]
) -> None:
    """Refresh the unpaid payments of a subject, such as an `invoice_id`, now. Call it after the transaction.

    Each payment then checks `PurposeBooks.gone`. If the signal fails, or there is no `client`, its next poll does.
    """
    if client is None or not subject:
        return
    async with database.platform() as session:
        awaited = await payment.open_payments_of(session, org_id, subject)
    for each in awaited:
        payment_id = each.terms.payment_id
        with suppress(RPCError):
            await reach.signal_running(
                client,
                payment_workflow_id(payment_id),
                "look",
                PaymentSignal(look=payment_id),
                rpc_timeout=SIGNAL_TIMEOUT,
            )
