"""The product on a simulated calendar: its database, API and worker, Temporal's time skipping, and the sandboxes."""

import asyncio
import contextlib
import itertools
import json
import secrets
import socket
from collections.abc import AsyncIterator, Collection, Generator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import asyncpg
import httpx2
import uvicorn
from temporalio.client import Client, ScheduleCalendarSpec, WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode
from temporalio.testing import TimeSkippingConfig, WorkflowEnvironment

from api.app import create_app
from api.bootstrap import operator_key
from composition import make_metering, make_price_book, make_providers, spend_log_client
from contracts.common import search_attributes
from contracts.common.queues import TASK_QUEUE
from dev.sandbox.stripe.store import Store
from dev.stack.claim import Ports
from dev.stack.process import START_SECONDS, Process
from dev.stack.sandboxes import Sandboxes
from dev.stack.temporal import TIME_SKIPPING, find_temporal
from dev.year.calendar import Calendar, OnCalendar, install
from ledger.revenue import Revenue
from runtime.database import Database
from runtime.jobs import SCHEDULES, invoicing_on
from runtime.schedules import Job
from runtime.settings import Settings, read_settings
from runtime.temporal import BursarPlugin, data_converter
from services.books import exchange_rate
from worker import make_worker

Json = dict[str, Any]

#: What a token of any model costs, in USD.
TOKEN = "1.25"
#: Timers that are due within so long are let fire together, a little late.
GRAIN = timedelta(hours=8)
#: A bill is a draft for an hour before it is paid. The calendar stops in that hour, so that the product sees the draft
#: and hears of the payment later, as from Stripe.
RENEWAL, DRAFT = "subscriptions.renew", timedelta(minutes=30)
#: The tasks with which the sandbox asks for payment, at first and again.
PAYING = ("invoices.finalize", "invoices.retry")
#: What would find nothing to do here: no proxy of models runs, nobody reserves credits, has limits, alert rules,
#: reports, meters, allocations, secrets, automatic top-ups or endpoints of webhooks, no run is ever lost, and scores
#: are not part of the books. A run that looks for webhooks, or for whom to notify, lasts a minute of everybody's time.
IDLE_JOBS = frozenset(
    {
        *("usage-sync", "usage-sync-nightly", "usage-charges", "auto-topup-sweep", "hold-expiry"),
        *("alert-rules", "spend-alerts", "spend-days", "reputation-decay", "report-sweep"),
        *("allocation-sweep", "secret-access-seal", "secret-rotation-sweep"),
        *("escrow-sweep", "payment-sweep", "payout-sweep", "inbox-sweep", "webhook-dispatch", "notifications"),
    }
)
#: Jobs that are due daily or more often run together at this hour, of the first of each month and of some days between;
#: these of the days after the monthly run as well.
AFTER_INVOICING, INVOICED_ON = frozenset({"invoice-sweep"}), range(2, 5)
JOBS_AT, JOB_DAYS = timedelta(hours=5), 7
#: How long anything may take that is not waited for in simulated time; a busy machine is slow, and no fault.
PATIENCE_SECONDS = 600.0


class YearError(AssertionError):
    """Something in the year is not as it must be."""


#: How often a request is made in all whose answer says that it may be repeated, as on a busy machine.
REPEATS = 60


