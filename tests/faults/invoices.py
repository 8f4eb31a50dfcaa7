"""One run of monthly invoices: a month of usage, operators who start its run again and again, parts that are killed.

Every part that a run passes through is killed while organizations are invoiced, and usage of the month comes in
meanwhile. In the end each organization has one invoice of the month, numbers have no gap, and every event is on an
invoice or waits for the next one.
"""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from dev.stack.supervisor import Stack
from domain.billing.billing_run.period import LATE_USAGE_WAIT, month_text, previous_month
from domain.common.errors import Unavailable
from domain.common.ids import billed_period_key
from runtime.database import Database
from runtime.settings import Settings
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import Journal, NoResponse, Request, RetryingClient
from tests.faults.killer import draw_kills
from tests.support.arrears import UNIT_MINOR, Market

Say = Callable[[str], None]

#: What a run passes through.
PARTS = ("postgres", "temporal", "worker", "server")
#: How long the run may take once everything is back: a worker that died is missed after half a minute.
END_SECONDS = 240.0
#: How many organizations a second are at least told of their invoice, and get a run that collects it.
ENDED_A_SECOND = 5
#: How many organizations are used for at once.
MAKERS = 8
_DEAD = (SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError, OSError, Unavailable)


@dataclass(frozen=True)
class InvoiceSetup:
    """Setup of a run; the same setup draws the same usage and the same kills."""

    seed: int
    organizations: int = 1_000
    kills: int = 3
    parts: tuple[str, ...] = PARTS


def described(setup: InvoiceSetup) -> str:
    """Say what a run does."""
    return (
        f"a month of {setup.organizations} organizations is invoiced; {', '.join(setup.parts)} killed "
        f"{setup.kills} times each"
    )


