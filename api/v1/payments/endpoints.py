"""The payment endpoints: create, read, and send commands."""

from typing import Annotated

from fastapi import Depends, Query
from starlette.requests import Request
from starlette.responses import Response
from temporalio.client import Client

from api.approvals import require_two_for_refund
from api.auth import ActorDep, permit, require
from api.csv_files import CSV, file_of_list, wants_csv
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.idempotency import MayRepeat, MovesMoney
from api.lists import AMOUNT, CREATED, Items, ListEndpoint, ListRequest, items_of
from api.metadata import METADATA_FILTER, MetadataTarget, PreconditionDep, read_own, tagged, update, visible_metadata
from api.risk import RISKY
from api.routing import Resource
from api.summaries import PaymentsSummary
from api.tenancy import listed_organization
from api.v1.payments import commands
from api.v1.payments.commands import PaymentDeclined
from api.v1.payments.schemas import (
    CancelPayment,
    CapturePayment,
    Confirm,
    PaymentCreate,
    PaymentEventView,
    PaymentTimeline,
    PaymentUpdate,
    PaymentView,
    RefundCreate,
    RefundGiveUp,
    RefundList,
    RefundView,
    event_view,
    refund_view,
    view,
)
from api.v1.payments.terms import Terms
from contracts.payments import payment as messages
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import (
    Forbidden,
    InsufficientFunds,
    Invalid,
    NotFound,
    ProviderCallPending,
    SpendLimitExceeded,
)
from domain.common.ids import refund_id_of, sale_tax_key, unscoped_refund_id_of
from domain.common.money import parse_amount
from domain.payments.payment.actions import NEEDS, PaymentAction
from domain.payments.payment.purposes import rules_of
from domain.payments.payment.state import Payment, PaymentStatus
from domain.payments.payment.terms import PaymentTerms, PurposeKind
from domain.tenants.organization import STOPPED_ERRORS
from models.payments.payment import PaymentRow
from models.tenants.metadata import ObjectMetadata
from repositories.books import transfer as transfers
from repositories.common.command import other_request
from repositories.payments import payment as payments
from repositories.tenants import metadata
from services.payments import payment_refund
from services.tenants.metadata import version_of

router = Resource(tags=["payments"])


_COMMANDED = (
    NotFound,
    Forbidden,
    refusals.WrongPaymentState,
    ProviderCallPending,
    refusals.ProviderNotAvailable,
    refusals.PaymentRefused,
)
CREATING = (
    PaymentDeclined,
    *RISKY,
    refusals.RefusedByProvider,
    refusals.ProviderNotAvailable,
    refusals.TaxRefused,
    refusals.TaxUnavailable,
    *STOPPED_ERRORS,
)
INVOICED = (refusals.WrongInvoiceState, refusals.InvoiceAmountMismatch, refusals.PaymentUnderWay)
_CREATING = errors(
    *(NotFound, Forbidden, refusals.WrongState, refusals.EscrowAmountMismatch, refusals.ExposureLimit, *INVOICED),
    *(*CREATING, refusals.ExternalIdTaken, SpendLimitExceeded),
)
_CONFIRMING = errors(*_COMMANDED, PaymentDeclined)
_REFUNDING = errors(
    Forbidden,
    refusals.ApprovalRequired,
    refusals.ApprovalSameOperator,
    InsufficientFunds,
    refusals.WrongPaymentState,
    refusals.PaymentAlreadyRefunded,
    refusals.PaymentDisputed,
    refusals.NotRefundable,
    refusals.PaymentTooManyRefunds,
    refusals.NeedsOperator,
    refusals.PaymentFeeNotKnown,
    refusals.PaymentRefundInFlight,
    refusals.PaymentFulfilmentUnderWay,
    refusals.RefundExceeds,
    refusals.PaymentPartOfASlot,
    *RISKY,
)


async def find_visible_payment(deps: Deps, actor: Actor, payment_id: str, permission: Permission) -> Payment:
    """Find the payment before checking the role, so that 404 precedes 403. Of the platform, only operators pass."""
    payment = await commands.find_payment(deps, actor, payment_id)
    permit(actor, permission)
    if actor.is_platform:
        permit(actor, Permission.INSPECT)
    return payment


