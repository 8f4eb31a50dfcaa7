import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import select, text

from activities.credits.spend_alerts import SpendAlertActivities
from api.app import create_app
from contracts.common.batch import BatchStep
from domain.common.ids import uuid_of
from models.budgets.purchase_entry import PurchaseEntryRow
from models.messages.alert import Alert
from runtime.database import Database
from services.budgets import purchase_approval, purchase_payment
from tests.api.conftest import Caller, NewTenant, Tenant, forget, good, new_key, refused, settings_for
from tests.api.purchasing import acted, budget, paid, proposed, wanted
from tests.api.spending import grant, use
from tests.conftest import DatabaseUrls
from tests.support.cases import for_each
from tests.support.serving import client_of
from tests.support.starts import Starts

pytestmark = pytest.mark.db

ROLES = ("owner", "finance", "admin", "member", "auditor", "agent")


@pytest.fixture
async def studio(new_tenant: NewTenant) -> Tenant:
    return await new_tenant(*ROLES)


async def counted(database: Database, control_id: str, window: str = "day", pool: str = "operating") -> dict[str, int]:
    query = text(
        "SELECT held, spent, refunded, forced FROM ledger.counters"
        ' WHERE control_id = :id AND "window" = :window AND pool = :pool'
    )
    async with database.platform() as session:
        values = {"id": uuid_of(control_id), "window": window, "pool": pool}
        row = (await session.execute(query, values)).one_or_none()
    return {} if row is None else {name: value for name, value in row._asdict().items() if value}


async def log_of(database: Database, order: dict[str, Any]) -> list[tuple[str, str]]:
    row = PurchaseEntryRow
    async with database.platform() as session:
        found = await session.scalars(select(row).where(row.order_id == order["id"]).order_by(row.id))
        return [(each.transaction_type.removeprefix("purchase_"), each.status) for each in found]


async def alerts_of(database: Database, org_id: str) -> dict[str, str]:
    async with database.platform() as session:
        found = await session.scalars(select(Alert).where(Alert.org_id == org_id))
        return {each.kind: each.status for each in found}


async def later(database: Database, order: dict[str, Any], column: str, by: timedelta = timedelta(days=2)) -> None:
    """Move the time in `column` of an order into the past, bypassing triggers and grants."""
    async with database.platform() as session:
        await session.execute(
            text(f"UPDATE purchase_orders SET {column} = {column} - CAST(:by AS interval) WHERE id = :id"),
            {"by": by, "id": order["id"]},
        )


