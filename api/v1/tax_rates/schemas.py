"""HTTP schemas of tax rates."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from api.fields import Exact, Moment, RequestModel, ResponseModel, example
from domain.billing.tax.rates import TaxRate, format_rate, parse_rate
from models.billing.billing_profile import TaxRateRow


class TaxRateCreate(RequestModel):
    """A tax rate of a place, from a time on."""

    model_config = example(code="de-vat", country="DE", rate="0.19", valid_from="2026-01-01T00:00:00Z")

    code: Annotated[
        str,
        Field(
            pattern="^[a-z0-9][a-z0-9_-]{0,39}$", description="The tax is booked to the account `platform/tax/{code}`."
        ),
    ]
    country: Annotated[str, Field(pattern="^[A-Z]{2}$")]
    region: Annotated[str, Field(pattern="^[A-Z0-9]{1,3}$")] | None = None
    product: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,39}$")] | None = None
    rate: Annotated[str, Field(pattern=r"^(0(\.[0-9]{1,6})?|1(\.0{1,6})?)$", description="0.19 is 19 %.")]
    valid_from: Moment
    valid_until: Moment | None = None

    def tax_rate(self) -> TaxRate:
        return TaxRate(
            code=self.code,
            country=self.country,
            region=self.region,
            product=self.product,
            rate_e6=parse_rate(self.rate),
            valid_from=self.valid_from,
            valid_until=self.valid_until,
        )


class TaxRateView(ResponseModel):
    """A tax rate."""

    id: str
    code: str
    country: str
    region: str | None
    product: str | None
    rate: Exact
    valid_from: datetime
    valid_until: datetime | None


def view(row: TaxRateRow) -> TaxRateView:
    return TaxRateView.from_row(
        row, region=row.region or None, product=row.product or None, rate=format_rate(row.rate_e6)
    )