def payment_view(payment: Payment, actor: Actor, own: ObjectMetadata | None = None) -> PaymentView:
    return view(payment, for_payer=actor.may(Permission.PAY), written=own)


async def _whole(deps: Deps, actor: Actor, payment: Payment) -> PaymentView:
    return payment_view(payment, actor, await read_own(deps, actor, payment.terms.payment_id, payment.terms.org_id))


class _Sender:
    """Sends the command of a request and responds with the payment after it."""

    def __init__(self, deps: Deps, temporal: Client, actor: Actor) -> None:
        self.deps, self.temporal, self.actor = deps, temporal, actor

    async def find(self, payment_id: str, permission: Permission) -> Payment:
        return await find_visible_payment(self.deps, self.actor, payment_id, permission)

    async def send(self, payment: Payment, update: str, command: messages.PaymentCommand) -> Payment:
        await commands.send(self.deps, self.temporal, payment, update, command)
        return await commands.find_payment(self.deps, self.actor, payment.terms.payment_id)


async def _sender(deps: DepsDep, temporal: TemporalDep, actor: ActorDep) -> _Sender:
    return _Sender(deps, temporal, actor)


SenderDep = Annotated[_Sender, Depends(_sender)]


@router.post("/payments", status_code=201, response_model=PaymentView, responses=_CREATING)
@router.post("/payments/create", status_code=201, response_model=PaymentView, responses=_CREATING, deprecated=True)
async def create_payment(
    body: PaymentCreate, deps: DepsDep, temporal: TemporalDep, once: MovesMoney, actor: Actor = require(Permission.PAY)
) -> Response:
    """Ask a provider to take a payment. The answer says what the payer has to do next."""
    assert actor.org_id is not None
    org_id = actor.org_id

    async def terms() -> PaymentTerms:
        return body.require_total(await Terms(deps, org_id, body, sale_tax_key(once.command_id)).of(body, actor))

    async with once:
        payment = await commands.create(deps, temporal, actor, once, terms, body.own())
        own = await read_own(deps, actor, payment.terms.payment_id, org_id)
        once.version = version_of(own)
        return once.answer(payment_view(payment, actor, own))


_LIST = ListEndpoint(
    "payments",
    PaymentView,
    *(*CREATED, "organization_id", "provider", *AMOUNT, "q"),
    order=["pay"],
    status=PaymentStatus,
    has_metadata=True,
    purpose=Annotated[PurposeKind | None, Query(description="Only payments with this purpose.")],
)


@_LIST.get(router, "/billing/payments", NotFound, deprecated=True)
@_LIST.get(router, "/payments", NotFound)
async def list_payments(deps: DepsDep, asked: ListRequest, actor: Actor = require(Permission.READ_BILLING)) -> Items:
    """List the organization's payments, newest first."""
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    async with deps.session_for(actor) as session:
        found = await payments.page(session, wanted)
        own = await visible_metadata(session, actor, {row.id: row.org_id for row in found.rows})
        return items_of(found, lambda row: payment_view(payments.state_of(row), actor, own.get(row.id)))


@router.get(
    "/payments/summary", responses=errors(NotFound), openapi_extra=METADATA_FILTER, operation_id="payments.summary"
)
async def summarize_payments(
    deps: DepsDep, asked: Annotated[ListRequest, _LIST.filtered], actor: Actor = require(Permission.READ_BILLING)
) -> PaymentsSummary:
    """Count payments by state and currency, and by provider, with the filters of the list.

    `amount` is the sum of the amounts that the payments were created for.
    """
    wanted = asked.wanted(listed_organization(actor, asked.organization_id))
    async with deps.session_for(actor) as session:
        return PaymentsSummary.of(await payments.summary(session, wanted))


