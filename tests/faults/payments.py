"""One run of payments on a stack: payers, outages and the killer, then the count."""

import asyncio
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from dev.stack.migrate import ROOT
from dev.stack.supervisor import PARTS, Stack
from tests.faults.audit import Findings
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.invoice_audit import audit_invoices
from tests.faults.killer import Killer
from tests.faults.outages import Outages
from tests.faults.payers import NotDone, Payers
from tests.faults.payment_audit import Held, audit_payments, booked_movements, repeat_payments, unsettled
from tests.faults.payment_clients import Paid, Payer, PayingClient
from tests.faults.payment_plans import STORED, draw_payments
from tests.faults.run import tell_load, tell_stalls

Say = Callable[[str], None]

GRANT_MINOR = 5_000_000_000
WEATHER_CHANGES_AFTER = 25
#: How long everything may take to come to rest after the last command: an event whose run was lost waits a minute for
#: the sweep, which comes once a minute.
QUIET_WITHIN_SECONDS = 240.0
LOOK_EVERY_SECONDS = 0.5


@dataclass(frozen=True)
class PaymentSetup:
    """Setup of a run; the same setup draws the same plans, kills and outages."""

    seed: int
    payments: int = 300
    kills: int = 4
    clients: int = 16


async def run_payments(setup: PaymentSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found; nobody has paid on the stack before, because every payment is counted."""
    findings, journal = Findings(), Journal()
    casts = await _payers(stack, setup)
    say(f"  {len(casts)} organizations with stored payment methods")
    outages = Outages(stack.sandboxes, setup.seed)
    killer = Killer(stack, journal, setup.seed, setup.kills, setup.payments, parts=PARTS, when_back=outages.restore)
    clients = [RetryingClient(stack.api_url, f"{setup.seed} payer {n}", journal) for n in range(len(casts))]
    hands = Payers(stack.sandboxes, f"{setup.seed} hands")
    waiting = iter(draw_payments(setup.seed, setup.payments))
    paid: list[Paid] = []
    began = time.monotonic()

    async def work(client: PayingClient) -> None:
        for plan in waiting:
            await killer.may_begin()
            try:
                paid.append(await client.live(plan))
            except (NoResponse, NotDone) as error:
                journal.wrong.append(str(error))
            journal.finished += 1
            journal.active -= 1
            await journal.note()

    async with asyncio.TaskGroup() as group:  # a part that is given up ends the run
        changing = group.create_task(_provider_outages(outages, journal))
        striking = group.create_task(killer.run(say))
        working = [
            group.create_task(work(PayingClient(http, hands, cast, journal)))
            for http, cast in zip(clients, casts, strict=True)
        ]
        await asyncio.gather(striking, *working)
        changing.cancel()
    tell_load(say, journal, time.monotonic() - began, "payments")
    tell_stalls(say, journal, killer.done)

    fell = sum(len(kill.parts) for kill in killer.done)
    idle = [f"kill {n}: no payment was in progress" for n, kill in enumerate(killer.done, 1) if not kill.active]
    findings.check(f"{fell} kills in {len(killer.done)} strikes, all of them with payments in progress", idle)
    findings.check(f"{len(journal.answered)} commands answered as planned", journal.wrong)
    await outages.clear()
    await _rest(stack, outages, say, "after the last command")
    await _reconcile(stack, findings, say, outages)
    held = await Held.read(stack, hands)
    await audit_payments(findings, paid, held, setup.payments, {cast.org: GRANT_MINOR for cast in casts})
    await audit_invoices(findings, paid, stack)
    await repeat_payments(findings, clients[0], journal, held)
    await _rest(stack, outages, say, "after every key was repeated")
    again = await Held.read(stack, hands)
    differ = held.differences(again)
    findings.check(f"nothing changed when {len(journal.answered)} keys were repeated", differ)
    _tell_weather(say, outages, await outages.deliveries())
    await asyncio.gather(*(client.close() for client in clients), hands.close(), outages.close())
    return findings


async def _provider_outages(outages: Outages, journal: Journal) -> None:
    """Change the outages for ever, each time a number of commands was answered."""
    next_at = 0
    while True:
        await outages.change()
        next_at = len(journal.answered) + WEATHER_CHANGES_AFTER
        async with journal.progress:
            await journal.progress.wait_for(lambda: len(journal.answered) >= next_at)  # noqa: B023


async def _rest(stack: Stack, outages: Outages, say: Say, when: str) -> None:
    """Wait until nothing is on its way and nobody waits for anything; what never comes to rest is told by the audit."""
    began = time.monotonic()
    left: Counter[str] = Counter()
    while time.monotonic() - began < QUIET_WITHIN_SECONDS:
        await outages.flush()
        left = await unsettled(stack)
        if not left:
            say(f"  quiet {time.monotonic() - began:.1f} s {when}")
            return
        await asyncio.sleep(LOOK_EVERY_SECONDS)
    say(f"  NOT quiet {QUIET_WITHIN_SECONDS:.0f} s {when}: {dict(left)}")


async def _reconcile(stack: Stack, findings: Findings, say: Say, outages: Outages) -> None:
    """Reconcile: what no webhook told and nobody waited for is found by the statement. Then nothing is left to find."""
    before = await booked_movements(stack)
    await asyncio.to_thread(_reconciled, stack)
    await _rest(stack, outages, say, "after the first reconciliation")
    say(f"  which alone heard of {await booked_movements(stack) - before} movements: their webhooks were lost")
    second = await asyncio.to_thread(_reconciled, stack)
    wrong = [] if second.returncode == 0 else [f"exit {second.returncode}\n{second.stdout}{second.stderr}"]
    say("\n".join(f"    {line}" for line in second.stdout.splitlines()))
    findings.check("manage reconcile finds nothing", wrong)


def _reconciled(stack: Stack) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, "-m", "manage", "reconcile"],
        cwd=ROOT,
        env={**os.environ, **stack.environment()},
        capture_output=True,
        text=True,
        check=False,
    )


def _tell_weather(say: Say, outages: Outages, deliveries: Counter[str]) -> None:
    say(f"  outages changed {outages.changes} times; Stripe's webhooks: {dict(deliveries)}")


async def _payers(stack: Stack, setup: PaymentSetup) -> list[Payer]:
    """Make the organizations, each with an agent of its own studio, credits, and stored payment methods."""
    keys, journal = stack.seed.keys, Journal()
    operator = RetryingClient(stack.api_url, f"{setup.seed} operator", journal)
    hands = Payers(stack.sandboxes, f"{setup.seed} setting up")

    async def make(name: str, path: str, body: dict[str, object], token: str = keys["operator"]) -> dict[str, str]:
        response = await operator.command(Request(token, path, body, f"payer {name} {path}"))
        if not response.is_success:
            raise NoResponse(f"{name}: {response.status_code} {response.text[:300]}")
        made: dict[str, str] = response.json()
        return made

    async def payer(number: int) -> Payer:
        name = f"Payer {number}"
        org = (await make(name, "/organizations", {"name": name}))["id"]
        owner = await make(name, "/api-keys", {"organization_id": org, "principal": "owner", "role": "owner"})
        grant: dict[str, object] = {"organization_id": org, "amount": f"{GRANT_MINOR // 10**6}", "source": "promotion"}
        await make(name, "/credits/grants", grant)
        customer = (await make(name, "/billing/customer", {}, owner["secret"]))["customer_id"]
        methods = {key: await hands.store_method(customer, card) for key, card in STORED.items()}
        await operator.put(owner["secret"], f"/billing/payment-methods/{methods['stored']}/default")
        tokens = {"owner": owner["secret"], "agent": stack.seed.keys["agent"]}
        tokens |= {name: keys[name] for name in ("validator", "operator")}
        return Payer(org, stack.seed.ids["agent"], tokens, methods)

    made = await asyncio.gather(*(payer(number) for number in range(setup.clients)))
    await asyncio.gather(operator.close(), hands.close())
    return list(made)


def described(setup: PaymentSetup) -> str:
    """Say what a run does."""
    return (
        f"{setup.payments} payments from {setup.clients} organizations in outages; "
        f"{', '.join(PARTS)} killed {setup.kills} times each"
    )
