"""How the amounts of a card are shared over the spends of credits that pay for them.

Amounts are minor units of the card's currency. Credits follow them by a share that is rounded up, which is against the
spender, and telescopes: the parts of a spend add up to the whole, in whatever parts it is captured.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import NamedTuple
from uuid import UUID

from domain.common.credits import CreditPrice


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
class CardPrices:
    """What credits are worth on a card: less than the list price as far as they are sold for less.

    A card pays merchants with the platform's money, so a credit pays no more than the least that was paid for one.

    Attributes:
        usual: the list price of a credit.
        paid: how much of a cost in money one credit pays, in the same currency.
    """

    usual: CreditPrice
    paid: CreditPrice

    def credits(self, worth: int | None) -> int | None:
        """Return the credits that pay what is worth so many credits by the list price, rounded up; None for None."""
        factor = max(Fraction(1), Fraction(self.usual.price) / Fraction(self.paid.price))
        return None if worth is None else -(-worth * factor.numerator // factor.denominator)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A spend that pays for a card, as `models.cards.card_authorization.CardSpend` describes it."""

    spend_id: UUID
    amount_minor: int
    credits: int
    captured_minor: int = 0
    refunded_minor: int = 0

    @property
    def is_taken(self) -> bool:
        """Whether what was captured of a part has taken all credits, as rounding does: the rest costs none."""
        return self.captured_minor < self.amount_minor and self.share(self.captured_minor) == self.credits

    def share(self, amount_minor: int) -> int:
        """Return the credits of an amount of it, rounded up."""
        return -(-self.credits * amount_minor // self.amount_minor)


class Taken(NamedTuple):
    """An amount of a spend, and the credits that go with it."""

    spend_id: UUID
    amount_minor: int
    credits: int


def capture(parts: Iterable[Part], amount_minor: int) -> tuple[list[Taken], int]:
    """Share a capture over the holds of its authorization, in their order, and return what is beyond them."""
    taken, rest = list[Taken](), amount_minor
    for part in parts:
        amount = min(rest, part.amount_minor - part.captured_minor)
        if amount > 0:
            credits = part.share(part.captured_minor + amount) - part.share(part.captured_minor)
            taken.append(Taken(part.spend_id, amount, credits))
            rest -= amount
    return taken, rest


def refund(parts: Iterable[Part], amount_minor: int) -> tuple[list[Taken], int]:
    """Share a refund over what was captured, in the order given, and return what no capture is left for."""
    taken, rest = list[Taken](), amount_minor
    for part in parts:
        left = part.captured_minor - part.refunded_minor
        amount = min(rest, left)
        if amount > 0:
            taken.append(Taken(part.spend_id, amount, part.share(left) - part.share(left - amount)))
            rest -= amount
    return taken, rest
