"""The list of escrows and its filter by state follow what happens to an escrow, for each party."""

from collections.abc import Awaitable, Callable

import pytest

from api.pagination import encode_cursor
from domain.access import Actor, Role
from domain.escrow import commands
from repositories import escrow as escrows
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.escrowing import NOW, escrow_between, write

pytestmark = pytest.mark.db


async def ids(caller: Caller, query: str = "") -> list[str]:
    return [row["id"] for row in good(await caller.get(f"/escrows{query}"))["data"]]


async def test_list_by_state_follows_the_escrow_for_every_party(
    operator: Caller, database: Database, new_tenant: Callable[..., Awaitable[Tenant]]
) -> None:
    payer, payee, signer, other = [await new_tenant() for _ in range(4)]
    made = await escrow_between(operator, database, payer, payee, "procurement", f"{signer.org_id}/counsel")
    async with database.platform() as session:
        row = await escrows.get(session, made)
        assert row is not None
    actor = Actor(principal="procurement", role=Role.OWNER, org_id=payer.org_id)
    await write(database, commands.cancel(escrows.state_of(row), actor=actor, reason=None))
    for party in (payer, payee, signer):
        assert await ids(party.owner) == await ids(party.owner, "?status=cancelled") == [made]
        assert await ids(party.owner, "?status=open") == []
    assert await ids(other.owner) == await ids(other.owner, "?status=cancelled") == []


async def test_party_on_both_sides_is_listed_once(
    operator: Caller, database: Database, new_tenant: Callable[..., Awaitable[Tenant]]
) -> None:
    both = await new_tenant()
    made = await escrow_between(operator, database, both, both, "procurement", f"{both.org_id}/counsel")
    assert await ids(both.owner) == [made]


async def test_timeline_has_pages(
    operator: Caller, database: Database, new_tenant: Callable[..., Awaitable[Tenant]]
) -> None:
    payer, payee = await new_tenant(), await new_tenant()
    made = await _delivered(operator, database, payer, payee, times=3)
    path = f"/escrows/{made}/timeline"
    whole = good(await payee.owner.get(path))
    assert [event["kind"] for event in whole["data"]] == ["opened", "funded", *["delivered"] * 3]
    assert whole["next_cursor"] is None
    first = good(await payee.owner.get(f"{path}?limit=3"))
    second = good(await payee.owner.get(f"{path}?limit=3&cursor={first['next_cursor']}"))
    assert first["data"] + second["data"] == whole["data"]
    assert second["next_cursor"] is None
    refused(await payee.owner.get(f"{path}?cursor={encode_cursor('esc', 1)}"), 422, "request.invalid")


async def test_deliveries_are_counted_and_one_that_was_taken_is_known(
    operator: Caller, database: Database, new_tenant: Callable[..., Awaitable[Tenant]]
) -> None:
    payer, payee = await new_tenant(), await new_tenant()
    made = await _delivered(operator, database, payer, payee, times=2)
    async with database.tenant(payee.org_id) as session:
        events = await escrows.timeline(session, made)
        assert await escrows.deliveries(session, made, "another") == (2, False)
        assert await escrows.deliveries(session, made, events[-1].command_id) == (2, True)


async def _delivered(operator: Caller, database: Database, payer: Tenant, payee: Tenant, *, times: int) -> str:
    made = await escrow_between(operator, database, payer, payee)
    grant = {"organization_id": payer.org_id, "amount": "1000", "source": "reward"}
    good(await operator.post("/credits/grants", grant, key=new_key()), 201)
    buyer = Actor(principal="procurement", role=Role.OWNER, org_id=payer.org_id)
    worker = Actor(principal="studio", role=Role.OWNER, org_id=payee.org_id)
    for step in range(times + 1):
        async with database.platform() as session:
            row = await escrows.get(session, made)
            assert row is not None
        escrow = escrows.state_of(row)
        if step == 0:
            outcome = commands.fund(escrow, actor=buyer, source=commands.CREDITS, now=NOW)
        else:
            outcome = commands.deliver(escrow, actor=worker, artifacts=(), note="x", milestone=None, now=NOW)
        await write(database, outcome)
    return made
