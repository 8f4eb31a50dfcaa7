"""Base of all entity workflows. An entity adds its messages, activities and steps.

Every decision and write runs under one lock, after the run is open, so that commands, signals and the run's own steps
never interleave.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial
from typing import Any, Generic, Never, Protocol, Self, TypeVar, cast

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from contracts.common import search_attributes
    from contracts.common.base import Message
    from contracts.common.catch_up import CatchUp, with_version
    from contracts.escrow.escrow import Declined, OperatorSignal
    from domain.common.access import Actor
    from domain.common.errors import DomainError, Invalid
    from domain.common.ids import bounded
    from domain.common.state_hash import state_hash
    from workflows.common.signals import malformed, read_signal, refusal_id, sender, signal_id


class Input(Protocol):
    """Input of a run."""

    @property
    def resume(self) -> bool: ...

    @property
    def signals(self) -> int: ...

    def model_copy(self, *, update: Mapping[str, Any] | None = None) -> Self: ...  # noqa: D102


class State(Protocol):
    """State of the entity in the books; version 0 precedes the first event."""

    @property
    def version(self) -> int: ...

    @property
    def status(self) -> StrEnum: ...

    def has_done(self, command_id: str) -> bool: ...  # noqa: D102


class Command(Protocol):
    """Message of an update."""

    @property
    def command_id(self) -> str: ...

    def check(self) -> None: ...  # noqa: D102


StateCo = TypeVar("StateCo", covariant=True)


class WriteResult(Protocol[StateCo]):
    """Result of a write."""

    @property
    def declined(self) -> Declined | None: ...

    @property
    def stored(self) -> StateCo | None: ...


In = TypeVar("In", bound=Input)
S = TypeVar("S", bound=State)
E = TypeVar("E")
#: The entity's decision function, called with state and time, or with a command's id and actor.
W = TypeVar("W", bound=Callable[..., object])
R = TypeVar("R")
T = TypeVar("T")
M = TypeVar("M", bound=Message)
Sig = TypeVar("Sig", bound=OperatorSignal)


def _refuse(refusal: DomainError, *_: object) -> Never:
    raise refusal


@dataclass(frozen=True, slots=True)
class PendingSignal(Generic[W]):
    """Command of an operator's signal that waits for the lock."""

    signal: str
    wish: W
    actor: Actor


