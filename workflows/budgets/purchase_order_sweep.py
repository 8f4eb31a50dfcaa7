"""PurchaseOrderSweepWorkflow: ends, renews and reports purchases that are due, every five minutes."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.budgets.purchase_order import PurchaseOrderActivities
    from contracts.budgets.purchase_order import PurchaseSweep
    from contracts.common.batch import HandledStep
    from contracts.common.queues import regular_activity
    from workflows.common.batch import through_pages

#: How many orders one attempt handles, one after the other.
PAGE = 50


@workflow.defn(name="purchase-order-sweep")
class PurchaseOrderSweepWorkflow:
    """Ends approved orders whose hold has ended, counts renewals, starts runs that are missing, reports the unknown.

    Messages: none; a schedule starts it.
    Ends when: everything that was due when it started was tried.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; what an ended order is charged later is counted as forced.
    """

    @workflow.run
    async def run(self, start: PurchaseSweep | None = None) -> PurchaseSweep:
        """Handle what is due, step by step and page by page."""
        done = await through_pages(start or PurchaseSweep(now=workflow.now(), limit=PAGE), _page)
        workflow.set_current_details(_details(done))
        return done


async def _page(at: PurchaseSweep) -> HandledStep:
    methods = {
        "holds": PurchaseOrderActivities.expire,
        "renewals": PurchaseOrderActivities.renew,
        "unanswered": PurchaseOrderActivities.start_missing,
        "unknown": PurchaseOrderActivities.report_unknown,
    }
    return await workflow.execute_activity_method(
        methods[at.step],
        at.page,
        **regular_activity(f"{at.step} due at {at.now:%H:%M:%S}"),
    )


def _details(done: PurchaseSweep) -> str:
    """Render the run's progress for operators."""
    return "\n".join(
        (
            f"Purchases of which something was due at {done.now:%H:%M:%S} UTC",
            "",
            f"- holds ended: {done.expired}",
            f"- renewals counted: {done.renewed}",
            f"- runs started for approvals that nobody has answered: {done.started}",
            f"- alerts about results that are not known: {done.reported}",
        )
    )
