"""Effects of the nights of allocations, and of the sweep that starts them and pays trials."""

from datetime import timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncSession
from temporalio import activity
from temporalio.client import Client

from activities.common.one_by_one import one_by_one
from activities.common.seals import Seals
from contracts.common.batch import DuePage, HandledStepPage
from contracts.escrow.escrow import Declined
from contracts.returns.allocation import (
    AcceptAllocation,
    AcceptedAllocation,
    AllocationInput,
    LoadAllocation,
    LoadedAllocation,
    ProposeAllocation,
)
from contracts.runs import allocation_run
from domain.common.errors import DomainError
from domain.common.money import format_amount
from domain.returns.allocation import AllocationLine, explain_line
from models.returns.allocation import Allocation
from repositories.returns import allocation as allocations, trial as trials
from repositories.tenants import name
from runtime import reach
from runtime.database import Database
from services.returns import allocation, trial

log = structlog.get_logger("bursar.returns")

#: How many lines a run shows.
SHOWN = 20


class AllocationActivities:
    """The activities of `AllocationWorkflow` and `AllocationSweepWorkflow`."""

    def __init__(self, database: Database, client: Client, *, matures: timedelta, sealed_signals: bool = False) -> None:
        """Take the database, the Temporal client, and how long revenue can be refunded."""
        self._database, self._client, self._matures = database, client, matures
        self._seals = Seals("allocation", required=sealed_signals)

    @activity.defn(name="propose_allocation")
    async def propose(self, message: ProposeAllocation) -> LoadedAllocation:
        """Divide a project's budget for a day, and apply it where the mode is `auto`.

        Effect: the day before gives back what was reinvested in it. Then the allocation, the next night, and where it
        is applied a version of each budget, in one transaction.
        Idempotent by: the project and the night.
        """
        # By itself: dividing takes long, and nobody may spend while it is locked.
        async with self._database.platform() as session:
            await allocation.end_raise(
                session, allocation.ACTOR, message.project_id, before=message.night, now=message.now
            )
        async with self._database.platform() as session:
            made, why = await allocation.propose(
                session, message.project_id, message.night, matures=self._matures, now=message.now
            )
            return LoadedAllocation(outcome=f"none: {why}") if made is None else await _seen(session, made)

    @activity.defn(name="look_at_allocation")
    async def look(self, message: LoadAllocation) -> LoadedAllocation:
        """Read an allocation, and end a proposal that nobody accepted in time.

        Effect: the allocation has expired; budgets stay as they are.
        Idempotent by: the allocation's status.
        """
        async with self._database.platform() as session:
            return await _seen(session, await allocation.expire(session, message.allocation_id, now=message.now))

    @activity.defn(name="accept_allocation")
    async def accept(self, message: AcceptAllocation) -> AcceptedAllocation:
        """Accept an allocation for an operator.

        Effect: as over the API.
        Idempotent by: the allocation's status.
        Fails with: nothing that is final; a refusal is a result.
        """
        declined = self._seals.declined(message.actor)
        if declined is not None:
            return AcceptedAllocation(declined=declined)
        try:
            async with self._database.platform() as session:
                await allocation.accept(session, message.actor, message.allocation_id, now=message.now)
        except DomainError as refusal:
            if refusal.retryable:
                raise
            return AcceptedAllocation(declined=Declined.of(refusal))
        return AcceptedAllocation()

    @activity.defn(name="start_allocations")
    async def start(self, message: DuePage) -> HandledStepPage:
        """Start the runs of nights that have begun.

        Effect: a run for each project on the page that has none.
        Idempotent by: the run's id. A night stays due until its run has proposed.
        """
        async with self._database.platform() as session:
            rows = await allocations.due(session, now=message.now, after=message.after, limit=message.limit)
        started = 0
        for row in rows:
            run = allocation_run(AllocationInput(project_id=row.project_id, night=row.next_night), row.org_id)
            started += await reach.start_missing(self._client, run)
        return HandledStepPage(found=len(rows), done=started, last=rows[-1].project_id if rows else message.after)

    @activity.defn(name="pay_trials")
    async def pay(self, message: DuePage) -> HandledStepPage:
        """Pay the stages of trials that are due, or stop these.

        Effect: a version of the agent's budget for each stage.
        Idempotent by: the number of stages paid, and the stage's key.
        Fails with: nothing that is final; one that fails does not stop the others.
        """
        async with self._database.platform() as session:
            found = [
                row.id for row in await trials.due(session, now=message.now, after=message.after, limit=message.limit)
            ]

        async def one(trial_id: str) -> None:
            async with self._database.platform() as session:
                await trial.pay(session, trial_id, matures=self._matures, now=message.now)

        done = await one_by_one(found, one, _not_paid)
        return HandledStepPage(found=len(found), done=len(done), last=found[-1] if found else message.after)


async def _not_paid(trial_id: str, error: Exception) -> None:
    log.exception("trial.not_paid", trial_id=trial_id, error=str(error))


async def _seen(session: AsyncSession, row: Allocation) -> LoadedAllocation:
    lines = allocation.lines_of(row)
    names = await name.names_of(session, [line.agent_id for line in lines[:SHOWN]], row.org_id)
    return LoadedAllocation(
        allocation_id=row.id,
        outcome=row.status,
        total=f"{format_amount(row.total_minor, row.currency)} {row.currency}",
        agents=len(lines),
        lines=tuple(_line(line, names.get(line.agent_id), row.currency) for line in lines[:SHOWN]),
        answer_by=row.answer_by,
    )


def _line(line: AllocationLine, called: str | None, currency: str) -> str:
    old = "none" if line.old_minor is None else format_amount(line.old_minor, currency)
    new = format_amount(line.new_minor, currency)
    return f"{called or line.agent_id}: {old} → {new}. {explain_line(line, currency)}"
