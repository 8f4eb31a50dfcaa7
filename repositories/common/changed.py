"""Number of rows that a statement has changed."""

from sqlalchemy import CursorResult, Delete, Update
from sqlalchemy.ext.asyncio import AsyncSession


async def rows_changed(session: AsyncSession, statement: Delete | Update) -> int:
    result = await session.execute(statement)
    assert isinstance(result, CursorResult)
    return result.rowcount
