"""Figures over time, for charts: at most 400 points, as decimal strings."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query
from starlette.responses import Response

from api.auth import SpendingKeyDep, permit, require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Currency, DayOrMoment, OrganizationId, SearchText
from api.routing import Resource
from api.tenancy import known_organization, listed_organization
from api.v1.series.schemas import SeriesView
from api.v1.spends.own import confined, part_of
from domain.books.account_statement import period
from domain.books.series import BY_DAY, Grouping, Metric, SeriesInterval, check, intervals
from domain.common.access import Actor, Permission
from domain.common.calendar import zone_of
from domain.common.errors import Invalid, NotFound
from domain.common.money import CREDIT
from repositories.credits.spend_day import WHOLE
from runtime.database import one_moment
from services.books import series

router = Resource(tags=["series"])

_UTC = ZoneInfo("UTC")
_USUAL = timedelta(days=29)


@router.get("/series", response_model=SeriesView, responses=errors(NotFound))
async def get_series(
    deps: DepsDep,
    metric: Annotated[Metric, Query(description="The metric to show.")],
    currency: Annotated[Currency, Query(description="The currency of amounts.")] = CREDIT,
    since: Annotated[
        DayOrMoment | None,
        Query(alias="from", description="The start, as a day or a time. 30 days including today when left out."),
    ] = None,
    until: Annotated[
        DayOrMoment | None,
        Query(alias="to", description="The end: up to and including this day, or before this time. Now when left out."),
    ] = None,
    interval: Annotated[SeriesInterval, Query(description="The length of each interval.")] = SeriesInterval.DAY,
    zone: Annotated[
        SearchText | None, Query(description="The IANA time zone of days, such as `Europe/Berlin`.")
    ] = None,
    group_by: Annotated[Grouping | None, Query(description="How the values are grouped.")] = None,
    organization_id: Annotated[
        OrganizationId | None,
        Query(description="For operators: the organization; the platform as a whole when left out."),
    ] = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ),
) -> Response:
    """Show a metric over time.

    `balance` is what the wallet held at the end of each interval. `spent` is the credits used and not refunded, by the
    day of the use. `payments` counts the payments requested; `paid` is what they brought in. `earned` is what came into
    agents' earnings. `escrow_held` and `commission` are for operators only. Metrics that are added up by day use days
    in UTC, whatever the `zone`.

    An agent's key reads `spent` of its agent, and the other metrics with `read_billing` only. A member's key that is
    attributed to a department reads `spent` of the department with its parts.
    """
    if metric is not Metric.SPENT:
        permit(actor, Permission.READ_BILLING)
    part = part_of(confined(actor, key)) if metric is Metric.SPENT else WHOLE
    if actor.is_platform and organization_id is None:
        org_id = listed_organization(actor, None)
    else:
        org_id = await known_organization(deps, actor, organization_id)
    check(metric, group_by, interval, of_all=org_id is None)
    if metric is Metric.SPENT and currency != CREDIT:
        raise Invalid("The metric spent is in credits only. Leave currency out.", extra={"field": "currency"})
    clock = _UTC if zone is None else zone_of(zone, "zone")
    clock, now = _UTC if metric in BY_DAY else clock, datetime.now(UTC)
    asked = period(since or (now - _USUAL).astimezone(clock).date(), until, clock, now)
    bounds = intervals(asked, interval, clock)
    async with deps.database.platform() as session:
        await one_moment(session)
        found = await series.read(
            session, metric, group_by, bounds, org_id=org_id, currency=currency, now=now, part=part
        )
    view = SeriesView.of(
        found,
        bounds,
        metric=metric,
        org_id=org_id,
        currency=currency,
        interval=interval,
        zone=clock.key,
        grouping=group_by,
    )
    return Response(view.model_dump_json(by_alias=True), media_type="application/json")
