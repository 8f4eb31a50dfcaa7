"""An entity that is about to end, and goes on when its run is cancelled."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from contracts.common.base import Message
    from domain.common.access import Actor
    from workflows.common.entity import Entity


class Status(StrEnum):
    WAITING = "waiting"


@dataclass(frozen=True)
class Hesitation:
    version: int = 1
    status: Status = Status.WAITING

    def has_done(self, command_id: str) -> bool:
        return False


class Hesitate(Message):
    resume: bool = False
    signals: int = 0


@workflow.defn(name="hesitating")
class HesitatingWorkflow(Entity[Hesitate, Hesitation, object, Callable[..., object], str]):
    """Ends once released. A cancellation before that restarts it."""

    @workflow.init
    def __init__(self, start: Hesitate) -> None:
        super().__init__(start, Hesitation())
        self._ends = self._let_go = False

    @workflow.run
    async def run(self, start: Hesitate) -> None:
        await self._live(start)

    @workflow.update
    async def hold(self) -> None:
        """Keep the run from ending until it is let go."""
        self._ends = True
        await workflow.wait_condition(lambda: self._let_go)

    @workflow.signal
    def let_go(self) -> None:
        self._let_go = self._ends = True

    @workflow.query
    def standing(self) -> tuple[bool, bool]:
        """Return whether the run is due to complete, and whether it refuses new commands because of that."""
        return self._ends, self._leaving

    async def _advance(self) -> None:
        await workflow.wait_condition(lambda: self._ends)

    async def _cancel_requested(self) -> None:
        self._ends = False

    def _has_ended(self) -> bool:
        return self._ends

    async def _load(self, why: str) -> Hesitation:
        return self._state

    async def _open(self) -> None:
        pass

    async def _write_next(
        self, event: object, command_id: str, actor: Actor | None, content: str | None = None
    ) -> bool:
        return True

    def _details(self) -> str:
        return ""

    def _result(self) -> str:
        return ""

    async def _grant(self, command_id: str, wish: Callable[..., object], actor: Actor) -> None:
        pass

    def _noting(self, note: dict[str, object], actor: Actor) -> Callable[..., object]:
        return lambda: note

    async def _overtaken(self, now: datetime) -> bool:
        return False
