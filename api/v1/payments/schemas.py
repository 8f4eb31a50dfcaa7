"""Schemas of payments."""

from collections.abc import Collection
from datetime import datetime
from enum import StrEnum
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import Field, StringConstraints

from api.fields import (
    Amount,
    Currency,
    EscrowId,
    Exact,
    Flag,
    InvoiceId,
    Name,
    Note,
    RequestModel,
    ResponseModel,
    Whole,
    example,
)
from api.metadata import MetadataUpdate, MetadataView, WithMetadata, shown
from api.v1.customers.schemas import ReturnUrl
from domain.billing.project import MAX_SLOTS
from domain.billing.tax.rates import format_rate
from domain.common.errors import Invalid
from domain.common.ids import payment_workflow_id, transfer_id
from domain.common.money import format_amount, parse_amount
from domain.payments.payment.presentation import story
from domain.payments.payment.refundable import left_to_refund
from domain.payments.payment.state import AWAITING, Fulfilment, Payment, PaymentStatus, Refund, RefundState
from domain.payments.payment.terms import PaymentTerms, PurposeKind
from models.billing.tax_receipt import TaxReceipt
from models.payments.payment import PaymentEventRow
from models.tenants.metadata import ObjectMetadata


class ProviderName(StrEnum):
    """The provider that takes the money. `GET /billing/config` lists those that are set up here."""

    STRIPE = "stripe"
    PAYPAL = "paypal"
    CRYPTO = "crypto"
    CREDITS = "credits"


class Coin(StrEnum):
    """The coin of a `crypto` payment."""

    BTC = "BTC"
    ETH = "ETH"
    USDC = "USDC"
    TON = "TON"


#: The provider's id of a stored payment method.
MethodRef = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_]{1,255}$")]


class QuotedTotal(RequestModel):
    """The total that the buyer has agreed to."""

    total: Amount | None = Field(
        default=None, description="The total with tax that you have seen. If the total has changed, nothing is bought."
    )

    def matches_total(self, terms: PaymentTerms) -> bool:
        """Return whether the total of the terms equals the given one, if any."""
        return self.total is None or parse_amount(self.total, terms.currency) == terms.amount_minor

    def require_total(self, terms: PaymentTerms) -> PaymentTerms:
        """Check the total of the terms against the given one, and return the terms.

        Raises:
            Invalid: the totals differ.
        """
        if not self.matches_total(terms):
            cost = f"{format_amount(terms.amount_minor, terms.currency)} {terms.currency}"
            raise Invalid(
                f"The total is now {cost}. Read the price again, and send the new total if you agree.",
                extra={"field": "total"},
            )
        return terms


class PaymentOptions(QuotedTotal):
    """Payment options."""

    provider: ProviderName = ProviderName.STRIPE
    payment_method: MethodRef | None = Field(
        default=None,
        description="A stored payment method to charge now. Stripe only.",
        examples=["pm_1Q0PsIJvEtkwdCNY"],
    )
    off_session: Flag = Field(default=False, description="Charge without the payer present; needs `payment_method`.")
    hosted: Flag = Field(
        default=False, description="Send the payer to Stripe's hosted page. PayPal always uses its own."
    )
    return_url: ReturnUrl | None = Field(
        default=None,
        description="The address to which the payer returns. `{PAYMENT_ID}` in it becomes the payment's id.",
        examples=["https://example.com/billing"],
    )
    asset: Coin | None = Field(
        default=None, description="The coin to pay in, with provider `crypto` and a price in money."
    )


class PaymentCreate(PaymentOptions, WithMetadata):
    """A payment. `amount` and `currency` can be left out for an escrow, an invoice or slots, which determine them."""

    model_config = example(
        amount="25.00", currency="USD", provider="stripe", purpose="balance", description="Q3 budget"
    )

    amount: Amount | None = None
    currency: Currency | None = None
    purpose: PurposeKind = Field(
        default=PurposeKind.CREDITS,
        description="The purpose of the payment: credits, one escrow, an invoice, slots, or a cash balance.",
    )
    escrow_id: EscrowId | None = None
    invoice_id: InvoiceId | None = None
    slots: Whole | None = Field(default=None, ge=1, le=MAX_SLOTS, description="The number of slots; one by default.")
    capture_method: Literal["automatic", "manual"] = "automatic"
    description: Name | None = None


class Confirm(RequestModel):
    """Continues after the payer has acted, or charges the stored method that is given."""

    model_config = example()

    payment_method: MethodRef | None = None


class CapturePayment(RequestModel):
    """Captures the authorized amount, or a part of it; the rest is released."""

    model_config = example(amount="20.00")

    amount: Amount | None = None


class CancelPayment(RequestModel):
    """Cancels a payment that has not been paid; the body has no fields."""

    model_config = example()


