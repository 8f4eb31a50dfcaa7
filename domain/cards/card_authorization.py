"""How the amounts of a card are shared over the spends of credits that pay for them.

Amounts are minor units of the card's currency. Credits follow them by a share that is rounded up, which is against the
spender, and telescopes: the parts of a spend add up to the whole, in whatever parts it is captured.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NamedTuple
from uuid import UUID


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
class Part:
    """A spend that pays for a card, as `models.cards.card_authorization.CardSpend` describes it."""

    spend_id: UUID
    amount_minor: int
    credits: int
    captured_minor: int = 0
    refunded_minor: int = 0

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
