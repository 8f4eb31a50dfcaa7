"""Purpose and terms of a payment. Frozen values of the standard library only.

Amounts are minor units of the payment's currency; amounts of an *entitlement* are minor units of
credits, slots, or cash in the payment's own currency.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.billing.tax.sale import SaleTax
from domain.common.money import ISSUED
from domain.common.quote import Quote


class PurposeKind(StrEnum):
    """Purpose of a payment: credits, funding an escrow, an invoice, slots, a cash balance, or buying an agent."""

    CREDITS = "credits"
    ESCROW = "escrow"
    INVOICE = "invoice"
    SLOT = "slot"
    BALANCE = "balance"
    PURCHASE = "purchase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Purpose:
    """Purpose and entitlement of a payment. Fields that a kind does not use are None.

    Attributes:
        kind: see `PurposeKind`.
        goods_asset: the asset of the entitlement: CREDIT, SLOT, or the payment's own currency.
        goods_minor: the entitlement of the whole payment.
        escrow_id: the escrow to fund, and `contract_id` its contract.
        invoice_id: the invoice to pay.
        package: the credit package, if one is bought.
        agent_id: the agent that is bought; `payee_org_id` owns it, and `creator_bps` is the creator's share.
        sold_as: how the agent is sold, see `domain.marketplace.offer.OfferModel`.
        listed_minor: the price of the offer, before any tax.
        renews: the purchase that it renews, if any.
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
    """Limits of refunds without an operator; fixed when the payment is created.

    Attributes:
        days: the number of days after the receipt; None for any time.
        times: the number of refunds; None for any number.
        keeps_fee: whether the provider's fee on the payment is kept.
        unit_minor: the provider refunds only multiples of it.
        at_list_minor: the list price of the whole entitlement, in the payment's currency, if it was sold at a discount.
            The part that the payer keeps then counts at the list price.
    """

    days: int | None = None
    times: int | None = None
    keeps_fee: bool = False
    unit_minor: int = 1
    at_list_minor: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentTerms:
    """Terms of a payment. They never change.

    Attributes:
        provider: the adapter's name.
        hosted, return_url, method_ref, off_session, manual_capture: see `CreatePayment`.
        expires_at: the payer's deadline.
        quote: the exchange rate of an amount in coins; other deposits are valued at the rate of their time.
        refundable: whether the provider supports refunds.
        first_poll_seconds, longest_poll_seconds: the first and the longest interval at which the provider is polled
            when no webhook arrives; the interval doubles in between.
        late_poll_seconds: the polling interval once nothing is pending, for providers without webhooks; 0 for never.
        open_seconds: how long the run stays open for commands from the Temporal UI once nothing is pending.
        tax: the part of the amount that is tax, if what it buys is taxed on payment; None otherwise.
        own_refunds: the bounds of refunds that the payer requests itself; None for none.
        topup_fee_minor: the part of the amount, without tax, that is the provider's fixed fee and buys nothing.
        authenticate: whether the payer must authenticate at the provider, as a decision against fraud asked for.
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
    authenticate: bool = False

    @property
    def issues_entitlement(self) -> bool:
        """Whether credits or slots are issued for the money; otherwise the organization gets the money itself."""
        return self.purpose.goods_asset in ISSUED and self.purpose.goods_asset != self.currency
