"""What questions about metrics and their answers look like over HTTP."""

from datetime import datetime
from typing import Annotated, Self

from pydantic import Field, StringConstraints

from api.fields import Currency, DayOrMoment, Exact, OrganizationId, RequestModel, ResponseModel
from domain.insight.metrics import Metric, MetricUnit, format_value
from domain.insight.query import MOST_ROWS, Compare, Grain, MetricFigure, QueryResult, QueryRow, RateUsed

Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Label = Annotated[str, StringConstraints(min_length=1, max_length=200)]


class MetricDefinitionView(ResponseModel):
    """A metric that can be asked for."""

    name: str
    description: str
    unit: MetricUnit
    formula: str = Field(description="What it is made of; measures are added up before the formula is applied.")
    dimensions: list[str] = Field(description="By which it can be grouped and filtered.")
    one_dimension: bool = Field(description="Whether only by one of them at a time.")
    utc_days: bool = Field(description="Whether only days in UTC, and what is made of them, can be had.")

    @classmethod
    def of(cls, metric: Metric) -> Self:
        return cls.from_row(metric, description=metric.sentence, utc_days=metric.is_by_utc_day)


class MetricsView(ResponseModel):
    """The metrics that the caller can ask for."""

    data: list[MetricDefinitionView]


class QuestionBody(RequestModel):
    """What is asked about metrics, without a period."""

    metrics: list[Name] = Field(min_length=1, max_length=20, description="Names of metrics.")
    by: list[Name] = Field(default=[], max_length=4, description="Dimensions; a row for each of their values.")
    where: dict[Name, Annotated[list[Label], Field(min_length=1, max_length=100)]] = Field(
        default={}, max_length=8, description="Only these values of dimensions.", examples=[{"provider": ["stripe"]}]
    )
    grain: Grain | None = Field(default=None, description="A row for each interval; null for the whole period.")
    compare: Compare | None = Field(
        default=None, description="`previous` adds the figures of the period before, `last_year` of the year before."
    )
    currency: Currency | None = Field(
        default=None, description="Convert amounts at each day's rate; null leaves currencies apart."
    )
    limit: int = Field(
        default=MOST_ROWS, ge=1, le=MOST_ROWS, strict=True, description="The most rows; totals count all."
    )


class QueryBody(QuestionBody):
    """A question about metrics."""

    since: DayOrMoment = Field(alias="from", description="The start, as a day or a time.")
    until: DayOrMoment | None = Field(
        default=None, alias="to", description="The end: up to and including this day, or before this time. Now if null."
    )
    zone: Name = Field(default="UTC", description="The IANA time zone of days, such as `Europe/Berlin`.")
    organization_id: OrganizationId | None = Field(
        default=None, description="For operators: the organization; all of them together when null."
    )


class ValueView(ResponseModel):
    """The value of a metric; `before` is that of the period compared with."""

    metric: str
    currency: str | None = Field(description="The currency of the value; null for what is no amount.")
    value: Exact | None = Field(description="A decimal string; null where there is nothing to divide by.")
    before: Exact | None

    @classmethod
    def of(cls, figure: MetricFigure) -> Self:
        return cls(
            metric=figure.metric,
            currency=figure.asset,
            value=format_value(figure.metric, figure.asset, figure.value),
            before=format_value(figure.metric, figure.asset, figure.before),
        )


class AnswerRowView(ResponseModel):
    """One interval of one group."""

    at: datetime | None = Field(description="The start of the interval; null without a grain.")
    group: dict[str, str | None] = Field(description="The value of each dimension of `by`.")
    values: list[ValueView]

    @classmethod
    def of(cls, row: QueryRow) -> Self:
        return cls(at=row.at, group=dict(row.group), values=[ValueView.of(figure) for figure in row.figures])


class RateUsedView(ResponseModel):
    """The rate at which a day's amounts were converted: units of `to` for one of `from`."""

    day: str
    base: str = Field(serialization_alias="from")
    quote: str = Field(serialization_alias="to")
    rate: Exact

    @classmethod
    def of(cls, used: RateUsed) -> Self:
        return cls.from_row(used, base=used.asset, quote=used.currency)


class AnswerView(ResponseModel):
    """The answer to a question about metrics."""

    organization_id: str | None
    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to")
    as_of: datetime = Field(description="The time that the figures are of.")
    complete: bool = Field(description="Whether the period is over.")
    rows: list[AnswerRowView] = Field(description="By interval, within it by the first value, the largest first.")
    totals: list[ValueView] = Field(description="Of the whole period, also of rows beyond the limit.")
    rates: list[RateUsedView]
    left_out: list[str] = Field(
        description="Assets of which amounts are in no figure, because there is no rate to `currency`."
    )

    @classmethod
    def of(cls, answer: QueryResult, org_id: str | None, since: datetime, until: datetime) -> Self:
        return cls.from_row(
            answer,
            organization_id=org_id,
            since=since,
            until=until,
            complete=answer.is_complete,
            rows=[AnswerRowView.of(row) for row in answer.rows],
            totals=[ValueView.of(figure) for figure in answer.totals],
            rates=[RateUsedView.of(rate) for rate in answer.rates],
        )
