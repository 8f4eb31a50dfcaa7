"""SearchIndexWorkflow: sends new events to the search index, continuously."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.insight.search_index import SearchIndexActivities
    from contracts.common.queues import regular_activity
    from contracts.insight.search_index import IndexedEvents, IndexEvents

#: How long a run lasts: until the next one is due.
LASTS = timedelta(seconds=60)


@workflow.defn(name="search-index")
class SearchIndexWorkflow:
    """Reads the outbox for a minute. One run at a time: the next waits for it.

    Messages: none; a schedule starts it if there is a search index.
    Ends when: its minute is over.
    Continues as new: never.
    Compensates: nothing; an event that is sent twice is one document.
    """

    @workflow.run
    async def run(self) -> IndexedEvents:
        """Send events until the minute is over."""
        workflow.set_current_details("Sends new events to the search index for a minute")
        done = await workflow.execute_activity_method(
            SearchIndexActivities.index,
            IndexEvents(seconds=int(LASTS.total_seconds())),
            **regular_activity("send new events", timeout=5 * LASTS, heartbeat=timedelta(seconds=10)),
        )
        workflow.set_current_details(details(done))
        return done


def details(done: IndexedEvents) -> str:
    """Render the run's result for operators."""
    lines = [
        f"Events read: {done.read}",
        "",
        f"- new in the index: {done.created}",
        f"- **refused**: {done.refused}" + (", see the alerts" if done.refused else ""),
        f"- indices of old months deleted: {done.dropped}",
    ]
    if done.waits:
        lines += ["", f"**The index did not take events {done.waits} times**: {done.problem}"]
    return "\n".join(lines)
