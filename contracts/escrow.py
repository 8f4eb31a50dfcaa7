"""Messages of the escrow: what starts its workflow, what commands carry, what its activities take and return.

Messages only grow: a new field has a default, a field is never renamed or removed. Domain values travel as they are.
"""

from datetime import datetime
from typing import Literal

from pydantic import Field

from contracts.base import Message
from domain.access import Actor
from domain.escrow.state import Artifact, Escrow, Move, Terms


class EscrowInput(Message):
    """Starts or continues an escrow: with `escrow` it goes on from there, without it opens one under `terms`."""

    terms: Terms
    opened_by: Actor
    command_id: str
    escrow: Escrow | None = None


class EscrowResult(Message):
    """How the escrow ended."""

    escrow_id: str
    status: str
    version: int


class EscrowCommand(Message):
    """What every command carries: its identity, made from the caller's key, and who gives it."""

    command_id: str
    actor: Actor


class OpenEscrow(EscrowCommand):
    """Waits until the escrow is open; refused when another command opened it."""


class FundEscrow(EscrowCommand):
    """Moves the amount from the payer's balance into escrow."""

    source: Literal["credits"] = "credits"


class DeliverEscrow(EscrowCommand):
    """Hands over work for review."""

    artifacts: tuple[Artifact, ...] = ()
    note: str | None = None
    milestone: str | None = None


class ValidateEscrow(EscrowCommand):
    """Records a score in ten-thousandths."""

    score_e4: int
    note: str | None = None


class ApproveEscrow(EscrowCommand):
    """Signs as the actor."""


class DisputeEscrow(EscrowCommand):
    """Freezes the escrow."""

    reason: str


class SubmitEvidence(EscrowCommand):
    """Adds a party's evidence to the open dispute."""

    note: str
    artifacts: tuple[Artifact, ...] = ()


class ResolveEscrow(EscrowCommand):
    """Decides the dispute; the share is in ten-thousandths."""

    payee_share_e4: int
    note: str | None = None


class RefundEscrow(EscrowCommand):
    """Gives back `amount_minor`, or all that is held."""

    amount_minor: int | None = None


class CancelEscrow(EscrowCommand):
    """Ends the escrow before delivery, or asks for it."""

    reason: str | None = None


class CommandResult(Message):
    """Where the escrow stands after a command; the read model holds the rest."""

    escrow_id: str
    status: str
    version: int


class OperatorSignal(Message):
    """What an operator sends from the Temporal UI as a JSON object; every field has a default except what must be said.

    `operator` is who sends it, for the timeline and the audit trail; `command_id` makes a repeated signal one command.
    """

    operator: str = Field(default="operator", max_length=100)
    command_id: str | None = Field(default=None, max_length=100)


class ApproveSignal(OperatorSignal):
    """Signs for a named signatory: `{"signatory": "finance"}`."""

    signatory: str


class DisputeSignal(OperatorSignal):
    """Freezes the escrow: `{"reason": "…"}`."""

    reason: str = "opened by an operator"


class ResolveSignal(OperatorSignal):
    """Decides the dispute: `{"payee_share": "0.60"}`."""

    payee_share: str
    note: str | None = None


class CancelSignal(OperatorSignal):
    """Ends the escrow before delivery; what is held goes back to the payer."""

    reason: str | None = None


class RecordEscrowEvent(Message):
    """One event to be written: the state after it, what it says, and the money that moves with it.

    `escrow.version` is the event's number. `at` is business time; the database stamps its own beside it.
    """

    escrow: Escrow
    event: str
    command_id: str
    actor: str
    actor_detail: Actor | None = None
    moves: tuple[Move, ...] = ()
    details: dict[str, object] = Field(default_factory=dict)
    at: datetime


class Declined(Message):
    """An expected refusal by the books, such as `ledger.insufficient_funds`."""

    code: str
    detail: str
    extra: dict[str, object] = Field(default_factory=dict)


class RecordedEscrow(Message):
    """What became of the event.

    `applied` tells that this very event is in the books. Otherwise `stored` is the state that the books hold, which is
    ahead of the sender's, or `declined` says why nothing was written.
    """

    applied: bool
    transfer_id: str | None = None
    stored: Escrow | None = None
    declined: Declined | None = None


class FindOverdue(Message):
    """Asks for escrows whose deadline passed before `before` and that are still not settled, `limit` at most."""

    before: datetime
    limit: int


class OverdueEscrows(Message):
    """Escrows as the books hold them, those that wait longest first."""

    escrows: tuple[Escrow, ...]


class SweepResult(Message):
    """How many escrows were overdue, and how many of them had no run and got one."""

    overdue: int
    started: int
