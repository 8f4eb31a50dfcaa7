"""Runs of monthly invoices, items that they charge once, and the invoice to come."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import Query
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import DepsDep, TemporalDep
from api.errors import errors
from api.fields import OrganizationId
from api.idempotency import MayRepeat, MovesMoney
from api.lists import AMOUNT, CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import known_organization, listed_organization
from api.v1.billing_runs.schemas import (
    BillingRunStart,
    BillingRunView,
    InvoiceItemCreate,
    InvoiceItemView,
    UpcomingInvoiceView,
)
from contracts.billing.billing_run import BillingRun
from contracts.runs import billing_run_run
from domain.billing.billing_run.period import parse_month
from domain.billing.billing_run.status import BillingRunStatus, InvoiceItemStatus
from domain.billing.invoice.lines import InvoiceLine, check_lines
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import NotFound
from domain.common.money import parse_amount
from models.billing.billing_run import InvoiceItemRow
from repositories.billing import billing_run as runs
from runtime import reach
from runtime.identity import new_id
from services.billing import billing_run, invoice_item

router = Resource(tags=["billing_runs"])

#: How many failures a run shows.
SHOWN = 100


@router.get("/billing/invoices/upcoming", responses=errors(NotFound, refusals.UnknownEntity), tags=["invoices"])
async def preview_invoice(
    deps: DepsDep,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> UpcomingInvoiceView:
    """Preview the organization's invoice as if the month ended now."""
    org_id = await known_organization(deps, actor, organization_id)
    async with deps.database.platform() as session:
        rules = deps.settings.invoice_rules
        return UpcomingInvoiceView.of(await billing_run.upcoming(session, org_id, rules, datetime.now(UTC)))


@router.post(
    "/billing/runs",
    status_code=202,
    response_model=BillingRunView,
    responses=errors(refusals.MonthNotEnded, refusals.BillingRunEarlierFirst),
)
async def start_billing_run(
    body: BillingRunStart,
    deps: DepsDep,
    client: TemporalDep,
    once: MayRepeat,
    actor: Actor = require(Permission.OPERATE),
) -> Response:
    """Invoice a past month to every organization. For operators.

    A month is invoiced to each organization once, however often you start the run. Starting a run that has ended
    returns its result. If it could not invoice some organizations, they are tried again.
    """
    month = parse_month(body.period)
    async with once:
        async with deps.session_for(actor) as session:
            row, is_due = await billing_run.order_run(session, actor, month, datetime.now(UTC))
            shown = BillingRunView.of(row, await runs.failures(session, month, SHOWN))
        if is_due:
            await reach.start_missing(client, billing_run_run(BillingRun(month=month, only=True)))
        return once.answer(shown)


_RUNS = ListEndpoint("billing-runs", BillingRunView, *CREATED, order=[date], status=BillingRunStatus)
_ITEMS = ListEndpoint(
    "invoice-items",
    InvoiceItemView,
    *(*CREATED, "organization_id", *AMOUNT, "q"),
    order=["ii"],
    status=InvoiceItemStatus,
)


@_RUNS.get(router, "/billing/runs")
async def list_billing_runs(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.INSPECT)) -> Items:
    """List the runs of monthly invoices, the latest month first. Times are when they started. For operators."""
    wanted = asked.wanted(None)
    return await asked.rows(deps.session_for(actor), runs.runs, wanted, BillingRunView.of)


@router.get("/billing/runs/{period}")
async def get_billing_run(period: str, deps: DepsDep, actor: Actor = require(Permission.INSPECT)) -> BillingRunView:
    """Show the run of a month, with the organizations that could not be invoiced. For operators."""
    month = parse_month(period)
    async with deps.session_for(actor) as session:
        row = await runs.run_of(session, month)
        return BillingRunView.of(row, await runs.failures(session, month, SHOWN))


@router.post(
    "/billing/invoice-items",
    tags=["invoice_items"],
    status_code=201,
    response_model=InvoiceItemView,
    responses=errors(NotFound, refusals.OrganizationClosed, refusals.InvoiceItemLimitReached),
)
async def add_invoice_item(
    body: InvoiceItemCreate, deps: DepsDep, once: MovesMoney, actor: Actor = require(Permission.OPERATE)
) -> Response:
    """Add a one-time item to the organization's next monthly invoice. For operators."""
    async with once, deps.session_for(actor) as session:
        line = InvoiceLine(
            description=body.description,
            quantity=body.quantity,
            unit_minor=parse_amount(body.unit_amount, body.currency),
        )
        check_lines([line], body.currency)
        row = InvoiceItemRow(
            id=new_id("ii"),
            org_id=body.organization_id,
            currency=body.currency,
            description=line.description,
            quantity=line.quantity,
            unit_minor=line.unit_minor,
            created_by=actor.qualified(),
            command_id=once.command_id,
            created_at=datetime.now(UTC),
        )
        return once.answer(InvoiceItemView.of(await invoice_item.add(session, actor, row)))


@_ITEMS.get(router, "/billing/invoice-items", NotFound, tags=["invoice_items"])
async def list_invoice_items(
    deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_BILLING)
) -> Items:
    """List one-time invoice items, newest first. Amounts are per unit."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    return await asked.rows(deps.session_for(actor), runs.items, wanted, InvoiceItemView.of)


@router.delete(
    "/billing/invoice-items/{item_id}", tags=["invoice_items"], responses=errors(refusals.InvoiceItemNotOpen)
)
async def remove_invoice_item(item_id: str, deps: DepsDep, actor: ActorDep) -> InvoiceItemView:
    """Remove an item that is not yet on an invoice. For operators."""
    async with deps.session_for(actor) as session:
        await runs.item(session, item_id)
        permit(actor, Permission.OPERATE)
        return InvoiceItemView.of(await invoice_item.remove(session, actor, item_id, datetime.now(UTC)))
