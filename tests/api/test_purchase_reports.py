"""An agent's own reports change no budget until a person confirms them."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from domain.common.money import parse_amount
from models.messages.alert import Alert
from runtime.database import Database
from services.budgets import purchase_payment
from services.budgets.purchase_confirmation import UNCONFIRMED_ALERTS
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.purchasing import acted, budget, paid, proposed, read
from tests.api.test_purchase_orders import counted, later, log_of

pytestmark = pytest.mark.db


@pytest.fixture
async def studio(new_tenant: NewTenant) -> Tenant:
    return await new_tenant("owner", "finance", "member", "auditor", "agent")


async def entries(studio: Tenant, **params: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = good(await studio.owner.get("/economics/log", params=params))["data"]
    return found


def minor(amount: str) -> int:
    return parse_amount(amount, "USD", zero=True)


async def net(database: Database, control: str) -> int:
    """Return the spending counted in a daily budget without holds."""
    of = await counted(database, control)
    assert of.get("held", 0) == 0
    return of.get("spent", 0) + of.get("forced", 0) - of.get("refunded", 0)


async def refunded(studio: Tenant, order: dict[str, Any]) -> None:
    order = await paid(studio.agent, order)
    order = await acted(studio.agent, order, "refunds", 201, amount="25")
    assert (order["spent"], order["refunded"], order["reported"]["refunded"]) == ("25.00", "0.00", "25.00")


async def paid_less(studio: Tenant, order: dict[str, Any]) -> None:
    order = await paid(studio.agent, order, "0.01")
    assert (order["spent"], order["reported"]["charged"]) == ("25.00", "0.01")


async def declined(studio: Tenant, order: dict[str, Any]) -> None:
    await acted(studio.agent, order, "attempts", 201, method="card")
    await acted(studio.agent, order, "attempts/1/result", result="declined")
    # A second try may pay a second time, so it needs the amount a second time.
    path = f"/purchase-orders/{order['id']}/attempts"
    refused(await studio.agent.post(path, {"method": "card"}, key=new_key()), 402, "spend.limit_exceeded")
    await acted(studio.agent, order, "abandon")


async def abandoned(studio: Tenant, order: dict[str, Any]) -> None:
    await acted(studio.agent, order, "attempts", 201, method="card")
    await acted(studio.agent, order, "abandon")


@pytest.mark.parametrize("freed", [refunded, paid_less, declined, abandoned])
async def test_agents_report_frees_none_of_its_budget(
    studio: Tenant, database: Database, freed: Callable[..., Awaitable[None]]
) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    order = await proposed(studio.agent, studio.agent_id, "25")
    await freed(studio, order)
    for _ in range(3):
        assert (await proposed(studio.agent, studio.agent_id, "0.01"))["status"] == "declined_over_budget"
    now = await counted(database, control)
    assert now.get("held", 0) + now.get("spent", 0) - now.get("refunded", 0) == 2500
    assert good(await studio.owner.get(f"/purchase-orders/{order['id']}"))["unconfirmed_since"] is not None
    waiting = good(await studio.owner.get("/purchase-orders", params={"unconfirmed": "true"}))["data"]
    assert [each["id"] for each in waiting] == [order["id"]]


async def test_a_key_that_an_operator_issued_confirms_nothing(
    studio: Tenant, operator: Caller, database: Database
) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    order = await paid(studio.agent, await proposed(studio.agent, studio.agent_id, "25"), "10")
    wanted = {"principal": f"slipped-{new_key()}", "role": "finance", "organization_id": studio.org_id}
    slipped = Caller(operator.http, good(await operator.post("/api-keys", wanted), 201)["secret"], studio.org_id)
    confirmation = {"charged": "10.00", "refunded": "0.00", **await read(studio.owner, order)}
    path = f"/purchase-orders/{order['id']}/confirm"
    refused(await slipped.post(path, confirmation, key=new_key()), 403, "api_key.operator_issued")
    await acted(slipped, order, "refunds", 201, amount="5")
    await acted(slipped, order, "attempts/1/result", result="declined", reason="It was declined.")
    assert await net(database, control) == 2500
    confirmation |= await read(studio.owner, order)
    await acted(studio.owner, order, "confirm", **confirmation, reason="The receipt.")
    assert await net(database, control) == 1000


async def test_an_attempted_order_that_expires_keeps_its_hold(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    order = await proposed(studio.agent, studio.agent_id, "25")
    await acted(studio.agent, order, "attempts", 201, method="card")
    await later(database, order, "held_until")
    async with database.platform() as session:
        assert await purchase_payment.expire(session, order["id"], now=datetime.now(UTC))
    assert await counted(database, control) == {"held": 2500}
    # What it paid after all is paid from the hold that was kept.
    late = await acted(studio.agent, order, "attempts/1/result", result="succeeded")
    assert (late["status"], late["spent"], late["unconfirmed_since"]) == ("purchased", "25.00", None)
    assert await counted(database, control) == {"spent": 2500}


@pytest.mark.parametrize(
    ("reports", "charged", "refunded", "reason", "status"),
    [
        ([("result", "0.01")], "0.01", "0.00", None, "purchased"),
        ([("result", "0.01")], "25.00", "0.00", "The receipt.", "purchased"),
        ([("result", "25"), ("refund", "25")], "25.00", "25.00", None, "purchased"),
        ([("result", "25"), ("refund", "25")], "25.00", "0.00", "None came.", "purchased"),
        ([("result", "25"), ("refund", "25")], "25.00", "10.00", "A part.", "purchased"),
        ([("result", None), ("abandon", None)], "0.00", "0.00", None, "abandoned"),
        ([("result", None), ("abandon", None)], "30.00", "0.00", "It paid.", "purchased"),
    ],
)
async def test_person_confirms_or_corrects_an_agents_report(
    studio: Tenant,
    database: Database,
    reports: list[tuple[str, str | None]],
    charged: str,
    refunded: str,
    reason: str | None,
    status: str,
) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    order = await proposed(studio.agent, studio.agent_id, "25")
    await acted(studio.agent, order, "attempts", 201, method="card")
    for what, amount in reports:
        if what == "result":
            body = {"result": "declined"} if amount is None else {"result": "succeeded", "amount": amount}
            await acted(studio.agent, order, "attempts/1/result", **body)
        elif what == "refund":
            await acted(studio.agent, order, "refunds", 201, amount=str(amount))
        else:
            await acted(studio.agent, order, what)
    path, body = f"/purchase-orders/{order['id']}/confirm", {"charged": charged, "refunded": refunded}
    body |= await read(studio.finance, order)
    for by in (studio.agent, studio.member, studio.auditor):
        refused(await by.post(path, body, key=new_key()), 403, "auth.forbidden")
    if reason is not None:
        refused(await studio.finance.post(path, body, key=new_key()), 422, "request.invalid")
        body["reason"] = reason
    now = await acted(studio.finance, order, "confirm", **body)
    assert (now["status"], now["spent"], now["refunded"]) == (status, charged, refunded)
    reported = (now["reported"]["charged"], now["reported"]["refunded"])
    assert (now["unconfirmed_since"], reported) == (None, (charged, refunded))
    assert await net(database, control) == minor(charged) - minor(refunded)
    (entry,) = await entries(studio, transaction_type="purchase_confirmation")
    assert (entry["status"], entry["reason"]) == ("confirmed" if reason is None else "corrected", reason)
    # Again and in the other direction.
    now = await acted(studio.owner, order, "confirm", charged="12", refunded="0", reason="The bank says so.")
    assert (now["spent"], now["refunded"]) == ("12.00", "0.00")
    assert await net(database, control) == 1200


async def test_a_persons_own_report_counts_and_corrects_an_agents(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    order = await paid(studio.agent, await proposed(studio.agent, studio.agent_id, "25"), "0.01")
    path = f"/purchase-orders/{order['id']}/attempts/1/result"
    full = {"result": "succeeded", "amount": "25"}
    refused(await studio.owner.post(path, full, key=new_key()), 422, "request.invalid")
    now = await acted(studio.owner, order, "attempts/1/result", **full, reason="The receipt says so.")
    assert (now["spent"], now["attempts"][0]["amount"], now["unconfirmed_since"]) == ("25.00", "25.00", None)
    assert await counted(database, control) == {"spent": 2500}
    gone = await acted(studio.owner, order, "attempts/1/result", result="declined", reason="It bounced.")
    assert (gone["spent"], gone["attempts"][0]["status"]) == ("0.00", "declined")
    assert await counted(database, control) == {"spent": 2500, "refunded": 2500}
    # A member has a key of a person, and approves nothing.
    again = await paid(studio.member, await proposed(studio.member, studio.agent_id, "25"), "1")
    assert (again["spent"], again["reported"]["charged"]) == ("25.00", "1.00")


async def test_a_person_confirms_an_order_that_ended_before_its_attempt_had_a_result(
    studio: Tenant, database: Database
) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=50)
    order = await proposed(studio.agent, studio.agent_id, "25")
    await acted(studio.agent, order, "attempts", 201, method="card")
    await acted(studio.agent, order, "abandon")
    assert await counted(database, control) == {"held": 2500}
    now = await acted(studio.owner, order, "confirm", charged="0", refunded="0")
    assert (now["status"], now["unconfirmed_since"]) == ("abandoned", None)
    assert await counted(database, control) == {}
    # A payment that is reported later counts all the same.
    await acted(studio.agent, order, "attempts/1/result", result="succeeded")
    assert await net(database, control) == 2500


async def test_person_confirms_a_decline_and_the_order_continues(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=50)
    order = await proposed(studio.agent, studio.agent_id, "25")
    await acted(studio.agent, order, "attempts", 201, method="card")
    await acted(studio.agent, order, "attempts/1/result", result="declined")
    await acted(studio.agent, order, "attempts", 201, method="backup")
    assert await counted(database, control) == {"held": 5000}
    path = f"/purchase-orders/{order['id']}/confirm"
    nothing = {"charged": "0", "refunded": "0"}
    read_now = nothing | await read(studio.owner, order)
    refused(await studio.owner.post(path, read_now, key=new_key()), 409, "purchase_order.attempt_open")
    await acted(studio.agent, order, "attempts/2/result", result="declined")
    now = await acted(studio.owner, order, "confirm", **nothing)
    assert (now["status"], now["unconfirmed_since"]) == ("approved", None)
    assert await counted(database, control) == {"held": 2500}
    assert (await paid(studio.agent, order))["spent"] == "25.00"
    assert await counted(database, control) == {"spent": 2500}
    assert [status for what, status in await log_of(database, order) if what == "confirmation"] == ["confirmed"]


async def test_a_person_who_corrects_one_result_confirms_no_other_report(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=75)
    order = await proposed(studio.agent, studio.agent_id, "25", term="month")
    await acted(studio.agent, order, "attempts", 201, method="card")
    await acted(studio.agent, order, "attempts/1/result", result="declined")
    order = await paid(studio.agent, order, "0.01")
    await acted(studio.agent, order, "refunds", 201, amount="5")
    await acted(studio.agent, order, "cancel")
    now = await acted(studio.owner, order, "attempts/2/result", result="succeeded", amount="20", reason="The receipt.")
    assert await counted(database, control) == {"held": 2500, "spent": 2500, "refunded": 500}
    assert (now["spent"], now["reported"]["charged"], now["reported"]["refunded"]) == ("20.00", "20.00", "5.00")
    assert None not in (now["unconfirmed_since"], now["cancellation_reported_at"])
    # A decline that turns out to have paid is paid from what was held for it.
    now = await acted(studio.owner, order, "attempts/1/result", result="succeeded", amount="25", reason="It paid too.")
    assert await counted(database, control) == {"spent": 5000, "refunded": 500}
    now = await acted(studio.owner, order, "confirm", charged="45", refunded="5")
    assert (now["unconfirmed_since"], await net(database, control)) == (None, 4000)


async def tried_again(studio: Tenant, order: dict[str, Any]) -> None:
    await acted(studio.agent, order, "attempts", 201, method="backup")
    await acted(studio.agent, order, "attempts/2/result", result="declined")


async def bought_then(studio: Tenant, order: dict[str, Any]) -> None:
    await acted(studio.agent, order, "attempts", 201, method="backup")
    await acted(studio.agent, order, "attempts/2/result", result="succeeded")


@pytest.mark.parametrize("then", [tried_again, bought_then])
@pytest.mark.parametrize("reason", [None, "The bank says so."])
async def test_person_confirms_only_reports_already_read(
    studio: Tenant, database: Database, then: Callable[..., Awaitable[None]], reason: str | None
) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=50)
    order = await proposed(studio.agent, studio.agent_id, "25")
    await acted(studio.agent, order, "attempts", 201, method="card")
    seen = (await acted(studio.agent, order, "attempts/1/result", result="declined"))["reported"]
    await then(studio, order)
    path, before = f"/purchase-orders/{order['id']}/confirm", await counted(database, control)
    assert before.get("held", 0) + before.get("spent", 0) == 5000
    answer = await studio.owner.post(path, {**seen, "reason": reason}, key=new_key())
    refused(answer, 409, "approval.stale")
    assert answer.json()["digest"] == (await read(studio.owner, order))["digest"] != seen["digest"]
    assert await counted(database, control) == before


async def test_an_agents_cancellation_ends_no_renewal_until_a_person_cancels(
    studio: Tenant, database: Database
) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), lifetime=100)
    order = await paid(studio.agent, await proposed(studio.agent, studio.agent_id, "25", term="month"))
    told = await acted(studio.agent, order, "cancel")
    assert (told["status"], told["unconfirmed_since"] is None) == ("purchased", False)
    assert told["cancellation_reported_at"] is not None
    await later(database, order, "renews_at", timedelta(days=32))
    async with database.platform() as session:
        assert await purchase_payment.renew(session, order["id"], now=datetime.now(UTC))
    assert await counted(database, control, "lifetime") == {"spent": 5000}
    gone = await acted(studio.owner, order, "cancel")
    assert (gone["status"], gone["renews_at"], gone["unconfirmed_since"]) == ("cancelled", None, None)


async def test_unconfirmed_reports_alert_until_confirmed(studio: Tenant, database: Database) -> None:
    await budget(database, studio.org_id, ("agent", studio.agent_id), day=100)
    alerts = select(Alert.status).where(Alert.org_id == studio.org_id, Alert.kind == "purchase_unconfirmed")
    made = []
    for number in range(UNCONFIRMED_ALERTS):
        async with database.platform() as session:
            assert (await session.scalars(alerts)).all() == [], number
        made.append(await paid(studio.agent, await proposed(studio.agent, studio.agent_id, "2"), "1"))
    async with database.platform() as session:
        assert (await session.scalars(alerts)).all() == ["firing"]
    for each in made:
        await acted(studio.finance, each, "confirm", charged="1", refunded="0")
    async with database.platform() as session:
        assert (await session.scalars(alerts)).all() == ["resolved"]
