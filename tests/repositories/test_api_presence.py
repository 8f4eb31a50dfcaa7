"""The times at which the API was available, and its outages."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import text

from api.presence import Presence
from domain.escrow.outage import Outage
from repositories.common import api_presence
from runtime.database import Database
from tests.support.looking import again

pytestmark = pytest.mark.db


async def seen(database: Database, ago: str) -> None:
    async with database.platform() as session:
        await session.execute(
            text(
                f"UPDATE api_presence SET seen_at = clock_timestamp() - interval '{ago}', away_from = NULL,"
                " owed = NULL, owed_from = NULL"
            )
        )


async def outage(database: Database) -> Outage | None:
    async with database.platform() as session:
        return await api_presence.outage(session)


@pytest.fixture
async def presence(db: Database) -> AsyncIterator[Presence]:
    presence = Presence(db)
    await presence.note()
    yield presence
    # For the tests that come after it in this database, the API never was away.
    await seen(db, "-1000 days")


async def test_api_that_writes_again_soon_was_not_away(db: Database, presence: Presence) -> None:
    await seen(db, "50 seconds")
    await presence.note()
    assert await outage(db) is None


async def test_outage_lasts_until_a_process_writes_again(db: Database, presence: Presence) -> None:
    await seen(db, "2 hours")
    lasting = await outage(db)
    assert lasting is not None
    assert lasting.ended_at is None
    await presence.note()
    ended = await outage(db)
    assert ended is not None
    assert ended.ended_at is not None
    assert ended.began_at == lasting.began_at
    assert timedelta(hours=2) < ended.ended_at - ended.began_at < timedelta(hours=3)
    await presence.note()
    assert await outage(db) == ended


async def test_outage_during_the_compensation_of_an_earlier_one_keeps_its_rest(
    db: Database, presence: Presence
) -> None:
    hour = timedelta(hours=1)
    async with db.platform() as session:
        await session.execute(
            text("""
                UPDATE api_presence SET seen_at = clock_timestamp() - interval '2 hours',
                    away_from = clock_timestamp() - interval '13 hours',
                    away_until = clock_timestamp() - interval '3 hours'
            """)
        )
    lasting = await outage(db)
    assert lasting is not None
    # Ten hours away, then there for one.
    assert (round(lasting.owed / hour), lasting.ended_at) == (9, None)
    assert lasting.owed_from is not None
    assert round((lasting.began_at - lasting.owed_from) / hour) == 11
    await presence.note()
    ended = await outage(db)
    assert ended is not None
    assert ended.ended_at is not None
    assert replace(ended, ended_at=None) == lasting
    # Eleven hours are owed now. Once it was there for as long, nothing is.
    for there, owed in (("10 hours", 1), ("12 hours", 0)):
        async with db.platform() as session:
            await session.execute(
                text(f"""
                    UPDATE api_presence SET seen_at = clock_timestamp() - interval '2 hours',
                        away_until = clock_timestamp() - interval '2 hours' - interval '{there}',
                        away_from = clock_timestamp() - interval '4 hours' - interval '{there}'
                """)
            )
        found = await outage(db)
        assert found is not None
        assert (round(found.owed / hour), found.owed_from is None) == (owed, not owed)


async def test_process_records_its_presence_as_soon_as_it_starts(db: Database, presence: Presence) -> None:
    await seen(db, "2 hours")
    presence.start()
    while (found := await outage(db)) is None or found.ended_at is None:
        await again()
    await presence.close()