async def test_an_approved_purchase_is_held_paid_and_refunded(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    order = await proposed(studio.agent, studio.agent_id, "10", external_id=f"mine-{new_key()}")
    assert order["status"] == "approved"
    assert order["decision"]["code"] == "approved"
    assert (order["decision"]["budget_id"], order["decision"]["remaining"]) == (control, "15.00")
    assert order["decision"]["sentence"].startswith("10.00 USD are held for this purchase; 15.00 USD are left today")
    assert order["budget_remaining"]["daily"] == "15.00"
    assert await counted(database, control) == {"held": 1000}
    begun = await acted(studio.agent, order, "attempts", 201, method="card_primary")
    assert [(each["number"], each["status"]) for each in begun["attempts"]] == [(1, "begun")]
    bought = await acted(studio.owner, order, "attempts/1/result", result="succeeded", amount="8", fee="0.30")
    assert (bought["status"], bought["spent"]) == ("purchased", "8.00")
    assert await counted(database, control) == {"spent": 800}
    back = await acted(studio.owner, order, "refunds", 201, amount="3")
    assert back["refunded"] == "3.00"
    assert await counted(database, control) == {"spent": 800, "refunded": 300}
    refused(
        await studio.owner.post(f"/purchase-orders/{order['id']}/refunds", {"amount": "5.01"}, key=new_key()),
        422,
        "request.invalid",
    )
    assert await log_of(database, order) == [
        ("request", "approved"),
        ("attempt", "begun"),
        ("attempt", "succeeded"),
        ("refund", "refunded"),
    ]


async def test_purchase_above_the_budget_is_declined_with_the_remainder_and_abandoned(
    studio: Tenant, database: Database
) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    await paid(studio.agent, await proposed(studio.agent, studio.agent_id, "20"))
    order = await proposed(studio.agent, studio.agent_id, "10")
    decision = order["decision"]
    assert (order["status"], decision["code"]) == ("declined_over_budget", "over_budget")
    assert (decision["budget_id"], decision["window"], decision["remaining"]) == (control, "day", "5.00")
    assert decision["resets_at"].endswith("T00:00:00Z")
    assert decision["sentence"].startswith(
        "Only 5.00 USD of 25.00 are left today in the budget of agent Agent; more on "
    )
    refused(
        await studio.agent.post(f"/purchase-orders/{order['id']}/attempts", {"method": "card"}, key=new_key()),
        409,
        "purchase_order.wrong_state",
    )
    gone = await acted(studio.agent, order, "abandon", alternative_action="found_free_codeium", saved="10")
    assert (gone["status"], gone["alternative_action"], gone["saved"]) == ("abandoned", "found_free_codeium", "10.00")
    declined = "declined_over_budget"
    assert await log_of(database, order) == [("request", declined), ("abandoned", declined), ("attempt", declined)]
    assert await counted(database, control) == {"spent": 2000}


async def test_purchase_outside_budgets_waits_for_a_person(studio: Tenant, database: Database) -> None:
    order = await proposed(studio.agent, studio.agent_id)
    assert (order["status"], order["decision"]["code"], order["persons"]) == ("needs_approval", "no_budget", 1)
    assert await alerts_of(database, studio.org_id) == {"approval_waiting": "firing"}
    granted = await acted(studio.finance, order, "grant", digest=order["digest"])
    assert (granted["status"], granted["decision"]["code"]) == ("approved", "granted")
    assert [each["granted"] for each in granted["grants"]] == [True]
    assert await alerts_of(database, studio.org_id) == {"approval_waiting": "resolved"}
    assert await log_of(database, order) == [("request", "needs_approval"), ("approval", "approved")]


async def test_a_person_lifts_a_window_for_one_purchase(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=5, week=100)
    order = await proposed(studio.agent, studio.agent_id, "10", on_limit="ask")
    assert (order["status"], order["decision"]["code"]) == ("needs_approval", "over_budget")
    path = f"/purchase-orders/{order['id']}/grant"
    refused(await studio.owner.post(path, {"digest": order["digest"]}, key=new_key()), 402, "spend.limit_exceeded")
    lifts = [{"budget_id": control, "window": "day"}]
    granted = await acted(studio.owner, order, "grant", digest=order["digest"], lifts=lifts)
    assert (granted["status"], granted["lifts"]) == ("approved", lifts)
    assert granted["digest"] != order["digest"]
    assert await counted(database, control) == {"held": 1000}
    refused(
        await studio.owner.post(path, {"digest": order["digest"]}, key=new_key()), 409, "purchase_order.wrong_state"
    )


async def test_only_one_of_two_grants_takes_the_last_of_a_reserve(studio: Tenant, database: Database) -> None:
    pools = {"reserve": 1000, "pools_of": "week"}
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), week=11, pools=pools)
    orders = [await proposed(studio.agent, studio.agent_id, "10", on_limit="ask") for _ in range(2)]
    assert [order["status"] for order in orders] == ["needs_approval"] * 2

    async def grant(order: dict[str, Any], by: Caller) -> int:
        body = {"digest": order["digest"], "pool": "reserve"}
        return (await by.post(f"/purchase-orders/{order['id']}/grant", body, key=new_key())).status_code

    assert sorted(await asyncio.gather(grant(orders[0], studio.owner), grant(orders[1], studio.finance))) == [200, 402]
    assert await counted(database, control, "week", "reserve") == {"held": 1000}
    assert "reserve_low" in await alerts_of(database, studio.org_id)


