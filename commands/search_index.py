"""`manage search-index`: builds the search index anew, or prints the events that it refused."""

import argparse
import asyncio
import sys

from commands.base import asking_the_database
from commands.failure import CommandFailed
from composition import make_search_index, search_index_client
from providers.payments.base import ProviderUnavailable
from repositories.insight import search_index as store
from runtime.database import Database
from runtime.settings import Settings, read_settings

#: How many refused events are printed.
SHOWN = 1_000


def run(given: argparse.Namespace) -> int:
    settings = read_settings()
    if settings.search_index_url is None:
        raise CommandFailed("There is no search index. Set BURSAR_SEARCH_INDEX_URL.")
    with asking_the_database():
        return asyncio.run(_act(settings, given.action))


async def _act(settings: Settings, action: str) -> int:
    database = Database(settings.database_url, settings.platform_database_url, pool_size=1)
    client = search_index_client(settings)
    try:
        if action == "refused":
            async with database.platform() as session:
                for row in await store.refusals(session, SHOWN):
                    sys.stdout.write(f"{row.at:%Y-%m-%dT%H:%M:%SZ}  {row.event_id}  {row.index_name}  {row.reason}\n")
            return 0
        index = make_search_index(settings, client)
        assert index is not None
        # The cursor goes first: what is sent meanwhile is deleted, or found by its id.
        async with database.platform() as session:
            await store.restart(session)
        names = await index.indices()
        for name in names:
            await index.drop(name)
        async with database.platform() as session:
            await store.restart(session)
    except ProviderUnavailable as error:
        raise CommandFailed(error.detail) from error
    finally:
        await client.aclose()
        await database.close()
    sys.stdout.write(f"{len(names)} indices were deleted. The worker sends all events again.\n")
    return 0
