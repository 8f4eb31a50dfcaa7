"""Entitlements of an organization's plan and their use: the check that every endpoint calls."""

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.entitlement import Entitlement, EntitlementUse, included_quantity, require_room
from domain.billing.plan import Plan, Plans
from domain.billing.project import check_new_deployment, check_new_project
from domain.billing.subscription.terms import seats_of
from models.tenants.organization import Organization
from repositories.billing import subscription as subscriptions
from repositories.tenants import api_key, organization as organizations, session as sessions
from services.billing import project


async def read_use(
    session: AsyncSession, organization: Organization, plans: Plans, entitlement: Entitlement
) -> EntitlementUse:
    """Return the limit and its use; without a lock both may be outdated."""
    if entitlement in {Entitlement.PROJECTS, Entitlement.DEPLOYS}:
        usage = await project.usage_of(session, organization, plans)
        if entitlement is Entitlement.PROJECTS:
            return EntitlementUse(entitlement=entitlement, limit=usage.project_limit, used=usage.projects)
        return EntitlementUse(entitlement=entitlement, limit=usage.deployment_limit, used=usage.deployments)
    plan = plans.of(organization.tier)
    if entitlement is Entitlement.SEATS:
        limit = await seat_limit(session, organization.id, plan)
        return EntitlementUse(entitlement=entitlement, limit=limit, used=await api_key.seats(session, organization.id))
    return EntitlementUse(entitlement=entitlement, limit=included_quantity(plan, entitlement))


async def seat_limit(session: AsyncSession, org_id: str, plan: Plan) -> int | None:
    """Return the number of seats of an organization on a plan; None if unlimited."""
    if not plan.is_per_seat:
        return plan.seats
    held = await subscriptions.current_of(session, org_id)
    return seats_of(plan, None if held is None else held.terms)


async def check(
    session: AsyncSession, organization: Organization, plans: Plans, entitlement: Entitlement, number: int = 1
) -> EntitlementUse:
    """Check that the limit of the plan allows `number` more projects, deployments or other units."""
    plan = plans.of(organization.tier)
    if entitlement in {Entitlement.PROJECTS, Entitlement.DEPLOYS}:
        usage = await project.usage_of(session, organization, plans)
        limit_check = check_new_project if entitlement is Entitlement.PROJECTS else check_new_deployment
        limit_check(usage, number)
    standing = await read_use(session, organization, plans, entitlement)
    require_room(plans, plan, standing, number)
    return standing


async def check_seats(session: AsyncSession, org_id: str, plans: Plans, *, principal: str, before: int) -> None:
    """Check that the plan has a seat for one more person.

    People who act by a link without a key take a seat as well. The caller holds the lock of the organization's keys,
    and passes the seats used `before`.
    """
    used = await api_key.seats(session, org_id)
    if used > before:
        plan = plans.of((await organizations.get(session, org_id)).tier)
        limit = await seat_limit(session, org_id, plan)
        others = used - 1 + await sessions.guests(session, org_id, besides=principal)
        require_room(plans, plan, EntitlementUse(entitlement=Entitlement.SEATS, limit=limit, used=others))
