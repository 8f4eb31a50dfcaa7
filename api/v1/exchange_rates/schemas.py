"""HTTP schemas of exchange rates."""

from datetime import datetime

from pydantic import Field

from api.fields import Amount, Currency, Exact, Moment, Period, RequestModel, ResponseModel, example
from domain.credits.spend.rate import VALID_FOR, format_rate
from models.credits.spend import SpendRate
from repositories.books import spend_rate


class ExchangeRateSet(RequestModel):
    """The worth of one unit of `base` in `quote`, from a time on."""

    model_config = example(base="USD", quote="EUR", rate="0.92", valid_for="P1D")

    base: Currency = Field(description="The currency that credits are sold for.")
    quote: Currency
    rate: Amount = Field(description="The units of `quote` that one unit of `base` is worth, with at most 12 decimals.")
    starts_at: Moment | None = Field(
        default=None, description="When the rate begins. Now when left out; at most 31 days ahead."
    )
    valid_for: Period = Field(default=VALID_FOR, description="How long the rate is valid; at most 31 days.")


class ExchangeRateView(ResponseModel):
    """A rate as it was set or read."""

    base: str
    quote: str
    rate: Exact = Field(description="As it was set; a rate that was read is rounded up to 12 decimals here.")
    starts_at: datetime
    ends_at: datetime = Field(description="When the rate becomes too old.")
    source: str = Field(description="The host that the rate was read from, or `operator`.")

    @classmethod
    def of(cls, row: SpendRate) -> "ExchangeRateView":
        rate = spend_rate.rate_of(row)
        return cls.from_row(rate, rate=format_rate(rate.rate))
