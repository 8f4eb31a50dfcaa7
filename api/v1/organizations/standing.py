"""Whether anything begins with an organization: operators suspend, resume and close it."""

from datetime import UTC, datetime
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession
from starlette.responses import Response

from api.auth import ActorDep, permit
from api.deps import Deps, DepsDep
from api.errors import errors
from api.idempotency import MayRepeat
from api.routing import Resource
from api.v1.organizations.schemas import Closing, OrganizationView, Suspension
from api.v1.webhook_endpoints.endpoints import signal_run as signal_endpoint
from contracts.runs import subscription_look
from domain.common.access import Actor, Permission
from domain.common.errors import Invalid, OrganizationClosed, OrganizationNotEmpty
from domain.tenants.organization import TimedExits
from models.tenants.organization import Organization
from repositories.billing import subscription as subscriptions
from repositories.messages import webhook_endpoint as webhook_endpoints
from repositories.tenants import metadata, organization as organizations
from runtime import reach
from services.tenants import organization as service

router = Resource(tags=["organizations"])


@router.post(
    "/organizations/{organization_id}/suspend", response_model=OrganizationView, responses=errors(OrganizationClosed)
)
async def suspend_organization(
    organization_id: str, body: Suspension, deps: DepsDep, actor: ActorDep, command: MayRepeat
) -> Response:
    """Suspend an organization: nothing new can begin with it until it is resumed. For operators.

    Escrows, payments in progress and reservations continue. Its subscription ends with its period, unless the
    organization is resumed before. With `timed_exits` set to `pause`, escrows
    whose review ends are not released to its agents by time. The review is extended day by day, up to the limit of a
    setting, and ends a day after the organization is resumed. Suspending it again returns the first response.
    """
    await _require(deps, actor, organization_id)
    async with command:
        if body.timed_exits is TimedExits.PAUSE and not deps.settings.longest_pause:
            raise Invalid(
                "Timed exits cannot be paused here. Send timed_exits: continue, and dispute the "
                "escrows that must wait.",
                extra={"field": "timed_exits"},
            )
        now = datetime.now(UTC)
        async with deps.database.platform() as session:
            row = await service.suspend(
                session, actor, organization_id, reason=body.reason, timed_exits=body.timed_exits, now=now
            )
            view = await _view(session, row)
        await service.await_charges(deps.database, organization_id)
        await _signal_subscription(deps, actor, organization_id)
        return command.answer(view)


@router.post(
    "/organizations/{organization_id}/resume", response_model=OrganizationView, responses=errors(OrganizationClosed)
)
async def resume_organization(organization_id: str, deps: DepsDep, actor: ActorDep, command: MayRepeat) -> Response:
    """Resume a suspended organization: new activity can begin again, and its subscription goes on. For operators."""
    await _require(deps, actor, organization_id)
    async with command:
        async with deps.database.platform() as session:
            row = await service.resume(session, actor, organization_id, now=datetime.now(UTC))
            view = await _view(session, row)
        await _signal_subscription(deps, actor, organization_id)
        return command.answer(view)


@router.post(
    "/organizations/{organization_id}/close", response_model=OrganizationView, responses=errors(OrganizationNotEmpty)
)
async def close_organization(
    organization_id: str, deps: DepsDep, actor: ActorDep, *, body: Closing | None = None, command: MayRepeat
) -> Response:
    """Close an organization permanently, once nothing of it is left. For operators.

    Its keys are revoked, and its webhook endpoints are disabled: what waits is not sent.
    The refusal lists what is left: money by kind and currency, and the ids of what is in progress.
    """
    await _require(deps, actor, organization_id)
    async with command:
        async with deps.database.platform() as session:
            row = await service.close(
                session, actor, organization_id, reason=body.reason if body else None, now=datetime.now(UTC)
            )
            view, hooks = await _view(session, row), await webhook_endpoints.of(session, organization_id)
        deps.keyring.forget(organization_id)
        for each in hooks:
            signal_endpoint(deps, each)
        return command.answer(view)


async def _require(deps: Deps, actor: Actor, organization_id: str) -> None:
    async with deps.session_for(actor) as session:
        await organizations.get(session, organization_id)
    permit(actor, Permission.MANAGE_ORGANIZATIONS)


async def _signal_subscription(deps: Deps, actor: Actor, organization_id: str) -> None:
    """Have the run of its subscription look at its standing, after the answer; it looks by itself twice a day."""
    async with deps.database.platform() as session:
        held = await subscriptions.current_of(session, organization_id)
    if held is not None and deps.temporal is not None:
        news = subscription_look(held, actor=actor)
        deps.background.begin(news[0].workflow_id, partial(reach.signal, deps.temporal, *news))


async def _view(session: AsyncSession, row: Organization) -> OrganizationView:
    return OrganizationView.of(row, await metadata.get(session, row.id, row.id))
