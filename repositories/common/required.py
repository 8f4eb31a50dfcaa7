"""Reads that refuse: an absent row is `NotFound`."""

from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import NotFound
from domain.common.ids import is_id
from models.common.base import Base

T = TypeVar("T")
Row = TypeVar("Row", bound=Base)


def require_found(found: T | None, missing: str) -> T:
    """Return what was found.

    Raises:
        NotFound: with the text `missing`. It is None.
    """
    if found is None:
        raise NotFound(missing)
    return found


async def get_required(
    session: AsyncSession,
    model: type[Row],
    row_id: str,
    prefix: str,
    missing: str,
    *,
    fresh: bool = False,
    lock: bool = False,
) -> Row:
    """Return a row; `fresh` reads it as it is now, and `lock` locks it until the transaction ends.

    Raises:
        NotFound: with the text `missing`. It is no id of this prefix, or the session sees no such row.
    """
    row = None
    if is_id(row_id, prefix):
        row = await session.get(model, row_id, populate_existing=fresh, with_for_update=lock or None)
    return require_found(row, missing)
