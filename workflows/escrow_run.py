"""What the run of an escrow does by itself, and how it writes; `workflows/escrow.py` adds who may tell it what."""

import asyncio
from abc import ABC, abstractmethod
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.escrow import EscrowActivities
    from contracts import search_attributes
    from contracts.catch_up import dated
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
    from domain.escrow.state import Decision, Escrow, EscrowStatus, Outcome
    from domain.escrow.story import details
    from domain.state_hash import state_hash
    from workflows.opening import STATE_FROM_BOOKS, not_opened


#: A deadline that acts later than this was kept from acting: no worker ran.
LATE = timedelta(seconds=10)


class EscrowRun(ABC):
    """What an escrow's run knows, and the one way in which anything happens. What commands do, the workflow declares.

    Whoever decides or writes holds the lock, so commands and deadlines never mix.
    """

    def __init__(self, start: EscrowInput) -> None:
        """Restore the state, or prepare the one that is opened first."""
        if start.escrow is not None and start.escrow.version and workflow.patched(STATE_FROM_BOOKS):
            # Whoever reaches Temporal can start a run with a state of their making, so the books are asked.
            start = start.model_copy(update={"escrow": None, "resume": True})
        self._start = start
        self._lock = asyncio.Lock()
        self._signals = start.signals
        # What operators want frozen and no lock was free for yet, by command.
        self._freezes: dict[str, tuple[Decision, Actor]] = {}
        opening = commands.opened(start.terms, actor=start.opened_by, now=workflow.now())
        self._opening = opening
        self._escrow: Escrow = start.escrow or opening.escrow
        # What the run was started with: a run that resumes was not told its state.
        self._published: EscrowStatus | None = None if start.resume else self._escrow.status

    def _check(self, command: EscrowCommand, decide: Decision) -> None:
        """Refuse at the door what the present state refuses; the handler decides again when its turn comes.

        A run that has yet to resume from the books does not know its state, so it lets everything in. So does one that
        is busy: where a task was lost the books are ahead of it, and callers have read them.
        """
        command.check()
        unknown = self._lock.locked() or (self._start.resume and self._escrow.version == 0)
        if not unknown:
            with self._dated():
                if self._escrow.has_done(command.command_id):
                    self._escrow.refuse_other(command.command_id, command.content())
                else:
                    decide(self._escrow, workflow.now())

    async def _answer(self, command: EscrowCommand, decide: Decision) -> CommandResult:
        with self._dated():
            await self._apply(command.command_id, decide, command.actor, command.content())
        return self._result()

    def _dated(self) -> AbstractContextManager[None]:
        """Say with a refusal what the run knew: a caller who finds the books ahead has it catch up."""
        return dated(lambda: self._escrow.version)

    async def _apply(self, command_id: str, decide: Decision, actor: Actor | None, content: str | None = None) -> None:
        """Decide under the lock, write, and only then change the state; a deadline that has passed goes first.

        A command that was done is answered and not done again, unless it asked for something else.
        """
        async with self._lock:
            await self._open_once()
            while not self._escrow.has_done(command_id):
                now = workflow.now()
                if await self._expire(now):
                    continue
                outcome = decide(self._escrow, now)
                if await self._record(outcome, command_id, actor, now, content):
                    return
            self._escrow.refuse_other(command_id, content)

    async def _advance(self) -> None:
        """Open, or wait for the next deadline or change, whichever comes first."""
        async with self._lock:
            await self._open_once()
            await self._expire(workflow.now())
        deadline, version = next_deadline(self._escrow), self._escrow.version
        if deadline is None:
            return
        try:
            await workflow.wait_condition(
                lambda: self._escrow.version != version or self._should_continue_as_new(),
                timeout=max(deadline.at - workflow.now(), timedelta(0)),
                timeout_summary=f"{self._escrow.status}, {deadline.what}",
            )
        except TimeoutError:
            return

    async def _open_once(self) -> None:
        if self._start.resume and self._escrow.version == 0:
            self._escrow = await self._load("resume from the books")
            self._publish()
        if self._escrow.version == 0:
            opening, by = self._opening, self._start.opened_by
            try:
                await self._record(opening, self._start.command_id, by, opening.escrow.opened_at)
            except DomainError as refusal:
                raise not_opened(refusal) from refusal

    async def _load(self, why: str) -> Escrow:
        return await workflow.execute_local_activity_method(
            EscrowActivities.load, LoadEscrow(escrow_id=self._escrow.terms.escrow_id), **local_activity(why)
        )

    async def _catch_up(self) -> bool:
        """Adopt what the books hold when it is later than what the run knows; the caller holds the lock.

        A local activity may have committed although its workflow task was lost. Returns whether the run was behind.
        """
        stored = await self._load("look whether the books are ahead")
        if stored.version <= self._escrow.version:
            return False
        self._escrow = stored
        self._publish()
        return True

    async def _expire(self, now: datetime) -> bool:
        """Do what a passed deadline does, after what reached us before it; the caller holds the lock.

        A run that was away over its deadline finds commands that were sent in time. The books know those that were
        noted, with their time, and decline the deadline's event until each is done or refused.
        """
        outcome, deadline = timed_exit(self._escrow, now), next_deadline(self._escrow)
        if outcome is None or deadline is None:
            return False
        if now - deadline.at > LATE and workflow.patched("late-deadlines-let-freezes-first"):
            await asyncio.sleep(0)  # every handler that this task brought has begun after this, and said what it wants
            if await self._frozen(now):
                return True
        refused: tuple[str, ...] = ()
        while outcome is not None and next_deadline(self._escrow) == deadline:
            command_id = f"timer:{outcome.event}:{self._escrow.version}"
            recorded = await self._write(outcome, command_id, None, now, due_at=deadline.at, settles=refused)
            if not recorded.noted:
                return True
            refused = tuple([noted.command_id for noted in recorded.noted if not await self._in_time(noted, now)])
            outcome = timed_exit(self._escrow, now)
        return True

    async def _frozen(self, now: datetime) -> bool:
        """Freeze the escrow when an operator has signalled it; a signal has no time, so that it may have been late."""
        for command_id, (decide, actor) in tuple(self._freezes.items()):
            if await self._done(command_id, decide, actor, now):
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
            while not self._escrow.has_done(command_id):
                if await self._record(decide(self._escrow, now), command_id, actor, now, content):
                    break
        except DomainError:
            return False
        return True

    async def _record(
        self, outcome: Outcome, command_id: str, actor: Actor | None, now: datetime, content: str | None = None
    ) -> bool:
        """Write one event; return whether the command is done: by this event, or by one in the books for longer."""
        return (await self._write(outcome, command_id, actor, now, content)).applied

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
                decided_from=state_hash(self._escrow) if self._escrow.version else None,
            ),
            **local_activity(f"{numbered.event}: {self._escrow.status} → {numbered.escrow.status}"),
        )
        if recorded.declined is not None:
            raise recorded.declined.error(state=self._escrow.status.value)
        if not recorded.noted:
            self._escrow = recorded.stored or numbered.escrow
            self._publish()
        return recorded

    def _publish(self) -> None:
        """Show the state to operators; the search attribute costs the server a write, so only when it changes."""
        if self._escrow.status is not self._published:
            self._published = self._escrow.status
            workflow.upsert_search_attributes([search_attributes.STATE.value_set(self._published.value)])
        workflow.set_current_details(details(self._escrow))

    def _should_continue_as_new(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()

    def _result(self) -> CommandResult:
        terms = self._escrow.terms
        return CommandResult(escrow_id=terms.escrow_id, status=self._escrow.status.value, version=self._escrow.version)
