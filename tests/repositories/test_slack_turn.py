"""Turns of a Slack hook, shared by all workers."""

import asyncio
from datetime import timedelta

import pytest

from runtime.database import Database
from runtime.identity import new_id
from services.messages.slack_turns import SharedTurns
from tests.conftest import DatabaseUrls

pytestmark = pytest.mark.db

PAUSE, AT_MOST = timedelta(hours=1), timedelta(hours=5)


async def test_concurrent_senders_never_share_a_turn(db: Database, database_urls: DatabaseUrls) -> None:
    other, hook = Database(database_urls.tenant, database_urls.platform), new_id("hook")
    senders = [SharedTurns(db), SharedTurns(other)]
    taken = await asyncio.gather(
        *(senders[number % 2].take(hook, pause=PAUSE, at_most=AT_MOST) for number in range(10))
    )
    await other.close()
    hours = sorted(round(wait / PAUSE) for wait, is_taken in taken if is_taken)
    assert hours == [0, 1, 2, 3, 4, 5]
    # Whoever gets none hears when there may be one.
    assert {round(wait / PAUSE) for wait, is_taken in taken if not is_taken} == {6}


async def test_delay_requested_by_slack_applies_to_every_sender(db: Database) -> None:
    hook, free = new_id("hook"), new_id("hook")
    await SharedTurns(db).hold(hook, timedelta(hours=1))
    wait, taken = await SharedTurns(db).take(hook, pause=PAUSE, at_most=timedelta(seconds=5))
    assert (taken, round(wait / PAUSE)) == (False, 1)
    # A shorter time does not end a longer one, and other hooks go on.
    await SharedTurns(db).hold(hook, timedelta(seconds=1))
    assert await SharedTurns(db).take(hook, pause=PAUSE, at_most=timedelta(seconds=5)) != (timedelta(), True)
    assert await SharedTurns(db).take(free, pause=PAUSE, at_most=timedelta(seconds=5)) == (timedelta(), True)