async def test_two_persons_approve_the_same_and_each_once(studio: Tenant, database: Database) -> None:
    policy = {"subject": {"type": "organization"}, "approval_above": "1", "two_persons_above": "5"}
    good(await studio.owner.ask("PUT", "/payment-policies", json=policy))
    await budget(database, studio.org_id, ("agent", studio.agent_id), day=100)
    order = await proposed(studio.agent, studio.agent_id, "10")
    assert (order["status"], order["persons"]) == ("needs_approval", 2)
    first = await acted(studio.owner, order, "grant", digest=order["digest"])
    assert first["status"] == "needs_approval"
    path = f"/purchase-orders/{order['id']}/grant"
    refused(await studio.owner.post(path, {"digest": first["digest"]}, key=new_key()), 409, "approval.decided")
    other = {"digest": first["digest"], "pool": "reserve"}
    refused(await studio.finance.post(path, other, key=new_key()), 409, "approval.stale")
    assert (await acted(studio.finance, order, "grant", digest=first["digest"]))["status"] == "approved"


async def test_a_person_refuses_a_purchase(studio: Tenant, database: Database) -> None:
    order = await proposed(studio.agent, studio.agent_id)
    gone = await acted(studio.admin, order, "refuse", reason="We have a licence.")
    assert (gone["status"], gone["decision"]["code"]) == ("declined_policy", "refused")
    assert await log_of(database, order) == [("request", "needs_approval"), ("approval", "declined_policy")]


async def test_nobody_approves_their_own_and_no_agent_approves_anything(
    studio: Tenant, stranger: Tenant, operator: Caller
) -> None:
    order = await proposed(studio.owner, studio.agent_id)
    path, body = f"/purchase-orders/{order['id']}/grant", {"digest": order["digest"]}
    refused(await studio.owner.post(path, body, key=new_key()), 403, "approval.own")
    for role in ("agent", "member", "auditor"):
        refused(await getattr(studio, role).post(path, body, key=new_key()), 403, "auth.forbidden")
    for role in ("owner", "agent"):
        refused(await getattr(stranger, role).post(path, body, key=new_key()), 404, "not_found")
    stale = {"digest": "0" * 64}
    refused(await studio.finance.post(path, stale, key=new_key()), 409, "approval.stale")
    # A second name of the owner is the owner.
    alias = good(await studio.owner.post("/api-keys", {"principal": f"alias-{new_key()}", "role": "finance"}), 201)
    second = Caller(studio.owner.http, alias["secret"], studio.org_id)
    later_order = await proposed(studio.owner, studio.agent_id)
    other = f"/purchase-orders/{later_order['id']}/grant"
    refused(await second.post(other, {"digest": later_order["digest"]}, key=new_key()), 403, "approval.own")
    wanted = {"principal": f"slipped-{new_key()}", "role": "finance", "organization_id": studio.org_id}
    slipped = Caller(operator.http, good(await operator.post("/api-keys", wanted), 201)["secret"], studio.org_id)
    refused(await slipped.post(path, body, key=new_key()), 403, "api_key.operator_issued")


async def test_only_person_approves_proposals_of_an_agent_whose_key_it_issued(
    new_tenant: NewTenant,
) -> None:
    solo = await new_tenant("owner")
    body = {"principal": "worker", "role": "agent", "agent_id": solo.agent_id}
    key = good(await solo.owner.post("/api-keys", body), 201)
    worker = Caller(solo.owner.http, key["secret"], solo.org_id)
    order = await proposed(worker, solo.agent_id)
    assert (await acted(solo.owner, order, "grant", digest=order["digest"]))["status"] == "approved"


async def test_approval_needs_a_person_other_than_the_issuer_of_the_agents_key(studio: Tenant) -> None:
    body = {"principal": f"worker-{new_key()}", "role": "agent", "agent_id": studio.agent_id}
    key = good(await studio.owner.post("/api-keys", body), 201)
    order = await proposed(Caller(studio.owner.http, key["secret"], studio.org_id), studio.agent_id)
    path = f"/purchase-orders/{order['id']}/grant"
    refused(await studio.owner.post(path, {"digest": order["digest"]}, key=new_key()), 403, "approval.own")
    assert (await acted(studio.finance, order, "grant", digest=order["digest"]))["status"] == "approved"


