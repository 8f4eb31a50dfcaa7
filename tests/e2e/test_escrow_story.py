"""The whole way of an escrow over HTTP, on both prefixes and both create paths, with answers of the promised shape."""

from decimal import Decimal
from typing import Any

import pytest

from tests.e2e.conftest import WORK, World, good
from tests.support.cases import for_each

pytestmark = [pytest.mark.e2e]

ESCROW_FIELDS = {
    *("id", "contract_id", "status", "currency", "amount", "funded_amount", "released_amount", "refunded_amount"),
    *("commission_amount", "payer_org_id", "payee_agent_id", "signatories", "required_signatures", "signatures"),
    *("validation_threshold", "validation_score", "milestones", "deadlines", "dispute", "workflow_id"),
    *("created_at", "updated_at"),
}
FIRST, *OTHERS = [
    f"{prefix}{path}" for prefix in ("/api/v1", "/api") for path in ("/escrows", "/payments/escrow/create")
]
BALANCE_PATHS = ["/billing/balance", "/credits/balance", "/payments/credits/balance", "/billing/credits"]


async def available(world: World) -> Decimal:
    return Decimal(good(await world.client.get("/billing/balance"))["available"])


def amounts(escrow: dict[str, Any]) -> tuple[str, ...]:
    return tuple(escrow[f"{name}_amount"] for name in ("funded", "released", "refunded", "commission"))


@pytest.mark.parametrize("create", [FIRST, *(pytest.param(path, marks=pytest.mark.slow) for path in OTHERS)])
async def test_delivery_that_scores_well_is_paid_out(world: World, create: str) -> None:
    prefix = "/api/v1" if create.startswith("/api/v1") else "/api"
    before = await available(world)
    contract = await world.award()
    escrow = good(await world.client.post(create, {"contract_id": contract["id"], "amount": "50.00"}), 201)
    assert escrow.keys() >= ESCROW_FIELDS
    assert escrow["status"] == "open"
    assert escrow["amount"] == "50.00"
    assert amounts(escrow) == ("0.00", "0.00", "0.00", "0.00")
    assert escrow["payer_org_id"] == world.running.ids["client_org"]
    assert escrow["payee_agent_id"] == world.running.ids["agent"]
    assert escrow["signatories"] == ["procurement", "finance"]
    assert escrow["required_signatures"] == 2
    assert escrow["signatures"] == []
    assert escrow["validation_threshold"] == "0.80"
    assert escrow["validation_score"] is None
    assert escrow["milestones"] == []
    assert escrow["deadlines"].keys() == {"fund_by", "deliver_by", "review_by"}
    assert escrow["deadlines"]["fund_by"].endswith("Z")
    assert escrow["dispute"] is None
    assert escrow["workflow_id"] == f"escrow/{contract['id']}"

    path = f"{prefix}/escrows/{escrow['id']}"
    funded = good(await world.client.post(f"{path}/fund", {"source": "credits"}))
    assert (funded["status"], amounts(funded)) == ("funded", ("50.00", "0.00", "0.00", "0.00"))
    assert funded["deadlines"]["fund_by"] is None
    assert funded["deadlines"]["deliver_by"] is not None
    delivered = good(await world.agent.post(f"{path}/delivery", WORK))
    assert delivered["status"] == "delivered"
    assert delivered["deadlines"]["review_by"] is not None
    released = good(await world.validator.post(f"{path}/validation", {"score": "0.92", "note": "Fine"}))
    assert (released["status"], amounts(released)) == ("released", ("50.00", "47.50", "0.00", "2.50"))
    assert released["validation_score"] == "0.92"
    assert good(await world.client.get(path)) == released
    assert before - await available(world) == Decimal("50.00")

    events = good(await world.studio.get(f"{path}/timeline"))["data"]
    assert [event["kind"] for event in events] == ["opened", "funded", "delivered", "validated"]
    assert [event["number"] for event in events] == [1, 2, 3, 4]
    assert [bool(event["transfer_id"]) for event in events] == [False, True, False, True]
    assert events[0]["actor"] == f"{world.running.ids['client_org']}/procurement"
    listed = good(await world.client.get(f"{prefix}/escrows", params={"status": "released", "limit": 1}))
    assert listed["data"] == [released]


@pytest.mark.slow
async def test_signatory_from_outside_signs_with_its_organization(world: World) -> None:
    org, callers = await world.tenant("member")
    escrow = await world.escrow("delivered", signatories=["procurement", f"{org}/member"])
    path = f"/escrows/{escrow['id']}"
    assert good(await callers["member"].get(path))["id"] == escrow["id"]
    assert [item["id"] for item in good(await callers["member"].get("/escrows"))["data"]] == [escrow["id"]]
    signed = good(await callers["member"].post(f"{path}/approvals", {}))
    assert [s["signatory"] for s in signed["signatures"]] == [f"{org}/member"]


@pytest.mark.slow
async def test_dispute_says_that_a_payee_without_a_delivery_gets_nothing_by_default(world: World) -> None:
    escrow = await world.escrow("funded")
    frozen = good(await world.studio.post(f"/escrows/{escrow['id']}/disputes", {"reason": "Where is the input?"}))
    assert frozen["dispute"]["default_payee_share"] == "0.00"


@pytest.mark.slow
async def test_pitfall_26_refund_without_amount_gives_back_only_the_remainder(world: World) -> None:
    escrow = await world.escrow("funded")
    path = f"/escrows/{escrow['id']}/refunds"
    good(await world.studio.post(path, {"amount": 2}))
    whole = good(await world.studio.post(path))
    assert (whole["status"], amounts(whole)) == ("refunded", ("5.00", "0.00", "5.00", "0.00"))


@pytest.mark.slow
async def test_commands_without_a_key_are_taken_where_no_money_moves(world: World) -> None:
    contract = await world.award()
    escrow = good(await world.client.post("/escrows", {"contract_id": contract["id"]}, key=None), 201)
    path = f"/escrows/{escrow['id']}"
    good(await world.client.post(f"{path}/fund", {"source": "credits"}))
    assert good(await world.agent.post(f"{path}/delivery", WORK, key=None))["status"] == "delivered"
    assert good(await world.client.post(f"{path}/disputes", {"reason": "No"}, key=None))["status"] == "disputed"


@pytest.mark.slow
@for_each("path", BALANCE_PATHS)
@for_each("prefix", ["/api/v1", "/api"])
async def test_balance_has_one_shape_on_every_path(world: World, prefix: str, path: str) -> None:
    balance = good(await world.finance.get(prefix + path))
    assert balance.keys() == {"organization_id", "currency", "available", "reserved", "total", "owed", "expiring"}
    assert balance["organization_id"] == world.running.ids["client_org"]
    assert balance["currency"] == "CREDIT"
    assert Decimal(balance["available"]) + Decimal(balance["reserved"]) == Decimal(balance["total"])
