"""The contacts of organizations."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.mail import LANGUAGES, Contact, Purpose
from models.contact import OrganizationContacts


async def get(session: AsyncSession, org_id: str, *, locked: bool = False) -> OrganizationContacts | None:
    """Return the organization's contacts; None where it has set none."""
    return await session.get(OrganizationContacts, org_id, populate_existing=True, with_for_update=locked or None)


async def put(
    session: AsyncSession, org_id: str, language: str, contacts: Sequence[Contact], *, by: str, now: datetime
) -> None:
    """Set the organization's contacts in place of those that it had."""
    values = {
        "language": language,
        "contacts": [
            {"email": each.address, "purposes": sorted(purpose.value for purpose in each.purposes)} for each in contacts
        ],
        "updated_by": by,
        "updated_at": now,
    }
    await session.execute(
        insert(OrganizationContacts)
        .values(org_id=org_id, **values)
        .on_conflict_do_update(index_elements=["org_id"], set_=values)
    )


def contacts_of(row: OrganizationContacts | None) -> tuple[Contact, ...]:
    """Return the contacts that a row holds."""
    return tuple(
        Contact(address=each["email"], purposes=frozenset(Purpose(purpose) for purpose in each["purposes"]))
        for each in (row.contacts if row else ())
    )


async def recipients(session: AsyncSession, org_id: str, purpose: Purpose) -> tuple[str, tuple[str, ...]]:
    """Return in which language an organization is written to, and at which addresses."""
    row = await get(session, org_id)
    found = tuple(each.address for each in contacts_of(row) if purpose in each.purposes)
    return row.language if row else LANGUAGES[0], found