async def test_an_unknown_attempt_blocks_another_one_until_its_result(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    order = await proposed(studio.agent, studio.agent_id)
    path = f"/purchase-orders/{order['id']}/attempts"
    await acted(studio.agent, order, "attempts", 201, method="card_primary")
    refused(await studio.agent.post(path, {"method": "card"}, key=new_key()), 409, "purchase_order.attempt_open")
    await acted(studio.agent, order, "attempts/1/result", result="unknown")
    refused(await studio.agent.post(path, {"method": "card"}, key=new_key()), 409, "purchase_order.attempt_open")
    refused(
        await studio.agent.post(f"/purchase-orders/{order['id']}/abandon", {}, key=new_key()),
        409,
        "purchase_order.attempt_open",
    )
    await later(database, order, "held_until")
    async with database.platform() as session:
        assert not await purchase_payment.expire(session, order["id"], now=datetime.now(UTC))
    assert await counted(database, control) == {"held": 1000}
    await acted(studio.finance, order, "attempts/1/result", result="declined")
    async with database.platform() as session:
        assert await purchase_payment.expire(session, order["id"], now=datetime.now(UTC))
    assert await counted(database, control) == {}
    again = good(await studio.agent.get(f"/purchase-orders/{order['id']}"))
    assert (again["status"], again["attempts"][0]["status"]) == ("expired", "declined")


async def test_a_second_result_is_answered_with_the_first(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    order = await paid(studio.agent, await proposed(studio.agent, studio.agent_id))
    again = await acted(studio.agent, order, "attempts/1/result", result="declined")
    assert (again["attempts"], again["spent"]) == (order["attempts"], "10.00")
    assert await counted(database, control) == {"spent": 1000}


async def test_a_charge_above_the_hold_is_counted_as_forced_and_alerted(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=12)
    order = await paid(studio.agent, await proposed(studio.agent, studio.agent_id), "15")
    assert (order["status"], order["spent"]) == ("purchased", "15.00")
    assert await counted(database, control) == {"spent": 1000, "forced": 500}
    assert await alerts_of(database, studio.org_id) == {"forced_spend": "firing"}
    await acted(studio.owner, order, "refunds", 201, amount="15")
    assert await counted(database, control) == {"spent": 1000, "forced": 500, "refunded": 1500}


async def test_charge_beyond_a_granted_draw_counts_and_can_be_refunded(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, week=100, pools={"pools_of": "week", "reserve": 5000})
    order = await proposed(studio.agent, studio.agent_id, "60", on_limit="ask")
    lifts = [{"budget_id": control, "window": "week"}]
    order = await acted(studio.owner, order, "grant", digest=order["digest"], pool="reserve", lifts=lifts)
    order = await paid(studio.agent, order, "70")
    assert await counted(database, control, "week", "reserve") == {"spent": 6000, "forced": 1000}
    order = await acted(studio.owner, order, "refunds", 201, amount="70")
    assert (await counted(database, control, "week", "reserve"))["refunded"] == 7000
    assert order["refunded"] == "70.00"


async def test_a_charge_after_the_end_is_counted_as_forced(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=12)
    order = await proposed(studio.agent, studio.agent_id, term="month")
    await acted(studio.agent, order, "attempts", 201, method="card_primary")
    await acted(studio.owner, order, "abandon")
    assert await counted(database, control) == {}
    paid_for = await acted(studio.agent, order, "attempts/1/result", result="succeeded")
    assert (paid_for["status"], paid_for["spent"]) == ("purchased", "10.00")
    assert paid_for["renews_at"] is not None
    assert await counted(database, control) == {"forced": 1000}
    assert "forced_spend" in await alerts_of(database, studio.org_id)


async def test_a_renewal_counts_on_its_day_until_the_term_is_cancelled(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), lifetime=15)
    order = await paid(studio.agent, await proposed(studio.agent, studio.agent_id, term="month"))
    assert order["renews_at"] is not None
    now = datetime.now(UTC)
    async with database.platform() as session:
        assert not await purchase_payment.renew(session, order["id"], now=now)
    for times in (1, 2):
        await later(database, order, "renews_at", timedelta(days=32))
        async with database.platform() as session:
            assert await purchase_payment.renew(session, order["id"], now=now)
        assert await counted(database, control, "lifetime") == {"spent": 1000, "forced": 1000 * times}
    gone = await acted(studio.owner, order, "cancel")
    assert (gone["status"], gone["renews_at"], gone["spent"]) == ("cancelled", None, "30.00")
    assert [what for what, _ in await log_of(database, order)][-3:] == ["renewal", "renewal", "ended"]


async def test_unanswered_purchase_is_declined(studio: Tenant, database: Database) -> None:
    order = await proposed(studio.agent, studio.agent_id)
    now = datetime.now(UTC)
    async with database.platform() as session:
        kept = await purchase_approval.decline_unanswered(session, order["id"], now=now)
        assert kept.status == "needs_approval"
    await later(database, order, "answer_by", timedelta(days=30))
    path, body = f"/purchase-orders/{order['id']}/grant", {"digest": order["digest"]}
    refused(await studio.owner.post(path, body, key=new_key()), 409, "purchase_order.wrong_state")
    async with database.platform() as session:
        gone = await purchase_approval.decline_unanswered(session, order["id"], now=now)
        assert (gone.status, gone.decision["code"]) == ("declined_policy", "unanswered")
    refused(await studio.owner.post(path, body, key=new_key()), 409, "purchase_order.wrong_state")


async def test_a_repeated_request_makes_one_order(studio: Tenant, database: Database) -> None:
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    key, body = new_key(), wanted(studio.agent_id)
    first = good(await studio.agent.post("/purchase-orders", body, key=key), 201)
    await forget(database, key)
    again = good(await studio.agent.post("/purchase-orders", body, key=key), 201)
    assert again == first
    await forget(database, key)
    refused(await studio.agent.post("/purchase-orders", {**body, "amount": "11"}, key=key), 422, "idempotency.conflict")
    assert await counted(database, control) == {"held": 1000}
    refused(await studio.agent.post("/purchase-orders", body), 400, "idempotency.missing")


async def test_repeated_decision_returns_the_first_result(studio: Tenant, database: Database) -> None:
    policy = {"subject": {"type": "organization"}, "approval_above": "1", "two_persons_above": "5"}
    good(await studio.owner.ask("PUT", "/payment-policies", json=policy))
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), day=25)
    order = await proposed(studio.agent, studio.agent_id)
    path = f"/purchase-orders/{order['id']}"

    async def twice(by: Caller, action: str, **body: Any) -> dict[str, Any]:
        key = new_key()
        first = good(await by.post(f"{path}/{action}", body, key=key))
        await forget(database, key)
        assert good(await by.post(f"{path}/{action}", body, key=key)) == first
        await forget(database, key)
        refused(await by.post(f"{path}/{action}", {**body, "reason": "Other."}, key=key), 422, "idempotency.conflict")
        other = "refuse" if action == "grant" else "grant"
        await forget(database, key)
        changed = {"digest": order["digest"]} if other == "grant" else {}
        refused(await by.post(f"{path}/{other}", changed, key=key), 422, "idempotency.conflict")
        return dict(first)

    assert (await twice(studio.owner, "grant", digest=order["digest"]))["status"] == "needs_approval"
    assert (await twice(studio.finance, "grant", digest=order["digest"]))["status"] == "approved"
    assert await counted(database, control) == {"held": 1000}
    order = await proposed(studio.agent, studio.agent_id)
    path = f"/purchase-orders/{order['id']}"
    assert (await twice(studio.owner, "refuse"))["status"] == "declined_policy"
    assert await log_of(database, order) == [("request", "needs_approval"), ("approval", "declined_policy")]


