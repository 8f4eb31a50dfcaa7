"""ReferenceRatesWorkflow: reads exchange rates from a central bank's daily file, every hour."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.books.reference_rates import ReferenceRateActivities
    from contracts.books.reference_rates import NotedReferenceRates, NoteReferenceRates
    from contracts.common.queues import regular_activity

#: The next run comes after an hour and reads a newer file.
GIVES_UP_AFTER = timedelta(minutes=50)


@workflow.defn(name="reference-rates")
class ReferenceRatesWorkflow:
    """Stores the rates of the file by which limits in other currencies count.

    Messages: none; a schedule starts it.
    Ends when: the file was read, or could not be for 50 minutes: then it fails.
    Continues as new: never; it takes one step.
    Compensates: nothing; a rate stays until it is too old.
    """

    @workflow.run
    async def run(self) -> NotedReferenceRates:
        """Read the file."""
        noted = await workflow.execute_activity_method(
            ReferenceRateActivities.note_reference_rates,
            NoteReferenceRates(now=workflow.now()),
            **regular_activity("read the file of reference rates", give_up_after=GIVES_UP_AFTER),
        )
        workflow.set_current_details(_details(noted))
        return noted


def _details(noted: NotedReferenceRates) -> str:
    if noted.day is None:
        return "No file is set up: BURSAR_REFERENCE_RATES_URL."
    if not noted.count:
        return f"The file of {noted.day} is **too old**: none of its rates is used."
    return f"The file of {noted.day} has {noted.count} rates, to be read at GET /exchange-rates."
