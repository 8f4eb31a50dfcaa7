"""The payment's state: the provider's reports and what was booked for them. The terms are in `terms.py`.

Frozen values of the standard library only; the workflow is the only writer. Amounts are minor units of the payment's
currency; amounts of an *entitlement* are minor units of credits, slots, or cash.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

from domain.payments.payment.snapshot import (
    BalanceTransactionKind,
    Decline,
    DisputeStatus,
    NextAction,
    ProviderStatus,
    RefundStatus,
)
from domain.payments.payment.terms import PaymentTerms

#: Number of commands that a payment remembers, so that a repeated one is answered and not executed again.
RECEIPT_WINDOW = 64
#: The maximum length of the lists in the state; items beyond it need an operator.
MAX_ITEMS = 200
#: The actor of automatic events.
WORKFLOW = "workflow"


class PaymentStatus(StrEnum):
    """The status of a payment. `unknown`: the provider's response was lost."""

    CREATED = "created"
    REQUIRES_ACTION = "requires_action"
    PROCESSING = "processing"
    UNKNOWN = "unknown"
    REQUIRES_CAPTURE = "requires_capture"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"
    PARTIALLY_REFUNDED = "partially_refunded"
    REFUNDED = "refunded"
    DISPUTED = "disputed"
    CHARGED_BACK = "charged_back"


P = PaymentStatus
#: Nothing was received, and nothing is awaited any more. Money that is received anyway is still booked.
ENDED_UNPAID = frozenset({P.FAILED, P.EXPIRED, P.CANCELLED})
#: Something is awaited from the payer, the provider or a chain.
AWAITING = frozenset({P.CREATED, P.REQUIRES_ACTION, P.PROCESSING, P.UNKNOWN, P.REQUIRES_CAPTURE})
#: States of `AWAITING` in which the payer has paid.
PROCESSING = AWAITING - {P.CREATED, P.REQUIRES_ACTION}

