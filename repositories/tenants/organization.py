"""Organizations."""

from collections.abc import Iterable, Sequence

import asyncpg
from sqlalchemy import func, select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import OrganizationClosed
from domain.payments.payment.snapshot import DisputeStatus
from domain.payments.payment.state import AWAITING
from domain.payouts.payout.state import FINAL, PayoutStatus
from domain.tenants.organization import OrganizationStatus, stopped_error
from models.billing.project import DeploymentEvent
from models.tenants.organization import Organization
from repositories.common.command import add_once, other_request, require_same_request
from repositories.common.listing import ListFilter, Listing, ListPage, part_per_value
from repositories.common.required import get_required, require_found
from repositories.tenants import metadata

MISSING = "There is no such organization."
_ASKED = ("created_by",)
_STATUSES = "SELECT id, organization_status(id) AS status FROM unnest($1::text[]) AS id"


async def add(session: AsyncSession, organization: Organization) -> tuple[Organization, bool]:
    found, is_new = await add_once(session, organization, _ASKED)
    # If the name or the tier was changed since, the first value is not known and cannot be compared.
    if not is_new and not await metadata.has_changed(session, found.id, found.id):
        require_same_request(found, organization, ("name",))
    if found.tier != organization.tier and not await _tier_has_changed(session, found.id):
        raise other_request()
    return found, is_new


async def _tier_has_changed(session: AsyncSession, organization_id: str) -> bool:
    changes = select(DeploymentEvent.number).where(
        DeploymentEvent.org_id == organization_id, DeploymentEvent.kind == "tier_changed"
    )
    return (await session.scalars(changes.limit(1))).one_or_none() is not None


async def get(session: AsyncSession, organization_id: str) -> Organization:
    """Return the organization; NotFound when there is none, or it is not the session's to see."""
    return await get_required(session, Organization, organization_id, "org", MISSING)


async def exists(session: AsyncSession, organization_id: str) -> bool:
    query = select(Organization.id).where(Organization.id == organization_id)
    return (await session.scalars(query)).one_or_none() is not None


async def common_creators(session: AsyncSession, registrars: Sequence[str]) -> list[tuple[str, int]]:
    """Return who made several organizations and is no registrar, with how many; these organizations are related.

    Needs the platform's session.
    """
    if "*" in registrars:
        return []
    number = func.count()
    query = select(Organization.created_by, number).where(Organization.created_by.not_in(registrars))
    rows = await session.execute(query.group_by(Organization.created_by).having(number > 1).order_by(number.desc()))
    return [(row[0], row[1]) for row in rows]


async def lock(session: AsyncSession, organization_id: str) -> Organization:
    """Lock the organization against concurrent deployments and changes, and return it as it is now.

    Rows that refer to it can still be written.

    Raises:
        NotFound: there is none.
    """
    query = select(Organization).where(Organization.id == organization_id).with_for_update(key_share=True)
    return require_found(
        (await session.scalars(query.execution_options(populate_existing=True))).one_or_none(), MISSING
    )


async def lock_whole(session: AsyncSession, organization_id: str) -> Organization:
    """Lock the organization exclusively, and return it as it is now; waits for the transactions of `refuse_stopped`.

    No row that refers to it can be written until the transaction ends. Take this lock last, because transactions that
    write such rows may hold any other lock.

    Raises:
        NotFound: there is none.
    """
    query = select(Organization).where(Organization.id == organization_id).with_for_update()
    return require_found(
        (await session.scalars(query.execution_options(populate_existing=True))).one_or_none(), MISSING
    )


async def lock_status(session: AsyncSession, organization_id: str) -> Organization:
    """Return an organization, and lock its status and timed exits until the transaction ends.

    Needs the platform's session.
    """
    query = select(Organization).where(Organization.id == organization_id).with_for_update(read=True, key_share=True)
    return (await session.scalars(query.execution_options(populate_existing=True))).one()


def require_active(organization: Organization) -> None:
    """Check that an organization whose lock the caller holds is active.

    Raises:
        OrganizationClosed: for good.
    """
    refusal = stopped_error(OrganizationStatus(organization.status), organization.id)
    if refusal is not None:
        raise refusal


async def status_of(session: AsyncSession, organization_id: str) -> OrganizationStatus | None:
    """Return the status of an organization and lock it until the transaction ends; None if there is none."""
    status = await session.scalar(select(func.organization_status(organization_id)))
    return None if status is None else OrganizationStatus(status)


async def refuse_stopped(session: AsyncSession, *organization_ids: str) -> None:
    """Check that organizations are active, and lock their status until the transaction ends.

    Raises:
        OrganizationClosed: one of them is.
    """
    ids = sorted(set(organization_ids))
    statuses = (await session.execute(select(*(func.organization_status(each) for each in ids)))).one()
    refuse_one_of(zip(ids, statuses, strict=True))


async def refuse_stopped_as(
    connection: "asyncpg.Connection | asyncpg.Pool[asyncpg.Record]", *organization_ids: str
) -> None:
    """Do what `refuse_stopped` does, on a connection; on a pool it checks without locking.

    Raises:
        OrganizationClosed: one of them is.
    """
    rows = await connection.fetch(_STATUSES, sorted(set(organization_ids)))
    refuse_one_of((row["id"], row["status"]) for row in rows)


