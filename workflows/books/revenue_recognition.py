"""RevenueRecognitionWorkflow: recognises revenue from uses of credit lots, every five minutes."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.books.revenue import RevenueActivities
    from contracts.books.revenue import RecognisedRevenue, RecogniseRevenue, RevenueRecognition
    from workflows.common.batch import through_transactions

#: How many uses of lots one transaction books.
BATCH = 2_000


@workflow.defn(name="revenue-recognition")
class RevenueRecognitionWorkflow:
    """Turns what was paid for credits into revenue, breakage and payables as they are used, expire and are earned.

    Messages: none; a schedule starts it.
    Ends when: every use posted more than a minute ago is booked, unless an open transaction is older than that.
    Continues as new: when the server suggests it.
    Compensates: nothing; credits that are returned later are booked in reverse.
    """

    @workflow.run
    async def run(self, start: RevenueRecognition | None = None) -> RecognisedRevenue:
        """Book page by page, from the last use that was booked."""
        done = await through_transactions(
            start or RevenueRecognition(limit=BATCH),
            RevenueActivities.recognise_revenue,
            lambda at: RecogniseRevenue(limit=at.limit, settle_seconds=at.settle_seconds),
            lambda at: f"book the next {at.limit} uses of lots after {at.count}",
        )
        workflow.set_current_details(f"{done.count} uses of lots were booked.")
        return RecognisedRevenue(count=done.count)
