"""Entities on the allow list and the block list. All functions need the platform's role."""

from datetime import datetime

from sqlalchemy import ColumnElement, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.common.ids import is_id
from domain.risk.act import EntityKind
from domain.risk.rule import ListName
from models.risk.rule import RiskListItem
from repositories.common.listing import ListFilter, Listing, ListPage

_LIST = Listing(of=RiskListItem, order=[RiskListItem.id], prefix="rli")


async def page(
    session: AsyncSession,
    wanted: ListFilter,
    *,
    name: ListName,
    kind: EntityKind | None,
    active_at: datetime | None,
) -> ListPage[RiskListItem]:
    """Return a page of a list, newest first: all items, or those that count at a time."""

    def fits(row: type[RiskListItem]) -> ColumnElement[bool]:
        found = row.list == name.value
        if kind is not None:
            found &= row.entity.startswith(f"{kind.value}:", autoescape=True)
        return found if active_at is None else found & row.removed_at.is_(None) & (row.ends_at > active_at)

    return await _LIST.page(session, wanted, [()], besides=fits)


async def get(session: AsyncSession, name: ListName, item_id: str) -> RiskListItem:
    """Return an item of a list, locked.

    Raises:
        NotFound: there is no such item.
    """
    query = select(RiskListItem).where(RiskListItem.id == item_id, RiskListItem.list == name.value).with_for_update()
    row = (await session.scalars(query)).one_or_none() if is_id(item_id, "rli") else None
    if row is None:
        raise NotFound("There is no such item.")
    return row
