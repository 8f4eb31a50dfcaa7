"""UsageChargesWorkflow: charges usage events of priced meters, every minute."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.usage.usage_charges import UsageChargeActivities
    from contracts.common.queues import local_activity
    from contracts.usage.usage_charges import ChargedUsage, ChargeUsage, UsageCharging
    from workflows.common.batch import through_pages

#: The number of events in a transaction, which locks the organization's credits, so other charges wait.
BATCH = 200


@workflow.defn(name="usage-charges")
class UsageChargesWorkflow:
    """Charges each event once to its organization's credits, a page per organization in turn.

    Messages: none; a schedule starts it.
    Ends when: every event that was due when it started is charged, or has to wait.
    Continues as new: when the server suggests it, from the next page on.
    Compensates: nothing; usage is charged in full, and what the credits do not cover is owed.
    """

    @workflow.run
    async def run(self, start: UsageCharging | None = None) -> UsageCharging:
        """Charge page by page."""
        done = await through_pages(start or UsageCharging(due_before=workflow.now(), limit=BATCH), self._page)
        workflow.set_current_details(_details(done))
        return done

    async def _page(self, progress: UsageCharging) -> ChargedUsage:
        workflow.set_current_details(f"{_details(progress)}\n\nAt work after `{progress.after or 'the beginning'}`")
        return await workflow.execute_local_activity_method(
            UsageChargeActivities.charge_usage,
            ChargeUsage(after=progress.after, due_before=progress.due_before, at=workflow.now(), limit=progress.limit),
            **local_activity(f"charge usage after {progress.after or 'the beginning'}", timeout=timedelta(seconds=30)),
        )


def _details(progress: UsageCharging) -> str:
    return "\n".join(
        (
            f"Usage events due at {progress.due_before:%H:%M:%S} UTC",
            "",
            f"- charged: {progress.charged}",
            f"- **waiting**: {progress.waiting}" + (", see the alerts" if progress.waiting else ""),
        )
    )
