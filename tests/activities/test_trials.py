"""Trials: stages are paid when due, and stopped by their conditions."""

from collections.abc import AsyncIterator
from datetime import date, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from domain.common.access import Actor
from domain.common.errors import Conflict, IdempotencyConflict, Invalid
from domain.common.ids import uuid_id, uuid_of
from domain.credits.spend.control import ControlKind, ControlStatus
from domain.returns.trial import TrialStage
from models.returns.trial import Trial
from repositories.marketplace import agent as agents
from repositories.returns import trial as trials
from runtime.database import Database
from runtime.identity import new_id
from services.credits import spend_control
from services.credits.spend_control import ControlCommand
from services.returns import trial
from services.returns.trial import TrialRequest
from tests.support.cases import for_each
from tests.support.proving import broken, prove
from tests.support.returns import MATURES, NOW, Team
from tests.support.rows import Rows, rows_of

pytestmark = pytest.mark.db

DAY = timedelta(days=1)


@pytest.fixture
async def rows(fresh_database_urls: Any) -> AsyncIterator[Rows]:
    async with rows_of(fresh_database_urls) as found:
        yield found


@pytest.fixture
def database(fresh_database: Database) -> Database:
    return fresh_database


def stages(*shares: int, **bar: Any) -> tuple[TrialStage, ...]:
    """Return stages ten days apart from now; all but the first have the threshold."""
    return tuple(
        TrialStage(due_at=NOW + at * 10 * DAY, share_bps=share, **(bar if at else {}))
        for at, share in enumerate(shares)
    )


async def begun(team: Team, *of: TrialStage, amount: int = 10_000, command_id: str | None = None) -> Trial:
    wanted = TrialRequest(currency="USD", amount_minor=amount, stages=of)
    async with team.database.platform() as session:
        agent = await agents.get(session, team.agents["ada"])
        return await trial.create(session, team.owner, agent, wanted, command_id=command_id or new_id("cmd"), now=NOW)


async def paid(team: Team, row: Trial, now: datetime) -> tuple[str, int, int | None, str | None]:
    """Pay what is due; return the status, the number of stages paid, the budget of the lifetime, and why it stopped."""
    async with team.database.platform() as session:
        done = await trial.pay(session, row.id, matures=MATURES, now=now)
        found = text("SELECT amounts FROM ledger.controls WHERE id = :id")
        amounts = (await session.execute(found, {"id": row.control_id})).scalar_one()
        return done.status, done.paid, amounts[0], done.stopped_by


async def test_each_stage_raises_the_budget_once_when_it_is_due(db: Database) -> None:
    team = await Team.of(db, "ada")
    row = await begun(team, *stages(3_333, 3_333, 3_334), amount=100)
    assert (row.status, row.paid, row.next_at) == ("running", 0, NOW)
    assert await paid(team, row, NOW - DAY) == ("running", 0, 0, None)
    for _ in range(2):
        assert await paid(team, row, NOW) == ("running", 1, 33, None)
    # Two stages at once, if nobody came by: to the cent.
    for _ in range(2):
        assert await paid(team, row, NOW + 20 * DAY) == ("finished", 3, 100, None)
    async with db.platform() as session:
        query = text("SELECT parent_id FROM ledger.controls WHERE id = :id")
        assert (await session.execute(query, {"id": row.control_id})).scalar_one() == uuid_of(team.budget_id)


async def result(rows: Rows, team: Team, at: datetime, **more: Any) -> None:
    values = {"is_accepted": True, "is_self_reported": False, "run_id": new_id("run")} | more
    await rows.add(
        "results", id=new_id("res"), org_id=team.org_id, agent_id=team.agents["ada"], source="api",
        reference=new_id("ref"), recorded_at=at, **values,
    )  # fmt: skip


