"""Messages of payments: input of the workflow, commands, signals, and messages of its activities.

Messages only grow: a new field has a default, a field is never renamed or removed. Domain values are sent unchanged.
"""

from datetime import datetime

from pydantic import Field

from contracts.common.base import Message, content_of
from contracts.escrow.escrow import Declined, OperatorSignal
from domain.common.access import Actor
from domain.common.errors import Invalid
from domain.payments.payment.snapshot import RefundSnapshot, Snapshot
from domain.payments.payment.state import Outcome, Payment, PaymentPosting
from domain.payments.payment.terms import PaymentTerms


class PaymentInput(Message):
    """Starts or continues a payment.

    With `resume` the run continues from the state in the books; otherwise it creates a payment under `terms`. `events`
    are the provider's events that wait for the next refresh; `look` requests one without events.
    """

    terms: PaymentTerms
    created_by: Actor
    command_id: str
    resume: bool = False
    signals: int = 0
    events: tuple[str, ...] = ()
    look: bool = False


class PaymentResult(Message):
    payment_id: str
    status: str
    version: int


class PaymentCommand(Message):
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


def _check_amount(amount_minor: int | None) -> None:
    if amount_minor is not None and amount_minor <= 0:
        raise Invalid("The amount must be greater than zero.", extra={"field": "amount"})


class CreatePaymentCommand(PaymentCommand):
    """Waits for the provider's first response, or until its absence is known."""


class ConfirmPayment(PaymentCommand):
    """Continues after the payer has acted: refreshes the payment, and charges or captures what was approved."""

    method_ref: str | None = None


class CapturePayment(PaymentCommand):
    amount_minor: int | None = None

    def check(self) -> None:
        _check_amount(self.amount_minor)


class CancelPayment(PaymentCommand):
    """Cancels an unpaid payment.

    With `spares_under_way` it is refused once the money is on its way, as with a bank debit that has begun. Otherwise
    such a payment is refunded once it is received.
    """

    spares_under_way: bool = False


class RefundPayment(PaymentCommand):
    """Refunds an amount, or the remainder; the caller generates `refund_id`.

    With `credit_note` the paid invoice is credited as well.
    """

    refund_id: str
    amount_minor: int | None = None
    reason: str | None = None
    credit_note: bool = False

    def check(self) -> None:
        _check_amount(self.amount_minor)


class GiveUpRefund(PaymentCommand):
    """Stops looking up a refund whose outcome is unknown.

    With `provider_ref`, its id at the provider, the refund was made there; without one it was not.
    """

    refund_id: str
    reason: str
    provider_ref: str | None = None


class SubmitDisputeEvidence(PaymentCommand):
    dispute_ref: str
    text: str


class PaymentCommandResult(Message):
    """The payment's status after a command; the read model has the rest."""

    payment_id: str
    status: str
    version: int
    refund_id: str | None = None


class ProviderEventSignal(Message):
    """Requests a refresh because of a provider's event. `event_id` is the row in the inbox."""

    event_id: str


class RefundSignal(OperatorSignal):
    """Refunds from the Temporal UI: `{"amount": "4.00", "reason": "…"}`; without an amount, the remainder."""

    refund: object = None
    amount: object = None
    reason: object = None


class GiveUpSignal(OperatorSignal):
    """Gives up an unknown refund: `{"at_provider": false, "reason": "…"}`; with `ref`, its id, if the provider has it.

    `refund_id` defaults to the only unknown one.
    """

    give_up: object = None
    refund_id: object = None
    at_provider: object = None
    ref: object = None
    reason: object = None


class PaymentSignal(OperatorSignal):
    """`cancel` cancels the payment, `look` refreshes it now."""

    cancel: object = None
    look: object = None


