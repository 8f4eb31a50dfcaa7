"""The job that reads exchange rates from a daily file, and what spend controls make of them."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction

import httpx2
import pytest
from sqlalchemy import text
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.books.reference_rates import ReferenceRateActivities
from contracts.books.reference_rates import NotedReferenceRates, NoteReferenceRates
from dev.sandbox.chains.reference_rates import written
from domain.common.access import Actor, Role
from domain.common.calendar import Window
from domain.common.credits import CreditPrice
from domain.credits.spend.control import Limit
from domain.credits.spend.rate import exchange_rate
from ledger.spends import SpendOutcome
from providers.reference_rates import EcbFile
from repositories.books import spend_rate
from repositories.common.listing import ListFilter
from runtime.database import Database
from runtime.identity import new_id
from runtime.jobs import REFERENCE_RATES
from services.books import exchange_rate as exchange_rates
from tests.support.chains import answering
from tests.support.histories import replay_and_keep
from tests.support.spend_world import NOW, World
from tests.workflows.conftest import with_plugin
from workflows.books.reference_rates import ReferenceRatesWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

PRICE = CreditPrice(price=Decimal("0.10"), currency="USD")
DAY, SECOND = timedelta(days=1), timedelta(seconds=1)
#: At eight in the morning, after the world was made.
MORNING = datetime.combine(NOW.date() + DAY, time(8), UTC)


@dataclass
class Source:
    """A file that a test dates, and the activity that reads it."""

    database: Database
    day: date
    cad: str = "1.5"

    def __post_init__(self) -> None:
        http = answering(
            lambda _: httpx2.Response(200, text=written(self.day, {"USD": "1.25", "CAD": self.cad, "XXX": "1"}))
        )
        file = EcbFile(http, "https://ecb.example/daily.xml")
        self.work = ReferenceRateActivities(self.database, file, PRICE, max_age=7 * DAY)

    async def read(self, now: datetime) -> NotedReferenceRates:
        return await self.work.note_reference_rates(NoteReferenceRates(now=now))


async def in_force(database: Database, at: datetime) -> dict[str, tuple[Fraction, str]]:
    async with database.platform() as session:
        rows = await spend_rate.in_force(session, "USD", at, ListFilter())
    return {row.quote: (spend_rate.rate_of(row).rate, row.source) for row in rows}


async def set_by_hand(database: Database, rate: str, now: datetime, valid_for: timedelta) -> None:
    made = exchange_rate(base="USD", quote="CAD", rate=rate, price=PRICE, now=now, valid_for=valid_for)
    async with database.platform() as session:
        await exchange_rates.put(session, Actor(principal="op", role=Role.OPERATOR), made, PRICE)


async def number(database: Database, query: str) -> int:
    async with database.platform() as session:
        return int((await session.execute(text(query))).scalar_one())


async def counted_cad(database: Database) -> int:
    return await number(database, "SELECT coalesce(sum(spent), 0) FROM ledger.counters")


async def test_a_budget_in_another_currency_works_once_the_file_is_read(
    database: Database, timeskip_env: WorkflowEnvironment
) -> None:
    queue, client, now = new_id("queue"), with_plugin(timeskip_env.client), NOW
    world, source = await World(database).begin(), Source(database, now.date())
    await world.limit(Limit(window=Window.LIFETIME, amount_minor=24), asset="CAD")
    assert await world.spend(1, now) is SpendOutcome.REFUSED
    async with Worker(
        client, task_queue=queue, workflows=[ReferenceRatesWorkflow], activities=[source.work.note_reference_rates]
    ):
        handle = await client.start_workflow(ReferenceRatesWorkflow.run, id=new_id("rates"), task_queue=queue)
        assert await handle.result() == NotedReferenceRates(day=source.day, count=2)
        assert "has 2 rates" in str(await handle.query("__temporal_workflow_metadata"))
        await replay_and_keep(await handle.fetch_history(), "reference-rates/completed")
    later = datetime.now(UTC) + SECOND
    assert await in_force(database, later) == {
        "CAD": (Fraction(6, 5), "ecb.example"),
        "EUR": (Fraction(4, 5), "ecb.example"),
    }
    # A credit is 0.12 CAD.
    assert [await world.spend(1, later) for _ in range(3)] == [
        SpendOutcome.CHARGED,
        SpendOutcome.CHARGED,
        SpendOutcome.REFUSED,
    ]
    assert await ReferenceRateActivities(database, None, PRICE, max_age=DAY).note_reference_rates(
        NoteReferenceRates(now=later)
    ) == NotedReferenceRates(day=None, count=0)


async def test_operators_rate_takes_precedence_over_the_file_until_it_expires(database: Database) -> None:
    now = MORNING
    world, source = await World(database).begin(), Source(database, now.date())
    await world.limit(Limit(window=Window.LIFETIME, amount_minor=1_000_000), asset="CAD")
    await set_by_hand(database, "2", now, 2 * DAY)
    assert (await source.read(now + SECOND)).count == 2
    # What was set later than the file was read goes before it as well, and so does an older one before a newer file.
    source.day, source.cad = source.day + DAY, "1.25"
    await source.read(now + DAY)
    counted = {}
    for hours in (12, 36, 49):
        at = now + timedelta(hours=hours)
        before = await counted_cad(database)
        assert await world.spend(1, at) is SpendOutcome.CHARGED
        counted[hours] = await counted_cad(database) - before
    # 0.10 dollars at 2 by hand, then at 1.25/1.25 from the newer file.
    assert counted == {12: 20, 36: 20, 49: 10}
    assert (await in_force(database, now + 1.5 * DAY))["CAD"] == (Fraction(2), "operator")
    assert (await in_force(database, now + 49 * timedelta(hours=1)))["CAD"] == (Fraction(1), "ecb.example")


async def test_file_is_stored_once_and_not_used_when_it_is_too_old(database: Database) -> None:
    now = MORNING
    world, source = await World(database).begin(), Source(database, now.date())
    await world.limit(Limit(window=Window.LIFETIME, amount_minor=1_000_000), asset="CAD")
    for hour in range(3):
        assert (await source.read(now + timedelta(hours=hour))).count == 2
    assert await number(database, "SELECT count(*) FROM ledger.rates WHERE quote = 'CAD'") == 2
    ends_at = datetime.combine(source.day + 8 * DAY, time(), UTC)
    assert await world.spend(1, ends_at - SECOND) is SpendOutcome.CHARGED
    assert (await source.read(ends_at)).count == 0
    assert await world.spend(1, ends_at) is SpendOutcome.REFUSED
    assert await in_force(database, ends_at) == {}
    source.day += DAY
    assert (await source.read(ends_at)).count == 2
    assert await world.spend(1, ends_at) is SpendOutcome.CHARGED


async def test_new_price_of_a_credit_counts_at_the_rate_of_the_file_as_well(database: Database) -> None:
    now = MORNING
    world, source = await World(database).begin(), Source(database, now.date())
    await world.limit(Limit(window=Window.LIFETIME, amount_minor=1_000_000), asset="CAD")
    await source.read(now)
    await set_by_hand(database, "2", now, DAY)
    async with database.platform() as session:
        await exchange_rates.store_price(session, CreditPrice(price=Decimal("0.20"), currency="USD"), now + SECOND)
    assert await world.spend(1, now + 2 * DAY) is SpendOutcome.CHARGED
    assert await counted_cad(database) == 24


def test_file_is_read_every_hour_and_at_once_where_it_is_new() -> None:
    assert [interval.every for interval in REFERENCE_RATES.spec.intervals] == [timedelta(hours=1)]
    assert REFERENCE_RATES.at_once
