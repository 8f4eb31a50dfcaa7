"""Batches that only count: each page is one transaction that returns the number of its items.

They have no messages; schedules start them. They continue as new when the server suggests it, with the count so far,
and compensate nothing: the next run handles the rest.
"""

from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import TypeVar

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.books.accounting import AccountingActivities
    from activities.books.revenue import RevenueActivities
    from activities.credits.holds import HoldActivities
    from activities.credits.lots import LotActivities
    from activities.credits.spend_alerts import SpendAlertActivities
    from activities.credits.spend_days import SpendDayActivities
    from activities.insight.metric_sums import MetricSumActivities
    from activities.risk.outcomes import RiskOutcomeActivities
    from activities.usage.usage import UsageActivities
    from contracts.common.batch import BatchPage, BatchProgress, BatchResult, BatchStep
    from contracts.common.queues import local_activity
    from workflows.common.batch import through_transactions

A = TypeVar("A")

#: Number of organizations' days that one transaction totals.
SPEND_DAYS = 20


async def _batch(
    start: BatchProgress | None,
    method: Callable[[A, BatchPage], Awaitable[BatchResult]],
    summary: str,
    result: str,
    *,
    limit: int,
    within: timedelta = timedelta(seconds=30),
) -> BatchProgress:
    """Do the remaining pages.

    Args:
        start: the run's input.
        method: the activity that does a page.
        summary: a page's summary in the Temporal UI, with the placeholders `now`, `limit` and `count` (so far).
        result: the run's final details, with the same placeholders.
        limit: items per transaction.
        within: the time limit of one attempt.
    """
    begin = start or BatchProgress(now=workflow.now(), limit=limit)
    done = await through_transactions(
        begin, method, lambda at: at.page, lambda at: summary.format_map(dict(at)), within=within
    )
    workflow.set_current_details(result.format_map(dict(done)))
    return done


async def _step(method: Callable[[A, BatchStep], Awaitable[BatchResult]], summary: str, result: str) -> BatchResult:
    options = local_activity(summary, timeout=timedelta(seconds=30))
    done = await workflow.execute_local_activity_method(method, BatchStep(now=workflow.now()), **options)
    workflow.set_current_details(result.format(count=done.count))
    return done


@workflow.defn(name="hold-expiry")
class HoldExpiryWorkflow:
    """Releases holds of crashed requests, and charges uses of secrets whose process crashed.

    Ends when: no hold is left that had expired when it started. An expired hold can never be captured.
    """

    @workflow.run
    async def run(self, start: BatchProgress | None = None) -> BatchProgress:
        """Expire holds."""
        summary, result = (
            "expire holds due at {now:%H:%M:%S}",
            "Holds due at {now:%H:%M:%S} UTC that were ended: {count}",
        )
        return await _batch(start, HoldActivities.expire_holds, summary, result, limit=500)


@workflow.defn(name="lot-expiry")
class LotExpiryWorkflow:
    """Removes expired credits from the balances. They cannot be spent even before that.

    Ends when: every lot that was due when it started is expired, except those of locked accounts. Credits that a hold
        releases later are due for the next run.
    """

    @workflow.run
    async def run(self, start: BatchProgress | None = None) -> BatchProgress:
        """Book expired lots."""
        result = "Lots due at {now:%H:%M:%S} UTC whose expiry was booked: {count}"
        return await _batch(start, LotActivities.expire_lots, "expire credits due at {now:%H:%M:%S}", result, limit=500)


@workflow.defn(name="spend-days")
class SpendDaysWorkflow:
    """Totals past days of organizations, so that summaries read totals instead of spends.

    Ends when: every past day is totalled. A day that changes is totalled again.
    """

    @workflow.run
    async def run(self, start: BatchProgress | None = None) -> BatchProgress:
        """Add up days."""
        summary, result = "add up days before {now:%Y-%m-%d}", "Days of organizations that were totalled: {count}"
        method, within = SpendDayActivities.roll_up_spends, timedelta(seconds=60)
        return await _batch(start, method, summary, result, limit=SPEND_DAYS, within=within)


