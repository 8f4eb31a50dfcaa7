"""Retiring an agent: nothing new begins with it, and what runs goes on."""

import asyncio

import pytest

from api.app import create_app
from domain.common.access import Actor, Role
from domain.common.errors import AgentRetired
from repositories.marketplace import agent as agents
from runtime.database import Database
from services.marketplace.agent import retire
from tests.api.conftest import Caller, NewTenant, Tenant, good, new_key, refused, settings_for
from tests.api.escrowing import NOW, escrow_between
from tests.conftest import DatabaseUrls
from tests.support.locks import somebody_waits
from tests.support.outbox import past_others
from tests.support.serving import client_of

pytestmark = pytest.mark.db


def contract(agent_id: str) -> dict[str, object]:
    return {"agent_id": agent_id, "title": "Work", "price": "5.00", "currency": "CREDIT", "signatories": ["finance"]}


async def test_retired_agent_is_not_hired_or_listed_and_the_answer_stays(
    database: Database, operator: Caller, customer: Tenant, new_tenant: NewTenant
) -> None:
    seller, agent = await new_tenant(), ""
    made = await seller.owner.post("/agents", {"name": "Old", "visibility": "public"})
    agent, key = good(made, 201)["id"], new_key()
    offer = {"model": "free", "summary": "Sums up."}
    good(await seller.owner.ask("PUT", f"/marketplace/agents/{agent}", json=offer))
    hired = good(await customer.owner.post("/contracts", contract(agent), key=key), 201)
    first = good(await seller.owner.post(f"/agents/{agent}/retire", None))
    assert first["retired_at"] is not None
    assert good(await operator.post(f"/agents/{agent}/retire", None)) == first

    refusal = refused(await customer.owner.post("/contracts", contract(agent)), 409, "agent.retired")
    assert refusal["retired_at"] == first["retired_at"]
    # The idempotency key still returns the contract that was created before, although the agent is retired.
    assert good(await customer.owner.post("/contracts", contract(agent), key=key), 201) == hired
    refused(await seller.owner.ask("PUT", f"/marketplace/agents/{agent}", json=offer), 409, "agent.retired")
    assert good(await seller.owner.get(f"/marketplace/agents/{agent}"))["status"] == "retired"

    whose = f"/agents?organization_id={seller.org_id}"
    assert agent in {row["id"] for row in good(await seller.owner.get(whose))["data"]}
    assert agent not in {row["id"] for row in good(await seller.owner.get(f"{whose}&active=true"))["data"]}
    entries = good(await seller.owner.get(f"/audit?target={agent}&action=agent.retire"))["data"]
    await past_others(database)
    (event,) = good(await seller.owner.get(f"/events?type=agent.retired&subject={agent}"))["data"]
    assert len(entries) == 1
    assert event["data"] == {"agent_id": agent, "external_id": None, "retired_at": first["retired_at"]}


async def test_keys_sessions_and_links_of_an_agent_end_with_it(
    new_tenant: NewTenant, database_urls: DatabaseUrls
) -> None:
    seller = await new_tenant("owner", "agent")
    app = create_app(settings_for(database_urls, public_url="https://pay.example.com"))
    async with client_of(app) as http:
        # The process that retires the agent refuses its keys at once, without hearing from PostgreSQL.
        await app.state.deps.announcements.close()
        await end_with_it(seller, Caller(http, seller.owner.token), Caller(http, seller.agent.token))


async def end_with_it(seller: Tenant, owner: Caller, by_key: Caller) -> None:
    session = good(await by_key.post("/sessions", {}), 201)
    body = {"role": "agent", "agent_id": seller.agent_id}
    links = [good(await owner.post("/sessions/links", {**body, "principal": f"bot-{n}"}), 201) for n in (1, 2)]
    tokens = [link["url"].rpartition("/")[2] for link in links]
    by_link = Caller(by_key.http, good(await by_key.post("/sessions/redeem", {"token": tokens[0]}), 201)["token"])
    by_session = Caller(by_key.http, session["token"])
    for caller in (by_key, by_session, by_link):
        good(await caller.get("/me"))
    good(await owner.post(f"/agents/{seller.agent_id}/retire", None))
    for caller in (by_key, by_session, by_link):
        assert (await caller.get("/me")).status_code == 401
    assert (await by_key.post("/sessions/redeem", {"token": tokens[1]})).is_client_error
    refused(await owner.post("/api-keys", {**body, "principal": "bot-3"}), 409, "agent.retired")
    refused(await owner.post("/sessions/links", {**body, "principal": "bot-3"}), 409, "agent.retired")
    good(await owner.get("/me"))


async def test_only_roles_that_manage_agents_retire_them(customer: Tenant, stranger: Tenant) -> None:
    agent = good(await customer.owner.post("/agents", {"name": "Mine", "visibility": "public"}), 201)["id"]
    refused(await stranger.owner.post(f"/agents/{agent}/retire", None), 404, "not_found")
    refused(await customer.auditor.post(f"/agents/{agent}/retire", None), 403, "auth.forbidden")


async def test_escrow_of_an_agent_that_retires_goes_on(
    operator: Caller, database: Database, new_tenant: NewTenant
) -> None:
    payer, payee = await new_tenant(), await new_tenant()
    made = await escrow_between(operator, database, payer, payee)
    shown = good(await payer.owner.get(f"/escrows/{made}"))
    good(await payee.owner.post(f"/agents/{shown['payee_agent_id']}/retire", None))
    assert good(await payer.owner.get(f"/escrows/{made}"))["status"] == shown["status"] == "open"


async def test_agent_waits_for_the_contract_that_is_being_made(database: Database, customer: Tenant) -> None:
    actor = Actor(principal="procurement", role=Role.OWNER, org_id=customer.org_id)

    async def ending() -> None:
        async with database.platform() as session:
            await retire(session, actor, customer.agent_id, now=NOW)

    async with database.tenant(customer.org_id) as session:
        await agents.refuse_retired(session, customer.agent_id)
        task = asyncio.create_task(ending())
        await somebody_waits(database)
        assert not task.done()
    await task
    async with database.tenant(customer.org_id) as session:
        with pytest.raises(AgentRetired):
            await agents.refuse_retired(session, customer.agent_id)
