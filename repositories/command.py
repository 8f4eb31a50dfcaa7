"""Rows that a command made: running the command again finds its row, and another request is refused."""

from collections.abc import Iterable
from typing import Any, TypeVar

from sqlalchemy import func, inspect, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.errors import other_request as other_request  # callers that keep what a command asked for raise it too
from models.base import Base

Row = TypeVar("Row", bound=Base)


async def add_once(session: AsyncSession, row: Row, asked: Iterable[str]) -> tuple[Row, bool]:
    """Insert a row that a command makes, or find the one that it made; the second value tells which.

    Args:
        session: of the client or the platform.
        row: the new row of a table with a unique `command_id`; `created_at` is the database's.
        asked: the columns that the request settles; the others may differ in a repetition.

    Raises:
        IdempotencyConflict: the command made another one.
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
    found = await made_before(session, row, asked)
    assert found is not None
    return found, False


async def lock_command(session: AsyncSession, command_id: str) -> None:
    """Let nobody else work on the command until the transaction ends: whoever runs it twice at once waits here."""
    await session.execute(select(func.pg_advisory_xact_lock(func.hashtextextended(command_id, 0))))


async def made_by(session: AsyncSession, model: type[Row], command_id: str) -> Row | None:
    """Return the row of a table with a unique `command_id` that a command made, if it did and the session sees it."""
    table: Any = model
    found: Row | None = (await session.scalars(select(table).where(table.command_id == command_id))).one_or_none()
    return found


async def made_before(session: AsyncSession, row: Row, asked: Iterable[str]) -> Row | None:
    """Return the row that this row's command made, if it did.

    Raises:
        IdempotencyConflict: the command made another one.
    """
    wanted: Any = row
    found = await made_by(session, type(row), wanted.command_id)
    if found is not None:
        refuse_other(found, row, asked)
    return found


def refuse_other(found: Base, asked: Base, names: Iterable[str]) -> None:
    """Refuse a request whose command has made another row than it asks for.

    The answers to keys are forgotten after a while, the rows stay. So a key that is used again for something else finds
    the row of its first use, which must not pass for what was asked for now.

    Raises:
        IdempotencyConflict: one of the named columns differs.
    """
    if any(getattr(found, name) != getattr(asked, name) for name in names):
        raise other_request()
