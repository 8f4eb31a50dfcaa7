"""Invariants after a run, counted in the database and in Temporal."""

import asyncio
import re
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg
import httpx2
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError

from commands.verify import verify
from dev.stack.supervisor import Stack
from dev.stack.temporal import NAMESPACE
from tests.faults.clients import Answered, Cast, Journal, RetryingClient, id_of
from tests.faults.plans import Plan
from tests.support.connections import connected

RUN_END = timedelta(seconds=60)


@dataclass
class Findings:
    """Checks of a run with their figures, and violations."""

    checked: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def check(self, what: str, wrong: Sequence[str]) -> None:
        self.checked.append(f"{'ok   ' if not wrong else 'WRONG'}  {what}")
        self.wrong += wrong


@dataclass(frozen=True)
class Settled:
    """A plan, who carried it out and the escrow that came of it."""

    plan: Plan
    cast: Cast
    escrow_id: str


def books(stack: Stack) -> AbstractAsyncContextManager[asyncpg.Connection]:
    """Connect to the stack's database as its owner."""
    return connected(stack.postgres.url())


async def audit(
    findings: Findings,
    *,
    settled: Sequence[Settled],
    granted_minor: dict[str, int],
    stack: Stack,
) -> None:
    """Check the read model, the timeline, the transfers, the balances and the runs against the plans."""
    async with books(stack) as connection:
        await _escrows(findings, connection, settled)
        await _timelines(findings, connection, settled)
        await _transfers(findings, connection, settled)
        await _balances(findings, connection, settled, granted_minor)
    await _runs(findings, settled, stack.temporal.address)
    await prove(findings, stack)


async def _escrows(findings: Findings, connection: asyncpg.Connection, settled: Sequence[Settled]) -> None:
    rows = await connection.fetch(
        "SELECT id, status, funded_minor, released_minor, refunded_minor, commission_minor FROM escrows"
    )
    held = {row["id"]: tuple(row)[1:] for row in rows}
    wrong = [
        f"{one.plan.name} {one.escrow_id} ({one.plan.story}): is {held.get(one.escrow_id)}, planned {planned}"
        for one in settled
        if held.get(one.escrow_id)
        != (
            planned := (
                one.plan.final_status,
                one.plan.funded,
                one.plan.released,
                one.plan.refunded,
                one.plan.commission,
            )
        )
    ]
    wrong += [f"{row['id']}: {tuple(row)} does not add up" for row in rows if row[2] != row[3] + row[4] + row[5]]
    if len(rows) != len(settled):
        wrong.append(f"{len(rows)} escrows in the database, {len(settled)} planned")
    findings.check(f"{len(settled)} escrows ended as planned, released + refunded + commission = funded", wrong)


async def _timelines(findings: Findings, connection: asyncpg.Connection, settled: Sequence[Settled]) -> None:
    rows = await connection.fetch(
        "SELECT escrow_id, array_agg(kind ORDER BY number) AS kinds, array_agg(number ORDER BY number) AS numbers"
        " FROM escrow_events GROUP BY escrow_id"
    )
    found = {row["escrow_id"]: row for row in rows}
    wrong, total = [], 0
    for one in settled:
        row = found.get(one.escrow_id)
        kinds, numbers = (row["kinds"], row["numbers"]) if row else ([], [])
        total += len(kinds)
        if Counter(kinds) != one.plan.events() or numbers != list(range(1, len(numbers) + 1)):
            wrong.append(f"{one.plan.name} {one.escrow_id}: events {kinds} {numbers}, planned {one.plan.events()}")
    findings.check(f"{total} events, one for each command, numbered without a gap", wrong)


async def _transfers(findings: Findings, connection: asyncpg.Connection, settled: Sequence[Settled]) -> None:
    rows = await connection.fetch(
        "SELECT reference, kind, count(*) AS n FROM ledger.transfers WHERE kind LIKE 'escrow.%' GROUP BY 1, 2"
    )
    found: dict[str, Counter[str]] = {}
    for row in rows:
        found.setdefault(row["reference"], Counter())[row["kind"]] = row["n"]
    wrong = [
        f"{one.plan.name} {one.escrow_id}: transfers {found.get(one.escrow_id)}, planned {one.plan.transfers()}"
        for one in settled
        if found.get(one.escrow_id, Counter()) != one.plan.transfers()
    ]
    planned = sum((one.plan.transfers() for one in settled), Counter[str]()).total()
    total = sum(row["n"] for row in rows)
    if total != planned:
        wrong.append(f"{total} transfers of escrows, planned {planned}")
    findings.check(f"{total} transfers, exactly one for each command that moves money", wrong)


