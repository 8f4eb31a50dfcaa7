"""Suspending, resuming and closing organizations: what is refused, what continues, and what prevents closing."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from unittest.mock import AsyncMock

import httpx2
import pytest
from sqlalchemy.ext.asyncio import AsyncSession

from activities.escrow.escrow import EscrowActivities
from api.deps import Deps
from contracts.escrow.escrow import RecordEscrowEvent
from domain.billing.plan import DEFAULT_PLANS, plans_from
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.errors import OrganizationClosed, OrganizationSuspended
from domain.common.money import amounts_from
from domain.escrow import commands
from domain.messages.webhook import endpoint as webhook_rules
from domain.payments.payment.snapshot import ProviderStatus
from domain.payouts.payable import HoldBack
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import NewSpend, SpendOutcome
from models.messages.webhook_endpoint import WebhookEndpointEventRow
from repositories.messages import alert, webhook_endpoint as endpoints
from repositories.tenants import organization as organizations
from runtime import reach
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from services.billing import project
from services.billing.project import ProjectCommand
from services.credits.credit_lot import grant_signup_bonus
from services.messages import webhook_endpoint
from services.payouts.payout import request as request_payout
from services.tenants import organization as service
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused
from tests.api.escrowing import NOW, contract_between, escrow_between, funded_escrow, state
from tests.api.invoicing import body as invoiced, issue
from tests.api.paying import Written as Kept
from tests.api.test_subscriptions import on as subscribed
from tests.support.locks import somebody_waits
from tests.support.looking import again
from tests.support.outbox import past_others
from tests.support.runs import escrow_hash
from tests.support.timelines import timeline
from tests.support.webhooks import stored_endpoint

pytestmark = pytest.mark.db

CREDIT = 10**6
REASON = {"reason": "Payments are under investigation."}


async def grant(operator: Caller, org_id: str, amount: str = "100") -> None:
    body = {"organization_id": org_id, "amount": amount, "source": "reward"}
    good(await operator.post("/credits/grants", body, key=new_key()), 201)


async def suspend(operator: Caller, org_id: str, **more: Any) -> dict[str, Any]:
    shown: dict[str, Any] = good(await operator.post(f"/organizations/{org_id}/suspend", {**REASON, **more}))
    return shown


async def close(operator: Caller, org_id: str) -> httpx2.Response:
    return await operator.post(f"/organizations/{org_id}/close", {"reason": "The customer has left."})


#: Requests that begin something with an organization: the caller, the method and the path; `{agent}` is its own,
#: `{other}` is another seller's.
STARTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("contract", "POST", "/contracts", {"agent_id": "{agent}", "title": "Job", "price": "1"}),
    ("use", "POST", "/credits/use", {"action": "call", "amount": "1"}),
    ("reservation", "POST", "/credits/reserve", {"action": "call", "amount": "1"}),
    ("payment", "POST", "/payments", {"amount": "25.00", "currency": "USD"}),
    ("top-up", "POST", "/billing/topup", {"amount": "100"}),
    ("slot", "POST", "/projects/deployment/purchase-slot", {}),
    ("project", "POST", "/projects", {"slug": "another", "name": "Another"}),
    ("deployment", "POST", "/projects/shop/deploy", {}),
    ("purchase", "POST", "/marketplace/agents/{other}/purchase", {}),
    ("offer", "PUT", "/marketplace/agents/{agent}", {"model": "free", "summary": "Sums up."}),
    ("subscription", "POST", "/billing/subscription", {"plan": "starter"}),
    ("subscription after all", "POST", "/billing/subscription/resume", {}),
    ("acceptance of a contract", "POST", "/contracts/{proposed}/acceptance", {}),
    ("escrow", "POST", "/escrows", {"contract_id": "{contract}"}),
    ("payment of an escrow", "POST", "/escrows/{escrow}/fund", {"provider": "stripe"}),
    ("use of an agent", "POST", "/credits/use", {"payee_agent_id": "{used}", "action": "page"}),
    ("reservation for an agent", "POST", "/credits/reserve", {"payee_agent_id": "{used}", "action": "page"}),
]
#: Requests that need a subscription.
SUBSCRIBED = {"subscription after all"}


@pytest.fixture
async def shop(paying: httpx2.AsyncClient, operator: Caller, new_tenant: NewTenant) -> Tenant:
    """An organization with credits, a project, and a public agent, whose requests are allowed to pay."""
    tenant = (await new_tenant("owner", "auditor")).through(paying)
    await grant(operator, tenant.org_id)
    made = good(await tenant.owner.post("/agents", {"name": "Public", "visibility": "public"}), 201)
    tenant.agent_id = made["id"]
    good(await tenant.owner.post("/projects", {"slug": "shop", "name": "Shop"}), 201)
    return tenant


@pytest.fixture
async def seller(new_tenant: NewTenant) -> Tenant:
    """An organization that gives an agent away."""
    tenant = await new_tenant("owner")
    made = good(await tenant.owner.post("/agents", {"name": "Free", "visibility": "public"}), 201)
    tenant.agent_id = made["id"]
    offer = {"model": "free", "summary": "Sums up."}
    good(await tenant.owner.ask("PUT", f"/marketplace/agents/{tenant.agent_id}", json=offer))
    return tenant


@pytest.mark.parametrize(("what", "method", "path", "body"), STARTS, ids=[each[0] for each in STARTS])
async def test_nothing_begins_with_a_suspended_organization(
    operator: Caller,
    database: Database,
    shop: Tenant,
    seller: Tenant,
    what: str,
    method: str,
    path: str,
    body: dict[str, Any],
) -> None:
    if what in SUBSCRIBED:
        await subscribed(database, shop.org_id)
    wanted = "".join((path, *body.values()))
    named = {
        name: await make(operator, database, shop, seller) for name, make in MADE.items() if f"{{{name}}}" in wanted
    }
    await suspend(operator, shop.org_id)
    asked = {name: value.format(**named) for name, value in body.items()}
    answer = await shop.owner.ask(method, path.format(**named), json=asked, key=new_key())
    refused(answer, 403, "organization.suspended")


async def test_workflow_of_its_subscription_is_signalled_when_an_organization_is_suspended_and_resumed(
    operator: Caller, database: Database, shop: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    signal = AsyncMock()
    monkeypatch.setattr(reach, "signal", signal)
    held = await subscribed(database, shop.org_id)
    await suspend(operator, shop.org_id)
    good(await operator.post(f"/organizations/{shop.org_id}/resume", {}))
    while signal.call_count < 2:
        await again()
    assert [(run.workflow_id, name) for _, run, name, _ in (each.args for each in signal.call_args_list)] == [
        (f"subscription/{held}", "look")
    ] * 2


async def own_agent(_operator: Caller, _database: Database, shop: Tenant, _seller: Tenant) -> str:
    return shop.agent_id


async def agent_of_another(_operator: Caller, _database: Database, _shop: Tenant, seller: Tenant) -> str:
    return seller.agent_id


async def agent_by_usage(_operator: Caller, _database: Database, _shop: Tenant, seller: Tenant) -> str:
    made = good(await seller.owner.post("/agents", {"name": "Reader", "visibility": "public"}), 201)["id"]
    offer = {"model": "usage", "prices": {"page": "1"}}
    good(await seller.owner.ask("PUT", f"/marketplace/agents/{made}", json=offer))
    return str(made)


async def proposed_contract(_operator: Caller, _database: Database, shop: Tenant, seller: Tenant) -> str:
    body = {"agent_id": shop.agent_id, "title": "Job", "price": "1", "review_period": "P4D"}
    made = good(await seller.owner.post("/contracts", body), 201)
    assert made["status"] == "proposed"
    return str(made["id"])


async def agreed_contract(operator: Caller, _database: Database, shop: Tenant, seller: Tenant) -> str:
    return await contract_between(operator, shop, seller, signatories=["procurement"])


async def open_escrow(operator: Caller, database: Database, shop: Tenant, seller: Tenant) -> str:
    return await escrow_between(operator, database, shop, seller)


MADE = {
    "agent": own_agent,
    "other": agent_of_another,
    "used": agent_by_usage,
    "proposed": proposed_contract,
    "contract": agreed_contract,
    "escrow": open_escrow,
}


async def test_nothing_begins_with_agents_of_a_suspended_organization(
    operator: Caller, shop: Tenant, seller: Tenant
) -> None:
    await suspend(operator, seller.org_id)
    hired = {"agent_id": seller.agent_id, "title": "Job", "price": "1"}
    refusal = refused(await shop.owner.post("/contracts", hired), 403, "organization.suspended")
    assert refusal["organization_id"] == seller.org_id
    bought = await shop.owner.post(f"/marketplace/agents/{seller.agent_id}/purchase", {}, key=new_key())
    # The message to the buyer names the other organization.
    detail = refused(bought, 403, "organization.suspended")["detail"]
    assert detail.startswith(f"The organization {seller.org_id} is suspended")


@pytest.mark.parametrize("stopped", ["payer", "payee"])
async def test_escrow_of_a_suspended_organization_is_not_funded_from_credits(
    operator: Caller, database: Database, new_tenant: NewTenant, stopped: str
) -> None:
    parties = {"payer": await new_tenant(), "payee": await new_tenant()}
    made = await escrow_between(operator, database, **parties)
    await grant(operator, parties["payer"].org_id)
    await suspend(operator, parties[stopped].org_id)
    buyer = Actor(principal="procurement", role=Role.OWNER, org_id=parties["payer"].org_id)
    outcome = commands.fund(await state(database, made), actor=buyer, source=commands.CREDITS, now=NOW)
    command_id = new_id("cmd")
    message = RecordEscrowEvent(
        outcome=commands.with_receipt(outcome, command_id=command_id, now=NOW),
        command_id=command_id,
        at=NOW,
        decided_from=await escrow_hash(database, made),
    )
    recorded = await EscrowActivities(database).record_event(message)
    assert not recorded.applied
    assert recorded.declined is not None
    # It frees the client's key, so the same request may succeed later.
    refusal = recorded.declined.error(state="open")
    assert (refusal.error_code, refusal.status) == ("organization.suspended", 403)


async def test_nothing_is_paid_out_to_a_suspended_organization(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    await suspend(operator, customer.org_id)
    async with database.platform() as session:
        with pytest.raises(OrganizationSuspended):
            await request_payout(
                session,
                Actor(principal="finance", role=Role.FINANCE, org_id=customer.org_id),
                org_id=customer.org_id,
                currency="USD",
                amount_minor=None,
                hold_back=HoldBack.default(),
                minimum=amounts_from("1"),
                command_id=new_id("cmd"),
                now=datetime.now(UTC),
            )


async def test_suspending_twice_gives_the_first_answer_and_one_event(
    operator: Caller, customer: Tenant, database: Database
) -> None:
    first = await suspend(operator, customer.org_id)
    assert (first["status"], first["status_reason"]) == ("suspended", REASON["reason"])
    assert await suspend(operator, customer.org_id, reason="Another one.") == first
    await past_others(database)
    (event,) = good(await customer.owner.get(f"/events?type=organization.suspended&subject={customer.org_id}"))["data"]
    assert event["data"]["status"] == "suspended"
    entries = good(await operator.get(f"/audit?target={customer.org_id}&action=organization.suspend"))["data"]
    assert [entry["details"]["reason"] for entry in entries] == [REASON["reason"]]
    assert good(await customer.owner.get("/billing/summary"))["status"] == "suspended"
    listed = good(await operator.get("/organizations?status=suspended,closed"))["data"]
    assert customer.org_id in {row["id"] for row in listed}
    listed = good(await operator.get("/organizations?status=active&limit=200"))["data"]
    assert customer.org_id not in {row["id"] for row in listed}


async def test_request_refused_while_suspended_works_with_the_same_key_once_resumed(
    operator: Caller, customer: Tenant
) -> None:
    await grant(operator, customer.org_id)
    key, body = new_key(), {"action": "call", "amount": "1"}
    await suspend(operator, customer.org_id)
    refused(await customer.owner.post("/credits/use", body, key=key), 403, "organization.suspended")
    resumed = good(await operator.post(f"/organizations/{customer.org_id}/resume", None))
    assert (resumed["status"], resumed["status_reason"]) == ("active", None)
    assert good(await operator.post(f"/organizations/{customer.org_id}/resume", None)) == resumed
    good(await customer.owner.post("/credits/use", body, key=key), 201)


async def test_requests_begun_before_continue_and_are_answered_as_before(operator: Caller, customer: Tenant) -> None:
    await grant(operator, customer.org_id)
    used, held = new_key(), new_key()
    body = {"action": "call", "amount": "1"}
    first = good(await customer.owner.post("/credits/use", body, key=used), 201)
    reservation = good(await customer.owner.post("/credits/reserve", body, key=held), 201)
    await suspend(operator, customer.org_id)
    assert good(await customer.owner.post("/credits/use", body, key=used), 201)["id"] == first["id"]
    captured = await customer.owner.post(f"/credits/reservations/{reservation['id']}/capture", {}, key=new_key())
    assert good(captured)["status"] == "captured"
    await grant(operator, customer.org_id)


async def test_batch_is_answered_item_by_item(operator: Caller, customer: Tenant) -> None:
    await grant(operator, customer.org_id)
    known = {"key": new_key(), "action": "call", "amount": "1"}
    good(await customer.owner.post("/credits/use/batch", {"items": [known]}))
    await suspend(operator, customer.org_id)
    items = [known, *({"key": new_key(), "action": "call", "amount": "1"} for _ in range(2))]
    answers = good(await customer.owner.post("/credits/use/batch", {"items": items}))["data"]
    assert [each["status"] for each in answers] == ["charged", "suspended", "suspended"]
    assert answers[1]["error"]["code"] == "organization.suspended"


async def test_past_usage_is_booked(operator: Caller, database: Database, customer: Tenant) -> None:
    await suspend(operator, customer.org_id)
    async with database.platform() as session:
        books = Spending(await driver_connection(session), customer.org_id)
        forced = await books.force(NewSpend(key=new_key(), action="call", amount_minor=CREDIT), at=datetime.now(UTC))
    assert forced.outcome is SpendOutcome.CHARGED


async def test_pause_is_kept_and_audited(operator: Caller, customer: Tenant) -> None:
    assert good(await operator.get(f"/organizations/{customer.org_id}"))["timed_exits"] == "continue"
    assert (await suspend(operator, customer.org_id, timed_exits="pause"))["timed_exits"] == "pause"
    entries = good(await operator.get(f"/audit?action=organization.suspend&organization_id={customer.org_id}"))["data"]
    assert [each["details"] for each in entries] == [{**REASON, "timed_exits": "pause"}]
    answer = await operator.post(f"/organizations/{customer.org_id}/suspend", {**REASON, "timed_exits": "never"})
    refused(answer, 422, "request.invalid")


async def test_pause_is_refused_where_the_longest_is_none(
    operator: Caller, customer: Tenant, deps: Deps, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deps, "settings", deps.settings.model_copy(update={"longest_pause": timedelta(0)}))
    answer = await operator.post(f"/organizations/{customer.org_id}/suspend", {**REASON, "timed_exits": "pause"})
    assert refused(answer, 422, "request.invalid")["field"] == "timed_exits"
    assert good(await operator.get(f"/organizations/{customer.org_id}"))["status"] == "active"
    assert (await suspend(operator, customer.org_id))["timed_exits"] == "continue"


async def test_only_operators_suspend_resume_and_close(customer: Tenant, stranger: Tenant) -> None:
    for act, body in (("suspend", REASON), ("resume", None), ("close", None)):
        refused(await customer.owner.post(f"/organizations/{customer.org_id}/{act}", body), 403, "auth.forbidden")
        refused(await stranger.owner.post(f"/organizations/{customer.org_id}/{act}", body), 404, "not_found")


async def test_suspension_is_answered_once_the_charge_before_it_has_ended(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    await grant(operator, customer.org_id)
    spends = [NewSpend(key=new_key(), action="call", amount_minor=CREDIT) for _ in range(2)]
    async with database.platform() as session:
        books = Spending(await driver_connection(session), customer.org_id)
        before = await books.charge(spends[0], at=datetime.now(UTC))
        suspending = asyncio.create_task(suspend(operator, customer.org_id))
        await somebody_waits(database)
        assert not suspending.done()
    await suspending
    async with database.platform() as session:
        books = Spending(await driver_connection(session), customer.org_id)
        after = await books.charge(spends[1], at=datetime.now(UTC))
    assert (before.outcome, after.outcome) == (SpendOutcome.CHARGED, SpendOutcome.SUSPENDED)


async def test_suspension_waits_for_requests_in_progress(database: Database, customer: Tenant) -> None:
    actor = Actor(principal="operator", role=Role.OPERATOR)

    async def suspending() -> None:
        async with database.platform() as session:
            await service.suspend(session, actor, customer.org_id, reason="x", now=NOW)

    async with database.tenant(customer.org_id) as session:
        await organizations.refuse_stopped(session, customer.org_id)
        task = asyncio.create_task(suspending())
        await somebody_waits(database)
        assert not task.done()
    await task
    async with database.tenant(customer.org_id) as session:
        with pytest.raises(OrganizationSuspended):
            await organizations.refuse_stopped(session, customer.org_id)


@pytest.mark.parametrize("stopped", ["payer", "payee"])
@pytest.mark.parametrize("provider", ["stripe", "paypal", "crypto", "credits"])
async def test_escrow_of_a_suspended_organization_is_not_paid_for(
    operator: Caller, database: Database, shop: Tenant, new_tenant: NewTenant, provider: str, stopped: str
) -> None:
    parties = {"payer": shop, "payee": await new_tenant()}
    made = await escrow_between(operator, database, **parties, price="10")
    await suspend(operator, parties[stopped].org_id)
    body = {"purpose": "escrow", "escrow_id": made, "provider": provider}
    body |= {"asset": "USDC"} if provider == "crypto" else {}
    key = new_key()
    refusal = refused(await shop.owner.post("/payments", body, key=key), 403, "organization.suspended")
    assert refusal["organization_id"] == parties[stopped].org_id
    good(await operator.post(f"/organizations/{parties[stopped].org_id}/resume", None))
    # No workflow answers here, but the payment is requested and not refused.
    refused(await shop.owner.post("/payments", body, key=key), 503, "service.unavailable")


async def left_by(operator: Caller, org_id: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = refused(await close(operator, org_id), 409, "organization.not_empty")["left"]
    return found


async def test_organization_with_credits_stays_open(operator: Caller, customer: Tenant) -> None:
    await grant(operator, customer.org_id, "5")
    assert await left_by(operator, customer.org_id) == [{"kind": "wallet", "currency": "CREDIT", "amount": "5.00"}]


async def test_organization_that_owes_stays_open(operator: Caller, database: Database, customer: Tenant) -> None:
    async with database.platform() as session:
        books = Spending(await driver_connection(session), customer.org_id)
        await books.force(NewSpend(key=new_key(), action="call", amount_minor=CREDIT), at=datetime.now(UTC))
    assert await left_by(operator, customer.org_id) == [{"kind": "owed", "currency": "CREDIT", "amount": "-1.00"}]


async def test_organization_whose_agent_has_earned_stays_open(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    earned = accounts.agent_earnings(customer.agent_id, "USD", customer.org_id)
    async with database.platform() as session:
        await Ledger(await driver_connection(session)).post(
            key=new_key(),
            kind="t",
            source=accounts.platform("exchange", "USD"),
            destination=earned,
            amount_minor=300,
            effective_at=datetime.now(UTC),
        )
    assert await left_by(operator, customer.org_id) == [{"kind": "earnings", "currency": "USD", "amount": "3.00"}]


@pytest.mark.parametrize("party", ["payer", "payee"])
async def test_organization_with_an_escrow_stays_open(
    operator: Caller, database: Database, new_tenant: NewTenant, party: str
) -> None:
    parties = {"payer": await new_tenant(), "payee": await new_tenant()}
    made = await escrow_between(operator, database, **parties)
    assert await left_by(operator, parties[party].org_id) == [{"kind": "escrow", "ids": [made]}]


async def test_organization_with_a_funded_escrow_stays_open(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant(), await new_tenant()
    made = await funded_escrow(operator, database, payer, payee)
    left = await left_by(operator, payer.org_id)
    assert {"kind": "escrow", "ids": [made]} in left
    assert {"kind": "in_escrow", "currency": "CREDIT", "amount": "1.00"} in left


async def test_organization_with_a_deployed_project_stays_open(operator: Caller, customer: Tenant) -> None:
    made = good(await customer.owner.post("/projects", {"slug": "shop", "name": "Shop"}), 201)
    good(await customer.owner.post("/projects/shop/deploy", None))
    assert await left_by(operator, customer.org_id) == [{"kind": "project", "ids": [made["id"]]}]


async def test_closed_organization_has_no_keys_and_no_way_back(operator: Caller, customer: Tenant) -> None:
    closed = good(await close(operator, customer.org_id))
    assert (closed["status"], closed["status_reason"]) == ("closed", "The customer has left.")
    assert good(await operator.post(f"/organizations/{customer.org_id}/close", {"reason": "Again."})) == closed
    assert (await customer.owner.get("/billing/summary")).status_code == 401
    for act, body in (("suspend", REASON), ("resume", None)):
        refused(await operator.post(f"/organizations/{customer.org_id}/{act}", body), 409, "organization.closed")
    given = {"organization_id": customer.org_id, "amount": "1", "source": "reward"}
    refused(await operator.post("/credits/grants", given, key=new_key()), 409, "organization.closed")
    issued = {"organization_id": customer.org_id, "principal": "back", "role": "owner"}
    refused(await operator.post("/api-keys", issued), 409, "organization.closed")


async def kinds(session: AsyncSession, endpoint_id: str) -> list[str]:
    return [each.kind for each in await timeline(session, WebhookEndpointEventRow, endpoint_id=endpoint_id)]


async def test_closed_organization_has_no_webhook_endpoint_that_is_sent_anything(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    enabled, paused, failing, gone = [await stored_endpoint(database, customer.org_id) for _ in range(4)]
    owner, now = Actor(principal="owner", role=Role.OWNER, org_id=customer.org_id), datetime.now(UTC)
    async with database.platform() as session:
        held = {each.endpoint_id: each for each in await endpoints.lock_of(session, customer.org_id)}
        acts = [
            webhook_rules.pause(held[paused], actor="operator:kim", reason="Looked at."),
            webhook_rules.give_up(held[failing], webhook_rules.GivenUp.FAILING),
        ]
        for act in acts:
            command_id = new_id("cmd")
            await endpoints.write(session, webhook_rules.with_receipt(act, command_id), command_id=command_id, at=now)
        raised = {"kind": webhook_rules.GIVEN_UP_ALERT, "subject": failing, "org_id": customer.org_id}
        await alert.raise_alert(session, **raised, detail="Nothing was delivered.")
        await webhook_endpoint.delete(session, owner, gone, command_id=new_id("cmd"), now=now)
    good(await close(operator, customer.org_id))
    async with database.platform() as session:
        assert await kinds(session, enabled) == ["created", "disabled"]
        assert await kinds(session, paused) == ["created", "paused", "disabled"]
        assert await kinds(session, failing) == ["created", "given_up"]
        assert await kinds(session, gone) == ["created", "deleted"]
        row = await endpoints.get(session, enabled)
        assert row is not None
        assert (row.status, endpoints.state_of(row).reason) == ("disabled", "The organization was closed.")
        assert not await alert.is_unresolved(session, webhook_rules.GIVEN_UP_ALERT, failing)
    # Requests that began before and continue afterwards.
    with pytest.raises(OrganizationClosed):
        await stored_endpoint(database, customer.org_id)
    async with database.platform() as session:
        with pytest.raises(OrganizationClosed):
            await webhook_endpoint.change(
                session, owner, enabled, {}, status="enabled", command_id=new_id("cmd"), now=now
            )


async def test_project_is_deployed_while_its_organization_is_being_closed(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    """Neither waits for what the other one holds: one of them would be refused by the database."""
    slug, owner = "beside-closing", Actor(principal="owner", role=Role.OWNER, org_id=customer.org_id)
    good(await customer.owner.post("/projects", {"slug": slug}), 201)
    order = ProjectCommand(
        actor=owner, org_id=customer.org_id, command_id=new_id("cmd"), at=NOW, plans=plans_from(DEFAULT_PLANS)
    )
    async with database.platform() as session:
        # As deploying begins.
        await organizations.lock(session, customer.org_id)
        closing = asyncio.create_task(close(operator, customer.org_id))
        await somebody_waits(database)
        assert (await project.deploy(session, order, slug)).deployed_at == NOW
    (left,) = refused(await closing, 409, "organization.not_empty")["left"]
    assert left["kind"] == "project"


async def test_nobody_makes_a_webhook_endpoint_while_their_organization_is_being_closed(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    """Its drain would hold the endpoint and wait for the organization, and closing the other way round."""
    async with database.platform() as session:
        await organizations.refuse_stopped(session, customer.org_id)
        closing = asyncio.create_task(close(operator, customer.org_id))
        first = await somebody_waits(database)
        making = asyncio.create_task(stored_endpoint(database, customer.org_id))
        waits = asyncio.create_task(somebody_waits(database, after=first))
        done, _ = await asyncio.wait({making, waits}, return_when=asyncio.FIRST_COMPLETED)
        waits.cancel()
    good(await closing)
    assert making not in done
    with pytest.raises(OrganizationClosed):
        await making


async def test_closed_organization_gets_no_used_credits_refunded(operator: Caller, customer: Tenant) -> None:
    await grant(operator, customer.org_id, "5")
    used = good(await customer.owner.post("/credits/use", {"action": "call", "amount": "5"}, key=new_key()), 201)
    good(await close(operator, customer.org_id))
    answer = await operator.post(f"/credits/spends/{used['id']}/refunds", None, key=new_key())
    assert refused(answer, 409, "organization.closed")["organization_id"] == customer.org_id
    assert good(await operator.get(f"/credits/spends/{used['id']}"))["refunded"] == "0.00"


async def test_closed_organization_is_invoiced_nothing_by_hand(operator: Caller, customer: Tenant) -> None:
    drafted = await issue(operator, customer, draft=True)
    good(await close(operator, customer.org_id))
    for more in ({}, {"draft": True}):
        answer = await operator.post("/billing/invoices", invoiced(customer, **more), key=new_key())
        refused(answer, 409, "organization.closed")
    done = await operator.post(f"/billing/invoices/{drafted['id']}/finalize", {}, key=new_key())
    refused(done, 409, "organization.closed")
    item = {"organization_id": customer.org_id, "currency": "USD", "description": "Work", "unit_amount": "10"}
    refused(await operator.post("/billing/invoice-items", item, key=new_key()), 409, "organization.closed")


async def test_closing_waits_for_credits_that_arrive_and_finds_them(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    actor = Actor(principal="bonus", role=Role.OPERATOR)
    async with database.platform() as session:
        await grant_signup_bonus(session, actor, org_id=customer.org_id, amount_minor=CREDIT, now=datetime.now(UTC))
        closing = asyncio.create_task(close(operator, customer.org_id))
        await somebody_waits(database)
        assert not closing.done()
    left = refused(await closing, 409, "organization.not_empty")["left"]
    assert left == [{"kind": "wallet", "currency": "CREDIT", "amount": "1.00"}]


async def test_organization_with_a_payment_under_way_stays_open(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    made = await Kept(database, customer.org_id).begin()
    assert await left_by(operator, customer.org_id) == [{"kind": "payment", "ids": [made.terms.payment_id]}]


async def test_organization_with_a_dispute_stays_open(operator: Caller, database: Database, customer: Tenant) -> None:
    made = await Kept(database, customer.org_id).begin()
    made.there.pay()
    await made.look()
    made.there.dispute()
    await made.look()
    assert "dispute" in {each["kind"] for each in await left_by(operator, customer.org_id)}


async def test_organization_with_an_open_invoice_stays_open(operator: Caller, customer: Tenant) -> None:
    made = await issue(operator, customer)
    left = await left_by(operator, customer.org_id)
    assert {"kind": "invoice", "ids": [made["id"]]} in left
    assert "invoiced" in {each["kind"] for each in left}


async def test_money_that_comes_after_closing_is_booked_and_alerted(
    operator: Caller, database: Database, customer: Tenant
) -> None:
    made = await Kept(database, customer.org_id).begin()
    made.there.status = ProviderStatus.EXPIRED
    await made.look()
    good(await close(operator, customer.org_id))
    made.there.pay()
    await made.look()
    payment_id = made.terms.payment_id
    shown = good(await operator.get(f"/organizations/{customer.org_id}/summary"))
    assert any(each["available"] not in {"0", "0.00"} for each in shown["assets"])
    (alert,) = good(await operator.get(f"/alerts?subject={payment_id}&kind=organization.closed_payment"))["data"]
    assert (alert["severity"], alert["organization_id"]) == ("critical", customer.org_id)
