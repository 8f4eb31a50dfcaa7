"""`python -m ledger verify` proves the books of a live database and exits with 1 when they are damaged."""

import argparse
import asyncio
import sys

import asyncpg

from ledger.verify import Report, verify
from runtime.settings import Settings


async def _verify(database_url: str) -> Report:
    connection = await asyncpg.connect(database_url)
    try:
        return await verify(connection)
    finally:
        await connection.close()


def main(arguments: list[str] | None = None) -> int:
    """Run the command and return its exit status: 0 proven, 1 damaged, 2 not reachable."""
    parser = argparse.ArgumentParser(prog="python -m ledger", description="The books.")
    commands = parser.add_subparsers(dest="command", required=True)
    command = commands.add_parser("verify", help="prove that the books balance")
    command.add_argument("--database-url", help="default: BURSAR_PLATFORM_DATABASE_URL")
    given = parser.parse_args(arguments)
    try:
        report = asyncio.run(_verify(given.database_url or Settings().platform_database_url))
    except (OSError, asyncpg.PostgresError) as error:
        sys.stderr.write(f"The database does not answer: {error}\n")
        return 2
    sys.stdout.write("\n".join(report.lines()) + "\n")
    return 0 if report.ok else 1


if __name__ == "__main__":
    raise SystemExit(main())
