"""The charge of an event: by the prices of the meters that count it, otherwise its own cost. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor

from domain.common.credits import CreditPrice
from domain.common.errors import Invalid, MeterNotChargeable, NotVoidable
from domain.common.money import CREDIT, MAX_AMOUNT_MINOR
from domain.usage.amounts import minor_pico, to_credits, to_minor
from domain.usage.arrears import WHOLE_E6
from domain.usage.charge_model import Charge, Volume, parse_charge, rate_step
from domain.usage.meter import Aggregation


class WaitReason(StrEnum):
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
VOIDABLE = frozenset({WaitReason.AMOUNT, WaitReason.EVENT, WaitReason.BOOKS})


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
    if is_use and waits_for != WaitReason.EVENT and not has_closed_party:
        raise NotVoidable(
            "The event reports the use of an agent, and a part of its price is its creator's. It is voided only if the "
            "organization of one of them is closed."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredPart:
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
        raise MeterNotChargeable("Only a meter with the aggregation sum or count can be charged.")
    if price is not None and isinstance(parse_charge(price), Volume):
        raise MeterNotChargeable(
            "A meter with volume prices cannot be charged event by event, because a further unit can lower the cost."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class CostRules:
    """How costs in money are charged to credits.

    Attributes:
        granted: the value of a granted credit, in the currency in which credits are sold.
        markup_e6: what is charged beyond the events' own costs, in 10^-6 of them.
        granted_minor: how much of these granted credits pay in a month, in minor units of that currency.
    """

    granted: CreditPrice
    markup_e6: int = 0
    granted_minor: int = 0


#: Credits that were paid for, the exact money paid for them, both in minor units, and its currency.
PaidCredits = tuple[int, Fraction, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCharge:
    """The charge of an event: a cost in money, which credits pay by what was paid for them, and an amount of credits.

    Attributes:
        pico: the cost, in pico of the currency in which credits are sold.
        credits_minor: prices in credits, in minor units.
        has_own: whether the cost includes the event's own in money.
        rates: by currency, its value for one unit of the currency in which credits are sold, which is among them.
    """

    rules: CostRules
    rates: Mapping[str, Fraction]
    pico: int
    credits_minor: int
    has_own: bool

    @property
    def most_minor(self) -> int:
        """The credits that are owed if nothing of it is paid: the cost is counted at the granted value."""
        return self.credits_minor + to_credits(self.pico, self.rules.granted)

    def less(self, paid_minor: int, lots: Sequence[PaidCredits]) -> "EventCharge":
        """Return the rest after a payment of credits, which pays the cost first.

        Credits that were granted or are owed, and those paid for in a currency without a rate, count at the granted
        value.

        Args:
            paid_minor: the credits that were paid.
            lots: those of them that were paid for.
        """
        worth, others = Fraction(), paid_minor
        for credits_minor, money, asset in lots:
            if asset in self.rates:
                worth += money * minor_pico(asset) / self.rates[asset]
                others -= credits_minor
        per_credits, money_minor = self.rules.granted.rate()
        worth += Fraction(others * money_minor * minor_pico(self.rules.granted.currency), per_credits)
        share = min(Fraction(1), self.pico / worth) if worth else Fraction(self.pico > 0)
        credits_minor = max(0, self.credits_minor - floor(paid_minor * (1 - share)))
        return replace(self, pico=max(0, ceil(self.pico - worth)), credits_minor=credits_minor)


def charge_of(
    parts: Sequence[MeteredPart],
    cost: tuple[int, str] | None,
    rules: CostRules,
    rates: Mapping[str, Fraction] | None = None,
) -> EventCharge | WaitReason:
    """Return the charge of an event, or why it has to wait. Each of its two amounts is rounded up once.

    Args:
        parts: the parts read by charged meters.
        cost: the event's own cost, in pico of a currency; it is charged once, even if several meters charge by it.
        rules: how costs in money are charged.
        rates: by currency, its value for one unit of the currency in which credits are sold.
    """
    pico: Counter[str] = Counter()
    try:
        for part in parts:
            if part.charge is not None and part.currency is not None:
                pico[part.currency] += rate_step(part.before, part.quantity, part.charge)
    except Invalid:
        return WaitReason.AMOUNT
    has_own = False
    if cost is not None and any(part.charge is None for part in parts):
        has_own = cost[1] != CREDIT
        pico[cost[1]] -= -cost[0] * (WHOLE_E6 + (rules.markup_e6 if has_own else 0)) // WHOLE_E6
    credits_minor = to_minor(pico.pop(CREDIT, 0), CREDIT)
    known = {**(rates or {}), rules.granted.currency: Fraction(1)}
    if not pico.keys() <= known.keys():
        return WaitReason.RATE
    cost_pico = ceil(sum(amount / known[currency] for currency, amount in pico.items()))
    charge = EventCharge(rules=rules, rates=known, pico=cost_pico, credits_minor=credits_minor, has_own=has_own)
    return charge if charge.most_minor <= MAX_AMOUNT_MINOR else WaitReason.AMOUNT
