"""One run of webhooks: events come to a receiver of the run's own, while parts are killed with requests under way.

Each event is one of a reservation: made, captured, and refunded in parts. In the end every event of the books has come
to every endpoint, and none before the one before it was answered. How many came again is told: at least once is what
is promised.
"""

import asyncio
import json
import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg
from standardwebhooks import Webhook, WebhookVerificationError

from dev.stack.receiver import listening
from dev.stack.supervisor import Stack
from tests.faults.audit import Findings
from tests.faults.clients import Journal, NoResponse, RetryingClient
from tests.faults.load import Load, give, organization, prove, under_kills
from tests.faults.run import Say

#: What an event passes through.
PARTS = ("postgres", "temporal", "worker", "server")
TYPES = ["reservation.created", "reservation.captured", "spend.refunded"]
#: How often a reservation is refunded, and how many events that makes of each.
REFUNDS, EVENTS = 3, 5
#: Organizations have so many endpoints each, and as many credits.
TO_EACH, GRANTED = 10, 1_000_000
#: How long a webhook may take: a part that is killed again and again delays it by a few tries.
END_SECONDS = 240.0


@dataclass(frozen=True)
class WebhookSetup:
    """What a run is made of; the same setup draws the same kills."""

    seed: int
    events: int = 1_000
    endpoints: int = 10
    kills: int = 3
    parts: tuple[str, ...] = PARTS
    clients: int = 20

    @property
    def subjects(self) -> int:
        """Return how many reservations there are."""
        return max(1, self.events // EVENTS)


def described(setup: WebhookSetup) -> str:
    """Say what a run does."""
    return (
        f"{setup.subjects * EVENTS} events are sent to {setup.endpoints} endpoints, {TO_EACH} an organization; "
        f"{', '.join(setup.parts)} killed {setup.kills} times each, with webhooks under way"
    )


@dataclass(frozen=True)
class Tenant:
    """An organization with endpoints, and its owner's key."""

    org_id: str
    owner: str
    paths: tuple[str, ...]


class Receiver:
    """Verifies what comes, counts it, and sees whether it comes in order; holds its answers back while a strike falls.

    Attributes:
        came: how often each event came, by the path of its endpoint and its id.
        again: what was under way when a worker died: it has to come again.
    """

    def __init__(self) -> None:
        self.secrets: dict[str, str] = {}
        self.came: Counter[tuple[str, str]] = Counter()
        self.again: set[tuple[str, str]] = set()
        self.forged: list[str] = []
        self.early: list[str] = []
        self._answered: dict[tuple[str, str], set[int]] = defaultdict(set)
        self._held: set[tuple[str, str]] = set()
        self._is_open = True
        self._news = asyncio.Condition()

    async def take(self, path: str, headers: Mapping[str, str], body: bytes) -> int:
        """Take a webhook."""
        event = json.loads(body)
        try:
            Webhook(self.secrets[path]).verify(body, dict(headers))
        except WebhookVerificationError as error:
            self.forged.append(f"{event['id']} to {path}: {error}")
            return 401
        answered, number = self._answered[path, event["subject"]], event["subject_seq"]
        if not answered >= set(range(1, number)):
            self.early.append(f"{event['id']}, number {number} of {event['subject']}, to {path} after {answered}")
        self.came[path, event["id"]] += 1
        self._held.add((path, event["id"]))
        async with self._news:
            self._news.notify_all()
            await self._news.wait_for(lambda: self._is_open)
            self._held.discard((path, event["id"]))
            answered.add(number)
            self._news.notify_all()
        return 204

    async def has_all(self, paths: Iterable[str], subject: str) -> None:
        """Wait until every event of a subject was answered at these endpoints."""
        wanted = set(range(1, EVENTS + 1))
        async with self._news, asyncio.timeout(END_SECONDS):
            await self._news.wait_for(lambda: all(self._answered[path, subject] >= wanted for path in paths))

    @asynccontextmanager
    async def holding(self, parts: Sequence[str]) -> AsyncIterator[None]:
        """Have something under way when the strike falls, and answer it afterwards."""
        self._is_open = False
        async with self._news:
            await self._news.wait_for(lambda: self._held)
        yield
        if "worker" in parts:
            self.again |= self._held
        async with self._news:
            self._is_open = True
            self._news.notify_all()


async def run_webhooks(setup: WebhookSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return what was found."""
    findings, receiver, made = Findings(), Receiver(), dict[str, Tenant]()
    operator = stack.seed.keys["operator"]
    async with listening(receiver.take) as url:
        first = RetryingClient(stack.api_url, f"{setup.seed} webhooks", Journal())
        tenants = [
            await _tenant(first, stack, receiver, url, range(start, min(start + TO_EACH, setup.endpoints)))
            for start in range(0, setup.endpoints, TO_EACH)
        ]
        await first.close()

        async def live(client: RetryingClient, _: Journal, number: int) -> None:
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
                raise NoResponse(f"the webhooks of {held} did not come within {END_SECONDS:.0f} s") from None

        load = Load(
            seed=setup.seed,
            what="reservations",
            count=setup.subjects,
            kills=setup.kills,
            parts=setup.parts,
            clients=setup.clients,
        )
        journal = await under_kills(load, say, stack, findings, live, around=receiver.holding)
        await _count(findings, stack, receiver, tenants)
    findings.check(f"{len(made)} reservations made, captured and refunded, and all of it sent", journal.wrong)
    await prove(findings, stack)
    return findings


async def _tenant(client: RetryingClient, stack: Stack, receiver: Receiver, url: str, numbers: Sequence[int]) -> Tenant:
    name = f"Receiver {numbers[0]}"
    org_id, owner = await organization(client, stack, name)
    grant = {"organization_id": org_id, "amount": str(GRANTED), "source": "promotion"}
    await give(client, stack.seed.keys["operator"], "/credits/grants", grant, f"{name} grant")
    paths = tuple(f"/{number}" for number in numbers)
    for path in paths:
        wanted = {"url": url + path, "types": TYPES}
        receiver.secrets[path] = (await give(client, owner, "/webhook-endpoints", wanted, f"endpoint {path}"))["secret"]
    return Tenant(org_id, owner, paths)


async def _count(findings: Findings, stack: Stack, receiver: Receiver, tenants: Sequence[Tenant]) -> None:
    """Compare what came with the events of the books, and with what the books say of their deliveries."""
    orgs = [tenant.org_id for tenant in tenants]
    connection = await asyncpg.connect(stack.postgres.url(database="bursar"))
    deadline = time.monotonic() + END_SECONDS
    try:
        while True:
            rows = "SELECT id, status FROM webhook_deliveries WHERE org_id = ANY($1)"
            deliveries = await connection.fetch(rows, orgs)
            # What was answered last is written a moment later.
            if all(row["status"] != "pending" for row in deliveries) or time.monotonic() > deadline:
                break
            await asyncio.sleep(0.2)
        rows = "SELECT id, org_id FROM events WHERE org_id = ANY($1) AND type = ANY($2)"
        events = await connection.fetch(rows, orgs, TYPES)
    finally:
        await connection.close()
    paths = {tenant.org_id: tenant.paths for tenant in tenants}
    wanted = {(path, row["id"]) for row in events for path in paths[row["org_id"]]}
    findings.check(
        f"{len(wanted)} webhooks of {len(events)} events, each of which came at least once",
        [f"{event} did not come to {path}" for path, event in wanted - receiver.came.keys()]
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
    twice = receiver.came.total() - len(receiver.came)
    findings.check(
        f"{twice} webhooks were sent again, {len(receiver.again)} of them were under way when a worker died",
        [
            f"{event} was under way to {path} and did not come again"
            for path, event in receiver.again
            if receiver.came[path, event] < 2
        ],
    )
