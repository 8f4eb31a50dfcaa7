"""Messages of payments: what starts their workflow, what commands carry, what its activities take and return.

Messages only grow: a new field has a default, a field is never renamed or removed. Domain values travel as they are.
"""

from datetime import datetime

from pydantic import Field

from contracts.base import Message, content_of
from contracts.escrow import Declined, OperatorSignal
from domain.access import Actor
from domain.errors import Invalid
from domain.payment.snapshot import RefundSnapshot, Snapshot
from domain.payment.state import Outcome, Payment, PaymentPosting
from domain.payment.terms import PaymentTerms


class PaymentInput(Message):
    """Starts or continues a payment.

    With `resume` the run goes on from what the books hold; otherwise it makes a payment under `terms`. `events` are the
    provider's events that wait for the next look at the provider; `look` asks for one without any. Runs of before went
    on from `payment`; one that is started with it now resumes.
    """

    terms: PaymentTerms
    created_by: Actor
    command_id: str
    payment: Payment | None = None
    resume: bool = False
    signals: int = 0
    events: tuple[str, ...] = ()
    look: bool = False


class PaymentResult(Message):
    """How the payment stands when its run ends."""

    payment_id: str
    status: str
    version: int


class PaymentCommand(Message):
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


def _check_amount(amount_minor: int | None) -> None:
    if amount_minor is not None and amount_minor <= 0:
        raise Invalid("The amount must be greater than zero.", extra={"field": "amount"})


class CreatePaymentCommand(PaymentCommand):
    """Waits until the provider has answered for the first time, or is known not to have."""


class ConfirmPayment(PaymentCommand):
    """Goes on after the payer has acted: looks at the provider, and pays or takes what was approved."""

    method_ref: str | None = None


class CapturePayment(PaymentCommand):
    """Takes what was authorized, or a part of it."""

    amount_minor: int | None = None

    def check(self) -> None:
        """Refuse to take nothing, or less."""
        _check_amount(self.amount_minor)


class CancelPayment(PaymentCommand):
    """Ends a payment that nobody has paid."""


class RefundPayment(PaymentCommand):
    """Gives back an amount, or all that remains; `refund_id` is made by the caller with the command.

    With `credit_note` the invoice that was paid is credited as well.
    """

    refund_id: str
    amount_minor: int | None = None
    reason: str | None = None
    credit_note: bool = False

    def check(self) -> None:
        """Refuse to give back nothing, or less."""
        _check_amount(self.amount_minor)


class GiveUpRefund(PaymentCommand):
    """Ends the search for a refund whose outcome is unknown.

    With `provider_ref`, its id at the provider, the refund was made there; without one it was not.
    """

    refund_id: str
    reason: str
    provider_ref: str | None = None


class SubmitDisputeEvidence(PaymentCommand):
    """Answers a chargeback."""

    dispute_ref: str
    text: str


class PaymentCommandResult(Message):
    """Where the payment stands after a command; the read model holds the rest."""

    payment_id: str
    status: str
    version: int
    refund_id: str | None = None


class ProviderEventSignal(Message):
    """Tells that the provider has news; what they are is asked there. `event_id` names the row in the inbox."""

    event_id: str


class RefundSignal(OperatorSignal):
    """Refunds from the Temporal UI: `{"amount": "4.00", "reason": "…"}`; without an amount, what remains."""

    refund: object = None
    amount: object = None
    reason: object = None


class GiveUpSignal(OperatorSignal):
    """Gives an unknown refund up: `{"at_provider": false, "reason": "…"}`, or with `ref`, its id, when it is there.

    Without `refund_id` it is the one that is unknown.
    """

    give_up: object = None
    refund_id: object = None
    at_provider: object = None
    ref: object = None
    reason: object = None


class PaymentSignal(OperatorSignal):
    """`cancel`, or `look`: ask the provider now."""

    cancel: object = None
    look: object = None


class PaymentEvent(Message):
    """One event to be written: the state after it, what it says, and the money that moves with it."""

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
        """Return the event of an outcome; `actor` is who gave the command that it answers."""
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
    """Events to be written in one transaction, in order, and the provider's events that are handled by it.

    `decided_from` is the hash of the state that they were decided from, None for the first event and in messages of
    before.
    """

    payment_id: str
    provider: str
    events: tuple[PaymentEvent, ...]
    handled: tuple[str, ...] = ()
    at: datetime
    decided_from: str | None = None


