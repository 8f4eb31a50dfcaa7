"""Statements about contacts of organizations."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.mail import LANGUAGES, Contact, Purpose
from models.tenants.contact import OrganizationContacts


async def get(session: AsyncSession, org_id: str) -> OrganizationContacts | None:
    """Return the organization's contacts; None if unset."""
    return await session.get(OrganizationContacts, org_id, populate_existing=True)


async def lock(session: AsyncSession, org_id: str) -> OrganizationContacts | None:
    """Lock and return the organization's contacts; None if unset, which is locked as well."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(f"contacts:{org_id}", 0))))
    return await get(session, org_id)


def version_of(row: OrganizationContacts | None) -> int:
    """Return the version of contacts; 0 if they were never set."""
    return 0 if row is None else row.version


async def put(
    session: AsyncSession,
    org_id: str,
    language: str,
    contacts: Sequence[Contact],
    *,
    by: str,
    now: datetime,
    command_id: str | None = None,
) -> OrganizationContacts:
    values = {
        "language": language,
        "contacts": [
            {"email": each.address, "purposes": sorted(purpose.value for purpose in each.purposes)} for each in contacts
        ],
        "updated_by": by,
        "updated_at": now,
        "command_id": command_id,
    }
    query = (
        insert(OrganizationContacts)
        .values(org_id=org_id, **values)
        .on_conflict_do_update(index_elements=["org_id"], set_=values)
        .returning(OrganizationContacts)
    )
    return (await session.scalars(query, execution_options={"populate_existing": True})).one()


def contacts_of(row: OrganizationContacts | None) -> tuple[Contact, ...]:
    return tuple(
        Contact(address=each["email"], purposes=frozenset(Purpose(purpose) for purpose in each["purposes"]))
        for each in (row.contacts if row else ())
    )


async def recipients(session: AsyncSession, org_id: str, purpose: Purpose) -> tuple[str, tuple[str, ...]]:
    row = await get(session, org_id)
    found = tuple(each.address for each in contacts_of(row) if purpose in each.purposes)
    return row.language if row else LANGUAGES[0], found
