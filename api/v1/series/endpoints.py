"""Figures over time, for charts: at most 400 points, as decimal strings."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import Query
from starlette.responses import Response

from api.auth import require
from api.deps import DepsDep
from api.errors import errors
from api.fields import Currency, DayOrMoment, OrganizationId, SearchText
from api.routing import Resource
from api.tenancy import known_organization, listed_organization
from api.v1.series.schemas import SeriesView
from domain.access import Actor, Permission
from domain.account_statement import period
from domain.errors import Invalid, NotFound
from domain.money import CREDIT
from domain.series import BY_DAY, Grouping, Metric, SeriesInterval, check, intervals
from domain.spend.calendar import zone_of
from runtime.database import one_moment
from services import series

router = Resource(tags=["series"])

_UTC = ZoneInfo("UTC")
_USUAL = timedelta(days=29)


@router.get("/series", response_model=SeriesView, responses=errors(NotFound))
async def get_series(
    deps: DepsDep,
    metric: Annotated[Metric, Query(description="What is shown.")],
    currency: Annotated[Currency, Query(description="What amounts are in.")] = CREDIT,
    since: Annotated[
        DayOrMoment | None, Query(alias="from", description="A day or a time; 30 days with today when left out.")
    ] = None,
    until: Annotated[
        DayOrMoment | None, Query(alias="to", description="Up to and with this day, or before this time; now.")
    ] = None,
    interval: Annotated[SeriesInterval, Query(description="How long each interval is.")] = SeriesInterval.DAY,
    zone: Annotated[
        SearchText | None, Query(description="The IANA time zone of days, such as `Europe/Berlin`.")
    ] = None,
    group_by: Annotated[Grouping | None, Query(description="What it is split by.")] = None,
    organization_id: Annotated[
        OrganizationId | None, Query(description="For operators: whose; the platform's without it.")
    ] = None,
    actor: Actor = require(Permission.READ),
) -> Response:
    """Show a figure over time.

    `balance`: what the wallet held when each interval ended. `spent`: credits used and not refunded, by the day of the
    use. `payments`: how many were asked for, and `paid`: what they brought. `earned`: what came into the earnings of
    agents. For operators alone, `escrow_held` and `commission`. What is added up by day has days in UTC, whatever the
    `zone`.
    """
    if actor.is_platform and organization_id is None:
        org_id = listed_organization(actor, None)
    else:
        org_id = await known_organization(deps, actor, organization_id)
    check(metric, group_by, interval, of_all=org_id is None)
    if metric is Metric.SPENT and currency != CREDIT:
        raise Invalid("Credits are spent. Leave currency out.", extra={"field": "currency"})
    clock = _UTC if zone is None else zone_of(zone, "zone")
    clock, now = _UTC if metric in BY_DAY else clock, datetime.now(UTC)
    asked = period(since or (now - _USUAL).astimezone(clock).date(), until, clock, now)
    bounds = intervals(asked, interval, clock)
    async with deps.database.platform() as session:
        await one_moment(session)
        found = await series.read(session, metric, group_by, bounds, org_id=org_id, currency=currency, now=now)
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