class RefundCreate(RequestModel):
    """Refunds `amount`, in the payment's currency, or all that remains when it is left out.

    Of a refund that you request for your own organization the provider's fee is kept.
    """

    model_config = example(amount="4.00", reason="requested_by_customer")

    amount: Amount | None = None
    reason: Annotated[Note, StringConstraints(min_length=1, max_length=500)] | None = None
    credit_note: Flag = Field(
        default=False,
        description=(
            "For a payment of an invoice: issue a credit note for the refunded amount, so that it is not due again. "
            "Needs `reason`."
        ),
    )


class RefundGiveUp(RequestModel):
    """Outcome of an unknown refund, as an operator has found it at the provider."""

    model_config = example(at_provider=False, reason="PayPal's support has no refund of this invoice id.")

    at_provider: Flag = Field(description="Whether the provider has the refund.")
    provider_ref: Annotated[Name, StringConstraints(max_length=255)] | None = Field(
        default=None, description="The provider's id of the refund; required when the provider has it."
    )
    reason: Annotated[Note, StringConstraints(min_length=1, max_length=500)]


class MoneyView(ResponseModel):
    """An amount in a currency."""

    amount: Exact
    currency: str


class DepositView(ResponseModel):
    """Deposit address and amount of coins to send. If there is a `memo`, send it with them."""

    chain: str
    asset: str
    address: str
    amount: Exact
    memo: str | None
    uri: str | None


class CoinQuoteView(ResponseModel):
    """The rate of the amount in coins. Coins sent after `expires_at` count at the rate of that time."""

    price: Exact = Field(description="The price of one coin, in `currency`.")
    currency: str
    amount: Exact = Field(description="The amount that the coins pay, in `currency`.")
    source: str
    expires_at: datetime


class DeclineView(ResponseModel):
    """Why a provider or a bank declined the payment."""

    code: str
    detail: str


class RefundView(ResponseModel):
    """Money on its way back to the payer."""

    id: str
    payment_id: str
    status: RefundState
    amount: Exact
    currency: str
    fee: Exact = Field(
        description="The provider's fee, which was kept because the payer requested the refund itself; else 0."
    )
    taken: MoneyView = Field(description="The entitlement that the refund clawed back.")
    reason: str | None
    failure: str | None
    failure_code: str | None = Field(description="The code for `failure`, if the provider refused the refund.")
    requested_by: str
    requested_at: datetime


class RefundList(ResponseModel):
    """All refunds of a payment, the oldest first."""

    data: list[RefundView]
    next_cursor: None = None


class PaymentUpdate(MetadataUpdate):
    """The `external_id` and `metadata` of a payment. Fields that are left out stay as they are."""

    model_config = example(external_id="order-6735", metadata={"cost_centre": "reports"})


class PaymentView(MetadataView):
    """A payment. Amounts are decimal strings of its currency.

    `client_secret`, `approval_url` and `deposit` say what the payer has to do next. They are null when there is nothing
    to do, and for callers who may not pay.
    """

    id: str
    organization_id: str
    provider: ProviderName
    status: PaymentStatus
    purpose: PurposeKind
    amount: Exact
    currency: str
    tax: Exact | None = Field(description="The tax in `amount`. Null if the purchase is not taxed at payment.")
    received_amount: Exact
    refunded_amount: Exact
    disputed_amount: Exact
    refundable_amount: Exact
    goods: MoneyView = Field(description="The entitlement for the whole amount.")
    granted: MoneyView = Field(
        description="The entitlement granted for the money received, before refunds and chargebacks."
    )
    owed: MoneyView = Field(
        description="The part that refunds and chargebacks could not claw back because it was already spent."
    )
    escrow_id: str | None
    invoice_id: str | None
    agent_id: str | None
    package: str | None
    fulfilment: Fulfilment = Field(
        description="Whether the escrow or the invoice has taken the money; `gone` if it no longer could."
    )
    description: str
    capture_method: Literal["automatic", "manual"]
    client_secret: str | None
    approval_url: str | None
    deposit: DepositView | None
    seen_amount: Exact = Field(description="The amount sent on the blockchain that is not final yet.")
    confirmations: int | None
    cancel_requested: bool = Field(
        description="Whether it will be cancelled once the provider has answered. Money received by then is returned."
    )
    quote: CoinQuoteView | None
    decline: DeclineView | None
    refunds: list[RefundView]
    story: str = Field(
        description="The payment in words: its state, what it waits for until when, and what went wrong."
    )
    workflow_id: str
    version: int = Field(description="The number of the latest event in the timeline.")
    expires_at: datetime = Field(
        description="The payer's deadline. It moves if the payer chooses a slow method, such as a bank transfer."
    )
    created_at: datetime
    updated_at: datetime


class PaymentEventView(ResponseModel):
    """An event of a payment: kind, actor, time, the status after it, and its ledger transfer."""

    number: int
    kind: str
    status: PaymentStatus
    actor: str
    at: datetime
    recorded_at: datetime
    transfer_id: str | None
    details: dict[str, Any]


