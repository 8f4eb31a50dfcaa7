"""Invoices: operators issue and void them, organizations pay them."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import DepsDep, TemporalDep
from api.errors import errors
from api.fields import OrganizationId, Page
from api.idempotency import Command, idempotency
from api.pagination import DEFAULT_LIMIT, CursorParam, LimitParam, id_cursor, id_page
from api.tenancy import visible_organization
from api.v1.invoices.schemas import InvoiceCreate, InvoiceDetail, InvoiceView, InvoiceVoid, detail, view
from api.v1.payments import commands
from api.v1.payments.endpoints import CREATING, INVOICED, shown
from api.v1.payments.schemas import PaymentOptions, PaymentView
from api.v1.payments.terms import Terms, subject_of
from domain.access import Actor, Permission
from domain.errors import Forbidden, NotFound
from domain.invoice.lines import InvoiceLine
from domain.invoice.state import InvoiceStatus, WrongInvoiceState
from domain.money import parse_amount
from domain.payment.terms import PaymentTerms, PurposeKind
from models.invoice import InvoiceRow
from repositories import invoice as invoices
from services import invoice

router = APIRouter(tags=["invoices"])

MovesMoney = Annotated[Command, idempotency(required=True)]

_PAYING = errors(NotFound, Forbidden, *INVOICED, *CREATING)


@router.post("/billing/invoices", status_code=201, response_model=InvoiceView, responses=errors(NotFound))
async def issue_invoice(
    body: InvoiceCreate, deps: DepsDep, once: MovesMoney, actor: Actor = require(Permission.OPERATE)
) -> Response:
    """Issue an invoice to an organization. For operators."""

    async def act() -> InvoiceView:
        now = datetime.now(UTC)
        lines = [
            InvoiceLine(
                description=line.description,
                quantity=line.quantity,
                unit_minor=parse_amount(line.unit_amount, body.currency),
            )
            for line in body.lines
        ]
        async with deps.session_for(actor) as session:
            row = await invoice.issue(
                session,
                actor,
                org_id=body.organization_id,
                currency=body.currency,
                lines=lines,
                note=body.note,
                due_in=body.due_in,
                command_id=once.command_id,
                now=now,
            )
            return view(row, now)

    return await once.run(act, status_code=201)


@router.get("/billing/invoices", response_model=Page[InvoiceView], responses=errors(NotFound))
async def list_invoices(
    deps: DepsDep,
    limit: LimitParam = DEFAULT_LIMIT,
    cursor: CursorParam = None,
    status: Annotated[InvoiceStatus | None, Query(description="Only invoices in this state.")] = None,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ),
) -> Page[InvoiceView]:
    """List the organization's invoices, newest first."""
    if actor.is_platform:
        permit(actor, Permission.OPERATE)
    org_id, after, now = visible_organization(actor, organization_id), id_cursor(cursor, "inv"), datetime.now(UTC)
    async with deps.session_for(actor) as session:
        rows = await invoices.page(session, org_id=org_id, status=status, after=after, limit=limit + 1)
        return id_page(rows, limit, "inv", lambda row: view(row, now))


@router.get("/billing/invoices/{invoice_id}", response_model=InvoiceDetail, responses=errors(NotFound))
async def get_invoice(invoice_id: str, actor: ActorDep, deps: DepsDep) -> InvoiceDetail:
    """Show an invoice and the amount that each payment has paid."""
    async with deps.session_for(actor) as session:
        row = await _seen(session, actor, invoice_id, Permission.READ)
        return detail(row, list(await invoices.payments_of(session, row.id)), datetime.now(UTC))


@router.post(
    "/billing/invoices/{invoice_id}/void",
    response_model=InvoiceView,
    responses=errors(NotFound, Forbidden, WrongInvoiceState),
)
async def void_invoice(
    invoice_id: str,
    actor: ActorDep,
    deps: DepsDep,
    once: MovesMoney,
    body: InvoiceVoid | None = None,  # noqa: ARG001
) -> Response:
    """Void an invoice that has no payments; money that arrives for it later is returned. For operators."""
    async with deps.session_for(actor) as session:
        await _seen(session, actor, invoice_id, Permission.OPERATE)

    async def act() -> InvoiceView:
        now = datetime.now(UTC)
        async with deps.session_for(actor) as session:
            return view(await invoice.void(session, actor, invoice_id, once.command_id, now), now)

    return await once.run(act)


@router.post("/billing/invoices/{invoice_id}/pay", status_code=201, response_model=PaymentView, responses=_PAYING)
async def pay_invoice(
    invoice_id: str, body: PaymentOptions, actor: ActorDep, deps: DepsDep, temporal: TemporalDep, once: MovesMoney
) -> Response:
    """Start a payment of the amount due. It is the same as `POST /payments` with the purpose `invoice`."""
    async with deps.session_for(actor) as session:
        await _seen(session, actor, invoice_id, Permission.PAY)
    assert actor.org_id is not None
    making = Terms(deps, actor.org_id, body)

    async def terms() -> PaymentTerms:
        payable = await subject_of(deps, actor, PurposeKind.INVOICE, invoice_id)
        return await making.ordered(PurposeKind.INVOICE, payable)

    async def act() -> PaymentView:
        return shown(await commands.create(deps, temporal, actor, once, terms), actor)

    return await once.run(act, status_code=201)


async def _seen(session: AsyncSession, actor: Actor, invoice_id: str, permission: Permission) -> InvoiceRow:
    """Look an invoice up before the role is judged: 404 comes before 403. Of the platform, only operators get on."""
    row = await invoices.get(session, invoice_id)
    permit(actor, permission)
    if actor.is_platform:
        permit(actor, Permission.OPERATE)
    return row
