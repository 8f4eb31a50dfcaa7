"""Stories of the simulated year that are short enough for tests; `make year` plays all of it."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dev.year import books
from dev.year.market import Market, at
from dev.year.proof import Proof
from dev.year.story import BERLIN, NEW_YORK, SYDNEY, Month, Spring, Story, next_leap_year, settings
from dev.year.world import running
from tests.conftest import DatabaseUrls
from tests.support.seeds import RUN_SEED

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

YEAR = next_leap_year()

Play = Callable[[type[Spring] | type[Month], datetime], Awaitable["Played"]]


class Played:
    """A story that was played: what it said, what ties out, and what is asked of its books before they are gone."""

    def __init__(self, story: Story) -> None:
        self.story, self.market = story, story.market
        self.said: list[str] = []
        self.ties: list[str] = []
        self.books: list[str] = []
        self.rows: dict[str, list[dict[str, Any]]] = {}

    def come_of(self, words: str) -> str:
        """Return the result of the action with this label."""
        [line] = [each for each in self.said if words in each]
        return line.partition(words)[2].removeprefix(": ")


@pytest.fixture
def play(tmp_path: Path, fresh_database_urls: DatabaseUrls) -> Play:
    urls = fresh_database_urls

    async def play(kind: type[Spring] | type[Month], start: datetime) -> Played:
        database = (urls.owner, urls.tenant, urls.platform)
        async with running(tmp_path, database, start, settings("use"), job_days=16) as world:
            played = Played(kind(Market(world, random.Random(RUN_SEED)), YEAR))
            await played.story.cast()
            await played.story.play(played.said.append)
            played.ties = await Proof(played.market).prove()
            played.books = await books.read(world, YEAR, played.story.months)
            for name, sql in QUERIES.items():
                played.rows[name] = [dict(row) for row in await world.books.fetch(sql)]
        return played

    return play


QUERIES = {
    "periods": "SELECT org_id, month, starts_at, ends_at, charges_minor FROM billed_periods",
    "trials": "SELECT s.org_id, (s.state->>'trial_end')::timestamptz AS ends_at FROM subscription_trials t"
    " JOIN subscriptions s ON s.id = t.subscription_id",
    "bills": "SELECT org_id, period_start, period_end FROM subscription_bills ORDER BY period_start",
}


async def test_a_trial_month_ends_and_changes_of_clocks_in_three_zones_tie_out(play: Play) -> None:
    spring = await play(Spring, datetime(YEAR, 2, 27, tzinfo=UTC))
    assert len(spring.ties) > 10
    alba, bolt, cove = [spring.market.customers[name].org_id for name in ("Alba", "Bolt", "Cove")]
    # A month is whole in its own zone: an hour shorter where clocks go forward in it.
    march = {
        row["org_id"]: row["ends_at"] - row["starts_at"] for row in spring.rows["periods"] if row["month"].month == 3
    }
    assert march == {
        alba: timedelta(days=31, hours=-1),
        bolt: timedelta(days=31, hours=-1),
        cove: timedelta(days=31),
    }
    for org, zone in ((alba, BERLIN), (bolt, NEW_YORK), (cove, SYDNEY)):
        [ends] = [row["ends_at"] for row in spring.rows["periods"] if (row["org_id"], row["month"].month) == (org, 3)]
        assert ends.astimezone(ZoneInfo(zone)) == at(zone, YEAR, 4, 1, 0)
    # The last hour of February and the first one of March are on two invoices.
    charged = {row["month"].month: row["charges_minor"] for row in spring.rows["periods"] if row["org_id"] == cove}
    assert charged[2] * 90 == charged[3] * 40 > 0
    # A trial is 14 times 24 hours, as at Stripe, so it ends an hour later by the clock.
    [trial] = spring.rows["trials"]
    assert (trial["org_id"], trial["ends_at"].astimezone(ZoneInfo(NEW_YORK)).hour) == (bolt, 11)
    assert spring.come_of("Bolt tries premium, beyond the change of clocks") == "trialing"
    assert spring.come_of("Cove tries premium with the same card") == "refused"
    assert spring.market.refused["subscription.trial_used"] == 1
    # A period that began on the leap day ends on the 29th.
    [first, second] = [row for row in spring.rows["bills"] if row["org_id"] == alba]
    assert first["period_end"] == second["period_start"]
    assert (first["period_end"].month, first["period_end"].day) == (3, 29)
    assert spring.come_of("waits until Lumen is paid out").endswith("USD paid")
    read = "\n".join(spring.books)
    for words in ("Trial balance", "Profit and loss by quarter, USD", "Balance sheet", "deferred_subscriptions"):
        assert words in read


async def test_the_month_of_the_demo_has_credits_first_a_card_that_is_dunned_and_a_payout(play: Play) -> None:
    month = await play(Month, datetime(YEAR, 1, 1, tzinfo=UTC) - timedelta(days=2))
    assert month.come_of("Alba subscribes to starter") == "active"
    assert month.come_of("Lumen is paid out").endswith("USD paid")
    invoiced = month.come_of("the month was invoiced, credits first, and the rest is charged")
    assert "paid with credits" in invoiced
    assert not invoiced.startswith("all are paid")
    assert invoiced.endswith("declined: 1")
    assert month.come_of("the rest is dunned").endswith("declined: 3")
    assert month.come_of("the rest was charged again") == "all are paid"
    assert len(month.ties) > 10
