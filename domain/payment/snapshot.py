"""A provider's report of a payment, in the domain's terms. Values only: what follows from them is decided elsewhere.

Amounts are minor units of the payment's currency in the scale of `domain.money`, unless a field says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from domain.access import Actor

#: The code of the refusal that says that a provider has no such object, or keeps it no longer.
NOT_FOUND = "provider.not_found"


class ProviderStatus(StrEnum):
    """Where a payment stands at its provider."""

    REQUIRES_ACTION = "requires_action"  # the payer has to do something: confirm, approve, send coins
    PROCESSING = "processing"  # the payer has done their part; money is on its way
    AUTHORIZED = "authorized"  # held on the payer's side, to be captured
    SUCCEEDED = "succeeded"  # all that was asked for was received, whatever became of it later
    FAILED = "failed"  # ended without money, because it was declined
    EXPIRED = "expired"  # ended without money, because nobody paid in time
    CANCELLED = "cancelled"  # ended without money, because somebody ended it


class BalanceTransactionKind(StrEnum):
    """Why a provider's balance changed."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"  # taken back by the payer's bank
    DISPUTE_REVERSAL = "dispute_reversal"  # returned after a dispute was won
    REVERSAL = "reversal"  # a receipt that turned out void: a reorganised block, a reversed capture
    PAYOUT = "payout"  # sent to a creator
    PAYOUT_REVERSAL = "payout_reversal"  # taken back from a creator
    OTHER = "other"  # neither a payment's nor a refund's; reconciliation shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceTransaction:
    """One change of a provider's balance.

    Attributes:
        key: unique within the provider and the same wherever the movement is reported: the id of the object that moved
            the money, such as `ch_…`, `re_…`, `re_…:failure`, `dp_…`, `dp_…:reversal`, `btc:{txid}:{output}`.
        kind: why.
        amount_minor: signed, before fees: positive came in. Minor units of `currency`.
        fee_minor: what the provider kept of it, never negative unless a fee was given back; None while not known.
        currency: what the balance is kept in.
        occurred_at: the provider's own time.
        ref: the provider's id of the payment, refund or dispute behind it, where it tells.
        payment_id: ours, where the provider's object carries it.
        statement_ref: the id of the line in the provider's statement, for people; None until there is one.
        payment_amount_minor, payment_currency: set when the balance is kept in another currency than the payment's:
            what the movement is in the payment's own.
        sent_at: when the payer sent it, where that is known and lies before `occurred_at`.
        settled: false of a charge that the provider has taken and does not show on its balance yet: in which currency
            it will, and how much, is not known. Until then the amount is in the payment's own currency.
    """

    key: str
    kind: BalanceTransactionKind
    amount_minor: int
    fee_minor: int | None
    currency: str
    occurred_at: datetime
    ref: str | None = None
    payment_id: str | None = None
    statement_ref: str | None = None
    payment_amount_minor: int | None = None
    payment_currency: str | None = None
    sent_at: datetime | None = None
    settled: bool = True

    @property
    def paid_minor(self) -> int:
        """What it is in the payment's own currency."""
        return self.amount_minor if self.payment_amount_minor is None else self.payment_amount_minor

    @property
    def paid_currency(self) -> str:
        """What `paid_minor` is in: the payment's own currency, unless the provider's object is not of the payment."""
        return self.payment_currency or self.currency


class RefundStatus(StrEnum):
    """Where a refund stands at its provider."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSnapshot:
    """A refund as its provider reports it. `refund_id` is ours; None for one made at the provider's own site."""

    ref: str
    refund_id: str | None
    status: RefundStatus
    amount_minor: int
    failure: str | None = None
    created_at: datetime


class DisputeStatus(StrEnum):
    """The status of a chargeback at its provider. With `inquiry`, the bank only asks, and no money moves."""

    INQUIRY = "inquiry"  # asked about; no money was taken
    NEEDS_RESPONSE = "needs_response"
    UNDER_REVIEW = "under_review"
    WON = "won"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeSnapshot:
    """A chargeback as its provider reports it."""

    ref: str
    status: DisputeStatus
    amount_minor: int
    reason: str
    evidence_due_at: datetime | None
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Decline:
    """Why a provider or a bank refused to pay: the provider's stable word, and a sentence for the payer."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """Where coins have to be sent. `memo` is the comment that has to go with them, where the address is shared."""

    chain: str
    asset: str
    address: str
    amount_minor: int
    memo: str | None = None
    uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAction:
    """What the payer has to do: confirm with a client secret, go to a page, or send coins.

    One of them is set; beside a client secret also the page that says the same to a payer who has no use for it.
    """

    client_secret: str | None = None
    redirect_url: str | None = None
    deposit: Deposit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A payment as it stands at its provider.

    Attributes:
        ref: the provider's id of it.
        status: see `ProviderStatus`; it is about the payment, not about refunds and disputes.
        approved: the payer has agreed, and `confirm` takes the money.
        pays_until: set while the payer has what they need to send money in a way that takes days: a bank transfer, a
            voucher. So long it is waited for, also beyond the time that the payment gave them.
        methods: what it was paid with, as `domain.reputation.traits.method` writes it. Whoever asks the provider keeps
            a digest of it and passes it on to nobody.
        authorized_minor: what can be captured now.
        movements: everything that the payment, its refunds and its disputes did to the provider's balance so far, in
            the order in which it happened. A charge of a payment that succeeded is always there; it may be settled, and
            its fee known, later.
        seen_minor: on a chain, what was sent and is not yet final.
        confirmations: on a chain, of the youngest deposit that is not yet final.
    """

    ref: str
    status: ProviderStatus
    amount_minor: int
    currency: str
    action: NextAction | None = None
    decline: Decline | None = None
    approved: bool = False
    authorized_minor: int = 0
    movements: tuple[BalanceTransaction, ...] = ()
    refunds: tuple[RefundSnapshot, ...] = ()
    disputes: tuple[DisputeSnapshot, ...] = ()
    seen_minor: int = 0
    confirmations: int | None = None
    pays_until: datetime | None = None
    methods: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePayment:
    """The payment that a provider is asked to create.

    Attributes:
        payment_id: ours; kept on the provider's object (metadata, custom id) and used to find it again.
        org_id: the paying organization; kept there as well.
        hosted: whether the payer goes to a page of the provider, and `return_url` is where they come back to.
        customer_ref: the provider's id of the customer, where the provider has customers.
        method_ref: a stored payment method to charge now, without the payer when `off_session`.
        manual_capture: authorize only.
        expires_at: after it the payment must not be possible any more, where the provider can see to that.
        asked_by: who asks for it; a freeze of them keeps credits where they are.
    """

    payment_id: str
    org_id: str
    amount_minor: int
    currency: str
    description: str
    expires_at: datetime
    hosted: bool = False
    return_url: str | None = None
    customer_ref: str | None = None
    method_ref: str | None = None
    off_session: bool = False
    manual_capture: bool = False
    asked_by: Actor | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeEvidence:
    """What is said against a dispute; `final` submits it for good."""

    text: str
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """A verified webhook.

    Attributes:
        event_id: the provider's; the same event delivered twice has the same.
        type: in the provider's words, such as `charge.refunded`.
        occurred_at: the provider's own time.
        payment_id: ours, when the event's object carries it.
        refs: ids of the provider's objects that the event is about, by which a payment can be found.
        livemode: whether real money is meant.
        payload: the whole event, to be stored.
    """

    event_id: str
    type: str
    occurred_at: datetime
    payment_id: str | None
    refs: tuple[str, ...]
    livemode: bool
    payload: Mapping[str, object] = field(default_factory=dict)
