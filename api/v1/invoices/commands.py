"""How a command reaches the run of its invoice."""

from temporalio.client import Client

from api.deps import Deps
from api.patience import retry_until_answered
from contracts.invoice import ChargeInvoice, InvoiceResult
from contracts.runs import invoice_run
from domain.invoice.collection import Collection
from repositories import invoice_collection as collections
from runtime import reach
from runtime.catch_up import catching_up


async def charge(deps: Deps, client: Client, held: Collection, command: ChargeInvoice) -> InvoiceResult:
    """Have an invoice charged now, by its run, which is started where there is none.

    Raises:
        DomainError: it cannot be charged now.
        Unavailable: no answer in time; repeating the key is safe.
    """
    run = invoice_run(held)

    async def books() -> int:
        async with deps.database.platform() as session:
            row = await collections.get(session, held.invoice_id)
            return 0 if row is None else row.version

    async def give(update_id: str) -> InvoiceResult:
        return await reach.update(client, run, "charge", command, update_id=update_id, result_type=InvoiceResult)

    attempt = catching_up(client, run.workflow_id, command.command_id, give, books)
    return await retry_until_answered(attempt, limit=deps.settings.command_timeout, what="invoice")