class Caller:
    """A key of the API; every command gets an idempotency key of its own."""

    _numbers = itertools.count(1)

    def __init__(self, http: httpx2.AsyncClient, token: str, org_id: str | None = None) -> None:
        """Take the client, the key and the organization that it is of."""
        self._http, self.token, self.org_id = http, token, org_id

    async def ask(self, method: str, path: str, body: Json | None = None) -> httpx2.Response:
        """Send a request and return the answer; one that may be repeated is, under the same key, for some minutes."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": f"year-{next(self._numbers)}"}
        for left in reversed(range(REPEATS)):
            answer = await self._http.request(method, f"/api/v1{path}", headers=headers, json=body)
            # 409: the request that was answered with 503 is still under way.
            if answer.status_code not in {409, 503} or "Retry-After" not in answer.headers or not left:
                break
            await asyncio.sleep(float(answer.headers["Retry-After"]))
        return answer

    async def get(self, path: str) -> Json:
        """Return what is there."""
        return good(await self.ask("GET", path))

    async def post(self, path: str, body: Json | None = None) -> Json:
        """Give a command that must be taken."""
        return good(await self.ask("POST", path, body))

    async def put(self, path: str, body: Json | None = None) -> Json:
        """Give a command that must be taken."""
        return good(await self.ask("PUT", path, body))


def good(answer: httpx2.Response) -> Json:
    """Return what an answer holds; raises YearError if it is a refusal."""
    if not answer.is_success:
        raise YearError(f"{answer.request.method} {answer.request.url.path}: {answer.status_code} {answer.text[:600]}")
    return cast("Json", answer.json())


class World:
    """Everything that runs, and the one way to let time pass in all of it."""

    def __init__(
        self,
        calendar: Calendar,
        env: WorkflowEnvironment,
        client: Client,
        settings: Settings,
        *,
        job_days: int,
        idle: Collection[str],
    ) -> None:
        """Take what was started, and which jobs run how often; see `running`."""
        self._job_days = job_days
        self.calendar, self.env, self.client, self.settings = calendar, env, client, settings
        self.http: httpx2.AsyncClient
        self.operator: Caller
        self.books: asyncpg.Connection
        self.database: Database
        self._jobs = [job for job in (*SCHEDULES, invoicing_on(settings.usage_invoice_day)) if job.id not in idle]
        self._numbers = itertools.count(1)
        self._under_way: set[asyncio.Task[Any]] = set()
        self.skips = 0

    # Time -------------------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """Return the simulated time."""
        return self.calendar.now()

    async def begin(self, at: datetime) -> None:
        """Move the calendar to where the story begins; nothing has happened yet."""
        await self._set(at)
        async with self.database.platform() as session:
            await exchange_rate.store_price(session, self.settings.price_of_credits, self.now())
            await exchange_rate.store_granted_value(session, self.settings.value_of_granted, self.now())
        await self.jobs(("usage-months",))

    async def advance(self, until: datetime) -> None:
        """Let time pass: do what becomes due in order, in Temporal and at the sandbox, until nothing is left."""
        await self.settle()
        while (at := await self._next(until)) is not None:
            before = self.now()
            await self._set(at)
            await self.settle()
            await self._fire(before)
        await self._set(until)
        await self.settle()
        await self._raise_failures()

    async def end(self) -> None:
        """Run the posting batches now; a minute's wait would be weeks of simulated time."""
        revenue, at_once, page = Revenue(self.books), timedelta(0), 2_000
        await revenue.mark(settle=at_once)
        while await revenue.recognise(limit=page, settle=at_once) == page:
            pass
        await self.jobs(sorted({job.id for job in self._jobs} - {"monthly-invoicing", "accounting-days"}))
        await self.settle()
        await self.jobs(("accounting-days",))

    async def settle(self) -> None:
        """Wait until webhooks are delivered, the inbox is handled and no run has an open activity."""
        calm, seen, waiting, unhandled = 0, -1, Json(), 0
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                while calm < 2:
                    waiting = await self.stripe("webhooks/flush")
                    unhandled = await self.books.fetchval(
                        "SELECT count(*) FROM provider_events WHERE handled_at IS NULL"
                    )
                    quiet = not waiting.get("pending") and not unhandled and not self.calendar.busy()
                    calm = calm + 1 if quiet and self.calendar.tasks == seen else 0
                    seen = self.calendar.tasks
                    await asyncio.sleep(0.01)
        except TimeoutError:
            left = f"{waiting.get('pending')} webhooks, {unhandled} events in the inbox, runs {self.calendar.busy()}"
            raise YearError(
                f"at {self.now():%Y-%m-%d} this is not done after {PATIENCE_SECONDS:.0f} s: {left}"
            ) from None

    async def jobs(self, ids: Sequence[str]) -> None:
        """Run jobs of the schedules by name, each once; also those that no day runs."""
        wanted = {job.id: job for job in (*SCHEDULES, *self._jobs) if job.id in ids}
        await asyncio.gather(*(self._run(job) for job in wanted.values()))

    async def _next(self, until: datetime) -> datetime | None:
        """Return the next stop: when something is due, a little later so that more is, or while a bill is a draft."""
        due_at_stripe = await self.stripe("due")
        renewal, *paying = (self._at_stripe(due_at_stripe.get(name)) for name in (RENEWAL, *PAYING))
        timers = [self.calendar.next_timer(), *paying, *(self._occurrence(job, self.now()) for job in self._jobs)]
        stops = [max(moment, self.now()) + GRAIN for moment in timers if moment is not None and moment <= until]
        if renewal is not None and renewal + DRAFT <= until:
            stops.append(max(renewal + DRAFT, self.now()))
        return min(*stops, until) if stops else None

    def _at_stripe(self, seconds: int | None) -> datetime | None:
        return None if seconds is None else datetime.fromtimestamp(seconds, UTC)

    async def _set(self, at: datetime) -> None:
        seconds = int((at - self.now()).total_seconds()) + 1
        if seconds <= 0:
            return
        self.calendar.ahead += timedelta(seconds=seconds)
        await self.books.execute("UPDATE simulated.clock SET ahead = $1", self.calendar.ahead)
        await self.stripe("clock", {"advance": seconds})

    async def _fire(self, since: datetime) -> None:
        due = self.calendar.due()
        self.skips += len(due)
        await asyncio.gather(*(self._skip(run_id, by) for run_id, _, by in due))
        wanted = [job for job in self._jobs if self._occurrence(job, since) <= self.now()]
        await asyncio.gather(*(self._run(job) for job in wanted))
        await self.settle()

    async def _skip(self, run_id: str, by: timedelta) -> None:
        run = self.calendar.runs.get(run_id)
        if run is None or by <= timedelta(0):
            return
        handle = self.client.get_workflow_handle(run.workflow_id, run_id=run_id)
        run.skipped += by
        try:
            await self.env.fast_forward(handle, by)
        except RPCError as error:
            if error.status is not RPCStatusCode.NOT_FOUND:
                raise
            self.calendar.runs.pop(run_id, None)

    async def _run(self, job: Job) -> None:
        """Start a job, and wait until it has ended, or waits for a time to come."""
        run_id = f"{job.id}-{next(self._numbers)}"
        handle = await self.client.start_workflow(job.workflow, args=list(job.args), id=run_id, task_queue=TASK_QUEUE)
        done = asyncio.create_task(handle.result(), name=f"{job.id} of {self.now():%Y-%m-%d}")
        self._under_way.add(done)
        while not done.done() and not self._waits(run_id):
            await asyncio.wait({done}, timeout=0.02)
        await self._raise_failures()

    def _waits(self, workflow_id: str) -> bool:
        runs = [run for run in list(self.calendar.runs.values()) if run.workflow_id == workflow_id]
        return any(run.timers and not run.activities for run in runs)

    async def _raise_failures(self) -> None:
        for task in [task for task in self._under_way if task.done()]:
            self._under_way.discard(task)
            try:
                await task
            except WorkflowFailureError as error:
                raise YearError(f"{task.get_name()} failed: {error.cause}") from error

    def _occurrence(self, job: Job, since: datetime) -> datetime:
        """Return when a job is due next after a moment; see `job_days` for those that are due daily or more often."""
        monthly = [on for on in job.spec.calendars if on.day_of_month[0].end != 31]
        moment = since.replace(hour=0, minute=0, second=0, microsecond=0) + JOBS_AT
        if monthly:
            moment = moment.replace(hour=monthly[0].hour[0].start, minute=monthly[0].minute[0].start)
        while moment <= since or not self._is_day_of(job, moment, monthly):
            moment += timedelta(days=1)
        return moment

    def _is_day_of(self, job: Job, moment: datetime, monthly: Sequence[ScheduleCalendarSpec]) -> bool:
        if monthly:
            return moment.day == monthly[0].day_of_month[0].start
        if job.id in AFTER_INVOICING and moment.day in INVOICED_ON:
            return True
        return moment.day == 1 or moment.toordinal() % self._job_days == 0

    # Stripe -----------------------------------------------------------------------------------------------------------

    async def stripe(self, control: str, body: Json | None = None) -> Json:
        """Steer the sandbox."""
        return good(await self.steer(control, body or {}))

    async def steer(self, control: str, body: Json) -> httpx2.Response:
        """Control the sandbox, and return its answer."""
        return await self.http.post(f"{self.settings.stripe_api_base}/_control/{control}", json=body)

    async def at_stripe(self, method: str, path: str, data: dict[str, str] | None = None) -> Json:
        """Ask the sandbox's API as its account."""
        assert self.settings.stripe_api_key is not None
        headers = {"Authorization": f"Bearer {self.settings.stripe_api_key.get_secret_value()}"}
        url = f"{self.settings.stripe_api_base}/v1/{path}"
        if method == "GET":
            return good(await self.http.get(url, headers=headers, params=data))
        return good(await self.http.post(url, headers=headers, data=data))

    async def all_at_stripe(self, kind: str, **query: str) -> list[Json]:
        """List every object of a kind at the sandbox."""
        found: list[Json] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = await self.at_stripe("GET", kind, {"limit": "100", **query, **after})
            found += page["data"]
            if not page["has_more"]:
                return found


