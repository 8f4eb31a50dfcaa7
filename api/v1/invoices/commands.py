"""How a command reaches the run of its invoice."""

from datetime import datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession
from temporalio.client import Client

from api.deps import Deps
from api.idempotency import Command
from contracts.billing.invoice import ChargeInvoice, InvoiceResult
from contracts.runs import invoice_news, invoice_run
from domain.billing.invoice.collection import Collection, CollectionMethod
from domain.billing.invoice.series import entity_of
from domain.billing.invoice.state import InvoiceStatus
from domain.common.access import Actor
from models.billing.invoice import InvoiceRow
from repositories.billing import invoice_collection as collections, invoice_line
from runtime import reach
from runtime.reach import EntityClient
from services.billing import invoice_collection
from services.billing.outside_tax import TaxAnswer
from services.payments import payment_refresh


async def charge(deps: Deps, client: Client, held: Collection, command: ChargeInvoice) -> InvoiceResult:
    """Charge an invoice now, by its run; a missing run is started."""
    limit, run = deps.settings.command_timeout, invoice_run(held)
    entity = EntityClient(client, deps.database, run, InvoiceResult, collections.versions, held.invoice_id, limit=limit)
    return await entity.command("charge", command, update_id=command.command_id)


async def ask_tax(deps: Deps, drafted: InvoiceRow, command_id: str, now: datetime) -> TaxAnswer | None:
    """Ask the outside tax service for a draft; None if there is no service, or it is a draft no more."""
    if drafted.finalise_command_id is not None:
        return None
    return await deps.taxes.of_invoice(
        drafted.org_id,
        drafted.currency,
        invoice_line.lines_of(drafted),
        key=command_id,
        now=now,
        includes_tax=drafted.includes_tax,
        rules=deps.settings.invoice_rules.of(entity_of(drafted.series)),
    )


async def collect(
    deps: Deps,
    session: AsyncSession,
    actor: Actor,
    once: Command,
    row: InvoiceRow,
    method: CollectionMethod | None,
    now: datetime,
) -> Collection | None:
    if method is None:
        return None
    days, command_id = deps.settings.dunned_on, once.command_id
    return await invoice_collection.begin(session, actor, row, method, days=days, command_id=command_id, now=now)


def start(deps: Deps, held: Collection | None) -> None:
    """Start the run of an invoice soon; the sweep starts it otherwise."""
    if held is not None and deps.temporal is not None:
        run = invoice_run(held)
        deps.background.begin(run.workflow_id, partial(reach.start_missing, deps.temporal, run))


def refresh_unpaid(deps: Deps, row: InvoiceRow) -> None:
    """Have the unpaid payments of an invoice on which nothing is due any more cancelled; their polls do otherwise."""
    if row.status != InvoiceStatus.OPEN.value:
        work = partial(payment_refresh.refresh_unpaid, deps.database, deps.temporal, row.org_id, {"invoice_id": row.id})
        deps.background.begin(f"{row.id}/payments", work)


def signal_run(deps: Deps, held: Collection | None) -> None:
    if held is not None and deps.temporal is not None:
        run, name, news = invoice_news(held)
        deps.background.begin(run.workflow_id, partial(reach.signal, deps.temporal, run, name, news))
