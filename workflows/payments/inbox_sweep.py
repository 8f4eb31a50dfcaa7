"""InboxSweepWorkflow: starts runs for inbox events that were stored and not handled."""

from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.common.sweeps import Sweeps
    from contracts.common.sweeps import SweepPage, SweepProgress
    from contracts.payments.payment import InboxSweepResult
    from workflows.common.sweep import sweep_pages

#: How long an event may wait before its run counts as lost.
PATIENCE = timedelta(minutes=1)
#: How long a payment may take to handle an event, and the pause before it is signalled again. A payment that cannot
#: reach its provider still knows of the event; one whose run was terminated does not.
TOLD_PATIENCE = timedelta(minutes=15)
TOLD_EVERY_MINUTES = 15
PAGE = 100


@workflow.defn(name="inbox-sweep")
class InboxSweepWorkflow:
    """Starts the runs of events that have none, because the web process died or Temporal was down.

    Messages: none; a schedule starts it.
    Ends when: each unhandled event has a run.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an open run is left alone.
    """

    @workflow.run
    async def run(self, start: SweepProgress | None = None) -> InboxSweepResult:
        """Find unhandled events page by page and start the missing runs."""
        now = workflow.now()
        begin = SweepProgress(
            page=SweepPage(before=now - PATIENCE, after="", limit=PAGE, forwarded_before=signalled_before(now))
        )
        done = await sweep_pages(Sweeps.events, start or begin, "start events that are not handled")
        if done.started:
            workflow.logger.warning("events of the inbox were given a run again", extra={"started": done.started})
        return InboxSweepResult(unhandled=done.found, started=done.started)


def signalled_before(now: datetime) -> datetime | None:
    """Return before when a payment must have been signalled to be signalled again now; None if none is due."""
    return now - TOLD_PATIENCE if now.minute % TOLD_EVERY_MINUTES == 0 else None