async def run_invoices(setup: InvoiceSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found; no month was invoiced on the stack before."""
    findings, journal, rng = Findings(), Journal(), random.Random(f"{setup.seed} usage")
    # On the first days of a month its run still waits for late usage.
    month = previous_month((datetime.now(UTC) - 2 * LATE_USAGE_WAIT).date())
    database = Database(*(stack.postgres.url(role) for role in ("bursar_api", "bursar_platform")))
    market, units, events = await Market(database).open(), Counter[str](), itertools.count(1)

    async def use(org_id: str) -> None:
        number = rng.randrange(1, 50)
        day = datetime(month.year, month.month, rng.randrange(1, 29), tzinfo=UTC)
        event_id = f"used-{next(events)}"
        await _repeated(lambda: market.use(org_id, day, number, event_id=event_id))
        units[org_id] += number

    orgs = await market.debtors(setup.organizations, month)
    await _at_once(orgs, use)
    say(f"  {len(orgs)} organizations with usage of {month_text(month)}")
    operator = RetryingClient(stack.api_url, f"{setup.seed} operator", journal)
    token, began, ended = stack.seed.keys["operator"], time.monotonic(), asyncio.Event()

    async def keep_using() -> None:
        while not ended.is_set():
            await use(rng.choice(orgs))

    async def keep_starting() -> None:
        number = 0
        while not ended.is_set():
            number += 1
            await _start(operator, token, month, f"run-{number}", journal)

    async def strike() -> None:
        try:
            fell = await _strikes(setup, say, stack, month)
            findings.check(f"{len(fell)} strikes while organizations were invoiced, with {fell} left", _early(fell))
            await _until_finished(operator, token, month, END_SECONDS + setup.organizations / ENDED_A_SECOND)
        finally:
            ended.set()

    async with asyncio.TaskGroup() as group:  # a part that is given up ends the run
        for work in (keep_using, keep_starting, strike):
            group.create_task(work())
    lasted = time.monotonic() - began
    say(f"  invoiced after {lasted:.0f} s; started {len(journal.answered)} times meanwhile")
    findings.check(f"{len(journal.answered)} starts of the run answered as planned", journal.wrong)
    await operator.close()
    await database.close()
    await _count(findings, stack, month, orgs, units)
    await prove(findings, stack)
    return findings


async def _at_once(names: Sequence[str], do: Callable[[str], Awaitable[None]]) -> None:
    waiting = iter(names)

    async def work() -> None:
        for name in waiting:
            await do(name)

    await asyncio.gather(*(work() for _ in range(MAKERS)))


async def _repeated(report: Callable[[], Awaitable[None]]) -> None:
    """Report usage until its transaction is known to have committed."""
    deadline = time.monotonic() + END_SECONDS
    while True:
        try:
            await report()
            return
        except _DEAD:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def _start(operator: RetryingClient, token: str, month: date, key: str, journal: Journal) -> None:
    try:
        response = await operator.command(Request(token, "/billing/runs", {"period": month_text(month)}, key))
    except NoResponse as error:
        journal.wrong.append(str(error))
        return
    if response.status_code != 202:
        journal.wrong.append(f"{key}: {response.status_code} {response.text[:300]}")
    await asyncio.sleep(0.05)


async def _strikes(setup: InvoiceSetup, say: Say, stack: Stack, month: date) -> list[int]:
    """Kill parts whenever another share of the organizations is done, and return how many were left each time.

    A part that was killed comes back meanwhile: only its own next strike waits for it.
    """
    strikes, rng, fell = draw_kills(setup.seed, setup.kills, setup.parts), random.Random(f"{setup.seed} moments"), []
    share = setup.organizations / (len(strikes) + 1)
    for number, parts in enumerate(strikes, start=1):
        await asyncio.gather(*(stack.wait_ready(part) for part in parts))
        done = await _until_done(stack, month, int(share * (number - 1)) + rng.randint(1, max(1, int(share / 2))))
        fell.append(setup.organizations - done)
        await asyncio.gather(*(stack.kill(part) for part in parts))
        say(f"  kill {number:>2}/{len(strikes)}  {' and '.join(parts):<20} {done:>5} of {setup.organizations} done")
    await asyncio.gather(*(stack.wait_ready(part) for part in setup.parts))
    return fell


def _early(fell: Sequence[int]) -> list[str]:
    return [] if fell and fell[-1] > 0 else ["nobody was left to be invoiced at the last strike"]


async def _until_done(stack: Stack, month: date, wanted: int) -> int:
    deadline = time.monotonic() + END_SECONDS
    await stack.wait_ready("postgres")
    async with books(stack) as connection:
        while True:
            done: int = await connection.fetchval("SELECT count(*) FROM billed_periods WHERE month = $1", month)
            if done >= wanted:
                return done
            if time.monotonic() > deadline:
                raise TimeoutError(f"{done} of {wanted} organizations were invoiced")
            await asyncio.sleep(0.002)


async def _until_finished(operator: RetryingClient, token: str, month: date, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not (await operator.ask(token, f"/billing/runs/{month_text(month)}"))["finished_at"]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"the run of {month_text(month)} has not ended")
        await asyncio.sleep(0.5)


async def _count(findings: Findings, stack: Stack, month: date, orgs: Sequence[str], units: Counter[str]) -> None:
    """Compare invoices, numbers, bills and mails with what was used."""
    async with books(stack) as connection:
        invoices = await connection.fetch(
            "SELECT org_id, command_id, subtotal_minor, number FROM invoices WHERE org_id = ANY($1)", orgs
        )
        numbers = await connection.fetch("SELECT number FROM invoices WHERE series = 'invoice' AND status <> 'draft'")
        bills = await connection.fetch(
            """
            SELECT b.org_id, sum(s.pico) FILTER (WHERE b.invoice_id IS NOT NULL) AS billed, sum(s.pico) AS used
            FROM usage_bills b JOIN usage_bill_sums s USING (org_id, month, number)
            WHERE b.org_id = ANY($1) GROUP BY b.org_id
            """,
            orgs,
        )
        mails = await connection.fetch("SELECT org_id FROM mails WHERE kind = 'invoice_issued'")
    of = Counter(row["org_id"] for row in invoices)
    keys = {row["org_id"]: row["command_id"] for row in invoices}
    findings.check(
        f"{len(orgs)} organizations, each with one invoice of the month",
        [f"{org} has {of[org]}: {keys.get(org)}" for org in orgs
         if of[org] != 1 or keys[org] != billed_period_key(org, month_text(month))],
    )  # fmt: skip
    given = sorted(int(row["number"].removeprefix("INV-")) for row in numbers if row["number"])
    gaps = [f"{len(numbers)} invoices, numbers {given[:3]} to {given[-3:]}"]
    findings.check(f"{len(given)} numbers without a gap", [] if given == list(range(1, len(numbers) + 1)) else gaps)
    pico_of_unit = UNIT_MINOR * 10**10
    totals, sums = {row["org_id"]: row["subtotal_minor"] for row in invoices}, {row["org_id"]: row for row in bills}
    # Of a minor unit of cost, with the markup, in 10^-6.
    charged = 10**6 + Settings().cost_markup_e6
    late = sum(units[org] * UNIT_MINOR * charged != totals.get(org, 0) * 10**6 for org in orgs)
    findings.check(
        f"every line is what was used; {late} organizations have late usage that waits for the next invoice",
        [
            f"{org} used {units[org]}, bills {sums[org]['used']}, invoiced {sums[org]['billed']}, {totals.get(org)}"
            for org in orgs
            if sums[org]["used"] != units[org] * pico_of_unit
            or (sums[org]["billed"] or 0) * charged != totals.get(org, 0) * 10**16
        ],
    )
    told = Counter(row["org_id"] for row in mails)
    findings.check(
        f"{len(orgs)} mails, one for each invoice", [f"{org}: {told[org]}" for org in orgs if told[org] != 1]
    )
