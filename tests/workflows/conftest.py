"""A stage for escrows: a real worker on a real server, real books, and a client that sends what the API sends."""

import contextlib
import itertools
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import asyncpg
import pytest
from sqlalchemy import insert
from temporalio.client import Client, WorkflowHandle
from temporalio.plugin import SimplePlugin
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment
from temporalio.worker import Worker, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from api.pool import StatementPool
from api.v1.escrows import commands
from contracts.common import search_attributes
from contracts.escrow.escrow import (
    ApproveEscrow,
    CancelEscrow,
    CommandResult,
    DeliverEscrow,
    DisputeEscrow,
    FundEscrow,
    RefundEscrow,
    ResolveEscrow,
    SubmitEvidence,
    ValidateEscrow,
)
from dev.stack.postgres import Postgres
from dev.stack.process import START_SECONDS
from dev.stack.temporal import TIME_SKIPPING, find_temporal
from domain.common import accounts
from domain.common.access import Actor, Role
from domain.common.ids import escrow_id_of, escrow_workflow_id
from domain.credits.lots import LotSource, LotTerms
from domain.escrow.state import Escrow, Terms
from ledger.gateway import Ledger
from models.escrow.contract import Contract
from models.escrow.escrow import EscrowEventRow
from models.marketplace.agent import Agent
from models.tenants.organization import Organization
from providers.payments.credits import CreditsProvider
from providers.payments.registry import Providers
from repositories.escrow import escrow as escrows
from runtime import reach
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from runtime.metrics import ApiMetrics
from runtime.settings import Settings
from runtime.temporal import BursarPlugin, data_converter
from services.credits.spend import refuse_limited
from services.payments.crypto_deposit import PostgresDepositBook
from tests.conftest import DatabaseUrls, new_database, next_name
from tests.support.chains import ChainsInTest
from tests.support.escrows import TERMS
from tests.support.inbox import Mailroom, mailroom_on
from tests.support.looking import again, pass_to_the_end
from tests.support.payments import FakeProvider
from tests.support.payouts import FakePayouts
from tests.support.proving import prove_all
from tests.support.sandbox import UntriedSandbox
from tests.support.stored_methods import FakeStoredMethods
from tests.support.subscriptions import FakeSubscriptions
from tests.support.timelines import timeline
from tests.support.webhooks import WEBHOOK_KEYS, FakeReceivers
from tests.workflows import payment_driver
from tests.workflows.approval.activities import TABLES, ApprovalActivities
from tests.workflows.approval.workflow import ApprovalWorkflow
from tests.workflows.reconciler import Reconciler
from tests.workflows.shop import http, shop
from worker import make_worker
from workflows.books.reconciliation import NightlyReconciliationWorkflow, ReconciliationWorkflow

#: Fixtures of a module of their own.
__all__ = ["http", "shop"]
COMMANDS = {
    "fund": FundEscrow,
    "deliver": DeliverEscrow,
    "validate": ValidateEscrow,
    "approve": ApproveEscrow,
    "dispute": DisputeEscrow,
    "submit_evidence": SubmitEvidence,
    "resolve": ResolveEscrow,
    "refund": RefundEscrow,
    "cancel": CancelEscrow,
}
KEYS = itertools.count(1)


