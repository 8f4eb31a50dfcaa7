"""`python -m ledger`: `verify` proves the books of a live database, `reconcile` compares them with the providers.

A composition root like `server.py` and `worker.py`: it reads the settings, and collects the invariants of every noun.
Both exit with 1 when something is wrong, and with 2 when they could not be done. `stripes` says how many rows of each
hot account new connections spread their postings over.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from domain.accounts import HOT_STRIPES
from domain.errors import Invalid
from ledger.stripes import use_stripes
from ledger.verify import SLICE, Report
from ledger.verify import verify as verify_with
from repositories import clearing, credit_lot, debt, escrow, invoice, project
from runtime.settings import WrongSettings, read_settings

T = TypeVar("T")

#: In the order of the report.
INVARIANTS = (
    *debt.INVARIANTS,
    *escrow.INVARIANTS,
    *credit_lot.INVARIANTS,
    *clearing.INVARIANTS,
    *project.INVARIANTS,
    *invoice.INVARIANTS,
)


async def verify(connection: asyncpg.Connection, *, slice_size: int = SLICE) -> Report:
    """Check every rule of the books and of each noun; see `ledger.verify`."""
    return await verify_with(connection, INVARIANTS, slice_size=slice_size)


async def _connected(database_url: str, act: Callable[[asyncpg.Connection], Awaitable[T]]) -> T:
    """Do something over a connection of its own."""
    connection = await asyncpg.connect(database_url)
    try:
        return await act(connection)
    finally:
        await connection.close()


def _reconcile(given: argparse.Namespace) -> int:
    # Imported where it is used: `verify` does without providers and Temporal.
    from reconcile import run

    try:
        lines, status = run(given.provider, given.since, given.until)
    except (OSError, asyncpg.PostgresError, SQLAlchemyError) as error:
        sys.stderr.write(f"The database does not answer: {error}\n")
        return 2
    sys.stdout.write("\n".join(lines) + "\n")
    return status


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0 proven, 1 damaged, 2 not reachable or not set up."""
    parser = argparse.ArgumentParser(prog="python -m ledger", description="The books.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="prove that the books balance")
    command.add_argument("--database-url", help="default: BURSAR_PLATFORM_DATABASE_URL")
    comparing = commands.add_parser("reconcile", help="compare the books with what providers say")
    comparing.add_argument("--provider", help="one provider only; default: all that are set up")
    comparing.add_argument("--from", dest="since", help="default: the day before yesterday, 00:00 UTC")
    comparing.add_argument("--to", dest="until", help="default: now")
    striping = commands.add_parser("stripes", help="say how many stripes of each hot account are in use")
    striping.add_argument("number", type=int, help=f"1 to {HOT_STRIPES}; 16 in a new database")
    striping.add_argument("--database-url", help="of the owner; default: BURSAR_MIGRATION_DATABASE_URL")
    given = parser.parse_args(arguments)
    try:
        return {"verify": _prove, "reconcile": _reconcile, "stripes": _stripe}[given.command](given)
    except WrongSettings as wrong:
        sys.stderr.write("".join(f"error: {line}\n" for line in wrong.lines))
        return 2


def _stripe(given: argparse.Namespace) -> int:
    url = given.database_url or read_settings().migration_database_url
    try:
        asyncio.run(_connected(url, partial(use_stripes, number=given.number)))
    except Invalid as refusal:
        sys.stderr.write(f"error: {refusal.detail}\n")
        return 2
    except (OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"The number of stripes could not be changed: {error}\n")
        return 2
    sys.stdout.write(f"New connections use {given.number} stripes of each hot account.\n")
    return 0


def _prove(given: argparse.Namespace) -> int:
    url = given.database_url or read_settings().platform_database_url
    try:
        report = asyncio.run(_connected(url, verify))
    except (OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"The database does not answer: {error}\n")
        return 2
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 0 if report.ok else 1
