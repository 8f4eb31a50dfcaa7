"""Workflows in Temporal by organization, agent and state, readable without the code."""

import asyncio
from typing import Any

import pytest
from temporalio.client import Client

from tests.e2e.conftest import World, good

pytestmark = [pytest.mark.e2e]


async def listed(temporal: Client, query: str, wanted: set[str]) -> set[str]:
    """Ask until the visibility store, which follows the runs a moment later, shows what is wanted."""
    while True:
        found = {run.id async for run in temporal.list_workflows(query)}
        if found >= wanted:
            return found
        await asyncio.sleep(0.2)


async def test_runs_are_found_by_organization_agent_and_state(world: World, temporal: Client) -> None:
    org, callers = await world.tenant("owner")
    delivered, released = await world.escrow("delivered"), await world.escrow("released")
    body = {"agent_id": world.running.ids["agent"], "title": "Job", "price": "10.00", "currency": "CREDIT"}
    contract = good(await callers["owner"].post("/contracts", body), 201)
    foreign = good(await callers["owner"].post("/escrows", {"contract_id": contract["id"]}), 201)
    ours = f"OrgId = '{world.running.ids['client_org']}'"

    found = await listed(temporal, f"{ours} AND State = 'delivered'", {delivered["workflow_id"]})
    assert not found & {released["workflow_id"], foreign["workflow_id"]}
    found = await listed(temporal, f"{ours} AND State = 'released'", {released["workflow_id"]})
    assert delivered["workflow_id"] not in found
    assert await listed(temporal, f"OrgId = '{org}' AND WorkflowType = 'escrow'", {foreign["workflow_id"]}) == {
        foreign["workflow_id"]
    }
    payee = f"PayeeOrgId = '{foreign['payee_org_id']}' AND State = 'open'"
    assert foreign["workflow_id"] in await listed(temporal, payee, {foreign["workflow_id"]})
    by_agent = f"AgentId = '{world.running.ids['agent']}' AND AmountMinor = 10000000 AND Currency = 'CREDIT'"
    assert foreign["workflow_id"] in await listed(temporal, by_agent, {foreign["workflow_id"]})


async def test_run_tells_in_words_who_owes_whom_and_until_when(world: World, temporal: Client) -> None:
    escrow = await world.escrow("delivered")
    described = await temporal.get_workflow_handle(escrow["workflow_id"]).describe()
    summary = await described.static_summary()
    payer, agent = f"Acme ({escrow['payer_org_id']})", f"Summariser ({escrow['payee_agent_id']})"
    assert summary == f"{payer} pays {agent} 5.00 CREDIT under {escrow['contract_id']}"
    details = await temporal.get_workflow_handle(escrow["workflow_id"]).query("__temporal_workflow_metadata")
    shown = str(details)
    assert "5.00 CREDIT" in shown
    assert escrow["deadlines"]["review_by"][:10] in shown


async def event_of(world: World, escrow: dict[str, Any], kind: str) -> dict[str, Any]:
    """Return the first event of the kind, once the timeline has it for operators, who see refused signals."""
    while True:
        for event in good(await world.operator.get(f"/escrows/{escrow['id']}/timeline"))["data"]:
            if event["kind"] == kind:
                return dict(event)
        await asyncio.sleep(0.2)


async def test_an_approval_by_signal_is_shown_as_the_operators_act(world: World, temporal: Client) -> None:
    escrow = await world.escrow("delivered")
    handle = temporal.get_workflow_handle(escrow["workflow_id"])
    await handle.signal("approve", {"signatory": "finance", "operator": "nora"})
    approved = await event_of(world, escrow, "approved")
    assert (approved["details"]["signed_by"], approved["details"]["on_behalf"]) == ("temporal-ui:nora", True)
    [signature] = (await world.look(escrow))["signatures"]
    assert (signature["signatory"], signature["signed_by"], signature["on_behalf"]) == (
        "finance",
        "temporal-ui:nora",
        True,
    )


async def test_a_contract_without_approvals_by_operators_takes_none(world: World, temporal: Client) -> None:
    escrow = await world.escrow("delivered", operator_approvals=False)
    handle = temporal.get_workflow_handle(escrow["workflow_id"])
    await handle.signal("approve", {"signatory": "finance", "operator": "nora"})
    refused = await event_of(world, escrow, "command_refused")
    assert refused["details"]["code"] == "escrow.operator_approvals_excluded"
    assert (await world.look(escrow))["signatures"] == []


async def test_a_signal_without_a_name_moves_no_money(world: World, temporal: Client) -> None:
    escrow = await world.escrow("funded")
    await temporal.get_workflow_handle(escrow["workflow_id"]).signal("cancel", {"reason": "…"})
    refused = await event_of(world, escrow, "command_refused")
    assert refused["details"]["code"] == "escrow.operator_unnamed"
    assert (await world.look(escrow))["status"] == "funded"


async def test_operator_steers_a_run_by_signal(world: World, temporal: Client) -> None:
    escrow = await world.escrow("delivered")
    handle = temporal.get_workflow_handle(escrow["workflow_id"])
    await handle.signal("dispute", {"reason": "Stopped by an operator", "operator": "nora"})
    await handle.signal("resolve", {"payee_share": "0.5", "operator": "nora"})
    await handle.result()
    final = await world.look(escrow)
    assert (final["status"], final["released_amount"], final["refunded_amount"]) == ("split", "2.375", "2.50")
    events = good(await world.client.get(f"/escrows/{escrow['id']}/timeline"))["data"]
    assert [event["actor"] for event in events[-2:]] == ["temporal-ui:nora"] * 2