class Entity(ABC, Generic[In, S, E, W, R]):
    """Run of an entity with input `In` and state `S`. A signal requests a `W`, and an update returns an `R`.

    Ends when: `_has_ended`, and every handler has answered.
    Continues as new: when the server suggests it, from what the books hold.
    """

    def __init__(self, start: In, before: S) -> None:
        """Begin from the state before the first event; a run that resumes reads the books first.

        The input holds no state: anyone with access to Temporal could start a run with a forged one.
        """
        self._start = start
        self._state: S = before
        self._lock = asyncio.Lock()
        self._signals = start.signals
        # Operators' signals that still wait for the lock, by command.
        self._wanted: dict[str, PendingSignal[W]] = {}
        # The next run begins when all handlers have answered, so no caller waits across runs.
        self._leaving = False
        # Why the books refused the first event; the run fails with it.
        self._refused_start: ApplicationError | None = None
        # The status that the search attribute shows; None until a run that resumes has read the books.
        self._published: StrEnum | None = None if start.resume else self._state.status

    # Declared by an entity --------------------------------------------------------------------------------------------

    @abstractmethod
    async def _load(self, why: str) -> S:
        """Read the state that the books hold."""

    async def _open(self) -> None:
        """Write the first event. By default the entity is in the books already, and the run resumes from them."""
        self._adopt(await self._load("resume from the books"))

    @abstractmethod
    async def _write_next(self, event: E, command_id: str, actor: Actor | None, content: str | None = None) -> bool:
        """Write an event and adopt it, or the state of the books instead; return whether the command is done."""

    @abstractmethod
    async def _advance(self) -> None:
        """Take the next step of the run itself, or wait until one is due."""

    @abstractmethod
    def _has_ended(self) -> bool:
        """Return whether nothing is awaited any more."""

    @abstractmethod
    def _details(self) -> str:
        """Render the state for operators."""

    @abstractmethod
    def _result(self) -> R:
        """Return the answer to an update."""

    @abstractmethod
    async def _grant(self, command_id: str, wish: W, actor: Actor) -> None:
        """Execute the command of a signal; the caller holds the lock."""

    @abstractmethod
    def _noting(self, note: dict[str, object], actor: Actor) -> W:
        """Return the decision that records a signal's refusal in the timeline."""

    @abstractmethod
    async def _cancel_requested(self) -> None:
        """Treat a cancellation of the run from the Temporal UI as the command `cancel`."""

    async def _overtaken(self, now: datetime) -> bool:  # noqa: ARG002
        """Do what is due before any command; return whether anything was due."""
        return False

    def _refuse_other(self, command_id: str, content: str | None) -> None:
        """Refuse a command with the id of a different command, if the entity can compare them."""

    async def _note_refusal(self, note: dict[str, object], command_id: str, actor: Actor) -> None:
        """Record the refusal of a signal in the timeline; the caller holds the lock."""
        await self._grant(command_id, self._noting(note, actor), actor)

    def _carried(self) -> dict[str, object]:
        """Return the fields of the next run's input that are not in the books."""
        return {}

    def _has_more(self) -> bool:
        """Return whether this run must go on, because of messages that arrived while handlers were drained."""
        return False

    # The life of a run ------------------------------------------------------------------------------------------------

    async def _live(self, start: In) -> None:
        """Advance until the entity has ended, or continue as new."""
        workflow.set_current_details(self._details())
        while True:
            try:
                if self._has_ended() or self._should_continue_as_new():
                    await self._let_handlers_answer()
                    if not self._has_more() or self._should_continue_as_new():
                        break
                await self._advance()
            except (asyncio.CancelledError, ActivityError) as error:
                # A cancelled local activity arrives as its error, not as the cancellation itself.
                if not is_cancelled_exception(error):
                    raise
                await asyncio.shield(self._cancel_requested())
            except ApplicationError:
                if self._refused_start is not None:
                    # Callers that wait for the start get the refusal, and not only the end of the run.
                    await workflow.wait_condition(workflow.all_handlers_finished)
                raise
        if not self._has_ended():
            known = {"resume": self._state.version > 0, "signals": self._signals}
            workflow.continue_as_new(start.model_copy(update=known | self._carried()))

    async def _let_handlers_answer(self) -> None:
        """Wait until all handlers have answered; after a cancellation during that time the run may go on."""
        self._leaving = True
        try:
            await workflow.wait_condition(workflow.all_handlers_finished)
        finally:
            self._leaving = False

    def _should_continue_as_new(self) -> bool:
        return workflow.info().is_continue_as_new_suggested()

    async def _turn(self, act: Callable[[], Awaitable[T]]) -> T:
        """Run an action under the lock, once the run is open."""
        async with self._lock:
            await self._open_once()
            return await act()

    async def _open_once(self) -> None:
        if self._state.version:
            return
        if self._start.resume:
            return await Entity._open(self)
        if self._refused_start is not None:
            raise self._refused_start
        try:
            await self._open()
        except DomainError as refusal:
            # This fails the run, and a command that waits for it. No money has moved yet.
            why = refusal.status, refusal.detail, refusal.extra
            failure = ApplicationError(refusal.detail, *why, type=refusal.error_code, non_retryable=True)
            self._refused_start = failure
            raise failure from refusal

    @workflow.query(name="version")
    def version(self) -> int:
        """The number of the latest event that the run knows. The books are behind it only after a restore."""
        return self._state.version

    # The books --------------------------------------------------------------------------------------------------------

    def _decided_from(self) -> str | None:
        """Return the hash of the state that the next event is decided from; None before the first."""
        return state_hash(self._state) if self._state.version else None

    def _written(self, recorded: WriteResult[S], then: S | None = None) -> None:
        """Adopt the state after a write: that of the books, if stored, else `then`; raise the books' refusal."""
        if recorded.declined is not None:
            raise recorded.declined.error(state=self._state.status.value)
        held = then if recorded.stored is None else recorded.stored
        if held is not None:
            self._adopt(held)

    def _adopt(self, state: S) -> None:
        """Adopt a state and show it to operators. Setting the search attribute costs a write, so only on change."""
        self._state = state
        if state.status is not self._published:
            self._published = state.status
            workflow.upsert_search_attributes([search_attributes.STATE.value_set(self._published.value)])
        workflow.set_current_details(self._details())

    async def _catch_up(self) -> bool:
        """Adopt the state of the books if it is newer than the run's; the caller holds the lock.

        A local activity may have committed although its workflow task was lost. Return whether the run was behind.
        """
        stored = await self._load("check whether the books are ahead")
        if stored.version <= self._state.version:
            return False
        # As after a resume, the results of earlier provider calls are unknown, and are looked up before a repetition.
        self._start = self._start.model_copy(update={"resume": True})
        self._adopt(stored)
        return True

    @workflow.update(name="catch_up")
    async def catch_up(self, command: CatchUp) -> R:
        """Adopt the state of the books, for a caller that has read a newer version there."""
        return await self._catch_up_to(command)

    @catch_up.validator
    def _validate_catch_up(self, command: CatchUp) -> None:
        self._check_catch_up(command)

    async def _catch_up_to(self, command: CatchUp) -> R:
        async def adopt() -> None:
            if self._state.version < command.version:
                await self._catch_up()

        await self._turn(adopt)
        return self._result()

    def _check_catch_up(self, command: object) -> None:
        """Refuse a malformed message, with which the handler would fail the workflow task."""
        if not isinstance(command, CatchUp):
            raise Invalid("catch_up needs the version that the books hold. Send version.", extra={"field": "version"})

    # Commands ---------------------------------------------------------------------------------------------------------

    async def _answer_when(self, is_answered: Callable[[], bool]) -> R:
        """Wait until the update that starts the entity can be answered; return the state, or raise the refusal."""
        await workflow.wait_condition(lambda: self._refused_start is not None or is_answered())
        if self._refused_start is not None:
            raise self._refused_start
        return self._result()

    async def _answer(self, act: Callable[[], Awaitable[None]]) -> R:
        with with_version(self.version):
            await self._turn(act)
        return self._result()

    async def _apply(
        self, command_id: str, decide: Callable[[S, datetime], E], actor: Actor | None, content: str | None = None
    ) -> None:
        """Decide, write, and then adopt the state; the caller holds the lock.

        A repeated command is answered without effect; another command with its id is refused.
        """
        while not self._state.has_done(command_id):
            now = workflow.now()
            if await self._overtaken(now):
                continue
            if await self._write_next(decide(self._state, now), command_id, actor, content):
                return
        self._refuse_other(command_id, content)

    def _check(self, command: Command, judge: Callable[[], object]) -> None:
        """Refuse in the validator a command that the state refuses, so that Temporal does not store the refusal.

        The handler decides again under the lock. A run that has not resumed yet, or is busy, accepts everything: its
        state may be older than the books, which callers read.
        """
        command.check()
        if self._state.version and not self._lock.locked():
            # A caller that finds the books ahead of the version of a refusal sends `catch_up`.
            with with_version(self.version):
                judge()

    # Signals of facts -------------------------------------------------------------------------------------------------

    async def _handle_fact(self, name: str, kind: type[M], given: RawValue, note: Callable[[M], None]) -> None:
        """Handle the fact of a signal, or refuse a malformed signal."""
        signal = read_signal(workflow.payload_converter(), kind, given)
        if signal is None:
            await self._refuse_malformed(name)
        else:
            note(signal)

    # Signals of operators ---------------------------------------------------------------------------------------------

    async def _handle_signal(self, name: str, kind: type[Sig], given: RawValue, wish: Callable[[Sig], W]) -> None:
        """Execute the command of an operator's signal, or refuse a malformed signal."""
        signal = read_signal(workflow.payload_converter(), kind, given)
        if signal is None:
            await self._refuse_malformed(name)
        else:
            await self._carry_out(name, signal, wish(signal))

    async def _refuse_malformed(self, name: str) -> None:
        await self._carry_out(name, OperatorSignal(), cast("W", partial(_refuse, malformed(name))))

    async def _carry_out(self, name: str, signal: OperatorSignal, wish: W, unnamed: str = "operator") -> None:
        """Execute the command of a signal; a refusal is recorded in the timeline, because signals return nothing.

        `unnamed` is the sender in the timeline if the signal names none.
        """
        self._signals += 1
        # The count continues in the next run, and it and the first run's id survive a reset, so a signal that is
        # delivered again keeps its id.
        own_id = f"{workflow.info().first_execution_run_id}:{self._signals}"
        command_id, actor = bounded(signal_id(name, signal, own_id)), sender(signal, unnamed)
        self._wanted[command_id] = PendingSignal(name, wish, actor)
        await self._turn(partial(self._grant_or_note, signal, command_id, self._wanted[command_id]))

    async def _grant_or_note(self, signal: OperatorSignal, command_id: str, wanted: PendingSignal[W]) -> None:
        refusal = await self._refusal_of(command_id, wanted)
        self._wanted.pop(command_id, None)
        # A signal is not retried by its sender, so the books are read in case an outdated state refused it.
        if refusal is not None and await self._catch_up():
            refusal = await self._refusal_of(command_id, wanted)
        if refusal is not None:
            note: dict[str, object] = {"command": wanted.signal, "code": refusal.error_code, "detail": refusal.detail}
            await self._note_refusal(note, bounded(refusal_id(signal, command_id)), wanted.actor)

    async def _refusal_of(self, command_id: str, wanted: PendingSignal[W]) -> DomainError | None:
        try:
            await self._grant(command_id, wanted.wish, wanted.actor)
        except DomainError as refusal:
            return refusal
        return None
