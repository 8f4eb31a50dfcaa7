"""Makes what addresses of the table name in braces: a new name is a function and a line in `MAKERS`."""

import re
from collections.abc import Awaitable, Callable, Mapping

from runtime.database import Database
from tests.console import limiting, planted, risk
from tests.console.planted import PRICE_RULE
from tests.e2e.conftest import Caller, World, good, new_key
from tests.e2e.payments.paying import until


async def escrow(world: World) -> str:
    """Return an escrow that was delivered, so that most of what a page can show is there."""
    made: str = (await world.escrow("delivered"))["id"]
    return made


async def disputed(world: World) -> str:
    made: str = (await world.escrow("disputed"))["id"]
    return made


async def opened(world: World) -> str:
    made: str = (await world.escrow("open"))["id"]
    return made


async def funded(world: World) -> str:
    made: str = (await world.escrow("funded"))["id"]
    return made


async def settled(world: World) -> str:
    """Return an escrow that was paid out, which its client can rate."""
    made: str = (await world.escrow("released"))["id"]
    return made


async def seller(world: World) -> str:
    """Return the organization of the agent that works for the one of the pages."""
    return world.running.ids["studio_org"]


async def contract(world: World) -> str:
    made: str = (await world.award())["id"]
    return made


async def agent(world: World) -> str:
    return world.running.ids["agent"]


async def purchase_order(world: World) -> str:
    """Return a purchase of an agent that waits for an approval."""
    agent_id = await own_agent(world)
    key = {"principal": f"buyer-{agent_id[-8:]}", "role": "agent", "agent_id": agent_id}
    buyer = Caller(world.http, good(await world.client.post("/api-keys", key), 201)["secret"])
    body = {"agent_id": agent_id, **limiting.ORDER}
    made: str = good(await buyer.post("/purchase-orders", body), 201)["id"]
    return made


async def revenue(world: World) -> str:
    """Return revenue of an agent that waits to be confirmed, beside some that was and what the agent cost."""
    agent_id = await own_agent(world)
    sale = {"source": "app_store", "reference": f"2026-01/{agent_id[-8:]}", "currency": "USD", "agent_id": agent_id}
    waiting: str = good(await world.client.post("/revenue", {**sale, "amount": "120"}), 201)["id"]
    first = {
        **sale,
        "reference": f"2025-12/{agent_id[-8:]}",
        "amount": "24",
        "evidence": "Report of December, line 17.",
    }
    id = good(await world.client.post("/revenue", first), 201)["id"]
    good(await world.client.post(f"/revenue/{id}/confirm", {}))
    good(await world.client.post("/credits/use", {"amount": "2.50", "action": "generate", "agent_id": agent_id}), 201)
    return waiting


async def secret(world: World) -> str:
    """Return a secret with two versions that an agent may use and its owner may read, as it has done once."""
    path = f"/secrets/{limiting.SECRET_PATH}"
    for value in ("first", "second"):
        good(await world.client.put(path, limiting.SECRET | {"value": value, "grace": "P7D"}, key=new_key()))
    owner = good(await world.client.get("/me"))["principal"]
    good(await world.client.post("/secrets/grants", limiting.secret_grant(principal=owner)), 201)
    good(await world.client.post(f"{path}/open", {"purpose": "Set up the new server"}))
    await secret_grant(world)
    return limiting.SECRET_NAME


async def secret_grant(world: World) -> str:
    wanted = limiting.secret_grant(agent_id=await own_agent(world))
    return str(good(await world.client.post("/secrets/grants", wanted), 201)["id"])


async def own_agent(world: World) -> str:
    body = {"name": "Own agent", "pricing": {"model": "one_time", "amount": "9.99", "currency": "USD"}}
    made: str = good(await world.client.post("/agents", body), 201)["id"]
    return made


async def project(world: World) -> str:
    made: str = good(await world.client.post("/projects", {"name": "Tables"}), 201)["slug"]
    return made


async def transfer(world: World) -> str:
    moved: str = good(await world.client.get("/billing/transactions"))["data"][0]["id"]
    return moved


