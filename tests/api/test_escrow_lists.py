"""The list of escrows and its filter by state follow what happens to an escrow, for each party."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from domain.access import Actor, Role
from domain.escrow import commands
from models.escrow import EscrowEventRow
from repositories import escrow as escrows
from runtime.database import Database
from tests.api.conftest import Caller, Tenant, good
from tests.api.escrowing import delivered_escrow, escrow_between, write
from tests.api.listing import check_range
from tests.support.timelines import timeline

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


async def test_overdue_are_those_whose_deadline_has_passed_until_it_has_had_its_effect(
    operator: Caller, database: Database, new_tenant: Callable[..., Awaitable[Tenant]]
) -> None:
    payer, payee = await new_tenant(), await new_tenant()
    long_ago = datetime.now(UTC) - timedelta(days=30)
    late = await escrow_between(operator, database, payer, payee, "procurement", at=long_ago)
    await escrow_between(operator, database, payer, payee, "procurement", at=datetime.now(UTC))
    across = f"&organization_id={payer.org_id}"
    for caller, scope in ((payer.owner, ""), (payee.owner, ""), (operator, across)):
        assert await ids(caller, f"?overdue=true{scope}") == [late]
        assert await ids(caller, f"?overdue=true&status=open{scope}") == [late]
        assert await ids(caller, f"?overdue=true&status=funded{scope}") == []
        counted = good(await caller.get(f"/escrows/summary?overdue=true{scope}"))["by_status"]
        assert [(each["status"], each["count"]) for each in counted] == [("open", 1)]
    async with database.platform() as session:
        row = await escrows.get(session, late)
        assert row is not None
    actor = Actor(principal="procurement", role=Role.OWNER, org_id=payer.org_id)
    await write(database, commands.cancel(escrows.state_of(row), actor=actor, reason=None))
    assert await ids(payer.owner, "?overdue=true") == []


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
    made = await delivered_escrow(operator, database, payer, payee, times=3)
    path = f"/escrows/{made}/timeline"
    whole = good(await payee.owner.get(path))
    assert [event["kind"] for event in whole["data"]] == ["opened", "funded", *["delivered"] * 3]
    assert whole["next_cursor"] is None
    first = good(await payee.owner.get(f"{path}?limit=3"))
    second = good(await payee.owner.get(f"{path}?limit=3&cursor={first['next_cursor']}"))
    assert first["data"] + second["data"] == whole["data"]
    assert second["next_cursor"] is None
    await check_range(payee.owner, path, "at")


async def test_deliveries_are_counted_and_one_that_was_taken_is_known(
    operator: Caller, database: Database, new_tenant: Callable[..., Awaitable[Tenant]]
) -> None:
    payer, payee = await new_tenant(), await new_tenant()
    made = await delivered_escrow(operator, database, payer, payee, times=2)
    async with database.tenant(payee.org_id) as session:
        events = await timeline(session, EscrowEventRow, escrow_id=made)
        assert await escrows.count_events(session, made, "delivered", "another") == (2, False)
        assert await escrows.count_events(session, made, "delivered", events[-1].command_id) == (2, True)
