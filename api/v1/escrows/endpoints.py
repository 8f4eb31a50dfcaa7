"""Commands to open escrows: each finds the escrow, checks the role, and sends the command."""

from starlette.responses import Response

from api.errors import errors
from api.idempotency import MayRepeat, MovesMoney
from api.risk import RISKY
from api.routing import Resource
from api.v1.escrows.commands import SenderDep, read_current
from api.v1.escrows.schemas import (
    Approve,
    Cancel,
    Deliver,
    EscrowView,
    Evidence,
    OpenDispute,
    Refund,
    Resolve,
    Validate,
)
from contracts.escrow.escrow import (
    ApproveEscrow,
    CancelEscrow,
    DeliverEscrow,
    DisputeEscrow,
    RefundEscrow,
    ResolveEscrow,
    SubmitEvidence,
    ValidateEscrow,
)
from domain.common import errors as refusals
from domain.common.access import Actor, OperatorIssued
from domain.common.errors import Forbidden
from domain.common.money import parse_amount, parse_ratio
from domain.escrow.actions import NEEDS, EscrowAction
from domain.escrow.signing import DeliveryRequired
from domain.escrow.state import Escrow, EscrowStatus, is_payer

router = Resource(tags=["escrows"])

_REFUSALS = errors(refusals.WrongState)
_DELIVERING = errors(refusals.WrongState, refusals.EscrowMilestoneReleased, refusals.EscrowDeliveriesFull, *RISKY)
_SCORING = errors(refusals.WrongState, refusals.EscrowDeliveryChanged, DeliveryRequired, *RISKY)
_SIGNING = errors(
    Forbidden,
    refusals.EscrowNotASignatory,
    refusals.WrongState,
    refusals.EscrowDeliveryChanged,
    DeliveryRequired,
    OperatorIssued,
    refusals.AlreadySigned,
    *RISKY,
)
_HEARING = errors(refusals.WrongState, refusals.EscrowEvidenceClosed, refusals.EvidenceFull)
_REFUNDING = errors(refusals.WrongState, refusals.EscrowRefundExceedsHeld, refusals.EscrowRefundsFull)


@router.post(
    "/escrows/{escrow_id}/delivery", response_model=EscrowView, responses=_DELIVERING, operation_id="escrows.deliver"
)
async def deliver_work(escrow_id: str, body: Deliver, sender: SenderDep, once: MayRepeat) -> Response:
    """Submit work for review; a new delivery replaces the one under review."""
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.DELIVER])
    command = DeliverEscrow(
        command_id=once.command_id,
        actor=sender.actor,
        artifacts=tuple(artifact.value() for artifact in body.artifacts),
        note=body.note,
        milestone=body.milestone,
    )
    return await sender.send(once, escrow, EscrowAction.DELIVER, command)


@router.post(
    "/escrows/{escrow_id}/validation", response_model=EscrowView, responses=_SCORING, operation_id="escrows.validate"
)
async def validate_delivery(escrow_id: str, body: Validate, sender: SenderDep, once: MovesMoney) -> Response:
    """Record a validator's score. A score at or above the contract's threshold releases the delivery."""
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.VALIDATE])
    command = ValidateEscrow(
        command_id=once.command_id,
        actor=sender.actor,
        score_e4=parse_ratio(body.score, "score"),
        note=body.note,
        delivery=body.delivery,
    )
    return await sender.send(once, escrow, EscrowAction.VALIDATE, command)


@router.post(
    "/escrows/{escrow_id}/approvals", response_model=EscrowView, responses=_SIGNING, operation_id="escrows.approve"
)
async def approve_delivery(
    escrow_id: str, sender: SenderDep, once: MovesMoney, body: Approve | None = None
) -> Response:
    """Sign for the delivery as the key's principal. The last required signature releases it."""
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.APPROVE])
    command = ApproveEscrow(command_id=once.command_id, actor=sender.actor, delivery=body.delivery if body else None)
    return await sender.send(once, escrow, EscrowAction.APPROVE, command)


@router.post("/escrows/{escrow_id}/disputes", response_model=EscrowView, responses=_REFUSALS)
async def open_dispute(escrow_id: str, body: OpenDispute, sender: SenderDep, once: MayRepeat) -> Response:
    """Open a dispute: the escrow is frozen until an arbiter decides or the default applies."""
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.DISPUTE])
    command = DisputeEscrow(command_id=once.command_id, actor=sender.actor, reason=body.reason)
    return await sender.send(once, escrow, EscrowAction.DISPUTE, command)


@router.post("/escrows/{escrow_id}/disputes/evidence", response_model=EscrowView, responses=_HEARING)
async def submit_evidence(escrow_id: str, body: Evidence, sender: SenderDep, once: MayRepeat) -> Response:
    """Add evidence to the open dispute, until its `evidence_until`."""
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.SUBMIT_EVIDENCE])
    command = SubmitEvidence(
        command_id=once.command_id,
        actor=sender.actor,
        note=body.note,
        artifacts=tuple(artifact.value() for artifact in body.artifacts),
    )
    return await sender.send(once, escrow, EscrowAction.SUBMIT_EVIDENCE, command)


@router.post("/escrows/{escrow_id}/disputes/resolution", response_model=EscrowView, responses=_REFUSALS)
async def resolve_dispute(escrow_id: str, body: Resolve, sender: SenderDep, once: MovesMoney) -> Response:
    """Decide the dispute as the arbiter: split what is held between the agent and the payer."""
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.RESOLVE])
    command = ResolveEscrow(
        command_id=once.command_id,
        actor=sender.actor,
        payee_share_e4=parse_ratio(body.payee_share, "payee_share"),
        note=body.note,
    )
    return await sender.send(once, escrow, EscrowAction.RESOLVE, command)


@router.post(
    "/escrows/{escrow_id}/refunds", response_model=EscrowView, responses=_REFUNDING, operation_id="escrows.refund"
)
async def refund_payer(escrow_id: str, sender: SenderDep, once: MovesMoney, body: Refund | None = None) -> Response:
    """Refund an amount, or all that is held, to the payer. Only the payee may do this."""
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.REFUND])
    amount = body.amount if body else None
    command = RefundEscrow(
        command_id=once.command_id,
        actor=sender.actor,
        amount_minor=None if amount is None else parse_amount(amount, escrow.terms.currency),
    )
    return await sender.send(once, escrow, EscrowAction.REFUND, command)


@router.post("/escrows/{escrow_id}/cancel", response_model=EscrowView, responses=_REFUSALS)
async def cancel_escrow(escrow_id: str, sender: SenderDep, once: MovesMoney, body: Cancel | None = None) -> Response:
    """End the escrow before delivery.

    While nothing is funded, either party may do this. After that, the payee may, or both parties together.
    """
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.CANCEL])
    command = CancelEscrow(command_id=once.command_id, actor=sender.actor, reason=body.reason if body else None)
    if _is_asked_for(escrow, sender.actor) and not (await sender.events(escrow, "cancel_requested", once))[1]:
        # A repeated request changes nothing, but each would add an event.
        async with once:
            return once.answer(await read_current(sender.deps, sender.actor, escrow.terms.escrow_id))
    return await sender.send(once, escrow, EscrowAction.CANCEL, command)


def _is_asked_for(escrow: Escrow, actor: Actor) -> bool:
    """Return whether the payer repeats its request to cancel."""
    waits = escrow.status is EscrowStatus.FUNDED and escrow.cancel_requested_by is not None
    return waits and is_payer(escrow, actor)
