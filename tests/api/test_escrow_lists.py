"""The list of escrows and its filter by state follow what happens to an escrow, for each party."""

from collections.abc import Awaitable, Callable

import pytest

from domain.access import Actor, Role
from domain.escrow import commands
from repositories import escrow as escrows
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good
from tests.api.escrowing import escrow_between, write

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
