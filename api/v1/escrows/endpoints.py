"""Commands to escrows: each looks the escrow up as the caller sees it, checks the role, and sends one command."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response
from temporalio.client import Client

from api.auth import ActorDep, permit
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import errors
from api.idempotency import Command, idempotency
from api.metadata import PreconditionDep, Target, update
from api.routing import Resource
from api.v1.escrows import commands
from api.v1.escrows.schemas import (
    Approve,
    Cancel,
    CreateEscrow,
    Deliver,
    EscrowUpdate,
    EscrowView,
    Evidence,
    Fund,
    FundedView,
    OpenDispute,
    Refund,
    Resolve,
    Validate,
    view,
)
from api.v1.payments import commands as payment_commands
from api.v1.payments.endpoints import CREATING, shown
from api.v1.payments.schemas import PaymentOptions
from api.v1.payments.terms import Terms
from contracts.escrow import (
    ApproveEscrow,
    CancelEscrow,
    DeliverEscrow,
    DisputeEscrow,
    EscrowCommand,
    FundEscrow,
    RefundEscrow,
    ResolveEscrow,
    SubmitEvidence,
    ValidateEscrow,
)
from domain.access import Actor, Permission
from domain.contract import NotAccepted, require_accepted, require_in_time
from domain.errors import (
    Conflict,
    Forbidden,
    InsufficientFunds,
    Invalid,
    NotFound,
    SpendLimitExceeded,
    WrongState,
)
from domain.escrow.actions import (
    MAX_DELIVERIES,
    MAX_PARTIAL_REFUNDS,
    NEEDS,
    EscrowAction,
    deliveries_full,
    refunds_full,
)
from domain.escrow.commands import CREDITS
from domain.escrow.signing import DeliveryRequired
from domain.escrow.state import Escrow, EscrowStatus, as_signatory, is_payer
from domain.ids import escrow_id_of, is_id, sale_tax_key
from domain.metadata import ExternalIdTaken
from domain.money import parse_amount, parse_ratio
from domain.organization import STOPPED
from domain.payment.fulfilment import NotPaid, PaymentUnderWay
from domain.payment.purposes.escrow import require_fundable
from domain.payment.terms import PaymentTerms, PurposeKind
from domain.reputation.levels import ExposureLimit
from models.contract import Contract
from models.escrow import EscrowRow
from models.metadata import ObjectMetadata
from repositories import contract as contracts
from repositories import escrow as escrows
from repositories import metadata
from repositories import organization as organizations
from repositories.command import lock_command
from services.metadata import version_of
from services.purposes import BOOKS

router = Resource(tags=["escrows"])

MovesMoney = Annotated[Command, idempotency(required=True)]
MayRepeat = Annotated[Command, idempotency(required=False)]

_REFUSALS = errors(NotFound, Forbidden, WrongState)
_OPENING = errors(
    NotFound,
    Forbidden,
    (Conflict, "escrow.exists"),
    (Conflict, "escrow.amount_mismatch"),
    NotAccepted,
    (Conflict, "contract.expired"),
    ExternalIdTaken,
    *STOPPED,
)
_FUNDING = errors(
    NotFound,
    Forbidden,
    InsufficientFunds,
    SpendLimitExceeded,
    WrongState,
    (Conflict, "escrow.currency_mismatch"),
    (Conflict, "escrow.amount_mismatch"),
    (Conflict, "escrow.payment_mismatch"),
    ExposureLimit,
    NotPaid,
    PaymentUnderWay,
    *CREATING,
)
_DELIVERING = errors(
    NotFound, Forbidden, WrongState, (Conflict, "escrow.milestone_released"), (Conflict, "escrow.deliveries_full")
)
_SCORING = errors(NotFound, Forbidden, WrongState, (Conflict, "escrow.delivery_changed"), DeliveryRequired)
_SIGNING = errors(
    NotFound,
    Forbidden,
    (Forbidden, "escrow.not_a_signatory"),
    WrongState,
    (Conflict, "escrow.delivery_changed"),
    DeliveryRequired,
    (Conflict, "escrow.already_signed"),
)
_HEARING = errors(
    NotFound, Forbidden, WrongState, (Conflict, "escrow.evidence_closed"), (Conflict, "escrow.evidence_full")
)
_REFUNDING = errors(
    NotFound, Forbidden, WrongState, (Invalid, "escrow.refund_exceeds_held"), (Conflict, "escrow.refunds_full")
)


async def _awarded(deps: Deps, actor: Actor, contract_id: str) -> tuple[Contract, bool]:
    """Return the contract when the actor may see it, and whether it has an escrow."""
    if is_id(contract_id, "ctr"):
        pool, org_id = deps.pool if actor.org_id is not None else deps.platform_pool, actor.org_id
        found = await pool.read(lambda pool: contracts.read(pool, contract_id, org_id=org_id))
        if found is not None:
            return found
    raise NotFound(contracts.MISSING)


async def _now(deps: Deps, actor: Actor, escrow_id: str) -> EscrowView:
    """Show an escrow as it is now, with what the actor has written on it."""
    return view(*await commands.shown(deps, actor, escrow_id), actor)


async def _write_first(deps: Deps, contract: Contract, body: CreateEscrow, once: Command) -> None:
    """Write what the payer has on an escrow before it is opened, so that its first event has the id.

    An opening that failed may have written before: what is asked for now counts, also where that is nothing.

    Raises:
        ExternalIdTaken: another escrow of the payer has the id.
    """
    own, escrow_id, org_id = body.own(), escrow_id_of(contract.id), contract.org_id
    if not own:
        before = await deps.platform_pool.read(lambda pool: metadata.read(pool, escrow_id, org_id, tenant=False))
        if before is None:
            return
    async with deps.database.platform() as session:
        await lock_command(session, escrow_id)
        held = await metadata.get(session, escrow_id, org_id)
        if held is None:
            await metadata.add(session, escrow_id, org_id, own, once.command_id)
        elif held.command_id != once.command_id and await escrows.get(session, escrow_id) is None:
            await metadata.put(
                session,
                escrow_id,
                org_id,
                external_id=own.external_id,
                metadata=own.metadata,
                command_id=once.command_id,
            )


class _Sender:
    """Sends one command of one request and answers with the escrow after it."""

    def __init__(self, deps: Deps, temporal: Client, actor: Actor) -> None:
        self.deps, self.temporal, self.actor = deps, temporal, actor

    async def find(self, escrow_id: str, permission: Permission) -> Escrow:
        """Look the escrow up before the role is judged: 404 comes before 403."""
        escrow = await commands.seen(self.deps, self.actor, escrow_id)
        permit(self.actor, permission)
        return escrow

    async def is_full(self, escrow: Escrow, kind: str, limit: int, once: Command) -> bool:
        """Return whether the escrow has as many events of a kind as it takes, and the command made none of them."""
        if escrow.version < limit:
            # An escrow has no more events than its version says.
            return False
        count, done = await self.events(escrow, kind, once)
        return count >= limit and not done

    async def events(self, escrow: Escrow, kind: str, once: Command) -> tuple[int, bool]:
        """Count the escrow's events of a kind, and tell whether the command made one of them."""
        async with self.deps.session_for(self.actor) as session:
            return await escrows.count_events(session, escrow.terms.escrow_id, kind, once.command_id)

    async def send(
        self,
        once: Command,
        escrow: Escrow,
        update: str,
        command: EscrowCommand,
        check: Callable[[], Awaitable[None]] | None = None,
    ) -> Response:
        """Send the command once, after a check, and answer with what the read model holds then."""

        async def act() -> EscrowView:
            if check is not None:
                await check()
            await commands.send(self.deps, self.temporal, escrow, update, command)
            return await _now(self.deps, self.actor, escrow.terms.escrow_id)

        return await once.run(act)


