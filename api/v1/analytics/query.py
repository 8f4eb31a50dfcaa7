"""Questions about metrics."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Annotated

from fastapi import Body
from starlette.responses import Response

from api.auth import SpendingKeyDep, require
from api.deps import DepsDep
from api.errors import errors
from api.outgoing import HeldResponse
from api.routing import Resource
from api.tenancy import known_organization_or_all
from api.v1.analytics.schemas import AnswerView, MetricDefinitionView, MetricsView, QueryBody
from api.v1.spends.own import confined_key, refuse_totals
from domain.books.account_statement import StatementPeriod, period
from domain.common.access import Actor, Permission
from domain.common.calendar import zone_of
from domain.common.errors import AnalyticsNoRate, NotFound, QueryTooLarge, UnknownMetric
from domain.insight.metrics import available_metrics
from domain.insight.query import Query, QueryResult
from runtime.compute_thread import run_in_thread
from services.insight import metrics

router = Resource(tags=["analytics"])


@router.get("/analytics/metrics")
async def list_metrics(actor: Actor = require(Permission.READ_BILLING)) -> MetricsView:
    """List the metrics that the caller can ask for, with their dimensions and formulas."""
    return MetricsView(
        data=[MetricDefinitionView.of(each) for each in available_metrics(platform=actor.is_platform).values()]
    )


@router.post(
    "/analytics/query",
    response_model=AnswerView,
    responses=errors(NotFound, UnknownMetric, QueryTooLarge, AnalyticsNoRate),
)
async def query_metrics(
    body: Annotated[QueryBody, Body()],
    deps: DepsDep,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ_BILLING),
) -> Response:
    """Ask for metrics over time and by dimensions.

    An organization asks about itself. An operator asks about one organization, or about all together. Currencies stand
    apart, unless `currency` is given. Ratios are of sums: what is above and below the line is added up first. A period
    that is running has `complete: false`, and its figures are those of `as_of`. Nothing is created.
    """
    refuse_totals(confined_key(actor, key))
    org_id = await known_organization_or_all(deps, actor, body.organization_id)
    now = datetime.now(UTC)
    asked = period(body.since, body.until, zone_of(body.zone, "zone"), now)
    question = Query(
        metrics=tuple(body.metrics),
        since=asked.since,
        until=asked.until,
        by=tuple(body.by),
        where={name: tuple(values) for name, values in body.where.items()},
        grain=body.grain,
        zone=body.zone,
        compare=body.compare,
        currency=body.currency,
        limit=body.limit,
    )
    async with AsyncExitStack() as held:
        await held.enter_async_context(deps.answers.turn(actor.org_id))
        async with deps.asking(actor, org_id) as session:
            answer = await metrics.run_query(session, question, org_id=org_id, now=now)
        return HeldResponse(await run_in_thread(_written, answer, org_id, asked), held.pop_all())


def _written(answer: QueryResult, org_id: str | None, asked: StatementPeriod) -> bytes:
    return AnswerView.of(answer, org_id, asked.since, asked.until).model_dump_json(by_alias=True).encode()
