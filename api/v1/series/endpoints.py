"""A metric over time, for charts: at most 400 points, as decimal strings."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query as Parameter
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import SpendingKeyDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Currency, DayOrMoment, OrganizationId, SearchText
from api.routing import Resource
from api.tenancy import known_organization_or_all
from api.v1.series.schemas import SeriesGroupView, SeriesView
from api.v1.spends.own import confined_key, subset_of
from domain.books.account_statement import period
from domain.common.access import Actor, Permission
from domain.common.calendar import zone_of
from domain.common.errors import Invalid, NotFound, UnknownMetric
from domain.common.money import CREDIT
from domain.insight.metrics import metric_of
from domain.insight.query import Grain, Query, interval_bounds
from domain.insight.series import MAX_POINTS, series_of
from repositories.credits import department, spend_day
from repositories.credits.spend_day import ALL_SPENDS, SpendSubset
from services.insight import metrics

router = Resource(tags=["series"])

_UTC = ZoneInfo("UTC")
_USUAL = timedelta(days=29)
#: The metrics that an agent's key reads of its agent, and a key of a department of that.
_OWN = frozenset({"spending", "spends"})


@router.get("/series", response_model=SeriesView, responses=errors(NotFound, UnknownMetric))
async def get_series(
    deps: DepsDep,
    metric: Annotated[SearchText, Parameter(description="The metric, by its name in `GET /analytics/metrics`.")],
    currency: Annotated[Currency, Parameter(description="The currency of amounts; others are left out.")] = CREDIT,
    since: Annotated[
        DayOrMoment | None,
        Parameter(alias="from", description="The start, as a day or a time. 30 days including today when left out."),
    ] = None,
    until: Annotated[
        DayOrMoment | None,
        Parameter(
            alias="to", description="The end: up to and including this day, or before this time. Now when left out."
        ),
    ] = None,
    interval: Annotated[Grain, Parameter(description="The length of each interval.")] = Grain.DAY,
    zone: Annotated[
        SearchText | None, Parameter(description="The IANA time zone of days, such as `Europe/Berlin`.")
    ] = None,
    group_by: Annotated[
        SearchText | None, Parameter(description="The dimension that the values are grouped by.")
    ] = None,
    organization_id: Annotated[
        OrganizationId | None,
        Parameter(description="For operators: the organization; the platform as a whole when left out."),
    ] = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ),
) -> Response:
    """Return a metric over time, with the values of `POST /analytics/query`.

    Metrics summed by day always use days in UTC, regardless of `zone`.

    An agent's key reads `spending` and `spends` of its agent, and the other metrics with `read_billing` only. A
    member's key that is attributed to a department reads those two of the department with its parts.
    """
    if metric not in _OWN:
        permit(actor, Permission.READ_BILLING)
    part = subset_of(confined_key(actor, key)) if metric in _OWN else ALL_SPENDS
    org_id = await known_organization_or_all(deps, actor, organization_id)
    found = metric_of(metric, platform=org_id is None, field="metric")
    clock = _UTC if zone is None else zone_of(zone, "zone")
    clock, now = _UTC if found.is_by_utc_day else clock, datetime.now(UTC)
    asked = period(since or (now - _USUAL).astimezone(clock).date(), until, clock, now)
    question = Query(
        metrics=(metric,),
        since=asked.since,
        until=asked.until,
        by=() if group_by is None else (group_by,),
        grain=interval,
        zone=clock.key,
    )
    bounds = interval_bounds(question)
    if len(bounds) > MAX_POINTS + 1:
        raise Invalid(
            f"A series has at most {MAX_POINTS} intervals. Choose a shorter period or a longer interval.",
            extra={"field": "interval"},
        )
    show = partial(
        SeriesView.of,
        bounds=bounds,
        metric=found,
        org_id=org_id,
        currency=currency,
        interval=interval,
        zone=clock.key,
        grouping=group_by,
    )
    values = None
    if org_id is not None and metric in _OWN and part is ALL_SPENDS and currency == CREDIT:
        values = await _by_day(deps, org_id, question, bounds, now)
    if values is not None:
        view = show([]).model_copy(update={"series": [SeriesGroupView(group=None, values=values)]})
    else:
        async with deps.asking(actor, org_id) as session:
            question = replace(question, where=await _where(session, org_id, part))
            answer = await metrics.run_query(session, question, org_id=org_id, now=now)
        view = show(series_of(answer, bounds, found, currency))
    return Response(view.model_dump_json(by_alias=True), media_type="application/json")


async def _by_day(
    deps: Deps, org_id: str, question: Query, bounds: Sequence[datetime], now: datetime
) -> list[str] | None:
    """Return all spending by whole days in UTC as written by PostgreSQL; None for other queries."""
    first, until = bounds[0], min(bounds[-1], now)
    is_whole = first.time() == time() and (until == now or until.time() == time()) and first < until
    if question.grain is not Grain.DAY or question.zone != "UTC" or question.by or not is_whole:
        return None
    sums = await deps.pool.read(lambda pool: spend_day.by_day(pool, org_id, first.date(), until))
    if sums is None:
        return None
    values, nothing = (sums[0], "0.00") if question.metrics == ("spending",) else (sums[1], "0")
    # Days that have not begun.
    return [*values, *[nothing] * (len(bounds) - 1 - len(values))]


async def _where(session: AsyncSession, org_id: str | None, part: SpendSubset) -> Mapping[str, tuple[str, ...]]:
    if part.agent_id is not None:
        return {"agent": (part.agent_id,)}
    if part.department_id is not None:
        return {"department": tuple(await department.ids_of_parts(session, org_id, part.department_id))}
    return {}
