"""The timeline of an escrow is limited for each side, before commands are sent to its run."""

from typing import Any

import httpx2
import pytest

from domain.common.access import Actor, Role
from domain.common.money import format_amount
from domain.escrow import commands
from domain.escrow.actions import MAX_DELIVERIES, MAX_PARTIAL_REFUNDS
from runtime.database import Database
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.escrowing import NOW, delivered_escrow, funded_escrow, state, write

pytestmark = pytest.mark.db


class Sides:
    """A payer and a payee, who ask an app whose runs never answer: 503 is what was sent."""

    def __init__(self, paying: httpx2.AsyncClient, payer: Tenant, payee: Tenant) -> None:
        self.payer, self.payee = payer, payee
        self.buyer = Caller(paying, payer.owner.token)
        self.worker = Caller(paying, payee.owner.token)


@pytest.fixture
async def sides(new_tenant: NewTenant, paying: httpx2.AsyncClient) -> Sides:
    return Sides(paying, await new_tenant(), await new_tenant())


async def kinds(caller: Caller, escrow_id: str) -> list[str]:
    return [event["kind"] for event in good(await caller.get(f"/escrows/{escrow_id}/timeline?limit=200"))["data"]]


async def asked_to_cancel(database: Database, sides: Sides, escrow_id: str) -> None:
    actor = Actor(principal="procurement", role=Role.OWNER, org_id=sides.payer.org_id)
    await write(database, commands.cancel(await state(database, escrow_id), actor=actor, reason=None))


async def test_deliveries_beyond_the_maximum_are_refused(operator: Caller, database: Database, sides: Sides) -> None:
    made = await delivered_escrow(operator, database, sides.payer, sides.payee, times=MAX_DELIVERIES - 1)
    path, body = f"/escrows/{made}/delivery", {"note": "one more"}
    refused(await sides.worker.post(path, body, key=new_key()), 503, "service.unavailable")
    worker = Actor(principal="studio", role=Role.OWNER, org_id=sides.payee.org_id)
    escrow = await state(database, made)
    await write(database, commands.deliver(escrow, actor=worker, artifacts=(), note="x", milestone=None, now=NOW))
    problem = refused(await sides.worker.post(path, body, key=new_key()), 409, "escrow.deliveries_full")
    assert problem["state"] == "delivered"
    assert (await kinds(sides.worker, made)).count("delivered") == MAX_DELIVERIES


async def test_next_milestone_can_be_delivered_beyond_the_maximum(
    operator: Caller, database: Database, sides: Sides
) -> None:
    parts = [{"name": "draft", "amount": "0.40"}, {"name": "final", "amount": "0.60"}]
    made = await delivered_escrow(
        operator,
        database,
        sides.payer,
        sides.payee,
        times=MAX_DELIVERIES,
        validation_threshold="0.80",
        milestones=parts,
    )
    path, body = f"/escrows/{made}/delivery", {"note": "the final part"}
    refused(await sides.worker.post(path, body, key=new_key()), 409, "escrow.deliveries_full")
    escrow = await state(database, made)
    assert escrow.delivery
    scorer = Actor(principal="validator", role=Role.VALIDATOR)
    await write(
        database,
        commands.validate(escrow, actor=scorer, score_e4=9_000, note=None, now=NOW, delivery=escrow.delivery.number),
    )
    refused(await sides.worker.post(path, body, key=new_key()), 503, "service.unavailable")


@pytest.mark.parametrize("body", [{}, {"artifacts": []}, {"note": "  "}, {"milestone": "draft"}])
async def test_a_delivery_of_nothing_is_refused(
    operator: Caller, database: Database, sides: Sides, body: dict[str, Any]
) -> None:
    made = await funded_escrow(operator, database, sides.payer, sides.payee)
    problem = refused(await sides.worker.post(f"/escrows/{made}/delivery", body, key=new_key()), 422, "request.invalid")
    assert "a note or at least one artifact" in str(problem["errors"])
    assert await kinds(sides.buyer, made) == ["opened", "funded"]


async def test_repeated_cancel_request_of_the_payer_is_not_sent(
    operator: Caller, database: Database, sides: Sides
) -> None:
    made = await funded_escrow(operator, database, sides.payer, sides.payee)
    path = f"/escrows/{made}/cancel"
    refused(await sides.buyer.post(path, key=new_key()), 503, "service.unavailable")
    await asked_to_cancel(database, sides, made)
    for _ in range(3):
        again = good(await sides.buyer.post(path, {"reason": "please"}, key=new_key()))
        assert (again["status"], again["cancel_requested_by"]) == ("funded", f"{sides.payer.org_id}/procurement")
    assert await kinds(sides.buyer, made) == ["opened", "funded", "cancel_requested"]


@pytest.mark.parametrize("who", ["payee", "operator"])
async def test_the_cancel_that_grants_a_request_is_sent(
    who: str, operator: Caller, database: Database, sides: Sides, paying: httpx2.AsyncClient
) -> None:
    made = await funded_escrow(operator, database, sides.payer, sides.payee)
    await asked_to_cancel(database, sides, made)
    caller = sides.worker if who == "payee" else Caller(paying, operator.token)
    refused(await caller.post(f"/escrows/{made}/cancel", key=new_key()), 503, "service.unavailable")


async def test_an_escrow_is_refunded_in_so_many_parts_and_then_whole(
    operator: Caller, database: Database, sides: Sides
) -> None:
    made = await funded_escrow(operator, database, sides.payer, sides.payee)
    worker = Actor(principal="studio", role=Role.OWNER, org_id=sides.payee.org_id)
    for _ in range(MAX_PARTIAL_REFUNDS):
        await write(database, commands.refund(await state(database, made), actor=worker, amount_minor=1))
    path = f"/escrows/{made}/refunds"
    part: dict[str, Any] = {"amount": "0.000001"}
    refused(await sides.worker.post(path, part, key=new_key()), 409, "escrow.refunds_full")
    whole = format_amount((await state(database, made)).held_minor, "CREDIT")
    for body in ({}, {"amount": whole}):
        refused(await sides.worker.post(path, body, key=new_key()), 503, "service.unavailable")
