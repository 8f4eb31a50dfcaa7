"""CreatorStatementsWorkflow: makes the statements of the previous month, daily, for creators that have none yet."""

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.payouts.statement import StatementActivities
    from contracts.payouts.statement import CreatorStatements
    from workflows.common.batch import through_activities

#: How many organizations one attempt handles, one after the other.
PAGE = 50


@workflow.defn(name="creator-statements")
class CreatorStatementsWorkflow:
    """Issues a numbered statement of what each creator earned in the previous month, and mails it.

    Messages: none; a schedule starts it.
    Ends when: every creator whose earnings changed in that month has its statements.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; each organization is one transaction.
    """

    @workflow.run
    async def run(self, start: CreatorStatements | None = None) -> CreatorStatements:
        """Make statements page by page."""
        return await through_activities(
            start or CreatorStatements(now=workflow.now(), limit=PAGE),
            StatementActivities.make_statements,
            lambda at: at.page,
            lambda at: f"make statements of the month before {at.now:%Y-%m}",
            _details,
        )


def _details(progress: CreatorStatements) -> str:
    """Render the run's progress for operators."""
    errors = f"{progress.failed}, see the worker's log; tried again tomorrow" if progress.failed else "0"
    return "\n".join(
        (
            f"Statements of the month before {progress.now:%Y-%m}",
            "",
            f"- organizations whose earnings moved: {progress.found}, the last of `{progress.after or '-'}`",
            f"- with statements now: {progress.made}",
            f"- nothing to state: {progress.found - progress.made - progress.failed}",
            f"- **errors**: {errors}",
        )
    )