async def _sender(deps: DepsDep, temporal: TemporalDep, actor: ActorDep) -> _Sender:
    return _Sender(deps, temporal, actor)


SenderDep = Annotated[_Sender, Depends(_sender)]


@router.post("/escrows", status_code=201, response_model=EscrowView, responses=_OPENING)
@router.post(
    "/payments/escrow/create",
    status_code=201,
    response_model=EscrowView,
    responses=_OPENING,
    deprecated=True,
)
async def create_escrow(body: CreateEscrow, sender: SenderDep, once: MayRepeat) -> Response:
    """Open the escrow of an accepted contract. A contract has one escrow, which can be funded immediately."""
    deps, actor = sender.deps, sender.actor
    contract, has_escrow = await _awarded(deps, actor, body.contract_id)
    row = opened = None
    if has_escrow:
        async with deps.session_for(actor) as session:
            row = await escrows.get(session, escrow_id_of(contract.id))
            opened = await escrows.event_of_command(session, escrow_id_of(contract.id), once.command_id)
    permit(actor, Permission.AWARD)
    if actor.org_id not in (contract.org_id, None):
        raise Forbidden("Only the client of a contract may open its escrow.")

    async def act() -> EscrowView:
        if body.amount is not None and parse_amount(body.amount, contract.currency) != contract.price_minor:
            raise Conflict(
                "The amount must equal the contract's price. Correct it, or leave it out.",
                code="escrow.amount_mismatch",
            )
        if row is not None and opened is None:
            raise Conflict(
                "This contract has an escrow already.",
                code="escrow.exists",
                extra={"state": row.status, "escrow_id": row.id},
            )
        if row is None:
            now = datetime.now(UTC)
            require_accepted(contract.accept_by, contract.accepted_at, now)
            if now >= contract.open_by:
                # The run of an earlier try may not have written the escrow yet: when it was asked for counts.
                require_in_time(contract.open_by, await once.first_asked_at() or now)
            parties = contract.org_id, contract.payee_org_id
            await deps.platform_pool.read(lambda pool: organizations.refuse_stopped_as(pool, *parties))
            await _write_first(deps, contract, body, once)
            terms = commands.terms_of(contract, await commands.names_of(deps, contract))
            await commands.open_escrow(deps, sender.temporal, terms, actor, once.command_id, priority=contract.priority)
        escrow, beside = await commands.shown(deps, actor, escrow_id_of(contract.id))
        once.version = version_of(beside.own)
        return view(escrow, beside, actor)

    return await once.run(act, status_code=201)