class PaymentTimeline(ResponseModel):
    """A page of the events of a payment, in order."""

    data: list[PaymentEventView]
    next_cursor: str | None = Field(default=None, description="Pass it as `cursor`; null on the last page.")


def money(amount_minor: int, currency: str) -> MoneyView:
    return MoneyView(amount=format_amount(amount_minor, currency), currency=currency)


def view(payment: Payment, *, for_payer: bool, written: ObjectMetadata | None) -> PaymentView:
    """Show a payment's state to a client; what opens its payment is for those who may pay."""
    terms, purpose = payment.terms, payment.terms.purpose
    action = payment.action if for_payer and not payment.cancel_requested else None

    def own(amount_minor: int) -> str:
        return format_amount(amount_minor, terms.currency)

    return PaymentView.from_row(
        payment,
        **shown(written),
        id=terms.payment_id,
        organization_id=terms.org_id,
        provider=ProviderName(terms.provider),
        purpose=purpose.kind,
        amount=own(terms.amount_minor),
        currency=terms.currency,
        tax=None if terms.tax is None else own(terms.tax.amount_minor),
        received_amount=own(payment.received_minor),
        refunded_amount=own(payment.refunded_minor),
        disputed_amount=own(payment.disputed_minor),
        refundable_amount=own(left_to_refund(payment)),
        goods=money(purpose.goods_minor, purpose.goods_asset),
        granted=money(payment.granted_minor, purpose.goods_asset),
        owed=money(payment.debt_minor, purpose.goods_asset),
        escrow_id=purpose.escrow_id,
        invoice_id=purpose.invoice_id,
        agent_id=purpose.agent_id,
        package=purpose.package,
        description=terms.description,
        capture_method="manual" if terms.manual_capture else "automatic",
        client_secret=action.client_secret if action else None,
        approval_url=action.redirect_url if action else None,
        deposit=_deposit(payment) if action else None,
        seen_amount=own(payment.seen_minor),
        cancel_requested=payment.cancel_requested and payment.status in AWAITING,
        quote=_quote(payment),
        decline=DeclineView(code=payment.decline.code, detail=payment.decline.detail) if payment.decline else None,
        refunds=[refund_view(payment, refund) for refund in payment.refunds],
        story=story(payment),
        workflow_id=payment_workflow_id(terms.payment_id),
        expires_at=payment.ends_at,
    )


def refund_view(payment: Payment, refund: Refund) -> RefundView:
    terms = payment.terms
    return RefundView.from_row(
        refund,
        id=refund.refund_id,
        payment_id=terms.payment_id,
        status=refund.state,
        amount=format_amount(refund.amount_minor, terms.currency),
        currency=terms.currency,
        fee=format_amount(refund.fee_minor, terms.currency),
        taken=money(refund.goods_minor, terms.purpose.goods_asset),
    )


def event_view(row: PaymentEventRow, visible: Collection[UUID]) -> PaymentEventView:
    """Show a step to a client; a transfer that is not visible moved only the platform's own money."""
    return PaymentEventView.from_row(
        row, transfer_id=transfer_id(row.transfer_id) if row.transfer_id and row.transfer_id in visible else None
    )


def _deposit(payment: Payment) -> DepositView | None:
    deposit = payment.action.deposit if payment.action else None
    if deposit is None:
        return None
    return DepositView.from_row(deposit, amount=format_amount(deposit.amount_minor, deposit.asset))


def _quote(payment: Payment) -> CoinQuoteView | None:
    quote = payment.terms.quote
    if quote is None:
        return None
    return CoinQuoteView.from_row(quote, amount=format_amount(quote.amount_minor, quote.currency))


class TaxReceiptView(ResponseModel):
    """A tax document of a payment. Amounts are decimal strings of its currency, negative if money was returned."""

    id: str
    number: str = Field(description="Numbers of a series are consecutive, without gaps.")
    payment_id: str
    currency: str
    amount: Exact = Field(description="The amount with tax.")
    net: Exact
    tax: Exact
    tax_code: str = Field(description="The tax code. The tax is booked to the account `platform/tax/{code}`.")
    category: str = Field(description="The reason for the rate, as a code of EN 16931.")
    rate: Exact = Field(description="The rate, as a share of the net amount, a decimal string.")
    issued_at: datetime
    transfer_id: str

    @classmethod
    def of(cls, row: TaxReceipt) -> Self:
        return cls.from_row(
            row,
            amount=format_amount(row.gross_minor, row.currency),
            net=format_amount(row.net_minor, row.currency),
            tax=format_amount(row.tax_minor, row.currency),
            rate=format_rate(row.rate_e6),
            transfer_id=transfer_id(row.transfer_id),
        )


class TaxReceiptList(ResponseModel):
    """The tax documents of a payment."""

    data: list[TaxReceiptView]
