"""Allocation of card captures and refunds to the spends of credits that pay for them.

Amounts are minor units of the card's currency. The ledger determines the credits, because it takes lots by their
purchase price.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID

#: Action of spends that pay for cards.
CARD_PAYMENT = "card.payment"


class CardPaymentStatus(StrEnum):
    """Status of a card payment."""

    PENDING = "pending"  # authorized, and not captured whole
    DECLINED = "declined"
    CLOSED = "closed"  # captured
    REVERSED = "reversed"  # given up by the merchant
    EXPIRED = "expired"
    NONE = "none"  # it had no authorization


class CardAnswer(StrEnum):
    """Reason for the approval or decline of an authorization request."""

    APPROVED = "approved"
    CARD_INACTIVE = "card_inactive"
    AGENT_RETIRED = "agent_retired"
    OTHER_CURRENCY = "other_currency"
    NO_RATE = "no_rate"
    CARD_LIMIT = "card_limit"
    ORDER_ENDED = "order_ended"
    SPEND_LIMIT = "spend_limit"
    FUNDS = "funds"
    STOPPED = "organization_stopped"
    #: The hold was released: the issuer declined, or did not wait for the response.
    NOT_TAKEN = "not_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayingSpend:
    """Spend that pays for a card, see `models.cards.card_authorization.CardSpend`."""

    spend_id: UUID
    amount_minor: int
    captured_minor: int = 0
    refunded_minor: int = 0


class SpendPortion(NamedTuple):
    """Part of a spend, and whether it is the rest of the spend."""

    spend_id: UUID
    amount_minor: int
    is_rest: bool


def split_capture(parts: Iterable[PayingSpend], amount_minor: int) -> tuple[list[SpendPortion], int]:
    """Allocate a capture to the holds of its authorization in order, and return the amount beyond them."""
    return _shared(((part.spend_id, part.amount_minor - part.captured_minor) for part in parts), amount_minor)


def split_refund(parts: Iterable[PayingSpend], amount_minor: int) -> tuple[list[SpendPortion], int]:
    """Allocate a refund to captured spends in order, and return the unmatched amount."""
    return _shared(((part.spend_id, part.captured_minor - part.refunded_minor) for part in parts), amount_minor)


def _shared(left: Iterable[tuple[UUID, int]], amount_minor: int) -> tuple[list[SpendPortion], int]:
    taken, rest = list[SpendPortion](), amount_minor
    for spend_id, most in left:
        amount = min(rest, most)
        if amount > 0:
            taken.append(SpendPortion(spend_id, amount, amount == most))
            rest -= amount
    return taken, rest
