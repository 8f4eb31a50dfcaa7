"""The seam between cards and their issuer: one Protocol, and frozen snapshots of the issuer's state.

The issuer asks one thing and waits for the answer: whether an authorization is approved (`AuthorizationQuestion`). All
else is read again there after a hint; nothing is inferred from the order of calls or webhooks. A card's number is never
read: the issuer shows it in the browser of whoever needs it. Amounts are minor units in the scale of
`domain.common.money`, never negative, in the currency of the card unless a field says otherwise. The errors are those
of `providers.payments.base`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.payments.payment.snapshot import BalanceTransaction
from providers.payments.base import BadSignature


class CardStatus(StrEnum):
    """Whether a card can be used; a cancelled one never again."""

    ACTIVE = "active"
    FROZEN = "frozen"
    CANCELLED = "cancelled"


class AuthorizationStatus(StrEnum):
    """The status of an authorization at its issuer."""

    PENDING = "pending"  # the issuer holds the amount
    CLOSED = "closed"  # captured, or declined
    REVERSED = "reversed"  # given up by the merchant; it is never captured
    EXPIRED = "expired"  # released by the issuer; the merchant may still capture it


class CardTransactionKind(StrEnum):
    """Which way the money of a transaction went."""

    CAPTURE = "capture"
    REFUND = "refund"


class CardDisputeStatus(StrEnum):
    """The status of a dispute that the platform has with a merchant."""

    UNSUBMITTED = "unsubmitted"
    SUBMITTED = "submitted"
    WON = "won"
    LOST = "lost"
    EXPIRED = "expired"  # never submitted; it cannot be won any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where a cardholder is reached. `country` has two letters."""

    line1: str
    city: str
    postal_code: str
    country: str
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCardholder:
    """An organization as the holder of cards. The issuer prints of `name` what it can print."""

    org_id: str
    name: str
    address: Address
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingControls:
    """What the issuer itself declines, before it asks; the answer to its question decides first.

    Attributes:
        per_authorization_minor: the most that one authorization may have.
        per_month_minor: the most of a calendar month in UTC.
        categories: the merchants' categories that are allowed, as the issuer names them; empty allows all.
    """

    per_authorization_minor: int | None = None
    per_month_minor: int | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCard:
    """A virtual card to be made, active at once."""

    card_id: str
    cardholder_ref: str
    currency: str
    controls: SpendingControls


@dataclass(frozen=True, slots=True, kw_only=True)
class CardholderSnapshot:
    """A cardholder as it stands at the issuer. `blocked` says why its cards cannot be used; None when they can."""

    ref: str
    org_id: str | None
    blocked: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSnapshot:
    """A card as it stands at the issuer, without its number. `card_id` is ours; None for one that we have not made."""

    ref: str
    card_id: str | None
    cardholder_ref: str
    status: CardStatus
    currency: str
    brand: str
    last4: str
    expires_year: int
    expires_month: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Merchant:
    """Who takes the money. `category` is the issuer's word for the category code (MCC); `country` has two letters."""

    name: str
    category: str
    country: str | None
    city: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationQuestion:
    """The issuer asks whether an amount may be held, and waits two seconds for the answer.

    Attributes:
        event_id: the webhook's; a repeat has the same.
        authorization_ref: the issuer's id, the same for what is added to an authorization later.
        number: how many requests of this authorization were decided before: 0 for the first. With `authorization_ref`
            it names the request, in each repeat of the question and in `AuthorizationSnapshot.requests`.
        amount_minor: what is to be held in addition; 0 when a merchant only checks the card.
        authorized_minor: what the authorization holds already; 0 for the first request.
    """

    event_id: str
    authorization_ref: str
    number: int
    card_ref: str
    amount_minor: int
    authorized_minor: int
    currency: str
    merchant: Merchant
    livemode: bool
    created_at: datetime

    @property
    def is_incremental(self) -> bool:
        """Whether the amount is added to an authorization that stands."""
        return self.number > 0


class UnreadableQuestion(BadSignature):
    """The issuer asks something that cannot be read. It is declined: without an answer the issuer may approve it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswer:
    """What the webhook of a question is answered with."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """A request of an authorization that was decided. `reason` is the issuer's word for who decided and why."""

    amount_minor: int
    approved: bool
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionSnapshot:
    """Money that a merchant has taken or given back.

    Attributes:
        authorization_ref: None for one without an authorization: a forced capture, a refund that fits none.
        movement: what it did to the platform's balance at the issuer, its key the transaction's `ref`; None until the
            issuer shows it.
    """

    ref: str
    kind: CardTransactionKind
    authorization_ref: str | None
    card_ref: str
    amount_minor: int
    currency: str
    merchant: Merchant
    dispute_ref: str | None
    created_at: datetime
    movement: BalanceTransaction | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationSnapshot:
    """An authorization as it stands at the issuer.

    Attributes:
        approved: whether a request was approved; one that was is open, captured, reversed or expired.
        amount_minor: what it holds, captures included: increments are added, and partial reversals taken away. Of one
            that was declined, what was asked. Of one that was reversed or expired it is no amount to rely on.
        requests: what was decided, oldest first; the position is `AuthorizationQuestion.number`.
        transactions: its captures and refunds, oldest first.
    """

    ref: str
    card_ref: str
    status: AuthorizationStatus
    approved: bool
    amount_minor: int
    currency: str
    merchant: Merchant
    requests: tuple[AuthorizationRequest, ...]
    transactions: tuple[TransactionSnapshot, ...]
    livemode: bool
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CardDisputeSnapshot:
    """A dispute over a transaction. `movements` is what it did to the platform's balance at the issuer."""

    ref: str
    transaction_ref: str
    status: CardDisputeStatus
    amount_minor: int
    currency: str
    created_at: datetime
    movements: Sequence[BalanceTransaction]


class CardIssuer(Protocol):
    """Issues virtual cards, asks about each authorization, and moves the money of captures."""

    name: str

    async def create_cardholder(self, cardholder: NewCardholder, *, idempotency_key: str) -> CardholderSnapshot:
        """Make a cardholder. The same key gives the same one."""

    async def create_card(self, card: NewCard, *, idempotency_key: str) -> CardSnapshot:
        """Make a virtual card. The same key gives the same card."""

    async def set_status(self, ref: str, status: CardStatus, *, idempotency_key: str) -> CardSnapshot:
        """Freeze, thaw or cancel a card, and return it as it stands; one that is cancelled already is returned."""

    async def retrieve_card(self, ref: str) -> CardSnapshot:
        """Return a card as it stands there now."""

    async def display_key(self, ref: str, nonce: str) -> str:
        """Return what a browser shows the card's number with: a key for one card and for the browser of the nonce."""

    async def retrieve_authorization(self, ref: str) -> AuthorizationSnapshot:
        """Return an authorization as it stands there now, with its transactions."""

    async def retrieve_transaction(self, ref: str) -> TransactionSnapshot:
        """Return a transaction as it stands there now."""

    async def retrieve_dispute(self, ref: str) -> CardDisputeSnapshot:
        """Return a dispute as it stands there now."""

    def verify_question(self, body: bytes, headers: Mapping[str, str]) -> AuthorizationQuestion:
        """Read the question of a webhook. Headers have lower-case names.

        Raises:
            BadSignature: unsigned, signed by somebody else, too long ago or in the future, or no question.
        """

    def answer(self, *, approved: bool) -> QuestionAnswer:
        """Return the answer to a question; the issuer takes anything else as a decline."""
