"""SubscriptionAccrualWorkflow: recognises subscription revenue by day, every hour."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.billing.subscription_accrual import SubscriptionAccrualActivities
    from contracts.billing.subscription_accrual import AccrueSubscriptions, SubscriptionAccrual
    from workflows.common.batch import through_transactions

#: How many bills one transaction books.
BATCH = 1_000


@workflow.defn(name="subscription-accrual")
class SubscriptionAccrualWorkflow:
    """Books the revenue of each past day, the oldest first.

    Messages: none; a schedule starts it.
    Ends when: every past day is booked for every bill that is not locked.
    Continues as new: when the server suggests it, with its progress.
    Compensates: nothing; a booked day stays booked.
    """

    @workflow.run
    async def run(self, start: SubscriptionAccrual | None = None) -> SubscriptionAccrual:
        """Book page by page."""
        over = workflow.now().date() - timedelta(days=1)
        done = await through_transactions(
            start or SubscriptionAccrual(through=over, limit=BATCH),
            SubscriptionAccrualActivities.accrue,
            lambda at: AccrueSubscriptions(through=at.through, limit=at.limit),
            lambda at: f"book days through {at.through} after {at.count} bills",
        )
        workflow.set_current_details(f"Days through {done.through} that bills were booked for: {done.count}")
        return done
