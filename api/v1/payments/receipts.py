"""The receipts of payments, and their tax documents, as PDF."""

from functools import partial

from starlette.responses import Response

from api.auth import ActorDep
from api.deps import Deps, DepsDep
from api.documents import PDF_RESPONSE, as_pdf
from api.errors import errors
from api.routing import Resource
from api.v1.payments.endpoints import find_visible_payment
from api.v1.payments.schemas import TaxReceiptList, TaxReceiptView
from domain.common.access import Actor, Permission
from domain.common.errors import DocumentNoSeller, DocumentNothingReceived
from domain.payments.payment.state import Payment
from repositories.billing import tax_receipt as tax_receipts
from services.billing import document
from services.billing.tax import entity_selling_to

router = Resource(tags=["payments"])


@router.get(
    "/payments/{payment_id}/receipt",
    response_class=Response,
    responses=errors(DocumentNoSeller, DocumentNothingReceived) | PDF_RESPONSE,
)
async def get_receipt(payment_id: str, actor: ActorDep, deps: DepsDep) -> Response:
    """Return the receipt of a payment as PDF: the money received, before refunds and chargebacks.

    If credits are taxed when they are sold, it is the first of the payment's tax documents.
    """
    payment = await find_visible_payment(deps, actor, payment_id, Permission.READ_BILLING)
    if payment.terms.tax is not None:
        async with deps.session_for(actor) as session:
            issued = await tax_receipts.of_payment(session, payment_id)
        if issued:
            return await _tax_receipt(deps, actor, payment, issued[0].id)
    received_minor = payment.received_minor - payment.reversed_minor
    async with deps.session_for(actor) as session:
        seller = deps.settings.entities.of(await entity_selling_to(session, payment.terms.org_id)).seller
        content = partial(document.of_payment, session, payment, seller)
        wanted = await deps.documents.find(
            session, payment.terms.org_id, payment_id, content, total_minor=received_minor
        )
    return as_pdf(await deps.documents.made(wanted))


@router.get("/payments/{payment_id}/receipts")
async def list_receipts(payment_id: str, actor: ActorDep, deps: DepsDep) -> TaxReceiptList:
    """List the tax documents of a payment for credits that are taxed when they are sold, the oldest first."""
    await find_visible_payment(deps, actor, payment_id, Permission.READ_BILLING)
    async with deps.session_for(actor) as session:
        rows = await tax_receipts.of_payment(session, payment_id)
    return TaxReceiptList(data=[TaxReceiptView.of(row) for row in rows])


@router.get(
    "/payments/{payment_id}/receipts/{receipt_id}/pdf",
    response_class=Response,
    responses=errors(DocumentNoSeller) | PDF_RESPONSE,
)
async def get_tax_receipt(payment_id: str, receipt_id: str, actor: ActorDep, deps: DepsDep) -> Response:
    """Return one tax document of a payment as PDF: money received with its tax, or money returned."""
    payment = await find_visible_payment(deps, actor, payment_id, Permission.READ_BILLING)
    return await _tax_receipt(deps, actor, payment, receipt_id)


async def _tax_receipt(deps: Deps, actor: Actor, payment: Payment, receipt_id: str) -> Response:
    async with deps.session_for(actor) as session:
        row = await tax_receipts.get(session, payment.terms.payment_id, receipt_id)
        content = partial(document.of_tax_receipt, session, row, payment.terms, deps.documents.seller_of(row.series))
        wanted = await deps.documents.find(session, row.org_id, row.id, content, total_minor=abs(row.gross_minor))
    return as_pdf(await deps.documents.made(wanted))
