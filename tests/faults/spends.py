"""A run of charges and reservations: clients retry until answered, processes are killed, then spends are counted.

Each client works for an organization of its own, with a limit that a part of its charges does not fit into. Whatever
dies between the commit and the answer, a key is one charge or one refusal, and a reservation ends once. Beside them an
organization lives on automatic top-ups.
"""

import asyncio
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import asyncpg

from dev.stack.supervisor import Stack
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import PATIENCE_SECONDS, Answered, Journal, NoResponse, Request, RetryingClient
from tests.faults.killer import Killer
from tests.faults.run import tell_load, tell_stalls
from tests.faults.topups import count_topups, fell_twice, intents_of, open_buyer, spend_until

Say = Callable[[str], None]

#: Charges need no provider, and no run; automatic top-ups need both.
PARTS = ("postgres", "worker", "server")
GRANT_MINOR = 1_000_000_000
#: In credits of each charge, by its number.
AMOUNTS = ("0.25", "1", "0.000001", "3.5")
BATCH = 20
#: How many wait for what the connection has locked; and of three commands, how many are in the books.
WAITING = """
SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))
"""
DONE = """
SELECT count(DISTINCT status) FROM ledger.spends
WHERE org_id = ANY ($1) AND status IN ('charged', 'captured', 'reserved')
"""


@dataclass(frozen=True)
class SpendSetup:
    """Setup of a run; the same setup draws the same work and the same kills."""

    seed: int
    spends: int = 600
    kills: int = 4
    clients: int = 10
    parts: tuple[str, ...] = PARTS


@dataclass(frozen=True)
class Spender:
    """An organization, its key, and the most it may spend."""

    org_id: str
    token: str
    limit_minor: int


@dataclass(frozen=True)
class Work:
    """One piece: a charge, a batch of charges, or a reservation with the captures of its task.

    Attributes:
        name: what its keys begin with.
        kind: `use`, `batch`, `release`, `capture`, `steps`.
        amount: in credits; of each item, and of what is reserved.
    """

    name: str
    kind: str
    amount: str


def described(setup: SpendSetup) -> str:
    """Say what a run does."""
    killed = f"{', '.join(setup.parts)} killed {setup.kills} times each"
    return f"{setup.spends} charges and reservations by {setup.clients} clients; {killed}"


def draw_spends(seed: int, number: int) -> list[Work]:
    """Draw the work: mostly single charges, and every other kind among each dozen."""
    rng = random.Random(f"{seed} spends")
    kinds = [*("use",) * 8, "batch", "release", "capture", "steps"]
    drawn: list[str] = []
    while len(drawn) < number:
        rng.shuffle(kinds)
        drawn += kinds
    return [Work(f"s{place}", kind, AMOUNTS[place % len(AMOUNTS)]) for place, kind in enumerate(drawn[:number])]


def minor(amount: str) -> int:
    """Return credits in minor units."""
    whole, _, part = amount.partition(".")
    return int(whole) * 1_000_000 + int(part.ljust(6, "0") or 0)


