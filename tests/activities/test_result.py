"""Results are written once, with the escrow event that they come from."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from sqlalchemy import select

from activities.escrow.escrow import EscrowActivities
from domain.common.errors import IdempotencyConflict
from domain.escrow import commands as rules
from domain.returns.result import Result, ResultSource
from models.returns.result import ResultRow
from runtime.database import Database
from runtime.identity import new_id
from services.returns.result import record
from tests.workflows.behind import funded_without_a_run, message_of
from tests.workflows.conftest import Job, Stage

pytestmark = pytest.mark.db


async def results(database: Database, org_id: str) -> list[ResultRow]:
    async with database.platform() as session:
        return list(await session.scalars(select(ResultRow).where(ResultRow.org_id == org_id)))


async def scored(job: Job, score_e4: int) -> None:
    now = datetime.now(UTC)
    message = await message_of(
        job,
        rules.validate(await job.state(), actor=job.validator, score_e4=score_e4, note=None, now=now),
        new_id("cmd"),
    )
    activities = EscrowActivities(job.stage.database)
    # The second time the books find that it was done.
    assert (await activities.record_event(message)).applied
    assert (await activities.record_event(message)).applied


async def test_validation_that_releases_writes_one_accepted_result_for_the_agents_organization(database):
    job = await funded_without_a_run(await Stage(None, None, database, None).award(), datetime.now(UTC))
    given = rules.deliver(
        await job.state(), actor=job.bot, artifacts=(), note=None, milestone=None, now=datetime.now(UTC)
    )
    assert (await EscrowActivities(database).record_event(await message_of(job, given, new_id("cmd")))).applied
    await scored(job, 7_000)
    await scored(job, 9_000)
    terms = job.terms
    found = {row.score_e6: row for row in await results(database, terms.payee_org_id)}
    assert {score: (row.source, row.is_accepted, row.is_self_reported) for score, row in found.items()} == {
        700_000: ("escrow", False, False),
        900_000: ("escrow", True, False),
    }
    row = found[900_000]
    assert (row.task_id, row.agent_id, row.task_kind) == (terms.escrow_id, terms.agent_id, "contract")
    assert (row.value_minor, row.currency) == (terms.amount_minor, "CREDIT")
    assert await results(database, terms.payer_org_id) == []


async def test_reference_identifies_one_result(database):
    job = await Stage(None, None, database, None).award()
    made = Result(
        org_id=job.terms.payer_org_id,
        run_id="run-1",
        task_kind="summary",
        score_e6=500_000,
        is_accepted=True,
        source=ResultSource.API,
        reference="cmd_1",
        reported_by="acme/owner",
    )
    now = datetime.now(UTC)
    async with database.platform() as session:
        first = await record(session, made, now=now)
        second = await record(session, made, now=now)
        assert (first.is_new, second.is_new, first.row.id) == (True, False, second.row.id)
        with pytest.raises(IdempotencyConflict):
            await record(session, replace(made, score_e6=1_000_000), now=now)
