"""Messages of the escrow: what starts its workflow, what commands carry, what its activities take and return.

Messages only grow: a new field has a default, a field is never renamed or removed. Domain values travel as they are.
"""

from datetime import datetime

from pydantic import Field, SkipValidation

from contracts.base import Message, content_of
from contracts.seal import Seal
from domain.access import Actor
from domain.approval import ApprovalRequired
from domain.errors import DomainError, InsufficientFunds, Invalid, SpendLimitExceeded
from domain.escrow.signing import AlreadySigned
from domain.escrow.state import Artifact, Escrow, EscrowPosting, Terms
from domain.invoice.state import WrongInvoiceState
from domain.money import check_ratio
from domain.reputation.levels import ExposureLimit


class EscrowInput(Message):
    """Starts or continues an escrow.

    With `resume` the run goes on from what the books hold; otherwise it opens an escrow under `terms`. `signals` counts
    the signals of earlier runs. Runs of before went on from `escrow`; one that is started with it now resumes.
    """

    terms: Terms
    opened_by: Actor
    command_id: str
    escrow: Escrow | None = None
    resume: bool = False
    signals: int = 0


class EscrowResult(Message):
    """How the escrow ended."""

    escrow_id: str
    status: str
    version: int


class EscrowCommand(Message):
    """What every command carries: its identity, made from the caller's key, and who gives it."""

    command_id: str
    actor: Actor

    def check(self) -> None:
        """Refuse a value that no caller of the API can send; asked at the door only, so never of a history.

        Raises:
            Invalid: names the field.
        """

    def content(self) -> str:
        """Return the hash of what is asked for."""
        return content_of(self)


class OpenEscrow(EscrowCommand):
    """Waits until the escrow is open; refused when another command opened it."""


class FundEscrow(EscrowCommand):
    """Moves the amount from the payer into escrow.

    `source` is `credits`, `balance` or `payment:{id}`; `amount_minor` what a payment brought, which must be the
    escrow's amount.
    """

    source: str = "credits"
    amount_minor: int | None = None


class DeliverEscrow(EscrowCommand):
    """Delivers work for review."""

    artifacts: tuple[Artifact, ...] = ()
    note: str | None = None
    milestone: str | None = None


class ValidateEscrow(EscrowCommand):
    """Records a score in ten-thousandths."""

    score_e4: int
    note: str | None = None
    delivery: int | None = None

    def check(self) -> None:
        """Refuse what is no score."""
        check_ratio(self.score_e4, "score")


class ApproveEscrow(EscrowCommand):
    """Signs as the actor, for the delivery with that event number when it is given."""

    delivery: int | None = None


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

    def check(self) -> None:
        """Refuse what is no share."""
        check_ratio(self.payee_share_e4, "payee_share")


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
    """What an operator sends from the Temporal UI as a JSON object.

    Fields take whatever JSON holds, and the handler judges them: a signal that cannot be decoded would be dropped
    without a trace, and a refused one belongs in the timeline. `operator` is who sends it; `command_id` makes a
    repeated signal one command. Each signal has a field of its own name besides, for the id of what it is meant for.
    `seal` is not the sender's to fill: the converter replaces it by what the codec vouches for.
    """

    operator: object = None
    command_id: object = None
    seal: SkipValidation[Seal | None] = None


class ApproveSignal(OperatorSignal):
    """Signs for a named signatory: `{"signatory": "finance"}`."""

    approve: object = None
    signatory: object = None
    delivery: object = None


class DisputeSignal(OperatorSignal):
    """Freezes the escrow: `{"reason": "…"}`."""

    dispute: object = None
    reason: object = "opened by an operator"


class ResolveSignal(OperatorSignal):
    """Decides the dispute: `{"payee_share": "0.60"}`."""

    resolve: object = None
    payee_share: object = None
    note: object = None


class CancelSignal(OperatorSignal):
    """Ends the escrow before delivery; what is held goes back to the payer."""

    cancel: object = None
    reason: object = None


class RecordEscrowEvent(Message):
    """One event to be written: the state after it, what it says, and the money that moves with it.

    `escrow.version` is the event's number. `at` is business time; the database stamps its own beside it. `due_at` is
    set for what a deadline does: it is not written while commands stand that were noted before. `settles` names those
    of them that the run has refused. `content` is the hash of the command behind the event, None where none is kept.
    `decided_from` is the hash of the state that the event was decided from, None for the first event and in messages of
    before.
    """

    escrow: Escrow
    event: str
    command_id: str
    actor: str
    actor_detail: Actor | None = None
    moves: tuple[EscrowPosting, ...] = ()
    details: dict[str, object] = Field(default_factory=dict)
    at: datetime
    due_at: datetime | None = None
    settles: tuple[str, ...] = ()
    content: str | None = None
    decided_from: str | None = None


class NotedCommand(Message):
    """A command that was noted before its deadline, as it was sent, and when that was."""

    command_id: str
    name: str
    command: dict[str, object]
    noted_at: datetime


#: The declines that are answered with a status of their own.
_DECLINES: tuple[type[DomainError], ...] = (
    InsufficientFunds,
    SpendLimitExceeded,
    ExposureLimit,
    ApprovalRequired,
    AlreadySigned,
    WrongInvoiceState,
)


class Declined(Message):
    """An expected refusal by the books, such as `ledger.insufficient_funds`."""

    code: str
    detail: str
    extra: dict[str, object] = Field(default_factory=dict)

    @classmethod
    def of(cls, refusal: DomainError) -> "Declined":
        """Return a refusal that the caller can mend as a result."""
        return cls(code=refusal.error_code, detail=refusal.detail, extra=refusal.extra)

    def error(self, *, state: str) -> DomainError:
        """Return the refusal again, with the state that it was decided on."""
        kind = next((it for it in _DECLINES if it.code == self.code), Invalid)
        return kind(self.detail, code=self.code, extra={**self.extra, "state": state})


class RecordedEscrow(Message):
    """The outcome of the event.

    `applied` tells that this very event is in the books. Otherwise `stored` is the state that the books hold, which is
    another one than the sender's, or `declined` says why nothing was written, or `noted` are the commands that must be
    done or refused before the deadline may act, or `extended_until` is when the review ends instead.
    """

    applied: bool
    transfer_id: str | None = None
    stored: Escrow | None = None
    declined: Declined | None = None
    noted: tuple[NotedCommand, ...] = ()
    extended_until: datetime | None = None


class LoadEscrow(Message):
    """Asks for the state that the books hold."""

    escrow_id: str


class FindOverdue(Message):
    """Asks for a page of escrows whose deadline passed before `before` without ending them, after the id `after`."""

    before: datetime
    after: str
    limit: int


class OverdueEscrows(Message):
    """The terms of overdue escrows in the order of their ids; fewer than the limit on the last page."""

    terms: tuple[Terms, ...]

    @property
    def found(self) -> tuple[Terms, ...]:
        """What a sweep goes through."""
        return self.terms

    @property
    def last(self) -> str:
        """After which escrow the next page begins."""
        return self.terms[-1].escrow_id


class SweepResult(Message):
    """How many escrows were overdue, and how many of them had no run and got one."""

    overdue: int
    started: int