@router.get("/payments/{payment_id}")
async def get_payment(payment_id: str, actor: ActorDep, deps: DepsDep, response: Response) -> PaymentView:
    """Show a payment. The `ETag` covers its `external_id` and `metadata`."""
    payment = await find_visible_payment(deps, actor, payment_id, Permission.READ_BILLING)
    own = await read_own(deps, actor, payment_id, payment.terms.org_id)
    tagged(response, own)
    return payment_view(payment, actor, own)


@router.patch("/payments/{payment_id}", response_model=PaymentView, responses=errors(refusals.ExternalIdTaken))
async def update_payment(
    payment_id: str, body: PaymentUpdate, actor: ActorDep, deps: DepsDep, expected: PreconditionDep, once: MayRepeat
) -> Response:
    """Change the `external_id` and `metadata` of a payment. The key must be allowed to pay, or be an operator's."""
    asked = Permission.OPERATE if actor.is_platform else Permission.PAY
    payment = await find_visible_payment(deps, actor, payment_id, asked)

    async def show(own: ObjectMetadata | None) -> PaymentView:
        return payment_view(await commands.find_payment(deps, actor, payment_id), actor, own)

    target = MetadataTarget(
        noun="payment",
        object_id=payment_id,
        org_id=payment.terms.org_id,
        lock=lambda session: metadata.lock(session, PaymentRow, payment_id),
        show=show,
    )
    return await update(deps, actor, once, expected, body, target)


_TIMELINE = ListEndpoint("payment-timeline", PaymentEventView, *CREATED, order=[int])


@_TIMELINE.get(router, "/payments/{payment_id}/timeline", response_model=PaymentTimeline)
async def get_payment_timeline(payment_id: str, actor: ActorDep, deps: DepsDep, asked: ListRequest) -> Items:
    """Show each step of a payment: who, when, and the ledger transfer behind it, if the caller may see that."""
    await find_visible_payment(deps, actor, payment_id, Permission.READ_BILLING)
    wanted = asked.wanted(None)
    async with deps.session_for(actor) as session:
        found = await payments.timeline_page(session, wanted, payment_id=payment_id)
        moved = [row.transfer_id for row in found.rows if row.transfer_id is not None]
        seen = await transfers.visible(session, moved)
    return items_of(found, lambda row: event_view(row, seen))


@router.post("/payments/{payment_id}/confirm", response_model=PaymentView, responses=_CONFIRMING)
async def confirm_payment(
    payment_id: str, sender: SenderDep, once: MovesMoney, body: Confirm | None = None
) -> Response:
    """Confirm a payment: charge a stored method, capture what the payer approved, or refresh it from the provider."""
    payment, deps = await sender.find(payment_id, NEEDS[PaymentAction.CONFIRM]), sender.deps
    method_ref = body.payment_method if body else None
    command = messages.ConfirmPayment(command_id=once.command_id, actor=sender.actor, method_ref=method_ref)
    async with once:
        await commands.confirm(deps, sender.temporal, payment, command)
        after = await commands.find_payment(deps, sender.actor, payment.terms.payment_id)
        if method_ref is not None:
            commands.refuse_declined(after)
        return once.answer(await _whole(sender.deps, sender.actor, after))


@router.post("/payments/{payment_id}/capture", response_model=PaymentView, responses=errors(*_COMMANDED))
async def capture_payment(
    payment_id: str, sender: SenderDep, once: MovesMoney, body: CapturePayment | None = None
) -> Response:
    """Capture the authorized amount, or a part of it; the rest is released."""
    payment = await sender.find(payment_id, NEEDS[PaymentAction.CAPTURE])
    async with once:
        command = messages.CapturePayment(
            command_id=once.command_id, actor=sender.actor, amount_minor=_amount(body.amount if body else None, payment)
        )
        return once.answer(await _whole(sender.deps, sender.actor, await sender.send(payment, "capture", command)))


@router.post("/payments/{payment_id}/cancel", response_model=PaymentView, responses=errors(*_COMMANDED))
async def cancel_payment(
    payment_id: str,
    sender: SenderDep,
    once: MovesMoney,
    body: CancelPayment | None = None,  # noqa: ARG001
) -> Response:
    """Cancel a payment that has not been paid. Money that arrives in the meantime is still booked."""
    payment = await sender.find(payment_id, NEEDS[PaymentAction.CANCEL])
    command = messages.CancelPayment(command_id=once.command_id, actor=sender.actor)
    async with once:
        return once.answer(await _whole(sender.deps, sender.actor, await sender.send(payment, "cancel", command)))


