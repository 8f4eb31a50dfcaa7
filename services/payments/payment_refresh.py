"""Has unpaid payments refreshed whose purpose has ended, so that they are cancelled at their provider."""

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
    """Have the unpaid payments of a subject, such as an `invoice_id`, refreshed now. Call it after the transaction.

    Each then finds by `PurposeBooks.gone` that it is not needed any more. Where the signal fails, or there is no
    `client`, the payment's next poll finds it.
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
