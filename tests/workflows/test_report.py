"""Report runs wait for the end of the period, compute it, recompute it days later, and notify once per version."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from temporalio import activity
from temporalio.client import Client, WorkflowHandle
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker

from activities.insight.report import ReportActivities
from contracts.insight.report import MadeReport, MakeReport, ReportInput, ReportSweep
from contracts.runs import report_news, report_run
from domain.common.access import Role
from domain.insight.report import RECOMPUTED_AFTER, ReportDefinition, ReportSchedule
from models.insight.report import Report, ReportRun
from models.messages.notification import NotificationRow
from runtime import reach
from runtime.database import Database
from runtime.identity import new_id
from services.insight import report as service
from tests.support.histories import replay_and_keep
from tests.support.looking import again, pass_to_the_end
from tests.support.notifications import a_principal, an_organization
from tests.support.reports import LATE, Figures, a_report, owner_of
from tests.workflows.conftest import Stage, with_plugin
from workflows.common.handling import ReportSweepWorkflow
from workflows.insight.report import ReportWorkflow

pytestmark = [pytest.mark.db, pytest.mark.temporal, pytest.mark.timeskip]

DAY = timedelta(days=1)


@dataclass
class Press:
    """Computes reports with a worker that a test can kill."""

    env: WorkflowEnvironment
    client: Client
    database: Database
    figures: Figures = field(default_factory=Figures)
    #: How many attempts are killed after they have committed, before the server hears of it.
    killed: int = 0

    @activity.defn(name="make_report")
    async def make(self, message: MakeReport) -> MadeReport:
        done = await ReportActivities(self.database, self.client, self.figures, late=LATE).make(message)
        if done.number is not None and self.killed:
            self.killed -= 1
            raise RuntimeError("The worker was killed.")
        return done

    async def report(self) -> tuple[Report, str]:
        """Return a daily report with a recipient, and the current day."""
        org = await an_organization(self.database)
        await a_principal(self.database, org, "maria", Role.FINANCE)
        now = datetime.now(UTC)
        made = await a_report(self.database, org, now=now, recipients=["maria"], schedule=ReportSchedule.DAILY)
        return made, ReportDefinition.kept(made.definition).period_at(now).name

    async def start(self, report: Report, period: str) -> WorkflowHandle[Any, Any]:
        run = report_run(ReportInput(report_id=report.id, period=period), report.org_id)
        await reach.start_missing(self.client, run)
        return self.client.get_workflow_handle(run.workflow_id)

    async def kept(self, report: Report) -> list[tuple[str, int]]:
        async with self.database.platform() as session:
            query = select(ReportRun.period, ReportRun.version).where(ReportRun.report_id == report.id)
            return [(period, version) for period, version in await session.execute(query.order_by(ReportRun.number))]

    async def notification_count(self, report: Report) -> int:
        async with self.database.platform() as session:
            query = select(func.count()).select_from(NotificationRow).where(NotificationRow.subject == report.id)
            return int((await session.execute(query)).scalar_one())


@asynccontextmanager
async def press_on(env: WorkflowEnvironment, urls: Any) -> AsyncIterator[Press]:
    made = Press(env, with_plugin(env.client), Database(urls.tenant, urls.platform))
    work = ReportActivities(made.database, made.client, made.figures, late=LATE)
    workflows = [ReportWorkflow, ReportSweepWorkflow]
    async with Worker(made.client, task_queue="bursar", workflows=workflows, activities=[made.make, work.start]):
        yield made
    await made.database.close()


@pytest.fixture
async def press(idle_server: WorkflowEnvironment, database_urls: Any) -> AsyncIterator[Press]:
    async with press_on(idle_server, database_urls) as made:
        yield made


async def shown(handle: WorkflowHandle[Any, Any]) -> str:
    return str(await handle.query("__temporal_workflow_metadata"))


async def test_daily_report_is_computed_at_its_end_and_days_later_with_one_notification_each(press: Press) -> None:
    report, day = await press.report()
    handle = await press.start(report, day)
    while "not made yet" not in await shown(handle):
        await again()
    assert await press.kept(report) == []
    press.killed = 1
    await press.env.fast_forward(handle, DAY + LATE)
    while "run 1, version 1" not in await shown(handle):
        await again()
    assert (await press.kept(report), await press.notification_count(report)) == ([(day, 1)], 1)
    press.figures.amounts["agt_late"] = 7
    result = await pass_to_the_end(press.env, handle)
    assert (result["number"], result["version"], result["next_at"]) == (2, 2, None)
    assert (await press.kept(report), await press.notification_count(report)) == ([(day, 1), (day, 2)], 2)
    described = await handle.describe()
    assert described.close_time is not None
    assert report.due_at is not None
    assert described.close_time >= report.due_at + RECOMPUTED_AFTER
    await replay_and_keep(await handle.fetch_history(), "report/completed")


async def test_request_computes_now_and_starts_a_missing_run(press: Press) -> None:
    report, _ = await press.report()
    day = f"{datetime.now(UTC) - 10 * DAY:%Y-%m-%d}"
    run = report_news(ReportInput(report_id=report.id, period=day), report.org_id)
    for version in (1, 2):
        press.figures.amounts["agt_a"] = version
        await reach.signal(press.client, *run)
        await press.client.get_workflow_handle(run[0].workflow_id).result()
        assert (await press.kept(report))[-1] == (day, version)
    assert await press.notification_count(report) == 2


async def test_request_wakes_the_run_that_waits_to_look_again(press: Press) -> None:
    report, _ = await press.report()
    day = f"{datetime.now(UTC) - 2 * DAY:%Y-%m-%d}"
    handle = await press.start(report, day)
    while "run 1, version 1" not in await shown(handle):
        await again()
    press.figures.amounts["agt_a"] = 2
    await reach.signal(press.client, *report_news(ReportInput(report_id=report.id, period=day), report.org_id))
    while "run 2, version 2" not in await shown(handle):
        await again()
    async with press.database.platform() as session:
        await service.delete(session, owner_of(report.org_id), report.id, now=datetime.now(UTC))
    assert (await pass_to_the_end(press.env, handle))["number"] is None
    await replay_and_keep(await handle.fetch_history(), "report/deleted")


async def test_often_requested_run_continues_as_new(short_runs: Stage) -> None:
    org, now = await an_organization(short_runs.database), datetime.now(UTC)
    report = await a_report(short_runs.database, org, now=now, schedule=ReportSchedule.DAILY)
    run = report_news(ReportInput(report_id=report.id, period=f"{now - 2 * DAY:%Y-%m-%d}"), org)
    handle = short_runs.client.get_workflow_handle(run[0].workflow_id)
    await reach.signal(short_runs.client, *run)
    first = (await handle.describe()).run_id
    while (await handle.describe()).run_id == first:
        await reach.signal(short_runs.client, *run)
        await again()
    while "run 1, version 1" not in await shown(handle):
        await again()
    await handle.terminate("its test is over")


async def test_sweep_starts_the_run_of_a_report_that_is_due(press: Press) -> None:
    report, day = await press.report()
    assert report.due_at is not None
    for now, is_started in ((report.due_at - timedelta(seconds=1), False), (report.due_at, True)):
        # One page after the other, as far as the report.
        start = ReportSweep(now=now, limit=1, after=report.id[:-1])
        sweep = await press.client.start_workflow("report-sweep", start, id=new_id("sweep"), task_queue="bursar")
        await sweep.result()
        status = await reach.status(press.client, f"report/{report.id}/{day}")
        assert (status is not None) is is_started
    assert "Reports due at" in await shown(sweep)
    await replay_and_keep(await sweep.fetch_history(), "report-sweep/completed")
