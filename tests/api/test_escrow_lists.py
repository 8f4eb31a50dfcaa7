"""The list of escrows and its filter by state follow what happens to an escrow, for each party."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.common.access import Actor, Role
from domain.escrow import commands
from domain.escrow.state import Outcome
from models.escrow.escrow import EscrowEventRow
from repositories.escrow import escrow as escrows
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, good
from tests.api.escrowing import NOW, delivered_escrow, escrow_between, funded_escrow, state, write
from tests.api.listing import check_range
from tests.support.timelines import timeline

pytestmark = pytest.mark.db


async def ids(caller: Caller, query: str = "") -> list[str]:
    return [row["id"] for row in good(await caller.get(f"/escrows{query}"))["data"]]


async def test_list_by_state_follows_the_escrow_for_every_party(
    operator: Caller, database: Database, new_tenant: NewTenant
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


async def test_overdue_escrows_are_those_with_an_unapplied_deadline(
    operator: Caller, database: Database, new_tenant: NewTenant
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


async def test_party_on_both_sides_is_listed_once(operator: Caller, database: Database, new_tenant: NewTenant) -> None:
    both = await new_tenant()
    made = await escrow_between(operator, database, both, both, "procurement", f"{both.org_id}/counsel")
    assert await ids(both.owner) == [made]


async def test_timeline_has_pages(operator: Caller, database: Database, new_tenant: NewTenant) -> None:
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


async def test_timeline_shows_the_source_of_money_to_the_payer_only(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee, third = await new_tenant(), await new_tenant(), await new_tenant()
    made = await funded_escrow(operator, database, payer, payee, "procurement", f"{third.org_id}/counsel")
    bank = Actor(principal="payment:pay_01kar6h2d8e4wvq3r5s7t9x1zy", role=Role.OPERATOR)
    frozen = commands.dispute(await state(database, made), actor=bank, reason="charged back", now=NOW)
    await write(database, frozen)
    for caller, funder, source, opener in [
        (payer.owner, f"{payer.org_id}/procurement", "credits", bank.principal),
        (operator, f"{payer.org_id}/procurement", "credits", bank.principal),
        (payee.owner, payer.org_id, None, "payment"),
        (third.owner, payer.org_id, None, "payment"),
    ]:
        _, funded, disputed = good(await caller.get(f"/escrows/{made}/timeline"))["data"]
        assert (funded["actor"], funded["details"].get("source"), disputed["actor"]) == (funder, source, opener)
        assert good(await caller.get(f"/escrows/{made}"))["dispute"]["opened_by"] == opener
        assert opener in (await caller.get(f"/escrows/{made}/timeline", headers={"accept": "text/csv"})).text
    [listed] = good(await payee.owner.get("/escrows"))["data"]
    assert listed["dispute"]["opened_by"] == "payment"


async def test_refused_signals_of_operators_are_in_the_platforms_timeline_alone(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant(), await new_tenant()
    made = await funded_escrow(operator, database, payer, payee)
    note = {"command": "resolve", "code": "escrow.wrong_state", "detail": "The escrow is funded."}
    await write(
        database,
        Outcome(escrow=await state(database, made), event="command_refused", actor="kim", details=note),
    )
    cancelled = commands.cancel(
        await state(database, made), actor=Actor(principal="kim", role=Role.OPERATOR), reason=None
    )
    await write(database, cancelled)
    path = f"/escrows/{made}/timeline"
    for caller in (payer.owner, payee.owner):
        found = good(await caller.get(path))["data"]
        assert [(event["number"], event["kind"]) for event in found] == [(1, "opened"), (2, "funded"), (4, "cancelled")]
        first = good(await caller.get(f"{path}?limit=2"))
        assert [event["number"] for event in first["data"]] == [1, 2]
        rest = good(await caller.get(f"{path}?limit=2&cursor={first['next_cursor']}"))
        assert [event["number"] for event in rest["data"]] == [4]
    shown = good(await operator.get(path))["data"][2]
    assert (shown["kind"], shown["details"]) == ("command_refused", note)


async def test_deliveries_are_counted_with_repeated_commands_once(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant(), await new_tenant()
    made = await delivered_escrow(operator, database, payer, payee, times=2)
    async with database.tenant(payee.org_id) as session:
        events = await timeline(session, EscrowEventRow, escrow_id=made)
        assert await escrows.count_events(session, made, "delivered", "another") == (2, False)
        assert await escrows.count_events(session, made, "delivered", events[-1].command_id) == (2, True)