class PaymentEvent(Message):
    """An event to write: the state after it, its content, and its postings."""

    payment: Payment
    event: str
    actor: str
    actor_detail: Actor | None = None
    moves: tuple[PaymentPosting, ...] = ()
    details: dict[str, object] = Field(default_factory=dict)
    booked: str | None = None
    debtor: str | None = None
    command_id: str | None = None
    at: datetime

    @classmethod
    def of(
        cls, outcome: Outcome, *, at: datetime, actor: Actor | None = None, command_id: str | None = None
    ) -> "PaymentEvent":
        """Return the event of an outcome; `actor` is that of the command."""
        return cls(
            payment=outcome.payment,
            event=outcome.event,
            actor=outcome.actor,
            actor_detail=actor,
            moves=outcome.moves,
            details=dict(outcome.details),
            booked=outcome.booked,
            debtor=outcome.debtor,
            command_id=command_id,
            at=at,
        )


class RecordPayment(Message):
    """Events to write in one transaction, in order, and the provider's events that are handled with it.

    `decided_from` is the hash of the state that they were decided from; None for the first event.
    """

    payment_id: str
    provider: str
    events: tuple[PaymentEvent, ...]
    handled: tuple[str, ...] = ()
    at: datetime
    decided_from: str | None = None


class RecordedPayment(Message):
    """Result of recording events.

    With `applied` these events are in the books. `stored` is the state in the books: that of the last event with its
    debts, or one that differs from the sender's. `declined` is the reason why nothing was written.
    """

    applied: bool
    stored: Payment | None = None
    declined: Declined | None = None


class LoadPayment(Message):
    payment_id: str


class ProviderRequest(Message):
    """A call to a provider about a payment; `key` is the idempotency key, if the call changes something.

    `booked` are the keys of booked balance transactions, which need no valuation. `command_id` and `actor` are set if a
    person's command causes the call.
    """

    terms: PaymentTerms
    key: str
    ref: str | None = None
    method_ref: str | None = None
    amount_minor: int | None = None
    booked: tuple[str, ...] = ()
    command_id: str | None = None
    actor: Actor | None = None


class RefundRequest(Message):
    terms: PaymentTerms
    ref: str
    refund_id: str
    amount_minor: int
    reason: str | None
    key: str


class EvidenceRequest(Message):
    """Submits evidence to a provider, for `actor`; `ref` is the provider's id of the payment."""

    terms: PaymentTerms
    dispute_ref: str
    text: str
    key: str
    ref: str | None = None
    actor: Actor | None = None


class ProviderResponse(Message):
    """A provider's response.

    Exactly one is set: `snapshot`; `missing`, there is no such object; `refused`, the provider's refusal; `declined`,
    our own; or `unknown`, the outcome is unknown. `revalued` is the entitlement of deposits after the expiry of their
    quote, by key of the balance transaction. `purpose_gone` says why the subject of an unpaid payment can no longer be
    paid; with `missing`, the payment was not created because of that.
    """

    snapshot: Snapshot | None = None
    revalued: dict[str, int] = Field(default_factory=dict)
    missing: bool = False
    refused: Declined | None = None
    unknown: str | None = None
    declined: Declined | None = None
    purpose_gone: str | None = None


class RefundResponse(Message):
    """A provider's response to a refund; exactly one is set."""

    snapshot: RefundSnapshot | None = None
    missing: bool = False
    refused: Declined | None = None
    unknown: str | None = None


class FundEscrowFromPayment(Message):
    terms: PaymentTerms
    only_look: bool = False


class EscrowFunding(Message):
    """Whether the escrow was funded, or in `why`, why it never will be. `not_asked`: it was only read."""

    funded: bool
    why: str | None = None
    not_asked: bool = False


class EscrowFreezing(Message):
    """Whether the escrow is frozen, or in `why`, why there is nothing to freeze."""

    frozen: bool
    why: str | None = None


class ProviderEventInput(Message):
    """Starts the run that dispatches one webhook event."""

    provider: str
    event_id: str


class DispatchProviderEvent(Message):
    """Dispatches an event; with `last_try` a missing payment is no longer waited for."""

    provider: str
    event_id: str
    last_try: bool = False


class ProviderEventResult(Message):
    """Result of the dispatch: the status in the inbox, or `too_early` while the object is not in the books yet."""

    outcome: str
    payment_id: str | None = None
