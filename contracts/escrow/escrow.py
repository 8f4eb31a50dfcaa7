"""Messages of escrows: input of the workflow, commands, signals, and messages of its activities.

Messages only grow: a new field has a default, a field is never renamed or removed. Domain values are sent unchanged.
"""

from datetime import datetime
from typing import Annotated

from pydantic import Field, SkipValidation

from contracts.common.base import Message, content_of
from contracts.common.seal import Seal
from domain.common.access import Actor
from domain.common.errors import DomainError, Invalid, class_of
from domain.common.money import check_ratio
from domain.escrow.state import Artifact, Escrow, Outcome, Terms
from domain.privacy.data_map import TECHNICAL


class EscrowInput(Message):
    """Starts or continues an escrow.

    With `resume` the run continues from the state in the books; otherwise it opens an escrow under `terms`. `signals`
    counts the signals of earlier runs.
    """

    terms: Terms
    opened_by: Actor
    command_id: str
    resume: bool = False
    signals: int = 0


class EscrowCommand(Message):
    """Base of all commands: the id, made from the caller's key, and the actor."""

    command_id: str
    actor: Actor

    def check(self) -> None:
        """Refuse values that the API cannot send. Only validators call it, so it never runs in a replay.

        Raises:
            Invalid: names the field.
        """

    def content(self) -> str:
        return content_of(self)


class OpenEscrow(EscrowCommand):
    """Waits until the escrow is open; refused if another command opened it."""


class FundEscrow(EscrowCommand):
    """Moves the amount from the payer into escrow.

    `source` is `credits`, `balance` or `payment:{id}`; `amount_minor`, the amount of a payment, must equal the escrow's
    amount.
    """

    source: str = "credits"
    amount_minor: int | None = None


class DeliverEscrow(EscrowCommand):
    artifacts: tuple[Artifact, ...] = ()
    note: str | None = None
    milestone: str | None = None


class ValidateEscrow(EscrowCommand):
    """Records a score in ten-thousandths for the delivery of that number."""

    score_e4: int
    note: str | None = None
    delivery: int | None = None

    def check(self) -> None:
        check_ratio(self.score_e4, "score")


class ApproveEscrow(EscrowCommand):
    """Signs as the actor for the delivery of that number, which may be left out for the first one."""

    delivery: int | None = None


class DisputeEscrow(EscrowCommand):
    reason: str


class SubmitEvidence(EscrowCommand):
    """Adds a party's evidence to the open dispute. `given_at` is the time of its first receipt, set by the API."""

    note: str
    artifacts: tuple[Artifact, ...] = ()
    given_at: datetime | None = None


class ResolveEscrow(EscrowCommand):
    """Decides the dispute; the share is in ten-thousandths."""

    payee_share_e4: int
    note: str | None = None

    def check(self) -> None:
        check_ratio(self.payee_share_e4, "payee_share")


class RefundEscrow(EscrowCommand):
    """Refunds `amount_minor`, or all that is held."""

    amount_minor: int | None = None


class CancelEscrow(EscrowCommand):
    """Cancels the escrow before delivery, or requests that."""

    reason: str | None = None


class CommandResult(Message):
    """The escrow's status after a command, or at its end; the read model has the rest."""

    escrow_id: str
    status: str
    version: int


class OperatorSignal(Message):
    """Base of operators' signals from the Temporal UI, as a JSON object.

    Fields accept any JSON, and the handler validates them: a signal that cannot be decoded would be dropped without a
    trace, and a refused one belongs in the timeline. `operator` is the sender; repeated signals with one `command_id`
    are one command. Each signal also has a field of its own name for the id of its addressee. The converter sets `seal`
    to the seal that the codec has verified.
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
    """Ends the escrow before delivery; the held amount is refunded."""

    cancel: object = None
    reason: object = None


class RecordEscrowEvent(Message):
    """An event to write: the outcome of a command or a deadline.

    `actor` is that of the command; None for a deadline. `at` is the effective time; the database adds its own. `due_at`
    is set for a deadline's event, which is not written while commands noted before it are open. `settles` names noted
    commands that the run has refused. `content` is the hash of the command, None if none is stored. `decided_from` is
    the hash of the state that the event was decided from; None for the first event.
    """

    outcome: Outcome
    command_id: str
    actor: Actor | None = None
    at: datetime
    due_at: datetime | None = None
    settles: tuple[str, ...] = ()
    content: str | None = None
    decided_from: str | None = None


class NotedCommand(Message):
    """A command that was noted before the deadline, as sent, with the time of its notice."""

    command_id: str
    name: Annotated[str, TECHNICAL]
    command: dict[str, object]
    noted_at: datetime


class Declined(Message):
    """An expected refusal by the books, such as `ledger.insufficient_funds`."""

    code: str
    detail: str
    status: int = Invalid.status
    extra: dict[str, object] = Field(default_factory=dict)

    @classmethod
    def of(cls, refusal: DomainError) -> "Declined":
        return cls(code=refusal.error_code, detail=refusal.detail, status=refusal.status, extra=refusal.extra)

    def error(self, *, state: str) -> DomainError:
        """Return the refusal as an error, with the given state unless it has one."""
        kind = class_of(self.code, self.status)
        return kind(self.detail, code=self.code, extra={"state": state, **self.extra})


class RecordedEscrow(Message):
    """Result of recording an event.

    With `applied` this event is in the books. Otherwise one is set: `stored`, the state in the books, which differs
    from the sender's; `declined`, the reason of a refusal; `noted`, commands that must be executed or refused before
    the deadline acts; `extended_until`, the new time of the deadline.
    """

    applied: bool
    transfer_id: str | None = None
    stored: Escrow | None = None
    declined: Declined | None = None
    noted: tuple[NotedCommand, ...] = ()
    extended_until: datetime | None = None


class LoadEscrow(Message):
    escrow_id: str


class CloseEvidence(Message):
    """Closes or extends the evidence window of a dispute, which has passed at `at`."""

    escrow_id: str
    at: datetime


class EvidenceClosed(Message):
    extended_until: datetime | None = None
