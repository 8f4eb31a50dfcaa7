"""Bodies, amounts and headers that the escrow endpoints of the running stack do not take, and what they answer."""

import asyncio
import json
from typing import Any

import pytest

from tests.e2e.conftest import COMMANDS, Caller, World, good, path_of, refused
from tests.support.cases import for_each

pytestmark = [pytest.mark.e2e]

#: One of each kind: `tests/domain/test_money.py` has the table of all.
NOT_AMOUNTS = ["abc", "1e3", "0", "0.0000001", 1e30, -1, True, []]
NOT_SHARES = ["1.01", "0.12345", "x", -1, True, None, []]

# Create ---------------------------------------------------------------------------------------------------------------


async def test_create_refuses_what_is_not_an_amount(world: World) -> None:
    contract = await world.award()
    for amount in NOT_AMOUNTS:
        body = {"contract_id": contract["id"], "amount": amount}
        refused(await world.client.post("/escrows", body), 422, "request.invalid")
    good(await world.client.post("/escrows", {"contract_id": contract["id"]}), 201)


@for_each(
    "body",
    [
        *({}, {"contract_id": None}, {"contract_id": 7}, {"contract_id": "ctr_1"}, {"contract_id": "esc_" + "0" * 26}),
        *({"contract_id": "ctr_" + "0" * 26, "ammount": "1"}, [], "ctr", 7, None),
    ],
)
@for_each("path", ["/escrows", "/payments/escrow/create"])
async def test_create_refuses_a_body_that_names_no_contract(world: World, path: str, body: object) -> None:
    response = await world.client.post(path, content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert refused(response, 422, "request.invalid")["errors"]


async def test_create_refuses_contracts_that_the_caller_does_not_see(world: World, stranger: Caller) -> None:
    contract = await world.award()
    body = {"contract_id": contract["id"]}
    refused(await stranger.post("/escrows", body), 404, "not_found")
    refused(await world.client.post("/escrows", {"contract_id": "ctr_" + "0" * 26}), 404, "not_found")
    refused(await world.studio.post("/escrows", body), 403, "auth.forbidden")
    refused(await world.auditor.post("/escrows", body), 403, "auth.forbidden")
    refused(await world.agent.post("/escrows", body), 403, "auth.forbidden")


async def test_contract_has_one_escrow_whatever_the_key(world: World) -> None:
    contract = await world.award()
    body = {"contract_id": contract["id"]}
    answers = await asyncio.gather(*(world.client.post("/escrows", body) for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409]
    document = refused(await world.client.post("/escrows", body), 409, "escrow.exists")
    assert document["state"] == "open"
    assert document["escrow_id"].startswith("esc_")


async def test_amount_that_is_not_the_price_is_refused(world: World) -> None:
    contract = await world.award("50.00")
    for amount in ("49.99", "50.000001", 51):
        body = {"contract_id": contract["id"], "amount": amount}
        refused(await world.client.post("/escrows", body), 409, "escrow.amount_mismatch")
    for_fifty = {"contract_id": contract["id"], "amount": 50}
    assert good(await world.client.post("/escrows", for_fifty), 201)["amount"] == "50.00"


# Money ----------------------------------------------------------------------------------------------------------------


async def test_payer_without_the_money_is_told_and_can_fund_later(world: World) -> None:
    org, callers = await world.tenant("owner")
    body = {"agent_id": world.running.ids["agent"], "title": "Job", "price": "10.00", "currency": "CREDIT"}
    contract = good(await callers["owner"].post("/contracts", body), 201)
    escrow = good(await callers["owner"].post("/escrows", {"contract_id": contract["id"]}), 201)
    path = f"/escrows/{escrow['id']}/fund"
    document = refused(await callers["owner"].post(path, {"source": "credits"}), 402, "ledger.insufficient_funds")
    assert document["state"] == "open"
    good(
        await world.operator.post(
            "/credits/grants", {"organization_id": org, "amount": "10.00", "source": "promotion"}
        ),
        201,
    )
    assert good(await callers["owner"].post(path, {"source": "credits"}))["status"] == "funded"


@pytest.mark.parametrize("body", [{"source": "gold"}, {"source": 1}, {"source": None}, {"amount": "1"}], ids=repr)
async def test_fund_refuses_sources_that_do_not_exist(
    world: World, standing: dict[str, dict[str, Any]], body: dict[str, Any]
) -> None:
    refused(await world.client.post(path_of(standing["open"], "fund"), body), 422, "request.invalid")


async def test_credits_do_not_fund_a_contract_in_another_currency(world: World) -> None:
    contract = await world.award("10.00", currency="USD")
    escrow = good(await world.client.post("/escrows", {"contract_id": contract["id"]}), 201)
    document = refused(
        await world.client.post(path_of(escrow, "fund"), {"source": "credits"}), 409, "escrow.currency_mismatch"
    )
    assert document["state"] == "open"


async def test_refund_refuses_what_is_not_an_amount(world: World, standing: dict[str, dict[str, Any]]) -> None:
    for amount in NOT_AMOUNTS:
        response = await world.studio.post(path_of(standing["funded"], "refund"), {"amount": amount})
        refused(response, 422, "request.invalid")
    assert (await world.look(standing["funded"]))["refunded_amount"] == "0.00"


async def test_scores_and_shares_lie_between_zero_and_one(world: World, standing: dict[str, dict[str, Any]]) -> None:
    for share in NOT_SHARES:
        validation = await world.validator.post(path_of(standing["delivered"], "validate"), {"score": share})
        refused(validation, 422, "request.invalid")
        resolution = await world.arbiter.post(path_of(standing["disputed"], "resolve"), {"payee_share": share})
        refused(resolution, 422, "request.invalid")


@for_each(
    "command, body",
    [
        ("deliver", {"artifacts": "none"}),
        ("deliver", {"artifacts": [{"uri": "no scheme"}]}),
        ("deliver", {"artifacts": [{"uri": "javascript:alert(1)"}]}),
        ("deliver", {"artifacts": [{"uri": "https://a.test", "sha256": "ab"}]}),
        ("deliver", {"artifacts": [{"uri": "https://a.test"}] * 51}),
        ("deliver", {"note": "x" * 4001}),
        ("deliver", {"note": "\u0000"}),
        ("deliver", {"milestone": "of a contract without any"}),
        ("validate", {}),
        ("validate", {"score": "0.5", "note": 5}),
        ("approve", {"signatory": "finance"}),
        ("dispute", {}),
        ("dispute", {"reason": ""}),
        ("dispute", {"reason": 5}),
        ("evidence", {"artifacts": []}),
        ("resolve", {}),
        ("resolve", {"payee_share": "0.5", "payer_share": "0.5"}),
        ("cancel", {"reason": ["x"]}),
    ],
)
async def test_bodies_of_the_wrong_shape_are_refused(
    world: World, standing: dict[str, dict[str, Any]], command: str, body: dict[str, Any]
) -> None:
    role, _, _, state = COMMANDS[command]
    refused(await world.of(role).post(path_of(standing[state], command), body), 422, "request.invalid")
