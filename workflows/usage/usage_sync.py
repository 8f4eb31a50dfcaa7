"""UsageSyncWorkflow: imports calls from a proxy's spend log that are not recorded yet."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.usage.usage import UsageActivities
    from contracts.common.queues import local_activity, regular_activity
    from contracts.usage.usage import ConcludeSync, PlanSync, ReadSyncPage, SyncedPage, UsageSync
    from domain.common.text import as_markdown
    from workflows.common.batch import through_pages

#: The time limit of a page: to read it from the proxy, and to record it.
PAGE_TIMEOUT = timedelta(minutes=1)


@workflow.defn(name="usage-sync")
class UsageSyncWorkflow:
    """Reads a spend log page by page, from the cursor of the last sync, and records missing calls.

    Messages: none; a schedule or an operator starts it.
    Ends when: the log is read up to the run's start time.
    Continues as new: when the server suggests it, between two pages.
    Compensates: nothing; a call that is read again has the same id.
    """

    @workflow.run
    async def run(self, start: UsageSync) -> UsageSync:
        """Read the remaining pages."""
        if start.page is None:
            planned = await workflow.execute_local_activity_method(
                UsageActivities.plan_sync,
                PlanSync(now=workflow.now(), since=start.since, back_seconds=start.back_seconds),
                **local_activity("find where to begin"),
            )
            if planned.page is None:
                workflow.set_current_details("No spend log is set up.")
                return start
            place = {"page": planned.page, "started": planned.page.since, "until": planned.until}
            start = start.model_copy(update=place)
        done = await through_pages(start, self._read)
        await workflow.execute_local_activity_method(
            UsageActivities.conclude_sync,
            ConcludeSync(sync=done, at=workflow.now()),
            **local_activity("write how far it came"),
        )
        self._show(done, "read to the end")
        return done

    async def _read(self, sync: UsageSync) -> SyncedPage:
        assert sync.page is not None
        assert sync.until is not None
        page = f"page {sync.page.number} of {sync.page.since:%m-%d %H:%M} to {sync.page.until:%m-%d %H:%M}"
        self._show(sync, f"reading {page}")
        return await workflow.execute_activity_method(
            UsageActivities.sync_page,
            ReadSyncPage(page=sync.page, last=sync.until),
            **regular_activity(page, timeout=PAGE_TIMEOUT),
        )

    def _show(self, sync: UsageSync, what: str) -> None:
        counts = f"{sync.accepted} new, {sync.duplicates} known, {sync.invalid} invalid, {sync.unassigned} unassigned"
        refused = f"\n- first refusal: {as_markdown(sync.why)}" if sync.why else ""
        window = f"{sync.started:%Y-%m-%d %H:%M} to {sync.until:%Y-%m-%d %H:%M} UTC"
        workflow.set_current_details(f"{window}\n\n- {what}\n- calls: {counts}{refused}")
