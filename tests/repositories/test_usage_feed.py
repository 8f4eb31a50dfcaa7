"""The feed of usage events loses nothing, however late events commit."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime
from uuid import UUID

import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.errors import Conflict
from domain.usage.event import digest_of
from models.usage.usage import UsageEventRow
from repositories.usage.usage import open_months, record
from repositories.usage.usage_feed import BEGINNING, FeedPosition, read_after
from runtime.database import Database, driver_connection
from tests.conftest import DatabaseUrls
from tests.support.outbox import past_others

pytestmark = pytest.mark.db

NOW = datetime.now(UTC)


@pytest.fixture
async def database(fresh_database_urls: DatabaseUrls) -> AsyncIterator[Database]:
    made = Database(fresh_database_urls.tenant, fresh_database_urls.platform)
    async with made.platform() as session:
        await open_months(await driver_connection(session), NOW, NOW)
    yield made
    await made.close()


async def write(session: AsyncSession, *names: str, org_id: str = "org_1") -> None:
    texts = ("source", "event_id", "type", "action")
    rows = [
        {
            **dict.fromkeys(texts, name),
            **{"digest": digest_of(org_id, "feed", name), "content": 1, "refused": False, "data": {}, "meters": []},
            "occurred_at": NOW,
        }
        for name in names
    ]
    await record(await driver_connection(session), org_id, rows, received_at=NOW, sent_by="feed")


async def read(database: Database, after: FeedPosition, limit: int = 100) -> tuple[list[str], FeedPosition]:
    async with database.platform() as session:
        page = await read_after(session, after, limit=limit)
    return [row.event_id for row in page.rows], page.place


async def test_pitfall_38_late_commit_is_not_lost(database: Database) -> None:
    async with database.platform() as late:
        await write(late, "late")
        async with database.platform() as session:
            await write(session, "early", org_id="org_2")
        # What was committed waits for what was begun before it.
        assert await read(database, BEGINNING) == ([], BEGINNING)
    await past_others(database)
    names, place = await read(database, BEGINNING)
    assert names == ["late", "early"]
    assert await read(database, place) == ([], place)


async def test_pitfall_38_readers_among_writers_get_every_event_once_in_one_order(database: Database) -> None:
    writing = True

    async def write_some(name: str) -> None:
        for number in range(10):
            async with database.platform() as session:
                await write(session, *(f"{name}-{number}-{each}" for each in range(3)))

    async def follow(limit: int) -> Sequence[str]:
        seen, place = list[str](), BEGINNING
        while True:
            ending = not writing
            names, place = await read(database, place, limit)
            seen += names
            if ending and not names:
                return seen

    readers = [asyncio.create_task(follow(limit)) for limit in (1, 7, 100)]
    await asyncio.gather(*(write_some(name) for name in "abcd"))
    await past_others(database)
    writing = False
    first, *others = await asyncio.gather(*readers)
    assert len(first) == len(set(first)) == 4 * 10 * 3
    assert all(other == first for other in others)


async def test_rolled_back_event_is_never_shown(database: Database) -> None:
    async with database.platform() as session:
        await write(session, "gone")
        await session.rollback()
    async with database.platform() as session:
        await write(session, "kept")
    await past_others(database)
    assert (await read(database, BEGINNING))[0] == ["kept"]


async def test_place_of_another_cluster_is_refused(database: Database) -> None:
    with pytest.raises(Conflict) as refusal:
        await read(database, FeedPosition(2**60, UUID(int=0)))
    assert refusal.value.error_code == "usage.foreign_place"


async def test_feed_shows_written_events(database: Database) -> None:
    async with database.platform() as session:
        await write(session, "one")
    await past_others(database)
    async with database.platform() as session:
        [row] = (await read_after(session, BEGINNING, limit=1)).rows
    assert isinstance(row, UsageEventRow)
    assert (row.org_id, row.source, row.occurred_at) == ("org_1", "one", NOW)
