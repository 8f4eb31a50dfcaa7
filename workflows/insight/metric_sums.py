"""MetricSumsWorkflow: adds up the outbox for metrics, every five minutes."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.insight.metric_sums import MetricSumActivities
    from contracts.insight.metric_sums import AddedUpEvents, AddUpEvents, MetricSums
    from workflows.common.batch import through_transactions

#: How many events one transaction adds.
BATCH = 2_000


@workflow.defn(name="metric-sums")
class MetricSumsWorkflow:
    """Adds each event to the sums of its day, so that metrics read sums and not events.

    Messages: none; a schedule starts it.
    Ends when: every event below the oldest open transaction is added.
    Continues as new: when the server suggests it.
    Compensates: nothing; a question adds the events that no sum has yet.
    """

    @workflow.run
    async def run(self, start: MetricSums | None = None) -> AddedUpEvents:
        """Add page by page, from the last event that was added."""
        done = await through_transactions(
            start or MetricSums(limit=BATCH, now=workflow.now()),
            MetricSumActivities.add_up_events,
            lambda at: AddUpEvents(limit=at.limit, now=at.now),
            lambda at: f"add the next {at.limit} events after {at.count}",
            within=timedelta(seconds=60),
        )
        workflow.set_current_details(f"{done.count} events were added to the sums of metrics.")
        return AddedUpEvents(count=done.count)
