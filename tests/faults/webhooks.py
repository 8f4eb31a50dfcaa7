"""A run of webhooks to a receiver of its own, while processes are killed with requests in flight.

Each event is one of a reservation: made, captured, and refunded in parts. It begins with a transaction that stays open
and holds back whatever is written after it. The receiver verifies by the reference package in a process that is not the
worker's, and does its worst now and then (`MISCHIEF`): each webhook is refused once at most, because the second pause
is five minutes.

In the end every event of the books has come to every endpoint, and none before the one before it was answered; and who
followed `GET /events` meanwhile has each once. How many webhooks came again is told: at least once is what is promised.
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import httpx2
from standardwebhooks import Webhook, WebhookVerificationError

from dev.stack.supervisor import Stack
from domain.messages.events import Event
from domain.messages.events.catalogue import CATALOGUE
from repositories.messages import event as events
from runtime.database import Database
from runtime.identity import new_id
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import Journal, NoResponse, RetryingClient
from tests.faults.load import Load, give, organization, under_kills
from tests.faults.run import Say
from tests.support.receivers import Received, Reply, answers, drops, floods, hangs, receiving

#: What an event passes through.
PARTS = ("postgres", "temporal", "worker", "server")
TYPES = ["reservation.created", "reservation.captured", "spend.refunded"]
#: How often a reservation is refunded, and how many events that makes of each.
REFUNDS, EVENTS = 3, 5
#: Organizations have so many endpoints each, and as many credits.
TO_EACH, GRANTED = 10, 1_000_000
#: How many seconds a webhook may take: a part that is killed again and again delays it by a few tries.
PATIENCE = 240.0
#: How long who follows the stream waits between two pages, in seconds.
FOLLOWS_EVERY = 1.0
#: What the receiver does instead of taking a webhook. A gigabyte is an answer all the same, and counts as one.
MISCHIEF: Mapping[str, Reply] = {
    "500": answers(500, b"at fault"),
    "301": answers(301, location="http://127.0.0.1:1/"),
    "429": answers(429, retry_after="2"),
    "drop": drops,
    "410": answers(410),
    "1 GB": floods,
    "hang": hangs,
}
TAKEN = answers(204)


@dataclass(frozen=True)
class WebhookSetup:
    """Setup of a run; the same setup draws the same kills."""

    seed: int
    events: int = 1_000
    endpoints: int = 10
    kills: int = 3
    parts: tuple[str, ...] = PARTS
    clients: int = 20
    mischief: tuple[str, ...] = tuple(MISCHIEF)
    one_in: int = 50
    late: float = 60.0
    patience: float = PATIENCE

    @property
    def subjects(self) -> int:
        """Return how many reservations there are."""
        return max(1, self.events // EVENTS)


def described(setup: WebhookSetup) -> str:
    """Say what a run does."""
    return (
        f"{setup.subjects * EVENTS} events are sent to {setup.endpoints} endpoints, {TO_EACH} an organization; "
        f"{', '.join(setup.parts)} killed {setup.kills} times each, with webhooks under way; one in {setup.one_in} is "
        f"answered by {', '.join(setup.mischief)}; a transaction stays open for {setup.late:.0f} s"
    )


@dataclass(frozen=True)
class Tenant:
    """An organization with endpoints, and its owner's key."""

    org_id: str
    owner: str
    endpoints: Mapping[str, str]

    @property
    def paths(self) -> tuple[str, ...]:
        """Return the paths that its endpoints are sent to."""
        return tuple(self.endpoints)


