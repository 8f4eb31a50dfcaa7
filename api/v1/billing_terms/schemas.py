"""HTTP schemas of billing terms."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field, StringConstraints

from api.fields import Amount, Currency, Day, Exact, Note, RequestModel, ResponseModel, Share, Whole, example
from domain.billing.billing_run.period import month_text
from domain.billing.billing_terms import (
    MAX_NET_DAYS,
    MAX_PLAN_PRICES,
    MAX_STEPS,
    AgreedPrice,
    BillingTerms,
    DiscountStep,
    TermsVersion,
    UsageMode,
)
from domain.billing.invoice.collection import CollectionMethod
from domain.billing.plan import PLAN_NAME, PRICE_ID, Interval, PlanPrice
from domain.common.money import format_amount, parse_amount, parse_ratio

PlanName = Annotated[str, StringConstraints(pattern=f"^{PLAN_NAME.pattern}$")]
PriceId = Annotated[str, StringConstraints(pattern=f"^{PRICE_ID.pattern}$")]


class DiscountSet(RequestModel):
    """From these net charges of a month on, all of its usage is cheaper by a share."""

    from_amount: Amount = Field(alias="from")
    discount: Share


class PlanPriceSet(RequestModel):
    """The organization's own price for a plan."""

    plan: PlanName
    interval: Interval = Interval.MONTH
    amount: Amount
    currency: Currency = "USD"
    price_id: PriceId | None = Field(
        default=None, description="The price's id at Stripe. Created at Stripe when left out."
    )

    def agreed(self) -> AgreedPrice:
        return AgreedPrice(
            plan=self.plan,
            price=PlanPrice(
                interval=self.interval,
                amount_minor=parse_amount(self.amount, self.currency),
                currency=self.currency,
                price_id=self.price_id,
            ),
        )


class BillingTermsSet(RequestModel):
    """The terms agreed with an organization. Fields that are left out have their usual values."""

    model_config = example(
        mode="arrears",
        currency="USD",
        time_zone="Europe/Vienna",
        minimum_commitment="500.00",
        volume_discounts=[{"from": "1000.00", "discount": "0.05"}, {"from": "10000.00", "discount": "0.10"}],
        net_days=30,
        collection_method="send_invoice",
        plan_prices=[{"plan": "enterprise", "interval": "year", "amount": "2400.00"}],
        reason="Contract 4711",
    )

    mode: UsageMode
    currency: Currency = "USD"
    time_zone: Annotated[str, Field(max_length=60)] = "UTC"
    minimum_commitment: Amount = Field(default="0", description="The minimum charge for usage in a month.")
    commitment_from: Day | None = Field(
        default=None, description="The first day of the commitment, which is prorated in that month."
    )
    volume_discounts: Annotated[tuple[DiscountSet, ...], Field(max_length=MAX_STEPS)] = ()
    net_days: Annotated[Whole, Field(ge=0, le=MAX_NET_DAYS)] = 30
    collection_method: CollectionMethod = Field(
        default=CollectionMethod.CHARGE_AUTOMATICALLY,
        description="Whether monthly invoices are charged at once, or sent and paid within `net_days`.",
    )
    plan_prices: Annotated[tuple[PlanPriceSet, ...], Field(max_length=MAX_PLAN_PRICES)] = ()
    unpaid_limit: Amount | None = Field(
        default=None,
        description="What usage in arrears may come to that is not invoiced or not paid. Once it is reached, uses of "
        "credits are refused. The platform's usual limit if left out.",
    )
    reason: Note | None = None

    def terms(self) -> BillingTerms:
        return BillingTerms(
            mode=self.mode,
            currency=self.currency,
            time_zone=self.time_zone,
            commitment_minor=parse_amount(self.minimum_commitment, self.currency, zero=True),
            commitment_from=self.commitment_from,
            discounts=tuple(
                DiscountStep(
                    from_minor=parse_amount(step.from_amount, self.currency, zero=True),
                    discount_bps=parse_ratio(step.discount, "A discount"),
                )
                for step in self.volume_discounts
            ),
            net_days=self.net_days,
            collection_method=self.collection_method,
            plan_prices=tuple(each.agreed() for each in self.plan_prices),
            unpaid_limit_minor=None
            if self.unpaid_limit is None
            else parse_amount(self.unpaid_limit, self.currency, zero=True),
        )


class AgreedPlanPriceView(ResponseModel):
    """The organization's price of a plan."""

    plan: str
    interval: Interval
    amount: Exact
    currency: str
    price_id: str | None


class VolumeDiscountView(ResponseModel):
    """From these net charges of a month on, all of its usage is cheaper by a share."""

    from_amount: Exact = Field(serialization_alias="from")
    discount: Exact


class TermsVersionView(ResponseModel):
    """A version of billing terms."""

    version: int = Field(description="0 if none were agreed and these are the usual terms.")
    starts_at: datetime | None = Field(description="Usage from this time on is charged by it.")
    from_month: str | None = Field(description="The first month invoiced by it.")
    mode: UsageMode
    currency: str
    time_zone: str
    minimum_commitment: Exact
    commitment_from: date | None
    volume_discounts: list[VolumeDiscountView]
    net_days: int
    collection_method: CollectionMethod
    plan_prices: list[AgreedPlanPriceView]
    unpaid_limit: Exact | None = Field(description="Null if the platform's usual limit applies.")

    @classmethod
    def of(cls, version: TermsVersion) -> "TermsVersionView":
        terms, agreed = version.terms, version.number > 0
        return cls.from_row(
            terms,
            version=version.number,
            starts_at=version.starts_at if agreed else None,
            from_month=month_text(version.from_month) if agreed else None,
            minimum_commitment=format_amount(terms.commitment_minor, terms.currency),
            volume_discounts=[
                VolumeDiscountView(
                    from_amount=format_amount(step.from_minor, terms.currency),
                    discount=f"{step.discount_bps // 10_000}.{step.discount_bps % 10_000:04d}",
                )
                for step in terms.discounts
            ],
            plan_prices=[
                AgreedPlanPriceView(
                    plan=each.plan,
                    interval=each.price.interval,
                    amount=format_amount(each.price.amount_minor, each.price.currency),
                    currency=each.price.currency,
                    price_id=each.price.price_id,
                )
                for each in terms.plan_prices
            ],
            unpaid_limit=None
            if terms.unpaid_limit_minor is None
            else format_amount(terms.unpaid_limit_minor, terms.currency),
        )


class BillingTermsView(TermsVersionView):
    """The current billing terms, and those that follow."""

    organization_id: str
    next: TermsVersionView | None = Field(
        description="The terms agreed from the next month on; null if nothing changes."
    )
