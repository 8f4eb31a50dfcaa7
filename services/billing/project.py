"""Projects of an organization, their deployments, and the slots that they use.

Every change locks the organization's row first, so concurrent deployments cannot exceed the limit; then its debts, so
that freed slots pay what it owes. A refund takes neither lock; the slots' minimum balance limits it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.plan import Plans
from domain.billing.project import (
    DeployType,
    ProjectUsage,
    check_new_project,
    limit_reached,
    slots_to_return,
    slots_to_take,
    split_freed,
)
from domain.common import accounts
from domain.common.access import Actor
from domain.common.errors import InsufficientFunds, ProjectExists
from domain.common.ids import deployment_transfer_key
from domain.common.money import SLOT
from domain.tenants.metadata import NO_METADATA, OwnMetadata
from ledger.gateway import Ledger, Posting
from models.billing.project import DeploymentEvent, Project
from models.tenants.organization import Organization
from repositories.billing import project as projects
from repositories.books import debt
from repositories.common.command import other_request
from repositories.tenants import audit, metadata, organization as organizations
from runtime.database import driver_connection
from runtime.identity import new_id
from services.books.debt import owed_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectCommand:
    """Command on projects or the tier of an organization.

    `may_repeat`: its caller has an idempotency key, and may repeat it at any later time.
    """

    actor: Actor
    org_id: str
    command_id: str
    at: datetime
    plans: Plans
    may_repeat: bool = True


async def usage_of(session: AsyncSession, organization: Organization, plans: Plans) -> ProjectUsage:
    """Return the organization's projects and slots; without its lock they may already have changed."""
    ledger = Ledger(await driver_connection(session))
    made, deployed = await projects.counts(session, organization.id)
    return ProjectUsage(
        plan=plans.of(organization.tier),
        plans=plans,
        projects=made,
        deployments=deployed,
        slots_free=(await ledger.balance(accounts.org_slots(organization.id))).available_minor,
        slots_in_use=(await ledger.balance(accounts.org_slots_in_use(organization.id))).posted_minor,
        slots_owed=await owed_minor(ledger, organization.id, SLOT),
    )


async def create(
    session: AsyncSession,
    order: ProjectCommand,
    slug: str,
    name: str,
    deploy_type: DeployType = DeployType.DEVELOPMENT,
    own: OwnMetadata = NO_METADATA,
) -> Project:
    """Create a project with its metadata, or return the one that its command created."""
    organization = await organizations.lock(session, order.org_id)
    wanted = Project(
        id=new_id("prj"),
        org_id=order.org_id,
        slug=slug,
        name=name,
        deploy_type=deploy_type.value,
        deployed_at=None,
        occupies_slot=False,
        created_by=order.actor.qualified(),
        command_id=order.command_id,
    )
    found = await projects.made_before(session, wanted)
    if found is not None:
        return found
    organizations.require_active(organization)
    if await projects.find(session, order.org_id, slug) is not None:
        raise ProjectExists(f"A project with the slug {slug} already exists.")
    check_new_project(await usage_of(session, organization, order.plans))
    await metadata.add(session, wanted.id, order.org_id, own, order.command_id)
    made = await projects.add(session, wanted)
    await audit.record(session, order.actor, "project.create", made.id, {"slug": made.slug}, made.org_id)
    return made


async def deploy(session: AsyncSession, order: ProjectCommand, slug: str) -> Project:
    """Deploy a project, which uses a slot if the tier includes no more deployments; idempotent."""
    organization = await _lock(session, order)
    project = await projects.get(session, order.org_id, slug)
    if await _was_done(session, order, "deployed", project):
        return project
    if project.deployed_at is not None:
        await _record_nothing(session, order, organization, "deployed", project)
        return project
    organizations.require_active(organization)
    usage = await usage_of(session, organization, order.plans)
    slots = slots_to_take(usage)
    await projects.set_deployed(session, project.id, order.at)
    try:
        await _record(session, order, organization, "deployed", usage, slots, project)
    except InsufficientFunds as refunded:  # after it was counted
        raise limit_reached(replace(usage, slots_free=0)) from refunded
    return await projects.get(session, order.org_id, slug)


async def undeploy(session: AsyncSession, order: ProjectCommand, slug: str) -> Project:
    """Undeploy a project, which frees its slot if it used one; idempotent."""
    organization = await _lock(session, order)
    project = await projects.get(session, order.org_id, slug)
    if await _was_done(session, order, "undeployed", project):
        return project
    if project.deployed_at is None:
        await _record_nothing(session, order, organization, "undeployed", project)
        return project
    await projects.set_deployed(session, project.id, None)
    usage = await usage_of(session, organization, order.plans)
    await _record(session, order, organization, "undeployed", usage, -slots_to_return(usage), project)
    return await projects.get(session, order.org_id, slug)


