"""How a deployment takes payments: prices, times, and where payers return to. Values only."""

from dataclasses import dataclass
from datetime import timedelta

from domain.billing.project import SlotPrice
from domain.common.credits import CreditPrice
from domain.common.money import Amounts
from domain.payments.sale_margin import ProviderFee


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRules:
    """The deployment's settings that the terms of every payment are made from.

    Attributes:
        credit, slot: the price of one.
        quote_validity: how long a quote is valid.
        expiry: how long a payer has to pay.
        return_url: where payers return to from a hosted page; None if each request has to name it.
        first_poll, longest_poll: the first and the longest interval at which a provider is polled.
        chain_poll: the constant interval at which a chain is polled.
        own_refund_days: for how many days payers may refund their top-ups; 0 for never.
        own_refunds: how often they may refund one.
        keeps_fees: whether the provider's fee is kept of what payers refund.
        largest_top_up: the largest amount of a top-up.
        fee: what the provider keeps of a payment, and payers of small top-ups pay as well.
        open: how long a run stays open after its payment is settled.
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
    own_refund_days: int
    own_refunds: int
    keeps_fees: bool
    largest_top_up: Amounts
    fee: ProviderFee
