"""DigestWorkflow: waits until a digest is due, and closes it."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.messages.notification import NotificationActivities
    from contracts.common.queues import local_activity
    from contracts.messages.notification import ClosedDigest, CloseDigest, DigestInput


@workflow.defn(name="digest")
class DigestWorkflow:
    """Waits until the time of a recipient's digest, and sends it.

    Messages: none; it is started for the first notification that waits for the digest.
    Ends when: the digest is closed: one message for each channel is queued, or none if no notification is left in it.
    Continues as new: never; it waits once, and again only if the recipient has changed the time.
    Compensates: nothing.
    """

    @workflow.run
    async def run(self, start: DigestInput) -> ClosedDigest:
        """Read the due time, wait, and read it again, because settings may have changed."""
        while True:
            now = workflow.now()
            done = await workflow.execute_local_activity_method(
                NotificationActivities.close_digest,
                CloseDigest(recipient=start.recipient, digest=start.digest, now=now),
                **local_activity(f"close {start.digest} if it is due"),
            )
            workflow.set_current_details(_details(start, done))
            if done.until is None:
                return done
            await workflow.sleep(done.until - now, summary=f"until {start.digest} is due")


def _details(start: DigestInput, done: ClosedDigest) -> str:
    """Render the run's progress for operators."""
    if done.until is not None:
        return f"Digest {start.digest}\n\n- goes out at {done.until:%Y-%m-%d %H:%M} UTC"
    if not done.messages:
        return f"Digest {start.digest}\n\n- nothing to say, so nothing was sent"
    return f"Digest {start.digest}\n\n- notifications: {done.count}\n- messages, one for each channel: {done.messages}"
