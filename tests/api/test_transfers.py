"""One transfer of the books over HTTP."""

from typing import Any

import pytest

from runtime.identity import new_id
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.spending import grant, reserve

pytestmark = pytest.mark.db


async def newest(caller: Caller) -> dict[str, Any]:
    return dict(good(await caller.get("/billing/transactions?limit=1"))["data"][0])


async def test_tenant_sees_its_side_of_a_grant_and_the_cause(operator: Caller, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    lot = await grant(operator, tenant.org_id, "12.50")
    moved = await newest(tenant.owner)
    shown = good(await tenant.owner.get(f"/ledger/transfers/{moved['id']}"))
    (entry,) = shown["entries"]
    assert entry == {
        "account": f"org/{tenant.org_id}/credits",
        "organization_id": tenant.org_id,
        "amount": "12.50",
        "currency": "CREDIT",
        "balance_after": "12.50",
    }
    assert (shown["kind"], shown["cause"]) == (moved["kind"], {"type": "credit_lot", "id": lot["id"]})


async def test_operator_sees_every_entry_and_they_add_up_to_zero(operator: Caller, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id, "12.50")
    moved = await newest(tenant.owner)
    shown = good(await operator.get(f"/ledger/transfers/{moved['id']}"))
    assert sorted(entry["amount"] for entry in shown["entries"]) == ["-12.50", "12.50"]
    assert {entry["organization_id"] for entry in shown["entries"]} == {None, tenant.org_id}


async def test_use_of_credits_is_the_cause_of_its_transfer(operator: Caller, new_tenant: Any) -> None:
    tenant: Tenant = await new_tenant("owner")
    await grant(operator, tenant.org_id, "10")
    used = good(await tenant.owner.post("/credits/use", {"amount": "1"}, key=new_key()), 201)
    moved = await newest(tenant.owner)
    shown = good(await tenant.owner.get(f"/ledger/transfers/{moved['id']}"))
    assert shown["cause"] == {"type": "spend", "id": used["id"]}
    held = await reserve(tenant.owner, "2")
    good(await tenant.owner.post(f"/credits/reservations/{held['id']}/capture", {}, key=new_key()))
    moved = await newest(tenant.owner)
    shown = good(await tenant.owner.get(f"/ledger/transfers/{moved['id']}"))
    assert shown["cause"] == {"type": "reservation", "id": held["id"]}
    assert shown["reference"] == moved["reference"] == held["id"]
    found = good(await tenant.owner.get(f"/billing/transactions?reference={held['id']}"))["data"]
    assert [each["id"] for each in found] == [moved["id"]]
    good(await operator.post(f"/credits/spends/{used['id']}/refunds", {}, key=new_key()), 201)
    assert (await newest(tenant.owner))["reference"] == used["id"]


async def test_transfer_of_others_is_not_found(operator: Caller, tenant: Tenant, stranger: Tenant) -> None:
    await grant(operator, stranger.org_id, "1")
    moved = await newest(stranger.owner)
    for asked in (moved["id"], new_id("tr"), "tr_1", "esc_" + moved["id"].removeprefix("tr_")):
        refused(await tenant.owner.get(f"/ledger/transfers/{asked}"), 404, "not_found")


@pytest.mark.parametrize("role", ["arbiter", "validator", "accountant"])
async def test_platform_that_does_not_operate_sees_no_transfer(
    operator: Caller, tenant: Tenant, issue_key: Any, role: str
) -> None:
    await grant(operator, tenant.org_id, "1")
    moved = await newest(tenant.owner)
    refused(await (await issue_key(role)).get(f"/ledger/transfers/{moved['id']}"), 403, "auth.forbidden")
