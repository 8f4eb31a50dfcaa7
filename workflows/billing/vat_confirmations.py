"""VatConfirmationsWorkflow: confirms VAT numbers again that were never confirmed, or not for a month, nightly."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.billing.vat_numbers import VatNumberActivities
    from contracts.billing.vat_numbers import VatConfirmations
    from workflows.common.batch import through_activities

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
        return await through_activities(
            start or VatConfirmations(now=workflow.now(), limit=PAGE),
            VatNumberActivities.confirm_vat_numbers,
            lambda at: at.page,
            lambda at: f"ask for numbers after {at.after or 'the beginning'}",
            _details,
        )


def _details(progress: VatConfirmations) -> str:
    """Render the run's progress for operators."""
    return "\n".join(
        (
            f"VAT numbers that were not confirmed at {progress.now:%Y-%m-%d %H:%M} UTC",
            "",
            f"- asked for: {progress.found}, the last of `{progress.after or '-'}`",
            f"- confirmed: {progress.confirmed}",
            f"- no answer: {progress.found - progress.confirmed - progress.refused}",
            f"- **not in force**: {progress.refused}" + (", see the alerts" if progress.refused else ""),
        )
    )
