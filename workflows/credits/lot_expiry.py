"""LotExpiryWorkflow: books the expiry of credits, every minute."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.credits.lots import LotActivities
    from contracts.credits.lots import ExpiredLots, ExpireLots, LotExpiry
    from workflows.common.batch import through_transactions

#: How many lots one transaction expires.
BATCH = 500


@workflow.defn(name="lot-expiry")
class LotExpiryWorkflow:
    """Takes expired credits out of the balances. They cannot be spent any more, swept or not.

    Messages: none; a schedule starts it.
    Ends when: every lot that was due when it started is expired, except those of locked accounts.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; credits that a hold releases later are due for the next run.
    """

    @workflow.run
    async def run(self, start: LotExpiry | None = None) -> ExpiredLots:
        """Book expired lots page by page."""
        done = await through_transactions(
            start or LotExpiry(now=workflow.now(), limit=BATCH),
            LotActivities.expire_lots,
            lambda at: ExpireLots(now=at.now, limit=at.limit),
            lambda at: f"expire credits due at {at.now:%H:%M:%S}",
        )
        workflow.set_current_details(f"Lots due at {done.now:%H:%M:%S} UTC whose expiry was booked: {done.count}")
        return ExpiredLots(count=done.count)
