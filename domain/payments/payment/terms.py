"""What a payment is for, and its terms. Frozen values of the standard library only.

Amounts are minor units of the payment's currency; amounts of an *entitlement* are minor units of what was bought:
credits, slots, or cash in the payment's own currency.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.billing.tax.sale import SaleTax
from domain.common.money import ISSUED
from domain.common.quote import Quote


class PurposeKind(StrEnum):
    """What a payment is for: credits, funding an escrow, an invoice, slots, a cash balance, or buying an agent."""

    CREDITS = "credits"
    ESCROW = "escrow"
    INVOICE = "invoice"
    SLOT = "slot"
    BALANCE = "balance"
    PURCHASE = "purchase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """What the money buys. Fields that a kind of purpose does not use are None.

    Attributes:
        kind: see `PurposeKind`.
        goods_asset: what the organization gets: CREDIT, SLOT, or the payment's own currency.
        goods_minor: the amount of it for the whole payment.
        escrow_id: the escrow to fund, and `contract_id` its contract.
        invoice_id: the invoice to pay.
        package: the credit package that is bought, if it is one.
        agent_id: the agent that is bought; `payee_org_id` owns it, and `creator_bps` is the creator's share.
        sold_as: how the agent is sold, see `domain.marketplace.offer.OfferModel`.
        listed_minor: the price of the offer, before any tax.
        renews: the purchase whose next period is paid, if it is a renewal.
        included_uses: the number of uses that the price includes; 0 for any number.
    """

    kind: PurposeKind
    goods_asset: str
    goods_minor: int
    escrow_id: str | None = None
    contract_id: str | None = None
    package: str | None = None
    invoice_id: str | None = None
    agent_id: str | None = None
    payee_org_id: str | None = None
    creator_bps: int | None = None
    renews: str | None = None
    sold_as: str | None = None
    listed_minor: int | None = None
    included_uses: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnRefunds:
    """What the payer may have refunded without an operator; fixed when the payment is created.

    Attributes:
        days: for how many days after the money came; None for any time.
        times: how many refunds; None for any number.
        keeps_fee: whether the provider's fee on the payment is kept of what is refunded.
        unit_minor: the provider refunds multiples of it.
        at_list_minor: what all that is bought costs at the list price, in the payment's currency, if it was sold below
            it. What the payer keeps then counts at the list price.
    """

    days: int | None = None
    times: int | None = None
    keeps_fee: bool = False
    unit_minor: int = 1
    at_list_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentTerms:
    """The terms of the payment. They never change.

    Attributes:
        provider: the adapter's name.
        hosted, return_url, method_ref, off_session, manual_capture: see `CreatePayment`.
        expires_at: the end of the payer's time to pay.
        quote: the rate for an amount in coins; deposits that it does not cover are valued at the rate of their time.
        refundable: whether the provider supports refunds.
        first_poll_seconds, longest_poll_seconds: the first and the longest interval at which the provider is polled
            when no webhook arrives; the interval doubles in between.
        late_poll_seconds: the polling interval once nothing is pending, for providers without webhooks; 0 for never.
        open_seconds: how long the run stays open for commands from the Temporal UI once nothing is pending.
        tax: the part of the amount that is tax, if what it buys is taxed on payment; None otherwise.
        own_refunds: the bounds of refunds that the payer requests itself; None for none.
        topup_fee_minor: the part of the amount, without tax, that is the provider's fixed fee and buys nothing.
    """

    payment_id: str
    org_id: str
    provider: str
    amount_minor: int
    currency: str
    purpose: Purpose
    description: str
    created_at: datetime
    expires_at: datetime
    hosted: bool = False
    return_url: str | None = None
    method_ref: str | None = None
    off_session: bool = False
    manual_capture: bool = False
    quote: Quote | None = None
    refundable: bool = True
    first_poll_seconds: int = 15
    longest_poll_seconds: int = 3600
    late_poll_seconds: int = 0
    open_seconds: int = 30 * 86_400
    tax: SaleTax | None = None
    own_refunds: OwnRefunds | None = None
    topup_fee_minor: int = 0

    @property
    def issues_entitlement(self) -> bool:
        """Whether credits or slots are issued for the money; otherwise what was paid belongs to the organization."""
        return self.purpose.goods_asset in ISSUED and self.purpose.goods_asset != self.currency
