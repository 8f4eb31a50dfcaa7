"""How a deployment takes payments: prices, times, and where payers return to. Values only."""

from dataclasses import dataclass
from datetime import timedelta

from domain.credits import CreditPrice
from domain.project import SlotPrice


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRules:
    """What the terms of every payment are made by.

    Attributes:
        credit, slot: what one costs.
        quote_validity: how long a rate holds.
        expiry: the time that a payer has.
        return_url: where payers return to from a hosted page; None where a request has to say.
        first_poll, longest_poll: how soon, and how seldom, a provider is asked what became of a payment.
        chain_poll: the same of a chain, always.
        open: how long a run stays after its payment is settled.
    """

    credit: CreditPrice
    slot: SlotPrice
    quote_validity: timedelta
    expiry: timedelta
    return_url: str | None
    first_poll: timedelta
    longest_poll: timedelta
    chain_poll: timedelta
    open: timedelta
