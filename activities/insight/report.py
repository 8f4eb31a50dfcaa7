"""Files of reports, and start of due runs."""

import asyncio
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from temporalio import activity
from temporalio.client import Client

from contracts.common.batch import DuePage
from contracts.insight.report import MadeReport, MakeReport, ReportInput, ReportsStarted
from contracts.runs import report_run
from domain.insight.report import FILES_KEPT_FOR, ReportDefinition, ReportFormat
from domain.insight.report_file import render_file
from models.insight.report import Report
from repositories.insight import report as reports
from runtime import reach
from runtime.database import Database
from runtime.turns import ConcurrencyLimiter
from services.insight import report_run as service
from services.insight.report_run import ComputedPeriod, QueryRunner

if TYPE_CHECKING:
    from providers.documents.report import ReportMaker


class ReportActivities:
    """The activities of `ReportWorkflow` and `ReportSweepWorkflow`."""

    def __init__(
        self, database: Database, client: Client, ask: QueryRunner, *, late: timedelta, templates: Path | None = None
    ) -> None:
        """Take the database, the Temporal client, the query runner, and the delay for late bookings.

        `templates` is an operator's folder with fonts for PDFs.
        """
        self._database, self._client, self._ask = database, client, ask
        self._late, self._templates = late, templates
        # Nobody waits here, because who waits takes a slot that payments need: the attempt is repeated.
        self._turns = ConcurrencyLimiter("reports", each=1, overall=2, most_waiting=0)

    @activity.defn(name="make_report")
    async def make(self, message: MakeReport) -> MadeReport:
        """Compute a period in one snapshot, store the file if its figures are new, and notify the recipients.

        Effect: a version of the period with its file, notifications and event, and the report's next period, in one
            transaction.
        Idempotent by: the figures: unchanged ones give no version and no notifications.
        Fails with: `not_found`, there is no such report; `request.invalid`, it has no such period; `rate_limited`,
            another report of the organization is being made, which is retried.
        """
        async with self._database.platform() as session:
            row = await reports.get(session, message.report_id)
        async with self._turns.turn(row.org_id):
            return await self._make(row, message)

    async def _make(self, row: Report, message: MakeReport) -> MadeReport:
        computed: ComputedPeriod | datetime | None = None
        run, kept = None, False
        while not kept:
            async with self._database.repeatable_read(row.org_id) as session:
                computed = await service.compute(
                    session, self._ask, message.report_id, message.period, late=self._late, now=message.now
                )
            if isinstance(computed, datetime):
                return MadeReport(next_at=computed)
            if computed is None:
                return MadeReport()
            file = await asyncio.to_thread(self._file, computed) if computed.differs else None
            async with self._database.platform() as session:
                run, kept = await service.store_run(session, computed, file, late=self._late, now=message.now)
        assert isinstance(computed, ComputedPeriod)
        assert run is not None
        again = computed.look_again_at
        return MadeReport(
            number=run.number,
            version=run.version,
            changes=len(computed.paper.changes),
            told=len(run.told),
            left_out=len(run.left_out),
            next_at=again if message.now < again else None,
        )

    @activity.defn(name="start_due_reports")
    async def start(self, message: DuePage) -> ReportsStarted:
        """Start the runs of due reports, and delete old files.

        Effect: a run for each period on the page that is due to be computed or recomputed and has none; up to as many
            files older than three years are deleted.
        Idempotent by: the run's id. A period stays due until its run has stored it, or recomputed it.
        """
        async with self._database.platform() as session:
            rows = await reports.due(session, now=message.now, after=message.after, limit=message.limit)
            forgotten = await reports.forget(session, message.now - FILES_KEPT_FOR, limit=message.limit)
            again = await reports.to_look_at(session, [row.id for row in rows], now=message.now)
        started = 0
        for row in rows:
            periods = {period for report_id, period in again if report_id == row.id}
            if row.due_at is not None and row.due_at <= message.now:
                periods.add(ReportDefinition.kept(row.definition).period_at(row.period_from).name)
            for period in sorted(periods):
                run = report_run(ReportInput(report_id=row.id, period=period), row.org_id)
                started += await reach.start_missing(self._client, run)
        last = rows[-1].id if rows else message.after
        return ReportsStarted(found=len(rows), started=started, last=last, forgotten=forgotten)

    def _file(self, computed: ComputedPeriod) -> bytes:
        paper, form = computed.paper, computed.definition.format
        return _maker(self._templates).pdf(paper) if form is ReportFormat.PDF else render_file(paper, form)


@cache
def _maker(templates: Path | None) -> "ReportMaker":
    # Typst takes long to load, and is needed only once there is a report as a PDF.
    from providers.documents.report import ReportMaker

    return ReportMaker(templates)
