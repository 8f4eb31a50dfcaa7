"""VatConfirmationsWorkflow: confirms VAT numbers again that were never confirmed, or not for a month, nightly."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.vat_numbers import VatNumberActivities
    from contracts.queues import regular_activity
    from contracts.vat_numbers import ConfirmedVatNumbers, ConfirmVatNumbers, VatConfirmations
    from workflows.batch import through_pages

#: How many numbers one attempt checks, one after the other.
PAGE = 20


@workflow.defn(name="vat-confirmations")
class VatConfirmationsWorkflow:
    """Checks unconfirmed numbers at the register again: until a number is confirmed, tax is charged.

    Messages: none; a schedule starts it.
    Ends when: every number that was not confirmed for a month was checked once.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; a number stays confirmed until the register says that it is not in force.
    """

    @workflow.run
    async def run(self, start: VatConfirmations | None = None) -> VatConfirmations:
        """Check page by page."""
        done = await through_pages(start or VatConfirmations(now=workflow.now(), limit=PAGE), self._page)
        workflow.set_current_details(_details(done))
        return done

    async def _page(self, progress: VatConfirmations) -> ConfirmedVatNumbers:
        workflow.set_current_details(_details(progress))
        return await workflow.execute_activity_method(
            VatNumberActivities.confirm_vat_numbers,
            ConfirmVatNumbers(now=progress.now, after=progress.after, limit=progress.limit),
            **regular_activity(
                f"ask for numbers after {progress.after or 'the beginning'}", timeout=timedelta(minutes=10)
            ),
        )


def _details(progress: VatConfirmations) -> str:
    """Render the run's progress for operators."""
    return "\n".join(
        (
            f"VAT numbers that were not confirmed at {progress.now:%Y-%m-%d %H:%M} UTC",
            "",
            f"- asked for: {progress.asked}, the last of `{progress.after or '-'}`",
            f"- confirmed: {progress.confirmed}",
            f"- no answer: {progress.asked - progress.confirmed - progress.refused}",
            f"- **not in force**: {progress.refused}" + (", see the alerts" if progress.refused else ""),
        )
    )
