"""Temporary refusals of the books, and the alert after a while."""

from dataclasses import replace

import pytest
from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities.books.books import ALERTED_FROM, BooksRefused, RefusalAlert, alerted_retry
from domain.common.errors import Conflict, Unavailable
from models.messages.alert import Alert
from runtime.database import Database
from runtime.identity import new_id


@pytest.mark.parametrize(("attempt", "alerts"), [(ALERTED_FROM - 1, []), (ALERTED_FROM, ["Away."])])
async def test_operator_is_alerted_of_what_stays_without_an_answer(attempt: int, alerts: list[str]) -> None:
    told: list[str] = []

    async def alert(why: str) -> None:
        told.append(why)

    async def work() -> None:
        async with alerted_retry(alert):
            raise Unavailable("Away.")

    environment = ActivityEnvironment()
    environment.info = replace(environment.info, attempt=attempt)
    with pytest.raises(Unavailable):
        await environment.run(work)
    assert told == alerts


@pytest.mark.db
@pytest.mark.parametrize(("event", "what"), [("sent", "sent of {}"), (None, "{}")])
async def test_a_refusal_is_alerted_once_for_the_version_that_the_event_would_make(
    db: Database, event: str | None, what: str
) -> None:
    subject = new_id("po")
    for version in (3, 3, 4):
        refused = RefusalAlert(database=db, entity="payout", subject=subject, event=event, version=version, org_id=None)
        with pytest.raises(BooksRefused):
            async with alerted_retry(refused):
                raise Conflict("No such account.")
    async with db.platform() as session:
        raised = (await session.scalars(select(Alert).where(Alert.subject == subject).order_by(Alert.key))).all()
    assert [each.key for each in raised] == [f"payout.books_refused:{subject}:{version}" for version in (3, 4)]
    assert {each.kind for each in raised} == {"payout.books_refused"}
    assert {each.detail for each in raised} == {
        f"{what.format(subject)} cannot be booked and is retried: No such account."
    }
