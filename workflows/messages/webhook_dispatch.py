"""WebhookDispatchWorkflow: signals idle webhook endpoints about new events."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.messages.webhook_dispatch import WebhookDispatchActivities
    from contracts.common.queues import regular_activity
    from contracts.messages.webhook_endpoint import DispatchedWebhooks, DispatchWebhooks

#: How long a run lasts: until the next one is due.
LASTS = timedelta(seconds=60)


@workflow.defn(name="webhook-dispatch")
class WebhookDispatchWorkflow:
    """Reads the head of the outbox for a minute. One run at a time: the next waits for it.

    Messages: none; a schedule starts it.
    Ends when: its minute is over.
    Continues as new: never.
    Compensates: nothing; an endpoint that is signalled twice reads twice.
    """

    @workflow.run
    async def run(self) -> DispatchedWebhooks:
        """Read the outbox until the minute is over."""
        done = await workflow.execute_activity_method(
            WebhookDispatchActivities.dispatch,
            DispatchWebhooks(seconds=int(LASTS.total_seconds())),
            **regular_activity("read the outbox every second", timeout=2 * LASTS, heartbeat=timedelta(seconds=10)),
        )
        workflow.set_current_details(
            f"Read the outbox {done.looks} times\n\n"
            f"- endpoints signalled: {done.told}\n"
            f"- endpoints that were behind at the beginning: {done.found_behind}\n"
            f"- old responses of receivers deleted: {done.forgotten}"
        )
        return done
