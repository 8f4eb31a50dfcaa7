"""HoldExpiryWorkflow: expires holds, every minute."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.credits.holds import HoldActivities
    from contracts.credits.holds import ExpiredHolds, ExpireHolds, HoldExpiry
    from workflows.common.batch import through_transactions

#: How many holds one transaction expires.
BATCH = 500


@workflow.defn(name="hold-expiry")
class HoldExpiryWorkflow:
    """Releases amounts that a crashed request left reserved, and charges the uses of secrets that one left under way.

    Messages: none; a schedule starts it.
    Ends when: no hold is left that had expired when it started.
    Continues as new: when the server suggests it, with the count so far.
    Compensates: nothing; an expired hold cannot be captured, swept or not.
    """

    @workflow.run
    async def run(self, start: HoldExpiry | None = None) -> ExpiredHolds:
        """Expire holds batch by batch."""
        done = await through_transactions(
            start or HoldExpiry(now=workflow.now(), limit=BATCH),
            HoldActivities.expire_holds,
            lambda at: ExpireHolds(now=at.now, limit=at.limit),
            lambda at: f"expire holds due at {at.now:%H:%M:%S}",
        )
        workflow.set_current_details(f"Holds due at {done.now:%H:%M:%S} UTC that were ended: {done.count}")
        return ExpiredHolds(count=done.count)
