"""Impossible usage charges: an operator voids them permanently with a reason."""

from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from domain.common.ids import uuid_id, uuid_of
from domain.usage.charge import VOIDABLE, WaitReason
from repositories.usage import usage_charge
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, Tenant, good, refused
from tests.api.metering import WHY, event, proven as proven, send, void
from tests.api.spending import balance
from tests.api.test_approvals import two
from tests.api.test_usage_charges import charged_meter, charges, kind, sweep
from tests.conftest import DatabaseUrls
from tests.support.billing import credit
from tests.support.connections import connected, undone

__all__ = ["two"]
pytestmark = pytest.mark.db


@pytest.fixture
async def payer(new_tenant: Any, database: Database) -> Tenant:
    tenant: Tenant = await new_tenant("owner")
    await credit(database, tenant.org_id, 100_000_000, paid=1_000)
    return tenant


async def waiting(tenant: Tenant, operator: Caller, database: Database) -> str:
    """Return a waiting event of the tenant that costs more than the maximum charge."""
    type_ = kind()
    await charged_meter(tenant.owner, operator, type_)
    sent = event(type=type_, data={"n": 2_000_000_000})
    [told] = (await send(tenant.owner, sent))["events"]
    assert (await sweep(database)).waiting >= 1
    assert (await charges(tenant.owner))[sent["id"]] == ("waiting", "amount")
    return str(told["id"])


async def test_voided_charge_is_never_made_and_its_organization_can_be_closed(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    event_id = await waiting(payer, operator, database)
    shown = good(await void(operator, payer, event_id))
    assert (shown["status"], shown["waits_for"], shown["amount"]) == ("void", None, None)
    # Again it changes nothing, whatever the reason.
    assert good(await void(operator, payer, event_id, reason="Another.")) == shown
    await sweep(database, hours=2)
    assert [status for status, _ in (await charges(payer.owner)).values()] == ["void"]
    assert await balance(payer.owner) == ("100.00", "0.00")
    [entry] = good(await payer.owner.get("/audit", params={"action": "usage.void_charge"}))["data"]
    assert (entry["target"], entry["details"]["reason"], entry["details"]["waited_for"]) == (event_id, WHY, "amount")
    answer = await operator.post(f"/organizations/{payer.org_id}/close", {"reason": "left"})
    left = refused(answer, 409, "organization.not_empty")["left"]
    assert "uncharged_usage" not in {each["kind"] for each in left}


async def test_voided_charge_returns_the_free_units_of_the_month(
    payer: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    price = {"model": "per_unit", "unit_price": "0.10", "free_units": "5"}
    await charged_meter(payer.owner, operator, type_, price=price)
    [told] = (await send(payer.owner, event(type=type_, data={"n": 2_000_000_000})))["events"]
    await sweep(database)
    good(await void(operator, payer, told["id"]))
    await send(payer.owner, event(type=type_, data={"n": 7}))
    await sweep(database)
    # By hand: 7 less 5 free, at 1 credit.
    assert await balance(payer.owner) == ("98.00", "0.00")


async def test_chargeable_usage_cannot_be_voided(
    payer: Tenant, stranger: Tenant, operator: Caller, database: Database
) -> None:
    type_ = kind()
    await charged_meter(payer.owner, operator, type_)
    [told] = (await send(payer.owner, event(type=type_, data={"n": 1})))["events"]
    refused(await void(operator, payer, told["id"]), 409, "usage.not_voidable")
    await sweep(database)
    refused(await void(operator, payer, told["id"]), 409, "usage.not_voidable")
    refused(await void(operator, stranger, told["id"]), 404, "not_found")
    for unknown in (uuid_id("uev", await _no_event(database)), "uev_x", "x"):
        refused(await void(operator, payer, unknown), 404, "not_found")
    refused(await void(operator, payer, told["id"], reason=""), 422, "request.invalid")
    assert await balance(payer.owner) == ("99.00", "0.00")


@pytest.mark.parametrize("why", list(WaitReason))
async def test_only_usage_waiting_for_an_operator_can_be_voided(
    payer: Tenant, operator: Caller, database: Database, why: WaitReason
) -> None:
    event_id = await waiting(payer, operator, database)
    async with database.platform() as session:
        await session.execute(
            text("UPDATE usage_charges SET waits_for = :why WHERE org_id = :org"), {"why": why, "org": payer.org_id}
        )
    answer = await void(operator, payer, event_id)
    if why in VOIDABLE:
        assert good(answer)["status"] == "void"
    else:
        refused(answer, 409, "usage.not_voidable")


async def test_void_charge_stays_void_in_the_database(payer: Tenant, operator: Caller, database: Database) -> None:
    good(await void(operator, payer, await waiting(payer, operator, database)))
    with pytest.raises(IntegrityError, match="append-only"):
        async with database.platform() as session:
            await session.execute(
                text("UPDATE usage_charges SET voided_at = NULL WHERE org_id = :org"), {"org": payer.org_id}
            )


async def test_void_takes_two_operators_where_they_are_asked_for(
    payer: Tenant, operator: Caller, database: Database, two: tuple[Caller, Caller]
) -> None:
    asking, other = two
    event_id = await waiting(payer, operator, database)
    needed = refused(await void(asking, payer, event_id), 403, "approval.required")
    assert [status for status, _ in (await charges(payer.owner)).values()] == ["waiting"]
    approved = good(await other.post(f"/approvals/{needed['approval_id']}/approve"))
    assert approved["content"]["reason"] == WHY
    refused(await void(asking, payer, event_id, reason="Another."), 403, "approval.required")
    assert good(await void(asking, payer, event_id))["status"] == "void"


async def test_verify_finds_a_void_charge_that_was_made_or_that_nobody_has_voided(
    payer: Tenant, operator: Caller, database: Database, database_urls: DatabaseUrls
) -> None:
    [proof] = [each for each in usage_charge.INVARIANTS if "void" in each.name]
    event_id = await waiting(payer, operator, database)
    type_ = kind()
    await charged_meter(payer.owner, operator, type_)
    [told] = (await send(payer.owner, event(type=type_, data={"n": 1})))["events"]
    await sweep(database)
    async with connected(database_urls.owner) as owner, undone(owner):
        await owner.execute(
            "UPDATE usage_charges SET voided_at = now(), waits_for = NULL WHERE event = $1", uuid_of(event_id)
        )
        [found] = [row[0] for row in await owner.fetch(proof.violations)]
        assert payer.org_id in found
        assert "nobody" in found
        await owner.execute("ALTER TABLE usage_charges DISABLE TRIGGER USER")
        await owner.execute("UPDATE usage_charges SET voided_at = NULL WHERE event = $1", uuid_of(event_id))
        await owner.execute(
            "UPDATE usage_charges SET voided_at = now(), spend_id = NULL, amount = NULL, charged_at = NULL"
            " WHERE event = $1",
            uuid_of(told["id"]),
        )
        [found] = [row[0] for row in await owner.fetch(proof.violations)]
        assert "its spend is" in found


async def _no_event(database: Database) -> Any:
    async with database.platform() as session:
        return await (await driver_connection(session)).fetchval("SELECT uuidv7()")
