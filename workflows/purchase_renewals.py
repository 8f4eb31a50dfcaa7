"""PurchaseRenewalsWorkflow: renews monthly purchases of agents, every hour."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.marketplace import MarketplaceActivities
    from contracts.marketplace import PurchaseRenewals, RenewedPurchases, RenewPurchases
    from contracts.queues import regular_activity
    from workflows.batch import through_pages

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
        done = await through_pages(start or PurchaseRenewals(now=workflow.now(), limit=PAGE), self._page)
        workflow.set_current_details(_details(done))
        return done

    async def _page(self, progress: PurchaseRenewals) -> RenewedPurchases:
        workflow.set_current_details(_details(progress))
        return await workflow.execute_activity_method(
            MarketplaceActivities.renew_purchases,
            RenewPurchases(now=progress.now, after=progress.after, limit=progress.limit),
            **regular_activity(f"renew purchases due at {progress.now:%H:%M:%S}", timeout=timedelta(minutes=10)),
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
