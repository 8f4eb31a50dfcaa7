"""`manage recognise-revenue`: recognises revenue from uses of lots now, as the schedule does."""

import argparse
import asyncio
import sys

import asyncpg

from commands.base import connected
from ledger.revenue import Revenue
from runtime.settings import read_settings

#: Uses of lots per transaction.
BATCH = 2_000


async def recognise(connection: asyncpg.Connection) -> int:
    """Book page by page, each in its own transaction, and return the number of uses."""
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
