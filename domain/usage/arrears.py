"""Usage in arrears: which part of an event goes on an invoice, and in which sum. Pure.

An event names its spend, or is charged to credits, and then it is prepaid; or it goes on a bill, and then nothing else
is charged for it. Which of the two is decided when it comes in, by the billing terms that hold then.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.common.errors import Invalid, OtherCurrency, UnpaidLimit
from domain.common.money import MAX_AMOUNT_MINOR, Amounts, format_amount
from domain.usage.amounts import add_exactly, minor_pico
from domain.usage.charge_model import Charge, rate_quantity, rate_step
from domain.usage.event import InvalidEvent

#: Markups are millionths of the cost.
WHOLE_E6 = 10**6


@dataclass(frozen=True, slots=True, kw_only=True)
class ArrearsRules:
    """The platform's settings of usage in arrears.

    Attributes:
        unpaid_limit: what may be unbilled and unpaid, for terms that state nothing else.
        markup_e6: what is charged beyond the cost of calls of models, in 10^-6 of it.
    """

    unpaid_limit: Amounts
    markup_e6: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class UnpaidUsage:
    """What an organization in arrears owes for usage and invoices, and what it may owe. Amounts are minor units.

    Attributes:
        unbilled_minor: usage that is on no invoice yet, rounded up.
        invoiced_minor: what is open of its invoices.
    """

    currency: str
    unbilled_minor: int
    invoiced_minor: int
    limit_minor: int

    @property
    def total_minor(self) -> int:
        return self.unbilled_minor + self.invoiced_minor

    @property
    def is_near_limit(self) -> bool:
        """Whether four fifths of the limit are reached."""
        return self.total_minor > 0 and 5 * self.total_minor >= 4 * self.limit_minor

    @property
    def is_limit_reached(self) -> bool:
        return self.total_minor > self.limit_minor

    @property
    def sentence(self) -> str:
        unbilled, invoiced, limit = (
            f"{format_amount(minor, self.currency)} {self.currency}"
            for minor in (self.unbilled_minor, self.invoiced_minor, self.limit_minor)
        )
        return f"{unbilled} of usage are not invoiced and {invoiced} of invoices are not paid; the limit is {limit}."

    def refusal(self) -> Invalid | None:
        """Return why usage that asks first is refused; None within the limit."""
        if not self.is_limit_reached:
            return None
        return UnpaidLimit(
            f"{self.sentence} Pay the open invoices, or have an operator agree a higher limit.",
            extra={
                "unpaid": format_amount(self.total_minor, self.currency),
                "limit": format_amount(self.limit_minor, self.currency),
                "currency": self.currency,
            },
        )


class BilledStatus(StrEnum):
    """How an event is paid for.

    `prepaid`: credits paid for it, and an invoice shows it at zero. `unbilled`: on a bill that is not collected yet.
    `billed`: its bill was collected. `void`: an operator took it off its bill.
    """

    PREPAID = "prepaid"
    UNBILLED = "unbilled"
    BILLED = "billed"
    VOID = "void"


class PriceSource(StrEnum):
    """The source of the price of usage, in the order of an invoice's lines."""

    MODEL = "model"
    AGENT = "agent"
    METER = "meter"


@dataclass(frozen=True, slots=True, kw_only=True)
class BilledAmount:
    """The amount that one event adds to one sum of its bill.

    Attributes:
        source: the source of the price.
        ref: the model's name, the agent's id, or the meter's number.
        quantity: the quantity of a meter, priced when the sum is collected; zero for other sources.
        pico: the event's own cost, in pico of the currency; zero if a meter prices it.
    """

    source: PriceSource
    ref: str
    quantity: Decimal = Decimal(0)
    pico: int = 0

    def plus(self, other: "BilledAmount") -> "BilledAmount":
        """Return what two events add to one sum."""
        return replace(self, quantity=add_exactly(self.quantity, other.quantity), pico=self.pico + other.pico)


@dataclass(frozen=True, slots=True, kw_only=True)
class MeteredQuantity:
    """A charged meter's quantity for an event, and its price; `charge` and `currency` are None without one."""

    number: int
    quantity: Decimal
    currency: str | None
    charge: Charge | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EventCost:
    """The event's own cost, by the price of a model or an agent."""

    source: PriceSource
    ref: str
    pico: int
    currency: str


def billed_amounts(
    metered: Sequence[MeteredQuantity], cost: EventCost | None, currency: str
) -> tuple[BilledAmount, ...]:
    """Return the additions of an event to the sums of a bill; empty if it costs nothing.

    Charged meters with a price bill their quantities. The event's own cost is billed, once, if no charged meter reads
    the event, or at least one without a price does.

    Args:
        metered: the charged meters that read the event.
        cost: the event's own cost.
        currency: the currency of the bill.

    Raises:
        OtherCurrency: one of the prices is in another currency; none is converted silently.
        InvalidEvent: the event costs more than the maximum of an invoice, so its month could not be invoiced.
    """
    parts = [
        BilledAmount(source=PriceSource.METER, ref=str(each.number), quantity=each.quantity)
        for each in metered
        if each.currency is not None
    ]
    others = {each.currency for each in metered} - {None}
    if cost is not None and (not metered or None in {each.currency for each in metered}):
        parts.append(BilledAmount(source=cost.source, ref=cost.ref, pico=cost.pico))
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
    """The bill that a month's events are added to until it is collected; later events go to the next number."""

    month: date
    number: int


@dataclass(slots=True, kw_only=True)
class UnbilledTotal:
    """The total of an organization's usage that is not invoiced yet, while events are added to it.

    One invoice may have late usage of several months, so the total is over all months. Part of an invoice's maximum is
    reserved for rounding, and for events that other requests add without a lock.

    Attributes:
        currency: the currency of the bills.
        charges: the prices of meters, by number.
        markup_e6: see `ArrearsRules`.
        counted: the quantity of each meter in each month, on bills of any state and paid with credits.
        pico: the total, in pico of the currency, with the markup rounded up for each sum.
    """

    currency: str
    charges: Mapping[str, Charge]
    markup_e6: int = 0
    counted: dict[tuple[date, str], Decimal] = field(default_factory=dict)
    pico: int = 0

    @property
    def most_pico(self) -> int:
        return MAX_AMOUNT_MINOR * minor_pico(self.currency) * 999 // 1_000

    def is_far_from_full(self, after_pico: int) -> bool:
        """Return whether this new total leaves enough room for concurrent additions by other requests."""
        return after_pico <= self.most_pico // 2 and after_pico - self.pico <= self.most_pico // 10**6

    def with_event(self, month: date, parts: Sequence[BilledAmount]) -> "UnbilledTotal":
        """Return the total with the additions of an event."""
        counted, pico = dict(self.counted), self.pico
        for part in parts:
            markup = self.markup_e6 if part.source is PriceSource.MODEL else 0
            pico -= -part.pico * (WHOLE_E6 + markup) // WHOLE_E6
            if part.source is PriceSource.METER:
                place = month, part.ref
                before = counted.get(place, Decimal(0))
                pico += rate_step(before, part.quantity, self.charges[part.ref])
                counted[place] = add_exactly(before, part.quantity)
        return replace(self, counted=counted, pico=pico)

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
