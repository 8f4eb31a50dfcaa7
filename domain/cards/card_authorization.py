"""How the amounts of a card are shared over the spends of credits that pay for them.

Amounts are minor units of the card's currency. The credits that pay for them are known only to the ledger, which takes
lots by what was paid for them.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


class CardPaymentStatus(StrEnum):
    """The status of a payment of a card."""

    PENDING = "pending"  # authorized, and not captured whole
    DECLINED = "declined"
    CLOSED = "closed"  # captured
    REVERSED = "reversed"  # given up by the merchant
    EXPIRED = "expired"
    NONE = "none"  # it had no authorization


class CardAnswer(StrEnum):
    """Why a request was approved or declined."""

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
    #: The hold was released: the issuer declined, or did not wait for the answer.
    NOT_TAKEN = "not_taken"


@dataclass(frozen=True, slots=True, kw_only=True)
class PayingSpend:
    """A spend that pays for a card, as `models.cards.card_authorization.CardSpend` describes it."""

    spend_id: UUID
    amount_minor: int
    captured_minor: int = 0
    refunded_minor: int = 0


class SpendPortion(NamedTuple):
    """An amount of a spend, and whether nothing of the spend is left after it."""

    spend_id: UUID
    amount_minor: int
    is_rest: bool


def split_capture(parts: Iterable[PayingSpend], amount_minor: int) -> tuple[list[SpendPortion], int]:
    """Share a capture over the holds of its authorization, in their order, and return what is beyond them."""
    return _shared(((part.spend_id, part.amount_minor - part.captured_minor) for part in parts), amount_minor)


def split_refund(parts: Iterable[PayingSpend], amount_minor: int) -> tuple[list[SpendPortion], int]:
    """Share a refund over what was captured, in the order given, and return what no capture is left for."""
    return _shared(((part.spend_id, part.captured_minor - part.refunded_minor) for part in parts), amount_minor)


def _shared(left: Iterable[tuple[UUID, int]], amount_minor: int) -> tuple[list[SpendPortion], int]:
    taken, rest = list[SpendPortion](), amount_minor
    for spend_id, most in left:
        amount = min(rest, most)
        if amount > 0:
            taken.append(SpendPortion(spend_id, amount, amount == most))
            rest -= amount
    return taken, rest
