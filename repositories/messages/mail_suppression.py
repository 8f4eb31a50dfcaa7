"""Suppressed mail addresses. All functions need a platform session."""

from collections.abc import Collection
from datetime import date, datetime

from sqlalchemy import select, text, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.common.ids import is_id
from models.messages.mail_suppression import MailSuppression
from repositories.common.listing import ListFilter, Listing, ListPage, Part

#: The maximum number of organizations that are alerted to a suppressed contact.
MAX_ALERTED = 50

_ADD = text("""
    INSERT INTO mail_suppressions (id, address, status)
    SELECT :id, :address, :status WHERE NOT EXISTS (
        SELECT FROM mail_suppressions WHERE address = :address AND lifted_at::date >= CAST(:sent_on AS date)
    )
    ON CONFLICT (address) WHERE lifted_at IS NULL DO NOTHING
    RETURNING id
""")
_TOLD = text("""
    SELECT org_id FROM organization_contacts
    WHERE EXISTS (SELECT FROM jsonb_array_elements(contacts) AS c WHERE lower(c ->> 'email') = :address)
    ORDER BY org_id LIMIT :most
""")


async def among(session: AsyncSession, addresses: Collection[str]) -> set[str]:
    folded = {address.casefold(): address for address in addresses}
    held = select(MailSuppression.address).where(
        MailSuppression.address.in_(folded), MailSuppression.lifted_at.is_(None)
    )
    return {folded[address] for address in await session.scalars(held)}


async def add(session: AsyncSession, suppression_id: str, address: str, status: str, *, sent_on: date) -> bool:
    """Suppress an address; return whether that is new.

    Reports about mails that were sent on or before the day on which a suppression was lifted have no effect, because an
    old report could be sent again.
    """
    given = {"id": suppression_id, "address": address.casefold(), "status": status, "sent_on": sent_on}
    return (await session.execute(_ADD, given)).one_or_none() is not None


async def organizations_with(session: AsyncSession, address: str) -> list[str]:
    return list((await session.execute(_TOLD, {"address": address.casefold(), "most": MAX_ALERTED})).scalars())


_LIST = Listing(
    of=MailSuppression, order=[MailSuppression.id], prefix="sup", created="suppressed_at", searched=("address",)
)


async def page(session: AsyncSession, wanted: ListFilter, *, lifted: bool) -> ListPage[MailSuppression]:
    """Return a page of the suppressions, newest first; lifted ones only if requested."""
    part: Part = () if lifted else (MailSuppression.lifted_at.is_(None),)
    address = wanted.equal.get("address")
    if isinstance(address, str):
        part = (*part, MailSuppression.address == address.casefold())
    return await _LIST.page(session, wanted, [part], served=["address"])


async def lift(session: AsyncSession, suppression_id: str, by: str, now: datetime) -> tuple[MailSuppression, bool]:
    """Lift a suppression; the second value is whether this call has lifted it.

    Raises:
        NotFound: there is no such suppression.
    """
    if not is_id(suppression_id, "sup"):
        raise NotFound("There is no such suppression.")
    lifted = (
        update(MailSuppression)
        .where(MailSuppression.id == suppression_id, MailSuppression.lifted_at.is_(None))
        .values(lifted_at=now, lifted_by=by)
        .returning(MailSuppression)
    )
    row = (await session.scalars(lifted)).one_or_none()
    if row is not None:
        return row, True
    found = await session.get(MailSuppression, suppression_id)
    if found is None:
        raise NotFound("There is no such suppression.")
    return found, False
