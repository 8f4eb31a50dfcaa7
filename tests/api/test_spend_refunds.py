"""Refunds of spends over HTTP: back into the lots and the windows that they came from, and never more than was used."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ledger.spending import Spending
from ledger.spends import NewSpend
from repositories.messages import alert
from runtime.database import Database, driver_connection
from tests.api.conftest import Caller, Tenant, good, new_key, refused
from tests.api.listing import check_range
from tests.api.paying import Written
from tests.api.spending import balance, grant, limit, reserve, use

pytestmark = pytest.mark.db


@pytest.fixture
async def spender(new_tenant: Any, operator: Caller) -> Tenant:
    """A new organization with 100 credits."""
    made: Tenant = await new_tenant("owner", "finance", "member", "agent", "auditor")
    await grant(operator, made.org_id)
    return made


async def refund(caller: Caller, spend_id: str, key: str | None = None, **body: Any) -> Any:
    return await caller.post(f"/credits/spends/{spend_id}/refunds", body or None, key=key or new_key())


async def test_refunds_of_a_part_and_then_the_rest(spender: Tenant, operator: Caller) -> None:
    used = await use(spender.member, amount="10")
    part = good(await refund(operator, used["id"], amount="3", reason="It answered nothing."), 201)
    assert (part["spend_id"], part["amount"], part["refunded"], part["available"]) == (
        used["id"],
        *("3.00", "3.00", "93.00"),
    )
    rest = good(await refund(operator, used["id"]), 201)
    assert (rest["amount"], rest["refunded"], rest["available"]) == ("7.00", "10.00", "100.00")
    assert await balance(spender.member) == ("100.00", "0.00")
    shown = good(await spender.auditor.get(f"/credits/spends/{used['id']}"))
    assert (shown["id"], shown["status"], shown["captured"], shown["refunded"]) == (
        used["id"],
        *("refunded", "10.00", "10.00"),
    )
    first = good(await spender.auditor.get(f"/credits/spends/{used['id']}/refunds?limit=1"))
    following = good(await operator.get(f"/credits/spends/{used['id']}/refunds?limit=1&cursor={first['next_cursor']}"))
    assert (first["data"], following) == ([rest], {"data": [part], "next_cursor": None})
    await check_range(spender.auditor, f"/credits/spends/{used['id']}/refunds", "created_at")
    small = good(await operator.get(f"/credits/spends/{used['id']}/refunds?max_amount=3"))["data"]
    assert small == [part]
    trail = good(await spender.auditor.get(f"/audit?action=credits.refund&target={used['id']}"))["data"]
    assert [entry["details"] for entry in trail] == [
        {"amount": "7.00", "reason": None},
        {"amount": "3.00", "reason": "It answered nothing."},
    ]


async def test_pitfall_26_refunds_never_exceed_the_rest(spender: Tenant, operator: Caller) -> None:
    used = await use(spender.member, amount="10")
    good(await refund(operator, used["id"], amount="4"), 201)
    refused(await refund(operator, used["id"], amount="6.000001"), 409, "spend.refunded")
    answers = await asyncio.gather(*(refund(operator, used["id"], amount="2.50") for _ in range(6)))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409, 409, 409, 409]
    good(await refund(operator, used["id"]), 201)
    refused(await refund(operator, used["id"]), 409, "spend.refunded")
    assert await balance(spender.member) == ("100.00", "0.00")


async def test_refund_under_one_key_is_made_once(spender: Tenant, operator: Caller) -> None:
    used, key = await use(spender.member, amount="10"), new_key()
    first = await refund(operator, used["id"], key)
    again = await refund(operator, used["id"], key)
    assert (again.status_code, again.content, again.headers["idempotent-replayed"]) == (201, first.content, "true")
    refused(await refund(operator, used["id"], key, amount="1"), 422, "idempotency.conflict")
    other = await use(spender.member, amount="10")
    refused(await refund(operator, other["id"], key), 422, "idempotency.conflict")
    assert await balance(spender.member) == ("90.00", "0.00")


async def test_books_have_the_refund_of_a_key_that_was_forgotten(
    spender: Tenant, operator: Caller, database: Database
) -> None:
    used, key = await use(spender.member, amount="10"), new_key()
    first = good(await refund(operator, used["id"], key, amount="4"), 201)
    async with database.platform() as session:
        connection = await driver_connection(session)
        assert await connection.execute("DELETE FROM idempotency_keys WHERE key = $1", key) == "DELETE 1"
    assert good(await refund(operator, used["id"], key, amount="4"), 201) == first
    assert await balance(spender.member) == ("94.00", "0.00")
    trail = good(await spender.auditor.get(f"/audit?action=credits.refund&target={used['id']}"))["data"]
    assert len(trail) == 1


async def test_captured_part_is_refundable_and_the_held_one_is_not(spender: Tenant, operator: Caller) -> None:
    held = await reserve(spender.member, "10")
    refused(await refund(operator, held["id"]), 409, "spend.refunded")
    path = f"/credits/reservations/{held['id']}/capture"
    good(await spender.member.post(path, {"amount": "4", "final_capture": False}, key=new_key()))
    back = good(await refund(operator, held["id"]), 201)
    assert (back["spend_id"], back["amount"]) == (held["id"], "4.00")
    assert await balance(spender.member) == ("94.00", "6.00")


async def test_window_has_room_again_and_the_lot_its_end(new_tenant: Any, operator: Caller, database: Database) -> None:
    spender = await new_tenant("member")
    ends = (datetime.now(UTC) + timedelta(days=8)).replace(microsecond=0)
    body = {"organization_id": spender.org_id, "amount": "20", "source": "promotion", "expires_at": ends.isoformat()}
    lot = good(await operator.post("/credits/grants", body, key=new_key()), 201)
    await limit(database, spender.org_id, day=10_000_000)
    used = await use(spender.member, amount="10")
    refused(await spender.member.post("/credits/use", {"amount": "1"}, key=new_key()), 402, "spend.limit_exceeded")
    good(await refund(operator, used["id"], amount="4"), 201)
    (back,) = [one for one in good(await spender.member.get("/credits/lots"))["data"] if one["id"] == lot["id"]]
    assert (back["remaining"], datetime.fromisoformat(back["expires_at"])) == ("14.00", ends)
    await use(spender.member, amount="4")
    refused(await spender.member.post("/credits/use", {"amount": "1"}, key=new_key()), 402, "spend.limit_exceeded")


async def test_refunded_credits_near_their_expiry_get_a_week(new_tenant: Any, operator: Caller) -> None:
    spender, now = await new_tenant("member"), datetime.now(UTC)
    body = {"organization_id": spender.org_id, "amount": "20", "source": "promotion"}
    body |= {"expires_at": (now + timedelta(days=5)).isoformat()}
    good(await operator.post("/credits/grants", body, key=new_key()), 201)
    used = await use(spender.member, amount="10")
    good(await refund(operator, used["id"]), 201)
    new, old = good(await spender.member.get("/credits/lots"))["data"]
    assert [(lot["source"], lot["remaining"]) for lot in (new, old)] == [("refund", "10.00"), ("promotion", "10.00")]
    # Seven days would be more than the five that they were granted for.
    assert now + timedelta(days=5) < datetime.fromisoformat(new["expires_at"]) < datetime.now(UTC) + timedelta(days=5)
    assert await balance(spender.member) == ("20.00", "0.00")


async def test_refund_that_pays_all_that_is_owed_closes_the_alert_of_the_debt(
    spender: Tenant, operator: Caller, database: Database
) -> None:
    paid_for = await Written(database, spender.org_id).begin()
    async with database.platform() as session:
        connection = await driver_connection(session)
        spending = Spending(connection, spender.org_id)
        new = NewSpend(key=new_key(), action="metered", amount_minor=130_000_000)
        forced = await spending.force(new, at=datetime.now(UTC))
        await alert.raise_alert(
            session,
            kind="payment.debt",
            subject=paid_for.terms.payment_id,
            detail="Owes.",
            org_id=spender.org_id,
            shared=True,
        )
    assert forced.spend_id is not None
    spends = good(await spender.member.get("/credits/usage"))["data"]
    path = "/alerts?unacknowledged=true&kind=payment.debt"
    good(await refund(operator, spends[0]["id"], amount="20"), 201)
    assert len(good(await spender.owner.get(path))["data"]) == 1
    paid = good(await refund(operator, spends[0]["id"], amount="15"), 201)
    assert paid["available"] == "5.00"
    assert good(await spender.owner.get(path))["data"] == []


@pytest.mark.parametrize("amount", ["0", "-1", "1e30", "NaN", "0.0000001", "1" + "0" * 30, {}, True])
async def test_invalid_amount_is_refused(amount: Any, spender: Tenant, operator: Caller) -> None:
    used = await use(spender.member, amount="10")
    refused(await refund(operator, used["id"], amount=amount), 422, "request.invalid")
    assert await balance(spender.member) == ("90.00", "0.00")


async def test_spend_of_another_organization_is_not_found(spender: Tenant, stranger: Tenant, operator: Caller) -> None:
    used = await use(spender.member, amount="10")
    refused(await stranger.owner.get(f"/credits/spends/{used['id']}/refunds"), 404, "not_found")
    for text in ("spd_" + "0" * 26, "nothing", "esc" + used["id"][3:]):
        refused(await refund(operator, text), 404, "not_found")
