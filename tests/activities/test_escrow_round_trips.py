"""Round trips of an escrow's event to PostgreSQL, during which the row is locked."""

from collections import Counter
from datetime import UTC, datetime

import pytest

from activities.escrow.escrow import EscrowActivities
from domain.escrow import commands as rules
from domain.escrow.state import Outcome
from runtime.database import Database
from runtime.identity import new_id
from tests.conftest import DatabaseUrls
from tests.support.listening import Listening
from tests.workflows.behind import message_of
from tests.workflows.conftest import Stage

pytestmark = pytest.mark.db


@pytest.fixture
async def listened(fresh_database_urls: DatabaseUrls):
    """Funding takes another round trip if another test has set levels of reputation."""
    database = Database(fresh_database_urls.tenant, fresh_database_urls.platform, pre_ping=False)
    yield database, Listening(database)
    await database.close()


async def test_event_takes_the_minimum_of_round_trips(listened):
    database, listening = listened
    job, now = await Stage(None, None, database, None).award(), datetime.now(UTC)

    async def trips(outcome: Outcome) -> Counter[str]:
        message = await message_of(job, outcome, new_id("cmd"))
        listening.heard()
        assert (await EscrowActivities(database).record_event(message)).applied
        return Counter(listening.heard())

    transaction = {"BEGIN": 1, "COMMIT": 1}
    # The contract is read, which has no escrow whose row would be locked.
    opened = await trips(rules.opened(job.terms, actor=job.procurement, now=now))
    assert opened == {**transaction, "SELECT": 1, "WITH": 1}
    # The row is read, no payment was made and both parties may begin something, and an account is opened and paid into.
    funded = await trips(rules.fund(await job.state(), actor=job.procurement, source="credits", now=now))
    assert funded == {**transaction, "SELECT": 2, "WITH": 2}
    delivery = rules.deliver(await job.state(), actor=job.bot, artifacts=(), note=None, milestone=None, now=now)
    assert await trips(delivery) == {**transaction, "SELECT": 1, "WITH": 1}
    # What nobody paid for and whether the payee has owed is asked at once, the result of the work is written, and what
    # the end says of the agent is taken.
    released = rules.validate(await job.state(), actor=job.validator, score_e4=10_000, note=None, now=now)
    assert await trips(released) == {**transaction, "SELECT": 3, "WITH": 3}
