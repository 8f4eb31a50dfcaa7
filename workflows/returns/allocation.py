"""AllocationWorkflow: proposes the allocation of a project's budget for a day, and waits for acceptance."""

from contextlib import suppress
from datetime import timedelta

from temporalio import workflow

from domain.common.errors import AllocationExpired

with workflow.unsafe.imports_passed_through():
    from activities.returns.allocation import AllocationActivities
    from contracts.common import search_attributes
    from contracts.common.queues import local_activity, regular_activity
    from contracts.escrow.escrow import Declined
    from contracts.returns.allocation import (
        AcceptAllocation,
        AcceptedAllocation,
        AcceptSignal,
        AllocationInput,
        AllocationResult,
        LoadAllocation,
        LoadedAllocation,
        ProposeAllocation,
    )
    from domain.common.errors import DomainError
    from domain.common.signals import SignalTarget
    from domain.common.text import as_markdown
    from domain.returns.allocation import AllocationStatus
    from workflows.common.signals import check_addressed, sender

#: The time limit of the proposal, which reads evidence of half a year.
READING = timedelta(minutes=5)


@workflow.defn(name="allocation")
class AllocationWorkflow:
    """Proposes the daily budgets of a project's agents, and waits for acceptance if the mode requires it.

    Messages:
        update `accept` of operators from the Temporal UI; a declined one is shown. Signal `news`: it was accepted.
    Ends when: the allocation is applied or has expired, or there is nothing to divide, and every handler has answered.
    Continues as new: never; it lasts for half a day and has a few events.
    Compensates: nothing; a proposal changes no budget.
    """

    @workflow.init
    def __init__(self, start: AllocationInput) -> None:
        """Start without state, which is read from the database."""
        self._start = start
        self._seen: LoadedAllocation | None = None
        self._news = False
        self._refused: str | None = None

    @workflow.run
    async def run(self, start: AllocationInput) -> AllocationResult:
        """Propose, and wait for the answer."""
        seen = await workflow.execute_activity_method(
            AllocationActivities.propose,
            ProposeAllocation(project_id=start.project_id, night=start.night, now=workflow.now()),
            **regular_activity(f"divide the budget of {start.night}", timeout=READING),
        )
        while self._show(seen).answer_by is not None:
            assert seen.answer_by is not None
            assert seen.allocation_id is not None
            with suppress(TimeoutError):
                await workflow.wait_condition(
                    lambda: self._news,
                    timeout=max(timedelta(0), seen.answer_by - workflow.now()),
                    timeout_summary="expires if nobody accepts",
                )
            self._news = False
            seen = await workflow.execute_local_activity_method(
                AllocationActivities.look,
                LoadAllocation(allocation_id=seen.allocation_id, now=workflow.now()),
                **local_activity("read the allocation, and end it if its time is over"),
            )
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.upsert_search_attributes([search_attributes.STATE.value_set(seen.outcome.partition(":")[0])])
        return AllocationResult(outcome=seen.outcome)

    @workflow.signal(name="news")
    def signal_news(self) -> None:
        """Read the allocation again."""
        self._note_news()

    @workflow.update(name="accept")
    async def accept(self, given: AcceptSignal) -> AcceptedAllocation:
        """Accept the allocation."""
        return await self._accept(given)

    async def _accept(self, given: AcceptSignal) -> AcceptedAllocation:
        await workflow.wait_condition(lambda: self._seen is not None)
        assert self._seen is not None
        subject = self._seen.allocation_id
        try:
            if subject is None:
                raise AllocationExpired("Nothing was proposed for this night.")
            reached = SignalTarget(kind="allocation", id=subject, state=self._seen.outcome, asks_for_name=True)
            check_addressed(reached, "accept", given, subject=given.accept)
        except DomainError as refusal:
            return self._answer(AcceptedAllocation(declined=Declined.of(refusal)))
        done = await workflow.execute_local_activity_method(
            AllocationActivities.accept,
            AcceptAllocation(allocation_id=subject, actor=sender(given), now=workflow.now()),
            **local_activity("apply the allocation, as an operator ordered"),
        )
        self._note_news()
        return self._answer(done)

    def _note_news(self) -> None:
        self._news = True

    def _answer(self, done: AcceptedAllocation) -> AcceptedAllocation:
        self._refused = None if done.declined is None else done.declined.detail
        if self._seen is not None:
            self._show(self._seen)
        return done

    def _show(self, seen: LoadedAllocation) -> LoadedAllocation:
        self._seen = seen
        workflow.set_current_details(_details(self._start, seen, self._refused))
        return seen


def _details(start: AllocationInput, seen: LoadedAllocation, refused: str | None) -> str:
    lines = [f"**{seen.outcome}** · {seen.total or 'nothing'} for {start.night}, project {start.project_id}", ""]
    lines += [f"- {as_markdown(line)}" for line in seen.lines]
    if seen.agents > len(seen.lines):
        lines.append(f"- and {seen.agents - len(seen.lines)} more agents")
    if refused is not None:
        lines.append(f"- the last command was refused: {as_markdown(refused)}")
    if seen.outcome == AllocationStatus.PROPOSED and seen.answer_by is not None:
        lines.append(f"- expires at {seen.answer_by:%Y-%m-%d %H:%M:%S} UTC unless somebody accepts it")
        lines.append(f"- update of operators: `accept` with the id {seen.allocation_id}")
    return "\n".join(lines)
