"""`manage recognise-revenue`: books revenue from the uses of lots of credits now, as the schedule does."""

import argparse
import asyncio
import sys

import asyncpg

from commands.base import connected
from ledger.revenue import Revenue
from runtime.settings import read_settings

#: How many uses of lots one transaction books.
BATCH = 2_000


async def recognise(connection: asyncpg.Connection) -> int:
    """Book page by page, each in a transaction of its own, and return how many uses there were."""
    revenue, total, done = Revenue(connection), 0, BATCH
    await revenue.mark()
    while done == BATCH:
        done = await revenue.recognise(limit=BATCH)
        total += done
    return total


def run(given: argparse.Namespace) -> int:
    count = asyncio.run(connected(given.database_url or read_settings().platform_database_url, recognise))
    sys.stdout.write(f"{count} uses of lots were booked.\n")
    return 0
