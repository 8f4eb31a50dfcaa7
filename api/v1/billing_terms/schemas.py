"""What billing terms look like over HTTP."""

from datetime import date, datetime
from typing import Annotated

from pydantic import Field

from api.fields import Amount, Currency, Note, RequestModel, ResponseModel, Share, example
from domain.billing_run.period import month_text
from domain.billing_terms import MAX_NET_DAYS, MAX_STEPS, BillingTerms, DiscountStep, TermsVersion, UsageMode
from domain.money import format_amount, parse_amount, parse_ratio


class DiscountSet(RequestModel):
    """From these net charges of a month on, all of its usage is cheaper by a share."""

    from_amount: Amount = Field(alias="from")
    discount: Share


class BillingTermsSet(RequestModel):
    """What is agreed with an organization; what is left out is as usual."""

    model_config = example(
        mode="arrears",
        currency="USD",
        time_zone="Europe/Vienna",
        minimum_commitment="500.00",
        volume_discounts=[{"from": "1000.00", "discount": "0.05"}, {"from": "10000.00", "discount": "0.10"}],
        net_days=30,
        reason="Contract 4711",
    )

    mode: UsageMode
    currency: Currency = "USD"
    time_zone: Annotated[str, Field(max_length=60)] = "UTC"
    minimum_commitment: Amount = Field(default="0", description="What usage comes to at least in a month.")
    commitment_from: date | None = Field(
        default=None, description="The first day of the commitment, which is prorated in that month."
    )
    volume_discounts: Annotated[tuple[DiscountSet, ...], Field(max_length=MAX_STEPS)] = ()
    net_days: Annotated[int, Field(strict=True, ge=0, le=MAX_NET_DAYS)] = 30
    reason: Note | None = None

    def terms(self) -> BillingTerms:
        """Return what they are by the rules."""
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
        )


class DiscountView(ResponseModel):
    """From these net charges of a month on, all of its usage is cheaper by a share."""

    from_amount: str = Field(serialization_alias="from")
    discount: str


class TermsView(ResponseModel):
    """One version of billing terms."""

    version: int = Field(description="0: none were agreed, and these are the usual ones.")
    starts_at: datetime | None = Field(description="Usage that comes in from then on is paid by it.")
    from_month: str | None = Field(description="The first month that is invoiced by it.")
    mode: UsageMode
    currency: str
    time_zone: str
    minimum_commitment: str
    commitment_from: date | None
    volume_discounts: list[DiscountView]
    net_days: int

    @classmethod
    def of(cls, version: TermsVersion) -> "TermsView":
        """Show a version."""
        terms, agreed = version.terms, version.number > 0
        return cls(
            version=version.number,
            starts_at=version.starts_at if agreed else None,
            from_month=month_text(version.from_month) if agreed else None,
            mode=terms.mode,
            currency=terms.currency,
            time_zone=terms.time_zone,
            minimum_commitment=format_amount(terms.commitment_minor, terms.currency),
            commitment_from=terms.commitment_from,
            volume_discounts=[
                DiscountView(
                    from_amount=format_amount(step.from_minor, terms.currency),
                    discount=f"{step.discount_bps // 10_000}.{step.discount_bps % 10_000:04d}",
                )
                for step in terms.discounts
            ],
            net_days=terms.net_days,
        )


class BillingTermsView(TermsView):
    """The billing terms that hold now, and those that follow."""

    organization_id: str
    next: TermsView | None = Field(description="What was agreed from the next month on; null where nothing changes.")
