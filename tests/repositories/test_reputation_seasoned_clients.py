"""Clients are trusted for terms by payments that can no longer be charged back: good evidence waits, bad does not."""

import itertools
from datetime import date, timedelta
from typing import Any

import pytest

from dev.stack.postgres import Postgres
from domain.reputation.clients import feedback_weight_e6
from domain.reputation.evidence import add, newcomer_evidence
from repositories.reputation.reputation import record_facts, void
from repositories.reputation.reputation_nights import decay_clients
from tests.conftest import new_database
from tests.repositories import test_reputation as known
from tests.repositories.test_reputation import DAY, HALF, about, books, fact, new_agent  # noqa: F401

pytestmark = pytest.mark.db

NUMBERS = itertools.count(1)
WINDOW = 5


@pytest.fixture(scope="module")
def urls(cluster: Postgres):
    with new_database(cluster, "bursar_seasoned_clients") as made:
        yield made


@pytest.fixture
async def client(books) -> str:  # noqa: F811
    org_id = f"org_client_{next(NUMBERS)}"
    await books.execute(known.FILL, [org_id])
    return org_id


async def tell(books, client: str, day: int = 0, **more: Any) -> str:  # noqa: F811
    """Record a fact about a new agent of the studio, after a number of days."""
    agent_id, one = await new_agent(books), fact(**more)
    async with books.acquire() as connection:
        await record_facts(connection, about(agent_id, client, day=DAY + timedelta(days=day)), [one])
    return one.id


async def terms(books, client: str, day: int) -> tuple[int, int]:  # noqa: F811
    row = await books.fetchrow("SELECT * FROM reputation_client_terms($1, $2)", client, DAY + timedelta(days=day))
    return row["standing_e6"], row["units"]


def standing(*told: tuple[int, int, int], on: int) -> int:
    """Return what the pure rules come to, of days with what is good and bad on them."""
    row = newcomer_evidence(DAY, HALF)
    for day, good, bad in told:
        row = add(row, good, bad, day=DAY + timedelta(days=day), priors=HALF)
    return feedback_weight_e6(add(row, 0, 0, day=DAY + timedelta(days=on), priors=HALF))


UNIT = 1_000_000


async def test_payments_of_a_client_count_for_terms_once_they_cannot_be_charged_back(books, client) -> None:  # noqa: F811
    for _ in range(4):
        await tell(books, client, client_good_e4=10_000)
    newcomer = standing(on=0)
    assert await terms(books, client, WINDOW - 1) == (newcomer, 0)
    assert await terms(books, client, WINDOW) == (standing((0, 4 * UNIT, 0), on=0), 4)
    # From there it fades, and no silence adds to it.
    assert await terms(books, client, WINDOW + 9) == (standing((WINDOW, 4 * UNIT, 0), on=WINDOW + 9), 2)


async def test_bad_evidence_of_a_client_counts_for_terms_at_once_and_only_final_good_evidence_offsets_it(
    books,  # noqa: F811
    client,
) -> None:
    for _ in range(3):
        await tell(books, client, client_good_e4=10_000)
    await tell(books, client, 10, client_bad_e4=10_000)
    await tell(books, client, 11, client_good_e4=10_000)
    first = ((WINDOW, 3 * UNIT, 0), (10, 0, UNIT))
    assert (await terms(books, client, 11))[0] == standing(*first, on=11)
    # The trust known today, up to its last event, bounds it.
    today = standing((0, 3 * UNIT, 0), (10, 0, UNIT), (11, UNIT, 0), on=11)
    assert (await terms(books, client, 16))[0] == min(today, standing(*first, (16, UNIT, 0), on=16))
    assert (await terms(books, client, 12))[0] == min(today, standing(*first, on=12)) < today


async def test_nights_move_seasoned_evidence_and_readers_see_the_same(books, client) -> None:  # noqa: F811
    for day in (0, 0, 1, 2):
        await tell(books, client, day, client_good_e4=10_000)
    await tell(books, client, 2, client_bad_e4=10_000)
    kept = "SELECT through, good_e6 FROM reputation_seasoned_clients WHERE org_id = $1"
    seen = []
    for night in (None, 6, 15):
        if night is not None:
            async with books.acquire() as connection:
                assert await decay_clients(connection, DAY + timedelta(days=night), after="", limit=100)
            assert (await books.fetchrow(kept, client))["through"] == DAY + timedelta(days=night - 1)
        seen.append(await terms(books, client, 20))
    # The trust known today bounds it, and is as of the last night.
    assert [units for _, units in seen] == [seen[0][1]] * 3
    assert seen[0][0] >= seen[1][0] >= seen[2][0]
    assert (await books.fetchrow(kept, client))["good_e6"] > 0
    await tell(books, client, 30, client_good_e4=10_000)
    assert (await books.fetchrow(kept, client))["through"] == DAY + timedelta(days=29)


async def test_void_events_are_removed_from_seasoned_evidence(books, client) -> None:  # noqa: F811
    told = [await tell(books, client, client_good_e4=10_000) for _ in range(3)]
    async with books.acquire() as connection:
        await connection.execute("SELECT reputation_season_client($1, $2)", client, DAY + timedelta(days=8))
        before = await terms(books, client, 8)
        for event in told[1:]:
            await void(connection, event, by="test", reason="charged back", at=known.about("", day=DAY).at)
    assert before == (standing((WINDOW, 3 * UNIT, 0), on=8), 2)
    assert await terms(books, client, 8) == (standing((WINDOW, UNIT, 0), on=8), 0)


async def test_work_without_good_evidence_of_the_agent_improves_no_terms_of_its_client(books, client) -> None:  # noqa: F811
    await tell(books, client, good_e4=2_000, client_good_e4=10_000)
    assert await terms(books, client, 30) == (standing(on=0), 0)


async def test_unknown_client_has_no_evidence_for_terms(books) -> None:  # noqa: F811
    row = await books.fetchrow("SELECT * FROM reputation_client_terms('org_nobody', $1)", date(2026, 3, 1))
    assert (row["standing_e6"], row["units"]) == (None, None)
