"""Escrows that the books hold, written as their runs would have written them."""

from datetime import UTC, datetime

from activities.escrow.escrow import EscrowActivities
from api.v1.escrows.commands import terms_of
from contracts.escrow.escrow import RecordedEscrow, RecordEscrowEvent
from domain.common.access import Actor, Role
from domain.escrow import commands
from domain.escrow.state import Escrow, Outcome
from domain.reputation.policy import EvidencePolicy
from repositories.escrow import contract as contracts, escrow as escrows
from runtime.database import Database
from runtime.identity import new_id
from tests.api.conftest import Caller, Tenant, good, new_key
from tests.support.runs import escrow_hash

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
#: The operator of the tests makes organizations that have nothing to do with each other.
STRANGERS = EvidencePolicy(registrars=("*",))


async def contract_between(operator: Caller, payer: Tenant, payee: Tenant, **more: object) -> str:
    """Award a contract, and return its id."""
    body = {"agent_id": payee.agent_id, "title": "Job", "price": "1", "organization_id": payer.org_id, **more}
    return str(good(await operator.post("/contracts", body), 201)["id"])


async def escrow_between(
    operator: Caller,
    database: Database,
    payer: Tenant,
    payee: Tenant,
    *signatories: str,
    at: datetime = NOW,
    **more: object,
) -> str:
    """Write the opening of the escrow of a new contract, and return the escrow's id."""
    names = signatories or ("procurement",)
    contract_id = await contract_between(operator, payer, payee, signatories=list(names), **more)
    async with database.platform() as session:
        agreed = terms_of(await contracts.get(session, contract_id))
    actor = Actor(principal="procurement", role=Role.OWNER, org_id=payer.org_id)
    await write(database, commands.opened(agreed, actor=actor, now=at), at=at)
    return agreed.escrow_id


async def record(
    database: Database,
    outcome: Outcome,
    *,
    at: datetime = NOW,
    actor: Actor | None = None,
    policy: EvidencePolicy = STRANGERS,
) -> RecordedEscrow:
    """Record an event of an escrow, and return the result."""
    command_id = new_id("cmd")
    numbered = commands.with_receipt(outcome, command_id=command_id, now=at)
    message = RecordEscrowEvent(
        outcome=numbered,
        command_id=command_id,
        actor=actor,
        at=at,
        decided_from=await escrow_hash(database, outcome.escrow.terms.escrow_id),
    )
    return await EscrowActivities(database, evidence=policy).record_event(message)


async def write(database: Database, outcome: Outcome, *, at: datetime = NOW) -> None:
    """Write one event of an escrow."""
    assert (await record(database, outcome, at=at)).applied


async def funded_escrow(
    operator: Caller,
    database: Database,
    payer: Tenant,
    payee: Tenant,
    *signatories: str,
    at: datetime = NOW,
    **more: object,
) -> str:
    """Write an escrow that is funded, and return its id."""
    made = await escrow_between(operator, database, payer, payee, *signatories, at=at, **more)
    grant = {"organization_id": payer.org_id, "amount": "1000", "source": "reward"}
    good(await operator.post("/credits/grants", grant, key=new_key()), 201)
    buyer = Actor(principal="procurement", role=Role.OWNER, org_id=payer.org_id)
    funded = commands.fund(await state(database, made), actor=buyer, source=commands.CREDITS, now=at)
    await write(database, funded, at=at)
    return made


async def delivered_escrow(
    operator: Caller,
    database: Database,
    payer: Tenant,
    payee: Tenant,
    *signatories: str,
    times: int,
    at: datetime = NOW,
    **more: object,
) -> str:
    """Write an escrow with a number of deliveries, and return its id."""
    made = await funded_escrow(operator, database, payer, payee, *signatories, at=at, **more)
    worker = Actor(principal="studio", role=Role.OWNER, org_id=payee.org_id)
    for _ in range(times):
        escrow = await state(database, made)
        delivered = commands.deliver(escrow, actor=worker, artifacts=(), note="x", milestone=None, now=at)
        await write(database, delivered, at=at)
    return made


async def state(database: Database, escrow_id: str) -> Escrow:
    """Return what the books hold of an escrow."""
    async with database.platform() as session:
        row = await escrows.get(session, escrow_id)
        assert row is not None
        return escrows.state_of(row)
