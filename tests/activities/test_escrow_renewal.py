"""What an escrow's refund makes of credits that end: a week more unless the payer caused it, or the setting is 0."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from activities.escrow import EscrowActivities
from domain import accounts
from domain.access import Actor
from domain.escrow import commands as rules
from domain.escrow.deadlines import timed_exit
from domain.escrow.state import Escrow, Outcome
from domain.lots import LotSource, LotTerms
from ledger.gateway import Ledger
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.workflows.behind import message_of
from tests.workflows.conftest import Job, Stage

pytestmark = pytest.mark.db

NOW = datetime.now(UTC)
DAY = timedelta(days=1)
#: The credits were given four weeks ago, for thirty days.
ENDS = NOW + 2 * DAY
LATE = NOW + 8 * DAY


@pytest.fixture
async def job(database: Database) -> Job:
    """An escrow that was funded with credits that end in two days."""
    made = await Stage(None, None, database, None).award()
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=f"promotion:{made.terms.escrow_id}",
            kind="grant",
            source=accounts.platform("promotions", "CREDIT"),
            destination=accounts.org_credits(made.terms.payer_org_id),
            amount_minor=made.terms.amount_minor,
            effective_at=ENDS - 30 * DAY,
            lots=LotTerms(source=LotSource.PROMOTION, expires_at=ENDS),
        )
    await record(database, made, rules.opened(made.terms, actor=made.procurement, now=NOW))
    await record(database, made, rules.fund(await made.state(), actor=made.procurement, source="credits", now=NOW))
    return made


async def record(database: Database, job: Job, outcome: Outcome, *, days: int = 7, at: datetime = NOW) -> None:
    message = await message_of(job, outcome, new_id("cmd"), at)
    assert (await EscrowActivities(database, refund_days=days).record_event(message)).applied


async def ends(database: Database, job: Job) -> list[datetime]:
    """When the credits end that the payer has back."""
    async with database.platform() as session:
        rows = await (await driver_connection(session)).fetch(
            "SELECT l.expires_at FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id"
            " WHERE a.path = $1 AND l.is_open AND l.expires_at IS NOT NULL",
            accounts.org_credits(job.terms.payer_org_id).path,
        )
    return [row["expires_at"] for row in rows]


def given_back(state: Escrow, by: Actor) -> Outcome:
    return rules.refund(state, actor=by, amount_minor=None)


def cancelled(state: Escrow, by: Actor) -> Outcome:
    return rules.cancel(state, actor=by, reason=None)


@pytest.mark.parametrize("act", [given_back, cancelled])
@pytest.mark.parametrize(("days", "end"), [(7, NOW + 7 * DAY), (1, ENDS), (0, ENDS)])
async def test_payee_that_gives_back_renews_what_would_end_sooner(
    act: Callable[[Escrow, Actor], Outcome], days: int, end: datetime, job: Job, database: Database
) -> None:
    await record(database, job, act(await job.state(), job.bot), days=days)
    assert await ends(database, job) == [end]


async def test_work_that_never_came_leaves_the_payer_a_week(job: Job, database: Database) -> None:
    outcome = timed_exit(await job.state(), LATE)
    assert outcome is not None
    await record(database, job, outcome, at=LATE)
    assert await ends(database, job) == [LATE + 7 * DAY]
