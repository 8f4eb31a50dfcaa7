"""One run of escrows on a stack: the cast, the clients, the killer, the count. And what every run has in common."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from dev.stack.supervisor import Stack
from tests.faults.audit import Findings, Settled, audit, repeat_everything
from tests.faults.clients import Cast, Journal, NoResponse, Request, RetryingClient, live
from tests.faults.killer import Kill, Killer
from tests.faults.plans import SIGNATORIES, amount, draw

Say = Callable[[str], None]

#: Escrows from credits need no provider.
PRODUCT = ("postgres", "temporal", "worker", "server")
GRANT_MINOR = 5_000_000_000
STUDIOS = 3
SHOWN = 40

#: Polls come soon, so that what webhooks do not tell is found within seconds, and runs end while others still work.
SETTINGS = {
    "BURSAR_FIRST_POLL": "PT1S",
    "BURSAR_LONGEST_POLL": "PT8S",
    "BURSAR_CHAIN_POLL": "PT2S",
    "BURSAR_PROVIDER_TIMEOUT": "PT2S",
    "BURSAR_PAYMENT_OPEN": "PT10S",
    # What is earned can be paid out at once.
    "BURSAR_PAYOUT_HOLD_BACK": "PT0S",
    "BURSAR_PAYOUT_HOLD_BACK_FLOOR": "PT0S",
    "BURSAR_PAYOUT_DESTINATION_HOLD": "PT0S",
    "BURSAR_PURCHASE_REFUND_DAYS": "0",
    # Payers refund parts, one after the other, and the whole of it.
    "BURSAR_TOPUP_REFUNDS": "90",
    "BURSAR_REFUND_FEES_PAID_BY": "platform",
    "BURSAR_RATE_LIMIT": "1000000/minute",
    "BURSAR_ORGANIZATION_RATE_LIMIT": "1000000/minute",
}


@dataclass(frozen=True)
class Setup:
    """Setup of a run; the same setup draws the same plans and the same kills."""

    seed: int
    escrows: int = 200
    kills: int = 4
    clients: int = 20


def described(setup: Setup) -> str:
    """Say what a run does."""
    return f"{setup.escrows} escrows from {setup.clients} clients; {', '.join(PRODUCT)} killed {setup.kills} times each"


@asynccontextmanager
async def running(data_dir: Path, say: Say) -> AsyncIterator[Stack]:
    """Start a stack with every sandbox; it is stopped in the end, its data stays."""
    stack = Stack(data_dir, env=SETTINGS)
    began = time.monotonic()
    await stack.start()
    say(f"  stack ready after {time.monotonic() - began:.1f} s")
    try:
        yield stack
    finally:
        await stack.stop()


async def run(setup: Setup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found; the stack has had no other run, because every account is counted."""
    findings, journal, setting_up = Findings(), Journal(), Journal()
    operator = RetryingClient(stack.api_url, f"{setup.seed} operator", setting_up)
    casts = await _casts(operator, stack.seed.keys, setup.clients)
    say(f"  {len(casts)} client organizations, {STUDIOS} studios with an agent each")
    await operator.close()

    killer = Killer(stack, journal, setup.seed, setup.kills, setup.escrows, parts=PRODUCT)
    clients = [RetryingClient(stack.api_url, f"{setup.seed} client {n}", journal) for n in range(len(casts))]
    waiting = iter(draw(setup.seed, setup.escrows))
    settled: list[Settled] = []
    began = time.monotonic()

    async def work(client: RetryingClient, cast: Cast) -> None:
        for plan in waiting:
            await killer.may_begin()
            try:
                settled.append(Settled(plan, cast, await live(client, cast, plan, journal)))
            except NoResponse as error:
                journal.wrong.append(str(error))
            journal.finished += 1
            journal.active -= 1
            await journal.note()

    async with asyncio.TaskGroup() as group:  # a part that is given up ends the run
        group.create_task(killer.run(say))
        for client, cast in zip(clients, casts, strict=True):
            group.create_task(work(client, cast))
    lasted = time.monotonic() - began
    tell_load(say, journal, lasted, "escrows")
    tell_stalls(say, journal, killer.done)

    in_progress = [f"kill {n}: no escrow was in progress" for n, kill in enumerate(killer.done, 1) if not kill.active]
    fell = sum(len(kill.parts) for kill in killer.done)
    findings.check(f"{fell} kills in {len(killer.done)} strikes, all of them with escrows in progress", in_progress)
    findings.check(f"{len(journal.answered)} commands answered as planned", journal.wrong)
    await _count(findings, stack, setup, casts, settled, clients[0], journal)
    await asyncio.gather(*(client.close() for client in clients))
    return findings


