"""Shared code of the commands: failures, and database connections."""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import asyncpg
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from commands.failure import CommandFailed
from runtime.database import plain_url

T = TypeVar("T")


@contextmanager
def asking_the_database() -> Iterator[None]:
    """Convert database errors to a failure with one line."""
    try:
        yield
    except (OSError, asyncpg.PostgresError, SQLAlchemyError) as error:
        raise CommandFailed(f"The database does not answer: {error}") from error


async def connected(database_url: str, act: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Run a function with a new connection.

    Raises:
        CommandFailed: the URL is invalid, or the database is unreachable or refuses.
    """
    with asking_the_database():
        connection = await _connection(database_url)
        try:
            return await act(connection)
        finally:
            await connection.close()


async def _connection(database_url: str) -> asyncpg.Connection:
    # The parser's message is not shown, because it may quote the password.
    wrong = CommandFailed(
        "The database URL cannot be read. It must have the form postgresql://USER:PASSWORD@HOST:PORT/DATABASE."
    )
    try:
        if make_url(database_url).get_backend_name() not in {"postgresql", "postgres"}:
            raise wrong
        return await asyncpg.connect(plain_url(database_url))
    except (ArgumentError, ValueError):
        raise wrong from None
