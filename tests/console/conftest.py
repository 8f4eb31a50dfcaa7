"""The console on the running API, with somebody of every role who has signed in as people do."""

import re
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx2
import pytest
from fastapi import FastAPI
from jinja2 import Environment
from starlette.routing import Mount
from starlette.types import Message, Receive, Scope, Send

from api.app import create_app
from console.app import create_console
from domain.common.access import Actor, Role
from domain.escrow import commands
from providers.payments.registry import Providers
from runtime.database import Database
from tests.api.conftest import (  # noqa: F401 - fixtures
    TENANT_ROLES,
    Caller,
    Tenant,
    anonymous,
    database,
    deps,
    good,
    http,
    issue_key,
    new_key,
    new_tenant,
    operator,
    settings_for,
    stranger,
    tenant,
)
from tests.api.escrowing import contract_between, delivered_escrow, escrow_between, funded_escrow, state, write
from tests.api.invoicing import issue
from tests.api.paying import Written
from tests.conftest import DatabaseUrls
from tests.console import limiting, planted, risk
from tests.console.fake import HERE, OWN
from tests.console.table import PLATFORM
from tests.support.cards import FakeIssuer
from tests.support.secrets import local_secrets
from tests.support.webhooks import WEBHOOK_KEYS


class Counting:
    """The API as the console asks it: how often since `calls` was set to 0, and what it got as `answers`.

    Further pages of a list are not counted: how many there are is up to what other tests have made.
    """

    def __init__(self, app: Any) -> None:
        self.app = app
        self.calls = 0
        self.answers: list[tuple[str, int]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and scope["type"] == "http":
                self.answers.append((scope["method"], message["status"]))
            await send(message)

        self.calls += b"cursor=" not in scope.get("query_string", b"")
        await self.app(scope, receive, noted)


@pytest.fixture(scope="session")
async def app(database_urls: DatabaseUrls) -> AsyncIterator[FastAPI]:
    """The API with the console on it, as `server.py` mounts it, but for the count of its calls."""
    settings = settings_for(
        database_urls,
        public_url=HERE,
        reputation_registrars="*",
        webhook_keys=WEBHOOK_KEYS,
        secret_keys=WEBHOOK_KEYS,
        mail_host="127.0.0.1",
        issuing="all",
        mail_sender="hello@bursar.example",
        console_read_timeout=timedelta(minutes=1),
    )
    application = create_app(settings, providers=Providers({}, cards=FakeIssuer()), secrets=local_secrets())
    counting = Counting(application)
    application.router.routes.append(Mount("/console", create_console(settings, counting)))
    application.state.counting = counting
    async with application.router.lifespan_context(application):
        yield application


@pytest.fixture(scope="session", autouse=True)
def compiled_once() -> Iterator[None]:
    """Compile a template once for all consoles of a process: many tests make one, and the code is the same."""
    really, compiled = Environment.compile, dict[tuple[Any, ...], Any]()

    def compile_once(environment: Environment, *source: Any) -> Any:
        if source not in compiled:
            compiled[source] = really(environment, *source)
        return compiled[source]

    with pytest.MonkeyPatch.context() as changed:
        changed.setattr(Environment, "compile", compile_once)
        yield


@pytest.fixture(scope="session")
def counting(app: FastAPI) -> Counting:
    found: Counting = app.state.counting
    return found


@dataclass
class Visitor:
    """A browser in which somebody has signed in."""

    role: str
    browser: httpx2.AsyncClient

    async def get(self, path: str) -> httpx2.Response:
        return await self.browser.get(path)

    async def post(self, path: str, fields: dict[str, Any]) -> httpx2.Response:
        files = {name: ("a.png", value) for name, value in fields.items() if isinstance(value, bytes)}
        texts = {name: value for name, value in fields.items() if name not in files}
        return await self.browser.post(path, data=texts, files=files or None, headers=OWN)

    async def form(self, path: str) -> str:
        """Return the command key of the first form of a page that has one."""
        page = await self.get(path)
        found = re.search(r'name="command" value="([^"]+)"', page.text)
        assert found, page.text
        return found.group(1)


async def signed_in(app: FastAPI, role: str, key: str) -> Visitor:
    browser = httpx2.AsyncClient(transport=httpx2.ASGITransport(app), base_url=HERE)
    answer = await browser.post("/console/sign-in", data={"key": key, "next": ""}, headers=OWN)
    assert answer.status_code == 303, answer.text
    return Visitor(role, browser)


@pytest.fixture(scope="session")
async def visitors(
    app: FastAPI,
    tenant: Tenant,  # noqa: F811
    issue_key: Callable[..., Awaitable[Caller]],  # noqa: F811
) -> AsyncIterator[dict[str, Visitor]]:
    """Somebody of every role: of `tenant`, and of the platform."""
    found = {role: await signed_in(app, role, getattr(tenant, role).token) for role in TENANT_ROLES}
    for role in PLATFORM:
        found[role] = await signed_in(app, role, (await issue_key(role)).token)
    yield found
    for visitor in found.values():
        await visitor.browser.aclose()


@pytest.fixture(scope="session")
async def objects(
    tenant: Tenant,  # noqa: F811
    operator: Caller,  # noqa: F811
    stranger: Tenant,  # noqa: F811
    database: Database,  # noqa: F811
) -> dict[str, str]:
    """Return values for the names in braces of `table.py`: an id of each noun that has a page."""
    body = {"organization_id": tenant.org_id, "amount": "100.00", "source": "promotion"}
    good(await operator.post("/credits/grants", body, key=new_key()), 201)
    ids = await _escrows(tenant, operator, database) | await _payments(tenant, database) | await _of_work(tenant)
    ids |= await planted.difference(database)
    ids |= await risk.planted(database, tenant.org_id)
    ids["billing_run"] = await planted.billing_run(database)
    ids |= await _bought(tenant, stranger)
    ids["use"] = await _used(tenant, operator)
    ids["budget"] = good(await tenant.owner.post("/budgets", limiting.BUDGET), 201)["id"]
    ids["control"] = good(await tenant.owner.post("/spend-controls", limiting.LIMIT), 201)["id"]
    for name, path, wanted in limiting.PUT:
        ids[name] = good(await tenant.owner.ask("PUT", path, json=wanted))["id"]
    good(await operator.post("/exchange-rates", limiting.RATE), 201)
    order = {"agent_id": tenant.agent_id, **limiting.SMALL_ORDER}
    revenue = {"source": "ads", "reference": new_key(), "amount": "1", "currency": "USD"}
    ids["revenue"] = good(await tenant.owner.post("/revenue", revenue, key=new_key()), 201)["id"]
    ids["purchase_order"] = good(await tenant.agent.post("/purchase-orders", order, key=new_key()), 201)["id"]
    routed = {"task_kind": "<summary>", "candidates": [ids["own_agent"], "gpt-4o"], "agent_id": tenant.agent_id}
    good(await tenant.owner.post("/routing/decisions", routed), 201)
    ids |= await _secrets(tenant)
    ids["alert_rule"] = good(await tenant.owner.post("/alert-rules", limiting.RULE), 201)["id"]
    address = {"legal_name": "Tenant", "line1": "Ring 1", "city": "Vienna", "postal_code": "1010", "country": "AT"}
    good(await tenant.owner.ask("PUT", "/billing/profile", json=address))
    ids["card"] = await planted.card(database, tenant.org_id, tenant.agent_id)
    ids["allocation"] = await planted.allocation(database, tenant.org_id)
    ids["report"] = good(await tenant.owner.post("/reports", limiting.REPORT), 201)["id"]
    ids["export"] = good(await tenant.owner.post("/exports", limiting.EXPORT, key=new_key()), 202)["id"]
    channel = {"kind": "mail", "address": "kim@acme.example"}
    ids["own_channel"] = good(await tenant.owner.post("/notifications/channels", channel), 201)["id"]
    ids["endpoint"] = await limiting.endpoint(database, tenant.org_id)
    drafted = {"description": "Support", "unit_amount": "125.00"}
    bill = {"organization_id": tenant.org_id, "currency": "USD", "lines": [drafted], "draft": True}
    ids["draft"] = good(await operator.post("/billing/invoices", bill, key=new_key()), 201)["id"]
    seen = {"agent_id": ids["own_agent"], "event_type": "quality_reviewed", "score_delta": 0.5}
    ids["event"] = good(await operator.post("/reputation/events", seen, key=new_key()), 201)["id"]
    ids["rule"] = good(await operator.post("/pricing/rules", planted.PRICE_RULE), 201)["id"]
    ids["invoice"] = (await issue(operator, tenant))["id"]
    return {"org": tenant.org_id, "seller": tenant.org_id, "organization": tenant.org_id, **ids}


async def _secrets(tenant: Tenant) -> dict[str, str]:  # noqa: F811
    """Store a secret that the agent may use and the owner may read, as it has done once."""
    path = f"/secrets/{limiting.SECRET_PATH}"
    good(await tenant.owner.ask("PUT", path, json=limiting.SECRET, key=new_key()))
    owner = good(await tenant.owner.get("/me"))["principal"]
    for grant in (limiting.secret_grant(principal=owner), limiting.secret_grant(agent_id=tenant.agent_id)):
        made = good(await tenant.owner.post("/secrets/grants", grant, key=new_key()), 201)["id"]
    good(await tenant.owner.post(f"{path}/open", {"purpose": "A <test>"}))
    return {"secret": limiting.SECRET_NAME, "secret_grant": made}


async def _bought(tenant: Tenant, seller: Tenant) -> dict[str, str]:  # noqa: F811
    """Offer agents for credits and for money, and have the tenant buy one whose uses are paid."""
    offers = {
        "offered": {"model": "one_time", "price": "9.50", "summary": "Reads <reports>.", "included_uses": 20},
        "sold": {"model": "monthly", "price": "12.00", "currency": "USD"},
        "used": {"model": "usage", "prices": {"page": "0.02", "minute": "1.50"}},
    }
    ids = {}
    for name, offer in offers.items():
        ids[name] = good(await seller.owner.post("/agents", {"name": f"Agent, {name}"}), 201)["id"]
        good(await seller.owner.ask("PUT", f"/marketplace/agents/{ids[name]}", json=offer))
    made = await tenant.owner.post(f"/marketplace/agents/{ids['used']}/purchase", {}, key=new_key())
    return ids | {"purchase": good(made, 201)["purchase"]["id"]}


async def _used(tenant: Tenant, operator: Caller) -> str:  # noqa: F811
    """Use credits as the agent, refund some, and return the use's id."""
    used = {"action": "generate_content", "amount": "4.50", "metadata": {"model": "gpt-4o", "topic": "<tides>"}}
    use = good(await tenant.agent.post("/credits/use", used, key=new_key()), 201)["id"]
    good(await operator.post(f"/credits/spends/{use}/refunds", {"amount": "1.50"}, key=new_key()), 201)
    return str(use)


async def _of_work(tenant: Tenant) -> dict[str, str]:  # noqa: F811
    """Make an object of each noun of settings and work."""
    person = {"email": "maria@acme.example", "role": "member"}
    link = {"principal": "guest", "role": "member", "expires_in": "P1D"}
    agent = {
        "name": "Own agent",
        "description": "Reads <reports>.",
        "visibility": "private",
        "pricing": {"model": "one_time", "amount": "9.99", "currency": "USD"},
    }
    return {
        "own_agent": good(await tenant.owner.post("/agents", agent), 201)["id"],
        "transfer": good(await tenant.owner.get("/billing/transactions"))["data"][0]["id"],
        "person": good(await tenant.owner.post("/invitations", person, key=new_key()), 201)["email"],
        "department": good(await tenant.owner.post("/departments", {"name": "Research"}), 201)["id"],
        "key": good(await tenant.owner.post("/api-keys", {"principal": "spare", "role": "member"}), 201)["id"],
        "session": good(await tenant.owner.post("/sessions", {}), 201)["id"],
        "link": good(await tenant.owner.post("/sessions/links", link), 201)["id"],
        "project": good(await tenant.owner.post("/projects", {"name": "Tables"}), 201)["slug"],
    }


async def _escrows(tenant: Tenant, operator: Caller, database: Database) -> dict[str, str]:  # noqa: F811
    """Make escrows of the tenant with itself, in several states; its owner is who signs."""
    owner = good(await tenant.owner.get("/me"))["principal"]
    now = datetime.now(UTC)
    found = {
        "contract": await contract_between(operator, tenant, tenant, signatories=[owner]),
        "opened": await escrow_between(operator, database, tenant, tenant, owner, at=now),
        "funded": await funded_escrow(operator, database, tenant, tenant, owner, at=now),
        "escrow": await delivered_escrow(operator, database, tenant, tenant, owner, times=1, at=now),
        "settled": await delivered_escrow(operator, database, tenant, tenant, owner, times=1, at=now),
        "disputed": await delivered_escrow(operator, database, tenant, tenant, owner, times=1, at=now),
    }
    payer = Actor(principal=owner, role=Role.OWNER, org_id=tenant.org_id)
    frozen = commands.dispute(await state(database, found["disputed"]), actor=payer, reason="Not whole", now=now)
    await write(database, frozen, at=now)
    # Nothing is earned by it, which other pages would show.
    returned = commands.refund(await state(database, found["settled"]), actor=payer, amount_minor=None)
    await write(database, returned, at=now)
    return found


async def _payments(tenant: Tenant, database: Database) -> dict[str, str]:  # noqa: F811
    """Make a payment that is paid, and one whose money is reserved."""
    paid = await Written(database, tenant.org_id).begin()
    paid.there.pay()
    await paid.look()
    authorized = await Written(database, tenant.org_id, manual_capture=True).begin()
    authorized.there.authorize()
    await authorized.look()
    contested = await Written(database, tenant.org_id).begin()
    contested.there.pay()
    contested.there.dispute()
    await contested.look()
    [chargeback] = good(await tenant.owner.get("/disputes"))["data"]
    ids = {"payment": paid, "authorized": authorized}
    return {name: each.terms.payment_id for name, each in ids.items()} | {"chargeback": chargeback["id"]}
