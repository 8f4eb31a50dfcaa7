"""Usage in arrears: which part of an event goes on an invoice, and in which sum. Pure.

An event names its spend, or is charged to credits, and then it is prepaid; or it goes on a bill, and then nothing else
is charged for it. Which of the two is decided when it comes in, by the billing terms that hold then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.errors import Invalid
from domain.metering.amounts import added, minor_pico
from domain.metering.charges import Charge, rate_quantity, rate_step
from domain.money import MAX_AMOUNT_MINOR, format_amount
from domain.usage.event import InvalidEvent


class OtherCurrency(Invalid):
    """A usage event has a cost in another currency than the one its organization is invoiced in."""

    code = "usage.other_currency"


class BilledStatus(StrEnum):
    """How an event is paid for.

    `prepaid`: credits paid for it, and an invoice shows it at zero. `unbilled`: on a bill that is not collected yet.
    `billed`: its bill was collected. `void`: an operator took it off its bill.
    """

    PREPAID = "prepaid"
    UNBILLED = "unbilled"
    BILLED = "billed"
    VOID = "void"


class Source(StrEnum):
    """What usage is priced by; in the order of an invoice's lines."""

    MODEL = "model"
    AGENT = "agent"
    METER = "meter"


@dataclass(frozen=True, slots=True, kw_only=True)
class Billed:
    """What one event adds to one sum of its bill.

    Attributes:
        source: whose price it has.
        ref: the model's name, the agent's id, or the meter's number.
        quantity: what a meter counted, priced when it is collected; zero for the others.
        pico: what the event costs by itself; zero where a meter prices it.
    """

    source: Source
    ref: str
    quantity: Decimal = Decimal(0)
    pico: int = 0

    def plus(self, other: "Billed") -> "Billed":
        """Return what two events add to one sum."""
        return replace(self, quantity=added(self.quantity, other.quantity), pico=self.pico + other.pico)


@dataclass(frozen=True, slots=True, kw_only=True)
class Metered:
    """What a charged meter counted of an event, and its price; `charge` and `currency` are None where it has none."""

    number: int
    quantity: Decimal
    currency: str | None
    charge: Charge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCost:
    """What an event costs by itself, by the price of a model or an agent."""

    source: Source
    ref: str
    pico: int
    currency: str


def billed_parts(metered: Sequence[Metered], cost: EventCost | None, currency: str) -> tuple[Billed, ...]:
    """Return what an event adds to the sums of a bill; nothing if it costs nothing.

    Charged meters with a price bill what they counted. What the event costs by itself counts where no charged meter
    counts it, or one without a price; and once, however many those are.

    Args:
        metered: of the charged meters that count the event.
        cost: of the event by itself.
        currency: of the bill.

    Raises:
        OtherCurrency: one of the prices is in another currency; none is converted silently.
        InvalidEvent: it costs more by itself than an invoice may come to, and its month could not be invoiced.
    """
    parts = [
        Billed(source=Source.METER, ref=str(each.number), quantity=each.quantity)
        for each in metered
        if each.currency is not None
    ]
    others = {each.currency for each in metered} - {None}
    if cost is not None and (not metered or None in {each.currency for each in metered}):
        parts.append(Billed(source=cost.source, ref=cost.ref, pico=cost.pico))
        others.add(cost.currency)
    for other in others - {currency}:
        raise OtherCurrency(f"The organization is invoiced in {currency}, and the event costs {other}.")
    most_pico = MAX_AMOUNT_MINOR * minor_pico(currency)
    for each in metered:
        if each.charge is not None and rate_quantity(each.quantity, each.charge) > most_pico:
            raise InvalidEvent(
                "The event costs more than an invoice may come to, which is "
                f"{format_amount(MAX_AMOUNT_MINOR, currency)} {currency}. Correct its quantity."
            )
    return tuple(parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenBill:
    """What events of a month are added to until it is collected; later ones go to the next number."""

    month: date
    number: int


@dataclass(slots=True, kw_only=True)
class Unbilled:
    """What an organization's usage that is on no invoice yet comes to, while events are added to it.

    Late usage of several months may be on one invoice, so it is of all months. A part of what an invoice may come to is
    kept for rounding, and for events that are added by other requests without a lock.

    Attributes:
        currency: of the bills.
        charges: the prices of meters, by number.
        counted: what each meter counted of each month, on bills of any state and paid with credits.
        pico: what the usage comes to.
    """

    currency: str
    charges: Mapping[str, Charge]
    counted: dict[tuple[date, str], Decimal] = field(default_factory=dict)
    pico: int = 0

    @property
    def most_pico(self) -> int:
        """The most that it may come to."""
        return MAX_AMOUNT_MINOR * minor_pico(self.currency) * 999 // 1_000

    def is_far_from_full(self, after_pico: int) -> bool:
        """Return whether an addition, after which it comes to so much, is safe beside others that are not seen."""
        return after_pico <= self.most_pico // 2 and after_pico - self.pico <= self.most_pico // 10**6

    def with_event(self, month: date, parts: Sequence[Billed]) -> "Unbilled":
        """Return what it is with what an event adds."""
        counted, pico = dict(self.counted), self.pico
        for part in parts:
            pico += part.pico
            if part.source is Source.METER:
                place = month, part.ref
                before = counted.get(place, Decimal(0))
                pico += rate_step(before, part.quantity, self.charges[part.ref])
                counted[place] = added(before, part.quantity)
        return Unbilled(currency=self.currency, charges=self.charges, counted=counted, pico=pico)

    def check(self) -> None:
        """Refuse the event that was added last if an invoice could not hold it together with the others.

        Raises:
            InvalidEvent: it could not.
        """
        if self.pico > self.most_pico:
            raise InvalidEvent(
                "The event costs more than an invoice may come to together with the usage that is not invoiced yet, "
                f"which is {format_amount(MAX_AMOUNT_MINOR, self.currency)} {self.currency} at most. Correct its "
                "quantity, or send it after the next invoice."
            )