async def use(world: World) -> str:
    """Return a use by the agent of the stack, a part of which was refunded."""
    used = {"action": "generate_content", "amount": "4.50", "metadata": {"model": "gpt-4o", "topic": "<tides>"}}
    made = str(good(await world.client.post("/credits/use", used), 201)["id"])
    good(await world.operator.post(f"/credits/spends/{made}/refunds", {"amount": "1.50"}), 201)
    return made


async def report(world: World) -> str:
    made: str = good(await world.client.post("/reports", limiting.REPORT), 201)["id"]
    return made


async def export(world: World) -> str:
    made: str = good(await world.client.post("/exports", limiting.EXPORT), 202)["id"]
    return made


async def key(world: World) -> str:
    made: str = good(await world.client.post("/api-keys", {"principal": "spare", "role": "member"}), 201)["id"]
    return made


async def own_channel(world: World) -> str:
    body = {"kind": "mail", "address": "kim@acme.example"}
    made: str = good(await world.client.post("/notifications/channels", body), 201)["id"]
    return made


async def session(world: World) -> str:
    made: str = good(await world.client.post("/sessions", {}), 201)["id"]
    return made


async def department(world: World) -> str:
    return str(good(await world.client.post("/departments", {"name": "Research"}), 201)["id"])


async def person(world: World) -> str:
    """Return the address of somebody who was invited."""
    body = {"email": "maria@acme.example", "role": "member"}
    return str(good(await world.client.post("/invitations", body), 201)["email"])


async def link(world: World) -> str:
    body = {"principal": "guest", "role": "member", "expires_in": "P1D"}
    made: str = good(await world.client.post("/sessions/links", body), 201)["id"]
    return made


async def payment(world: World) -> str:
    """Return a payment by card that is paid."""
    body = {"amount": "10.00", "currency": "USD", "payment_method": "pm_card_visa"}
    return str(good(await world.client.post("/payments", body), 201)["id"])


async def authorized(world: World) -> str:
    """Return a payment whose money is reserved on the card."""
    body = {"amount": "10.00", "currency": "USD", "payment_method": "pm_card_visa", "capture_method": "manual"}
    return str(good(await world.client.post("/payments", body), 201)["id"])


async def chargeback(world: World) -> str:
    """Return a chargeback whose evidence is awaited."""
    body = {"amount": "10.00", "currency": "USD", "payment_method": "pm_card_createDispute"}
    made = good(await world.client.post("/payments", body), 201)["id"]
    found = await until(
        lambda: world.client.get("/disputes", params={"payment_id": made}), lambda answer: answer.json()["data"]
    )
    return str(found.json()["data"][0]["id"])


async def invoice(world: World) -> str:
    body = {
        "organization_id": world.running.ids["client_org"],
        "currency": "USD",
        "lines": [{"description": "Support, October", "quantity": 2, "unit_amount": "125.00"}],
    }
    return str(good(await world.operator.post("/billing/invoices", body), 201)["id"])


async def organization(world: World) -> str:
    return world.running.ids["client_org"]


async def _offered(world: World, **offer: object) -> str:
    """Create an agent that the studio sells."""
    made: str = good(await world.studio.post("/agents", {"name": "For sale"}), 201)["id"]
    good(await world.studio.put(f"/marketplace/agents/{made}", offer))
    return made


async def offered(world: World) -> str:
    return await _offered(world, model="one_time", price="9.50", summary="Sums up reports.", included_uses=20)


async def sold(world: World) -> str:
    return await _offered(world, model="monthly", price="12.00", currency="USD", summary="Writes minutes.")


async def purchase(world: World) -> str:
    """Return a purchase that can be given back and cancelled."""
    used = await _offered(world, model="usage", prices={"page": "0.02", "minute": "1.50"}, summary="Reads contracts.")
    made = good(await world.client.post(f"/marketplace/agents/{used}/purchase", {}), 201)
    return str(made["purchase"]["id"])


async def control(world: World) -> str:
    made: str = good(await world.client.post("/spend-controls", limiting.LIMIT), 201)["id"]
    return made


async def budget(world: World) -> str:
    made: str = good(await world.client.post("/budgets", limiting.BUDGET), 201)["id"]
    return made


