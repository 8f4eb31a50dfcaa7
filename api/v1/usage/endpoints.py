"""Usage events: they come in here, single, in batches and line by line."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Annotated, Any

from fastapi import Query
from sqlalchemy.ext.asyncio import AsyncSession
from starlette.requests import Request
from starlette.responses import Response

from api.approvals import require_two_for_override
from api.auth import SpendingKeyDep, require
from api.body import takes_lines
from api.deps import Deps, DepsDep, TemporalDep
from api.errors import Malformed, errors
from api.fields import OrganizationId
from api.idempotency import MayRepeat, MovesMoney
from api.routing import Resource
from api.tenancy import known_organization
from api.v1.usage.periods import period
from api.v1.usage.schemas import (
    EVENTS_BODY,
    VOID,
    ChargeVoid,
    EstimateRequest,
    EstimateView,
    EventChargeView,
    EventResult,
    EventsView,
    SyncOrder,
    SyncView,
)
from contracts.runs import usage_sync_run
from contracts.usage.usage import UsageSync
from domain.common import errors as refusals
from domain.common.access import Actor, Permission
from domain.common.approval import ApprovalAction
from domain.common.errors import Conflict, Invalid, NotFound
from domain.common.ids import is_id, uuid_of
from domain.usage.amounts import minor_pico
from domain.usage.call import Cost, call_of
from domain.usage.event import MAX_EVENTS, InvalidEvent
from repositories.credits import lot_price
from repositories.credits.lot_price import LotPrice
from repositories.marketplace import agent as agents
from runtime import reach
from services.usage import usage, usage_bill, usage_charge
from services.usage.rating import Rates, UseToRate, rate_uses
from services.usage.usage import EventStatus
from services.usage.usage_of_agents import sold_to, unpaid_agents, use_of
from services.usage.usage_validation import Delivery

router = Resource(tags=["usage"])

ForOperators = Annotated[OrganizationId | None, Query(description="For operators.")]


@router.post(
    "/usage/events",
    responses=errors(
        NotFound,
        InvalidEvent,
        refusals.LateEvent,
        refusals.OtherEvent,
        refusals.MarketplaceNotInLibrary,
        refusals.MarketplaceNotMetered,
        refusals.OrganizationClosed,
        refusals.UnpaidAgent,
    ),
    openapi_extra=EVENTS_BODY,
)
@takes_lines(MAX_EVENTS)
async def send_usage_events(
    request: Request,
    deps: DepsDep,
    key: SpendingKeyDep,
    organization_id: ForOperators = None,
    actor: Actor = require(Permission.METER),
) -> EventsView:
    """Record usage events, as CloudEvents 1.0 in JSON: one event, a batch, or one event a line.

    An event counts only once for its `source` and `id`, so repeat it if you are unsure whether it arrived. Each event
    has its own outcome. A single event that is invalid is refused with 422, or with 409 if its id was used for another
    event.
    """
    org_id = await known_organization(deps, actor, organization_id)
    documents, is_single = _documents(await request.json())
    delivery = Delivery(
        actor=actor,
        org_id=org_id,
        at=datetime.now(UTC),
        late=deps.settings.usage_late,
        rates=Rates(prices=deps.prices, uses=deps.settings.use_terms),
        key=key,
        arrears=deps.settings.arrears_rules,
    )
    async with deps.database.platform() as session:
        outcomes = await usage.record(session, delivery, documents)
    if is_single and outcomes[0].error is not None:
        raise outcomes[0].error
    count = {status: sum(outcome.status is status for outcome in outcomes) for status in EventStatus}
    return EventsView(
        accepted=count[EventStatus.ACCEPTED],
        duplicates=count[EventStatus.DUPLICATE],
        invalid=count[EventStatus.INVALID],
        events=[EventResult.of(outcome) for outcome in outcomes],
    )


def _documents(body: Any) -> tuple[list[object], bool]:
    if body is None:
        raise Malformed("Send an event, a list of events, or one event a line.")
    if not isinstance(body, list):
        return [body], True
    if not body or len(body) > MAX_EVENTS:
        raise Invalid(f"Send between 1 and {MAX_EVENTS} events in one request.")
    return body, False


@router.post(
    "/usage/estimate", responses=errors(NotFound, Conflict, refusals.UnpaidAgent, refusals.MarketplaceNotInLibrary)
)
async def estimate_usage(body: EstimateRequest, deps: DepsDep, actor: Actor = require(Permission.READ)) -> EstimateView:
    """Rate usage without recording it: by the price of the agent that is paid, otherwise by the price of the model.

    The agent's price is the one that the organization agreed to when it added the agent to its library.
    """
    now = datetime.now(UTC)
    call = call_of(body.model_dump(exclude_none=True))
    async with deps.session_for(actor) as session:
        agent = None if body.agent_id is None else await agents.get(session, body.agent_id)
    async with deps.database.platform() as session:
        if actor.org_id is not None:
            unpaid = await unpaid_agents(session, actor.org_id, [agent] if agent else [], now=now)
            if unpaid and body.payee_agent_id != body.agent_id:
                raise unpaid[body.agent_id or ""]
            if (payee := body.payee_agent_id) is not None:
                sold = await sold_to(session, actor.org_id, [payee], terms=deps.settings.use_terms, now=now)
                return EstimateView.of(use_of(sold[payee], body.action, body.quantity).cost(), call, None)
        elif body.payee_agent_id is not None:
            raise Invalid(
                "An agent has prices for organizations only. Send payee_agent_id with a key of an organization.",
                extra={"field": "payee_agent_id"},
            )
        [cost] = await rate_uses(session, Rates(prices=deps.prices), [UseToRate(call=call, at=body.at or now)])
        if isinstance(cost, Invalid):
            raise cost
        if cost is None:
            raise Invalid("Send model and usage, shape and answer, or payee_agent_id with action.")
        return EstimateView.of(cost, call, await _taken(session, deps, actor, cost, now))


async def _taken(session: AsyncSession, deps: Deps, actor: Actor, cost: Cost, now: datetime) -> LotPrice | None:
    """Return the credits that a cost with its markup would take of the caller's lots; None for the platform."""
    if actor.org_id is None:
        return None
    settings, whole = deps.settings, 10**6
    minor = Decimal(cost.cost_pico * (whole + settings.cost_markup_e6)) / (whole * minor_pico(cost.currency))
    granted = settings.granted_for_models
    return await lot_price.for_cost(session, actor.org_id, minor, cost.currency, granted_minor=granted, at=now)


