"""What usage adds up to: by day or dimension, the log of events, and what a run of agents cost."""

from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from api.auth import require
from api.csv_files import CSV, EXPORT_PAGE, download, stream, wants_csv
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import AgentId, OrganizationId, Page, SearchText
from api.pagination import CursorParam, LimitParam, bad_cursor, decode_cursor, encode_cursor
from api.tenancy import known_organization, listed_organization
from api.v1.usage.export import EVENT_COLUMNS, event_cells, summary_lines
from api.v1.usage.periods import EndDate, Since, StartDate, Until, days, period
from api.v1.usage.schemas import UsageEventView, UsageRunView, UsageView
from domain.access import Actor, Permission
from domain.errors import Invalid, NotFound
from domain.usage.meter import ALL
from domain.usage.run import cost_of
from repositories import usage, usage_bill, usage_charge
from repositories.usage import LogFilter

router = APIRouter(tags=["usage"])

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
_CURSOR = "usage"


@router.get("/billing/usage", response_model=UsageView, responses=errors(NotFound) | CSV)
async def get_usage(
    request: Request,
    deps: DepsDep,
    since: Since = None,
    until: Until = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    group_by: Annotated[GroupBy, Query(description="One line for each.")] = "day",
    model: Annotated[SearchText | None, Query(description="Only this model, by day.")] = None,
    agent_id: Annotated[AgentId | None, Query(description="Only this agent, by day.")] = None,
    action: Annotated[SearchText | None, Query(description="Only this action, by day.")] = None,
    organization_id: ForOperators = None,
    actor: Actor = require(Permission.READ),
) -> Response:
    """Summarise usage and what it cost, for whole days in UTC; the last 30 when no period is given.

    With `Accept: text/csv` the response contains the lines as CSV.
    """
    org_id = await known_organization(deps, actor, organization_id)
    first, end = days(period(since, until, start_date, end_date), datetime.now(UTC))
    only = [(name, value) for name, value in (("model", model), ("agent", agent_id), ("action", action)) if value]
    if len(only) > 1 or (only and group_by != "day"):
        raise Invalid("Send one of model, agent_id and action, grouped by day.", extra={"field": "group_by"})
    by_day = group_by == "day"
    name, value = only[0] if only else (ALL, None) if by_day else (group_by, None)
    async with deps.session_for(actor) as session:
        found = await usage.totals(
            session, org_id, first, end, dimension=DIMENSIONS.get(name, ALL), value=value, by_day=by_day
        )
    if wants_csv(request):
        return download(summary_lines(found), "usage.csv")
    shown = UsageView.of(org_id, first, end, group_by, found)
    return Response(shown.model_dump_json(by_alias=True), media_type="application/json")


@router.get("/usage/logs", response_model=Page[UsageEventView], responses=errors(NotFound) | CSV, deprecated=True)
@router.get("/billing/usage/logs", response_model=Page[UsageEventView], responses=errors(NotFound) | CSV)
async def list_usage_events(
    request: Request,
    deps: DepsDep,
    since: Since = None,
    until: Until = None,
    start_date: StartDate = None,
    end_date: EndDate = None,
    type: Annotated[SearchText | None, Query(description="Only events of this type.")] = None,
    model: Annotated[SearchText | None, Query(description="Only this model.")] = None,
    agent_id: Annotated[AgentId | None, Query(description="Only this agent.")] = None,
    action: Annotated[SearchText | None, Query(description="Only this action.")] = None,
    run_id: Annotated[SearchText | None, Query(description="Only this run.")] = None,
    source: Annotated[SearchText | None, Query(description="Only this source.")] = None,
    organization_id: ForOperators = None,
    limit: LimitParam = 50,
    cursor: CursorParam = None,
    actor: Actor = require(Permission.READ),
) -> Response:
    """List usage events, the latest first.

    A filtered page may be short or empty while `next_cursor` is not null, because a page looks at no more than 5,000
    events. Continue until it is null. With `Accept: text/csv` the response contains everything that matches, from the
    cursor on, as CSV.
    """
    asked = period(since, until, start_date, end_date)
    given = {"type": type, "model": model, "agent_id": agent_id, "action": action, "run_id": run_id, "source": source}
    wanted = LogFilter(
        org_id=await known_organization(deps, actor, organization_id),
        since=asked.since,
        until=asked.until,
        equal={name: value for name, value in given.items() if value is not None},
    )
    position = _position(cursor)
    if wants_csv(request):
        return await _export(deps, actor, wanted, position)
    views, following = await _read(deps, actor, wanted, position, limit)
    shown = Page[UsageEventView](
        data=views, next_cursor=None if following is None else encode_cursor(_CURSOR, *following)
    )
    return Response(shown.model_dump_json(), media_type="application/json")


@router.get("/usage/runs/{run_id}", response_model=UsageRunView, responses=errors(NotFound))
async def get_usage_of_run(
    run_id: str, deps: DepsDep, organization_id: ForOperators = None, actor: Actor = require(Permission.READ)
) -> UsageRunView:
    """Show what a run of agents cost: in total, by agent, and by step, with all that each step set off."""
    org_id = listed_organization(actor, organization_id)
    async with deps.session_for(actor) as session:
        parts = [] if org_id is None else await usage.run_parts(session, org_id, run_id, MOST_PARTS + 1)
    if not parts:
        raise NotFound("No usage of such a run was reported. Operators name its organization with organization_id.")
    if len(parts) > MOST_PARTS:
        raise Invalid(f"The run has more than {MOST_PARTS} parts. Read its events at /usage/logs.")
    return UsageRunView.of(run_id, cost_of(parts))


def _position(cursor: str | None) -> tuple[datetime, UUID] | None:
    if cursor is None:
        return None
    at, event_id = decode_cursor(cursor, _CURSOR, str, str)
    try:
        moment = datetime.fromisoformat(at)
        if moment.tzinfo is None:
            raise ValueError
        return moment, UUID(event_id)
    except ValueError:
        raise bad_cursor() from None


async def _read(
    deps: Deps, actor: Actor, wanted: LogFilter, position: tuple[datetime, UUID] | None, limit: int
) -> tuple[list[UsageEventView], tuple[datetime, UUID] | None]:
    """Return a page of events, and the position that the next one begins after."""
    async with deps.session_for(actor) as session:
        page = await usage.log(session, wanted, after=position, limit=limit)
        charges = await usage_charge.of_events(session, wanted.org_id, [row.id for row in page.rows])
        billed = await usage_bill.of_events(session, wanted.org_id, page.rows)
    views = [UsageEventView.of(row, charges.get(row.id), bill) for row, bill in zip(page.rows, billed, strict=True)]
    return views, page.following


async def _export(deps: Deps, actor: Actor, wanted: LogFilter, position: tuple[datetime, UUID] | None) -> Response:
    async def read(after: tuple[datetime, UUID] | None) -> tuple[list[UsageEventView], tuple[datetime, UUID] | None]:
        return await _read(deps, actor, wanted, after, EXPORT_PAGE)

    return await stream(EVENT_COLUMNS, event_cells, read, position, "usage-events.csv")