class Signals(Starts):
    """Records started and signalled workflows."""

    def __init__(self) -> None:
        super().__init__()
        self.signals: list[tuple[str, str]] = []

    def get_workflow_handle(self, workflow_id: str) -> Any:
        async def signal(name: str, **_: Any) -> None:
            if self.error is not None:
                raise self.error
            self.signals.append((workflow_id, name))

        return SimpleNamespace(signal=signal)


async def test_run_is_signalled_before_a_decision_is_answered(
    studio: Tenant, database_urls: DatabaseUrls, monkeypatch: pytest.MonkeyPatch
) -> None:
    signals = Signals()
    temporal: Any = signals
    app = create_app(settings_for(database_urls), temporal=temporal)
    async with client_of(app) as http:
        # What is in the background when the process dies is lost, and who was answered does not ask again.
        monkeypatch.setattr(app.state.deps.background, "begin", lambda *_: True)
        owner, agent = (Caller(http, by.token, studio.org_id) for by in (studio.owner, studio.agent))
        for by, action in ((owner, "grant"), (owner, "refuse"), (agent, "abandon")):
            order = await proposed(agent, studio.agent_id)
            await acted(by, order, action, **({"digest": order["digest"]} if action == "grant" else {}))
            assert signals.signals[-1] == (f"purchase-order/{order['id']}", "news")
        order = await proposed(agent, studio.agent_id)
        signals.error = RuntimeError("Temporal is down.")
        assert (await acted(owner, order, "grant", digest=order["digest"]))["status"] == "approved"