@router.post("/billing/usage/sync", status_code=202, response_model=SyncView, responses=errors(Conflict))
async def sync_usage(
    deps: DepsDep,
    client: TemporalDep,
    once: MayRepeat,
    body: SyncOrder | None = None,
    actor: Actor = require(Permission.OPERATE),
) -> Response:
    """Pull usage from the LiteLLM proxy, from `start_date` (UTC) on, or from where the last sync ended.

    Usage that is already known is not counted again. The run in the Temporal UI shows the outcome of the calls.
    """
    start_date = None if body is None else body.start_date
    since = period(None, None, start_date, None).since
    if since is not None and not datetime.now(UTC) - deps.settings.usage_late <= since <= datetime.now(UTC):
        raise Invalid(
            f"Usage can be pulled for the last {deps.settings.usage_late.days} days only. Send a later start_date, "
            "and none in the future.",
            extra={"field": "start_date"},
        )
    async with once:
        run = usage_sync_run(UsageSync(since=since), once.command_id)
        asked = {"start_date": None if start_date is None else start_date.isoformat()}
        # Before it starts: a run without an entry would be an order without a trace.
        await deps.record_act(actor, "usage.sync", run.workflow_id, asked)
        await reach.start_missing(client, run)
        return once.answer(SyncView(workflow_id=run.workflow_id))


@router.post(
    "/usage/charges/{event_id}/void",
    response_model=EventChargeView,
    responses=errors(refusals.NotVoidable, refusals.ApprovalRequired, refusals.ApprovalSameOperator),
)
async def void_usage_charge(
    event_id: str, body: ChargeVoid, deps: DepsDep, *, actor: Actor = require(Permission.OPERATE), command: MovesMoney
) -> Response:
    """Void a usage event that waits to be charged, or is in arrears on a bill that is not sealed: it is never charged.

    An event that is charged to credits must wait for `amount`, `event` or `books`. The event stays in the log. Voiding
    it again changes nothing, and nothing undoes it. It can take two operators.
    """
    org_id = body.organization_id
    async with command:
        if not is_id(event_id, "uev"):
            raise NotFound("There is no such event.")
        event = uuid_of(event_id)
        async with deps.database.platform() as session:
            on_bill = await usage_bill.voidable(session, org_id, event)
            seen = None if on_bill else await usage_charge.voidable(session, org_id, event)
            if on_bill and on_bill.is_void:
                return command.answer(VOID)
            if seen and seen.voided_at is not None:
                return command.answer(EventChargeView.of(seen))
        await require_two_for_override(
            deps, actor, command, ApprovalAction.USAGE_VOID, event_id, body.model_dump(mode="json")
        )
        async with deps.database.platform() as session:
            why, now = body.reason, datetime.now(UTC)
            if on_bill:
                await usage_bill.void(session, actor, org_id, event, reason=why, at=now)
                return command.answer(VOID)
            return command.answer(
                EventChargeView.of(await usage_charge.void(session, actor, org_id, event, reason=why, at=now))
            )
