"""A dry run of every command of an escrow: what it would do for a caller now, or why it would be refused.

It calls the functions that execute the commands, so a page offers exactly the commands that are accepted.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.common.access import Actor, Permission, permit
from domain.common.errors import Conflict, DomainError, EscrowDeliveriesFull, EscrowRefundsFull
from domain.common.money import CREDIT
from domain.escrow import commands
from domain.escrow.deadlines import timed_exit
from domain.escrow.state import WHOLE_E4, Escrow, Outcome, signatory_name


class EscrowAction(StrEnum):
    """The commands of an escrow, in the order in which they are shown."""

    FUND = "fund"
    DELIVER = "deliver"
    VALIDATE = "validate"
    APPROVE = "approve"
    DISPUTE = "dispute"
    SUBMIT_EVIDENCE = "submit_evidence"
    RESOLVE = "resolve"
    REFUND = "refund"
    CANCEL = "cancel"


A = EscrowAction
#: The permission that each command asks for.
NEEDS: Mapping[EscrowAction, Permission] = {
    A.FUND: Permission.FUND,
    A.DELIVER: Permission.DELIVER,
    A.VALIDATE: Permission.VALIDATE,
    A.APPROVE: Permission.APPROVE,
    A.DISPUTE: Permission.DISPUTE,
    A.SUBMIT_EVIDENCE: Permission.DISPUTE,
    A.RESOLVE: Permission.ARBITRATE,
    A.REFUND: Permission.REFUND,
    A.CANCEL: Permission.CANCEL,
}
#: How often one escrow takes a delivery, and a refund of a part: each stays in its timeline for good. The first
#: delivery of a milestone is taken beyond that.
MAX_DELIVERIES = 100
MAX_PARTIAL_REFUNDS = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandPreview:
    """One command, with either its result or its refusal."""

    name: EscrowAction
    outcome: Outcome | None = None
    refusal: DomainError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The parameters for the dry run of some commands.

    Attributes:
        payee_share_e4: of a decision, in ten-thousandths; None is the share that applies when nobody decides.
        refund_minor: of a refund, in minor units; None is all that is held.
    """

    payee_share_e4: int | None = None
    refund_minor: int | None = None


def preview_commands(
    escrow: Escrow,
    actor: Actor,
    now: datetime,
    parameters: Parameters = Parameters(),
    *,
    full: Mapping[EscrowAction, DomainError] | None = None,
) -> tuple[CommandPreview, ...]:
    """Return every command, tried by the actor on the state.

    A command that takes more than its parameters is tried with what is most usual: funding with what the contract is
    in, the next milestone, a score that releases, the delivery under review. The payer's balance is not checked. A
    deadline that has passed acts before any command, so it is applied first here.

    Args:
        escrow: the state that the books hold.
        actor: sees the escrow.
        now: the time.
        parameters: see there.
        full: refusals of commands that the escrow has taken too often.
    """
    while (passed := timed_exit(escrow, now)) is not None:
        escrow = passed.escrow
    return tuple(_preview(name, escrow, actor, now, parameters, full or {}) for name in EscrowAction)


def _preview(
    name: EscrowAction,
    escrow: Escrow,
    actor: Actor,
    now: datetime,
    parameters: Parameters,
    full: Mapping[EscrowAction, DomainError],
) -> CommandPreview:
    try:
        permit(actor, NEEDS[name])
        if name in full:
            raise full[name]
        if escrow.is_final:
            raise commands.final_state_error(escrow)
        return CommandPreview(name=name, outcome=_outcome(name, escrow, actor, now, parameters))
    except DomainError as refusal:
        return CommandPreview(name=name, refusal=refusal)


def _outcome(name: EscrowAction, escrow: Escrow, actor: Actor, now: datetime, parameters: Parameters) -> Outcome:
    reviewed = escrow.delivery.number if escrow.delivery else None
    match name:
        case A.FUND:
            source = commands.CREDITS if escrow.terms.currency == CREDIT else commands.BALANCE
            return commands.fund(escrow, actor=actor, source=source, now=now)
        case A.DELIVER:
            return commands.deliver(escrow, actor=actor, artifacts=(), note=None, milestone=None, now=now)
        case A.VALIDATE:
            return commands.validate(escrow, actor=actor, score_e4=WHOLE_E4, note=None, now=now, delivery=reviewed)
        case A.APPROVE:
            signatory = signatory_name(escrow, actor)
            return commands.approve(escrow, signatory=signatory, actor=actor, now=now, delivery=reviewed)
        case A.DISPUTE:
            return commands.dispute(escrow, actor=actor, reason="", now=now)
        case A.SUBMIT_EVIDENCE:
            # The shortest there is: what is longer may be refused where only a little room is left.
            return commands.submit_evidence(escrow, actor=actor, note=".", artifacts=(), now=now)
        case A.RESOLVE:
            share_e4 = parameters.payee_share_e4
            share_e4 = escrow.default_share_e4 if share_e4 is None else share_e4
            return commands.resolve(escrow, actor=actor, payee_share_e4=share_e4, note=None, now=now)
        case A.REFUND:
            return commands.refund(escrow, actor=actor, amount_minor=parameters.refund_minor)
        case A.CANCEL:
            return commands.cancel(escrow, actor=actor, reason=None)


def too_many_deliveries(escrow: Escrow) -> Conflict:
    """Return the refusal of one delivery more than an escrow takes."""
    return EscrowDeliveriesFull(
        f"This escrow has {MAX_DELIVERIES} deliveries, which is the maximum. The latest one is under review.",
        extra={"state": escrow.status.value},
    )


def too_many_refunds(escrow: Escrow) -> Conflict:
    """Return the refusal of another partial refund beyond the maximum; all that is held can still be refunded."""
    return EscrowRefundsFull(
        f"Parts of this escrow were refunded {MAX_PARTIAL_REFUNDS} times, which is the maximum. Refund all that is "
        "held, or continue the work.",
        extra={"state": escrow.status.value},
    )
