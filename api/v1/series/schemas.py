"""HTTP schemas of a series."""

from collections.abc import Sequence
from datetime import datetime
from typing import Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.insight.metrics import Metric, MetricUnit, format_value
from domain.insight.query import Grain
from domain.insight.series import Series


class SeriesGroupView(ResponseModel):
    """The values of one group."""

    group: str | None = Field(
        description="A value of the dimension; `others` for the rest; null for values without one."
    )
    values: list[Exact | None] = Field(
        description="One value for each of `times`: a decimal string, or null if there is no value."
    )


class SeriesView(ResponseModel):
    """A metric over time. `times` are the starts of the intervals, at most 400. The last interval ends at `to`."""

    metric: str
    organization_id: str | None
    currency: str | None = Field(description="The currency of the values; null if they are counts.")
    interval: Grain
    zone: str = Field(description="The time zone of the days: the requested one, or UTC for metrics summed by UTC day.")
    group_by: str | None
    since: datetime = Field(serialization_alias="from")
    until: datetime = Field(serialization_alias="to")
    times: list[datetime]
    series: list[SeriesGroupView] = Field(description="The groups, largest first, at most ten.")

    @classmethod
    def of(
        cls,
        found: Sequence[Series],
        bounds: Sequence[datetime],
        *,
        metric: Metric,
        org_id: str | None,
        currency: str,
        interval: Grain,
        zone: str,
        grouping: str | None,
    ) -> Self:
        asset = currency if metric.unit is MetricUnit.AMOUNT else None
        return cls(
            metric=metric.name,
            organization_id=org_id,
            currency=asset,
            interval=interval,
            zone=zone,
            group_by=grouping,
            since=bounds[0],
            until=bounds[-1],
            times=list(bounds[:-1]),
            series=[
                SeriesGroupView(
                    group=one.group, values=[format_value(metric.name, asset, value) for value in one.values]
                )
                for one in found
            ],
        )
