"""Usage in arrears: which part of an event goes on an invoice, and in which sum. Pure.

An event names its spend, or is charged to credits, and then it is prepaid; or it goes on a bill, and then nothing else
is charged for it. Which of the two is decided when it comes in, by the billing terms that hold then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from domain.errors import Invalid
from domain.metering.amounts import minor_pico
from domain.metering.charges import Charge, rate_quantity
from domain.money import MAX_AMOUNT_MINOR, format_amount
from domain.usage.event import InvalidEvent


class OtherCurrency(Invalid):
    """A usage event has a cost in another currency than the one its organization is invoiced in."""

    code = "usage.other_currency"


class BilledStatus(StrEnum):
    """`prepaid`: credits paid for it, and an invoice shows it at zero; `unbilled`: not yet billed; `billed`: billed."""

    PREPAID = "prepaid"
    UNBILLED = "unbilled"
    BILLED = "billed"


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