@router.post("/payments/{payment_id}/refunds", status_code=201, response_model=RefundView, responses=_REFUNDING)
async def refund_payment(
    payment_id: str, sender: SenderDep, once: MovesMoney, body: RefundCreate | None = None
) -> Response:
    """Refund an amount in the payment's currency, or all that remains, and claw back the entitlement bought with it."""
    payment = await sender.find(payment_id, NEEDS[PaymentAction.REFUND])
    permit(sender.actor, rules_of(payment.terms).refunded_with)
    refund_id = refund_id_of(payment_id, once.command_id)
    async with once:
        amount_minor = _amount(body.amount if body else None, payment)
        payment_refund.check_refund_amount(payment, amount_minor)
        with_note = body.credit_note if body else False
        await require_two_for_refund(
            sender.deps,
            sender.actor,
            once,
            payment,
            refund_id=refund_id,
            amount_minor=amount_minor,
            with_credit_note=with_note,
        )
        await commands.decide_refund(sender.deps, sender.actor, once, payment, refund_id, amount_minor)
        command = messages.RefundPayment(
            command_id=once.command_id,
            actor=sender.actor,
            refund_id=refund_id,
            amount_minor=amount_minor,
            reason=body.reason if body else None,
            credit_note=with_note,
        )
        after = await sender.send(payment, "refund", command)
        named = {refund_id, unscoped_refund_id_of(once.command_id)}
        made = next((refund for refund in after.refunds if refund.refund_id in named), None)
        # The stored response of a key is deleted some day, but not the effect.
        if made is None or command.amount_minor not in {None, made.gross_minor} or command.reason != made.reason:
            raise other_request()
        return once.answer(refund_view(after, made))


@router.post(
    "/payments/{payment_id}/refunds/{refund_id}/give-up",
    response_model=RefundView,
    responses=errors(refusals.PaymentRefundNotUnknown, refusals.PaymentRefundKnown, Invalid),
)
async def give_up_refund(
    payment_id: str, refund_id: str, body: RefundGiveUp, sender: SenderDep, once: MovesMoney
) -> Response:
    """Record the outcome of a refund that is unknown. A later report by the provider still counts. For operators."""
    payment = await sender.find(payment_id, NEEDS[PaymentAction.GIVE_UP_REFUND])
    if not any(refund.refund_id == refund_id for refund in payment.refunds):
        raise NotFound("This payment has no such refund.")
    if body.at_provider != (body.provider_ref is not None):
        raise Invalid(
            "Send provider_ref, the provider's id of the refund, if at_provider is true, and leave it out otherwise.",
            extra={"field": "provider_ref"},
        )
    async with once:
        command = messages.GiveUpRefund(
            command_id=once.command_id,
            actor=sender.actor,
            refund_id=refund_id,
            reason=body.reason,
            provider_ref=body.provider_ref,
        )
        after = await sender.send(payment, "give_up", command)
        return once.answer(
            refund_view(after, next(refund for refund in after.refunds if refund.refund_id == refund_id))
        )


@router.get("/payments/{payment_id}/refunds", response_model=RefundList, responses=CSV)
async def list_refunds(payment_id: str, actor: ActorDep, deps: DepsDep, request: Request) -> RefundList | Response:
    """List the refunds of a payment, the oldest first. With `Accept: text/csv` the response is a CSV file."""
    payment = await find_visible_payment(deps, actor, payment_id, Permission.READ_BILLING)
    data = [refund_view(payment, refund) for refund in payment.refunds]
    return file_of_list(RefundView, data, f"refunds-{payment_id}.csv") if wants_csv(request) else RefundList(data=data)


def _amount(text: str | None, payment: Payment) -> int | None:
    return None if text is None else parse_amount(text, payment.terms.currency)
