"""Callers on the running stack, and escrows brought to the state that a test starts from."""

import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
from temporalio.client import Client

from bursar import AsyncBursar
from bursar.testing import FakeBursar
from dev.stack.running import Running
from runtime.settings import Settings
from runtime.temporal import data_converter
from tests.e2e.market import Market
from tests.support.servers import ask

NUMBERS = itertools.count(1)
NONCE = secrets.token_hex(4)
WORK: dict[str, Any] = {"artifacts": [{"uri": "https://files.test/report.pdf", "sha256": "ab" * 32}], "note": "Done"}

#: Every command: who may give it, where, with what, and in which state it is taken.
COMMANDS: dict[str, tuple[str, str, dict[str, Any] | None, str]] = {
    "fund": ("client", "fund", {"source": "credits"}, "open"),
    "deliver": ("agent", "delivery", WORK, "funded"),
    "validate": ("validator", "validation", {"score": "0.10"}, "delivered"),
    "approve": ("client", "approvals", {}, "delivered"),
    "dispute": ("client", "disputes", {"reason": "No"}, "funded"),
    "evidence": ("studio", "disputes/evidence", {"note": "See"}, "disputed"),
    "resolve": ("arbiter", "disputes/resolution", {"payee_share": "0.5"}, "disputed"),
    "refund": ("studio", "refunds", {}, "funded"),
    "cancel": ("studio", "cancel", {}, "open"),
}


def new_key() -> str:
    return f"e2e-{NONCE}-{next(NUMBERS)}"


def path_of(escrow: dict[str, Any], command: str) -> str:
    return f"/escrows/{escrow['id']}/{COMMANDS[command][1]}"


def good(response: httpx2.Response, status: int = 200) -> dict[str, Any]:
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/json"
    answer: dict[str, Any] = response.json()
    return answer