@workflow.defn(name="accounting-days")
class AccountingDaysWorkflow:
    """Adds each transfer to the totals of its day, so that reports read daily totals and not transfers.

    Ends when: every transfer posted more than a minute ago is added, unless an open transaction is older than that. A
    report adds the transfers that no daily total has yet.
    """

    @workflow.run
    async def run(self, start: BatchProgress | None = None) -> BatchProgress:
        """Add transfers, from the last one that was added."""
        summary = "add the next {limit} transfers after {count}"
        result = "{count} transfers were added to their days."
        return await _batch(start, AccountingActivities.add_up_days, summary, result, limit=5_000)


@workflow.defn(name="revenue-recognition")
class RevenueRecognitionWorkflow:
    """Turns what was paid for credits into revenue, breakage and payables as they are used, expire and are earned.

    Ends when: every use posted more than a minute ago is booked, unless an open transaction is older than that. Credits
    that are returned later are booked in reverse.
    """

    @workflow.run
    async def run(self, start: BatchProgress | None = None) -> BatchProgress:
        """Book uses, from the last one that was booked."""
        summary = "book the next {limit} uses of lots after {count}"
        result = "{count} uses of lots were booked."
        return await _batch(start, RevenueActivities.recognise_revenue, summary, result, limit=2_000)


@workflow.defn(name="metric-sums")
class MetricSumsWorkflow:
    """Adds each event to the sums of its day, so that metrics read sums and not events.

    Ends when: every event below the oldest open transaction is added. A query adds the events that no sum has yet.
    """

    @workflow.run
    async def run(self, start: BatchProgress | None = None) -> BatchProgress:
        """Add events, from the last one that was added."""
        summary, result = (
            "add the next {limit} events after {count}",
            "{count} events were added to the sums of metrics.",
        )
        method, within = MetricSumActivities.add_up_events, timedelta(seconds=60)
        return await _batch(start, method, summary, result, limit=2_000, within=within)


@workflow.defn(name="risk-outcomes")
class RiskOutcomesWorkflow:
    """Counts payments, declines, refunds, disputes and silent releases for the entities of the acts before.

    Ends when: every event below the oldest open transaction is counted.
    """

    @workflow.run
    async def run(self, start: BatchProgress | None = None) -> BatchProgress:
        """Count events, from the last one that was read, in pages so small that decisions hardly wait for them."""
        summary, result = "read the next {limit} events after {count}", "{count} events were read."
        return await _batch(start, RiskOutcomeActivities.fold_risk_outcomes, summary, result, limit=100)


@workflow.defn(name="risk-retention")
class RiskRetentionWorkflow:
    """Deletes counters, decisions and links of checks against fraud whose time is over.

    Ends when: nothing is left that was due when it started.
    """

    @workflow.run
    async def run(self, start: BatchProgress | None = None) -> BatchProgress:
        """Delete rows, the oldest first."""
        summary, result = "delete the next {limit} rows after {count}", "{count} rows were deleted."
        return await _batch(start, RiskOutcomeActivities.forget_risk_rows, summary, result, limit=2_000)


@workflow.defn(name="spend-alerts")
class SpendAlertsWorkflow:
    """Raises one alert for each threshold, burst, refusal and low balance in a window.

    Ends when: every due alert is raised.
    """

    @workflow.run
    async def run(self) -> BatchResult:
        """Raise what is due."""
        result = "Alerts raised, to be read at GET /alerts: {count}"
        return await _step(SpendAlertActivities.raise_spend_alerts, "raise alerts about spending", result)


@workflow.defn(name="usage-months")
class UsageMonthsWorkflow:
    """Creates the tables that usage events will need, so that no request has to.

    Ends when: the tables exist. A month without events is an empty table.
    """

    @workflow.run
    async def run(self) -> BatchResult:
        """Create the missing tables."""
        result = "Tables of months that were missing and were made: {count}"
        return await _step(UsageActivities.open_months, "make the months ahead", result)
