"""The decisions that commands and operators' signals make on an escrow. Signals can hold any JSON, checked here."""

from collections.abc import Mapping
from datetime import datetime
from functools import partial
from types import MappingProxyType

from contracts.escrow.escrow import (
    ApproveEscrow,
    ApproveSignal,
    CancelEscrow,
    CancelSignal,
    DeliverEscrow,
    DisputeEscrow,
    DisputeSignal,
    EscrowCommand,
    FundEscrow,
    NotedCommand,
    OperatorSignal,
    RefundEscrow,
    ResolveEscrow,
    ResolveSignal,
    SubmitEvidence,
    ValidateEscrow,
)
from domain.common.errors import Invalid
from domain.common.money import parse_ratio
from domain.common.signals import SignalTarget
from domain.common.text import plain_text
from domain.escrow import commands
from domain.escrow.state import Decision, Escrow, Outcome, signatory_name
from workflows.common.signals import check_addressed, sender

#: The commands that are noted before a deadline, see `repositories/escrow/escrow_notice.py`.
_NOTED: Mapping[str, type[EscrowCommand]] = MappingProxyType(
    {
        "dispute": DisputeEscrow,
        "deliver": DeliverEscrow,
        "approve": ApproveEscrow,
        "refund": RefundEscrow,
        "resolve": ResolveEscrow,
        "submit_evidence": SubmitEvidence,
    }
)


def decide(given: EscrowCommand, given_at: datetime | None, escrow: Escrow, now: datetime) -> Outcome:
    """Return what a command does to the state that holds when its turn comes; with `given_at` it was given then."""
    actor = given.actor
    match given:
        case FundEscrow():
            return commands.fund(escrow, actor=actor, source=given.source, now=now, amount_minor=given.amount_minor)
        case DeliverEscrow():
            return commands.deliver(
                escrow,
                actor=actor,
                artifacts=given.artifacts,
                note=given.note,
                milestone=given.milestone,
                now=now,
                given_at=given_at,
            )
        case ValidateEscrow():
            score, note, number = given.score_e4, given.note, given.delivery
            return commands.validate(escrow, actor=actor, score_e4=score, note=note, now=now, delivery=number)
        case ApproveEscrow():
            name, number = signatory_name(escrow, actor), given.delivery
            return commands.approve(escrow, signatory=name, actor=actor, now=now, delivery=number, given_at=given_at)
        case DisputeEscrow():
            return commands.dispute(escrow, actor=actor, reason=given.reason, now=now, given_at=given_at)
        case SubmitEvidence():
            note, files, at = given.note, given.artifacts, given_at or given.given_at
            return commands.submit_evidence(escrow, actor=actor, note=note, artifacts=files, now=now, given_at=at)
        case ResolveEscrow():
            share, note = given.payee_share_e4, given.note
            return commands.resolve(escrow, actor=actor, payee_share_e4=share, note=note, now=now)
        case RefundEscrow():
            return commands.refund(escrow, actor=actor, amount_minor=given.amount_minor)
        case CancelEscrow():
            return commands.cancel(escrow, actor=actor, reason=given.reason)
    raise ValueError(f"{type(given).__name__} is no command of an open escrow")


def noted(given: NotedCommand) -> tuple[EscrowCommand, Decision]:
    """Return a noted command and its decision, as of the time of the note.

    Raises:
        ValueError: it cannot be read. KeyError: commands of its name are not noted.
    """
    command = _NOTED[given.name].model_validate(given.command)
    return command, partial(decide, command, given.noted_at)


def approve(signal: ApproveSignal, escrow: Escrow, now: datetime) -> Outcome:
    """Approve in the name of a signatory."""
    signatory = plain_text(signal.signatory, "signatory", limit=200)
    delivery = signal.delivery
    if delivery is not None and type(delivery) is not int:
        raise Invalid("delivery must be the number of the delivery, a whole number.", extra={"field": "delivery"})
    return commands.approve(escrow, signatory=signatory, actor=sender(signal), now=now, delivery=delivery)


def dispute(signal: DisputeSignal, escrow: Escrow, now: datetime) -> Outcome:
    """Freeze the escrow."""
    reason = plain_text(signal.reason, "reason")
    return commands.dispute(escrow, actor=sender(signal), reason=reason, now=now)


def resolve(signal: ResolveSignal, escrow: Escrow, now: datetime) -> Outcome:
    """Decide the dispute."""
    # A number in JSON is decoded as a float; its shortest form is what the operator typed.
    share_e4 = parse_ratio(str(signal.payee_share), "payee_share")
    note = _optional_text(signal.note, "note")
    return commands.resolve(escrow, actor=sender(signal), payee_share_e4=share_e4, note=note, now=now)


def cancel(signal: CancelSignal, escrow: Escrow, _now: datetime) -> Outcome:
    """End the escrow before delivery."""
    return commands.cancel(escrow, actor=sender(signal), reason=_optional_text(signal.reason, "reason"))


def checked(name: str, signal: OperatorSignal, given: Decision) -> Decision:
    """Return the decision, which first checks that the signal is for this escrow and names its sender."""

    def decide(escrow: Escrow, now: datetime) -> Outcome:
        reached = SignalTarget(kind="escrow", id=escrow.terms.escrow_id, state=escrow.status.value, asks_for_name=True)
        check_addressed(reached, name, signal, subject=getattr(signal, name))
        return given(escrow, now)

    return decide


def _optional_text(value: object, field: str) -> str | None:
    return None if value is None else plain_text(value, field)
