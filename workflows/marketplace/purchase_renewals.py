"""PurchaseRenewalsWorkflow: renews monthly purchases of agents, every hour."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.marketplace.marketplace import MarketplaceActivities
    from contracts.marketplace.marketplace import PurchaseRenewals
    from workflows.common.batch import through_activities

#: How many purchases one attempt renews, one after the other.
PAGE = 20


@workflow.defn(name="purchase-renewals")
class PurchaseRenewalsWorkflow:
    """Buys the next period of monthly purchases; one that cannot be paid is retried daily, a few times.

    Messages: none; a schedule starts it.
    Ends when: every purchase that was due when it started was tried.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a payment that cannot be fulfilled any more is refunded by its own run.
    """

    @workflow.run
    async def run(self, start: PurchaseRenewals | None = None) -> PurchaseRenewals:
        """Renew page by page."""
        return await through_activities(
            start or PurchaseRenewals(now=workflow.now(), limit=PAGE),
            MarketplaceActivities.renew_purchases,
            lambda at: at.page,
            lambda at: f"renew purchases due at {at.now:%H:%M:%S}",
            _details,
        )


def _details(progress: PurchaseRenewals) -> str:
    """Render the run's progress for operators."""
    others = progress.found - progress.renewed - progress.asked - progress.failed
    errors = f"{progress.failed}, see the worker's log; tried again in an hour" if progress.failed else "0"
    return "\n".join(
        (
            f"Purchases whose next month was due at {progress.now:%H:%M:%S} UTC",
            "",
            f"- renewed with credits: {progress.renewed}",
            f"- payments asked for: {progress.asked}",
            f"- not paid, or not renewed any more: {others}",
            f"- **errors**: {errors}",
        )
    )