async def _count(
    findings: Findings,
    stack: Stack,
    setup: Setup,
    casts: list[Cast],
    settled: list[Settled],
    client: RetryingClient,
    journal: Journal,
) -> None:
    final_status = {one.escrow_id: one.plan.final_status for one in settled}
    await repeat_everything(findings, client, journal, final_status)
    if len(settled) != setup.escrows:
        findings.wrong.append(f"{len(settled)} of {setup.escrows} escrows were settled")
    await audit(
        findings,
        settled=settled,
        granted_minor={cast.client_org: GRANT_MINOR for cast in casts}
        | {stack.seed.ids["client_org"]: 10_000_000_000, stack.seed.ids["studio_org"]: 0},
        stack=stack,
    )


async def _casts(operator: RetryingClient, keys: dict[str, str], count: int) -> list[Cast]:
    async def make(name: str, path: str, body: dict[str, object], token: str = keys["operator"]) -> dict[str, str]:
        response = await operator.command(Request(token, path, body, f"cast {name} {path}"))
        if response.status_code != 201:
            raise NoResponse(f"{name}: {response.status_code} {response.text[:300]}")
        made: dict[str, str] = response.json()
        return made

    async def studio(number: int) -> tuple[str, dict[str, str]]:
        name = f"Studio {number}"
        org = (await make(name, "/organizations", {"name": name}))["id"]
        agent = (await make(name, "/agents", {"name": name, "organization_id": org}))["id"]
        owner = await make(name, "/api-keys", {"organization_id": org, "principal": "studio", "role": "owner"})
        body: dict[str, object] = {"organization_id": org, "principal": "bot", "role": "agent", "agent_id": agent}
        bot = await make(f"{name} bot", "/api-keys", body, owner["secret"])
        return agent, {"studio": owner["secret"], "agent": bot["secret"]}

    async def client(number: int, agent: str, tokens: dict[str, str]) -> Cast:
        name = f"Client {number}"
        org = (await make(name, "/organizations", {"name": name}))["id"]
        signing: dict[str, str] = {}
        for principal, role in zip(SIGNATORIES, ("owner", "finance", "member"), strict=True):
            body: dict[str, object] = {"organization_id": org, "principal": principal, "role": role}
            issuer = next(iter(signing.values()), keys["operator"])
            signing[principal] = (await make(f"{name} {principal}", "/api-keys", body, issuer))["secret"]
        grant: dict[str, object] = {"organization_id": org, "amount": amount(GRANT_MINOR), "source": "promotion"}
        await make(name, "/credits/grants", grant)
        platform = {role: keys[role] for role in ("validator", "arbiter")}
        return Cast(org, agent, {**tokens, **platform, **signing})

    studios = [await studio(number) for number in range(STUDIOS)]
    return [await client(number, *studios[number % STUDIOS]) for number in range(count)]


def tell_load(say: Say, journal: Journal, lasted: float, what: str) -> None:
    """Say how long answers took, and what clients met."""
    seconds = sorted(answered.seconds for answered in journal.answered)
    middle, high = seconds[len(seconds) // 2], seconds[len(seconds) * 95 // 100]
    say(
        f"\n  {journal.finished} {what} and {len(seconds)} commands in {lasted:.0f} s; an answer took {middle:.2f} s "
        f"in the middle, {high:.1f} s at the 95th percentile, {seconds[-1]:.1f} s at most"
    )
    troubles = ", ".join(f"{count} x {trouble}" for trouble, count in journal.troubles.most_common())
    say(f"  what clients met and repeated: {troubles or 'nothing'}")


def tell_stalls(say: Say, journal: Journal, kills: list[Kill]) -> None:
    """Say for each part how long it took to be back, and how long the slowest command then waited."""
    for part in sorted({part for kill in kills for part in kill.parts}):
        alone = [kill for kill in kills if kill.parts == (part,)] or [kill for kill in kills if part in kill.parts]
        back = [kill.back_after[part] for kill in alone]
        slowest = [
            max((a.ended - kill.at for a in journal.answered if a.began <= kill.at < a.ended), default=0.0)
            for kill in alone
        ]
        say(
            f"  {part:<9} killed {sum(part in kill.parts for kill in kills)} times, back after {min(back):.1f} to "
            f"{max(back):.1f} s; commands under way then were answered after {min(slowest):.1f} to {max(slowest):.1f} s"
        )


def report(findings: Findings) -> str:
    """Write what was checked, and everything that is off."""
    lines = [f"  {line}" for line in findings.checked]
    if findings.wrong:
        lines.append(f"\n  {len(findings.wrong)} things are off:")
        lines += [f"  - {wrong}" for wrong in findings.wrong[:SHOWN]]
        lines += [f"  … and {len(findings.wrong) - SHOWN} more"] if len(findings.wrong) > SHOWN else []
    return "\n".join(lines)
