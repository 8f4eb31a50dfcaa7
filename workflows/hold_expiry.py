"""HoldExpiryWorkflow: expires holds, every minute."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.holds import HoldActivities
    from contracts.holds import ExpiredHolds, ExpireHolds, HoldExpiry
    from contracts.queues import local_activity
    from workflows.batch import through_transactions
    from workflows.sweep import BY_PAGES

#: How many holds one transaction expires.
BATCH = 500


@workflow.defn(name="hold-expiry")
class HoldExpiryWorkflow:
    """Releases amounts that a crashed request left reserved.

    Messages: none; a schedule starts it.
    Ends when: no hold is left that had expired when it started.
    Continues as new: when the server suggests it, with the count so far.
    Compensates: nothing; an expired hold cannot be captured, swept or not.
    """

    @workflow.run
    async def run(self, start: HoldExpiry | None = None) -> ExpiredHolds:
        """Expire holds batch by batch."""
        now = workflow.now()
        if start is None and not workflow.patched(BY_PAGES):
            return await self._in_one_run()
        done = await through_transactions(
            start or HoldExpiry(now=now, limit=BATCH),
            HoldActivities.expire_holds,
            lambda at: ExpireHolds(now=at.now, limit=at.limit),
            lambda at: f"expire holds due at {at.now:%H:%M:%S}",
        )
        workflow.set_current_details(f"Holds due at {done.now:%H:%M:%S} UTC that were ended: {done.count}")
        return ExpiredHolds(count=done.count)

    async def _in_one_run(self) -> ExpiredHolds:
        """Expire them within one run, as older runs did."""
        now, total, count = workflow.now(), 0, BATCH
        while count == BATCH:
            swept = await workflow.execute_local_activity_method(
                HoldActivities.expire_holds,
                ExpireHolds(now=now, limit=BATCH),
                **local_activity(f"expire holds due at {now:%H:%M:%S}", timeout=timedelta(seconds=30)),
            )
            count = swept.count
            total += count
        workflow.set_current_details(f"Holds due at {now:%H:%M:%S} UTC that were ended: {total}")
        return ExpiredHolds(count=total)
