"""Protocol of issuers of cards, with frozen snapshots of the issuer's state.

The issuer requests one decision synchronously: on an authorization (`AuthorizationQuestion`). Everything else is read
again at the issuer after a hint; nothing is inferred from the order of calls or webhooks. A card number is never read:
the issuer shows it in the cardholder's browser. Amounts are minor units in the scale of `domain.common.money`, never
negative, in the currency of the card unless a field says otherwise. The errors are those of `providers.payments.base`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from domain.payments.payment.snapshot import BalanceTransaction
from providers.payments.base import BadSignature


class CardStatus(StrEnum):
    """Status of a card; a cancelled card can never be used again."""

    ACTIVE = "active"
    FROZEN = "frozen"
    CANCELLED = "cancelled"


class AuthorizationStatus(StrEnum):
    """Status of an authorization at the issuer."""

    PENDING = "pending"  # the issuer holds the amount
    CLOSED = "closed"  # captured, or declined
    REVERSED = "reversed"  # given up by the merchant; it is never captured
    EXPIRED = "expired"  # released by the issuer; the merchant may still capture it


class CardTransactionKind(StrEnum):
    """Direction of a transaction."""

    CAPTURE = "capture"
    REFUND = "refund"


class CardDisputeStatus(StrEnum):
    """Status of the platform's dispute with a merchant."""

    UNSUBMITTED = "unsubmitted"
    SUBMITTED = "submitted"
    WON = "won"
    LOST = "lost"
    EXPIRED = "expired"  # never submitted; it cannot be won any more


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Address of a cardholder. `country` has two letters."""

    line1: str
    city: str
    postal_code: str
    country: str
    state: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCardholder:
    """Organization as a new cardholder. The issuer prints the printable characters of `name`."""

    org_id: str
    name: str
    address: Address
    email: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SpendingControls:
    """Limits that the issuer enforces, in addition to the decision on its request.

    Attributes:
        per_authorization_minor: the maximum amount of an authorization.
        per_month_minor: the maximum amount of a calendar month in UTC.
        categories: the allowed merchant categories, by the issuer's names; empty allows all.
    """

    per_authorization_minor: int | None = None
    per_month_minor: int | None = None
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCard:
    """New virtual card, active at once."""

    card_id: str
    cardholder_ref: str
    currency: str
    controls: SpendingControls


@dataclass(frozen=True, slots=True, kw_only=True)
class CardholderSnapshot:
    """Cardholder at the issuer. `blocked` is the reason why its cards cannot be used, None if they can."""

    ref: str
    org_id: str | None
    blocked: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CardSnapshot:
    """Card at the issuer, without its number. `card_id` is ours; None for a card that we have not created."""

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
    """Merchant. `category` is the issuer's name of the category code (MCC); `country` has two letters."""

    name: str
    category: str
    country: str | None
    city: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationQuestion:
    """Authorization request of the issuer, which waits two seconds for the decision.

    Attributes:
        event_id: of the webhook, the same in a repetition.
        authorization_ref: the issuer's id, the same for later increments.
        number: the number of earlier requests of this authorization. With `authorization_ref` it identifies the
            request, in repetitions and in `AuthorizationSnapshot.requests`.
        amount_minor: the additional amount; 0 for a check of the card.
        authorized_minor: the amount authorized so far; 0 for the first request.
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
        """Return whether the request increments an existing authorization."""
        return self.number > 0


class UnreadableQuestion(BadSignature):
    """Unreadable request of the issuer. It is declined, because the issuer may approve it without a response."""


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionAnswer:
    """HTTP response to the webhook of an authorization request."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthorizationRequest:
    """Decided request of an authorization. `reason` is the issuer's word for the decider and the reason."""

    amount_minor: int
    approved: bool
    reason: str
    created_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class TransactionSnapshot:
    """Capture or refund by a merchant.

    Attributes:
        authorization_ref: None without an authorization: a forced capture, or an unmatched refund.
        movement: its movement of the platform's balance at the issuer, with the transaction's `ref` as key; None until
            available.
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
    """Authorization at the issuer.

    Attributes:
        approved: whether any request was approved.
        amount_minor: the authorized amount with captures and increments, less partial reversals; of a declined one, the
            requested amount. Unreliable if reversed or expired.
        requests: decided requests, oldest first; the index is `AuthorizationQuestion.number`.
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
    """Dispute of a transaction. `movements` are its movements of the platform's balance at the issuer."""

    ref: str
    transaction_ref: str
    status: CardDisputeStatus
    amount_minor: int
    currency: str
    created_at: datetime
    movements: Sequence[BalanceTransaction]


class CardIssuer(Protocol):
    """Issuer of virtual cards."""

    name: str

    async def create_cardholder(self, cardholder: NewCardholder, *, idempotency_key: str) -> CardholderSnapshot:
        """Create a cardholder. The same key returns the same one."""

    async def create_card(self, card: NewCard, *, idempotency_key: str) -> CardSnapshot:
        """Create a virtual card. The same key returns the same card."""

    async def set_status(self, ref: str, status: CardStatus, *, idempotency_key: str) -> CardSnapshot:
        """Freeze, unfreeze or cancel a card, and return it; a cancelled card is returned unchanged."""

    async def retrieve_card(self, ref: str) -> CardSnapshot:
        """Return the present state of a card."""

    async def display_key(self, ref: str, nonce: str) -> str:
        """Return a key with which the browser of the nonce can show the card's number."""

    async def retrieve_authorization(self, ref: str) -> AuthorizationSnapshot:
        """Return the present state of an authorization, with its transactions."""

    async def retrieve_transaction(self, ref: str) -> TransactionSnapshot:
        """Return the present state of a transaction."""

    async def retrieve_dispute(self, ref: str) -> CardDisputeSnapshot:
        """Return the present state of a dispute."""

    def verify_question(self, body: bytes, headers: Mapping[str, str]) -> AuthorizationQuestion:
        """Verify and parse the authorization request of a webhook. Headers have lower-case names.

        Raises:
            BadSignature: the signature is missing, wrong, too old or in the future, or the event is another one.
        """

    def answer(self, *, approved: bool) -> QuestionAnswer:
        """Return the response to an authorization request; the issuer treats any other response as a decline."""