_FROM_PROVIDER: Mapping[ProviderStatus, PaymentStatus] = {
    ProviderStatus.REQUIRES_ACTION: P.REQUIRES_ACTION,
    ProviderStatus.PROCESSING: P.PROCESSING,
    ProviderStatus.AUTHORIZED: P.REQUIRES_CAPTURE,
    ProviderStatus.SUCCEEDED: P.PROCESSING,  # until its charge is booked
    ProviderStatus.FAILED: P.FAILED,
    ProviderStatus.EXPIRED: P.EXPIRED,
    ProviderStatus.CANCELLED: P.CANCELLED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class BookedMovement:
    """A balance transaction that is booked.

    `fee_minor` is None until the provider reports it; `paid_minor` is the amount in the payment's currency.
    `goods_minor` of the entitlement was granted or clawed back for it, `waiting_minor` of that from the money that
    waits for fulfilment. `tax_minor` of `paid_minor` is tax, and `topup_fee_minor` the fee of a small top-up; both are
    negative where they are returned. `settled` is false until the provider's balance has it.
    """

    key: str
    kind: BalanceTransactionKind
    amount_minor: int
    fee_minor: int | None
    currency: str
    paid_minor: int
    occurred_at: datetime
    goods_minor: int = 0
    waiting_minor: int = 0
    tax_minor: int = 0
    settled: bool = True
    topup_fee_minor: int = 0

    @property
    def price_minor(self) -> int:
        """The paid amount without tax and the fee of a top-up."""
        return self.paid_minor - self.tax_minor - self.topup_fee_minor


class RefundState(StrEnum):
    """Status of a refund. `requested`: not yet confirmed by the provider; `unknown`: its response was lost."""

    REQUESTED = "requested"
    UNKNOWN = "unknown"
    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


#: Refunds that the provider has not confirmed yet; one at a time.
IN_FLIGHT = frozenset({RefundState.REQUESTED, RefundState.UNKNOWN})
REFUND_STATES = {
    RefundStatus.PENDING: RefundState.PENDING,
    RefundStatus.SUCCEEDED: RefundState.SUCCEEDED,
    RefundStatus.FAILED: RefundState.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Refund:
    """A refund to the payer.

    Attributes:
        goods_minor: the entitlement that was clawed back for it.
        waiting_minor: the part of it that came from the money that waits for fulfilment.
        moved_minor: by how much the provider's balance has fallen for it, in the payment's currency.
        failure_code: the provider's error code for `failure`, if it refused the refund.
        given_up: whether an operator has stated the outcome, because it could not be looked up.
        fee_minor: the provider's fee, which was kept in addition if the payer bears it.
        is_own: whether the payer requested it itself.
    """

    refund_id: str
    amount_minor: int
    goods_minor: int
    state: RefundState
    requested_by: str
    requested_at: datetime
    reason: str | None = None
    ref: str | None = None
    moved_minor: int = 0
    debt_minor: int = 0
    failure: str | None = None
    failure_code: str | None = None
    given_up: bool = False
    waiting_minor: int = 0
    fee_minor: int = 0
    is_own: bool = False

    @property
    def gross_minor(self) -> int:
        return self.amount_minor + self.fee_minor

    @property
    def can_be_given_up(self) -> bool:
        """Whether its outcome is unknown, so that an operator may state it."""
        return self.state in IN_FLIGHT or (self.given_up and self.state is RefundState.PENDING and not self.moved_minor)

    @property
    def counts(self) -> bool:
        return self.state is not RefundState.FAILED


@dataclass(frozen=True, slots=True, kw_only=True)
class Dispute:
    """A chargeback of the payment.

    Attributes:
        goods_minor: the entitlement of the disputed amount; held on the payment's account while the dispute is open.
        waiting_minor: the part of it that came from the money that waits for fulfilment.
        debt_minor: the part of it that was already spent and is owed.
        moved_minor: by how much the provider's balance has fallen for it, in the payment's currency.
        released: whether the entitlement was restored; `retired`: whether it was clawed back for good.
        offered_evidence: the organization's evidence; an operator decides what is submitted to the bank.
    """

    dispute_id: str
    ref: str
    status: DisputeStatus
    amount_minor: int
    goods_minor: int
    reason: str
    opened_at: datetime
    evidence_due_at: datetime | None
    debt_minor: int = 0
    moved_minor: int = 0
    released: bool = False
    retired: bool = False
    evidence_submitted_at: datetime | None = None
    waiting_minor: int = 0
    offered_evidence: str | None = None
    evidence_offered_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.status not in {DisputeStatus.WON, DisputeStatus.LOST}

    @property
    def counts(self) -> bool:
        """Whether its amount cannot be refunded, because it is disputed or lost."""
        return self.status not in {DisputeStatus.WON, DisputeStatus.INQUIRY}


class Fulfilment(StrEnum):
    """Whether the payment was fulfilled: `pending`: not yet; `done`: yes; `gone`: it can no longer be."""

    PENDING = "pending"
    DONE = "done"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """The whole state of one payment; `version` is the number of its latest event.

    Attributes:
        provider_status: the latest status that the provider reported; None before the first.
        ref: the provider's id of the payment.
        received_minor: the amount received, before reversals, refunds and disputes.
        granted_minor: the entitlement granted for it.
        reversed_minor: the amount of reversed charges; `reversal_debt_minor` is owed because of them.
        fulfilling: whether its escrow is being asked to take the money, and so may have it.
        escrow_frozen: whether the funded escrow was frozen by a chargeback, or had ended before it.
        expiring: whether the payer's deadline has passed and the provider was asked to cancel the payment.
        pays_until: see `Snapshot`.
        overdue: whether operators were alerted that money is still missing long after `ends_at`.
        receipts: the latest commands that were executed.
        cancelled_by: who cancelled it before it was paid; None if it was not cancelled, or by the provider or expiry.
        cancel_requested_by: who asked to cancel it before its provider had responded, or after a partial receipt. It is
            cancelled as soon as possible, and paid money is returned.
        unknown: whether the response to a call was lost: to the creation of the payment, or to a command.
        unanswered: the latest command that the provider did not respond to in time. It may be repeated.
    """

    terms: PaymentTerms
    status: PaymentStatus
    version: int
    created_at: datetime
    updated_at: datetime
    provider_status: ProviderStatus | None = None
    ref: str | None = None
    unknown: bool = False
    expiring: bool = False
    action: NextAction | None = None
    decline: Decline | None = None
    authorized_minor: int = 0
    seen_minor: int = 0
    confirmations: int | None = None
    received_minor: int = 0
    granted_minor: int = 0
    reversed_minor: int = 0
    fee_minor: int = 0
    booked: tuple[BookedMovement, ...] = ()
    refunds: tuple[Refund, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    reversal_debt_minor: int = 0
    fulfilment: Fulfilment = Fulfilment.PENDING
    escrow_frozen: bool = False
    receipts: tuple[str, ...] = ()
    pays_until: datetime | None = None
    overdue: bool = False
    fulfilling: bool = False
    cancelled_by: str | None = None
    unanswered: str | None = None
    cancel_requested_by: str | None = None

    @property
    def ends_at(self) -> datetime:
        """The payer's deadline: the requested one, or later if they use a method that takes days."""
        return max(self.terms.expires_at, self.pays_until or self.terms.expires_at)

    @property
    def cancel_requested(self) -> bool:
        return self.cancel_requested_by is not None

    @property
    def refunded_minor(self) -> int:
        return sum(refund.amount_minor for refund in self.refunds if refund.counts)

    @property
    def kept_minor(self) -> int:
        return sum(refund.fee_minor for refund in self.refunds if refund.counts)

    @property
    def disputed_minor(self) -> int:
        return sum(dispute.amount_minor for dispute in self.disputes if dispute.counts)

    @property
    def is_disputed(self) -> bool:
        """Whether a dispute is undecided; inquiries do not count."""
        return any(dispute.is_open and dispute.counts for dispute in self.disputes)

    @property
    def refundable_minor(self) -> int:
        gone = self.reversed_minor + self.refunded_minor + self.kept_minor + self.disputed_minor
        return max(0, self.received_minor - gone)

    @property
    def debt_minor(self) -> int:
        """The debt that this payment has caused, in units of the entitlement; repayments are not deducted."""
        disputes = sum(dispute.debt_minor for dispute in self.disputes)
        return self.reversal_debt_minor + disputes + sum(refund.debt_minor for refund in self.refunds)

    def with_refund(self, refund: Refund) -> "Payment":
        """Replace the refund of the same id."""
        refunds = tuple(refund if item.refund_id == refund.refund_id else item for item in self.refunds)
        return replace(self, refunds=refunds)

    def with_dispute(self, dispute: Dispute) -> "Payment":
        """Replace the dispute of the same ref."""
        return replace(self, disputes=tuple(dispute if item.ref == dispute.ref else item for item in self.disputes))

    def has_done(self, command_id: str) -> bool:
        """Return whether a command was executed before."""
        return command_id in self.receipts


class PaymentPostingKind(StrEnum):
    """Kind of a posting; determines its accounts, see `domain/payments/payment/booking.py`."""

    RECEIVE = "receive"  # provider → proceeds
    ADVANCE = "advance"  # exchange → proceeds, for a charge that is not in the provider's balance yet
    SETTLE = "settle"  # provider → exchange, once it is in the balance
    SEND_BACK = "send_back"  # proceeds → provider
    TAX = "tax"  # proceeds → tax, of received money
    TAX_BACK = "tax_back"  # tax → proceeds, of refunded money
    TOPUP_FEE = "topup_fee"  # proceeds → revenue: the part of a small top-up that buys nothing; negative when returned
    FEE = "fee"  # the provider's fee; negative when it returns one
    ISSUE = "issue"  # issuance → the payment's own account
    KEEP = "keep"  # the payment's own account → revenue: the fee kept of a refund of cash
    RETIRE = "retire"  # the payment's own account → issuance
    RESERVE = "earmark"  # organization → the payment's own account
    CLAW_BACK = "seize"  # the same, up to the balance; the organization owes the rest
    RELEASE = "release"  # the payment's own account → organization; its debt is paid first


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentPosting:
    """An amount that an event moves, in minor units of `asset`. All postings of one event form one transfer.

    `paid_minor` is the amount in the payment's currency; set only if the provider keeps its balance in another one.
    """

    kind: PaymentPostingKind
    amount_minor: int
    asset: str
    paid_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """The result of a command, a deadline or a provider's report: the next state, its event, and the postings.

    `booked` is the key of the balance transaction that the event books. `debtor` is the ref of the event's dispute, or
    of its refund at the provider.
    """

    payment: Payment
    event: str
    actor: str
    moves: tuple[PaymentPosting, ...] = ()
    details: Mapping[str, object] = field(default_factory=dict)
    booked: str | None = None
    debtor: str | None = None


def status_of(payment: Payment) -> PaymentStatus:
    """Derive the status from the booked amounts; while nothing is booked, from the provider's status."""
    net = payment.received_minor - payment.reversed_minor
    # Coins of a replaced block may be included in a later one, which completes the payment again.
    taken_back = payment.reversed_minor and net < payment.terms.amount_minor
    if taken_back or any(dispute.status is DisputeStatus.LOST for dispute in payment.disputes):
        return P.CHARGED_BACK
    if payment.is_disputed:
        return P.DISPUTED
    if net and payment.refunded_minor:
        return P.REFUNDED if payment.refunded_minor + payment.kept_minor >= net else P.PARTIALLY_REFUNDED
    whole = net >= payment.terms.amount_minor or payment.provider_status is ProviderStatus.SUCCEEDED
    # After the payer's deadline, a partial amount counts as paid.
    if net and (whole or payment.expiring):
        return P.SUCCEEDED
    if payment.unknown:
        return P.UNKNOWN
    if payment.provider_status is None:
        return P.FAILED if payment.decline else P.EXPIRED if payment.expiring else P.CREATED
    if payment.cancelled_by and payment.provider_status in {ProviderStatus.CANCELLED, ProviderStatus.EXPIRED}:
        return P.CANCELLED
    if payment.expiring and payment.provider_status in {ProviderStatus.CANCELLED, ProviderStatus.EXPIRED}:
        return P.EXPIRED
    return _FROM_PROVIDER[payment.provider_status]


def with_number(outcome: Outcome, at: datetime) -> Outcome:
    """Number the event, and set the state's status and time."""
    after = replace(outcome.payment, version=outcome.payment.version + 1, updated_at=at)
    return replace(outcome, payment=replace(after, status=status_of(after)))