@router.patch("/escrows/{escrow_id}", response_model=EscrowView, responses=errors(NotFound, Forbidden, ExternalIdTaken))
async def update_escrow(
    escrow_id: str, body: EscrowUpdate, actor: ActorDep, deps: DepsDep, expected: PreconditionDep, once: MayRepeat
) -> Response:
    """Change your own `external_id` and `metadata` of an escrow. Each party has its own and sees only these."""
    escrow = await commands.seen(deps, actor, escrow_id)
    permit(actor, Permission.AWARD)

    async def show(own: ObjectMetadata | None) -> EscrowView:
        now, beside = await commands.shown(deps, actor, escrow_id)
        return view(now, replace(beside, own=own), actor)

    target = Target(
        noun="escrow",
        object_id=escrow_id,
        org_id=escrow.terms.payer_org_id,
        lock=lambda session: metadata.lock(session, EscrowRow, escrow_id),
        show=show,
    )
    return await update(deps, actor, once, expected, body, target)


@router.post("/escrows/{escrow_id}/fund", response_model=FundedView, responses=_FUNDING)
async def fund_escrow(escrow_id: str, body: Fund, sender: SenderDep, once: MovesMoney) -> Response:
    """Move the whole amount into escrow: from credits, a balance, an existing payment or a new payment."""
    escrow, actor = await sender.find(escrow_id, NEEDS[EscrowAction.FUND]), sender.actor
    options = body.payment_options()
    if options is not None:
        return await _fund_by_new_payment(sender, escrow, options, once)
    if body.payment_id is not None:
        return await _fund_by_payment(sender, escrow, body.payment_id, once)
    command = FundEscrow(command_id=once.command_id, actor=actor, source=body.source or CREDITS)
    return await sender.send(once, escrow, "fund", command)


async def _fund_by_new_payment(sender: _Sender, escrow: Escrow, options: PaymentOptions, once: Command) -> Response:
    """Make a payment for the escrow; it hands its money over by itself, at once where it is there at once."""
    deps, actor = sender.deps, sender.actor
    permit(actor, Permission.PAY)

    async def terms() -> PaymentTerms:
        require_fundable(escrow, actor)
        async with deps.database.platform() as session:
            await BOOKS[PurposeKind.ESCROW].refuse(session, escrow)
        making = Terms(deps, escrow.terms.payer_org_id, options, sale_tax_key(once.command_id))
        return options.as_seen(await making.ordered(PurposeKind.ESCROW, escrow))

    async def act() -> FundedView:
        payment = await payment_commands.create(deps, sender.temporal, actor, once, terms)
        after = await _now(deps, actor, escrow.terms.escrow_id)
        return FundedView(**after.model_dump(), payment=shown(payment, actor))

    return await once.run(act)


