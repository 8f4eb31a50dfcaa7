"""Reading invoices: lists, one invoice, its documents, and how it is collected."""

from datetime import UTC, datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, permit, require
from api.deps import Deps, DepsDep
from api.documents import PDF_RESPONSE, XML_RESPONSE, as_pdf, as_xml
from api.errors import errors
from api.lists import AMOUNT, CREATED, Items, ListEndpoint, ListRequest, items_of
from api.metadata import tagged, visible_metadata
from api.routing import Resource
from api.tenancy import listed_organization
from api.v1.invoices.schemas import CollectionView, InvoiceDetail, InvoiceView, collection_view, detail, view
from domain.billing.invoice.collection import Collection
from domain.billing.invoice.state import InvoiceStatus
from domain.common.access import Actor, Permission
from domain.common.errors import DocumentNoEinvoice, DocumentNoSeller, NotFound, WrongInvoiceState
from models.billing.document import StoredDocument
from models.billing.invoice import InvoiceRow
from repositories.billing import credit_note as credit_notes, invoice as invoices, invoice_collection as collections
from services.billing import document, invoice

router = Resource(tags=["invoices"])

_DOCUMENT = errors(WrongInvoiceState, DocumentNoSeller)
_E_INVOICE = errors(WrongInvoiceState, DocumentNoSeller, DocumentNoEinvoice)


_LIST = ListEndpoint(
    "invoices",
    InvoiceView,
    *(*CREATED, "organization_id", *AMOUNT, "q"),
    order=["inv"],
    has_metadata=True,
    status=InvoiceStatus,
)


@_LIST.get(router, "/billing/invoices", NotFound)
async def list_invoices(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_BILLING)) -> Items:
    """List the organization's invoices, newest first."""
    wanted, now = asked.wanted(listed_organization(actor, asked.organization_id)), datetime.now(UTC)
    async with deps.session_for(actor) as session:
        found = await invoices.page(session, wanted)
        own = await visible_metadata(session, actor, {row.id: row.org_id for row in found.rows})
        return items_of(found, lambda row: view(row, now, own.get(row.id)))


@router.get("/billing/invoices/{invoice_id}")
async def get_invoice(invoice_id: str, actor: ActorDep, deps: DepsDep, response: Response) -> InvoiceDetail:
    """Show an invoice, with the amount that each payment has paid."""
    async with deps.session_for(actor) as session:
        row = await require_invoice(session, actor, invoice_id, Permission.READ_BILLING)
        paid = list(await invoices.payments_of(session, row.id))
        own = (await visible_metadata(session, actor, {row.id: row.org_id})).get(row.id)
        tagged(response, own)
        notes = await credit_notes.of_invoice(session, row.id)
        buyer = await document.buyer_of(session, row.org_id, await invoice.time_zone_of(session, row), row.party)
        return detail(row, paid, notes, datetime.now(UTC), own, buyer.party)


@router.get("/billing/invoices/{invoice_id}/pdf", response_class=Response, responses=_DOCUMENT | PDF_RESPONSE)
async def get_invoice_pdf(invoice_id: str, actor: ActorDep, deps: DepsDep) -> Response:
    """Return the invoice as PDF, as it was issued; once it is paid, with what was paid and nothing due.

    Each of the two is the same bytes every time. If the details of seller, buyer and tax are complete, it contains the
    electronic invoice of EN 16931 (Factur-X).
    """
    return as_pdf(await _document(deps, actor, invoice_id, shows_payment=True))


@router.get("/billing/invoices/{invoice_id}/xml", response_class=Response, responses=_E_INVOICE | XML_RESPONSE)
async def get_invoice_xml(invoice_id: str, actor: ActorDep, deps: DepsDep) -> Response:
    """Return the electronic invoice of EN 16931 (CII), as it was issued."""
    return as_xml(await _document(deps, actor, invoice_id))


@router.get(
    "/billing/invoices/{invoice_id}/credit-notes/{credit_note_id}/pdf",
    response_class=Response,
    responses=_DOCUMENT | PDF_RESPONSE,
)
async def get_credit_note_pdf(invoice_id: str, credit_note_id: str, actor: ActorDep, deps: DepsDep) -> Response:
    """Return a credit note as PDF, with the electronic credit note inside."""
    async with deps.session_for(actor) as session:
        row = await require_invoice(session, actor, invoice_id, Permission.READ_BILLING)
        note = await credit_notes.get(session, row.id, credit_note_id)
        content = partial(document.of_credit_note, session, row, note, deps.documents.seller_of(row.series))
        wanted = await deps.documents.find(session, row.org_id, note.id, content, total_minor=note.amount_minor)
    return as_pdf(await deps.documents.made(wanted))


@router.get("/billing/invoices/{invoice_id}/collection")
async def get_collection(invoice_id: str, actor: ActorDep, deps: DepsDep) -> CollectionView:
    """Show the collection of an invoice: each past step, and the next one. 404 if it has no collection."""
    async with deps.session_for(actor) as session:
        await require_invoice(session, actor, invoice_id, Permission.READ_BILLING)
        return await collection_of(session, invoice_id)


async def require_invoice(session: AsyncSession, actor: Actor, invoice_id: str, permission: Permission) -> InvoiceRow:
    """Look an invoice up before the role is judged: 404 comes before 403. Of the platform, only operators get on."""
    row = await invoices.get(session, invoice_id)
    permit(actor, permission)
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
    return row


async def require_collection(session: AsyncSession, invoice_id: str) -> Collection:
    """Return the collection of an invoice; 404 if it has none."""
    row = await collections.get(session, invoice_id)
    if row is None:
        raise NotFound("This invoice is not collected automatically: its organization pays it.")
    return collections.state_of(row)


async def collection_of(session: AsyncSession, invoice_id: str) -> CollectionView:
    """Show how an invoice is collected; 404 if it has no collection."""
    held = await require_collection(session, invoice_id)
    return collection_view(held, await collections.timeline(session, invoice_id))


async def _document(deps: Deps, actor: Actor, invoice_id: str, *, shows_payment: bool = False) -> StoredDocument:
    async with deps.session_for(actor) as session:
        row = await require_invoice(session, actor, invoice_id, Permission.READ_BILLING)
        # What a credit note or a loss has settled is due on the invoice as issued, and has documents of its own.
        is_settled_by_money = row.paid_minor and not (row.credited_minor or row.written_off_minor)
        is_paid = shows_payment and row.status == InvoiceStatus.PAID and is_settled_by_money
        of, subject = (document.of_paid_invoice, f"{row.id}:paid") if is_paid else (document.of_invoice, row.id)
        content = partial(of, session, row, deps.documents.seller_of(row.series))
        wanted = await deps.documents.find(session, row.org_id, subject, content, total_minor=row.total_minor)
    return await deps.documents.made(wanted)
