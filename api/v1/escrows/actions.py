"""Preview of the commands of an escrow: a dry run of its rules."""

from datetime import UTC, datetime
from typing import Annotated, Self

from fastapi import Query
from pydantic import Field

from api.actions import ActionView
from api.auth import ActorDep, permit
from api.deps import Deps, DepsDep
from api.fields import Amount, Exact, ResponseModel, Share
from api.routing import Resource
from api.v1.escrows import commands
from domain.common.access import Actor, OperatorIssued, Permission
from domain.common.errors import AlreadySigned, ExposureLimit, PaymentUnderWay
from domain.common.money import format_amount, parse_amount, parse_ratio
from domain.escrow.actions import CommandPreview, EscrowAction, Parameters, preview_commands
from domain.escrow.deadlines import timed_exit
from domain.escrow.outage import evidence_closes_at, evidence_extended
from domain.escrow.pause import extended
from domain.escrow.state import Escrow, EscrowPostingKind, EscrowStatus as Status, Outcome
from domain.tenants.organization import STOPPED_ERRORS
from repositories.tenants import organization as organizations
from services.escrow.escrow_extension import find_evidence_extension, find_extension
from services.escrow.signer import refuse_signature
from services.payments.purposes.base import refuse_concurrent_payments
from services.reputation.level import refuse_exposure

router = Resource(tags=["escrows"])

Kind = EscrowPostingKind


class EscrowEffectView(ResponseModel):
    """Movements of a command, and the status after it. Amounts are decimal strings of `currency`."""

    funded: Exact = Field(description="The amount moved from the payer into the escrow.")
    to_agent: Exact = Field(description="The amount paid to the agent, net of commission.")
    commission: Exact
    to_payer: Exact
    held: Exact = Field(description="The balance of the escrow afterwards.")
    currency: str
    status: Status

    @classmethod
    def of(cls, outcome: Outcome) -> Self:
        after, moved = outcome.escrow, dict.fromkeys(Kind, 0)
        for move in outcome.moves:
            moved[move.kind] += move.amount_minor
        currency = after.terms.currency
        return cls(
            funded=format_amount(moved[Kind.FUND], currency),
            to_agent=format_amount(moved[Kind.RELEASE], currency),
            commission=format_amount(moved[Kind.COMMISSION], currency),
            to_payer=format_amount(moved[Kind.REFUND], currency),
            held=format_amount(after.held_minor, currency),
            currency=currency,
            status=after.status,
        )


class EscrowActionView(ActionView[EscrowAction, EscrowEffectView]):
    """A command: its effect if the caller may give it now, otherwise the reason why not."""

    @classmethod
    def of(cls, action: CommandPreview) -> Self:
        effect = None if action.outcome is None else EscrowEffectView.of(action.outcome)
        return cls.judged(action.name, effect, action.refusal)


class EscrowActionList(ResponseModel):
    """Every command of an escrow."""

    actions: list[EscrowActionView]


@router.get("/escrows/{escrow_id}/actions", response_model=EscrowActionList, operation_id="escrows.actions")
async def list_actions(
    escrow_id: str,
    actor: ActorDep,
    deps: DepsDep,
    payee_share: Annotated[
        Share | None, Query(description="Preview `resolve` with this share; the default of the dispute when left out.")
    ] = None,
    amount: Annotated[
        Amount | None, Query(description="Preview `refund` of this amount; all that is held when left out.")
    ] = None,
) -> EscrowActionList:
    """List every command: whether you may give it now, why not, and what it would move.

    `fund` is judged without checking that the payer has the money. `validate` is shown with a score that releases.
    """
    escrow = await commands.find_escrow(deps, actor, escrow_id)
    permit(actor, Permission.READ)
    parameters = Parameters(
        payee_share_e4=None if payee_share is None else parse_ratio(payee_share, "payee_share"),
        refund_minor=None if amount is None else parse_amount(amount, escrow.terms.currency),
    )
    now = datetime.now(UTC)
    escrow = await _at(deps, escrow, now)
    full = await commands.exhausted_limits(deps, actor, escrow, refund_minor=parameters.refund_minor)
    found = preview_commands(escrow, actor, now, parameters, full=full)
    return EscrowActionList(
        actions=[EscrowActionView.of(await _taken_by_books(deps, actor, escrow, action)) for action in found]
    )


async def _at(deps: Deps, escrow: Escrow, now: datetime) -> Escrow:
    """Return the escrow after passed deadlines, each applied or extended as the books would."""
    closes_at = evidence_closes_at(escrow)
    if closes_at is not None and now >= closes_at:
        async with deps.database.platform() as session:
            heard = await find_evidence_extension(session, escrow, now=now)
        escrow = escrow if heard is None else evidence_extended(escrow, heard.until).escrow
    while (passed := timed_exit(escrow, now)) is not None:
        async with deps.database.platform() as session:
            found = await find_extension(
                session, escrow, passed.moves, longest_pause=deps.settings.longest_pause, now=now
            )
        escrow = passed.escrow if found is None else extended(escrow, found.until).escrow
    return escrow


async def _taken_by_books(deps: Deps, actor: Actor, escrow: Escrow, action: CommandPreview) -> CommandPreview:
    if action.outcome is None:
        return action
    match action.name:
        case EscrowAction.FUND:
            return await _fundable(deps, escrow, action)
        case EscrowAction.APPROVE:
            return await _signable(deps, actor, escrow, action)
    return action


async def _signable(deps: Deps, actor: Actor, escrow: Escrow, action: CommandPreview) -> CommandPreview:
    """Refuse a signature as the books do: by a key that an operator issued, or a second one of a person."""
    try:
        async with deps.database.platform() as session:
            await refuse_signature(session, escrow, actor)
    except (AlreadySigned, OperatorIssued) as refusal:
        return CommandPreview(name=action.name, refusal=refusal)
    return action


async def _fundable(deps: Deps, escrow: Escrow, action: CommandPreview) -> CommandPreview:
    """Refuse funding as the books do: during a payment, for a suspended or closed party, beyond the payee's level."""
    try:
        parties = escrow.terms.payer_org_id, escrow.terms.payee_org_id
        # No lock: frequent reads of this page must not block a suspension.
        await deps.platform_pool.read(lambda pool: organizations.refuse_stopped_as(pool, *parties))
        async with deps.database.platform() as session:
            await refuse_exposure(session, escrow.terms, lock=False)
            named = {"escrow_id": escrow.terms.escrow_id}
            await refuse_concurrent_payments(session, escrow.terms.payer_org_id, named)
    except (ExposureLimit, PaymentUnderWay, *STOPPED_ERRORS) as refusal:
        return CommandPreview(name=action.name, refusal=refusal)
    return action