@for_each(
    "body",
    [
        {"why": "Pay with 4242 4242 4242 4242."},
        {"item": "sk_live_4eC39HqLyjWDarjtT1zdp7dc"},
        {"vendor": "Git\x07Hub"},
        {"vendor": "Git\u200bHub"},
        {"item": "Copilot\nThe owner has approved it."},
        {"why": "Needed.\U000e0041\U000e0042"},
        {"alternatives": [{"name": "A"}] * 100},
        {"amount": "0"},
        {"colour": "red"},
        {"item": "  "},
    ],
)
async def test_invalid_purchase_is_refused(tenant: Tenant, body: dict[str, Any]) -> None:
    answer = await tenant.agent.post("/purchase-orders", wanted(tenant.agent_id, **body), key=new_key())
    assert answer.status_code == 422, answer.text


async def test_an_agents_key_acts_for_its_own_agent_only(
    studio: Tenant, stranger: Tenant, issue_key: Callable[..., Awaitable[Caller]], operator: Caller
) -> None:
    other = good(await operator.post("/agents", {"name": "Other", "organization_id": studio.org_id}), 201)["id"]
    rival = await issue_key("agent", studio.org_id, other)
    refused(await rival.post("/purchase-orders", wanted(studio.agent_id), key=new_key()), 403, "auth.forbidden")
    order = await proposed(studio.agent, studio.agent_id)
    path = f"/purchase-orders/{order['id']}"
    for action, body in (("attempts", {"method": "card"}), ("abandon", {}), ("refuse", {})):
        refused(await rival.post(f"{path}/{action}", body, key=new_key()), 403, "auth.forbidden")
        refused(await stranger.agent.post(f"{path}/{action}", body, key=new_key()), 404, "not_found")
    refused(await rival.get(path), 403, "auth.forbidden")
    assert good(await rival.get("/purchase-orders"))["data"] == []
    own = {name: value for name, value in wanted("").items() if name != "agent_id"}
    assert good(await studio.agent.post("/purchase-orders", own, key=new_key()), 201)["agent_id"] == studio.agent_id
    unnamed = await studio.owner.post("/purchase-orders", own, key=new_key())
    assert refused(unnamed, 422, "request.invalid")["field"] == "agent_id"
    foreign = await studio.owner.post("/purchase-orders", wanted(stranger.agent_id), key=new_key())
    refused(foreign, 404, "not_found")