@dataclass
class Stage:
    """Sends commands as the API does and looks at the books as an auditor does."""

    env: WorkflowEnvironment
    client: Client
    database: Database
    deps: Any
    fake: FakeProvider = field(default_factory=FakeProvider)
    payouts: FakePayouts = field(default_factory=FakePayouts)
    subscriptions: FakeSubscriptions = field(default_factory=FakeSubscriptions)
    methods: FakeStoredMethods = field(default_factory=FakeStoredMethods)
    receivers: FakeReceivers = field(default_factory=FakeReceivers)
    chains: ChainsInTest | None = None
    exports: Path = Path()
    actors: dict[str, Actor] = field(default_factory=dict)

    async def award(
        self,
        *,
        balance: int = 100_000_000,
        of: "Job | None" = None,
        accept_by: datetime | None = None,
        accepts_granted: bool = True,
        **changes: Any,
    ) -> "Job":
        """Make a contract between two new organizations, or those of another job; the payer has `balance` credits.

        With `accept_by` the payee has still to accept it. Unless it `accepts_granted`, granted credits do not fund its
        escrow.
        """
        payer, payee, agent = new_id("org"), new_id("org"), new_id("agt")
        if of is not None:
            payer, payee, agent = of.terms.payer_org_id, of.terms.payee_org_id, of.terms.agent_id
        contract_id = new_id("ctr")
        terms = replace(
            TERMS,
            escrow_id=escrow_id_of(contract_id),
            contract_id=contract_id,
            payer_org_id=payer,
            payee_org_id=payee,
            agent_id=agent,
            signatories=("procurement", "finance"),
            **changes,
        )
        async with self.database.platform() as session:
            made = {"created_by": "test"}
            if of is None:
                for org in (payer, payee):
                    await session.execute(insert(Organization).values(id=org, name=org, command_id=org, **made))
                listing = {"visibility": "public", "pricing_model": "free"}
                await session.execute(
                    insert(Agent).values(id=agent, org_id=payee, name="bot", command_id=agent, **listing, **made)
                )
            proposed = {"outside_listing": ["review_period"] if accept_by else [], "accept_by": accept_by}
            contract = {**_contract(terms), **proposed, "command_id": contract_id, "accepts_granted": accepts_granted}
            await session.execute(insert(Contract).values(**contract, **made))
            if of is None:
                await Ledger(await driver_connection(session)).post(
                    key=f"grant:{payer}",
                    kind="grant",
                    source=accounts.platform("credit_issuance", "CREDIT"),
                    lots=LotTerms(source=LotSource.ADJUSTMENT),
                    destination=accounts.org_credits(payer),
                    amount_minor=balance,
                    effective_at=datetime.now(UTC),
                    org_id=payer,
                )
        return Job(self, terms)