async def test_results_below_the_bar_stop_it(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada")
    row = await begun(team, *stages(5_000, 5_000, results=2))
    assert (await paid(team, row, NOW))[1:3] == (1, 5_000)
    for _ in range(2):
        await result(rows, team, NOW + DAY, run_id="the same")
    # What the agent says of itself, what was not accepted, and what was there before do not count.
    await result(rows, team, NOW + DAY, is_self_reported=True)
    await result(rows, team, NOW + DAY, is_accepted=False)
    await result(rows, team, NOW - DAY)
    assert await paid(team, row, NOW + 10 * DAY) == ("stopped", 1, 5_000, "results")
    await result(rows, team, NOW + 2 * DAY)
    assert await paid(team, row, NOW + 30 * DAY) == ("stopped", 1, 5_000, "results")


async def test_results_at_the_bar_pay_the_next_stage(database: Database, rows: Rows) -> None:
    team = await Team.of(database, "ada")
    row = await begun(team, *stages(5_000, 5_000, results=2))
    for at in (1, 2):
        await result(rows, team, NOW + at * DAY)
    assert await paid(team, row, NOW + 10 * DAY) == ("finished", 2, 10_000, None)


@for_each("earns, hidden, payable", [(300, False, 2), (110, False, 1), (300, True, 1)])
async def test_a_confirmed_return_at_the_bar_pays_the_next_stage(
    database: Database, rows: Rows, earns: int, hidden: bool, payable: int
) -> None:
    team = await Team.of(database, "ada")
    first = TrialStage(due_at=NOW, share_bps=5_000)
    row = await begun(team, first, TrialStage(due_at=NOW + 60 * DAY, share_bps=5_000, roi_e4=5_000))
    for at in range(30):
        day = NOW.date() + (at + 1) * DAY
        await team.cost(rows, "ada", day, 100)
        await team.brought(rows, "ada", day, earns)
    if hidden:
        # A cost that nobody can convert could be anything.
        await rows.add("ledger.rates", base="CREDIT", quote="USD", base_minor=10**6, quote_minor=10, source="operator",
                       starts_at=NOW - DAY)  # fmt: skip
        await team.cost(rows, "ada", NOW.date() + DAY, 9_000, "ISK")
    # Of this nothing is matured.
    await team.brought(rows, "ada", date(2026, 5, 8), 9_000)
    status, stages_paid, _, why = await paid(team, row, NOW + 60 * DAY)
    assert stages_paid == payable
    assert (status, why) == (("finished", None) if payable == 2 else ("stopped", "roi"))


async def test_a_return_that_is_not_known_is_below_every_bar(db: Database) -> None:
    team = await Team.of(db, "ada")
    row = await begun(team, *stages(5_000, 5_000, roi_e4=0))
    assert await paid(team, row, NOW + 10 * DAY) == ("stopped", 1, 5_000, "roi")


async def test_a_closed_budget_stops_it(db: Database) -> None:
    team = await Team.of(db, "ada")
    row = await begun(team, *stages(10_000))
    order = ControlCommand(
        actor=team.owner, org_id=team.org_id, command_id=new_id("cmd"), at=NOW, kind=ControlKind.BUDGET
    )
    async with db.platform() as session:
        await spend_control.set_status(session, order, row.control_id, ControlStatus.CLOSED)
    assert await paid(team, row, NOW) == ("stopped", 0, 0, "budget_closed")


async def test_a_command_begins_one_trial(db: Database) -> None:
    team, command = await Team.of(db, "ada"), new_id("cmd")
    first = await begun(team, *stages(10_000), command_id=command)
    assert (await begun(team, *stages(10_000), command_id=command)).id == first.id
    with pytest.raises(IdempotencyConflict):
        await begun(team, *stages(10_000), amount=5, command_id=command)
    with pytest.raises(Conflict) as refused:
        await begun(team, *stages(10_000))
    assert refused.value.error_code == "spend_control.exists"
    assert uuid_id("ctl", first.control_id) == await team.control("ada")


@for_each(
    "of",
    [
        (),
        stages(5_000, 4_000),
        tuple(reversed(stages(5_000, 5_000))),
        (TrialStage(due_at=NOW + 400 * DAY, share_bps=10_000),),
    ],
)
async def test_stages_that_make_no_trial_are_refused(db: Database, of: tuple[TrialStage, ...]) -> None:
    team = await Team.of(db, "ada")
    with pytest.raises(Invalid) as refused:
        await begun(team, *of)
    assert refused.value.extra == {"field": "stages"}


async def test_stages_are_paid_by_the_platform(db: Database) -> None:
    team = await Team.of(db, "ada")
    row = await begun(team, *stages(10_000))
    await paid(team, row, NOW)
    by = Actor.qualified(trial.ACTOR)
    assert await team.versions("ada") == [
        (1, team.owner.qualified(), f"Trial {row.id}"),
        (2, by, f"Trial {row.id}, stage 1"),
    ]


async def test_verify_finds_trials_that_paid_something_else(
    database: Database, rows: Rows, fresh_database_urls: Any
) -> None:
    team = await Team.of(database, "ada")
    row = await begun(team, *stages(3_333, 3_333, 3_334), amount=101)
    for at in (NOW, NOW + 10 * DAY, NOW + 20 * DAY):
        found = await paid(team, row, at)
        await prove(fresh_database_urls, trials.INVARIANTS)
    assert found == ("finished", 3, 101, None)
    await rows.change("UPDATE trials SET paid_minor = 100")
    assert len(await broken(fresh_database_urls, trials.INVARIANTS)) == 1
    await rows.change("UPDATE trials SET paid_minor = 101, status = 'stopped', stopped_by = 'roi'")
    assert len(await broken(fresh_database_urls, trials.INVARIANTS)) == 1
