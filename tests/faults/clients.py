"""Clients as real ones are: they keep their key, wait a little longer each time, and go on until answered."""

import asyncio
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.faults.plans import Plan, Step

#: Longer than the API waits for a command, as a client's own limit should be.
REQUEST_SECONDS = 60.0
#: After this a client takes its command for lost, and the run has failed.
PATIENCE_SECONDS = 240.0
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0
#: Refusals that the same request outlives.
NOT_YET = frozenset(
    {
        *("idempotency.in_flight", "payment.unknown_outcome"),
        *("payment.refund_in_flight", "payment.fulfilment_under_way"),
    }
)


class NoResponse(Exception):
    """A client did not get an answer that it can use."""


@dataclass(frozen=True)
class Request:
    """One command, with what makes it repeatable."""

    token: str
    path: str
    body: dict[str, Any]
    key: str
    method: str = "POST"


@dataclass
class Answered:
    """A command and the first answer that the client accepted."""

    request: Request
    response: httpx2.Response
    began: float
    ended: float

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass
class Journal:
    """Observations of all clients of a run."""

    answered: list[Answered] = field(default_factory=list)
    troubles: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    finished: int = 0
    active: int = 0
    progress: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def note(self) -> None:
        async with self.progress:
            self.progress.notify_all()


@dataclass(frozen=True)
class Cast:
    """The keys of one client organization and of the studio that works for it."""

    client_org: str
    agent: str
    tokens: dict[str, str]


class RetryingClient:
    """Sends commands and questions until they are answered."""

    def __init__(self, api_url: str, seed: str, journal: Journal) -> None:
        self._http = httpx2.AsyncClient(base_url=f"{api_url}/api/v1", trust_env=False, timeout=REQUEST_SECONDS)
        self._rng = random.Random(seed)
        self._journal = journal

    async def close(self) -> None:
        await self._http.aclose()

    async def command(self, request: Request, *, twice: bool = False) -> httpx2.Response:
        """Give a command; raises NoResponse."""
        began = time.monotonic()
        if twice:
            response, other = await asyncio.gather(self._until_answered(request), self._until_answered(request))
            if response.status_code != other.status_code or id_of(response) != id_of(other):
                self._journal.wrong.append(
                    f"{request.key}: sent twice at once, answered {response.status_code} and {other.status_code}"
                )
        else:
            response = await self._until_answered(request)
        self._journal.answered.append(Answered(request, response, began, time.monotonic()))
        await self._journal.note()
        return response

    async def put(self, token: str, path: str, body: dict[str, Any] | None = None) -> None:
        """Set something; raises NoResponse."""
        response = await self._persist("PUT", path, token, body)
        if response.status_code != 200:
            raise NoResponse(f"PUT {path}: {response.status_code} {response.text[:300]}")

    async def ask(self, token: str, path: str) -> dict[str, Any]:
        """Read something; raises NoResponse."""
        response = await self._persist("GET", path, token)
        if response.status_code != 200:
            raise NoResponse(f"GET {path}: {response.status_code} {response.text[:300]}")
        answer: dict[str, Any] = response.json()
        return answer

    async def _until_answered(self, request: Request) -> httpx2.Response:
        return await self._persist(request.method, request.path, request.token, request.body, request.key)

    async def _persist(
        self, method: str, path: str, token: str, body: dict[str, Any] | None = None, key: str | None = None
    ) -> httpx2.Response:
        headers = {"Authorization": f"Bearer {token}"} | ({"Idempotency-Key": key} if key else {})
        began, pause, troubles = time.monotonic(), FIRST_PAUSE_SECONDS, Counter[str]()
        while time.monotonic() - began < PATIENCE_SECONDS:
            after = 0.0
            try:
                response = await self._http.request(method, path, json=body, headers=headers)
            except httpx2.TransportError as error:
                trouble = type(error).__name__
            else:
                if not may_pass(response):
                    return response
                trouble = f"{response.status_code} {code_of(response)}"
                if response.status_code == 500:  # an outage is a 503; this is a case that the product did not foresee
                    self._journal.wrong.append(f"{method} {path} ({key}): {response.text[:300]}")
                after = float(response.headers.get("Retry-After", 0))
            troubles[trouble] += 1
            self._journal.troubles[trouble] += 1
            await asyncio.sleep(max(after, pause * self._rng.uniform(0.5, 1)))
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        raise NoResponse(f"{method} {path} ({key}): none within {PATIENCE_SECONDS:.0f} s: {dict(troubles)}")


def code_of(response: httpx2.Response) -> str:
    try:
        return str(response.json().get("code", ""))
    except ValueError:
        return response.text[:80]


def id_of(response: httpx2.Response) -> object:
    """Return what the answer is about; a purchase and a refusal name their payment."""
    answer = response.json()
    return answer.get("id") or answer.get("payment_id")


def may_pass(response: httpx2.Response) -> bool:
    """Tell whether the same request may be answered otherwise a moment later."""
    return (
        response.status_code >= 500
        or response.status_code == 429
        or (response.status_code == 409 and code_of(response) in NOT_YET)
    )


async def live(client: RetryingClient, cast: Cast, plan: Plan, journal: Journal) -> str:
    """Take one escrow from award to settlement and return its id; what is not as planned goes into the journal."""
    payer = cast.tokens["procurement"]
    contract = await _give(client, plan, payer, "/contracts", {**plan.contract, "agent_id": cast.agent}, "award", 201)
    body = {"contract_id": contract["id"], "amount": plan.contract["price"]}
    escrow = await _give(client, plan, payer, "/escrows", body, "open", 201)
    path = f"/escrows/{escrow['id']}"
    for number, (steps, status) in enumerate(plan.rounds):
        await asyncio.gather(*(_step(client, cast, plan, path, number, step) for step in steps))
        seen = await client.ask(payer, path)
        if seen["status"] != status:
            journal.wrong.append(f"{plan.name} ({plan.story}): {seen['status']} after {steps[0].event}, not {status}")
            break
    return str(escrow["id"])


async def _step(client: RetryingClient, cast: Cast, plan: Plan, path: str, number: int, step: Step) -> None:
    name = f"{number}-{step.event}-{step.role}"
    await _give(client, plan, cast.tokens[step.role], f"{path}/{step.path}", step.body, name, 200, twice=step.twice)


async def _give(
    client: RetryingClient,
    plan: Plan,
    token: str,
    path: str,
    body: dict[str, Any],
    step: str,
    expected: int,
    *,
    twice: bool = False,
) -> dict[str, Any]:
    response = await client.command(Request(token, path, body, f"{plan.name}-{step}"), twice=twice)
    if response.status_code != expected:
        raise NoResponse(f"{plan.name} ({plan.story}), {step}: {response.status_code} {response.text[:400]}")
    answer: dict[str, Any] = response.json()
    return answer
