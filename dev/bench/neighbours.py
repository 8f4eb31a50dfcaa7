"""Effect of a busy organization on the callers of others: postings, uses, payment signals, refunds of debts.

`python -m dev.bench.neighbours` measures these rows alone, on a PostgreSQL of its own with fsync on. Those of other
organizations and those of the busy one are processes of their own. They run in turn alone and together, and a
ratio is the median over the rounds. On two cores the busy ones take processor time besides what they lock.
"""

import asyncio
import os
import secrets
import statistics
import sys
import time
from asyncio.subprocess import PIPE, Process
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count

import asyncpg

from activities.escrow.escrow import EscrowActivities
from activities.payments.payment import PaymentActivities
from contracts.escrow.escrow import RecordEscrowEvent
from contracts.payments.payment import PaymentEvent, RecordPayment
from dev.bench.books import BOOKS, Server, alone
from dev.bench.rows import BenchRow
from dev.bench.world import World
from dev.stack.migrate import migrate
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.accounts import Account
from domain.common.ids import escrow_id_of
from domain.common.state_hash import state_hash
from domain.credits.lots import LotSource, LotTerms
from domain.escrow import commands as escrows
from domain.escrow.state import Escrow, Outcome, Terms
from domain.payments.payment import commands as payments
from domain.payments.payment.converge import Observation, converge
from domain.payments.payment.snapshot import (
    BalanceTransaction,
    BalanceTransactionKind,
    ProviderStatus,
    RefundSnapshot,
    RefundStatus,
    Snapshot,
)
from domain.payments.payment.terms import PaymentTerms, Purpose, PurposeKind
from ledger.gateway import Ledger
from ledger.spending import Spending
from ledger.spends import NewSpend, SpendOutcome as Charged
from models.escrow.contract import Contract
from repositories.payments import payment_command
from runtime.database import Database
from runtime.identity import new_id

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "5"))
SECONDS = int(os.environ.get("BENCH_SECONDS", "3"))
OTHERS, BUSY = 8, 40
NOW = datetime(2026, 1, 1, tzinfo=UTC)
MUCH = 10**12
DAY = 86_400
ISSUANCE, COMMISSION = (accounts.platform(stream, "CREDIT") for stream in ("credit_issuance", "commission"))
NUMBERS = count(1)
RUN = secrets.token_hex(6)

PAYEE, AGENT = "org_payee", "agt_bench"
Act = Callable[[], Awaitable[None]]


def org_of(caller: int, *, busy: bool) -> str:
    """Name the organization of a caller; all busy ones share one."""
    return "org_busy" if busy else f"org_{caller}"


async def prepare(server: Server) -> None:
    """Make the database with the organizations."""
    owner = await asyncpg.connect(server.url("postgres", "postgres"))
    await owner.execute(f"DROP DATABASE IF EXISTS {BOOKS} WITH (FORCE)")
    await owner.execute(f"CREATE DATABASE {BOOKS}")
    await owner.close()
    await asyncio.to_thread(migrate, server.url("postgres", BOOKS))
    owner = await asyncpg.connect(server.url("postgres", BOOKS))
    await seed(owner)
    await owner.close()