async def change_tier(session: AsyncSession, order: ProjectCommand, tier: str) -> Organization:
    """Set the tier of an organization. A higher one frees slots that are no longer needed.

    A lower one takes none and stops nothing: deployments continue, and new ones need room.
    """
    order.plans.get(tier)
    organization = await _lock(session, order)
    before = organization.tier
    if await _was_done(session, order, "tier_changed", None):
        return organization
    if before == tier:
        await _record_nothing(session, order, organization, "tier_changed", None)
        return organization
    await organizations.set_tier(session, organization.id, tier)
    usage = await usage_of(session, organization, order.plans)
    details = {"from": before, "to": tier}
    await _record(session, order, organization, "tier_changed", usage, -slots_to_return(usage), None, details)
    return organization


async def _lock(session: AsyncSession, order: ProjectCommand) -> Organization:
    organization = await organizations.lock(session, order.org_id)
    await debt.lock(session, order.org_id)
    return organization


async def _was_done(session: AsyncSession, order: ProjectCommand, kind: str, project: Project | None) -> bool:
    """Return whether the command was executed before, even if it had nothing to do.

    Events are kept longer than a key's response; otherwise a repeat would act on a later state.
    """
    event = await projects.event_of(session, order.command_id)
    if event is None:
        return False
    project_id = None if project is None else project.id
    if (event.org_id, event.kind, event.project_id) != (order.org_id, kind, project_id):
        raise other_request()
    return True


async def _record(
    session: AsyncSession,
    order: ProjectCommand,
    organization: Organization,
    kind: str,
    usage: ProjectUsage,
    slots: int,
    project: Project | None,
    details: Mapping[str, object] | None = None,
) -> None:
    """Take a number of slots into use (negative: free them), and write the event and the audit entry."""
    number = await projects.next_number(session, order.org_id)
    subject = order.org_id if project is None else project.id
    transfer_id = None
    if slots:
        posted = await Ledger(await driver_connection(session)).post_compound(
            key=deployment_transfer_key(subject, kind, number),
            kind="slots.taken" if slots > 0 else "slots.returned",
            postings=_postings(order.org_id, slots, usage.slots_owed),
            reference=subject,
            org_id=order.org_id,
            effective_at=order.at,
        )
        transfer_id = posted.transfer_id
    await projects.occupy_slots(session, order.org_id, usage.slots_in_use + slots)
    await projects.add_event(
        session,
        DeploymentEvent(
            org_id=order.org_id,
            number=number,
            kind=kind,
            project_id=None if project is None else project.id,
            slots=slots,
            plan=organization.tier,
            share=usage.plan.deployments,
            transfer_id=transfer_id,
            actor=order.actor.qualified(),
            command_id=order.command_id,
            at=order.at,
        ),
    )
    shown = {"slots": slots, **(details or {}), **({} if project is None else {"slug": project.slug})}
    action = "organization.tier" if project is None else f"project.{kind.removesuffix('ed')}"
    await audit.record(session, order.actor, action, subject, shown, order.org_id)


async def _record_nothing(
    session: AsyncSession, order: ProjectCommand, organization: Organization, kind: str, project: Project | None
) -> None:
    if not order.may_repeat:
        return
    # The slots in use are those of the newest event before, so its plan and share go on.
    newest = await projects.newest_event(session, order.org_id)
    number, plan, share = (
        (1, organization.tier, None) if newest is None else (newest.number + 1, newest.plan, newest.share)
    )
    await projects.add_event(
        session,
        DeploymentEvent(
            org_id=order.org_id,
            number=number,
            kind=kind,
            project_id=None if project is None else project.id,
            slots=0,
            plan=plan,
            share=share,
            transfer_id=None,
            actor=order.actor.qualified(),
            command_id=order.command_id,
            at=order.at,
        ),
    )


def _postings(org_id: str, slots: int, owed: int) -> list[Posting]:
    free, in_use = accounts.org_slots(org_id), accounts.org_slots_in_use(org_id)
    if slots > 0:
        return [Posting(free, in_use, slots)]
    repaid, freed = split_freed(-slots, owed)
    moved = [Posting(in_use, accounts.org_debt(org_id, SLOT), repaid), Posting(in_use, free, freed)]
    return [posting for posting in moved if posting.amount_minor]
