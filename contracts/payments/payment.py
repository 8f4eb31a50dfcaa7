"""Messages of payments: what starts their workflow, what commands carry, what its activities take and return.

Messages only grow: a new field has a default, a field is never renamed or removed. Domain values travel as they are.
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

    With `resume` the run goes on from what the books hold; otherwise it makes a payment under `terms`. `events` are the
    provider's events that wait for the next refresh; `look` requests one without events.
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
    """What every command carries: its identity, made from the caller's key, and who gives it."""

    command_id: str
    actor: Actor

    def check(self) -> None:
        """Refuse a value that the API cannot send. Only validators call it, so it never runs in a replay.

        Raises:
            Invalid: names the field.
        """

    def content(self) -> str:
        return content_of(self)


def _check_amount(amount_minor: int | None) -> None:
    if amount_minor is not None and amount_minor <= 0:
        raise Invalid("The amount must be greater than zero.", extra={"field": "amount"})


class CreatePaymentCommand(PaymentCommand):
    """Waits for the provider's first response, or until it is known that there is none."""


class ConfirmPayment(PaymentCommand):
    """Continues after the payer has acted: refreshes the payment, and charges or captures what was approved."""

    method_ref: str | None = None


class CapturePayment(PaymentCommand):
    amount_minor: int | None = None

    def check(self) -> None:
        _check_amount(self.amount_minor)


class CancelPayment(PaymentCommand):
    """Cancels an unpaid payment.

    With `spares_under_way` it is refused once the money is on its way, as that of a bank debit that has begun. Without,
    such a payment is returned once it has come.
    """

    spares_under_way: bool = False


class RefundPayment(PaymentCommand):
    """Refunds an amount, or all that remains; the caller makes `refund_id`.

    With `credit_note` the invoice that was paid is credited as well.
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
    """The payment's state after a command; the read model holds the rest."""

    payment_id: str
    status: str
    version: int
    refund_id: str | None = None


class ProviderEventSignal(Message):
    """Reports that the provider has news, which are read there. `event_id` names the row in the inbox."""

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
    """One event to write: the state after it, its content, and its postings."""

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
        """Return the event of an outcome; `actor` gave the command."""
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

    `decided_from` is the hash of the state that they were decided from, None for the first event.
    """

    payment_id: str
    provider: str
    events: tuple[PaymentEvent, ...]
    handled: tuple[str, ...] = ()
    at: datetime
    decided_from: str | None = None


class RecordedPayment(Message):
    """The outcome of the events.

    With `applied` these events are in the books. `stored` is the books' present state: that of the last event with its
    debts, or one that differs from the sender's. `declined` says why nothing was written.
    """

    applied: bool
    stored: Payment | None = None
    declined: Declined | None = None


class LoadPayment(Message):
    payment_id: str


class ProviderRequest(Message):
    """One call to a provider about a payment. `key` is the idempotency key of what changes something there.

    `booked` are the keys of movements that are in the books and need no valuation. `command_id` and `actor` are set if
    a person's command causes the call.
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

    Exactly one is set: a snapshot (with `missing` false), that there is no such object (`missing`), the provider's
    refusal, our own (`declined`), or that the outcome is unknown. `revalued` is the entitlement for deposits that came
    after their quote expired, by the key of their movement. `purpose_gone` says why what an unpaid payment is for takes
    no money any more; None if it does. Together with `missing`, it was not made because of that.
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
    """Whether the escrow was funded; `why` says why it never will be. `not_asked`: it was only read."""

    funded: bool
    why: str | None = None
    not_asked: bool = False


class EscrowFreezing(Message):
    """Whether the escrow is frozen; `why` says why there is nothing to freeze."""

    frozen: bool
    why: str | None = None


class ProviderEventInput(Message):
    """Starts the run that dispatches one webhook event."""

    provider: str
    event_id: str


class DispatchProviderEvent(Message):
    """Dispatches an event; with `last_try` a payment that is not in the books yet will never be."""

    provider: str
    event_id: str
    last_try: bool = False


class ProviderEventResult(Message):
    """The outcome of the event: its status in the inbox, or `too_early` while its object is not in the books yet."""

    outcome: str
    payment_id: str | None = None
