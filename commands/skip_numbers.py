"""`manage skip-numbers`: has each series of documents go on behind a gap, after the books were restored.

Documents that were issued after the restored moment are gone here, and somebody may have them. Their numbers must not
be given again. How many there were is not known, so the gap has to be wider than that. It is recorded, and
`manage verify` takes no other one.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from commands.base import connected
from commands.failure import CommandFailed
from domain.invoice.series import DocumentType, number_text
from runtime.settings import read_settings

#: How many numbers of each series are passed over, unless the operator says otherwise.
MARGIN = 1_000


@dataclass(frozen=True, slots=True)
class Gap:
    """The numbers of a series that are not given."""

    series: str
    first: int
    last: int

    def line(self) -> str:
        """Write it for an operator."""
        first, last, after = (number_text(number, self.series) for number in (self.first, self.last, self.last + 1))
        return f"{first} to {last} are passed over: the next one is {after}"


async def skip(connection: asyncpg.Connection, by: int) -> Sequence[Gap]:
    """Pass over the next numbers of each series, and record that; the connection is the owner's."""
    rows = await connection.fetch(
        "SELECT series, first, last FROM skip_numbers($1, $2) ORDER BY series",
        [each.value for each in DocumentType],
        by,
    )
    return [Gap(**row) for row in rows]


def run(given: argparse.Namespace) -> int:
    """Make the gaps, and print them."""
    if given.by < 1:
        raise CommandFailed("--by must be 1 or more.")
    url = given.database_url or read_settings().migration_database_url
    for gap in asyncio.run(connected(url, lambda connection: skip(connection, given.by))):
        sys.stdout.write(f"{gap.line()}\n")
    return 0