def _put(name: str, path: str, body: Mapping[str, object]) -> Callable[[World], Awaitable[str]]:
    async def make(world: World) -> str:
        return str(good(await world.client.put(path, body))["id"])

    return make


async def alert_rule(world: World) -> str:
    made: str = good(await world.client.post("/alert-rules", limiting.RULE), 201)["id"]
    return made


async def endpoint(world: World) -> str:
    database = Database(world.running.database_url, world.running.database_url)
    try:
        return await limiting.endpoint(database, world.running.ids["client_org"])
    finally:
        await database.close()


async def draft(world: World) -> str:
    """Return a draft of an invoice."""
    body = {
        "organization_id": world.running.ids["client_org"],
        "currency": "USD",
        "lines": [{"description": "Support, November", "unit_amount": "125.00"}],
        "draft": True,
    }
    return str(good(await world.operator.post("/billing/invoices", body), 201)["id"])


async def event(world: World) -> str:
    """Return an event of the agent of the stack."""
    body = {"agent_id": world.running.ids["agent"], "event_type": "quality_reviewed", "score_delta": 0.5}
    return str(good(await world.operator.post("/reputation/events", body), 201)["id"])


async def rule(world: World) -> str:
    """Return a rule of prices that nobody reaches."""
    return str(good(await world.operator.post("/pricing/rules", PRICE_RULE), 201)["id"])


async def billing_run(world: World) -> str:
    database = Database(world.running.database_url, world.running.database_url)
    try:
        return await planted.billing_run(database)
    finally:
        await database.close()


async def allocation(world: World) -> str:
    if not good(await world.client.get("/projects"))["data"]:
        await project(world)
    database = Database(world.running.database_url, world.running.database_url)
    try:
        return await planted.allocation(database, world.running.ids["client_org"])
    finally:
        await database.close()


async def card(world: World) -> str:
    agent_id = await own_agent(world)
    database = Database(world.running.database_url, world.running.database_url)
    try:
        return await planted.card(database, world.running.ids["client_org"], agent_id)
    finally:
        await database.close()


async def planted_difference(world: World) -> dict[str, str]:
    database = Database(world.running.database_url, world.running.database_url)
    try:
        return await planted.difference(database)
    finally:
        await database.close()


async def planted_risk(world: World) -> dict[str, str]:
    database = Database(world.running.database_url, world.running.database_url)
    try:
        return await risk.planted(database, world.running.ids["client_org"])
    finally:
        await database.close()


MAKERS: dict[str, Callable[[World], Awaitable[str]]] = {
    "escrow": escrow,
    "disputed": disputed,
    "opened": opened,
    "funded": funded,
    "settled": settled,
    "seller": seller,
    "contract": contract,
    "agent": agent,
    "own_agent": own_agent,
    "purchase_order": purchase_order,
    "revenue": revenue,
    "secret": secret,
    "secret_grant": secret_grant,
    "project": project,
    "transfer": transfer,
    "use": use,
    "key": key,
    "own_channel": own_channel,
    "session": session,
    "link": link,
    "person": person,
    "department": department,
    "payment": payment,
    "authorized": authorized,
    "chargeback": chargeback,
    "invoice": invoice,
    "organization": organization,
    "offered": offered,
    "sold": sold,
    "purchase": purchase,
    "budget": budget,
    "control": control,
    "alert_rule": alert_rule,
    "report": report,
    "allocation": allocation,
    "card": card,
    "export": export,
    **{name: _put(name, path, body) for name, path, body in limiting.PUT},
    "endpoint": endpoint,
    "rule": rule,
    "draft": draft,
    "event": event,
    "billing_run": billing_run,
}


async def filled(path: str, world: World, made: dict[str, str]) -> str:
    """Fill the names in an address of the table, making what is not in `made` yet."""
    made.setdefault("org", world.running.ids["client_org"])
    if {"{difference}", "{run}", "{provider}"} & set(re.findall(r"\{\w+\}", path)) and "difference" not in made:
        made |= await planted_difference(world)
    if "{risk_" in path and "risk_case" not in made:
        made |= await planted_risk(world)
    for name, maker in MAKERS.items():
        if f"{{{name}}}" in path and name not in made:
            made[name] = await maker(world)
    return path.format(**made)