async def _balances(
    findings: Findings, connection: asyncpg.Connection, settled: Sequence[Settled], granted_minor: dict[str, int]
) -> None:
    rows = await connection.fetch(
        "SELECT a.path, sum(b.posted)::bigint AS posted, sum(b.pending_out)::bigint AS pending"
        " FROM ledger.accounts a JOIN ledger.balances b ON b.account_id = a.id WHERE a.asset = 'CREDIT' GROUP BY 1"
    )
    held = {row["path"]: row["posted"] for row in rows}
    planned: Counter[str] = Counter({f"org/{org}/credits": minor for org, minor in granted_minor.items()})
    for one in settled:
        plan = one.plan
        planned[f"org/{one.cast.client_org}/credits"] -= plan.funded - plan.refunded
        planned[f"agent/{one.cast.agent}/granted_earnings/CREDIT"] += plan.released
        planned["platform/commission"] += plan.commission
        planned[f"escrow/{one.escrow_id}"] = 0
    issuing = {"platform/promotions", "platform/credit_issuance"}
    wrong = [
        f"{path}: {held.get(path, 0)} minor units, planned {planned[path]}"
        for path in sorted((set(held) | set(planned)) - issuing)
        if held.get(path, 0) != planned[path]
    ]
    everything, granted = sum(held.values()), sum(granted_minor.values())
    outside = sum(held.get(path, 0) for path in issuing)
    if everything != 0 or -outside != granted:
        wrong.append(f"all accounts add up to {everything}, {-outside} were issued, {granted} granted")
    wrong += [f"{row['path']}: {row['pending']} still set aside" for row in rows if row["pending"]]
    findings.check(f"{len(held)} accounts hold what was planned, {granted} minor units granted and all there", wrong)


async def _runs(findings: Findings, settled: Sequence[Settled], temporal_address: str) -> None:
    """Wait for the end of every run: the last answer comes a moment before it."""
    client = await Client.connect(temporal_address, namespace=NAMESPACE)
    wrong = []
    async with asyncio.timeout(RUN_END.total_seconds()):
        for one in settled:
            handle = client.get_workflow_handle(f"escrow/{one.escrow_id.replace('esc_', 'ctr_')}")
            try:
                await handle.result()
            except WorkflowFailureError as error:
                wrong.append(f"{handle.id}: {error.cause}")
            status = (await handle.describe()).status
            if status is not WorkflowExecutionStatus.COMPLETED:
                wrong.append(f"{handle.id}: {status}")
    findings.check(f"{len(settled)} runs in Temporal completed", wrong)


async def prove(findings: Findings, stack: Stack) -> None:
    """Check what `python -m ledger verify` checks, without a process for it: its imports take a second of CPU."""
    async with books(stack) as connection:
        proof = await verify(connection)
    findings.check("the books balance", [] if proof.ok else proof.lines())


_CLIENT_SECRET, _FORGOTTEN = re.compile(rb'"client_secret":"[^"]*"'), b'"client_secret":null'


async def repeat_all(
    client: RetryingClient, journal: Journal, judge: Callable[[Answered, httpx2.Response], str | None]
) -> tuple[int, list[str]]:
    """Repeat every key once more; return how many answers were the first ones byte for byte, and what is wrong.

    The client secret of a payment that has ended is forgotten, also in kept answers.

    An answer whose keeping was cut off by a crash is worked out again, so it shows its object as it is now: `judge`
    says what is wrong with such a one, if anything is.
    """
    limit = asyncio.Semaphore(20)

    async def repeat(first: Answered) -> tuple[bool, str | None]:
        async with limit:
            again = await client.command(first.request)
        same = again.content in {first.response.content, _CLIENT_SECRET.sub(_FORGOTTEN, first.response.content)}
        wrong = None if same else judge(first, again)
        return same, wrong and f"{first.request.key}: {wrong}"

    repeated = await asyncio.gather(*(repeat(first) for first in list(journal.answered)))
    return sum(same for same, _ in repeated), [wrong for _, wrong in repeated if wrong]


async def repeat_everything(
    findings: Findings, client: RetryingClient, journal: Journal, final_status: dict[str, str]
) -> int:
    """Repeat every key of escrows once more; return how many answers were the first ones byte for byte."""

    def judge(first: Answered, again: httpx2.Response) -> str | None:
        if again.status_code != first.response.status_code or id_of(again) != id_of(first.response):
            return f"first {first.response.text[:200]}, repeated {again.text[:200]}"
        if "status" in again.json() and again.json()["status"] != final_status.get(again.json()["id"]):
            return f"repeated and answered {again.json()['status']}"
        return None

    count = len(journal.answered)
    same, wrong = await repeat_all(client, journal, judge)
    findings.check(f"{count} keys repeated: {same} first answers byte for byte, the rest the same escrow", wrong)
    return same
