"""Projects and their deployments. Writing needs the lock of `organization.lock`."""

from datetime import datetime

from sqlalchemy import ColumnElement, func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.project import SLUG
from ledger.invariants import Invariant
from models.billing.project import DeploymentEvent, Project
from repositories.common import command
from repositories.common.listing import ListFilter, Listing, ListPage, Part
from repositories.common.required import require_found
from repositories.tenants import metadata

MISSING = "There is no such project."
_ASKED = ("org_id", "slug", "created_by")


async def made_before(session: AsyncSession, wanted: Project) -> Project | None:
    found = await command.existing_row(session, wanted, _ASKED)
    # If the name was changed since, the first one is not known and cannot be compared.
    if found is not None and not await metadata.has_changed(session, found.id, found.org_id):
        command.require_same_request(found, wanted, ("name",))
    return found


async def add(session: AsyncSession, project: Project) -> Project:
    session.add(project)
    await session.flush()
    return project


async def find(session: AsyncSession, org_id: str, slug: str) -> Project | None:
    if not SLUG.fullmatch(slug):
        return None
    query = select(Project).where(Project.org_id == org_id, Project.slug == slug)
    return (await session.scalars(query.execution_options(populate_existing=True))).one_or_none()


async def get(session: AsyncSession, org_id: str, slug: str) -> Project:
    """Return the organization's project of that slug.

    Raises:
        NotFound: it has none.
    """
    return require_found(await find(session, org_id, slug), MISSING)


_LIST = Listing(of=Project, order=[Project.id], prefix="prj", searched=("name", "slug"))


async def page(session: AsyncSession, wanted: ListFilter, *, deployed: bool = False) -> ListPage[Project]:
    """Return a page of the projects that the session may see, newest first; `deployed` leaves out all others.

    How many projects there are is bounded by the plan, and a page looks at a bounded number of them.
    """

    def is_deployed(row: type[Project]) -> ColumnElement[bool]:
        return row.deployed_at.is_not(None)

    part: Part = () if wanted.org_id is None else (Project.org_id == wanted.org_id,)
    part = (*part, *metadata.narrowed(Project.id, "prj", wanted.org_id, wanted.written))
    besides = is_deployed if deployed else None
    return await _LIST.page(session, wanted, [part], besides=besides)


async def counts(session: AsyncSession, org_id: str) -> tuple[int, int]:
    query = select(func.count(), func.count(Project.deployed_at)).where(Project.org_id == org_id)
    projects, deployments = (await session.execute(query)).one()
    return projects, deployments


async def set_deployed(session: AsyncSession, project_id: str, deployed_at: datetime | None) -> None:
    """Set since when a project is deployed; None if it is not."""
    changes = update(Project).where(Project.id == project_id)
    await session.execute(changes.values(deployed_at=deployed_at, occupies_slot=False))


async def occupy_slots(session: AsyncSession, org_id: str, slots: int) -> None:
    """Mark the most recently deployed projects, that many, as using a slot, and the others as not."""
    rank = func.row_number().over(order_by=(Project.deployed_at.desc(), Project.id.desc()))
    deployed = select(Project.id, (rank <= slots).label("wanted")).where(
        Project.org_id == org_id, Project.deployed_at.is_not(None)
    )
    ranked = deployed.subquery()
    await session.execute(
        update(Project)
        .where(Project.id == ranked.c.id, Project.occupies_slot != ranked.c.wanted)
        .values(occupies_slot=ranked.c.wanted)
        .execution_options(synchronize_session=False)
    )


async def event_of(session: AsyncSession, command_id: str) -> DeploymentEvent | None:
    query = select(DeploymentEvent).where(DeploymentEvent.command_id == command_id)
    return (await session.scalars(query)).one_or_none()


async def newest_event(session: AsyncSession, org_id: str) -> DeploymentEvent | None:
    """Return the organization's newest event."""
    query = select(DeploymentEvent).where(DeploymentEvent.org_id == org_id).order_by(DeploymentEvent.number.desc())
    return (await session.scalars(query.limit(1))).one_or_none()


async def next_number(session: AsyncSession, org_id: str) -> int:
    query = select(func.coalesce(func.max(DeploymentEvent.number), 0) + 1).where(DeploymentEvent.org_id == org_id)
    return (await session.scalars(query)).one()


async def add_event(session: AsyncSession, event: DeploymentEvent) -> None:
    session.add(event)
    await session.flush()


#: What `verify` proves about these rows and the books.
INVARIANTS = (
    # Fewer slots than deployments beyond the plan only if the plan was lowered. The plan's number is that of the
    # newest event, because the configuration may have changed since.
    Invariant(
        name="slots in use equal those that deployed projects occupy, and do not exceed what the plan requires",
        table="public.projects",
        unit="projects",
        violations="""
        SELECT org_id || ': ' || booked || ' slots in use, occupied ' || occupied || ', taken by deployments ' ||
            taken || ', deployed ' || deployed || ' on ' || coalesce(tier, 'no tier')
        FROM (
            SELECT org_id, o.tier, coalesce(h.booked, 0) AS booked, coalesce(e.taken, 0) AS taken,
                coalesce(p.occupied, 0) AS occupied, coalesce(p.deployed, 0) AS deployed, newest.plan, newest.share
            FROM (
                SELECT split_part(a.path, '/', 2) AS org_id, sum(b.posted) AS booked
                FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id
                WHERE a.path LIKE 'org/%/slots_in_use' GROUP BY a.path
            ) h
            FULL JOIN (
                SELECT org_id, count(*) FILTER (WHERE occupies_slot) AS occupied, count(deployed_at) AS deployed
                FROM public.projects GROUP BY org_id
            ) p USING (org_id)
            FULL JOIN (
                SELECT org_id, sum(slots) AS taken, max(number) AS number FROM public.deployment_events GROUP BY org_id
            ) e USING (org_id)
            LEFT JOIN public.deployment_events newest USING (org_id, number)
            LEFT JOIN public.organizations o ON o.id = org_id
        ) stated
        WHERE booked <> occupied OR booked <> taken OR plan <> tier
            OR booked > CASE WHEN plan IS NULL OR share IS NULL THEN 0 ELSE greatest(0, deployed - share) END
        """,
    ),
)
