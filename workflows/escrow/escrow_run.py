"""Deadlines and writes of an escrow's run; `workflows/escrow/escrow.py` adds commands and signals."""

import asyncio
from abc import abstractmethod
from dataclasses import replace
from datetime import datetime, timedelta

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.escrow.escrow import EscrowActivities
    from contracts.common.queues import local_activity
    from contracts.escrow.escrow import (
        CloseEvidence,
        CommandResult,
        EscrowCommand,
        EscrowInput,
        LoadEscrow,
        NotedCommand,
        RecordedEscrow,
        RecordEscrowEvent,
    )
    from domain.common.access import Actor
    from domain.common.errors import DomainError
    from domain.escrow import commands
    from domain.escrow.agenda import News, Step, agenda, is_late
    from domain.escrow.deadlines import next_deadline, timed_exit
    from domain.escrow.outage import evidence_closes_at, evidence_extended
    from domain.escrow.pause import extended
    from domain.escrow.presentation import details
    from domain.escrow.state import Decision, Escrow, Outcome
    from workflows.common.entity import Entity


class EscrowRun(Entity[EscrowInput, Escrow, Outcome, Decision, CommandResult]):
    """Deadlines and writes of an escrow's run; the workflow declares the commands."""

    def __init__(self, start: EscrowInput) -> None:
        """Prepare the state that is opened first; a run that resumes reads the books."""
        self._opening = commands.opened(start.terms, actor=start.opened_by, now=workflow.now())
        # The end of an evidence window that the books do not extend.
        self._evidence_closed_at: datetime | None = None
        super().__init__(start, self._opening.escrow)

    async def _advance(self) -> None:
        """Open, or wait for the next deadline or change, whichever comes first."""
        await self._turn(lambda: self._overtaken(workflow.now()))
        deadline, version = next_deadline(self._state), self._state.version
        if deadline is None:
            return
        at, what = deadline.at, deadline.what
        if (closes_at := self._evidence_closes_at()) is not None and closes_at < at:
            at, what = closes_at, "then no more evidence is taken"
        try:
            await workflow.wait_condition(
                lambda: self._state.version != version or self._should_continue_as_new(),
                timeout=max(at - workflow.now(), timedelta(0)),
                timeout_summary=f"{self._state.status}, {what}",
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

    def _details(self) -> str:
        return details(self._state)

    def _result(self) -> CommandResult:
        state = self._state
        return CommandResult(escrow_id=state.terms.escrow_id, status=state.status.value, version=state.version)

    async def _overtaken(self, now: datetime) -> bool:
        """Apply a passed deadline, after the commands that were received before it; the caller holds the lock.

        A run that was down at its deadline finds commands that were sent in time. The API has noted them in the books,
        with their time, and the books decline the deadline's event until each is done or refused.
        """
        if self._may_extend_evidence(now):
            await self._close_evidence(now)
            return True
        deadline = next_deadline(self._state)
        if deadline is None or now < deadline.at:
            return False
        news = News(freezes=await self._freezes(now))
        noted: tuple[NotedCommand, ...] = ()
        refused: tuple[str, ...] = ()
        while next_deadline(self._state) == deadline and isinstance(step := agenda(self._state, now, news), Step):
            match step:
                case Step.FREEZE:
                    await self._freeze(news.freezes[0], now)
                    news = replace(news, freezes=news.freezes[1:])
                case Step.TAKE_NOTED:
                    refused = await self._take_noted(noted, now)
                    news = replace(news, noted=0)
                case Step.EXIT:
                    noted = await self._exit(now, deadline.at, refused)
                    if not noted:
                        return True
                    news = replace(news, noted=len(noted))
        return True

    def _evidence_closes_at(self) -> datetime | None:
        """Return when the evidence window closes that the books were not asked about yet."""
        closes_at = evidence_closes_at(self._state)
        return None if closes_at == self._evidence_closed_at else closes_at

    def _may_extend_evidence(self, now: datetime) -> bool:
        """Return whether the evidence window has passed, and the books may extend it yet."""
        closes_at = self._evidence_closes_at()
        return closes_at is not None and now >= closes_at

    async def _close_evidence(self, now: datetime) -> None:
        """Close the evidence window, or extend it because the API was away; the caller holds the lock."""
        closes_at = self._evidence_closes_at()
        answer = await workflow.execute_local_activity_method(
            EscrowActivities.close_evidence,
            CloseEvidence(escrow_id=self._state.terms.escrow_id, at=now),
            **local_activity("close the evidence window, unless the API was away"),
        )
        if answer.extended_until is None:
            self._evidence_closed_at = closes_at
            return
        extension = evidence_extended(self._state, answer.extended_until)
        await self._write(extension, f"timer:{extension.event}:{self._state.version}", None, now)

    async def _freezes(self, now: datetime) -> tuple[str, ...]:
        """Return operators' signals to freeze the escrow, if its deadline acts late."""
        if not is_late(self._state, now):
            return ()
        await asyncio.sleep(0)  # let every handler of this workflow task start, and register its signal
        return tuple(command_id for command_id, wanted in self._wanted.items() if wanted.signal == "dispute")

    async def _freeze(self, command_id: str, now: datetime) -> None:
        """Freeze the escrow for an operator's signal, if the rules allow it."""
        wanted = self._wanted[command_id]
        await self._done(command_id, wanted.wish, wanted.actor, now)

    async def _exit(self, now: datetime, due_at: datetime, refused: tuple[str, ...]) -> tuple[NotedCommand, ...]:
        """Apply the deadline; returns the commands that must be done before it, and applies nothing if there are any.

        A release or a default that must wait is extended. `refused` are the noted commands that were refused.
        """
        outcome = timed_exit(self._state, now)
        assert outcome is not None
        command_id = f"timer:{outcome.event}:{self._state.version}"
        recorded = await self._write(outcome, command_id, None, now, due_at=due_at, settles=refused)
        if recorded.extended_until is not None:
            extension = extended(self._state, recorded.extended_until)
            await self._write(extension, f"timer:{extension.event}:{self._state.version}", None, now)
        return recorded.noted

    async def _take_noted(self, noted: tuple[NotedCommand, ...], now: datetime) -> tuple[str, ...]:
        """Do the commands that were noted before the deadline, in order; returns those that are refused.

        An approval or delivery is for what the books showed when it was sent: an earlier note that brings another
        delivery or milestone must not change what it is for. A dispute always counts, because it moves no money.
        """
        refused, before = list[str](), self._state
        for each in noted:
            if _is_other(each.name, before, self._state) or not await self._in_time(each, now):
                refused.append(each.command_id)
        return tuple(refused)

    async def _in_time(self, noted: NotedCommand, now: datetime) -> bool:
        """Do a command that was noted before the deadline; False if it is refused or cannot be read."""
        try:
            command, given = self._decision_of(noted)
        except (KeyError, ValueError):
            workflow.logger.warning("a noted command cannot be read", extra={"command": noted.name})
            return False

        def decide(escrow: Escrow, now: datetime) -> Outcome:
            outcome = given(escrow, now)
            return replace(outcome, details={**outcome.details, "given_at": noted.noted_at.isoformat()})

        return await self._done(noted.command_id, decide, command.actor, now, command.content())

    @abstractmethod
    def _decision_of(self, noted: NotedCommand) -> tuple[EscrowCommand, Decision]:
        """Return a noted command and its decision, as of the time of the note.

        Raises:
            ValueError: it cannot be read. KeyError: commands of its name are not noted.
        """

    async def _done(
        self, command_id: str, decide: Decision, actor: Actor, now: datetime, content: str | None = None
    ) -> bool:
        """Do a command before the deadline; False if it is refused. The caller holds the lock."""
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
        """Write one event and adopt the state after it, or the books' state if they are ahead."""
        numbered = commands.numbered(outcome, command_id=command_id, now=now, content=content)
        recorded = await workflow.execute_local_activity_method(
            EscrowActivities.record_event,
            RecordEscrowEvent(
                outcome=numbered,
                command_id=command_id,
                actor=actor,
                at=now,
                due_at=due_at,
                settles=settles,
                content=content,
                decided_from=self._decided_from(),
            ),
            **local_activity(f"{numbered.event}: {self._state.status} → {numbered.escrow.status}"),
        )
        self._written(recorded, numbered.escrow if recorded.applied else None)
        return recorded


def _is_other(name: str, before: Escrow, now: Escrow) -> bool:
    """Whether a noted command is for another milestone, or approves another delivery, than the present one."""
    if before.milestones_released != now.milestones_released:
        return name != "dispute"
    return name == "approve" and before.delivery != now.delivery
