"""What the run of an escrow does by itself, and how it writes; `workflows/escrow.py` adds who may tell it what."""

import asyncio
from abc import abstractmethod
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.escrow import EscrowActivities
    from contracts.escrow import (
        CommandResult,
        EscrowCommand,
        EscrowInput,
        LoadEscrow,
        NotedCommand,
        RecordedEscrow,
        RecordEscrowEvent,
    )
    from contracts.queues import local_activity
    from domain.access import Actor
    from domain.errors import DomainError
    from domain.escrow import commands
    from domain.escrow.deadlines import next_deadline, timed_exit
    from domain.escrow.presentation import details
    from domain.escrow.state import Decision, Escrow, Outcome
    from workflows.entity import Entity

#: A deadline that acts later than this was kept from acting: no worker ran.
LATE = timedelta(seconds=10)


class EscrowRun(Entity[EscrowInput, Escrow, Outcome, Decision, CommandResult]):
    """What an escrow's run does by itself, and how it writes. What commands do, the workflow declares."""

    def __init__(self, start: EscrowInput) -> None:
        """Restore the state, or prepare the one that is opened first."""
        self._opening = commands.opened(start.terms, actor=start.opened_by, now=workflow.now())
        super().__init__(start, start.escrow, self._opening.escrow)

    async def _advance(self) -> None:
        """Open, or wait for the next deadline or change, whichever comes first."""
        await self._turn(lambda: self._overtaken(workflow.now()))
        deadline, version = next_deadline(self._state), self._state.version
        if deadline is None:
            return
        try:
            await workflow.wait_condition(
                lambda: self._state.version != version or self._should_continue_as_new(),
                timeout=max(deadline.at - workflow.now(), timedelta(0)),
                timeout_summary=f"{self._state.status}, {deadline.what}",
            )
        except TimeoutError:
            return

    async def _open(self) -> None:
        opening = self._opening
        await self._write(opening, self._start.command_id, self._start.opened_by, opening.escrow.opened_at)

    async def _load(self, why: str) -> Escrow:
        return await workflow.execute_local_activity_method(
            EscrowActivities.load, LoadEscrow(escrow_id=self._state.terms.escrow_id), **local_activity(why)
        )

    def _refuse_other(self, command_id: str, content: str | None) -> None:
        self._state.refuse_other(command_id, content)

    def _has_ended(self) -> bool:
        return self._state.is_final

    def _carried(self) -> dict[str, object]:
        return {"escrow": None}

    def _details(self) -> str:
        return details(self._state)

    def _result(self) -> CommandResult:
        state = self._state
        return CommandResult(escrow_id=state.terms.escrow_id, status=state.status.value, version=state.version)

    async def _overtaken(self, now: datetime) -> bool:
        """Do what a passed deadline does, after what reached us before it; the caller holds the lock.

        A run that was away over its deadline finds commands that were sent in time. The books know those that were
        noted, with their time, and decline the deadline's event until each is done or refused.
        """
        outcome, deadline = timed_exit(self._state, now), next_deadline(self._state)
        if outcome is None or deadline is None:
            return False
        if now - deadline.at > LATE and workflow.patched("late-deadlines-let-freezes-first"):
            await asyncio.sleep(0)  # every handler that this task brought has begun after this, and said what it wants
            if await self._frozen(now):
                return True
        refused: tuple[str, ...] = ()
        while outcome is not None and next_deadline(self._state) == deadline:
            command_id = f"timer:{outcome.event}:{self._state.version}"
            recorded = await self._write(outcome, command_id, None, now, due_at=deadline.at, settles=refused)
            if not recorded.noted:
                return True
            refused = tuple([noted.command_id for noted in recorded.noted if not await self._in_time(noted, now)])
            outcome = timed_exit(self._state, now)
        return True

    async def _frozen(self, now: datetime) -> bool:
        """Freeze the escrow when an operator has signalled it; a signal has no time, so that it may have been late."""
        for command_id, wanted in tuple(self._wanted.items()):
            if wanted.signal == "dispute" and await self._done(command_id, wanted.wish, wanted.actor, now):
                return True
        return False

    async def _in_time(self, noted: NotedCommand, now: datetime) -> bool:
        """Do what was noted before the deadline; False when the rules refuse it, or when it cannot be read."""
        try:
            command, given = self._decision_of(noted)
        except ValueError:
            workflow.logger.warning("a noted command cannot be read", extra={"command": noted.name})
            return False

        def decide(escrow: Escrow, now: datetime) -> Outcome:
            outcome = given(escrow, now)
            return replace(outcome, details={**outcome.details, "given_at": noted.noted_at.isoformat()})

        return await self._done(noted.command_id, decide, command.actor, now, command.content())

    @abstractmethod
    def _decision_of(self, noted: NotedCommand) -> tuple[EscrowCommand, Decision]:
        """Return the command that was noted and what it does, given at its time.

        Raises:
            ValueError: it cannot be read, or commands of its name are not noted.
        """

    async def _done(
        self, command_id: str, decide: Decision, actor: Actor, now: datetime, content: str | None = None
    ) -> bool:
        """Do a command ahead of the deadline; False when it is refused. The caller holds the lock."""
        try:
            while not self._state.has_done(command_id):
                outcome = decide(self._state, now)
                if (await self._write(outcome, command_id, actor, now, content)).applied:
                    break
        except DomainError:
            return False
        return True

    async def _write_next(
        self, event: Outcome, command_id: str, actor: Actor | None, content: str | None = None
    ) -> bool:
        return (await self._write(event, command_id, actor, workflow.now(), content)).applied

    async def _write(
        self,
        outcome: Outcome,
        command_id: str,
        actor: Actor | None,
        now: datetime,
        content: str | None = None,
        *,
        due_at: datetime | None = None,
        settles: tuple[str, ...] = (),
    ) -> RecordedEscrow:
        """Write one event and adopt the state after it, or the state that the books hold when they are ahead."""
        numbered = commands.numbered(outcome, command_id=command_id, now=now, content=content)
        recorded = await workflow.execute_local_activity_method(
            EscrowActivities.record_event,
            RecordEscrowEvent(
                escrow=numbered.escrow,
                event=numbered.event,
                command_id=command_id,
                actor=numbered.actor,
                actor_detail=actor,
                moves=numbered.moves,
                details=dict(numbered.details),
                at=now,
                due_at=due_at,
                settles=settles,
                content=content,
                decided_from=self._decided_from(),
            ),
            **local_activity(f"{numbered.event}: {self._state.status} → {numbered.escrow.status}"),
        )
        self._written(recorded, None if recorded.noted else numbered.escrow)
        return recorded
