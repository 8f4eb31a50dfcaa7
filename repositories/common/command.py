"""Idempotent commands that make a row: repeating a command returns its row, and a different request is refused."""

from collections.abc import Iterable
from typing import Any, TypeVar

from sqlalchemy import func, inspect, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

# Callers that keep what a command asked for raise it too.
from domain.common.errors import other_request as other_request
from models.common.base import Base

Row = TypeVar("Row", bound=Base)


async def add_once(session: AsyncSession, row: Row, asked: Iterable[str]) -> tuple[Row, bool]:
    """Insert the row of a command, or return the one that the command made; the second value is whether it is new.

    Args:
        session: of the client or the platform.
        row: the new row of a table with a unique `command_id`; `created_at` is the database's.
        asked: the columns that the request determines; the others may differ when it is repeated.
    """
    model: Any = type(row)
    values = {
        column.key: value
        for column in inspect(model).columns
        if column.key != "created_at"
        and ((value := getattr(row, column.key)) is not None or column.server_default is None)
    }
    statement = insert(model).values(values).on_conflict_do_nothing(index_elements=["command_id"]).returning(model)
    made: Row | None = (await session.scalars(statement)).one_or_none()
    if made is not None:
        return made, True
    found = await existing_row(session, row, asked)
    assert found is not None
    return found, False


async def lock_command(session: AsyncSession, command_id: str) -> None:
    """Lock a command until the transaction ends, so concurrent repetitions wait here."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(command_id, 0))))


async def row_of_command(session: AsyncSession, model: type[Row], command_id: str) -> Row | None:
    """Return the row of a table with a unique `command_id` that a command made; None if the session sees none."""
    table: Any = model
    found: Row | None = (await session.scalars(select(table).where(table.command_id == command_id))).one_or_none()
    return found


async def existing_row(session: AsyncSession, row: Row, asked: Iterable[str]) -> Row | None:
    wanted: Any = row
    found = await row_of_command(session, type(row), wanted.command_id)
    if found is not None:
        require_same_request(found, row, asked)
    return found


def require_same_request(found: Base, asked: Base, names: Iterable[str]) -> None:
    """Refuse a request that differs from the row that its command made.

    The response to a key is deleted after a while, but the row stays. So a key that is reused for something else finds
    the row of its first use, which must not be returned for the new request.
    """
    if any(getattr(found, name) != getattr(asked, name) for name in names):
        raise other_request()
