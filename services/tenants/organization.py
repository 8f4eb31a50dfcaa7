"""Creating, suspending, resuming and closing organizations, by operators."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from domain.billing.subscription.suspension import STILL_CHARGED
from domain.common import accounts
from domain.common.access import Actor
from domain.common.errors import OrganizationClosed, OrganizationNotEmpty
from domain.common.money import format_amount
from domain.messages.events import Event, format_time
from domain.payouts.summary import remaining_balances
from domain.tenants.metadata import OwnMetadata
from domain.tenants.organization import OrganizationStatus, TimedExits
from ledger.gateway import Ledger
from models.tenants.organization import Organization
from repositories.books import debt
from repositories.marketplace import marketplace
from repositories.messages import alert, event, webhook_endpoint as endpoints
from repositories.payouts import summary as summaries
from repositories.secrets import secret as secrets
from repositories.tenants import api_key, audit, metadata, organization as organizations, session as sessions
from runtime.database import Database, driver_connection
from services.credits import credit_lot
from services.marketplace import referral
from services.marketplace.agent import retire_offers
from services.messages import webhook_endpoint

_S = OrganizationStatus


async def create(
    session: AsyncSession,
    actor: Actor,
    wanted: Organization,
    own: OwnMetadata,
    *,
    bonus_minor: int,
    referred_by: str | None,
    now: datetime,
) -> tuple[Organization, bool]:
    """Insert an organization with its signup bonus, or return the one that this command made; and whether it is new."""
    row, is_new = await add(session, actor, wanted)
    if is_new:
        await credit_lot.grant_signup_bonus(session, actor, org_id=row.id, amount_minor=bonus_minor, now=now)
        if referred_by is not None:
            await referral.record_referral(session, row.id, referred_by, now=now)
        await metadata.add(session, row.id, row.id, own, row.command_id)
    return row, is_new


async def add(session: AsyncSession, actor: Actor, wanted: Organization) -> tuple[Organization, bool]:
    """Insert an organization that has nothing yet, or return the one that this command made; and whether it is new."""
    row, is_new = await organizations.add(session, wanted)
    if is_new:
        await audit.record(session, actor, "organization.create", row.id, {"name": row.name, "tier": row.tier}, row.id)
    return row, is_new


async def suspend(
    session: AsyncSession,
    actor: Actor,
    organization_id: str,
    *,
    reason: str,
    timed_exits: TimedExits = TimedExits.CONTINUE,
    now: datetime,
) -> Organization:
    """Suspend an organization: nothing new can be started with it until it is resumed. Idempotent.

    `timed_exits` says whether releases by time to its agents wait meanwhile, see `domain.escrow.pause`.

    What starts something new takes its lock too, so either comes before or after. Charges and reservations do not: call
    `await_charges` after the commit. Needs a session of the platform that does nothing else.

    Raises:
        OrganizationClosed: it has been closed.
    """
    row = await organizations.lock_whole(session, organization_id)
    _refuse_closed(row)
    if row.status == _S.SUSPENDED.value:
        return row
    row.timed_exits = timed_exits.value
    return await _become(session, actor, row, _S.SUSPENDED, "suspend", reason, now)


async def await_charges(database: Database, organization_id: str) -> None:
    """Wait for charges and reservations that checked the organization's state before it was suspended.

    They lock its credits until they commit, and check after they have the lock, so the next one sees the present state.
    """
    async with database.platform() as session:
        await _lock_credits(session, organization_id)


async def resume(session: AsyncSession, actor: Actor, organization_id: str, *, now: datetime) -> Organization:
    """Resume a suspended organization. Idempotent. Needs the platform's session.

    Raises:
        OrganizationClosed: it has been closed.
    """
    row = await organizations.lock_whole(session, organization_id)
    _refuse_closed(row)
    if row.status == _S.ACTIVE.value:
        return row
    await alert.close_cases(session, row.id, (STILL_CHARGED,))
    return await _become(session, actor, row, _S.ACTIVE, "resume", None, now)


async def close(
    session: AsyncSession, actor: Actor, organization_id: str, *, reason: str | None, now: datetime
) -> Organization:
    """Close an organization that has nothing left, for good.

    Its keys, sessions and links are revoked, its offers retired, its webhook endpoints disabled and its secrets
    destroyed; the caller signals the endpoints' workflows afterwards. Closing it again changes nothing. Its credits are
    locked before the check, so a concurrent payment either keeps it open, or arrives later and raises an alert. Needs
    the platform's session.

    Raises:
        OrganizationNotEmpty: something is left.
    """
    # The first lock, as in every deployment or new endpoint; rows that refer to the organization can still be written.
    await organizations.lock(session, organization_id)
    await debt.lock(session, organization_id)
    await _lock_credits(session, organization_id)
    # Locked before the organization, as in every change of one of these, which then writes a row that refers to it.
    await endpoints.lock_of(session, organization_id)
    await marketplace.lock_listed(session, organization_id)
    await secrets.lock_of(session, organization_id)
    row = await organizations.lock_whole(session, organization_id)
    if row.status == _S.CLOSED.value:
        return row
    left = await _left(session, organization_id, now)
    if left:
        raise OrganizationNotEmpty(
            "The organization cannot be closed yet. End or settle what `left` lists, and close it then.",
            extra={"left": left},
        )
    row = await _become(session, actor, row, _S.CLOSED, "close", reason, now)
    await api_key.revoke_all(session, organization_id)
    # Some have no key there: what a link of an operator opened hangs on the operator's key.
    await sessions.end_all(session, organization_id, actor.qualified())
    await webhook_endpoint.disable_all(session, actor, organization_id, now=now)
    await retire_offers(session, actor, organization_id, now=now)
    # Nobody could destroy them later.
    await secrets.destroy_all(session, organization_id, now)
    return row


async def _become(
    session: AsyncSession,
    actor: Actor,
    row: Organization,
    status: OrganizationStatus,
    act: str,
    reason: str | None,
    now: datetime,
) -> Organization:
    row.status, row.status_reason, row.status_by, row.status_at = status.value, reason, actor.qualified(), now
    await session.flush()
    await session.refresh(row)
    kept = {"reason": reason} | ({"timed_exits": row.timed_exits} if status is _S.SUSPENDED else {})
    await audit.record(session, actor, f"organization.{act}", row.id, kept, row.id)
    name = "resumed" if status is _S.ACTIVE else status.value
    data = {"organization_id": row.id, "external_id": None, "status": status.value, "changed_at": format_time(now)}
    await event.record(session, [Event(f"organization.{name}", row.id, row.id, data)])
    return row


def _refuse_closed(row: Organization) -> None:
    if row.status == _S.CLOSED.value:
        raise OrganizationClosed("The organization is closed for good.", extra={"organization_id": row.id})


async def _lock_credits(session: AsyncSession, organization_id: str) -> None:
    await Ledger(await driver_connection(session)).lock_balances([], if_open=[accounts.org_credits(organization_id)])


async def _left(session: AsyncSession, organization_id: str, now: datetime) -> Sequence[dict[str, Any]]:
    """Return what keeps the organization open: balances by kind and currency, and the ids of open objects."""
    books = await summaries.read(await driver_connection(session), organization_id, now)
    money = [
        {"kind": left.kind, "currency": left.asset, "amount": format_amount(left.amount_minor, left.asset)}
        for left in remaining_balances(books.standings)
    ]
    under_way = await organizations.under_way(session, organization_id)
    return [*money, *({"kind": kind, "ids": list(ids)} for kind, ids in under_way.items())]
