"""The charge of an event: by the prices of the meters that count it, otherwise its own cost. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction

from domain.common.credits import CreditPrice
from domain.common.errors import Conflict, Invalid
from domain.common.money import CREDIT, MAX_AMOUNT_MINOR
from domain.usage.amounts import to_credits, to_minor
from domain.usage.charge_model import Charge, Volume, parse_charge, rate_step
from domain.usage.meter import Aggregation


class Waits(StrEnum):
    """The reason why an event is not charged yet."""

    #: It costs something in a currency in which credits have no price, and that has no exchange rate.
    RATE = "rate"
    #: It costs more than one charge may be, or would have its organization owe more than that.
    AMOUNT = "amount"
    #: The event is not there, because its month was detached.
    EVENT = "event"
    #: The books refuse the charge.
    BOOKS = "books"
    #: It is the use of an agent, for which the credits do not suffice.
    CREDITS = "credits"
    #: It is the use of an agent, which a spend control refuses.
    LIMIT = "limit"


#: What waits for an operator, and for which nothing may come: only then is a charge voided.
VOIDABLE = frozenset({Waits.AMOUNT, Waits.EVENT, Waits.BOOKS})


class NotVoidable(Conflict):
    """The charge does not wait for an operator, is for an agent's use that can be charged, or is on a sealed bill."""

    code = "usage.not_voidable"


def check_voidable(waits_for: str | None, *, is_use: bool, has_closed_party: bool = False) -> None:
    """Refuse to void what can still be charged, was charged, or is owed to a creator too.

    Args:
        waits_for: the reason why it is not charged yet.
        is_use: whether it is for the use of an agent, whose creator gets a share.
        has_closed_party: whether the buyer or the seller of the use is closed, so that it is never charged.

    Raises:
        NotVoidable: the charge can still be made, was made, or is owed to a creator too.
    """
    if waits_for not in VOIDABLE:
        raise NotVoidable(
            "The charge does not wait for an operator. Only one that waits for amount, event or books is voided."
        )
    if is_use and waits_for != Waits.EVENT and not has_closed_party:
        raise NotVoidable(
            "The event reports the use of an agent, and a part of its price is its creator's. It is voided only if the "
            "organization of one of them is closed."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The part of an event that one charged meter read.

    Attributes:
        quantity: the quantity of the event.
        before: the quantity of the month that was charged before.
        charge: the meter's price; None if the event's own cost is charged.
        currency: the currency of the price.
    """

    quantity: Decimal
    before: Decimal
    charge: Charge | None
    currency: str | None


def check_chargeable(aggregation: Aggregation, price: Mapping[str, object] | None) -> None:
    """Refuse to charge for a meter whose events do not each add to a cost.

    Raises:
        Conflict: `meter.not_chargeable`.
    """
    if aggregation not in {Aggregation.SUM, Aggregation.COUNT}:
        raise Conflict("Only a meter with the aggregation sum or count can be charged.", code="meter.not_chargeable")
    if price is not None and isinstance(parse_charge(price), Volume):
        raise Conflict(
            "A meter with volume prices cannot be charged event by event, because a further unit can lower the cost.",
            code="meter.not_chargeable",
        )


def credits_of(
    parts: Sequence[Part],
    cost: tuple[int, str] | None,
    price: CreditPrice,
    rates: Mapping[str, Fraction] | None = None,
    *,
    cost_price: CreditPrice | None = None,
) -> int | Waits:
    """Return the charge of an event in minor units of credits, or why it has to wait.

    The charge is rounded up once for each currency, and the event's own cost by itself where its price is another.

    Args:
        parts: the parts read by charged meters.
        cost: the event's own cost, in pico of a currency; it is charged once, even if several meters charge by it.
        price: the price of a credit, for prices of meters.
        cost_price: how much of its own cost a credit pays, in the same currency; as for meters if it is None.
        rates: by currency, its value for one unit of the price's currency.
    """
    pico = Counter[str]()
    try:
        for part in parts:
            if part.charge is not None and part.currency is not None:
                pico[part.currency] += rate_step(part.before, part.quantity, part.charge)
    except Invalid:
        return Waits.AMOUNT
    own = Counter[str]()
    if cost is not None and any(part.charge is None for part in parts):
        (pico if cost_price in {None, price} else own)[cost[1]] += cost[0]
    worth: dict[str, Fraction | None] = {**(rates or {}), price.currency: None}
    if not {*pico, *own} <= {CREDIT, *worth}:
        return Waits.RATE
    minor = sum(
        to_minor(amount, CREDIT) if currency == CREDIT else to_credits(amount, at, worth[currency])
        for amounts, at in ((pico, price), (own, cost_price or price))
        for currency, amount in amounts.items()
    )
    return minor if minor <= MAX_AMOUNT_MINOR else Waits.AMOUNT