@dataclass
class Job:
    """One contract and its escrow."""

    stage: Stage
    terms: Terms

    def __post_init__(self) -> None:
        t = self.terms
        self.procurement = Actor(principal="procurement", role=Role.OWNER, org_id=t.payer_org_id)
        self.finance = Actor(principal="finance", role=Role.FINANCE, org_id=t.payer_org_id)
        self.bot = Actor(principal="bot", role=Role.AGENT, org_id=t.payee_org_id, agent_id=t.agent_id)
        self.studio = Actor(principal="studio", role=Role.OWNER, org_id=t.payee_org_id)
        self.validator = Actor(principal="validator", role=Role.VALIDATOR)
        self.arbiter = Actor(principal="arbiter", role=Role.ARBITER)

    @property
    def handle(self) -> WorkflowHandle[Any, Any]:
        return self.stage.client.get_workflow_handle(escrow_workflow_id(self.terms.contract_id))

    async def open(self, key: str | None = None) -> CommandResult:
        return await commands.open_escrow(
            self.stage.deps, self.stage.client, self.terms, self.procurement, key or f"open-{next(KEYS)}"
        )

    async def send(self, name: str, actor: Actor, *, key: str | None = None, **fields: Any) -> CommandResult:
        escrow = await self.state()
        command = COMMANDS[name](command_id=key or f"key-{next(KEYS)}", actor=actor, **fields)
        return await commands.send(self.stage.deps, self.stage.client, escrow, name, command)

    async def funded(self) -> "Job":
        await self.open()
        await self.send("fund", self.procurement)
        return self

    async def delivered(self) -> "Job":
        await self.funded()
        await self.send("deliver", self.bot)
        return self

    async def disputed(self) -> "Job":
        await self.delivered()
        await self.send("dispute", self.finance, reason="not what was agreed")
        return self

    async def pass_time(self, **amount: float) -> None:
        await self.stage.env.fast_forward(self.handle, timedelta(**amount))

    async def end(self) -> str:
        result = await pass_to_the_end(self.stage.env, self.handle)
        return str(result["status"] if isinstance(result, dict) else result.status)

    async def state(self) -> Escrow:
        async with self.stage.database.platform() as session:
            row = await escrows.get(session, self.terms.escrow_id)
            assert row is not None
            assert row.status == row.state["status"]
            return escrows.state_of(row)

    async def under_review(self) -> int:
        """Return the number of the delivery under review."""
        delivery = (await self.state()).delivery
        assert delivery is not None
        return delivery.number

    async def timeline(self) -> list[EscrowEventRow]:
        async with self.stage.database.platform() as session:
            return list(await timeline(session, EscrowEventRow, escrow_id=self.terms.escrow_id))

    async def recorded(self, kind: str) -> EscrowEventRow:
        """Return the first event of a kind once the books have it; what nobody waits for, a signal, comes later."""
        while True:
            for event in await self.timeline():
                if event.kind == kind:
                    return event
            await again()

    async def kinds(self) -> list[str]:
        return [event.kind for event in await self.timeline()]

    async def money(self) -> dict[str, int]:
        """Return the balances of everybody, in minor units, after checking that the read model says the same."""
        t = self.terms
        async with self.stage.database.platform() as session:
            ledger = Ledger(await driver_connection(session))
            apart = accounts.agent_granted_earnings(t.agent_id, t.payee_org_id)
            found = {
                "payer": (await ledger.balance(accounts.org_credits(t.payer_org_id))).posted_minor,
                "escrow": (await ledger.balance(accounts.escrow(t.escrow_id, t.currency, t.payer_org_id))).posted_minor,
                "payee": sum(
                    balance.posted_minor
                    for balance in await ledger.balances(
                        [accounts.agent_earnings(t.agent_id, t.currency, t.payee_org_id), apart]
                    )
                ),
            }
        state = await self.state()
        assert found["escrow"] == state.held_minor
        assert found["payee"] == state.released_minor
        return found


def _contract(t: Terms) -> dict[str, Any]:
    return {
        "id": t.contract_id,
        "org_id": t.payer_org_id,
        "payee_org_id": t.payee_org_id,
        "agent_id": t.agent_id,
        "title": "A job",
        "price_minor": t.amount_minor,
        "currency": t.currency,
        "validation_threshold_e4": t.validation_threshold_e4,
        "signatories": list(t.signatories),
        "signatory_org_ids": [],
        "required_signatures": t.required_signatures,
        "operator_approvals": t.operator_approvals,
        "fund_seconds": t.fund_seconds,
        "deliver_seconds": t.deliver_seconds,
        "review_seconds": t.review_seconds,
        "evidence_seconds": t.evidence_seconds,
        "decision_seconds": t.decision_seconds,
        "grace_seconds": t.grace_seconds,
        "dispute_default_share_e4": t.dispute_default_share_e4,
        "commission_bps": t.commission_bps,
        "commission_from": "usual",
        "milestones": [{"name": m.name, "amount_minor": m.amount_minor} for m in t.milestones],
    }


def with_plugin(client: Client, *others: SimplePlugin) -> Client:
    """Return the environment's client with what `runtime.temporal.connect` would have put on it."""
    config = client.config()
    config["plugins"] = [*config["plugins"], *others, BursarPlugin()]
    return Client(**config)


async def approvals(owner_url: str, database: Database) -> SimplePlugin:
    """Make the tables of the example's entity, and return what puts its run on a worker."""
    owner = await asyncpg.connect(owner_url)
    await owner.execute(TABLES)
    await owner.close()
    work = ApprovalActivities(database)
    return SimplePlugin("approvals", workflows=[ApprovalWorkflow], activities=[work.record, work.load])


