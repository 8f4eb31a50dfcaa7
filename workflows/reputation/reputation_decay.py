"""ReputationDecayWorkflow: decays every score by one day, once for each date."""

from datetime import timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.reputation.reputation import ReputationActivities
    from contracts.common.queues import local_activity, regular_activity
    from contracts.reputation.reputation import (
        ChangeRate,
        ConcludeNight,
        DecayPages,
        DecayPagesResult,
        PlanNight,
        ReputationNight,
        ReputationNightResult,
    )
    from domain.reputation.score import points
    from workflows.common.batch import through_pages

#: How many pages one activity does, each a transaction.
PAGES = 20
STEP_TIMEOUT = timedelta(hours=1)
#: The heartbeat timeout of a step.
HEARTBEAT = timedelta(seconds=30)


@workflow.defn(name="reputation-decay")
class ReputationDecayWorkflow:
    """Decays the scores of all agents and clients for a date, and closes the priors of the next day.

    Messages: none; a schedule starts it. The input can name a date that was missed; the default is today.
    Ends when: every agent that existed when its page was read is done, or decay is switched off.
    Continues as new: when the server suggests it, from where it stands.
    Compensates: nothing; an agent that is done for the date is not changed again.
    """

    @workflow.run
    async def run(self, start: ReputationNight | None = None) -> ReputationNightResult:
        """Decay page by page."""
        progress = start or ReputationNight()
        if not progress.planned:
            planned = await workflow.execute_local_activity_method(
                ReputationActivities.plan,
                PlanNight(now=workflow.now(), day=progress.day),
                **local_activity("plan the night"),
            )
            if planned.day is None:
                workflow.set_current_details(f"No night was taken: {planned.why}.")
                return ReputationNightResult(skipped=planned.why)
            progress = progress.model_copy(update={"day": planned.day, "planned": True})
            if planned.changes_rate:
                await workflow.execute_activity_method(
                    ReputationActivities.change_rate,
                    ChangeRate(day=planned.day),
                    **regular_activity("write rows anew under the old rate", timeout=STEP_TIMEOUT, heartbeat=HEARTBEAT),
                )
        done = await through_pages(progress, self._pages)
        assert done.day is not None
        result = await workflow.execute_activity_method(
            ReputationActivities.conclude,
            ConcludeNight(day=done.day),
            **regular_activity(f"close the night of {done.day}", timeout=STEP_TIMEOUT, heartbeat=HEARTBEAT),
        )
        workflow.set_current_details(details(result, done))
        return result

    async def _pages(self, progress: ReputationNight) -> DecayPagesResult:
        assert progress.day is not None
        workflow.set_current_details(
            f"Night of {progress.day}: {progress.agents} agents in {_pages_of(progress)} so far, the last "
            f"`{progress.after or '-'}`"
        )
        return await workflow.execute_activity_method(
            ReputationActivities.take,
            DecayPages(day=progress.day, after=progress.after, limit=progress.limit, pages=PAGES),
            **regular_activity(
                f"take {PAGES} pages after {progress.after or 'the beginning'}",
                timeout=STEP_TIMEOUT,
                heartbeat=HEARTBEAT,
            ),
        )


def _pages_of(night: ReputationNight) -> str:
    return f"{night.pages} page{'' if night.pages == 1 else 's'}"


def details(result: ReputationNightResult, done: ReputationNight) -> str:
    """Render the run's result for operators."""
    lines = [
        f"Night of {result.day}",
        "",
        f"- agents that had it: {result.agents}; by this run {done.agents}, in {_pages_of(done)}",
        f"- scores that changed: {result.changed}",
        f"- **sudden changes**: {result.sudden}" + (", see the alerts" if result.sudden else ""),
        f"- priors of the next day: {'closed' if result.closed_priors else 'were closed before'}",
        *(["", "Moved most, in points:", ""] if result.moves else []),
    ]
    for move in result.moves:
        sign = "-" if move.moved_e6 < 0 else "+"
        lines.append(f"- `{move.agent_id}` {sign}{points(abs(move.moved_e6))}, now {points(move.stars_e6)}")
    return "\n".join(lines)
