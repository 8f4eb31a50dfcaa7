"""Refunded credits of an escrow get another week, unless the payer caused the refund, or the setting is 0."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from activities.escrow.escrow import EscrowActivities
from domain.common import accounts
from domain.common.access import Actor
from domain.credits.lots import LotSource, LotTerms
from domain.escrow import commands as rules
from domain.escrow.deadlines import next_deadline, timed_exit
from domain.escrow.state import Escrow, Outcome
from ledger.gateway import Ledger
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.support.escrows import OPERATOR
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


async def record(
    database: Database, job: Job, outcome: Outcome, *, by: Actor | None = None, days: int = 7, at: datetime = NOW
) -> None:
    message = (await message_of(job, outcome, new_id("cmd"), at)).model_copy(update={"actor": by})
    assert (await EscrowActivities(database, refund_days=days).record_event(message)).applied


async def ends(database: Database, job: Job) -> list[datetime]:
    """Expiry of the credits that the payer got back."""
    async with database.platform() as session:
        rows = await (await driver_connection(session)).fetch(
            "SELECT l.expires_at FROM ledger.lots l JOIN ledger.accounts a ON a.id = l.account_id"
            " WHERE a.path = $1 AND l.is_open AND l.expires_at IS NOT NULL",
            accounts.org_credits(job.terms.payer_org_id).path,
        )
    return [row["expires_at"] for row in rows]


Acts = list[tuple[Callable[[Escrow], Outcome], Actor | None]]


def given_back(job: Job) -> Acts:
    return [(partial(rules.refund, actor=job.bot, amount_minor=None), job.bot)]


def given_back_in_part(job: Job) -> Acts:
    return [(partial(rules.refund, actor=job.bot, amount_minor=1), job.bot)]


def cancelled(job: Job) -> Acts:
    return [(partial(rules.cancel, actor=job.bot, reason=None), job.bot)]


def cancelled_by_operator(_: Job) -> Acts:
    return [(partial(rules.cancel, actor=OPERATOR, reason=None), OPERATOR)]


def asked_for(job: Job) -> Acts:
    return [(partial(rules.cancel, actor=job.finance, reason=None), job.finance)]


def disputed(job: Job) -> Acts:
    return [(partial(rules.dispute, actor=job.finance, reason="late", now=NOW), job.finance)]


def decided(job: Job) -> Acts:
    decision = partial(rules.resolve, actor=job.arbiter, payee_share_e4=0, note=None, now=NOW)
    return [*disputed(job), (decision, job.arbiter)]


@pytest.mark.parametrize(
    ("acts", "renews"),
    [
        (given_back, True),
        (given_back_in_part, True),
        (cancelled, True),
        (cancelled_by_operator, True),
        (decided, True),
        (lambda job: [*asked_for(job), *cancelled(job)], False),
        (lambda job: [*asked_for(job), *given_back(job)], False),
        (lambda job: [*asked_for(job), *cancelled_by_operator(job)], False),
        (lambda job: [*asked_for(job), *decided(job)], True),
    ],
    ids=[
        *("payee gives back", "payee gives back a part", "payee cancels", "operator cancels", "arbiter decides"),
        *("payee grants it", "payee gives back what was asked for", "operator grants it", "arbiter decides on it"),
    ],
)
async def test_pitfall_39_who_causes_a_refund_decides_whether_it_renews(
    acts: Callable[[Job], Acts], renews: bool, job: Job, database: Database
) -> None:
    for act, by in acts(job):
        await record(database, job, act(await job.state()), by=by)
    assert await ends(database, job) == [NOW + 7 * DAY if renews else ENDS]


@pytest.mark.parametrize("days", [1, 0])
async def test_no_refund_makes_credits_end_sooner(days: int, job: Job, database: Database) -> None:
    await record(database, job, given_back(job)[0][0](await job.state()), by=job.bot, days=days)
    assert await ends(database, job) == [ENDS]


async def test_undelivered_work_leaves_the_payer_a_week(job: Job, database: Database) -> None:
    await record(database, job, asked_for(job)[0][0](await job.state()), by=job.finance)
    outcome = timed_exit(await job.state(), LATE)
    assert outcome is not None
    await record(database, job, outcome, at=LATE)
    assert await ends(database, job) == [LATE + 7 * DAY]


async def test_undecided_dispute_leaves_the_payer_a_week(job: Job, database: Database) -> None:
    at = NOW
    await record(database, job, disputed(job)[0][0](await job.state()), by=job.finance)
    while not (state := await job.state()).is_final:
        deadline = next_deadline(state)
        assert deadline is not None
        at = deadline.at
        outcome = timed_exit(state, at)
        assert outcome is not None
        await record(database, job, outcome, at=at)
    assert await ends(database, job) == [at + 7 * DAY]