class _Server(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave signals to the process that runs the year."""
        yield


def stripe_time(data_dir: Path, ahead: timedelta) -> None:
    """Set how far the clock of Stripe's sandbox is ahead; the sandbox does not run, and itself only moves it on."""
    Store(data_dir / "stripe" / "stripe.sqlite").keep("clock_offset", int(ahead.total_seconds()))


@asynccontextmanager
async def _sandboxes(data_dir: Path, ports: Ports, back: timedelta) -> AsyncIterator[dict[str, str]]:
    """Run the sandboxes of Stripe and of mail, so far back, and return the settings that point at them."""
    if back:
        stripe_time(data_dir, -back)
    wanted = Sandboxes(data_dir, ports, f"http://127.0.0.1:{ports.api}", frozenset({"stripe", "mail"}), {})
    (data_dir / "logs").mkdir(parents=True, exist_ok=True)
    running: list[Process] = []
    try:
        for part in wanted.parts.values():
            part.prepare()
            running.append(Process(part.program()))
        async with asyncio.timeout(PATIENCE_SECONDS):
            for part, process in zip(wanted.parts.values(), running, strict=True):
                while await part.problem(process):  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.05)
        yield wanted.settings
    finally:
        for process in running:
            process.kill()


@asynccontextmanager
async def running(
    data_dir: Path,
    urls: tuple[str, str, str],
    start: datetime,
    changes: Mapping[str, str],
    *,
    job_days: int = JOB_DAYS,
    idle: Collection[str] = IDLE_JOBS,
    operator: str | None = None,
) -> AsyncIterator[World]:
    """Run the product on a calendar that begins at a moment to come or past, for as long as the block lasts.

    Args:
        data_dir: where the sandboxes keep their state.
        urls: of a migrated database of its own: as its owner, as a tenant, as the platform.
        start: the simulated time to begin at.
        changes: settings by environment variable.
        job_days: every how many days jobs run that are due daily or more often.
        idle: the jobs that do not run.
        operator: the principal of the operator's key; one of its own if there are others in the database.
    """
    owner_url, tenant_url, platform_url = urls
    ports, calendar = Ports.free(), Calendar()
    owner = await asyncpg.connect(owner_url)
    await install(owner)
    back = max(datetime.now(UTC) - start, timedelta(0)).total_seconds() // 1
    calendar.ahead = -timedelta(seconds=back)
    await owner.execute("UPDATE simulated.clock SET ahead = $1", calendar.ahead)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(owner.close)
        pointing = await stack.enter_async_context(_sandboxes(data_dir, ports, -calendar.ahead))
        settings = read_settings(
            {
                "BURSAR_DATABASE_URL": tenant_url,
                "BURSAR_PLATFORM_DATABASE_URL": platform_url,
                "BURSAR_RATE_LIMIT": "1000000/minute",
                "BURSAR_ORGANIZATION_RATE_LIMIT": "1000000/minute",
                "BURSAR_PRIVATE_PORT": "0",
                "BURSAR_DEFAULT_MODEL_PRICE": json.dumps({"output_cost_per_token": TOKEN}),
                # All pay with the sandbox's test cards, and are paid out as soon as they earn.
                "BURSAR_RISK_ENFORCED": "false",
                # Organizations that one operator registers have nothing to do with each other.
                "BURSAR_REPUTATION_REGISTRARS": "*",
                **pointing,
                **changes,
            }
        )
        env = await stack.enter_async_context(
            await WorkflowEnvironment.start_time_skipping_v2(
                dev_server_existing_path=find_temporal(),
                dev_server_extra_args=[*TIME_SKIPPING, "--output", "none"],
                dev_server_log_level="error",
                dev_server_startup_timeout=timedelta(seconds=START_SECONDS),
                search_attributes=search_attributes.ALL,
                data_converter=data_converter(settings),
                # A child passes its own timers when the calendar comes to them.
                ts_config=TimeSkippingConfig(disable_propagation=True),
            )
        )
        # Runs skip time only when they are told to.
        stack.enter_context(env.with_time_skipping_disabled())
        config = env.client.config()
        config["plugins"] = [*config["plugins"], BursarPlugin()]
        client = Client(**config)
        database = Database(tenant_url, platform_url)
        stack.push_async_callback(database.close)
        providers = make_providers(settings, database)
        app = create_app(
            settings, database=database, temporal=client, providers=providers, prices=make_price_book(settings)
        )
        metering_http = spend_log_client(settings)
        stack.push_async_callback(metering_http.aclose)
        worker = make_worker(
            client,
            database,
            providers,
            make_metering(settings, metering_http),
            runner=OnCalendar(calendar),
            settings=settings,
        )
        stack.enter_context(calendar.in_python())
        world = World(calendar, env, client, settings, job_days=job_days, idle=idle)
        world.books, world.database = owner, database
        listening = stack.enter_context(socket.create_server(("127.0.0.1", ports.api)))
        server = _Server(uvicorn.Config(app, log_config=None, access_log=False, loop="none", ws="none"))
        await stack.enter_async_context(worker)
        serving = asyncio.create_task(server.serve(sockets=[listening]))

        async def stop() -> None:
            server.should_exit = True
            await serving

        stack.push_async_callback(stop)
        world.http = await stack.enter_async_context(
            httpx2.AsyncClient(base_url=f"http://127.0.0.1:{ports.api}", trust_env=False, timeout=60)
        )
        async with database.platform() as session:
            token = await operator_key(session, operator or f"operator-{secrets.token_hex(4)}", None)
        world.operator = Caller(world.http, token)
        await world.begin(start.astimezone(UTC))
        yield world
