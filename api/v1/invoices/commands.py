"""How a command reaches the run of its invoice."""

from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from api.deps import Deps
from api.idempotency import Command
from api.patience import retry_until_answered
from contracts.invoice import ChargeInvoice, InvoiceResult
from contracts.runs import invoice_news, invoice_run
from domain.access import Actor
from domain.invoice.collection import Collection, CollectionMethod
from models.invoice import InvoiceRow
from repositories import invoice_collection as collections
from runtime import reach
from runtime.catch_up import catching_up
from services import invoice_collection


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


async def collect(
    deps: Deps,
    session: AsyncSession,
    actor: Actor,
    once: Command,
    row: InvoiceRow,
    method: CollectionMethod | None,
    now: datetime,
) -> Collection | None:
    """Have an invoice collected in the transaction that makes it, where that is asked for."""
    if method is None:
        return None
    days, command_id = deps.settings.dunned_on, once.command_id
    return await invoice_collection.begin(session, actor, row, method, days=days, command_id=command_id, now=now)


def start(deps: Deps, held: Collection | None) -> None:
    """Start the run of an invoice soon; the sweep starts it otherwise."""
    if held is not None and deps.temporal is not None:
        run = invoice_run(held)
        deps.background.begin(run.workflow_id, partial(reach.start_missing, deps.temporal, run))


def tell(deps: Deps, held: Collection | None) -> None:
    """Have the run of an invoice that has changed look at it soon; the sweep tells it otherwise."""
    if held is not None and deps.temporal is not None:
        run, name, news = invoice_news(held)
        deps.background.begin(run.workflow_id, partial(reach.signal, deps.temporal, run, name, news))
