"""What usage adds up to: by day or dimension, the log of events, and what a run of agents cost."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth import SpendingKeyDep, require
from api.csv_files import CSV, download, wants_csv
from api.deps import DepsDep
from api.errors import errors
from api.fields import AgentId, OrganizationId, SearchText
from api.lists import CREATED, Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import known_organization, listed_organization
from api.v1.spends.own import confined_key, refuse_totals
from api.v1.usage.export import EVENT_COLUMNS, event_cells, summary_lines
from api.v1.usage.periods import EndDate, Since, StartDate, Until, days, period
from api.v1.usage.schemas import UsageEventView, UsageRunView, UsageView
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, NotFound
from domain.credits.spend.scope import SpendingKey
from domain.usage.meter import ALL
from domain.usage.run import cost_of
from repositories.usage import usage_bill, usage_charge, usage_report

router = Resource(tags=["usage"])

ForOperators = Annotated[OrganizationId | None, Query(description="For operators.")]
GroupBy = Literal["day", "model", "agent", "department", "project", "action"]

#: By what a summary can be grouped, beside the day, and where that is kept.
DIMENSIONS = {
    "model": "model",
    "agent": "agent_id",
    "department": "department_id",
    "project": "project_id",
    "action": "action",
}
#: How many parts of a run are shown: an agent's work on a step in one currency is one.
MOST_PARTS = 5_000
_DAYS = ("start_date", "end_date")

_LOG = ListEndpoint(
    "usage-events",
    UsageEventView,
    *(*CREATED, "organization_id", "agent_id"),
    order=[datetime, UUID],
    lines=(EVENT_COLUMNS, event_cells),
    start_date=StartDate,
    end_date=EndDate,
    type=Annotated[SearchText | None, Query(description="Only events of this type.")],
    model=Annotated[SearchText | None, Query(description="Only this model.")],
    action=Annotated[SearchText | None, Query(description="Only this action.")],
    run_id=Annotated[SearchText | None, Query(description="Only this run.")],
    source=Annotated[SearchText | None, Query(description="Only this source.")],
)


@router.get("/billing/usage", response_model=UsageView, responses=errors(NotFound) | CSV)
async def get_usage(
    request: Request,
    deps: DepsDep,
    since: Since = None,
    until: Until = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    group_by: Annotated[GroupBy, Query(description="What the lines are grouped by.")] = "day",
    model: Annotated[SearchText | None, Query(description="Only this model, by day.")] = None,
    agent_id: Annotated[AgentId | None, Query(description="Only this agent, by day.")] = None,
    action: Annotated[SearchText | None, Query(description="Only this action, by day.")] = None,
    organization_id: ForOperators = None,
    *,
    key: SpendingKeyDep,
    actor: Actor = require(Permission.READ),
) -> Response:
    """Summarise usage and its cost, for whole days in UTC. The default is the last 30 days.

    The key of an agent gets the usage of its agent, grouped by `day` or `agent`. A member's key that is attributed to a
    department or a project gets the usage of that, grouped by `day`, and by `department` or `project`.

    With `Accept: text/csv` the response contains the lines as CSV.
    """
    org_id = await known_organization(deps, actor, organization_id)
    first, end = days(period(since, until, start_date, end_date), datetime.now(UTC))
    only = [(name, value) for name, value in (("model", model), ("agent", agent_id), ("action", action)) if value]
    if len(only) > 1 or (only and group_by != "day"):
        raise Invalid("Send only one of model, agent_id and action, and group by day.", extra={"field": "group_by"})
    by_day = group_by == "day"
    name, value = only[0] if only else (ALL, None) if by_day else (group_by, None)
    of = confined_key(actor, key)
    if of is not None:
        name = _dimension_of(of, name)
    async with deps.session_for(actor) as session:
        found = await usage_report.totals(
            session, org_id, first, end, dimension=DIMENSIONS.get(name, ALL), value=value, by_day=by_day, of=of
        )
    if wants_csv(request):
        return download(summary_lines(found), "usage.csv")
    shown = UsageView.of(org_id, first, end, group_by, found)
    return Response(shown.model_dump_json(by_alias=True), media_type="application/json")


def _dimension_of(key: SpendingKey, asked: str) -> str:
    own = key.attribution
    if key.agent_id is not None:
        name = "agent"
    elif own.project_id is None:
        name = "department"
    else:
        name = "project"
        if own.department_id is not None:
            refuse_totals(key)
    if asked not in {ALL, name}:
        refuse_totals(key)
    return name


@_LOG.get(router, "/usage/logs", NotFound, deprecated=True)
@_LOG.get(router, "/billing/usage/logs", NotFound)
async def list_usage_events(
    deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    """List usage events, latest first.

    The key of an agent gets those of its agent only. A member's key that is attributed to a department or a project
    gets those of that only.

    A filtered page may be short or empty while `next_cursor` is not null, because a page scans no more than 2,000
    events. Continue until it is null. With `Accept: text/csv` the response contains everything that matches, from the
    cursor on, as CSV.
    """
    org_id = await known_organization(deps, actor, asked.organization_id)
    when = period(*(asked.get(name) for name in ("since", "until", *_DAYS)))
    wanted = replace(asked.wanted(org_id, without=_DAYS), since=when.since, until=when.until)
    of = confined_key(actor, key)
    async with deps.session_for(actor) as session:
        found = await usage_report.log(session, wanted, of=of)
        charges = await usage_charge.of_events(session, org_id, [row.id for row in found.rows])
        billed = await usage_bill.of_events(session, org_id, found.rows)
    views = [UsageEventView.of(row, charges.get(row.id), bill) for row, bill in zip(found.rows, billed, strict=True)]
    return views, found.following


@router.get("/usage/runs/{run_id}")
async def get_usage_of_run(
    run_id: str,
    deps: DepsDep,
    key: SpendingKeyDep,
    organization_id: ForOperators = None,
    actor: Actor = require(Permission.READ),
) -> UsageRunView:
    """Show what a run of agents cost: in total, by agent, and by step, including the steps below each step.

    The key of an agent gets the part of its agent only, and a member's key that is attributed to a department or a
    project the part of that.
    """
    org_id, of = listed_organization(actor, organization_id), confined_key(actor, key)
    async with deps.session_for(actor) as session:
        parts = [] if org_id is None else await usage_report.run_parts(session, org_id, run_id, MOST_PARTS + 1, of=of)
    if not parts:
        raise NotFound("No usage was reported for this run. Operators name its organization with organization_id.")
    if len(parts) > MOST_PARTS:
        raise Invalid(f"The run has more than {MOST_PARTS} parts. Read its events at /usage/logs.")
    return UsageRunView.of(run_id, cost_of(parts))