async def _fund_by_payment(sender: _Sender, escrow: Escrow, payment_id: str, once: Command) -> Response:
    """Have a payment hand its money to the escrow that it was made for."""
    deps, actor = sender.deps, sender.actor
    if not is_payer(escrow, actor):
        raise Forbidden("Only the paying organization may fund an escrow.")
    payment = await payment_commands.seen(deps, actor, payment_id)

    async def act() -> EscrowView:
        if payment.terms.purpose.escrow_id != escrow.terms.escrow_id:
            raise Conflict(
                "This payment was not made for this escrow. Name one that was, or fund from another source.",
                code="escrow.payment_mismatch",
            )
        await payment_commands.hand_over(deps, sender.temporal, actor, payment, once.command_id)
        return await _now(deps, actor, escrow.terms.escrow_id)

    return await once.run(act)


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
    return await sender.send(once, escrow, "deliver", command, partial(_refuse_many, sender, escrow, once))


async def _refuse_many(sender: _Sender, escrow: Escrow, once: Command) -> None:
    if await sender.is_full(escrow, "delivered", MAX_DELIVERIES, once):
        raise deliveries_full(escrow)


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
    return await sender.send(once, escrow, "validate", command)


@router.post(
    "/escrows/{escrow_id}/approvals", response_model=EscrowView, responses=_SIGNING, operation_id="escrows.approve"
)
async def approve_delivery(
    escrow_id: str, sender: SenderDep, once: MovesMoney, body: Approve | None = None
) -> Response:
    """Sign for the delivery as the key's principal. The last required signature releases it."""
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.APPROVE])
    command = ApproveEscrow(
        command_id=once.command_id,
        actor=as_signatory(escrow, sender.actor),
        delivery=body.delivery if body else None,
    )
    return await sender.send(once, escrow, "approve", command)


@router.post("/escrows/{escrow_id}/disputes", response_model=EscrowView, responses=_REFUSALS)
async def open_dispute(escrow_id: str, body: OpenDispute, sender: SenderDep, once: MayRepeat) -> Response:
    """Open a dispute: the escrow is frozen until an arbiter decides or the default applies."""
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.DISPUTE])
    command = DisputeEscrow(command_id=once.command_id, actor=sender.actor, reason=body.reason)
    return await sender.send(once, escrow, "dispute", command)


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
    return await sender.send(once, escrow, "submit_evidence", command)


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
    return await sender.send(once, escrow, "resolve", command)


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
    return await sender.send(once, escrow, "refund", command, partial(_refuse_crumbs, sender, escrow, command, once))


async def _refuse_crumbs(sender: _Sender, escrow: Escrow, command: RefundEscrow, once: Command) -> None:
    """Refuse one more refund of a part; what is held can always be given back whole."""
    if command.amount_minor is None or command.amount_minor >= escrow.held_minor:
        return
    if await sender.is_full(escrow, "partially_refunded", MAX_PARTIAL_REFUNDS, once):
        raise refunds_full(escrow)


@router.post("/escrows/{escrow_id}/cancel", response_model=EscrowView, responses=_REFUSALS)
async def cancel_escrow(escrow_id: str, sender: SenderDep, once: MovesMoney, body: Cancel | None = None) -> Response:
    """End the escrow before delivery.

    While nothing is funded, either party may do this. After that, the payee may, or both parties together.
    """
    escrow = await sender.find(escrow_id, NEEDS[EscrowAction.CANCEL])
    command = CancelEscrow(command_id=once.command_id, actor=sender.actor, reason=body.reason if body else None)
    if _is_asked_for(escrow, sender.actor) and not (await sender.events(escrow, "cancel_requested", once))[1]:
        # Asking again changes nothing, and would be one more event each time.
        return await once.run(partial(_now, sender.deps, sender.actor, escrow.terms.escrow_id))
    return await sender.send(once, escrow, "cancel", command)


def _is_asked_for(escrow: Escrow, actor: Actor) -> bool:
    """Return whether the payer asks for a cancel that the payer has asked for already."""
    waits = escrow.status is EscrowStatus.FUNDED and escrow.cancel_requested_by is not None
    return waits and is_payer(escrow, actor)