async def seed(owner: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Make the organizations, and the agent that the escrows are for."""
    await _move(Ledger(owner), ISSUANCE, COMMISSION, 1)  # both opened first, as everywhere
    for org in {PAYEE, *(org_of(caller, busy=busy) for busy in (True, False) for caller in range(OTHERS))}:
        await owner.execute(
            "INSERT INTO organizations (id, name, created_by, command_id) VALUES ($1, $1, 'bench', $1)", org
        )
    await owner.execute(
        "INSERT INTO agents (id, org_id, name, visibility, pricing_model, created_by, command_id) "
        "VALUES ($1, $2, 'bench', 'public', 'free', 'bench', $1)",
        AGENT,
        PAYEE,
    )


async def _move(ledger: Ledger, source: Account, destination: Account, amount_minor: int) -> None:
    await ledger.post(
        key=f"bench:{RUN}:{next(NUMBERS)}",
        kind="bench",
        source=source,
        destination=destination,
        amount_minor=amount_minor,
        effective_at=NOW,
        lots=LotTerms(source=LotSource.ADJUSTMENT),
    )


async def _connected(database: Database, held: AsyncExitStack) -> asyncpg.Connection:
    url = database.platform_engine.url.set(drivername="postgresql")
    connection = await asyncpg.connect(url.render_as_string(hide_password=False))
    held.push_async_callback(connection.close)
    return connection


async def posting(database: Database, org: str, held: AsyncExitStack) -> Act:
    """Pay a little commission, one posting a transaction."""
    ledger, wallet = Ledger(await _connected(database, held)), accounts.org_credits(org)
    await _move(ledger, ISSUANCE, wallet, MUCH)
    return lambda: _move(ledger, wallet, COMMISSION, 1)


async def charge(database: Database, org: str, held: AsyncExitStack) -> Act:
    """Use a little of the credits."""
    connection = await _connected(database, held)
    await _move(Ledger(connection), ISSUANCE, accounts.org_credits(org), MUCH)
    spending = Spending(connection, org)

    async def act() -> None:
        key = f"{RUN}:{next(NUMBERS)}"
        spent = await spending.charge(NewSpend(key=key, action="bench", amount_minor=1), at=datetime.now(UTC))
        if spent.outcome is not Charged.CHARGED:
            raise RuntimeError(f"the books answered {spent.outcome}")

    return act


async def news(database: Database, org: str, _: AsyncExitStack) -> Act:
    """Book a payment whose news come at once: received, refunded at the provider's own site, both with their goods."""
    books = PaymentActivities(database)
    actor = Actor(principal="bench", role=Role.OWNER, org_id=org)

    async def act() -> None:
        terms = PaymentTerms(
            payment_id=new_id("pay"),
            org_id=org,
            provider="stripe",
            amount_minor=1000,
            currency="USD",
            purpose=Purpose(kind=PurposeKind.CREDITS, goods_asset="CREDIT", goods_minor=100_000_000),
            description="100 credits",
            created_at=NOW,
            expires_at=NOW + timedelta(days=1),
        )
        first = payments.created(terms, actor=actor)
        outcomes = [first, *converge(first.payment, Observation(snapshot=_snapshot(terms), at=NOW, revalued={}))]
        events = tuple(
            PaymentEvent.of(outcome, at=NOW, command_id=terms.payment_id if outcome is first else None)
            for outcome in outcomes
        )
        message = RecordPayment(payment_id=terms.payment_id, provider=terms.provider, events=events, at=NOW)
        # As the API does before it starts the run: the books refuse a payment without stored terms.
        async with database.platform() as session:
            await payment_command.store_terms(session, terms.payment_id, b"", terms)
        if not (await books.record(message)).applied:
            raise RuntimeError("the books did not take the news")

    return act


def _snapshot(terms: PaymentTerms) -> Snapshot:
    ref, refund = f"pi_{terms.payment_id}", f"re_{terms.payment_id}"
    charged = BalanceTransaction(
        key=f"ch_{ref}",
        kind=BalanceTransactionKind.CHARGE,
        amount_minor=terms.amount_minor,
        fee_minor=59,
        currency=terms.currency,
        occurred_at=NOW,
        ref=ref,
        payment_id=terms.payment_id,
    )
    return Snapshot(
        ref=ref,
        status=ProviderStatus.SUCCEEDED,
        amount_minor=terms.amount_minor,
        currency=terms.currency,
        movements=(
            charged,
            replace(
                charged, key=refund, kind=BalanceTransactionKind.REFUND, amount_minor=-400, fee_minor=0, ref=refund
            ),
        ),
        refunds=(
            RefundSnapshot(ref=refund, refund_id=None, status=RefundStatus.SUCCEEDED, amount_minor=400, created_at=NOW),
        ),
    )


async def refund(database: Database, org: str, held: AsyncExitStack) -> Act:
    """Give a little of an escrow back to an organization that owes more, so that a part of its debt is paid."""
    activities, contract_id = EscrowActivities(database), new_id("ctr")
    terms = Terms(
        escrow_id=escrow_id_of(contract_id),
        contract_id=contract_id,
        payer_org_id=org,
        payee_org_id=PAYEE,
        agent_id=AGENT,
        currency="CREDIT",
        amount_minor=10**9,
        signatories=("bench",),
        required_signatures=1,
        validation_threshold_e4=8000,
        commission_bps=500,
        fund_seconds=DAY,
        deliver_seconds=DAY,
        review_seconds=DAY,
        evidence_seconds=DAY,
        decision_seconds=DAY,
        grace_seconds=DAY,
        dispute_default_share_e4=5000,
    )
    async with database.platform() as session:
        session.add(_contract(terms))
    payer = Actor(principal="bench", role=Role.OWNER, org_id=org)
    payee = Actor(principal="bot", role=Role.AGENT, org_id=PAYEE, agent_id=AGENT)

    async def write(outcome: Outcome, before: Escrow | None) -> Escrow:
        command = f"{RUN}:{next(NUMBERS)}"
        numbered = escrows.with_receipt(outcome, command_id=command, now=NOW)
        message = RecordEscrowEvent(
            outcome=numbered,
            command_id=command,
            at=NOW,
            decided_from=None if before is None else state_hash(before),
        )
        if not (await activities.record_event(message)).applied:
            raise RuntimeError("the books did not take the event")
        return numbered.escrow

    # All incoming credits pay the debt, so they are added for each escrow.
    ledger = Ledger(await _connected(database, held))
    await _move(ledger, ISSUANCE, accounts.org_credits(org), terms.amount_minor)
    escrow = await write(escrows.opened(terms, actor=payer, now=NOW), None)
    escrow = await write(escrows.fund(escrow, actor=payer, source=escrows.CREDITS, now=NOW), escrow)
    await _move(ledger, accounts.org_debt(org, "CREDIT"), ISSUANCE, terms.amount_minor)

    async def act() -> None:
        nonlocal escrow
        escrow = await write(escrows.refund(escrow, actor=payee, amount_minor=1), escrow)

    return act


def _contract(terms: Terms) -> Contract:
    return Contract(
        id=terms.contract_id,
        org_id=terms.payer_org_id,
        payee_org_id=terms.payee_org_id,
        agent_id=terms.agent_id,
        title="bench",
        price_minor=terms.amount_minor,
        currency=terms.currency,
        validation_threshold_e4=terms.validation_threshold_e4,
        signatories=list(terms.signatories),
        signatory_org_ids=[],
        required_signatures=terms.required_signatures,
        operator_approvals=terms.operator_approvals,
        fund_seconds=terms.fund_seconds,
        deliver_seconds=terms.deliver_seconds,
        review_seconds=terms.review_seconds,
        evidence_seconds=terms.evidence_seconds,
        decision_seconds=terms.decision_seconds,
        grace_seconds=terms.grace_seconds,
        dispute_default_share_e4=terms.dispute_default_share_e4,
        commission_bps=terms.commission_bps,
        commission_from="usual",
        milestones=[],
        created_by="bench",
        command_id=terms.contract_id,
    )


Kind = Callable[[Database, str, AsyncExitStack], Awaitable[Act]]
KINDS: dict[str, Kind] = {"posting": posting, "charge": charge, "news": news, "refund": refund}


async def _load(kind: str, url: str, callers: int, *, busy: bool) -> None:
    """Repeat one call from `callers` callers: print when ready, wait for a line, print the rate."""
    # A caller waits long behind the others of its organization.
    database = Database(url, url, pool_size=callers, statement_timeout=timedelta(minutes=5), pre_ping=False)
    held = AsyncExitStack()
    acts = [await KINDS[kind](database, org_of(caller, busy=busy), held) for caller in range(callers)]
    await asyncio.gather(*(act() for act in acts))
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    done, began = 0, time.monotonic()
    until = began + SECONDS

    async def work(act: Act) -> None:
        nonlocal done
        while time.monotonic() < until:
            await act()
            done += 1

    await asyncio.gather(*(work(act) for act in acts))
    print(done / (time.monotonic() - began), flush=True)
    await held.aclose()
    await database.close()


async def _started(server: Server, kind: str, callers: int, *, busy: bool) -> Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "dev.bench.neighbours", kind, server.url("bursar_platform", BOOKS), str(callers),
        str(int(busy)), stdin=PIPE, stdout=PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    if await process.stdout.readline() != b"ready\n":
        raise RuntimeError(f"the load of {kind} failed")
    return process


async def _rates(server: Server, kind: str, *groups: tuple[int, bool]) -> list[float]:
    processes = [await _started(server, kind, callers, busy=busy) for callers, busy in groups]
    answers = await asyncio.gather(*(process.communicate(b"go\n") for process in processes))
    return [float(out) for out, _ in answers]


async def measure(server: Server) -> list[BenchRow]:
    """Measure each kind in turn, alone and while the other organization is busy."""
    await prepare(server)
    rows = []
    names = {"posting": "postings", "charge": "uses", "news": "news of payments", "refund": "refunds that pay a debt"}
    for kind in os.environ.get("BENCH_ONLY", ",".join(names)).split(","):
        pairs: list[tuple[float, float, float]] = []
        for number in range(ROUNDS):
            both = [(OTHERS, False), (BUSY, True)]
            if number % 2:
                beside = await _rates(server, kind, *both)
                [by_themselves] = await _rates(server, kind, both[0])
            else:
                [by_themselves] = await _rates(server, kind, both[0])
                beside = await _rates(server, kind, *both)
            pairs.append((by_themselves, beside[0], beside[1]))
        baseline = statistics.median(alone for alone, _, _ in pairs)
        busy = statistics.median(rate for _, _, rate in pairs)
        rows.append(
            BenchRow(
                name=f"{names[kind]}, {OTHERS} callers with {BUSY} of one busy organization ({busy:,.0f}/s)",
                value=baseline * statistics.median(beside / alone for alone, beside, _ in pairs),
                unit="/s",
                against=f"the {OTHERS} alone",
                baseline=baseline,
                target=0.7,
            )
        )
    return rows


async def run(world: World) -> list[BenchRow]:
    """Measure on the bench's own stack."""
    return await measure(Server.of(world))


if __name__ == "__main__":
    if sys.argv[1:]:
        import uvloop

        uvloop.run(_load(sys.argv[1], sys.argv[2], int(sys.argv[3]), busy=bool(int(sys.argv[4]))))
    else:
        asyncio.run(alone(measure))
