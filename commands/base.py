"""What the commands have in common: how they fail, and a connection of their own to the database."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from commands.failure import CommandFailed

T = TypeVar("T")


@contextmanager
def asking_the_database() -> Iterator[None]:
    """End the command with one line where the database cannot be reached or refuses."""
    try:
        yield
    except (OSError, asyncpg.PostgresError, SQLAlchemyError) as error:
        raise CommandFailed(f"The database does not answer: {error}") from error


async def connected(database_url: str, act: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Do something over a connection of its own.

    Raises:
        CommandFailed: the database cannot be reached or refuses.
    """
    with asking_the_database():
        connection = await asyncpg.connect(database_url)
        try:
            return await act(connection)
        finally:
            await connection.close()
