"""How an entity is declared to the contract suite: how it starts, how it reaches each state, its messages."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any, Literal

from sqlalchemy.ext.asyncio import AsyncSession

from contracts.common.base import Message
from contracts.runs import Run
from tests.workflows.conftest import Stage


@dataclass(frozen=True, kw_only=True)
class State:
    """A state in which an entity's run waits, and its outcome there.

    Attributes:
        name: as the books have it.
        follows: the state that it is entered from; None for the first one.
        enter: brings an entity there by its run.
        write: has the books hold it without telling the run; None where no test needs that.
        left_alone: how the entity ends when nobody acts.
        cancelled: the state after a cancellation of the run; None where that does not end it.
        noted: the event that a cancellation leaves where it does not end it.
        terms: the changes of its terms under which an entity comes there.
        lasts: longer than what is awaited there; the entity's own time where that is None.
    """

    name: str
    follows: str | None = None
    enter: Callable[[Any], Awaitable[object]]
    write: Callable[[Any], Awaitable[object]] | None = None
    left_alone: str
    cancelled: str | None = None
    noted: str = "command_refused"
    terms: Mapping[str, Any] = field(default_factory=dict)
    lasts: timedelta | None = None


@dataclass(frozen=True)
class Inbound:
    """A message to an entity's run, and its result in a state that accepts it.

    Attributes:
        kind, name: how the run declares it.
        state: where it is taken.
        message: what it carries.
        event: the event that it leaves in the timeline.
        refused: the code of its refusal, for an update whose success is tested elsewhere.
        prepare: what has to happen elsewhere before.
    """

    kind: Literal["update", "signal"]
    name: str
    state: str
    message: Callable[[Any], Message]
    event: str | None = None
    refused: str | None = None
    prepare: Callable[[Any], object] = lambda one: None


@dataclass(frozen=True, kw_only=True)
class Entity:
    """An entity, as the contract sees it.

    Attributes:
        name: of its workflow.
        make: puts one on the stage; its run begins with the first state. Takes changes of its terms.
        run: says how the run of one is found and started again from the books.
        lock: keeps everybody else from writing one, until the transaction ends.
        result: what its updates are answered with.
        lasts: longer than any time that it waits for.
        states: in which its run waits.
        messages: each that its run declares, but `catch_up`.
        ending: the update after which nothing is awaited any more.
        ends_at_once: the terms under which its run then ends at once.
        note: has the books hold a note that its run does not know; None where states are written so.
        statuses: each state that the books can hold.
        final: those in which nothing is awaited.
        unentered: why no test enters it, by state.
    """

    name: str
    make: Callable[..., Awaitable[Any]]
    run: Callable[[Any], Run]
    lock: Callable[[AsyncSession, Any], Awaitable[object]]
    result: type
    lasts: timedelta
    states: tuple[State, ...]
    messages: tuple[Inbound, ...]
    ending: str
    ends_at_once: Mapping[str, Any] = field(default_factory=dict)
    note: Callable[[Any], Awaitable[object]] | None = None
    statuses: type[StrEnum]
    final: Collection[StrEnum]
    unentered: Mapping[str, str] = field(default_factory=dict)

    def state(self, name: str) -> State:
        return next(state for state in self.states if state.name == name)

    async def brought(self, stage: Stage, name: str, **terms: Any) -> Any:
        """Put one on the stage and bring it to a state by its run."""
        one = await self.make(stage, **{**self.state(name).terms, **terms})
        way = [self.state(name)]
        while way[0].follows is not None:
            way.insert(0, self.state(way[0].follows))
        for state in way:
            await state.enter(one)
        return one
