"""Escrows are opened, written on and funded."""

from dataclasses import replace
from datetime import UTC, datetime

from starlette.responses import Response

from api.auth import ActorDep, permit
from api.deps import Deps, DepsDep
from api.errors import errors
from api.idempotency import Command, MayRepeat, MovesMoney
from api.metadata import MetadataTarget, PreconditionDep, update
from api.routing import Resource
from api.v1.escrows import commands
from api.v1.escrows.commands import Sender, SenderDep, read_current
from api.v1.escrows.schemas import CreateEscrow, EscrowUpdate, EscrowView, Fund, FundedView, view
from api.v1.payments import commands as payment_commands
from api.v1.payments.endpoints import CREATING, payment_view
from api.v1.payments.schemas import PaymentOptions
from api.v1.payments.terms import Terms
from contracts.escrow.escrow import FundEscrow
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.errors import Forbidden, InsufficientFunds, NotFound, SpendLimitExceeded
from domain.common.ids import escrow_id_of, is_id, sale_tax_key
from domain.common.money import parse_amount
from domain.escrow.actions import NEEDS, EscrowAction
from domain.escrow.commands import CREDITS
from domain.escrow.contract import require_accepted, require_in_time
from domain.escrow.state import Escrow, is_payer
from domain.payments.payment.purposes.escrow import require_fundable
from domain.payments.payment.terms import PaymentTerms, PurposeKind
from domain.tenants.organization import STOPPED_ERRORS
from models.escrow.contract import Contract
from models.escrow.escrow import EscrowRow
from models.tenants.metadata import ObjectMetadata
from repositories.common.command import lock_command
from repositories.escrow import contract as contracts, escrow as escrows
from repositories.tenants import metadata, organization as organizations
from services.payments.purposes import BOOKS
from services.tenants.metadata import version_of

router = Resource(tags=["escrows"])

_OPENING = errors(
    NotFound,
    Forbidden,
    refusals.EscrowExists,
    refusals.EscrowAmountMismatch,
    refusals.NotAccepted,
    refusals.ContractExpired,
    refusals.ExternalIdTaken,
    *STOPPED_ERRORS,
)
_FUNDING = errors(
    Forbidden,
    InsufficientFunds,
    SpendLimitExceeded,
    refusals.WrongState,
    refusals.EscrowCurrencyMismatch,
    refusals.EscrowAmountMismatch,
    refusals.EscrowPaymentMismatch,
    refusals.ExposureLimit,
    refusals.NotPaid,
    refusals.PaymentUnderWay,
    *CREATING,
)


async def _awarded(deps: Deps, actor: Actor, contract_id: str) -> tuple[Contract, bool]:
    if is_id(contract_id, "ctr"):
        pool, org_id = deps.pool if actor.org_id is not None else deps.platform_pool, actor.org_id
        found = await pool.read(lambda pool: contracts.read(pool, contract_id, org_id=org_id))
        if found is not None:
            return found
    raise NotFound(contracts.MISSING)


async def _write_first(deps: Deps, contract: Contract, body: CreateEscrow, once: Command) -> None:
    """Write what the payer has on an escrow before it is opened, so that its first event has the id.

    An opening that failed may have written before: what is asked for now counts, also where that is nothing.
    """
    own, escrow_id, org_id = body.own(), escrow_id_of(contract.id), contract.org_id
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


@router.post("/escrows", status_code=201, response_model=EscrowView, responses=_OPENING)
@router.post("/payments/escrow/create", status_code=201, response_model=EscrowView, responses=_OPENING, deprecated=True)
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
    async with once:
        if body.amount is not None and parse_amount(body.amount, contract.currency) != contract.price_minor:
            raise refusals.EscrowAmountMismatch(
                "The amount must equal the contract's price. Correct it, or leave it out."
            )
        if row is not None and opened is None:
            raise refusals.EscrowExists(
                "This contract has an escrow already.", extra={"state": row.status, "escrow_id": row.id}
            )
        if row is None:
            now = datetime.now(UTC)
            require_accepted(contract.accept_by, contract.accepted_at, now)
            if now >= contract.open_by:
                # The run of an earlier try may not have written the escrow yet: when it was asked for counts.
                require_in_time(contract.open_by, await once.first_asked_at() or now)
            asked = escrow_id_of(contract.id), contract.org_id, contract.payee_org_id
            is_written, statuses = await deps.platform_pool.read(lambda pool: escrows.read_opening_facts(pool, *asked))
            organizations.refuse_one_of(statuses)
            if is_written or body.own():
                await _write_first(deps, contract, body, once)
            terms = commands.terms_of(contract, await commands.names_of(deps, contract))
            await commands.open_escrow(deps, sender.temporal, terms, actor, once.command_id, priority=contract.priority)
        escrow, beside = await commands.find_escrow_with_parties(deps, actor, escrow_id_of(contract.id))
        once.version = version_of(beside.own)
        return once.answer(view(escrow, beside, actor))


@router.patch("/escrows/{escrow_id}", response_model=EscrowView, responses=errors(refusals.ExternalIdTaken))
async def update_escrow(
    escrow_id: str, body: EscrowUpdate, actor: ActorDep, deps: DepsDep, expected: PreconditionDep, once: MayRepeat
) -> Response:
    """Change your own `external_id` and `metadata` of an escrow. Each party has its own and sees only these."""
    escrow = await commands.find_escrow(deps, actor, escrow_id)
    permit(actor, Permission.AWARD)

    async def show(own: ObjectMetadata | None) -> EscrowView:
        now, beside = await commands.find_escrow_with_parties(deps, actor, escrow_id)
        return view(now, replace(beside, own=own), actor)

    target = MetadataTarget(
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
    return await sender.send(once, escrow, EscrowAction.FUND, command)


async def _fund_by_new_payment(sender: Sender, escrow: Escrow, options: PaymentOptions, once: Command) -> Response:
    """Make a payment for the escrow; it hands its money over by itself, at once where it is there at once."""
    deps, actor = sender.deps, sender.actor
    permit(actor, Permission.PAY)

    async def terms() -> PaymentTerms:
        require_fundable(escrow, actor)
        async with deps.database.platform() as session:
            await BOOKS[PurposeKind.ESCROW].refuse(session, escrow)
        making = Terms(deps, escrow.terms.payer_org_id, options, sale_tax_key(once.command_id))
        return options.require_total(await making.ordered(PurposeKind.ESCROW, escrow))

    async with once:
        payment = await payment_commands.create(deps, sender.temporal, actor, once, terms)
        after = await read_current(deps, actor, escrow.terms.escrow_id)
        return once.answer(FundedView(**after.model_dump(), payment=payment_view(payment, actor)))


async def _fund_by_payment(sender: Sender, escrow: Escrow, payment_id: str, once: Command) -> Response:
    deps, actor = sender.deps, sender.actor
    if not is_payer(escrow, actor):
        raise Forbidden("Only the paying organization may fund an escrow.")
    payment = await payment_commands.find_payment(deps, actor, payment_id)
    async with once:
        if payment.terms.purpose.escrow_id != escrow.terms.escrow_id:
            raise refusals.EscrowPaymentMismatch(
                "This payment was not made for this escrow. Name one that was, or fund from another source."
            )
        await payment_commands.wait_for_funding(deps, sender.temporal, actor, payment, once.command_id)
        return once.answer(await read_current(deps, actor, escrow.terms.escrow_id))
