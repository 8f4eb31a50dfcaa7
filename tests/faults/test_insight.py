"""An export and the search index match the tables row for row after `kill -9` at every page."""

import asyncio
import csv
import signal
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from dev.stack.migrate import ROOT
from domain.insight import export as exported
from domain.insight.export import ExportStatus
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from models.insight.export import ExportRow
from models.messages.event import EventRow
from repositories.insight import export as exports
from repositories.messages import event
from runtime.database import Database
from runtime.identity import new_id
from tests.support.notifications import an_organization
from tests.support.outbox import past_others
from tests.support.search import found, search_server

pytestmark = pytest.mark.db

EVENTS = 11


async def until_done(urls: Any, folder: Path, what: str, name: str) -> int:
    """Restart the process until it ends normally, and return how often it was killed."""
    command = ["-m", "tests.faults.insight_victim", urls.tenant, urls.platform, str(folder), what, name]
    killed = 0
    while True:
        process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=ROOT)
        code = await process.wait()
        if code == 0:
            return killed
        assert code == -signal.SIGKILL
        killed += 1


@pytest.fixture
async def books(fresh_database_urls: Any) -> Any:
    """A separate database with some events."""
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform)
    org_id = await an_organization(database)
    data = CATALOGUE["payment.succeeded"].example
    async with database.platform() as session:
        events = [
            Event(type="payment.succeeded", org_id=org_id, subject=new_id("pay"), data=data) for _ in range(EVENTS)
        ]
        await event.record(session, events)
    yield database
    await database.close()


async def ids(database: Database) -> list[str]:
    async with database.platform() as session:
        return sorted(await session.scalars(select(EventRow.id)))


async def test_an_export_killed_at_every_page_has_the_rows_of_the_table(
    books: Database, fresh_database_urls: Any, tmp_path: Path
) -> None:
    now = datetime.now(UTC) + timedelta(minutes=1)
    row = ExportRow(
        id=new_id("exp"),
        dataset="events",
        format="csv",
        since=now - timedelta(days=1),
        until=now,
        status=ExportStatus.QUEUED.value,
        rows_done=0,
        created_by="test",
        command_id=new_id("cmd"),
        created_at=now,
    )
    async with books.platform() as session:
        session.add(row)
    killed = await until_done(fresh_database_urls, tmp_path, "export", row.id)
    async with books.platform() as session:
        done, files = await exports.get(session, row.id), await exports.files(session, row.id)
    # Once at each file, and at the manifest.
    assert killed == len(files) + 1 >= 5
    names = {file.number: exported.file_name("events", file.number, "csv") for file in files}
    paths = [tmp_path / "kept" / exported.storage_path(row.id, names[file.number], file.sha256) for file in files]
    written = [line["id"] for path in paths for line in csv.DictReader(path.read_text().splitlines())]
    assert sorted(written) == await ids(books)
    assert (done.status, done.rows_done) == (ExportStatus.DONE.value, len(written))


async def test_the_search_index_killed_at_every_page_has_the_events_of_the_outbox(
    books: Database, fresh_database_urls: Any, tmp_path: Path
) -> None:
    await past_others(books)
    with search_server() as url:
        killed = await until_done(fresh_database_urls, tmp_path, "index", url)
        assert sorted(await found(url)) == await ids(books)
    assert killed >= EVENTS // 3