async def beside_timer(handle: WorkflowHandle[Any, Any], *, within: timedelta) -> str:
    """Return the summary of a run's first timer with this delay, once it exists."""
    while True:
        async for event in handle.fetch_history_events():
            timer = event.timer_started_event_attributes
            if event.HasField("timer_started_event_attributes") and timer.start_to_fire_timeout.ToTimedelta() <= within:
                [words] = await data_converter(Settings()).decode([event.user_metadata.summary], [str])
                return str(words)
        await again()


@asynccontextmanager
async def _books(database: Database) -> AsyncIterator[asyncpg.Connection]:
    async with database.platform() as session:
        yield await driver_connection(session)


@asynccontextmanager
async def api_of(database_urls: Any, database: Database, settings: Settings | None = None) -> AsyncIterator[Any]:
    """Return what commands to escrows need of the API."""
    pool = StatementPool(database_urls.platform, size=5, timeout=timedelta(minutes=1))
    try:
        yield SimpleNamespace(
            settings=settings or Settings(command_timeout=timedelta(minutes=5)),
            database=database,
            platform_pool=pool,
            metrics=ApiMetrics(),
        )
    finally:
        await pool.close()


@asynccontextmanager
async def stage_on(
    env: WorkflowEnvironment,
    database_urls: Any,
    build_id: str | None = None,
    chains: ChainsInTest | None = None,
    sealed_signals: bool = False,
    fake: FakeProvider | None = None,
    methods: FakeStoredMethods | None = None,
    runner: WorkflowRunner | None = None,
    **settings: Any,
) -> AsyncIterator[Stage]:
    """Run a worker on a server for as long as the block lasts, and prove the books when it ends."""
    database = Database(database_urls.tenant, database_urls.platform)
    folder = tempfile.TemporaryDirectory(prefix="bursar-exports-")
    try:
        client = with_plugin(env.client, await approvals(database_urls.owner, database))
        fake, methods = fake or FakeProvider(), methods or FakeStoredMethods()
        payouts, subscriptions = FakePayouts(), FakeSubscriptions()
        collecting = dict.fromkeys(("fake", "stripe"), fake)
        stored: Any = methods
        providers = Providers(collecting, customers=stored, payouts=payouts, subscriptions=subscriptions)
        credit = CreditsProvider(partial(_books, database), refuse_limited=refuse_limited)
        providers = replace(providers, payments={**providers.payments, "credits": credit})
        if chains is not None:
            crypto = chains.provider(PostgresDepositBook(database))
            providers = replace(providers, payments={**providers.payments, "crypto": crypto}, rates=chains.rates())
        given: dict[str, Any] = {
            "payment_return_url": "https://platform.test/",
            "two_operators_above": "1000.00",
            "exports": folder.name,
            **settings,
        }
        receivers = FakeReceivers()
        worker = make_worker(
            client,
            database,
            providers,
            build_id=build_id,
            sealed_signals=sealed_signals,
            runner=runner or UntriedSandbox(),
            settings=Settings(webhook_keys=WEBHOOK_KEYS, **given),
            sender=receivers,
        )
        async with api_of(database_urls, database) as deps, worker:
            made = Stage(env, client, database, deps, fake, payouts, subscriptions, methods, receivers, chains)
            made.exports = Path(folder.name)
            yield made
    finally:
        await database.close()
        folder.cleanup()

    await prove_all(database_urls)


@pytest.fixture(scope="session")
def database_urls(cluster: Postgres) -> Iterator[DatabaseUrls]:
    """A database for the tests of this folder alone: the sweeps would work off what tests of the API leave behind."""
    with new_database(cluster, next_name()) as urls:
        yield urls


#: The servers that skip time and run now.
SKIPPING: list[WorkflowEnvironment] = []


@asynccontextmanager
async def own_server(*options: str, settings: Settings | None = None) -> AsyncIterator[WorkflowEnvironment]:
    """Run a server for as long as the block lasts, on which time passes only where a test calls `fast_forward`."""
    environment = await WorkflowEnvironment.start_time_skipping_v2(
        dev_server_existing_path=find_temporal(),
        dev_server_extra_args=[*TIME_SKIPPING, *options],
        search_attributes=search_attributes.ALL,
        data_converter=data_converter(settings or Settings()),
        dev_server_startup_timeout=timedelta(seconds=START_SECONDS),
    )
    async with environment:
        SKIPPING.append(environment)
        # By default each run that a test or a message starts skips ahead at once, past what the test does next.
        with environment.with_time_skipping_disabled():
            yield environment
        SKIPPING.remove(environment)


