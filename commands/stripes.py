"""`manage stripes`: sets the number of stripes of each hot account for new connections."""

import argparse
import asyncio
import sys
from functools import partial

from commands.base import connected
from commands.failure import CommandFailed
from domain.common.errors import Invalid
from ledger.stripes import use_stripes
from runtime.settings import read_settings


def run(given: argparse.Namespace) -> int:
    url = given.database_url or read_settings().migration_database_url
    try:
        asyncio.run(connected(url, partial(use_stripes, number=given.number)))
    except Invalid as refusal:
        raise CommandFailed(refusal.detail) from refusal
    sys.stdout.write(f"New connections use {given.number} stripes of each hot account.\n")
    return 0
