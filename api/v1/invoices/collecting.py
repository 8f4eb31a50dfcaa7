"""Collecting an invoice by command: charged or dunned from now on, and charged at once."""

from datetime import UTC, datetime

from starlette.responses import Response

from api.auth import ActorDep
from api.deps import DepsDep, TemporalDep
from api.errors import errors
from api.idempotency import MovesMoney
from api.routing import Resource
from api.v1.invoices import commands
from api.v1.invoices.reading import collection_of, require_collection, require_invoice
from api.v1.invoices.schemas import CollectionCreate, CollectionView, InvoiceAct
from contracts.billing.invoice import ChargeInvoice
from domain.common import errors as refusals
from domain.common.access import Permission
from services.billing import invoice_collection

router = Resource(tags=["invoices"])


@router.post(
    "/billing/invoices/{invoice_id}/collection",
    status_code=201,
    response_model=CollectionView,
    responses=errors(refusals.WrongInvoiceState, refusals.InvoiceCollectedAlready),
)
async def collect_invoice(
    invoice_id: str, body: CollectionCreate, actor: ActorDep, deps: DepsDep, once: MovesMoney
) -> Response:
    """Start the collection of an invoice that was left to its organization until now. For operators."""
    async with deps.session_for(actor) as session:
        await require_invoice(session, actor, invoice_id, Permission.OPERATE)
    async with once:
        async with deps.session_for(actor) as session:
            held = await invoice_collection.begin_later(
                session,
                actor,
                invoice_id,
                body.collection_method,
                days=deps.settings.dunned_on,
                command_id=once.command_id,
                now=datetime.now(UTC),
            )
            shown = await collection_of(session, invoice_id)
        commands.start(deps, held)
        return once.answer(shown)


@router.post(
    "/billing/invoices/{invoice_id}/charge",
    response_model=CollectionView,
    responses=errors(refusals.WrongInvoiceState, refusals.ChargeUnderWay),
)
async def charge_invoice(
    invoice_id: str,
    actor: ActorDep,
    deps: DepsDep,
    temporal: TemporalDep,
    once: MovesMoney,
    body: InvoiceAct | None = None,  # noqa: ARG001
) -> Response:
    """Charge the amount due to the stored payment method now, also after a refund or a chargeback. For operators.

    The response does not wait for the money; `GET …/collection` shows the outcome. 404 if it has no collection.
    """
    async with deps.session_for(actor) as session:
        row = await require_invoice(session, actor, invoice_id, Permission.OPERATE)
    async with once:
        async with deps.session_for(actor) as session:
            held = await require_collection(session, invoice_id)
            await invoice_collection.require_not_requested(session, row)
        if not held.has_done(once.command_id):
            await commands.charge(deps, temporal, held, ChargeInvoice(command_id=once.command_id, actor=actor))
        async with deps.session_for(actor) as session:
            return once.answer(await collection_of(session, invoice_id))
