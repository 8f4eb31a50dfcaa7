"""Forecasts of metrics, with backtests."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Annotated, Self

from fastapi import Query
from pydantic import Field

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import AgentId, Currency, Exact, OrganizationId, ResponseModel
from api.routing import Resource
from api.tenancy import known_organization_or_all
from api.v1.spends.own import confined_key, refuse_totals
from domain.common.access import Actor, Permission
from domain.common.errors import AnalyticsNoRate, ForecastTooShort, Invalid, NotFound, UnknownMetric
from domain.insight.forecast import LEVELS, SUM_LEVEL, ForecastMetric, Method
from domain.insight.metrics import format_value
from domain.insight.runway import BalanceChangeKind
from services.insight import forecast as service
from services.insight.forecast import SCORE_SCALE, MetricForecast

router = Resource(tags=["analytics"])


class IntervalView(ResponseModel):
    """A prediction interval."""

    level: int = Field(description="The level, in percent.")
    low: Exact
    high: Exact


class ForecastPointView(ResponseModel):
    """A day of a forecast."""

    at: date
    value: Exact = Field(description="A decimal string; the balance is that at the end of the day.")
    intervals: list[IntervalView] = Field(description=f"For {', '.join(map(str, LEVELS))} percent.")


class BacktestView(ResponseModel):
    """Errors of the method in forecasts of the last stretches of the same series, each as long as the forecast."""

    origins: int = Field(description="How many stretches.")
    mase: float = Field(
        description="The mean absolute scaled error, relative to repeating the week before; 0 for none."
    )
    coverage: float = Field(description="The share of days in the 80 % interval.")


class BalanceChangeView(ResponseModel):
    """Credits that are added or expire on a day, from the ledger."""

    at: date
    kind: BalanceChangeKind
    amount: Exact


class ForecastView(ResponseModel):
    """A forecast of a metric by day, in UTC, from today on."""

    organization_id: str | None
    metric: ForecastMetric
    agent_id: str | None
    currency: str | None = Field(description="The currency of the values; null unless they are amounts.")
    left_out: list[str] = Field(description="For `revenue`: left-out currencies without a rate to `currency`.")
    as_of: datetime
    points: list[ForecastPointView]
    method: Method = Field(description="The method with the least error on the series.")
    backtest: BacktestView
    runs_out_at: date | None = Field(
        description="For `balance`: the day on which it runs out; null if not within the forecast."
    )
    runs_out_earliest: date | None = Field(
        description=f"The earliest of the {SUM_LEVEL} % interval, without credits that are not paid yet."
    )
    runs_out_latest: date | None = Field(description=f"The latest of the {SUM_LEVEL} % interval.")
    changes: list[BalanceChangeView] = Field(description="For `balance`: additions and expiries by the books.")

    @classmethod
    def of(
        cls, found: MetricForecast, metric: ForecastMetric, *, org_id: str | None, agent_id: str | None, as_of: datetime
    ) -> Self:
        scale = SCORE_SCALE if metric is ForecastMetric.REPUTATION else 1

        def shown(value: int) -> str:
            return format_value(metric.value, found.asset, Fraction(value, scale)) or "0"

        def ends(intervals: Sequence[tuple[int, int]]) -> list[IntervalView]:
            return [
                IntervalView(level=level, low=shown(low), high=shown(high))
                for level, (low, high) in zip(LEVELS, intervals, strict=True)
            ]

        out = found.runs_out
        return cls.from_row(
            found,
            organization_id=org_id,
            metric=metric,
            agent_id=agent_id,
            currency=found.asset,
            as_of=as_of,
            points=[
                ForecastPointView(at=point.day, value=shown(point.value), intervals=ends(point.intervals))
                for point in found.points
            ],
            backtest=BacktestView(
                origins=found.backtest.origins,
                mase=round(found.backtest.mase, 3),
                coverage=round(found.backtest.coverage, 3),
            ),
            runs_out_at=out and out.day,
            runs_out_earliest=out and out.earliest,
            runs_out_latest=out and out.latest,
            changes=[
                BalanceChangeView(at=change.day, kind=change.kind, amount=shown(change.amount_minor))
                for change in (out.changes if out is not None else ())
            ],
        )


@router.get("/analytics/forecast", responses=errors(NotFound, UnknownMetric, ForecastTooShort, AnalyticsNoRate))
async def get_forecast(
    deps: DepsDep,
    metric: Annotated[ForecastMetric, Query(description="The metric to forecast.")],
    days: Annotated[int, Query(ge=1, le=90, description="The number of days, including today.")] = 30,
    agent_id: Annotated[
        AgentId | None, Query(description="For `spending`, and required for `reputation.score`: the agent.")
    ] = None,
    currency: Annotated[
        Currency | None, Query(description="For `revenue`: convert amounts into it at each day's rate.")
    ] = None,
    organization_id: Annotated[
        OrganizationId | None,
        Query(description="For operators: the organization; of `revenue` all of them together when left out."),
    ] = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> ForecastView:
    """Forecast a metric by day, with intervals and the backtest of the method.

    `balance` forecasts used credits, and takes expiries, grants and debts from the ledger.

    A member's key that is attributed to a department or project is refused: these are the organization's figures.
    """
    refuse_totals(confined_key(actor, key))
    if metric is ForecastMetric.REPUTATION and agent_id is None:
        raise Invalid("Name the agent with agent_id.", extra={"field": "agent_id"})
    if agent_id is not None and metric not in {ForecastMetric.REPUTATION, ForecastMetric.SPENDING}:
        raise Invalid(
            f"The metric {metric.value} is not one of agents. Leave agent_id out.", extra={"field": "agent_id"}
        )
    if currency is not None and metric is not ForecastMetric.REVENUE:
        raise Invalid(f"The metric {metric.value} is not converted. Leave currency out.", extra={"field": "currency"})
    where = {} if agent_id is None else {"agent": (agent_id,)}
    org_id = asked_of = await known_organization_or_all(deps, actor, organization_id)
    if org_id is not None and actor.is_platform and metric is ForecastMetric.REVENUE:
        asked_of, where = None, {"organization": (org_id,)}
    now = datetime.now(UTC)
    async with deps.asking(actor, asked_of) as session:
        found = await service.forecast_metric(
            session, metric, org_id=asked_of, where=where, currency=currency, days=days, now=now
        )
    return ForecastView.of(found, metric, org_id=org_id, agent_id=agent_id, as_of=now)