class RecordedPayment(Message):
    """The outcome of the events.

    `applied` tells that these very events are in the books. `stored` is the state that the books hold now: that of the
    last event with what it came to owe, or another one than the sender's. `declined` says why nothing was written.
    """

    applied: bool
    stored: Payment | None = None
    declined: Declined | None = None


class LoadPayment(Message):
    """Asks for the state that the books hold."""

    payment_id: str


class ProviderRequest(Message):
    """One call to a provider about a payment. `key` is the idempotency key of what changes something there.

    `booked` are the keys of movements that are in the books, so nobody needs to know what they are worth. With
    `command_id` and `actor` it is done because somebody commands it.
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
    """Asks a provider to refund, or for a refund that may have been made."""

    terms: PaymentTerms
    ref: str
    refund_id: str
    amount_minor: int
    reason: str | None
    key: str


class EvidenceRequest(Message):
    """Hands evidence to a provider, because `actor` commands it; `ref` is the provider's id of the payment."""

    terms: PaymentTerms
    dispute_ref: str
    text: str
    key: str
    ref: str | None = None
    actor: Actor | None = None


class ProviderResponse(Message):
    """What a provider answered.

    Exactly one is set: a snapshot (with `missing` false), or that there is no such object (`missing`), or why the call
    was refused there, or why we did not make it (`declined`), or that its outcome is not known. `revalued` gives what
    deposits that came after their quote are worth, in goods by the key of their movement.
    """

    snapshot: Snapshot | None = None
    revalued: dict[str, int] = Field(default_factory=dict)
    missing: bool = False
    refused: Declined | None = None
    unknown: str | None = None
    declined: Declined | None = None


class RefundResponse(Message):
    """What a provider answered to a refund; exactly one is set."""

    snapshot: RefundSnapshot | None = None
    missing: bool = False
    refused: Declined | None = None
    unknown: str | None = None


class FundEscrowFromPayment(Message):
    """Asks the escrow to take the money of a payment that is for it; with `only_look`, only whether it has."""

    terms: PaymentTerms
    only_look: bool = False


class EscrowFunding(Message):
    """Whether the escrow took the money; `why` says why it never will. `not_asked`: it was only looked for."""

    funded: bool
    why: str | None = None
    not_asked: bool = False


class EscrowFreezing(Message):
    """Whether the escrow holds what it has; `why` says why there is nothing to hold. Older histories hold no answer."""

    frozen: bool
    why: str | None = None


class ProviderEventInput(Message):
    """Starts the run that hands one webhook event to whom it concerns."""

    provider: str
    event_id: str


class DispatchProviderEvent(Message):
    """Hands an event over; `last_try` says that a payment that is not there by now will never be."""

    provider: str
    event_id: str
    last_try: bool = False


class ProviderEventResult(Message):
    """The outcome of the event: its status in the inbox, or `too_early` while its payment is not in the books yet."""

    outcome: str
    payment_id: str | None = None


class FindUnhandled(Message):
    """Asks for a page of events of the inbox that came before `before` and are not handled, after the row `after`.

    Those that were forwarded to their payment count only when they came before `forwarded_before`; without it, never.
    """

    before: datetime
    after: int
    limit: int
    forwarded_before: datetime | None = None


class UnhandledEvents(Message):
    """Events that have to be forwarded again; fewer than the limit on the last page. `last` is the last row."""

    events: tuple[ProviderEventInput, ...]
    last: int

    @property
    def found(self) -> tuple[ProviderEventInput, ...]:
        """What a sweep goes through."""
        return self.events


class InboxSweepResult(Message):
    """How many events were not handled, and how many of them were given a run again."""

    unhandled: int
    started: int


class FindStranded(Message):
    """Asks for a page of payments that should have moved by `before`, after the id `after`."""

    before: datetime
    after: str
    limit: int


class StrandedPayments(Message):
    """The terms of payments that stand still, in the order of their ids; fewer than the limit on the last page."""

    terms: tuple[PaymentTerms, ...]

    @property
    def found(self) -> tuple[PaymentTerms, ...]:
        """What a sweep goes through."""
        return self.terms

    @property
    def last(self) -> str:
        """After which payment the next page begins."""
        return self.terms[-1].payment_id


class PaymentSweepResult(Message):
    """How many payments were waiting for something, and how many of them had no run and got one."""

    waiting: int
    started: int
