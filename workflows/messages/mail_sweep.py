"""MailSweepWorkflow: sends the mails that are queued, every minute."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.messages.mail import MailActivities
    from contracts.messages.mail import MailSweep
    from workflows.common.batch import through_activities

#: How many mails one attempt sends, one after the other.
PAGE = 20


@workflow.defn(name="mail-sweep")
class MailSweepWorkflow:
    """Sends queued mails; a mail that the server does not accept is retried later, and given up in the end.

    Messages: none; a schedule starts it.
    Ends when: every mail that was due when it started was tried.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a mail that was sent stays sent.
    """

    @workflow.run
    async def run(self, start: MailSweep | None = None) -> MailSweep:
        """Send page by page."""
        return await through_activities(
            start or MailSweep(now=workflow.now(), limit=PAGE),
            MailActivities.send_mails,
            lambda at: at.page,
            lambda at: f"send mails due at {at.now:%H:%M:%S}",
            _details,
        )


def _details(progress: MailSweep) -> str:
    """Render the run's progress for operators."""
    later = progress.found - progress.sent - progress.failed
    return "\n".join(
        (
            f"Mails due at {progress.now:%H:%M:%S} UTC",
            "",
            f"- sent: {progress.sent}",
            f"- tried again later: {later}",
            f"- **given up**: {progress.failed}" + (", see the alerts" if progress.failed else ""),
        )
    )
