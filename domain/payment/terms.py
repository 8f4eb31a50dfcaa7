"""What a payment is for, and its terms. Frozen values of the standard library only.

Amounts are minor units of the payment's currency; amounts of an *entitlement* are minor units of what was bought:
credits, slots, or cash in the payment's own currency.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from domain.money import ISSUED
from domain.payment.quote import Quote
from domain.tax.sale import SaleTax


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
    """What is done with the money.

    Attributes:
        kind: see `PurposeKind`.
        goods_asset: what the organization gets: CREDIT, SLOT, or the payment's own currency.
        goods_minor: how much of it for the whole amount.
        escrow_id: the escrow to fund, and `contract_id` its contract.
        invoice_id: the invoice to pay.
        package: the credit package that was bought, where it was one.
        agent_id: the agent that is bought, `payee_org_id` whose it is, and `creator_bps` the creator's share.
        sold_as: how the agent is sold, see `domain.marketplace.offer.OfferModel`.
        listed_minor: the price of the offer, to which tax may have been added; None for payments of before.
        renews: the purchase whose next period is paid, where it is one.
        included_uses: for how many uses the price is, 0 for any number; None for payments of before.
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
class PaymentTerms:
    """What was requested. Never changes.

    Attributes:
        provider: the adapter's name.
        hosted, return_url, method_ref, off_session, manual_capture: see `CreatePayment`.
        expires_at: until when the payer may pay.
        quote: the rate that an amount in coins was made with; later deposits are valued anew.
        refundable: whether the provider can give money back by itself.
        first_poll_seconds, longest_poll_seconds: how soon, and at most how seldom, the provider is asked when no
            webhook comes; the pauses double in between.
        late_poll_seconds: how often it is asked after nothing is awaited any more, where no webhook would tell; 0 for
            never.
        open_seconds: how long the run stays for commands from the Temporal UI after it has nothing left to await.
        named_operators: signals that move something must name who sends them; False for payments of before.
        fulfils_net: its escrow or invoice takes only what refunds and disputes have left; False for payments of before.
        takes_waiting_first: what a provider takes back before the escrow has its money is taken from that money, and
            only the rest from what the organization has beside it; False for payments of before.
        looks_at_once: a webhook's news is looked at within its workflow task; False for payments of before.
        tax: what of the amount is tax, where what it buys is taxed when it is paid; None otherwise.
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
    fulfils_net: bool = False
    named_operators: bool = False
    takes_waiting_first: bool = False
    looks_at_once: bool = False
    tax: SaleTax | None = None

    @property
    def issues_entitlement(self) -> bool:
        """Whether credits or slots are issued for the money; otherwise what was paid belongs to the organization."""
        return self.purpose.goods_asset in ISSUED and self.purpose.goods_asset != self.currency
