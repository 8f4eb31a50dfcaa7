"""AutoTopUpSweepWorkflow: finds balances that fell below their threshold, every five seconds."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payments.auto_topup import AutoTopUpActivities
    from contracts.common.queues import local_activity, regular_activity
    from contracts.payments.auto_topup import AutoTopUpSweep, FindLowBalances, HandledLowBalancePage, StartAutoTopUps
    from workflows.common.batch import through_pages

#: The pause between two checks, and the number of checks until the next run is due.
CHECK_INTERVAL, CHECKS_PER_RUN = timedelta(seconds=5), 12
#: How many organizations one transaction checks.
PAGE = 500


@workflow.defn(name="auto-topup-sweep")
class AutoTopUpSweepWorkflow:
    """Records balances that fell and starts their top-ups, for a minute. One run a minute keeps the list of runs short.

    Its first check also restarts top-ups whose payment was requested and whose run was lost.

    Messages: none; a schedule starts it.
    Ends when: its minute is over.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a top-up that has a run is left alone.
    """

    @workflow.run
    async def run(self, start: AutoTopUpSweep | None = None) -> AutoTopUpSweep:
        """Check every few seconds until the minute is over."""
        sweep = start or AutoTopUpSweep(most=CHECKS_PER_RUN, limit=PAGE)
        while True:
            done = await through_pages(sweep, self._page)
            sweep = done.looked()
            self._show(sweep, done.found)
            if sweep.looks >= sweep.most:
                return sweep
            await workflow.sleep(CHECK_INTERVAL, summary="until the next check")

    async def _page(self, sweep: AutoTopUpSweep) -> HandledLowBalancePage:
        falls = await workflow.execute_local_activity_method(
            AutoTopUpActivities.look,
            FindLowBalances(now=workflow.now(), after=sweep.after, limit=sweep.limit, everything=sweep.looks == 0),
            **local_activity("find balances below their threshold", timeout=timedelta(seconds=30)),
        )
        if not falls.open:
            return HandledLowBalancePage(falls=falls, started=0)
        started = await workflow.execute_activity_method(
            AutoTopUpActivities.start,
            StartAutoTopUps(open=falls.open),
            **regular_activity(f"start the top-ups of {len(falls.open)} falls"),
        )
        return HandledLowBalancePage(falls=falls, started=started.count)

    def _show(self, sweep: AutoTopUpSweep, organizations: int) -> None:
        workflow.set_current_details(
            f"Checked {sweep.looks} times; organizations with an automatic top-up: {organizations}\n\n"
            f"- balances that fell below their threshold: {sweep.noted}\n"
            f"- not topped up, because of the monthly cap: {sweep.capped}\n"
            f"- top-ups started: {sweep.started}"
        )