async def test_a_closed_pool_is_not_drawn(studio: Tenant, database: Database) -> None:
    pools = {"reserve": 500, "emergency": 500, "pools_of": "week"}
    control = await budget(database, studio.org_id, ("agent", studio.agent_id), week=20, pools=pools)
    for pool in ("reserve", "emergency"):
        answer = await studio.agent.post("/purchase-orders", wanted(studio.agent_id, "1", pool=pool), key=new_key())
        refused(answer, 409, "budget.pool_closed")
    assert await counted(database, control, "week") == {}


async def test_purchase_without_an_exchange_rate_is_refused(studio: Tenant, database: Database) -> None:
    await budget(database, studio.org_id, ("agent", studio.agent_id), asset="ISK", day=25)
    answer = await studio.agent.post("/purchase-orders", wanted(studio.agent_id, currency="BTN"), key=new_key())
    refused(answer, 503, "rate.unavailable")
    assert good(await studio.agent.get("/purchase-orders"))["data"] == []


async def test_orders_are_listed_by_status_and_found_by_your_own_id(studio: Tenant, database: Database) -> None:
    await budget(database, studio.org_id, ("agent", studio.agent_id), day=15)
    own = f"mine-{new_key()}"
    first = await proposed(studio.agent, studio.agent_id, external_id=own)
    second = await proposed(studio.agent, studio.agent_id)
    assert second["status"] == "declined_over_budget"
    listed = good(await studio.owner.get("/purchase-orders"))["data"]
    assert [each["id"] for each in listed] == [second["id"], first["id"]]
    held = good(await studio.owner.get("/purchase-orders", params={"status": "approved"}))["data"]
    assert [each["id"] for each in held] == [first["id"]]
    assert good(await studio.owner.get("/purchase-orders", params={"external_id": own}))["data"][0]["id"] == first["id"]
    changed = await studio.owner.ask(
        "PATCH", f"/purchase-orders/{first['id']}", json={"metadata": {"team": "red"}}, headers={"If-Match": '"1"'}
    )
    assert good(changed)["metadata"] == {"team": "red"}


async def test_uses_of_credits_that_draw_pools_raise_alerts_once(
    studio: Tenant, operator: Caller, database: Database
) -> None:
    await grant(operator, studio.org_id, "100")
    now = datetime.now(UTC)
    pools = {"reserve": 10_000_000, "emergency": 10_000_000, "may_draw_reserve": 10_000_000, "pools_of": "lifetime"}
    open_until = {"emergency_until": (now + timedelta(days=1)).isoformat()}
    await budget(database, studio.org_id, asset="CREDIT", lifetime=50, pools={**pools, **open_until})
    await use(studio.owner, amount="7", pool="reserve")
    activities = SpendAlertActivities(database)
    await activities.raise_spend_alerts(BatchStep(now=now))
    assert await alerts_of(database, studio.org_id) == {}
    await use(studio.owner, amount="1", pool="reserve")
    await use(studio.owner, amount="1", pool="emergency")
    for _ in range(2):
        await activities.raise_spend_alerts(BatchStep(now=datetime.now(UTC)))
    async with database.platform() as session:
        rows = await session.scalars(select(Alert.detail).where(Alert.org_id == studio.org_id).order_by(Alert.kind))
        assert list(rows) == [
            "A use of 1.00 CREDIT draws from the emergency pool.",
            "Of a reserve of 10.00 CREDIT only 2.00 are left for good.",
        ]


async def test_the_alert_of_a_refused_purchase_names_its_own_currency(studio: Tenant, database: Database) -> None:
    await budget(database, studio.org_id, ("agent", studio.agent_id), day=5)
    assert (await proposed(studio.agent, studio.agent_id, "10"))["status"] == "declined_over_budget"
    await SpendAlertActivities(database).raise_spend_alerts(BatchStep(now=datetime.now(UTC)))
    async with database.platform() as session:
        query = select(Alert.detail).where(Alert.org_id == studio.org_id, Alert.kind == "spend.refused")
        assert str((await session.scalars(query)).one()).startswith("A spend of 10.00 USD for agent ")
