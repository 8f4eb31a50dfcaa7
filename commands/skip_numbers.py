"""`manage skip-numbers`: has documents and events go on behind a gap of numbers, after the books were restored.

Documents that were issued after the restored moment are gone here, and somebody may have them; so are events that
webhooks have sent. Their numbers must not be given again. How many there were is not known, so the gap has to be wider
than that. It is recorded, and `manage verify` takes no other one.
"""

import argparse
import asyncio
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import asyncpg

from commands.base import connected
from commands.failure import CommandFailed
from domain.billing.invoice.series import DocumentType, entity_of, number_text
from runtime.settings import Settings, read_settings

#: The name of the gap in the numbers of events.
EVENTS = "event"
#: How many numbers of each series are passed over, unless the operator says otherwise.
MARGIN = 1_000


@dataclass(frozen=True, slots=True)
class NumberGap:
    series: str
    first: int
    last: int

    def line(self) -> str:
        if self.series == EVENTS:
            return f"Events of each subject go on at {self.last + 1}: {self.first} to {self.last} are passed over"
        first, last, after = (number_text(number, self.series) for number in (self.first, self.last, self.last + 1))
        return f"{first} to {last} are passed over: the next one is {after}"


def configured_entities(settings: Settings) -> Sequence[str]:
    """Return the codes of the legal entities of the settings: the first document of one may be lost."""
    codes = (entity_of(series) for series in settings.entities.series(DocumentType.INVOICE))
    return [code for code in codes if code is not None]


async def skip(connection: asyncpg.Connection, by: int, entities: Sequence[str] = ()) -> Sequence[NumberGap]:
    """Pass over the next numbers of each series, and record that; the connection is the owner's.

    Args:
        connection: the owner's.
        by: how many numbers.
        entities: the codes of legal entities, beside those that the books know.
    """
    rows = await connection.fetch(
        "SELECT series, first, last FROM skip_numbers($1, $2, $3) ORDER BY series",
        [each.value for each in DocumentType],
        by,
        list(entities),
    )
    return [NumberGap(**row) for row in rows]


def run(given: argparse.Namespace) -> int:
    if given.by < 1:
        raise CommandFailed("--by must be 1 or more.")
    settings = read_settings()
    url, entities = given.database_url or settings.migration_database_url, configured_entities(settings)
    for gap in asyncio.run(connected(url, lambda connection: skip(connection, given.by, entities))):
        sys.stdout.write(f"{gap.line()}\n")
    return 0
