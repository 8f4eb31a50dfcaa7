"""A process that exports, or sends events to the search index, and kills itself at every page once.

    python -m tests.faults.insight_victim TENANT_URL PLATFORM_URL FOLDER export EXPORT_ID
    python -m tests.faults.insight_victim TENANT_URL PLATFORM_URL FOLDER index SEARCH_URL

It ends with 0 when everything is done. What it was killed at is in the folder `died` below FOLDER.
"""

import asyncio
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx2
from temporalio.testing import ActivityEnvironment

from activities.insight.export import ExportActivities
from activities.insight.search_index import SearchIndexActivities
from contracts.insight.export import ExportInput, FinishExport, SettleExport, WriteExportFile
from contracts.insight.search_index import IndexEvents
from providers.files import Files
from providers.search_index import SearchIndex, Sent
from runtime.database import Database

#: How many rows a file, and events a page, has.
PAGE = 3


class Once:
    """Kills the process at a place that it was never killed at."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "died"
        self._folder.mkdir(exist_ok=True)

    def die_at(self, place: str) -> None:
        mark = self._folder / place.replace("/", "-")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)


class DeadlyFiles(Files):
    """Kills the process once after each file."""

    def __init__(self, folder: Path, once: Once) -> None:
        super().__init__(str(folder / "kept"))
        self._once = once

    async def put(self, path: str, content: Path | bytes) -> None:
        await super().put(path, content)
        self._once.die_at(path)


class DeadlyIndex(SearchIndex):
    """Kills the process once after each page."""

    once: Once

    async def create(self, documents: Sequence[tuple[str, str, Mapping[str, Any]]]) -> Sent:
        sent = await super().create(documents)
        self.once.die_at(documents[0][1])
        return sent


async def export(database: Database, folder: Path, export_id: str) -> None:
    does, env = ExportActivities(database, DeadlyFiles(folder, Once(folder)), rows_per_file=PAGE), ActivityEnvironment()
    await env.run(does.settle, SettleExport(export_id=export_id))
    at, last = ExportInput(export_id=export_id, summary=""), False
    while not last:
        done = await env.run(does.write_file, WriteExportFile(export_id=export_id, number=at.number))
        last, at = at.is_last(done), at.plus(done)
    await env.run(does.finish, FinishExport(export_id=export_id, now=datetime.now(UTC)))


async def index(database: Database, folder: Path, url: str) -> None:
    async with httpx2.AsyncClient(trust_env=False, timeout=60) as client:
        to = DeadlyIndex(client, url, name="events", months=24)
        to.once = Once(folder)
        does = SearchIndexActivities(database, to, page=PAGE)
        while (await ActivityEnvironment().run(does.index, IndexEvents(seconds=0))).read:
            pass


async def main(tenant: str, platform: str, folder: str, what: str, name: str) -> None:
    database = Database(tenant, platform, pool_size=2)
    await {"export": export, "index": index}[what](database, Path(folder), name)
    await database.close()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
