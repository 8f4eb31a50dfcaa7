"""The statement of docs/guides/reputation.md gives what the functions give, to the millionth."""

import random
import re
from dataclasses import astuple
from datetime import date, timedelta

import pytest

from domain.reputation.evidence import MAX_E6, ONE_E6, PROVEN_E6, Beta, Evidence, Priors, catch_up, factor_e12
from domain.reputation.score import expected_e6, rank_e6, stars
from tests.conftest import DatabaseUrls
from tests.docs.pages import ROOT
from tests.support.connections import connected

DAY = date(2026, 6, 1)
NIGHT = DAY + timedelta(days=700)
ROWS = 5_000
LOWEST = Priors(700_000, 800_000)


def rows(chance: random.Random) -> list[Evidence]:
    """Make rows of every size: from nothing to the most that a row holds, fresh and long idle."""

    def amount() -> int:
        return chance.choice([0, MAX_E6, chance.randrange(10 ** chance.randrange(1, 13))])

    found = []
    for _ in range(ROWS):
        since = DAY + timedelta(days=chance.choice([0, 650, 690, 699, chance.randrange(700)]))
        through = since + timedelta(days=chance.randrange((NIGHT - since).days))
        beta = Beta(amount(), amount(), since)
        held = max(beta.on(through).bad_e6, chance.choice([0, beta.bad_e6]))
        earned = chance.choice([PROVEN_E6 - 1, PROVEN_E6, amount()])
        found.append(Evidence(beta, held, earned, chance.choice([0, ONE_E6, chance.randrange(ONE_E6)]), through))
    return found


@pytest.mark.db
@pytest.mark.parametrize("rate_e4", [9_500, 9_999])
async def test_a_night_in_sql_is_a_night_in_python(rate_e4: int, database_urls: DatabaseUrls) -> None:
    (statement,) = re.findall(r"```sql\n(.*?)```", (ROOT / "docs/guides/reputation.md").read_text("utf-8"), re.DOTALL)
    made = rows(random.Random(1))
    async with connected(database_urls.owner.replace("+asyncpg", "")) as connection:
        await connection.execute(
            "CREATE TEMP TABLE evidence (id int, good_e6 bigint, bad_e6 bigint, since date, held_e6 bigint,"
            " earned_e6 bigint, prior_e6 bigint, through date)"
        )
        records = [
            (n, *astuple(row.beta), row.held_e6, row.earned_e6, row.prior_e6, row.through) for n, row in enumerate(made)
        ]
        await connection.copy_records_to_table("evidence", records=records)
        factors = [factor_e12(nights, rate_e4) for nights in range(701)]
        answered = await connection.fetch(statement, factors, NIGHT, LOWEST.newcomer_e6, LOWEST.proven_e6)
    assert len(answered) == ROWS
    for answer in answered:
        row = catch_up(made[answer["id"]], NIGHT, LOWEST)
        expected = (row.prior_e6, stars(row, rate_e4).mean_e6, expected_e6(row, rate_e4), rank_e6(row, rate_e4))
        assert tuple(answer)[1:] == expected
