"""Sending of commands to the workflow of an escrow.

No database transaction is open while Temporal is called. The update id is made of the command's id and content, so a
repeated command attaches to the first attempt as long as its run lasts, and another command under its id does not.
After that the receipts in the state, and the timeline's unique command ids, give the first result. A run that is behind
the books catches up before its refusal counts.
"""

from datetime import datetime
from typing import Annotated, get_args

import asyncpg
from fastapi import Depends
from starlette.responses import Response
from temporalio.client import Client
from temporalio.exceptions import WorkflowAlreadyStartedError

from api.auth import ActorDep, permit
from api.deps import Deps, DepsDep, TemporalDep
from api.idempotency import Command
from api.parties import is_shown_own
from api.risk import decide_escrow
from api.tenancy import refuse_other_agent
from api.v1.escrows.schemas import EscrowView, view
from contracts.escrow.escrow import (
    CommandResult,
    DeliverEscrow,
    EscrowCommand,
    EscrowInput,
    OpenEscrow,
    RefundEscrow,
    SubmitEvidence,
)
from contracts.runs import escrow_run
from domain.common.access import Actor, Permission
from domain.common.errors import DomainError, EscrowOutOfStep, NotFound, Unavailable
from domain.common.ids import is_id
from domain.escrow.actions import (
    MAX_DELIVERIES,
    MAX_PARTIAL_REFUNDS,
    EscrowAction,
    too_many_deliveries,
    too_many_refunds,
)
from domain.escrow.commands import final_state_error
from domain.escrow.state import Escrow, EscrowStatus, Terms
from models.escrow.contract import Contract
from repositories.escrow import contract as contracts, escrow as escrows, escrow_notice
from repositories.escrow.party import Parties
from repositories.marketplace import agent as agents
from repositories.tenants import organization as organizations
from runtime.reach import EntityClient

MISSING = "There is no such escrow."
#: Updates that are noted before they are sent.
NOTED: dict[str, escrow_notice.NotedCommandName] = {name: name for name in get_args(escrow_notice.NotedCommandName)}


async def find_escrow(deps: Deps, actor: Actor, escrow_id: str) -> Escrow:
    """Return the escrow if the actor may see it; NotFound otherwise."""
    found, org_id = None, actor.org_id
    if is_id(escrow_id, "esc"):
        if org_id is not None:
            found = await deps.pool.read(lambda pool: escrows.read(pool, org_id, escrow_id))
        else:
            found = await deps.platform_pool.read(lambda pool: escrows.read_any(pool, escrow_id))
    if found is None:
        raise NotFound(MISSING)
    refuse_other_agent(actor, found.terms.agent_id, MISSING)
    return found


async def find_escrow_with_parties(deps: Deps, actor: Actor, escrow_id: str) -> tuple[Escrow, Parties]:
    """Return the escrow if the actor may see it, with parties and metadata, in one round trip."""
    found = None
    if is_id(escrow_id, "esc"):
        pool, whose = deps.pool if actor.org_id is not None else deps.platform_pool, actor.org_id
        own = is_shown_own(actor)
        found = await pool.read(lambda pool: escrows.read_shown(pool, escrow_id, org_id=whose, is_shown_own=own))
    if found is None:
        raise NotFound(MISSING)
    refuse_other_agent(actor, found[0].terms.agent_id, MISSING)
    return found


async def names_of(deps: Deps, contract: Contract) -> tuple[str, str] | None:
    """Return the names of payer and agent; None if the Temporal UI may not show names."""
    if not deps.settings.names_are_shown:
        return None
    async with deps.database.platform() as session:
        payer = await organizations.get(session, contract.org_id)
        agent = await agents.get(session, contract.agent_id)
        return payer.name, agent.name


def terms_of(contract: Contract, names: tuple[str, str] | None = None) -> Terms:
    return Terms(
        **contracts.terms_of(contract),
        names_shown=names is not None,
        payer_name=names[0] if names else None,
        agent_name=names[1] if names else None,
    )


async def open_escrow(
    deps: Deps, client: Client, terms: Terms, actor: Actor, command_id: str, *, priority: int | None = None
) -> CommandResult:
    """Start the contract's workflow if needed, and wait until the escrow is open.

    `priority` is that of its tasks while queues are long; smaller ones come first, None is the default.
    """
    start = EscrowInput(terms=terms, opened_by=actor, command_id=command_id)
    command = OpenEscrow(command_id=command_id, actor=actor)
    with deps.metrics.escrow_command("open"):
        try:
            return await _entity(deps, client, start, priority).command("open", command, update_id=command_id)
        except WorkflowAlreadyStartedError:
            raise _out_of_step() from None


async def send(deps: Deps, client: Client, escrow: Escrow, update: str, command: EscrowCommand) -> CommandResult:
    """Send a command to the escrow's workflow and wait for its response.

    Commands that a deadline would make too late are noted first. If the caller gets no response, a noted command is
    executed at the latest before the deadline, unless the rules refuse it then.
    """
    if update in NOTED and not escrow.is_final:
        noted_at = await _note(deps, escrow.terms.escrow_id, NOTED[update], command)
        if isinstance(command, SubmitEvidence):
            command = command.model_copy(update={"given_at": noted_at})
    start = EscrowInput(terms=escrow.terms, opened_by=command.actor, command_id=command.command_id, resume=True)
    update_id = f"{command.command_id}:{command.content()[:32]}"
    with deps.metrics.escrow_command(update):
        try:
            return await _entity(deps, client, start).command(update, command, update_id=update_id)
        except (DomainError, WorkflowAlreadyStartedError) as refusal:
            # A refused command may be the repetition of one that was executed long ago.
            stored = await _stored(deps, escrow.terms.escrow_id, command)
            if stored is not None:
                return stored
            if isinstance(refusal, WorkflowAlreadyStartedError):
                raise _out_of_step() from None
            if update in NOTED and not refusal.retryable:
                # Before the response: a refused command must not be executed at the deadline.
                async with deps.database.platform() as session:
                    await escrow_notice.delete_notice(session, command.command_id)
            raise


