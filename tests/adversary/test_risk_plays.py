"""Attacks on the simulated platform of the bench are stopped in time, and honest organizations pass."""

from collections.abc import AsyncIterator

import pytest

from dev.bench.risk.honest import Population
from dev.bench.risk.platform import Platform
from dev.bench.risk.plays import PLAYS, PlayResult, card_tester, play_all
from dev.bench.risk.rows import Rows
from runtime.database import Database
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each

pytestmark = pytest.mark.db

HONEST, SEED = 2_000, 1
#: At most so many acts take place, so much is lost in cents, and so many pass before the first is stopped.
BOUNDS = {
    "card tester": (300, 40_00, 70),
    "takeover": (2, 1_000_00, 2),
    "bonus farm": (8, 40_00, 5),
    "refund loop": (6, 60_00, 6),
    "junk deliverer": (20, 600_00, 12),
    "Sybil farm": (20, 0, 18),
    "ring": (30, 0, 30),
}
#: Of 1,000 honest organizations at most so many are blocked, reviewed and challenged while a play runs.
BLOCKED, REVIEWED, CHALLENGED = 2, 30, 10


@pytest.fixture(scope="module")
async def played(module_database_urls: DatabaseUrls) -> AsyncIterator[dict[str, PlayResult]]:
    urls = module_database_urls
    database = Database(urls.tenant, urls.platform)
    _, rows = await play_all(database, urls.owner, honest=HONEST, seed=SEED)
    yield {row.name: row for row in rows}
    await database.close()


@pytest.mark.slow
@pytest.mark.timeout(1_800)
@for_each("name", sorted(PLAYS))
async def test_attack_is_stopped_and_honest_organizations_pass(name: str, played: dict[str, PlayResult]) -> None:
    row = played[name]
    passed, lost, until = BOUNDS[name]
    assert row.found.attempts > passed, "the attack was too small to be stopped"
    assert row.found.until is not None, row.found
    assert row.found.passed <= passed, row.found
    assert row.found.lost <= lost, row.found
    assert row.found.until <= until, row.found
    assert (row.blocked <= BLOCKED, row.reviewed <= REVIEWED, row.challenged <= CHALLENGED) == (True,) * 3, row


@pytest.mark.slow
@for_each("name", ["takeover", "junk deliverer", "Sybil farm", "ring"])
async def test_detector_opens_the_case_of_its_kind(name: str, played: dict[str, PlayResult]) -> None:
    about_attackers, about_honest = played[name].cases
    assert (about_attackers + about_honest)[PLAYS[name][1]] > 0


async def test_card_tester_is_stopped_beside_a_few_honest_organizations(
    fresh_database: Database, fresh_database_urls: DatabaseUrls
) -> None:
    rows = await Rows.open(fresh_database_urls.owner)
    world = Platform(fresh_database, rows, days=3, seed=SEED)
    Population(world, 20, 3)
    with world.clock():
        await world.wait(hours=20)
        found = await card_tester(world, cards=120)
    await rows.close()
    # Ten addresses pass a few attempts each, then a challenge and a block stop them; a tenth of the cards is good.
    assert found.until is not None
    assert found.until <= 70
    assert found.passed <= 75
    assert found.lost <= 8_00
    assert [org for org in world.orgs.values() if org.is_honest and org.stops] == []
