"""Payment settings of a deployment: prices, periods and the return address. Values only."""

from dataclasses import dataclass
from datetime import timedelta

from domain.billing.project import SlotPrice
from domain.common.credits import CreditPrice
from domain.common.money import Amounts
from domain.payments.sale_margin import ProviderFee


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentRules:
    """Settings from which the terms of every payment are made.

    Attributes:
        credit, slot: the price of one credit and one slot.
        quote_validity: how long a quote is valid.
        expiry: how long a payer has to pay.
        return_url: the address to which a hosted page redirects; None if each request has to name it.
        first_poll, longest_poll: the first and the longest interval at which a provider is polled.
        chain_poll: the constant interval at which a chain is polled.
        own_refund_days: the number of days in which payers may refund their top-ups; 0 for never.
        own_refunds: the maximum number of such refunds of a payment.
        keeps_fees: whether the provider's fee is kept of such refunds.
        largest_top_up: the largest amount of a top-up.
        fee: the provider's fee on a payment; its fixed part is added to small top-ups.
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
