"""Invoices: operators issue and void them, organizations pay them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.approvals import by_hand, require_two_operators
from api.auth import ActorDep, require
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.idempotency import Command, MayRepeat, MovesMoney
from api.metadata import MetadataTarget, PreconditionDep, read_own, update
from api.routing import Resource
from api.v1.invoices import commands
from api.v1.invoices.reading import require_invoice
from api.v1.invoices.schemas import (
    CreditNoteCreate,
    CreditNoteView,
    InvoiceAct,
    InvoiceCreate,
    InvoiceEdit,
    InvoiceFinalize,
    InvoiceUpdate,
    InvoiceView,
    note_view,
    view,
)
from api.v1.payments import commands as payment_commands
from api.v1.payments.endpoints import CREATING, INVOICED, payment_view
from api.v1.payments.schemas import PaymentOptions, PaymentView
from api.v1.payments.terms import Terms, subject_of
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.errors import Forbidden, Invalid, NotFound
from domain.common.ids import sale_tax_key
from domain.common.money import parse_amount
from domain.payments.payment.terms import PaymentTerms, PurposeKind
from models.billing.invoice import InvoiceRow
from models.tenants.metadata import ObjectMetadata
from repositories.billing import invoice as invoices, invoice_collection as collections
from repositories.common.command import row_of_command
from repositories.tenants import metadata, organization as organizations
from services.billing import credit_note, invoice, invoice_end
from services.billing.tax import entity_selling_to
from services.tenants.metadata import version_of

router = Resource(tags=["invoices"])


#: The permission of a tenant to write metadata on its invoices.
_WRITING = Permission.MANAGE_BILLING
#: Pages of numbers that are tried for one invoice.
MOST_PAGES = 20

_PAYING = errors(Forbidden, *INVOICED, *CREATING)


@router.post(
    "/billing/invoices",
    status_code=201,
    response_model=InvoiceView,
    responses=errors(
        NotFound,
        refusals.ExternalIdTaken,
        refusals.UnknownEntity,
        refusals.TaxRefused,
        refusals.TaxUnavailable,
        refusals.OrganizationClosed,
    ),
)
async def issue_invoice(
    body: InvoiceCreate, deps: DepsDep, once: MovesMoney, actor: Actor = require(Permission.OPERATE)
) -> Response:
    """Issue an invoice to an organization, or create a draft. For operators."""
    if body.draft and body.collection_method is not None:
        raise Invalid(
            "A draft cannot be collected. Leave collection_method out, and send it when you finalise the draft.",
            extra={"field": "collection_method"},
        )
    async with once:
        now, rules = datetime.now(UTC), deps.settings.invoice_rules
        lines = [line.line(body.currency) for line in body.lines]
        answer = None
        if not body.draft:
            answer = await deps.taxes.of_invoice(
                body.organization_id, body.currency, lines, key=once.command_id, now=now, includes_tax=body.includes_tax
            )
        async with deps.session_for(actor) as session:
            if await row_of_command(session, InvoiceRow, once.command_id) is None:
                await organizations.refuse_closed(session, body.organization_id)
            terms: dict[str, Any] = {
                "org_id": body.organization_id,
                "currency": body.currency,
                "lines": lines,
                "discounts": [each.discount(body.currency) for each in body.discounts],
                "note": body.note,
                "due_in": body.due_in,
                "includes_tax": body.includes_tax,
                "applies_credits": body.apply_credits,
                "command_id": once.command_id,
                "now": now,
                "own": body.own(),
            }
            if body.draft:
                entity = rules.of(await entity_selling_to(session, body.organization_id)).entity
                drafted = await invoice.draft(session, actor, entity=entity, **terms)
                own = await metadata.get(session, drafted.id, drafted.org_id)
                once.version = version_of(own)
                return once.answer(view(drafted, now, own))
            issued = await invoice.issue(session, actor, rules=rules, answer=answer, **terms)
            held = await commands.collect(deps, session, actor, once, issued, body.collection_method, now)
            own = await metadata.get(session, issued.id, issued.org_id)
        commands.start(deps, held)
        once.version = version_of(own)
        return once.answer(view(issued, now, own))


@router.put("/billing/invoices/{invoice_id}", response_model=InvoiceView, responses=errors(refusals.WrongInvoiceState))
async def edit_invoice(invoice_id: str, body: InvoiceEdit, actor: ActorDep, deps: DepsDep, once: MayRepeat) -> Response:
    """Replace the lines, the discounts and the note of a draft. For operators."""
    async with deps.session_for(actor) as session:
        row = await require_invoice(session, actor, invoice_id, Permission.OPERATE)
    async with once, deps.session_for(actor) as session:
        now = datetime.now(UTC)
        edited = await invoice.edit(
            session,
            actor,
            invoice_id,
            lines=[line.line(row.currency) for line in body.lines],
            discounts=[each.discount(row.currency) for each in body.discounts],
            note=body.note,
            now=now,
        )
        return once.answer(view(edited, now, await metadata.get(session, edited.id, edited.org_id)))


@router.delete("/billing/invoices/{invoice_id}", responses=errors(refusals.WrongInvoiceState))
async def discard_invoice(invoice_id: str, actor: ActorDep, deps: DepsDep) -> InvoiceView:
    """Discard a draft. It never becomes an invoice and is no longer listed. For operators."""
    now = datetime.now(UTC)
    async with deps.session_for(actor) as session:
        await require_invoice(session, actor, invoice_id, Permission.OPERATE)
        row = await invoice.discard(session, actor, invoice_id, now)
        return view(row, now, await metadata.get(session, row.id, row.org_id))


@router.post(
    "/billing/invoices/{invoice_id}/finalize",
    response_model=InvoiceView,
    responses=errors(
        refusals.UnknownEntity,
        refusals.WrongInvoiceState,
        refusals.TaxRefused,
        refusals.TaxUnavailable,
        refusals.OrganizationClosed,
    ),
)
async def finalize_invoice(
    invoice_id: str, actor: ActorDep, deps: DepsDep, once: MovesMoney, body: InvoiceFinalize | None = None
) -> Response:
    """Finalise a draft: apply discounts, credits and tax, book the invoice and give it a number. For operators."""
    async with deps.session_for(actor) as session:
        drafted = await require_invoice(session, actor, invoice_id, Permission.OPERATE)
    async with once:
        now, rules = datetime.now(UTC), deps.settings.invoice_rules
        answer = await commands.ask_tax(deps, drafted, once.command_id, now)
        async with deps.session_for(actor) as session:
            if drafted.finalise_command_id != once.command_id:
                await organizations.refuse_closed(session, drafted.org_id)
            done = await invoice.finalise(
                session, actor, invoice_id, rules=rules, answer=answer, command_id=once.command_id, now=now
            )
            method = None if body is None else body.collection_method
            held = await commands.collect(deps, session, actor, once, done, method, now)
        # In separate transactions, because taking a number blocks others. An invoice that stays locked is numbered with
        # the next page.
        for _ in range(MOST_PAGES):
            if done.number is not None:
                break
            async with deps.session_for(actor) as session:
                await invoice.number_page(session, done.series)
            async with deps.session_for(actor) as session:
                done = await invoices.get(session, invoice_id)
        commands.start(deps, held)
        return once.answer(view(done, now, await read_own(deps, actor, done.id, done.org_id)))


@router.patch(
    "/billing/invoices/{invoice_id}",
    response_model=InvoiceView,
    responses=errors(refusals.ExternalIdTaken),
    operation_id="invoices.update",
)
async def write_on_invoice(
    invoice_id: str, body: InvoiceUpdate, actor: ActorDep, deps: DepsDep, expected: PreconditionDep, once: MayRepeat
) -> Response:
    """Change the `external_id` and `metadata` of an invoice. For its organization and operators."""
    async with deps.session_for(actor) as session:
        row = await require_invoice(session, actor, invoice_id, Permission.OPERATE if actor.is_platform else _WRITING)

    async def show(own: ObjectMetadata | None) -> InvoiceView:
        async with deps.session_for(actor) as session:
            return view(await invoices.get(session, invoice_id), datetime.now(UTC), own)

    target = MetadataTarget(
        noun="invoice",
        object_id=row.id,
        org_id=row.org_id,
        lock=lambda session: metadata.lock(session, InvoiceRow, row.id),
        show=show,
    )
    return await update(deps, actor, once, expected, body, target)


@router.post(
    "/billing/invoices/{invoice_id}/void",
    response_model=InvoiceView,
    responses=errors(Forbidden, refusals.ApprovalRequired, refusals.WrongInvoiceState),
)
async def void_invoice(
    invoice_id: str,
    actor: ActorDep,
    deps: DepsDep,
    once: MovesMoney,
    body: InvoiceAct | None = None,  # noqa: ARG001
) -> Response:
    """Void an invoice that has no payments. Money that arrives for it later is returned. For operators."""
    return await _operated(
        deps,
        actor,
        once,
        invoice_id,
        lambda session, now: invoice_end.void(session, actor, invoice_id, once.command_id, now, by_hand=by_hand(deps)),
        takes_two=ApprovalAction.INVOICE_VOID,
    )


@router.post(
    "/billing/invoices/{invoice_id}/mark-uncollectible",
    response_model=InvoiceView,
    responses=errors(Forbidden, refusals.ApprovalRequired, refusals.WrongInvoiceState, refusals.ChargeUnderWay),
)
async def mark_uncollectible(
    invoice_id: str,
    actor: ActorDep,
    deps: DepsDep,
    once: MovesMoney,
    body: InvoiceAct | None = None,  # noqa: ARG001
) -> Response:
    """Mark an invoice as uncollectible. The amount due becomes bad debt. For operators."""
    return await _operated(
        deps,
        actor,
        once,
        invoice_id,
        lambda session, now: invoice_end.mark_uncollectible(
            session, actor, invoice_id, once.command_id, now, by_hand=by_hand(deps)
        ),
        takes_two=ApprovalAction.INVOICE_GIVE_UP,
    )


@router.post("/billing/invoices/{invoice_id}/resume", response_model=InvoiceView)
async def resume_invoice(
    invoice_id: str,
    actor: ActorDep,
    deps: DepsDep,
    once: MayRepeat,
    body: InvoiceAct | None = None,  # noqa: ARG001
) -> Response:
    """Resume the collection of an invoice that a refund or a chargeback has reopened. For operators.

    An invoice that is collected automatically is charged at once, or dunned from the beginning.
    """
    return await _operated(
        deps, actor, once, invoice_id, lambda session, now: invoice_end.resume(session, actor, invoice_id, now)
    )


@router.post(
    "/billing/invoices/{invoice_id}/credit-notes",
    status_code=201,
    response_model=CreditNoteView,
    responses=errors(Forbidden, refusals.ApprovalRequired, refusals.WrongInvoiceState, refusals.ExceedsRemainder),
)
async def credit_invoice(
    invoice_id: str, body: CreditNoteCreate, actor: ActorDep, deps: DepsDep, once: MovesMoney
) -> Response:
    """Issue a credit note for part of an invoice, or all that is left. Credits return to their lots. For operators."""
    async with deps.session_for(actor) as session:
        row = await require_invoice(session, actor, invoice_id, Permission.OPERATE)
    async with once:
        amount_minor = None if body.amount is None else parse_amount(body.amount, row.currency)
        rules, now = by_hand(deps), datetime.now(UTC)
        async with deps.session_for(actor) as session:
            large = await credit_note.approval_content(
                session, row, amount_minor, rules, command_id=once.command_id, now=now
            )
        if large is not None:
            await require_two_operators(deps, actor, once, ApprovalAction.INVOICE_CREDIT, invoice_id, large)
        async with deps.session_for(actor) as session:
            made = await credit_note.issue(
                session,
                actor,
                invoice_id,
                amount_minor=amount_minor,
                reason=body.reason,
                command_id=once.command_id,
                now=datetime.now(UTC),
                by_hand=rules,
            )
            shown, collected = note_view(made), await collections.get(session, invoice_id)
            held = None if collected is None else collections.state_of(collected)
            credited = await invoices.get(session, invoice_id)
        commands.signal_run(deps, held)
        commands.refresh_unpaid(deps, credited)
        return once.answer(shown)


@router.post("/billing/invoices/{invoice_id}/pay", status_code=201, response_model=PaymentView, responses=_PAYING)
async def pay_invoice(
    invoice_id: str, body: PaymentOptions, actor: ActorDep, deps: DepsDep, temporal: TemporalDep, once: MovesMoney
) -> Response:
    """Start a payment of the amount due. Same as `POST /payments` with the purpose `invoice`."""
    async with deps.session_for(actor) as session:
        await require_invoice(session, actor, invoice_id, Permission.PAY)
    assert actor.org_id is not None
    making = Terms(deps, actor.org_id, body, sale_tax_key(once.command_id))

    async def terms() -> PaymentTerms:
        payable = await subject_of(deps, actor, PurposeKind.INVOICE, invoice_id)
        return body.require_total(await making.ordered(PurposeKind.INVOICE, payable))

    async with once:
        return once.answer(payment_view(await payment_commands.create(deps, temporal, actor, once, terms), actor))


async def _operated(
    deps: Deps,
    actor: Actor,
    once: Command,
    invoice_id: str,
    effect: Callable[[AsyncSession, datetime], Awaitable[InvoiceRow]],
    takes_two: ApprovalAction | None = None,
) -> Response:
    """Change an invoice by an operator in one transaction, and show the result.

    Large amounts require a second operator for the action `takes_two`.
    """
    async with deps.session_for(actor) as session:
        row = await require_invoice(session, actor, invoice_id, Permission.OPERATE)
    async with once:
        now = datetime.now(UTC)
        if takes_two is not None:
            rules, command_id = by_hand(deps), once.command_id
            async with deps.session_for(actor) as session:
                large = await invoice_end.approval_content(
                    session, row, takes_two, rules, command_id=command_id, now=now
                )
            if large is not None:
                await require_two_operators(deps, actor, once, takes_two, invoice_id, large)
        async with deps.session_for(actor) as session:
            changed = await effect(session, now)
            shown = view(changed, now, await metadata.get(session, changed.id, changed.org_id))
            collected = await collections.get(session, invoice_id)
            held = None if collected is None else collections.state_of(collected)
        commands.signal_run(deps, held)
        commands.refresh_unpaid(deps, changed)
        return once.answer(shown)
