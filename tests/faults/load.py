"""Common parts of runs: clients that send commands while processes are killed, Stripe's objects, and the proof."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from typing import Any

import httpx2

from dev.stack.supervisor import Stack
from tests.faults.audit import Findings
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.killer import Killer
from tests.faults.run import Say, tell_load, tell_stalls

#: One call in so many is answered by a cut connection, after it had its effect.
LOST_ONE_IN = 3


@dataclass(frozen=True, kw_only=True)
class Load:
    """Load during kills: commands by kind, kills by process, and number of clients."""

    seed: int
    what: str
    count: int
    kills: int
    parts: tuple[str, ...]
    clients: int = 4


async def under_kills(
    load: Load,
    say: Say,
    stack: Stack,
    findings: Findings,
    act: Callable[[RetryingClient, Journal, int], Awaitable[None]],
    around: Callable[[Sequence[str]], AbstractAsyncContextManager[object]] | None = None,
) -> Journal:
    """Run each numbered action while processes are killed, and return whether they were.

    What gets no answer is noted as wrong; `around` is the killer's.
    """
    journal = Journal()
    killer = Killer(stack, journal, load.seed, load.kills, load.count, parts=load.parts, around=around)
    clients = [RetryingClient(stack.api_url, f"{load.seed} {load.what} {n}", journal) for n in range(load.clients)]
    numbers, began = iter(range(load.count)), time.monotonic()

    async def work(client: RetryingClient) -> None:
        for number in numbers:
            await killer.may_begin()
            try:
                await act(client, journal, number)
            except NoResponse as error:
                journal.wrong.append(f"{number} of the {load.what}: {error}")
            journal.finished += 1
            journal.active -= 1
            await journal.note()

    async with asyncio.TaskGroup() as group:  # a part that is given up ends the run
        group.create_task(killer.run(say))
        for client in clients:
            group.create_task(work(client))
    tell_load(say, journal, time.monotonic() - began, load.what)
    tell_stalls(say, journal, killer.done)
    await asyncio.gather(*(client.close() for client in clients))
    fell = sum(len(kill.parts) for kill in killer.done)
    fewer = [] if fell == load.kills * len(load.parts) else ["fewer"]
    findings.check(f"{fell} kills in {len(killer.done)} strikes", fewer)
    return journal


async def give(client: RetryingClient, token: str, path: str, body: dict[str, Any], key: str, **how: Any) -> Any:
    """Give a command that must be taken, and return its answer."""
    response = await client.command(Request(token, path, body, key), **how)
    if response.status_code not in {200, 201}:
        raise NoResponse(f"{path}: {response.status_code} {response.text[:300]}")
    return response.json()


async def organization(client: RetryingClient, stack: Stack, name: str) -> tuple[str, str]:
    """Make an organization, and return its id and its owner's key."""
    token = stack.seed.keys["operator"]
    org_id = (await give(client, token, "/organizations", {"name": name}, f"{name} organization"))["id"]
    body = {"organization_id": org_id, "principal": "owner", "role": "owner"}
    return org_id, (await give(client, token, "/api-keys", body, f"{name} key"))["secret"]


def stripe_of(stack: Stack) -> httpx2.AsyncClient:
    """Return a client of the stack's Stripe, as its account."""
    key = json.loads((stack.data_dir / "stripe" / "secrets.json").read_text())["api_key"]
    url = f"http://127.0.0.1:{stack.ports.stripe_sandbox}"
    return httpx2.AsyncClient(base_url=url, trust_env=False, timeout=60, headers={"Authorization": f"Bearer {key}"})


async def lose_one_answer(stripe: httpx2.AsyncClient, path: str, number: int) -> None:
    """Lose some responses after their effect; the sandbox may be down."""
    if number % LOST_ONE_IN:
        return
    fault = {"mode": "close_after_commit", "method": "POST", "path": path, "times": 1}
    with suppress(httpx2.TransportError):
        await stripe.post("/_control/faults", json=fault)


async def all_at_stripe(stripe: httpx2.AsyncClient, path: str, **asked: str) -> list[dict[str, Any]]:
    """Return everything that a list of Stripe's has."""
    found: list[dict[str, Any]] = []
    while True:
        after = {"starting_after": found[-1]["id"]} if found else {}
        page = (await stripe.get(path, params={"limit": "100", **asked, **after})).json()
        found += page["data"]
        if not page["has_more"]:
            return found
