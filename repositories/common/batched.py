"""Several changes in one round trip to the database."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any, Protocol

from sqlalchemy import Executable, Insert, Update
from sqlalchemy.ext.asyncio import AsyncSession


class Writes(Protocol):
    """Executes statements that change rows: a session, a connection, or a block of `batched`."""

    def execute(self, statement: Executable, /) -> Awaitable[object]:
        """Execute the statement, now or at the end of the block."""


class _DeferredStatements:
    def __init__(self) -> None:
        self.statements: list[Insert | Update] = []

    async def execute(self, statement: Any, /) -> None:
        self.statements.append(statement)


@asynccontextmanager
async def batched(session: AsyncSession) -> AsyncIterator[Writes]:
    """Send what the block executes as one statement when the block ends.

    Each part sees the rows as before the block. So two parts must not change the same row, and no part must read what
    another one writes. Foreign keys between them are checked at the end.
    """
    kept = _DeferredStatements()
    yield kept
    if kept.statements:
        statement, *others = kept.statements
        parts = [each.cte(f"part_{number}") for number, each in enumerate(others)]
        await session.execute(statement.add_cte(*parts))