class Receiver:
    """Verifies what comes, counts it, and sees whether it comes in order; holds its answers back while a strike falls.

    Attributes:
        came: how often each event came, by the path of its endpoint and its id.
        taken: how often each of them was answered with 2xx.
        refused: how often what was done instead.
        gone: the paths that answered 410 and were not enabled yet.
        again: what was under way when a worker died: it has to come again.
    """

    def __init__(self, setup: WebhookSetup) -> None:
        self.secrets: dict[str, str] = {}
        self.came: Counter[tuple[str, str]] = Counter()
        self.taken: Counter[tuple[str, str]] = Counter()
        self.refused: Counter[str] = Counter()
        self.gone: set[str] = set()
        self.again: set[tuple[str, str]] = set()
        self.forged: list[str] = []
        self.early: list[str] = []
        self._setup = setup
        self._answered: dict[tuple[str, str], set[int]] = defaultdict(set)
        # One for each subject that is waited for: a hundred thousand webhooks must not wake every client.
        self._news: dict[str, asyncio.Event] = {}
        self._held: set[tuple[str, str]] = set()
        self._under_way, self._opened = asyncio.Event(), asyncio.Event()
        self._opened.set()

    async def take(self, request: Received, writer: asyncio.StreamWriter) -> None:
        """Take a webhook, or do something else."""
        path = request.line.split()[1]
        event = json.loads(request.body)
        try:
            Webhook(self.secrets[path]).verify(request.body, request.headers)
        except WebhookVerificationError as error:
            self.forged.append(f"{event['id']} to {path}: {error}")
            return await answers(401)(request, writer)
        answered, number = self._answered[path, event["subject"]], event["subject_seq"]
        if not answered >= set(range(1, number)):
            self.early.append(f"{event['id']}, number {number} of {event['subject']}, to {path} after {answered}")
        self.came[path, event["id"]] += 1
        mischief = self._mischief(path, event["id"])
        if mischief is not None:
            self.refused[mischief] += 1
            if mischief == "410":
                self.gone.add(path)
            if mischief != "1 GB":
                return await MISCHIEF[mischief](request, writer)
        self._held.add((path, event["id"]))
        self._under_way.set()
        await self._opened.wait()
        self._held.discard((path, event["id"]))
        if not self._held:
            self._under_way.clear()
        self.taken[path, event["id"]] += 1
        answered.add(number)
        if event["subject"] in self._news:
            self._news[event["subject"]].set()
        await (TAKEN if mischief is None else MISCHIEF[mischief])(request, writer)

    def _mischief(self, path: str, event_id: str) -> str | None:
        """Say what is done instead of taking a webhook: now and then, in turns, and never a second time to one."""
        if self.came[path, event_id] > 1 or len(self.came) % self._setup.one_in:
            return None
        return self._setup.mischief[len(self.came) // self._setup.one_in % len(self._setup.mischief)]

    async def has_all(self, paths: Iterable[str], subject: str) -> None:
        """Wait until every event of a subject was answered at these endpoints."""
        wanted, news = set(range(1, EVENTS + 1)), self._news.setdefault(subject, asyncio.Event())
        async with asyncio.timeout(self._setup.patience):
            while not all(self._answered[path, subject] >= wanted for path in paths):
                news.clear()
                await news.wait()
        del self._news[subject]

    @asynccontextmanager
    async def holding(self, parts: Sequence[str]) -> AsyncIterator[None]:
        """Keep a request in flight during the kill and answer it afterwards."""
        self._opened.clear()
        await self._under_way.wait()
        yield
        if "worker" in parts:
            self.again |= self._held
        self._opened.set()


async def run_webhooks(setup: WebhookSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found."""
    findings, receiver, made = Findings(), Receiver(setup), dict[str, Tenant]()
    operator = stack.seed.keys["operator"]
    async with receiving(receiver.take) as listening:
        first = RetryingClient(stack.api_url, f"{setup.seed} webhooks", Journal())
        url = f"http://127.0.0.1:{listening.port}"
        tenants = [
            await _tenant(first, stack, receiver, url, range(start, min(start + TO_EACH, setup.endpoints)))
            for start in range(0, setup.endpoints, TO_EACH)
        ]
        await first.close()

        async def live(client: RetryingClient, _: Journal, number: int) -> None:
            # What came was counted; a hundred thousand bodies need not be kept.
            listening.received.clear()
            tenant, key = tenants[number % len(tenants)], f"webhooks {number}"
            wish = {"amount": "5", "expires_in": "PT1H"}
            held = (await give(client, tenant.owner, "/credits/reserve", wish, f"{key} reserve"))["id"]
            made[held] = tenant
            capture = f"/credits/reservations/{held}/capture"
            await give(client, tenant.owner, capture, {}, f"{key} capture", twice=number % 5 == 0)
            for each in range(REFUNDS):
                await give(client, operator, f"/credits/spends/{held}/refunds", {"amount": "1"}, f"{key} {each}")
            try:
                await receiver.has_all(tenant.paths, held)
            except TimeoutError:
                raise NoResponse(f"the webhooks of {held} did not come within {setup.patience:.0f} s") from None

        load = Load(
            seed=setup.seed,
            what="reservations",
            count=setup.subjects,
            kills=setup.kills,
            parts=setup.parts,
            clients=setup.clients,
        )
        readers = [Reader(stack.api_url, tenant) for tenant in tenants]
        meanwhile = [asyncio.create_task(each.follow()) for each in readers]
        meanwhile += [asyncio.create_task(_enable(stack, receiver, tenants))]
        opened = asyncio.Event()
        late = asyncio.create_task(_commit_late(stack, tenants[0].org_id, setup.late, opened))
        try:
            # From then on nothing is sent before it commits, and no strike falls before something is.
            await opened.wait()
            journal = await under_kills(load, say, stack, findings, live, around=receiver.holding)
            late_id = await late
            await _count(findings, stack, receiver, tenants, readers, late_id, patience=setup.patience)
        finally:
            for task in (*meanwhile, late):
                task.cancel()
            await asyncio.gather(*meanwhile, late, return_exceptions=True)
    findings.check(f"{len(made)} reservations made, captured and refunded, and all of it sent", journal.wrong)
    await prove(findings, stack)
    return findings


async def _commit_late(stack: Stack, org_id: str, seconds: float, opened: asyncio.Event) -> str:
    """Record an event in a transaction that stays open, and return the id of what it is about."""
    database, subject = Database(stack.postgres.url("bursar_api", "bursar"), stack.postgres.url(database="bursar")), ""
    try:
        async with database.platform() as session:
            subject = new_id("spd")
            happened = Event(type=TYPES[0], org_id=org_id, subject=subject, data=CATALOGUE[TYPES[0]].example)
            await events.record(session, [happened])
            opened.set()
            await asyncio.sleep(seconds)
    finally:
        opened.set()
        await database.close()
    return subject


@dataclass
class Reader:
    """Follows the stream of an organization's events, as its own server would, and keeps what it was given."""

    api_url: str
    tenant: Tenant
    ids: list[str] = field(default_factory=list)

    async def follow(self) -> None:
        """Read for as long as nobody cancels it; an API that is killed is asked again."""
        headers = {"Authorization": f"Bearer {self.tenant.owner}"}
        async with httpx2.AsyncClient(
            base_url=f"{self.api_url}/api/v1", headers=headers, trust_env=False, timeout=60
        ) as client:
            while True:
                with suppress(httpx2.TransportError):
                    after = {"after": self.ids[-1]} if self.ids else {}
                    answer = await client.get("/events", params={"limit": "200", **after})
                    if answer.status_code == 200:
                        self.ids += [each["id"] for each in answer.json()["data"]]
                await asyncio.sleep(FOLLOWS_EVERY)


async def _enable(stack: Stack, receiver: Receiver, tenants: Sequence[Tenant]) -> None:
    """Enable endpoints that were disabled because they answered 410, as their owners would."""
    owners = {path: tenant for tenant in tenants for path in tenant.paths}
    async with httpx2.AsyncClient(base_url=f"{stack.api_url}/api/v1", trust_env=False, timeout=60) as client:
        while True:
            for path in tuple(receiver.gone):
                tenant = owners[path]
                at, headers = tenant.endpoints[path], {"Authorization": f"Bearer {tenant.owner}"}
                with suppress(httpx2.TransportError):
                    shown = await client.get(at, headers=headers)
                    if shown.status_code != 200 or shown.json()["status"] != "disabled":
                        continue
                    answer = await client.patch(at, json={"status": "enabled"}, headers=headers)
                    if answer.status_code == 200:
                        receiver.gone.discard(path)
            await asyncio.sleep(0.2)


async def _tenant(client: RetryingClient, stack: Stack, receiver: Receiver, url: str, numbers: Sequence[int]) -> Tenant:
    name = f"Receiver {numbers[0]}"
    org_id, owner = await organization(client, stack, name)
    grant = {"organization_id": org_id, "amount": str(GRANTED), "source": "promotion"}
    await give(client, stack.seed.keys["operator"], "/credits/grants", grant, f"{name} grant")
    endpoints = {}
    for path in (f"/{number}" for number in numbers):
        wanted = {"url": url + path, "types": TYPES}
        made = await give(client, owner, "/webhook-endpoints", wanted, f"endpoint {path}")
        receiver.secrets[path], endpoints[path] = made["secret"], f"/webhook-endpoints/{made['id']}"
    return Tenant(org_id, owner, endpoints)


async def _count(
    findings: Findings,
    stack: Stack,
    receiver: Receiver,
    tenants: Sequence[Tenant],
    readers: Sequence[Reader],
    late: str,
    *,
    patience: float,
) -> None:
    """Compare what came with the events of the books, and with what the books say of their deliveries."""
    orgs = [tenant.org_id for tenant in tenants]
    deadline = time.monotonic() + patience
    async with books(stack) as connection:
        rows = "SELECT id, org_id, type, subject FROM events WHERE org_id = ANY($1)"
        recorded = await connection.fetch(rows, orgs)
        told = [row for row in recorded if row["type"] in TYPES]
        paths = {tenant.org_id: tenant.paths for tenant in tenants}
        wanted = {(path, row["id"]) for row in told for path in paths[row["org_id"]]}
        streamed = {row["id"] for row in recorded}
        while time.monotonic() < deadline:
            # What was answered last is written a moment later.
            settled = "SELECT count(*) FROM webhook_deliveries WHERE org_id = ANY($1) AND status <> 'pending'"
            is_over = await connection.fetchval(settled, orgs) >= len(wanted)
            if is_over and sum(len(reader.ids) for reader in readers) >= len(streamed):
                break
            await asyncio.sleep(0.2)
        rows = "SELECT id, status FROM webhook_deliveries WHERE org_id = ANY($1)"
        deliveries = await connection.fetch(rows, orgs)
    findings.check(
        f"{len(wanted)} webhooks of {len(told)} events, each of which came at least once",
        [f"{event} did not come to {path}" for path, event in wanted - receiver.taken.keys()]
        + [f"{event} came to {path} and is no event of it" for path, event in receiver.came.keys() - wanted],
    )
    findings.check(
        "each was signed, and came after those before it of its subject were answered",
        receiver.forged + receiver.early,
    )
    findings.check(
        f"{len(deliveries)} deliveries in the books, all of them delivered",
        [f"{row['id']} is {row['status']}" for row in deliveries if row["status"] != "delivered"]
        + ([] if len(deliveries) == len(wanted) else [f"{len(wanted)} were expected"]),
    )
    refused = ", ".join(f"{kind}: {count}" for kind, count in sorted(receiver.refused.items()))
    findings.check(f"the receiver did its worst ({refused or 'never'})", [])
    twice = receiver.taken.total() - len(receiver.taken)
    findings.check(
        f"{twice} webhooks were taken twice or more, {len(receiver.again)} were under way when a worker died",
        [
            f"{event} was under way to {path} and did not come again"
            for path, event in receiver.again
            if receiver.came[path, event] < 2
        ],
    )
    read = [event_id for reader in readers for event_id in reader.ids]
    findings.check(
        f"{len(read)} events were read by who followed the stream, each of them once",
        [f"{event_id} was not read" for event_id in streamed - set(read)]
        + [f"{event_id} was read {count} times" for event_id, count in Counter(read).items() if count > 1],
    )
    late_ids = {row["id"] for row in told if row["subject"] == late}
    findings.check(
        "what was committed late came to every endpoint and to the stream",
        ([] if len(late_ids) == 1 else [f"{late} has {len(late_ids)} events"])
        + [f"{event_id} was not read" for event_id in late_ids - set(readers[0].ids)]
        + [
            f"{event_id} did not come to {path}"
            for event_id in late_ids
            for path in tenants[0].paths
            if (path, event_id) not in receiver.taken
        ],
    )
