"""A provider's report of a payment, in the domain's terms. Values only; `converge.py` derives the events.

Amounts are minor units of the payment's currency in the scale of `domain.common.money`, unless a field says otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Annotated

from domain.common.access import Actor
from domain.privacy.data_map import IDENTIFIER, TECHNICAL

#: Error code: the provider has no such object, or no longer keeps it.
NOT_FOUND = "provider.not_found"


class ProviderStatus(StrEnum):
    """The status of a payment at its provider."""

    REQUIRES_ACTION = "requires_action"  # the payer has to do something: confirm, approve, send coins
    PROCESSING = "processing"  # the payer has paid; the money is on its way
    AUTHORIZED = "authorized"  # reserved, to be captured
    SUCCEEDED = "succeeded"  # the whole amount was received; it stays `succeeded` after refunds and disputes
    FAILED = "failed"  # declined
    EXPIRED = "expired"  # not paid in time
    CANCELLED = "cancelled"  # cancelled without payment


class BalanceTransactionKind(StrEnum):
    """Reason of a change of a provider's balance."""

    CHARGE = "charge"
    REFUND = "refund"
    REFUND_FAILURE = "refund_failure"
    DISPUTE = "dispute"  # withdrawn by the payer's bank
    DISPUTE_REVERSAL = "dispute_reversal"  # returned after a dispute was won
    REVERSAL = "reversal"  # a charge that was reversed: a reorganised block, a reversed capture
    PAYOUT = "payout"  # sent to a creator
    PAYOUT_REVERSAL = "payout_reversal"  # returned by a creator
    CARD_CAPTURE = "card_capture"  # paid to a merchant by a card that the platform issued
    CARD_REFUND = "card_refund"  # refunded by a merchant
    CARD_DISPUTE = "card_dispute"  # returned, or withdrawn again, in a dispute with a merchant
    OTHER = "other"  # of another kind; reconciliation shows it


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceTransaction:
    """One change of a provider's balance.

    Attributes:
        key: unique within the provider, and the same in snapshots and statements: the id of the object that moved the
            money, such as `ch_…`, `re_…`, `re_…:failure`, `dp_…`, `dp_…:reversal`, `ipi_…`, `btc:{txid}:{output}`.
        kind: the reason.
        amount_minor: signed and before fees, in minor units of `currency`; positive raises the balance.
        fee_minor: the provider's fee; negative only if a fee was refunded; None while unknown.
        currency: the currency of the balance.
        occurred_at: the provider's own time.
        ref: the provider's id of the payment, refund or dispute that caused it, if reported.
        payment_id: Bursar's id of the payment, if the provider's object carries it.
        statement_ref: the id of the line in the provider's statement, for display; None until there is one.
        payment_amount_minor, payment_currency: the amount in the payment's currency; set only if the balance has
            another currency.
        sent_at: when the payer sent it, if that is known and earlier than `occurred_at`.
        settled: false for a charge that the provider has received but not added to its balance yet. Its currency and
            amount there are unknown; until then the amount is in the payment's currency.
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
        return self.amount_minor if self.payment_amount_minor is None else self.payment_amount_minor

    @property
    def paid_currency(self) -> str:
        """Currency of `paid_minor`: the payment's, where the provider reports it."""
        return self.payment_currency or self.currency


class RefundStatus(StrEnum):
    """The status of a refund at its provider."""

    PENDING = "pending"
    SUCCEEDED = "succeeded"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RefundSnapshot:
    """A refund as its provider reports it. `refund_id` is ours; None for a refund made at the provider's site."""

    ref: str
    refund_id: str | None
    status: RefundStatus
    amount_minor: int
    failure: str | None = None
    created_at: datetime


class DisputeStatus(StrEnum):
    """The status of a chargeback at its provider. An `inquiry` moves no money."""

    INQUIRY = "inquiry"  # a question; no money moves
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
    """The reason of a decline: the provider's error code, and a sentence for the payer."""

    code: str
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Deposit:
    """The deposit address for coins. If payments share it, `memo` is the comment to send with them."""

    chain: Annotated[str, TECHNICAL]
    asset: str
    address: Annotated[str, IDENTIFIER]
    amount_minor: int
    memo: str | None = None
    uri: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NextAction:
    """The next action of the payer: confirm with a client secret, go to a page, or send coins.

    One of them is set. With a client secret, the page may be set too, for payers that cannot use the secret.
    """

    client_secret: str | None = None
    redirect_url: str | None = None
    deposit: Deposit | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """A payment as its provider reports it.

    Attributes:
        ref: the provider's id of the payment.
        status: see `ProviderStatus`; it covers the payment only, not refunds and disputes.
        approved: whether the payer has agreed, so that `confirm` captures the money.
        pays_until: set while the payer has instructions for a method that takes days, such as a bank transfer or a
            voucher. Bursar waits until then, even beyond the payment's own expiry.
        methods: the payment methods used, or tried last, in the form of `domain.reputation.traits.method`. The caller
            may keep a digest of them, and must not store or pass on the values.
        authorized_minor: the amount that can be captured now.
        movements: all balance transactions of the payment, its refunds and its disputes so far, oldest first. The
            charge of a payment that succeeded is always included, although it may settle, and its fee become known,
            later.
        seen_minor: on a blockchain, the amount that was sent and is not final yet.
        confirmations: on a blockchain, the confirmations of the latest deposit that is not final yet.
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
    methods: Annotated[tuple[str, ...], IDENTIFIER] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class CreatePayment:
    """Request to a provider to create a payment.

    Attributes:
        payment_id: Bursar's id; kept on the provider's object (metadata, custom id) and used to find it again.
        org_id: the paying organization; kept on the provider's object too.
        hosted: whether the payer pays on a page of the provider, which sends them back to `return_url`.
        customer_ref: the provider's id of the customer, if the provider has customers.
        method_ref: a stored payment method to charge now; with `off_session`, without the payer being present.
        manual_capture: whether to authorize only.
        expires_at: the end of the payer's time to pay, if the provider supports that.
        asked_by: the principal that requested it; a payment with credits is refused while that principal is frozen.
        authenticate: whether the payer must authenticate, by 3-D Secure on Stripe. Other providers always authenticate.
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
    authenticate: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DisputeEvidence:
    """Evidence against a dispute. `final` submits it for good."""

    text: str
    final: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ProviderEvent:
    """A verified webhook.

    Attributes:
        event_id: the provider's id; the same for every delivery of one event.
        type: the provider's event type, such as `charge.refunded`.
        occurred_at: the provider's own time.
        payment_id: Bursar's id of the payment, if the event's object carries it.
        refs: the provider's ids of the objects in the event, to find the payment by.
        livemode: whether it is about real money.
        payload: the whole event.
    """

    event_id: str
    type: str
    occurred_at: datetime
    payment_id: str | None
    refs: tuple[str, ...]
    livemode: bool
    payload: Mapping[str, object] = field(default_factory=dict)