def _entity(deps: Deps, client: Client, start: EscrowInput, priority: int | None = None) -> EntityClient[CommandResult]:
    run, escrow_id, limit = escrow_run(start, priority=priority), start.terms.escrow_id, deps.settings.command_timeout
    return EntityClient(client, deps.database, run, CommandResult, escrows.versions, escrow_id, limit=limit)


def _out_of_step() -> Unavailable:
    """Return the refusal for books that were restored to a state before the end of a completed run."""
    return EscrowOutOfStep(
        "The run of this escrow has completed, but the books do not have its end. An operator must investigate."
    )


async def _note(
    deps: Deps, escrow_id: str, update: escrow_notice.NotedCommandName, command: EscrowCommand
) -> datetime | None:
    async def note(pool: "asyncpg.Pool[asyncpg.Record]") -> datetime | None:
        async with pool.acquire() as connection:
            return await escrow_notice.store(connection, escrow_id, update, command)

    # A notice that was stored before the connection broke is unchanged when it is stored again.
    return await deps.platform_pool.read(note)


async def _stored(deps: Deps, escrow_id: str, command: EscrowCommand) -> CommandResult | None:
    """Return the first result of an executed command; None if it can still be executed."""
    async with deps.database.platform() as session:
        row = await escrows.get(session, escrow_id)
        assert row is not None
        done = await escrows.event_of_command(session, row.id, command.command_id)
        state = escrows.state_of(row)
    if done is not None:
        escrows.refuse_other(done.content_hash, command.content())
        return CommandResult(escrow_id=row.id, status=state.status.value, version=state.version)
    if state.is_final:
        raise final_state_error(state)
    return None


async def read_current(deps: Deps, actor: Actor, escrow_id: str) -> EscrowView:
    return view(*await find_escrow_with_parties(deps, actor, escrow_id), actor)


async def exhausted_limits(
    deps: Deps, actor: Actor, escrow: Escrow, *, refund_minor: int | None = None, command_id: str = ""
) -> dict[EscrowAction, DomainError]:
    """Return the refusals of commands whose maximum number is reached, unless the command is a repeated one.

    The first delivery of each milestone and a refund of all that is held are always accepted. The version is an upper
    limit of the number of events, so most escrows need no count.
    """
    found: dict[EscrowAction, DomainError] = {}
    if escrow.version < min(MAX_DELIVERIES, MAX_PARTIAL_REFUNDS):
        return found
    escrow_id = escrow.terms.escrow_id
    async with deps.session_for(actor) as session:
        delivered, is_delivered = await escrows.count_events(session, escrow_id, "delivered", command_id)
        refunded, is_refunded = await escrows.count_events(session, escrow_id, "partially_refunded", command_id)
    if delivered >= MAX_DELIVERIES and not is_delivered and escrow.status is EscrowStatus.DELIVERED:
        found[EscrowAction.DELIVER] = too_many_deliveries(escrow)
    is_part = refund_minor is not None and refund_minor < escrow.held_minor
    if refunded >= MAX_PARTIAL_REFUNDS and not is_refunded and is_part:
        found[EscrowAction.REFUND] = too_many_refunds(escrow)
    return found


class Sender:
    """Sends the command of a request and responds with the escrow after it."""

    def __init__(self, deps: Deps, temporal: Client, actor: Actor) -> None:
        self.deps, self.temporal, self.actor = deps, temporal, actor

    async def find(self, escrow_id: str, permission: Permission) -> Escrow:
        """Find the escrow before checking the role, so that 404 precedes 403."""
        escrow = await find_escrow(self.deps, self.actor, escrow_id)
        permit(self.actor, permission)
        return escrow

    async def events(self, escrow: Escrow, kind: str, once: Command) -> tuple[int, bool]:
        async with self.deps.session_for(self.actor) as session:
            return await escrows.count_events(session, escrow.terms.escrow_id, kind, once.command_id)

    async def send(self, once: Command, escrow: Escrow, update: EscrowAction, command: EscrowCommand) -> Response:
        """Send the command once, unless the maximum number is reached, and respond with the read model."""
        async with once:
            part = command.amount_minor if isinstance(command, RefundEscrow) else None
            taken = await exhausted_limits(self.deps, self.actor, escrow, refund_minor=part, command_id=once.command_id)
            if update in taken:
                raise taken[update]
            artifacts = command.artifacts if isinstance(command, DeliverEscrow) else ()
            await decide_escrow(self.deps, self.actor, escrow, update, once.command_id, artifacts)
            await send(self.deps, self.temporal, escrow, update.value, command)
            return once.answer(await read_current(self.deps, self.actor, escrow.terms.escrow_id))


async def _sender(deps: DepsDep, temporal: TemporalDep, actor: ActorDep) -> Sender:
    return Sender(deps, temporal, actor)


SenderDep = Annotated[Sender, Depends(_sender)]
