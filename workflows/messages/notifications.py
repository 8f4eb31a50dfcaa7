"""NotificationsWorkflow: sends notifications of events and alerts, continuously."""

import asyncio
from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.messages.notification import NotificationActivities
    from contracts.common.queues import regular_activity
    from contracts.messages.notification import FanOut, FanOutResult, SendNotifications, SentNotifications

#: How long a run lasts: until the next one is due.
LASTS = timedelta(seconds=60)


@workflow.defn(name="notifications")
class NotificationsWorkflow:
    """Reads events and alerts, and sends what is due, for a minute. One run at a time: the next waits for it.

    Messages: none; a schedule starts it.
    Ends when: its minute is over.
    Continues as new: never.
    Compensates: nothing; what was sent stays sent.
    """

    @workflow.run
    async def run(self) -> FanOutResult:
        """Read and send concurrently, so that a mail server that hangs does not delay in-app notifications."""
        seconds, heartbeat = int(LASTS.total_seconds()), timedelta(seconds=10)
        workflow.set_current_details("Reads events and alerts, and sends notifications that are due, for a minute")
        fanned_out, sent = await asyncio.gather(
            workflow.execute_activity_method(
                NotificationActivities.fan_out,
                FanOut(seconds=seconds),
                **regular_activity("write notifications", timeout=5 * LASTS, heartbeat=heartbeat),
            ),
            workflow.execute_activity_method(
                NotificationActivities.send_notifications,
                SendNotifications(seconds=seconds),
                **regular_activity("send what is due", timeout=5 * LASTS, heartbeat=heartbeat),
            ),
        )
        workflow.set_current_details(_details(fanned_out, sent))
        return fanned_out


def _details(fanned_out: FanOutResult, sent: SentNotifications) -> str:
    """Render the run's result for operators."""
    later = sent.tried - sent.sent - sent.failed - sent.dropped
    return "\n".join(
        (
            f"Read new events and alerts {fanned_out.looks} times",
            "",
            f"- events with notifications: {fanned_out.events}",
            f"- alerts with notifications: {fanned_out.alerts}",
            f"- notifications written: {fanned_out.notifications}",
            f"- digests started: {fanned_out.digests}",
            "",
            f"Messages tried: {sent.tried}",
            "",
            f"- sent: {sent.sent}",
            f"- to be retried: {later}",
            f"- dropped, because their type or channel was switched off: {sent.dropped}",
            f"- **given up**: {sent.failed}" + (", see the alerts" if sent.failed else ""),
        )
    )
