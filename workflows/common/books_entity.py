"""The base of entities whose row in the books is written before their run starts."""

from abc import abstractmethod
from collections.abc import Callable
from datetime import datetime

from temporalio import workflow

from workflows.common.entity import E, Entity, In, R, S

with workflow.unsafe.imports_passed_through():
    from contracts.escrow.escrow import OperatorSignal
    from domain.common.access import Actor
    from domain.common.signals import SignalTarget
    from workflows.common.signals import check_addressed


class BooksEntity(Entity[In, S, E, Callable[[S, datetime], E], R]):
    """The run of an entity that is in the books before the run starts. Its input is an id, also after continue-as-new.

    A signal asks for a decision, and its sender must be named.
    """

    def __init__(self, start: In, nothing: S) -> None:
        """Start from `nothing`, the state until the books are read."""
        super().__init__(start.model_copy(update={"resume": True}), nothing)

    @abstractmethod
    def _signal_target(self, held: S) -> SignalTarget:
        """Return the entity that a signal was sent to."""

    @abstractmethod
    def _shown(self) -> str:
        """Render what the books hold for operators."""

    async def _grant(self, command_id: str, wish: Callable[[S, datetime], E], actor: Actor) -> None:
        await self._apply(command_id, wish, actor)

    def _details(self) -> str:
        return self._shown() if self._state.version else "reads the books"

    def _addressed(
        self, name: str, signal: OperatorSignal, decide: Callable[[S, datetime], E]
    ) -> Callable[[S, datetime], E]:
        """Return the decision, refused unless the signal names this entity and its sender."""

        def checked(held: S, now: datetime) -> E:
            check_addressed(self._signal_target(held), name, signal, subject=getattr(signal, name))
            return decide(held, now)

        return checked
