"""How a command of a request reaches an escrow: looked up as the caller sees it, sent once, and shown after it."""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends
from starlette.responses import Response
from temporalio.client import Client

from api.auth import ActorDep, permit
from api.deps import Deps, DepsDep, TemporalDep
from api.idempotency import Command, idempotency
from api.v1.escrows import commands
from api.v1.escrows.schemas import EscrowView, view
from contracts.escrow.escrow import EscrowCommand
from domain.common.access import Actor, Permission
from domain.escrow.state import Escrow
from repositories.escrow import escrow as escrows

MovesMoney = Annotated[Command, idempotency(required=True)]
MayRepeat = Annotated[Command, idempotency(required=False)]


async def now_of(deps: Deps, actor: Actor, escrow_id: str) -> EscrowView:
    """Show an escrow as it is now, with what the actor has written on it."""
    return view(*await commands.shown(deps, actor, escrow_id), actor)


class Sender:
    """Sends one command of one request and answers with the escrow after it."""

    def __init__(self, deps: Deps, temporal: Client, actor: Actor) -> None:
        self.deps, self.temporal, self.actor = deps, temporal, actor

    async def find(self, escrow_id: str, permission: Permission) -> Escrow:
        """Look the escrow up before the role is judged: 404 comes before 403."""
        escrow = await commands.seen(self.deps, self.actor, escrow_id)
        permit(self.actor, permission)
        return escrow

    async def is_full(self, escrow: Escrow, kind: str, limit: int, once: Command) -> bool:
        """Return whether the escrow has as many events of a kind as it takes, and the command made none of them."""
        if escrow.version < limit:
            # An escrow has no more events than its version says.
            return False
        count, done = await self.events(escrow, kind, once)
        return count >= limit and not done

    async def events(self, escrow: Escrow, kind: str, once: Command) -> tuple[int, bool]:
        """Count the escrow's events of a kind, and tell whether the command made one of them."""
        async with self.deps.session_for(self.actor) as session:
            return await escrows.count_events(session, escrow.terms.escrow_id, kind, once.command_id)

    async def send(
        self,
        once: Command,
        escrow: Escrow,
        update: str,
        command: EscrowCommand,
        check: Callable[[], Awaitable[None]] | None = None,
    ) -> Response:
        """Send the command once, after a check, and answer with what the read model holds then."""
        async with once:
            if check is not None:
                await check()
            await commands.send(self.deps, self.temporal, escrow, update, command)
            return once.answer(await now_of(self.deps, self.actor, escrow.terms.escrow_id))


async def _sender(deps: DepsDep, temporal: TemporalDep, actor: ActorDep) -> Sender:
    return Sender(deps, temporal, actor)


SenderDep = Annotated[Sender, Depends(_sender)]
