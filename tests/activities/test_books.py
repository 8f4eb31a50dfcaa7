"""What the books refuse for now, and when an operator hears of it."""

from dataclasses import replace

import pytest
from temporalio.testing import ActivityEnvironment

from activities.books import ALERTED_FROM, tried_again
from domain.errors import Unavailable


@pytest.mark.parametrize(("attempt", "alerts"), [(ALERTED_FROM - 1, []), (ALERTED_FROM, ["Away."])])
async def test_operator_is_alerted_of_what_stays_without_an_answer(attempt: int, alerts: list[str]) -> None:
    told: list[str] = []

    async def alert(why: str) -> None:
        told.append(why)

    async def work() -> None:
        async with tried_again(alert):
            raise Unavailable("Away.")

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt)
    with pytest.raises(Unavailable):
        await environment.run(work)
    assert told == alerts