async def run_spends(setup: SpendSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found."""
    findings, journal = Findings(), Journal()
    charged_before = await intents_of(stack)
    operator = RetryingClient(stack.api_url, f"{setup.seed} operator", Journal())
    work = draw_spends(setup.seed, setup.spends)
    shares = [work[place :: setup.clients] for place in range(setup.clients)]
    spenders = [
        await _spender(operator, stack.seed.keys["operator"], place, share) for place, share in enumerate(shares)
    ]
    buyer, buying = await open_buyer(operator, stack), Journal()
    await operator.close()
    killer = Killer(stack, journal, setup.seed, setup.kills, setup.spends, parts=setup.parts)
    clients = [RetryingClient(stack.api_url, f"{setup.seed} client {place}", journal) for place in range(setup.clients)]
    await _lose_answers(findings, stack, clients, spenders)
    began = time.monotonic()

    async def live(client: RetryingClient, spender: Spender, share: Sequence[Work]) -> None:
        for one in share:
            await killer.may_begin()
            try:
                await _do(client, spender, one, journal)
            except NoResponse as error:
                journal.wrong.append(str(error))
            journal.finished += 1
            journal.active -= 1
            await journal.note()

    shopper = RetryingClient(stack.api_url, f"{setup.seed} buyer", buying)
    enough = asyncio.Event()
    async with asyncio.TaskGroup() as group:  # a part that is given up ends the run
        group.create_task(spend_until(enough, shopper, buyer, buying))
        striking = group.create_task(killer.run(say))
        living = [
            group.create_task(live(client, spender, share))
            for client, spender, share in zip(clients, spenders, shares, strict=True)
        ]
        await asyncio.gather(striking, *living)
        await fell_twice(stack, buyer)
        enough.set()
    tell_load(say, journal, time.monotonic() - began, "charges and reservations")
    tell_stalls(say, journal, killer.done)
    fell = sum(len(kill.parts) for kill in killer.done)
    idle = [f"kill {n}: nothing was in progress" for n, kill in enumerate(killer.done, 1) if not kill.active]
    findings.check(f"{fell} kills in {len(killer.done)} strikes, all of them with charges in progress", idle)
    findings.check(f"{len(journal.answered)} commands answered as planned", journal.wrong)
    await _repeat(findings, clients[0], journal)
    await count_topups(findings, stack, buyer, buying, charged_before)
    await _count(findings, stack, spenders, journal)
    await asyncio.gather(shopper.close(), *(client.close() for client in clients))
    return findings


async def _lose_answers(
    findings: Findings, stack: Stack, clients: Sequence[RetryingClient], spenders: Sequence[Spender]
) -> None:
    """Kill the server after a charge, a capture and a reservation were committed, before it can read that they were."""
    tiny = {"amount": "0.000001"}
    held = await _give(clients[1], spenders[1], "/credits/reserve", tiny, "lost-held", {201})
    assert held is not None
    requests = [
        Request(spenders[0].token, "/credits/use", {**tiny, "action": "tool"}, "lost-use"),
        Request(spenders[1].token, f"/credits/reservations/{held['id']}/capture", {}, "lost-capture"),
        Request(spenders[2].token, "/credits/reserve", tiny, "lost-hold"),
    ]
    org_ids = [spender.org_id for spender in spenders[:3]]
    async with books(stack) as connection:
        async with connection.transaction():
            await connection.execute("SELECT FROM ledger.balances WHERE org_id = ANY ($1) FOR UPDATE", org_ids)
            asked = [
                asyncio.create_task(client.command(request)) for client, request in zip(clients, requests, strict=False)
            ]
            await _until(connection, WAITING, len(requests))
            # It has sent all that the commands take, and reads nothing any more.
            os.kill(stack.pid("server"), signal.SIGSTOP)
        await _until(connection, DONE, len(requests), org_ids)
    await stack.kill("server")
    await stack.wait_ready("server")
    answers = await asyncio.gather(*asked)
    wrong = [
        f"{request.key}: {answer.status_code} {answer.text[:200]}"
        for request, answer in zip(requests, answers, strict=True)
        if answer.headers.get("Idempotent-Replayed") != "true"
    ]
    findings.check(f"{len(requests)} answers lost after the commit, each of them given when asked again", wrong)
    release = {"reservation_id": answers[2].json()["id"]}
    await _give(clients[2], spenders[2], "/credits/release", release, "lost-end", {200})


async def _until(connection: asyncpg.Connection, query: str, number: int, *arguments: object) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while await connection.fetchval(query, *arguments) < number:
        if time.monotonic() > deadline:
            raise TimeoutError(query)
        await asyncio.sleep(0.01)


async def _spender(operator: RetryingClient, token: str, place: int, share: Sequence[Work]) -> Spender:
    async def make(path: str, body: dict[str, object]) -> dict[str, str]:
        response = await operator.command(Request(token, path, body, f"cast {place} {path}"))
        if response.status_code != 201:
            raise NoResponse(f"{path}: {response.status_code} {response.text[:300]}")
        made: dict[str, str] = response.json()
        return made

    org_id = (await make("/organizations", {"name": f"Spender {place}"}))["id"]
    grant = {"organization_id": org_id, "amount": str(GRANT_MINOR // 1_000_000), "source": "promotion"}
    await make("/credits/grants", grant)
    wanted = sum(minor(one.amount) * (BATCH if one.kind == "batch" else 1) for one in share)
    # Some of the last charges are refused.
    limit_minor = wanted * 4 // 5
    limit = {"window": "lifetime", "amount": f"{limit_minor / 1_000_000:.6f}"}
    await make("/spend-controls", {"organization_id": org_id, "subject": {"type": "organization"}, "limits": [limit]})
    key = await make("/api-keys", {"organization_id": org_id, "principal": "spender", "role": "member"})
    return Spender(org_id, key["secret"], limit_minor)


async def _do(client: RetryingClient, spender: Spender, work: Work, journal: Journal) -> None:
    if work.kind == "use":
        body: dict[str, object] = {"amount": work.amount, "action": "tool"}
        await _give(
            client, spender, "/credits/use", body, f"{work.name}-use", {201, 402}, twice=work.name.endswith("7")
        )
        return
    if work.kind == "batch":
        items = [{"key": f"{work.name}-{number}", "amount": work.amount} for number in range(BATCH)]
        await _give(client, spender, "/credits/use/batch", {"items": items}, f"{work.name}-batch", {200})
        return
    held = await _give(
        client,
        spender,
        "/credits/reserve",
        {"amount": work.amount, "expires_in": "PT1H"},
        f"{work.name}-hold",
        {201, 402},
    )
    if held is None:
        return
    capture = f"/credits/reservations/{held['id']}/capture"
    if work.kind == "release":
        await _give(client, spender, "/credits/release", {"reservation_id": held["id"]}, f"{work.name}-end", {200})
    elif work.kind == "capture":
        await _give(client, spender, capture, {}, f"{work.name}-end", {200})
    else:
        step = {"amount": "0.000001"}
        if work.amount != step["amount"]:
            await _give(client, spender, capture, {**step, "final_capture": False}, f"{work.name}-step", {200})
        ended = await _give(client, spender, capture, step, f"{work.name}-end", {200}, twice=True)
        if ended is not None and ended["held"] != "0.00":
            journal.wrong.append(f"{work.name}: {ended['held']} stays held after the last capture")


async def _give(
    client: RetryingClient,
    spender: Spender,
    path: str,
    body: dict[str, object],
    key: str,
    expected: set[int],
    *,
    twice: bool = False,
) -> dict[str, str] | None:
    response = await client.command(Request(spender.token, path, body, key), twice=twice)
    if response.status_code not in expected:
        raise NoResponse(f"{key}: {response.status_code} {response.text[:300]}")
    answer: dict[str, str] = response.json()
    return None if response.status_code == 402 else answer


async def _repeat(findings: Findings, client: RetryingClient, journal: Journal) -> None:
    """Send everything once more: each answer must be the first one."""
    wrong, answered = [], list(journal.answered)
    for one in answered:
        again = await client.command(one.request)
        if _content(one) != _content(Answered(one.request, again, 0, 0)):
            wrong.append(f"{one.request.key}: answered {again.text[:200]}, and before {one.response.text[:200]}")
    findings.check(f"{len(answered)} commands repeated, with the same answers", wrong)


def _content(one: Answered) -> object:
    """Return what a repeated answer must have as well."""
    answer = one.response.json()
    if "data" in answer:
        return [(item["key"], item["status"], item.get("id"), item.get("available")) for item in answer["data"]]
    changing = {"request_id", "replayed"}
    return (one.response.status_code, {name: value for name, value in answer.items() if name not in changing})


async def _count(findings: Findings, stack: Stack, spenders: Sequence[Spender], journal: Journal) -> None:
    async with books(stack) as connection:
        rows = await connection.fetch(
            "SELECT org_id, status, captured, idempotency_key FROM ledger.spends WHERE org_id = ANY ($1)",
            [spender.org_id for spender in spenders],
        )
        balances = await connection.fetch(
            "SELECT a.path, b.posted, b.pending_out FROM ledger.accounts a"
            " JOIN ledger.balances b ON b.account_id = a.id WHERE a.path = ANY ($1)",
            [f"org/{spender.org_id}/credits" for spender in spenders],
        )
    used = Counter[str]()
    for row in rows:
        used[row["org_id"]] += row["captured"]
    charged = _charged(journal)
    findings.check(
        f"{len(rows)} spends in the books, one for each that was answered",
        [] if len(rows) == charged else [f"{len(rows)} spends are in the books, {charged} were answered"],
    )
    held = {row["path"]: (row["posted"], row["pending_out"]) for row in balances}
    findings.check(
        f"{len(spenders)} balances are what was granted less what was used, and nothing stays held",
        [
            f"{spender.org_id} has {held[f'org/{spender.org_id}/credits']}, used {used[spender.org_id]}"
            for spender in spenders
            if held[f"org/{spender.org_id}/credits"] != (GRANT_MINOR - used[spender.org_id], 0)
        ],
    )
    over = [f"{s.org_id} used {used[s.org_id]} of {s.limit_minor}" for s in spenders if used[s.org_id] > s.limit_minor]
    findings.check(f"{sum(used.values())} micro-credits used, within every limit", over)
    open_ones = [f"{row['idempotency_key']} is {row['status']}" for row in rows if row["status"] == "reserved"]
    findings.check("every reservation has ended", open_ones)
    refusals = sum(one.response.status_code == 402 for one in journal.answered)
    findings.check(f"{refusals} charges and reservations refused by a limit", [] if refusals else ["none was refused"])
    await prove(findings, stack)


def _charged(journal: Journal) -> int:
    """Count what was answered as charged or reserved, by key."""
    keys = set()
    for one in journal.answered:
        answer = one.response.json()
        if one.response.status_code == 201:
            keys.add((one.request.token, one.request.key))
        for item in answer.get("data", ()):
            if item["status"] == "charged":
                keys.add((one.request.token, item["key"]))
    return len(keys)
