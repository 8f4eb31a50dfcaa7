"""A payer does not set the rules alone: floors hold, and what goes beyond a listing waits for the payee."""

import asyncio
from typing import Any

import pytest
from temporalio.client import Client

from domain.common.ids import escrow_workflow_id
from tests.e2e.conftest import WORK, World, good, refused

pytestmark = [pytest.mark.e2e]

HARSH = {"evidence_period": "PT10S", "decision_period": "PT10S", "default_grace": "PT10S"}


async def award(world: World, **terms: Any) -> dict[str, Any]:
    """Award a job of 10 credits to the seeded agent; the answer to it, good or not."""
    body = {"agent_id": world.running.ids["agent"], "title": "Take it for nothing", "price": "10.00", **terms}
    answer: dict[str, Any] = (await world.client.post("/contracts", body)).json()
    return answer


async def test_pitfall_31_payer_cannot_fund_harsh_terms_before_the_payee_accepts_them(world: World) -> None:
    before = good(await world.client.get("/billing/balance"))["available"]
    contract = await award(world, **HARSH)
    assert contract["status"] == "proposed"
    assert set(contract["outside_listing"]) == set(HARSH)
    document = refused(
        await world.client.post("/escrows", {"contract_id": contract["id"]}), 409, "contract.not_accepted"
    )
    assert (document["state"], document["accept_by"]) == ("proposed", contract["accept_by"])
    # The id of an escrow follows from its contract's, so a payer can try every way of funding at once.
    escrow_id = "esc_" + contract["id"].removeprefix("ctr_")
    for body in ({"source": "credits"}, {"source": "balance"}, {"provider": "credits"}, {"provider": "stripe"}):
        refused(await world.client.post(f"/escrows/{escrow_id}/fund", body), 404, "not_found")
    payment = {"provider": "credits", "purpose": "escrow", "escrow_id": escrow_id}
    refused(await world.client.post("/payments", payment), 404, "not_found")
    refused(await world.client.post(f"/contracts/{contract['id']}/acceptance"), 403, "auth.forbidden")
    assert good(await world.client.get("/billing/balance"))["available"] == before


async def test_agent_is_paid_by_the_terms_that_its_organization_accepted(world: World) -> None:
    contract = await award(world, **HARSH)
    refused(await world.agent.post(f"/contracts/{contract['id']}/acceptance"), 403, "auth.forbidden")
    accepted = good(await world.studio.post(f"/contracts/{contract['id']}/acceptance"))
    assert accepted["status"] == "accepted"
    assert accepted["accepted_at"] < accepted["accept_by"]
    assert accepted["accepted_by"].startswith(accepted["payee_org_id"])
    escrow = good(await world.client.post("/escrows", {"contract_id": contract["id"]}), 201)
    good(await world.client.post(f"/escrows/{escrow['id']}/fund", {"source": "credits"}))
    good(await world.agent.post(f"/escrows/{escrow['id']}/delivery", WORK))
    released = good(await world.validator.post(f"/escrows/{escrow['id']}/validation", {"score": "0.9"}))
    assert released["status"] == "released"


async def test_accepting_at_once_and_again_is_one_acceptance(world: World) -> None:
    contract = await award(world, **HARSH)
    answers = await asyncio.gather(
        *(world.studio.post(f"/contracts/{contract['id']}/acceptance") for _ in range(8)),
    )
    assert {(good(answer)["accepted_at"], good(answer)["accepted_by"]) for answer in answers} == {
        (good(answers[0])["accepted_at"], good(answers[0])["accepted_by"])
    }
    assert good(await world.client.post("/escrows", {"contract_id": contract["id"]}), 201)["status"] == "open"


async def test_level_of_an_agent_is_the_priority_of_its_escrows(world: World, temporal: Client) -> None:
    async def priority() -> int:
        contract = await award(world)
        good(await world.client.post("/escrows", {"contract_id": contract["id"]}), 201)
        run = await temporal.get_workflow_handle(escrow_workflow_id(contract["id"])).describe()
        return int(run.raw_description.workflow_execution_info.priority.priority_key)

    usual = await priority()
    good(await world.operator.put("/reputation/levels", {"levels": [{"name": "new", "priority": 4}]}))
    try:
        assert (usual, await priority()) == (0, 4)
    finally:
        good(await world.operator.put("/reputation/levels", {"levels": []}))
