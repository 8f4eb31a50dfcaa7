"""Revenue of agents, its shares, and returns on costs."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal
from urllib.parse import urlencode

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, SpendingKeyDep, permit, require
from api.deps import Deps, DepsDep
from api.errors import errors
from api.fields import Currency, Day, OrganizationId, ProjectId, SearchText
from api.idempotency import MayRepeat, MovesMoney
from api.lists import Items, ListEndpoint, ListRequest
from api.routing import Resource
from api.tenancy import acting_organization, known_organization, listed_organization, visible_agent
from api.v1.analytics.spent import SpentTotalView
from api.v1.revenue.schemas import (
    MadeOfView,
    RevenueConfirm,
    RevenueCreate,
    RevenueReverse,
    RevenueSettle,
    RevenueSettledView,
    RevenueSharesSet,
    RevenueView,
    RoiListView,
    RoiView,
)
from api.v1.spends.own import confined_key, refuse_totals
from domain.common import errors as refusals
from domain.common.access import Actor, OperatorIssued, Permission
from domain.common.calendar import first_moment, zone_of
from domain.common.errors import NotFound
from domain.common.money import parse_amount
from domain.insight.query import MOST_VALUES, Query as MetricQuery
from domain.returns.revenue_event import RevenueStatus
from domain.returns.roi import Roi, RoiScope
from models.returns.revenue_event import RevenueEvent
from repositories.marketplace import agent as agents
from repositories.returns import revenue_event as events
from runtime.compute_thread import run_in_thread
from services.books import exchange_rate
from services.insight.spent import SpentAmount, totals
from services.returns import revenue_event as service, roi

router = Resource(tags=["revenue"])

#: Who confirms revenue and shares it: who pays the bills.
_DECIDES = Permission.MANAGE_BILLING
_OTHERS = (refusals.ApprovalOwn, refusals.SessionByLink, OperatorIssued)
_DECISION = (NotFound, refusals.WrongRevenueState, *_OTHERS)


@router.post(
    "/revenue", status_code=201, response_model=RevenueView, responses=errors(NotFound, refusals.RevenueExists)
)
async def create_revenue(
    body: RevenueCreate, deps: DepsDep, once: MovesMoney, actor: Actor = require(Permission.METER)
) -> Response:
    """Report revenue from outside, such as of an app store. It counts once a person or a statement confirms it.

    The key of an agent reports for its own agent.
    """
    org_id = acting_organization(actor, None)
    if actor.agent_id is not None and body.agent_id not in {None, actor.agent_id}:
        raise NotFound(agents.MISSING)
    now = datetime.now(UTC)
    wanted = service.RevenueReport(
        org_id=org_id,
        source=body.source,
        reference=body.reference,
        amount_minor=parse_amount(body.amount, body.currency),
        currency=body.currency,
        occurred_at=body.occurred_at or now,
        agent_id=body.agent_id or actor.agent_id,
        project_id=body.project_id,
        run_id=body.run_id,
        evidence=body.evidence,
    )
    async with once, deps.database.platform() as session:
        return once.answer(await _one(session, await service.report(session, actor, wanted, now=now)))


_LIST = ListEndpoint(
    "revenue",
    RevenueView,
    *("since", "until", "organization_id", "agent_id", "currency", "min_amount", "max_amount"),
    order=[events.PREFIX],
    status=RevenueStatus,
    project_id=Annotated[ProjectId | None, Query(description="Only what this project has a share of.")],
)


@_LIST.get(router, "/revenue", NotFound)
async def list_revenue(
    deps: DepsDep, asked: ListRequest, key: SpendingKeyDep, actor: Actor = require(Permission.READ)
) -> Items:
    """List revenue, newest recorded first; `from` and `to` filter by the time of occurrence.

    The key of an agent gets revenue that its agent has a share of. A page reads a bounded number of events, so it may
    be short or empty while `next_cursor` is not null. With `Accept: text/csv` the response contains all matches from
    the cursor on as CSV.
    """
    if actor.agent_id is None:
        refuse_totals(confined_key(actor, key))
    org_id = listed_organization(actor, asked.organization_id)
    agent_id = visible_agent(actor, asked.get("agent_id"))
    wanted = asked.wanted(org_id, without=("agent_id", "project_id"))
    async with deps.session_for(actor) as session:
        found = await events.page(session, wanted, agent_id=agent_id, project_id=asked.get("project_id"))
        return await _shown(session, found.rows), found.following


@router.get("/revenue/{revenue_id}")
async def get_revenue(revenue_id: str, deps: DepsDep, key: SpendingKeyDep, actor: ActorDep) -> RevenueView:
    """Read one revenue event."""
    async with deps.session_for(actor) as session:
        view = await _one(session, await events.get(session, revenue_id))
    permit(actor, Permission.INSPECT if actor.is_platform else Permission.READ)
    if actor.agent_id is None:
        refuse_totals(confined_key(actor, key))
    elif actor.agent_id not in {view.agent_id, *(part.agent_id for part in view.shares)}:
        raise NotFound(events.MISSING)
    return view


@router.post("/revenue/{revenue_id}/confirm", response_model=RevenueView, responses=errors(*_DECISION))
async def confirm_revenue(
    revenue_id: str, body: RevenueConfirm, deps: DepsDep, once: MovesMoney, actor: ActorDep
) -> Response:
    """Confirm reported revenue with the received amount.

    The holder of an agent's key cannot confirm its reports.
    """
    row = await _deciding(deps, actor, revenue_id)
    amount_minor = None if body.amount is None else parse_amount(body.amount, row.currency)
    async with once, deps.database.platform() as session:
        row = await service.confirm(session, actor, revenue_id, amount_minor=amount_minor, now=datetime.now(UTC))
        return once.answer(await _one(session, row))


@router.post("/revenue/{revenue_id}/reject", response_model=RevenueView, responses=errors(*_DECISION))
async def reject_revenue(revenue_id: str, deps: DepsDep, once: MovesMoney, actor: ActorDep) -> Response:
    """Reject reported revenue: it never counts."""
    await _deciding(deps, actor, revenue_id)
    async with once, deps.database.platform() as session:
        row = await service.reject(session, actor, revenue_id, now=datetime.now(UTC))
        return once.answer(await _one(session, row))


@router.post(
    "/revenue/{revenue_id}/reverse",
    response_model=RevenueView,
    responses=errors(refusals.WrongRevenueState, refusals.SessionByLink),
)
async def reverse_revenue(
    revenue_id: str, body: RevenueReverse, deps: DepsDep, once: MovesMoney, actor: ActorDep
) -> Response:
    """Set the part of confirmed revenue that was refunded or charged back outside; it no longer counts.

    Revenue that Bursar records itself is reversed automatically.
    """
    row = await _deciding(deps, actor, revenue_id)
    minor = parse_amount(body.reversed_amount, row.currency, zero=True)
    async with once, deps.database.platform() as session:
        row = await service.note_reversal(session, actor, revenue_id, reversed_minor=minor)
        return once.answer(await _one(session, row))


@router.post(
    "/revenue/confirm", response_model=RevenueSettledView, responses=errors(*_OTHERS), operation_id="revenue.settle"
)
async def settle_revenue(
    body: RevenueSettle, deps: DepsDep, once: MovesMoney, actor: Actor = require(_DECIDES)
) -> Response:
    """Confirm reported revenue of a source by its statement, line by line: by reference and currency."""
    org_id, lines = acting_organization(actor, None), [line.line() for line in body.lines]
    async with once, deps.database.platform() as session:
        done = await service.apply_statement(session, actor, org_id, body.source, lines, now=datetime.now(UTC))
        return once.answer(RevenueSettledView(changed=await _shown(session, done.changed), unknown=list(done.unknown)))


@router.put(
    "/revenue/{revenue_id}/shares",
    response_model=RevenueView,
    responses=errors(refusals.RevenueStale, refusals.SessionByLink),
    operation_id="revenue.share",
)
async def set_shares(
    revenue_id: str, body: RevenueSharesSet, deps: DepsDep, actor: ActorDep, command: MayRepeat
) -> Response:
    """Divide a revenue event among agents and projects. Basis points add up to 10,000; each change is a version."""
    await _deciding(deps, actor, revenue_id)
    async with command, deps.database.platform() as session:
        row, _ = await service.set_shares(
            session, actor, revenue_id, body.rule, body.wanted(), expected_version=body.version, now=datetime.now(UTC)
        )
        return command.answer(await _one(session, row))


@router.get(
    "/economics/roi",
    response_model=RoiListView,
    responses=errors(NotFound, refusals.QueryTooLarge, refusals.AnalyticsNoRate),
)
async def get_roi(
    deps: DepsDep,
    key: SpendingKeyDep,
    scope: RoiScope = RoiScope.AGENT,
    since: Annotated[
        Day | None, Query(alias="from", description="The first day; 30 days before the last one by default.")
    ] = None,
    until: Annotated[
        Day | None, Query(alias="to", description="The day after the last one; tomorrow by default.")
    ] = None,
    zone: Annotated[SearchText, Query(description="The IANA time zone of days, such as `Europe/Berlin`.")] = "UTC",
    currency: Annotated[Currency, Query(description="Everything is converted at each day's rate.")] = "USD",
    grain: Annotated[Literal["day", "week"], Query(description="Of the trend.")] = "week",
    id: Annotated[str | None, Query(max_length=200, description="Only this agent, project or model.")] = None,
    limit: Annotated[int, Query(ge=1, le=200, description="How many of `data`.")] = 50,
    organization_id: Annotated[OrganizationId | None, Query(description="For operators.")] = None,
    actor: Actor = require(Permission.READ_BILLING),
) -> Response:
    """Return costs and revenue of agents, projects or models: margin, ROI, payback, trend and projection.

    Only confirmed revenue less reversals counts, on the day on which it occurred. Costs of no agent are `shared` by own
    costs. Credits count at their purchase price. The period has up to 366 days.
    """
    refuse_totals(confined_key(actor, key))
    org_id = await known_organization(deps, actor, organization_id)
    now, place = datetime.now(UTC), zone_of(zone, "zone")
    last = until or now.astimezone(place).date() + timedelta(days=1)
    first = since or last - timedelta(days=30)
    starts, ends = (first_moment(day, place) for day in (first, last))

    async def read() -> tuple[SpentAmount, tuple[list[Roi], Roi, tuple[str, ...]]]:
        async with deps.asking(actor, org_id) as session:
            report = await roi.report(
                session,
                org_id,
                scope=scope,
                since=first,
                until=last,
                currency=currency,
                now=now,
                weekly=grain == "week",
                most=MOST_VALUES,
                zone=place,
            )
            asked = MetricQuery(metrics=(), since=starts, until=ends, zone=zone, currency=currency)
            return await totals(session, org_id, asked, now=now), report

    price = deps.settings.payment_rules.credit
    try:
        spent, (found, total, left_out) = await read()
    except refusals.AnalyticsNoRate:
        left_out = (price.currency,)
    if price.currency in left_out:
        # Where no limit is in money, the price of a credit has not been noted yet.
        async with deps.database.platform() as session:
            await exchange_rate.store_price(session, price, now)
        spent, (found, total, left_out) = await read()
    found = [each for each in found if id is None or each.id == id]

    def shown(each: Roi, of: RoiScope) -> RoiView:
        return RoiView.of(each, currency, made_of(of, each, starts, ends))

    view = await run_in_thread(
        lambda: RoiListView(
            scope=scope,
            since=first,
            until=last,
            zone=zone,
            currency=currency,
            left_out=list(left_out),
            data=[shown(each, scope) for each in found[:limit]],
            rows=len(found),
            total=shown(total, RoiScope.ORGANIZATION),
            spent=SpentTotalView.of(spent),
        ).model_dump_json(by_alias=True)
    )
    return Response(view, media_type="application/json")


def made_of(scope: RoiScope, of: Roi, since: datetime, until: datetime) -> list[MadeOfView]:
    whose = (
        {"agent_id": of.id} if scope is RoiScope.AGENT else {"project_id": of.id} if scope is RoiScope.PROJECT else {}
    )
    if scope is RoiScope.MODEL or None in whose.values():
        return []
    period = {"from": f"{since:%Y-%m-%dT%H:%M:%SZ}", "to": f"{until:%Y-%m-%dT%H:%M:%SZ}"}

    def path(name: str, **more: str) -> str:
        return f"{name}?{urlencode({**whose, **period, **more})}"

    statuses = {"confirmed": "confirmed,reversed", "reported": "reported", "rejected": "rejected"}
    listed = [(f"revenue.{figure}", path("/revenue", status=status)) for figure, status in statuses.items()]
    listed += [
        ("costs.usage", path("/credits/usage")),
        ("costs.usage", path("/billing/usage/logs")),
        ("costs.commission", path("/revenue", status="confirmed,reversed")),
    ]
    if scope is not RoiScope.PROJECT:
        bought = path("/economics/log", transaction_type="purchase_attempt,escrow_funding,use")
        listed += [("costs.purchases", bought), ("costs.fees", path("/purchase-orders"))]
    return [MadeOfView(figure=figure, path=where) for figure, where in listed]


async def _deciding(deps: Deps, actor: Actor, revenue_id: str) -> RevenueEvent:
    """Return the requested event before checking the role, because 404 precedes 403."""
    async with deps.session_for(actor) as session:
        row = await events.get(session, revenue_id)
    if actor.agent_id not in {None, row.agent_id}:
        raise NotFound(events.MISSING)
    permit(actor, _DECIDES)
    return row


async def _one(session: AsyncSession, row: RevenueEvent) -> RevenueView:
    [view] = await _shown(session, [row])
    return view


async def _shown(session: AsyncSession, rows: Sequence[RevenueEvent]) -> list[RevenueView]:
    shared = await events.attributions(session, rows)
    return [RevenueView.of(row, shared.get(row.id)) for row in rows]