def refuse_one_of(statuses: Iterable[tuple[str, str | None]]) -> None:
    """Check the statuses of organizations that are to begin something; one without a status does not exist.

    Raises:
        OrganizationClosed: one of them is.
    """
    for organization_id, status in statuses:
        refusal = None if status is None else stopped_error(OrganizationStatus(status), organization_id)
        if refusal is not None:
            raise refusal


async def refuse_closed(session: AsyncSession, organization_id: str) -> None:
    """Check that an organization is not closed, and lock its status until the transaction ends.

    Raises:
        OrganizationClosed: it is closed.
    """
    if await status_of(session, organization_id) is OrganizationStatus.CLOSED:
        raise OrganizationClosed(
            f"The organization {organization_id} is closed.", extra={"organization_id": organization_id}
        )


async def is_closed(session: AsyncSession, organization_id: str) -> bool:
    """Return whether an organization is closed; valid until the transaction ends, if it has locked the balances."""
    query = select(Organization.status).where(Organization.id == organization_id)
    return (await session.scalars(query)).one_or_none() == OrganizationStatus.CLOSED.value


async def set_tier(session: AsyncSession, organization_id: str, tier: str) -> None:
    """Write the tier; the caller holds the organization's lock."""
    await session.execute(update(Organization).where(Organization.id == organization_id).values(tier=tier))


_DISPUTED = (DisputeStatus.INQUIRY, DisputeStatus.NEEDS_RESPONSE, DisputeStatus.UNDER_REVIEW)
#: How many ids of each kind `under_way` returns at most.
LISTED = 100
_UNDER_WAY = text(f"""
    SELECT kind, array_agg(id ORDER BY id) AS ids FROM (
        (SELECT 'escrow' AS kind, e.id FROM escrow_parties p JOIN escrows e ON e.id = p.escrow_id
         WHERE p.org_id = :org AND p.status IN ('open', 'funded', 'delivered', 'disputed')
           AND (e.org_id = :org OR e.payee_org_id = :org) ORDER BY e.id LIMIT {LISTED})
        UNION ALL
        (SELECT 'payment', id FROM payments WHERE org_id = :org AND status = ANY (:awaiting) ORDER BY id LIMIT {LISTED})
        UNION ALL
        (SELECT 'dispute', id FROM payment_disputes WHERE org_id = :org AND status = ANY (:disputed)
         ORDER BY id LIMIT {LISTED})
        UNION ALL
        (SELECT 'payout', id FROM payouts WHERE org_id = :org AND status = ANY (:leaving) ORDER BY id LIMIT {LISTED})
        UNION ALL
        (SELECT 'invoice', id FROM invoices WHERE org_id = :org AND status = 'open' ORDER BY id LIMIT {LISTED})
        UNION ALL
        (SELECT 'invoice_item', id FROM invoice_items WHERE org_id = :org AND invoice_id IS NULL AND removed_at IS NULL
         ORDER BY id LIMIT {LISTED})
        UNION ALL
        -- One that has no sums was opened by events that were known, or all of them are void: nothing is billed by it.
        (SELECT DISTINCT 'unbilled_usage', to_char(b.month, 'YYYY-MM') FROM usage_bills b
         WHERE b.org_id = :org AND b.billed_at IS NULL AND EXISTS (
             SELECT FROM usage_bill_sums s
             WHERE (s.org_id, s.month, s.number) = (b.org_id, b.month, b.number) AND s.events > 0
         ) ORDER BY 2 LIMIT {LISTED})
        UNION ALL
        -- A use of an agent whose seller is closed is never charged.
        (SELECT DISTINCT 'uncharged_usage', to_char(c.occurred_at AT TIME ZONE 'UTC', 'YYYY-MM') FROM usage_charges c
         WHERE c.org_id = :org AND c.spend_id IS NULL AND c.voided_at IS NULL AND NOT EXISTS (
             SELECT FROM marketplace_agreed_uses u JOIN organizations seller ON seller.id = u.payee_org_id
             WHERE u.id = c.use_id AND seller.status = 'closed'
         ) ORDER BY 2 LIMIT {LISTED})
        UNION ALL
        (SELECT 'subscription', id FROM subscriptions WHERE org_id = :org AND status <> 'ended')
        UNION ALL
        (SELECT 'project', id FROM projects WHERE org_id = :org AND deployed_at IS NOT NULL ORDER BY id LIMIT {LISTED})
    ) found GROUP BY kind ORDER BY kind
""")


async def under_way(session: AsyncSession, organization_id: str) -> dict[str, Sequence[str]]:
    """Return the ids of open objects that can still move an organization's money, by kind; a limited number of each.

    Needs the platform's session.
    """
    asked = {
        "org": organization_id,
        "awaiting": [status.value for status in AWAITING],
        "disputed": [status.value for status in _DISPUTED],
        "leaving": [status.value for status in set(PayoutStatus) - FINAL],
    }
    return {row.kind: row.ids for row in await session.execute(_UNDER_WAY, asked)}


_LIST = Listing(of=Organization, order=[Organization.id], prefix="org", searched=("name",))


async def page(session: AsyncSession, wanted: ListFilter) -> ListPage[Organization]:
    """Return a page of the organizations that the session may see, newest first."""
    own = metadata.narrowed(Organization.id, "org", None, wanted.written)
    parts = [(*part, *own) for part in part_per_value(Organization.status, wanted.statuses)]
    return await _LIST.page(session, wanted, parts)
