"""HoldExpiryWorkflow: ends the holds whose time is over, every minute."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.holds import HoldActivities
    from contracts.holds import ExpiredHolds, ExpireHolds
    from contracts.queues import local_activity

#: How many holds one transaction ends.
BATCH = 500


@workflow.defn(name="hold-expiry")
class HoldExpiryWorkflow:
    """Releases what a crashed request left reserved.

    Messages: none; a schedule starts it.
    Ends when: no hold is left that had expired when it started.
    Continues as new: never; it ends within the minute.
    Compensates: nothing; an expired hold cannot be captured, swept or not.
    """

    @workflow.run
    async def run(self) -> ExpiredHolds:
        """End expired holds batch by batch."""
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
