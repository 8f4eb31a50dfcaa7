"""HTTP schemas of a quote."""

from datetime import datetime
from typing import Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.billing.tax.rates import format_rate
from domain.common.money import CREDIT, SLOT, format_amount
from domain.payments.payment.terms import PaymentTerms


class QuotedTaxView(ResponseModel):
    """The tax in a price."""

    code: str
    category: str
    rate: Exact = Field(description="As a fraction: `0.19` is 19 %.")
    amount: Exact


class QuotedRateView(ResponseModel):
    """The rate at which the price in money was converted into coins."""

    price: Exact = Field(description="The price of one coin.")
    currency: str
    source: str
    quoted_at: datetime


class BillingQuoteView(ResponseModel):
    """The current price of a purchase. `subtotal` + `fee` + `tax.amount` = `total`, the amount charged."""

    organization_id: str
    provider: str
    credits: Exact | None = Field(description="The number of credits bought.")
    slots: int | None = Field(description="The number of slots bought.")
    package: str | None
    agent_id: str | None = Field(description="The agent bought.")
    currency: str
    subtotal: Exact
    fee: Exact = Field(description="The fee of a small top-up, beyond its credits and before tax.")
    tax: QuotedTaxView | None = Field(description="Null if the purchase is not taxed at payment.")
    total: Exact
    rate: QuotedRateView | None = Field(description="The rate, for a price in coins. A payment gets its own rate.")
    quoted_at: datetime

    @classmethod
    def of(cls, terms: PaymentTerms, package: str | None) -> Self:
        goods, taxed, quote = terms.purpose.goods_asset, terms.tax, terms.quote
        tax_minor = 0 if taxed is None else taxed.amount_minor

        def money(amount_minor: int) -> str:
            return format_amount(amount_minor, terms.currency)

        return cls.from_row(
            terms,
            credits=format_amount(terms.purpose.goods_minor, CREDIT) if goods == CREDIT else None,
            slots=terms.purpose.goods_minor if goods == SLOT else None,
            package=package,
            agent_id=terms.purpose.agent_id,
            subtotal=money(terms.amount_minor - tax_minor - terms.topup_fee_minor),
            fee=money(terms.topup_fee_minor),
            tax=None
            if taxed is None
            else QuotedTaxView(
                code=taxed.code, category=taxed.category.value, rate=format_rate(taxed.rate_e6), amount=money(tax_minor)
            ),
            total=money(terms.amount_minor),
            rate=None
            if quote is None
            else QuotedRateView(
                price=quote.price, currency=quote.currency, source=quote.source, quoted_at=quote.quoted_at
            ),
            quoted_at=terms.created_at,
        )