def refused(response: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Check that the answer is a whole problem document of that status and code."""
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, Any] = response.json()
    assert document["code"] == code, document
    assert document["status"] == status
    assert document["type"] == f"/docs/errors#{code}"
    assert document["instance"] == response.request.url.path
    assert document["request_id"] == response.headers["x-request-id"]
    assert document["title"]
    assert document["detail"]
    return document


@dataclass(frozen=True)
class Caller:
    """One key, and what it asks for. A command gets a new idempotency key unless it names one, or None."""

    http: httpx2.AsyncClient
    token: str | None

    async def get(self, path: str, **options: Any) -> httpx2.Response:
        return await self._ask("GET", path, **options)

    async def post(self, path: str, body: Any = None, *, key: str | None = "new", **options: Any) -> httpx2.Response:
        if body is not None:
            options["json"] = body
        return await self._ask("POST", path, key=new_key() if key == "new" else key, **options)

    async def put(self, path: str, body: Any, *, key: str | None = None) -> httpx2.Response:
        return await self._ask("PUT", path, key=key, json=body)

    async def delete(self, path: str, *, key: str | None = "new", **options: Any) -> httpx2.Response:
        return await self._ask("DELETE", path, key=new_key() if key == "new" else key, **options)

    async def _ask(self, method: str, path: str, *, key: str | None = None, **options: Any) -> httpx2.Response:
        headers = {**options.pop("headers", {})}
        headers |= {"Authorization": f"Bearer {self.token}"} if self.token is not None else {}
        headers |= {"Idempotency-Key": key} if key is not None else {}
        url = path if path.startswith("/api/") else f"/api/v1{path}"
        return await self.http.request(method, url, headers=headers, **options)


class World:
    """The seeded people of the running stack, and what they do before a test begins."""

    def __init__(self, running: Running, http: httpx2.AsyncClient) -> None:
        self.running = running
        self.http = http
        self.anonymous = Caller(http, None)
        self.operator, self.arbiter, self.validator = (self.of(r) for r in ("operator", "arbiter", "validator"))
        self.client, self.finance, self.auditor = (self.of(r) for r in ("client", "finance", "auditor"))
        self.agent, self.studio = self.of("agent"), self.of("studio")

    def of(self, role: str) -> Caller:
        return Caller(self.http, self.running.keys[role])

    async def award(self, price: str = "50.00", **terms: Any) -> dict[str, Any]:
        usual = {
            "agent_id": self.running.ids["agent"],
            "title": "Summarise the report",
            "price": price,
            "currency": "CREDIT",
            "validation_threshold": "0.80",
            "signatories": ["procurement", "finance"],
            "required_signatures": 2,
            "deliver_within": "P7D",
            "review_period": "P3D",
        }
        return good(await self.client.post("/contracts", usual | terms), 201)

    async def escrow(self, state: str = "open", price: str = "5.00", **terms: Any) -> dict[str, Any]:
        """Return an escrow that was brought to the state: open, funded, delivered, disputed or released."""
        contract = await self.award(price, **terms)
        escrow = good(await self.client.post("/escrows", {"contract_id": contract["id"]}), 201)
        steps = {
            "funded": (self.client, "fund", {"source": "credits"}),
            "delivered": (self.agent, "delivery", WORK),
            "disputed": (self.client, "disputes", {"reason": "Not what was agreed"}),
            "released": (self.validator, "validation", {"score": "0.92"}),
        }
        ways = {
            "open": (),
            "funded": ("funded",),
            "delivered": ("funded", "delivered"),
            "disputed": ("funded", "delivered", "disputed"),
            "released": ("funded", "delivered", "released"),
        }
        for step in ways[state]:
            caller, path, body = steps[step]
            escrow = good(await caller.post(f"/escrows/{escrow['id']}/{path}", body))
        assert escrow["status"] == state
        return escrow

    async def look(self, escrow: dict[str, Any]) -> dict[str, Any]:
        return good(await self.client.get(f"/escrows/{escrow['id']}"))

    async def tenant(self, *roles: str) -> tuple[str, dict[str, Caller]]:
        """Return a new organization with a key of each role, the first of which issues the others."""
        org = good(await self.operator.post("/organizations", {"name": f"Tenant {next(NUMBERS)}"}), 201)["id"]
        callers: dict[str, Caller] = {}
        for role in roles:
            body = {"organization_id": org, "principal": role, "role": role}
            made = good(await (callers[roles[0]] if callers else self.operator).post("/api-keys", body), 201)
            callers[role] = Caller(self.http, made["secret"])
        return org, callers


@pytest.fixture(scope="package")
def live_stack() -> Running:
    """The run's whole stack, with worker and web process, as `make run` starts it; seeded keys and ids are in it."""
    return Running.read(Path(ask("stack")["data_dir"]) / "dev.json")


@pytest.fixture(scope="package")
async def world(live_stack: Running) -> AsyncIterator[World]:
    limits = httpx2.Limits(max_connections=50)
    async with httpx2.AsyncClient(base_url=live_stack.api_url, trust_env=False, timeout=60, limits=limits) as http:
        yield World(live_stack, http)


@pytest.fixture(scope="package")
async def temporal(world: World) -> Client:
    """Temporal as an operator's command line or UI reaches it."""
    running = world.running
    return await Client.connect(
        running.temporal_address, namespace=running.temporal_namespace, data_converter=data_converter(Settings())
    )


@pytest.fixture(scope="package")
async def stranger(world: World) -> Caller:
    """The owner of an organization that has nothing to do with anything."""
    _, callers = await world.tenant("owner")
    return callers["owner"]


@pytest.fixture(scope="package")
async def standing(world: World) -> dict[str, dict[str, Any]]:
    """One escrow in each state, for requests that must change nothing."""
    states = ("open", "funded", "delivered", "disputed", "released")
    return {state: await world.escrow(state) for state in states}


@pytest.fixture(params=[pytest.param("api", marks=pytest.mark.slow), "fake"])
async def market(request: pytest.FixtureRequest) -> AsyncIterator[Market]:
    """An organization with 100 credits and an agent, on the running stack or on the fake."""
    async with AsyncExitStack() as stack:
        if request.param == "fake":
            fake = FakeBursar(credits="100")
            roles = ("owner", "finance", "validator", "arbiter", "operator")
            found = Market(*[fake.async_client(principal=role) for role in roles])
            found.fake = fake
        else:
            running = request.getfixturevalue("live_stack")
            http = httpx2.AsyncClient(base_url=running.api_url, trust_env=False, timeout=60)
            world = World(running, await stack.enter_async_context(http))
            org_id, keys = await world.tenant("owner", "finance")
            grant = {"organization_id": org_id, "amount": "100", "source": "promotion"}
            good(await world.operator.post("/credits/grants", grant), 201)
            callers = (keys["owner"], keys["finance"], world.validator, world.arbiter, world.operator)
            found = Market(*[AsyncBursar(caller.token, base_url=running.api_url) for caller in callers])
        for client in (found.owner, found.finance, found.validator, found.arbiter, found.operator):
            await stack.enter_async_context(client)
        found.agent_id = (await found.owner.agents.create(name="Writer")).id
        yield found