@pytest.fixture(scope="module", autouse=True)
async def no_run_stays_open() -> AsyncIterator[None]:
    """End what a module has left open: it would go on while months pass in the tests of others."""
    yield
    for server in SKIPPING:
        async for run in server.client.list_workflows("ExecutionStatus = 'Running'"):
            with contextlib.suppress(RPCError):
                await server.client.get_workflow_handle(run.id, run_id=run.run_id).terminate("its test is over")


@pytest.fixture(scope="package")
async def timeskip_env() -> AsyncIterator[WorkflowEnvironment]:
    """A Temporal server on which a test passes the time of each run. Like what follows, it ends with this folder."""
    async with own_server() as environment:
        yield environment


@pytest.fixture(scope="package")
async def stage(timeskip_env: WorkflowEnvironment, database_urls: Any) -> AsyncIterator[Stage]:
    """One worker for all tests of the folder; every job has organizations of its own."""
    chains = ChainsInTest()
    async with stage_on(timeskip_env, database_urls, chains=chains, runner=SandboxedWorkflowRunner()) as made:
        yield made
    await chains.close()


@pytest.fixture
def chains(stage: Stage) -> ChainsInTest:
    assert stage.chains is not None
    stage.chains.clock.now = datetime.now(UTC)
    return stage.chains


@pytest.fixture(scope="package")
async def idle_server() -> AsyncIterator[WorkflowEnvironment]:
    """A server of its own, without the worker of `stage`, for tests whose only worker comes and goes."""
    async with own_server() as environment:
        yield environment


@pytest.fixture(scope="package")
async def short_runs(database_urls: Any) -> AsyncIterator[Stage]:
    """A stage on a server that suggests a new run after twenty events."""
    limit = ("--dynamic-config-value", "limit.historyCount.suggestContinueAsNew=20")
    async with own_server(*limit) as environment, stage_on(environment, database_urls) as made:
        yield made


@pytest.fixture(scope="module")
async def mailroom(idle_server: WorkflowEnvironment, database_urls: Any) -> AsyncIterator[Mailroom]:
    """A worker whose payments only listen; the worker of `stage` would take their tasks."""
    async with mailroom_on(idle_server, with_plugin(idle_server.client), database_urls) as made:
        yield made


@pytest.fixture
def short_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make workflows that wait for the database read new events within one second instead of four."""
    for module in (reach, payment_driver):
        monkeypatch.setattr(module, "TASK_TIMEOUT", timedelta(seconds=1))


Award = Callable[..., Awaitable[Job]]


@pytest.fixture
def award(stage: Stage) -> Award:
    return stage.award


@pytest.fixture
def database(fresh_database: Database) -> Database:
    return fresh_database


@pytest.fixture
def reconciler(database: Database) -> Reconciler:
    """Reconcile a separate database: entries made here around the ledger would look like damage."""
    return Reconciler(database)


@pytest.fixture
async def office(reconciler: Reconciler, timeskip_env: WorkflowEnvironment) -> AsyncIterator[tuple[Reconciler, str]]:
    """A reconciler whose work is done by a worker on a task queue of its own."""
    reconciler.client, queue = with_plugin(timeskip_env.client), new_id("queue")
    work = reconciler.work
    async with Worker(
        reconciler.client,
        task_queue=queue,
        workflows=[ReconciliationWorkflow, NightlyReconciliationWorkflow],
        activities=[
            work.plan,
            work.begin,
            work.fetch_statement,
            work.tell_payments,
            work.count_unsettled,
            work.conclude,
            work.fail,
        ],
    ):
        yield reconciler, queue
