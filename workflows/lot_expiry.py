"""LotExpiryWorkflow: books the expiry of credits, every minute."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.lots import LotActivities
    from contracts.lots import ExpiredLots, ExpireLots, LotExpiry
    from contracts.queues import local_activity
    from workflows.batch import through_pages

#: How many lots one transaction ends.
BATCH = 500


@workflow.defn(name="lot-expiry")
class LotExpiryWorkflow:
    """Takes credits that are due out of the balances. They cannot be spent any more, swept or not.

    Messages: none; a schedule starts it.
    Ends when: no lot is left that was due when it started, but for those of accounts that are busy.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; what a hold gives back later is due for the next run.
    """

    @workflow.run
    async def run(self, start: LotExpiry | None = None) -> ExpiredLots:
        """Book expired lots page by page."""
        done = await through_pages(start or LotExpiry(now=workflow.now(), limit=BATCH), self._page)
        workflow.set_current_details(f"Lots due at {done.now:%H:%M:%S} UTC whose expiry was booked: {done.count}")
        return ExpiredLots(count=done.count)

    async def _page(self, progress: LotExpiry) -> ExpiredLots:
        return await workflow.execute_local_activity_method(
            LotActivities.expire_lots,
            ExpireLots(now=progress.now, limit=progress.limit),
            **local_activity(f"expire credits due at {progress.now:%H:%M:%S}", timeout=timedelta(seconds=30)),
        )
