"""A run of notifications by mail, Slack and inbox while the processes that read and send are killed.

Each fact is a contract that is proposed, an alert, or an alert that has a ladder, so that its escalation tells. The
stand-ins of the carriers take a message and keep their answer back while a strike falls: whether such a message has
arrived, no sender can know, and it comes again.

In the end each person has been told of each fact once over each channel, as the books have it; what they were sent has
arrived there at least once; and what arrived twice is what no sender could know of. A mail that came twice has the same
`Message-ID`.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

import asyncpg
import httpx2

from activities.messages.notification import AT_ONCE
from dev.stack.supervisor import Stack
from domain.messages.alert.life import Severity
from providers.notify.mail import message_id
from repositories.messages import alert
from runtime.database import Database
from runtime.identity import new_id
from tests.faults.audit import Findings, books, prove
from tests.faults.clients import PATIENCE_SECONDS, Journal, NoResponse, RetryingClient
from tests.faults.load import Load, give, organization, under_kills
from tests.faults.run import Say

#: What tells people, and what it needs.
PARTS = ("postgres", "temporal", "worker")
#: The people of each organization. Of a proposal owners and members are told, of an alert owners and admins, and of
#: one with a ladder the owners at first.
ROLES = ("owner", "admin", "member")
TOLD = {"contract": {"owner", "member"}, "alert": {"owner", "admin"}, "ladder": {"owner"}}
ALERTS = {"alert": "payment.purpose_gone", "ladder": "api_key.made_for_signatory"}
#: A message that was in hand when its sender died is tried again after a minute, two, four.
END_SECONDS = 600.0
LOOKS_EVERY = 0.3
#: What a strike on one of these leaves unknown: whoever sends, and where it writes down that it has.
FORGETS = frozenset({"worker", "postgres"})
_SUBJECT = re.compile(r"\b(?:ctr|pay)_[0-9a-z]{26}\b")

#: A fact by what it is about, and where it is told: an address, or the path of a hook.
Message = tuple[str, str]


@dataclass(frozen=True)
class NotificationSetup:
    """Setup of a run; the same setup draws the same kills."""

    seed: int
    facts: int = 120
    organizations: int = 4
    kills: int = 3
    parts: tuple[str, ...] = PARTS
    clients: int = 8


def described(setup: NotificationSetup) -> str:
    """Describe the run."""
    return (
        f"people of {setup.organizations} organizations are told of {setup.facts} facts by mail, Slack and inbox; "
        f"{', '.join(setup.parts)} killed {setup.kills} times each, with messages under way"
    )


@dataclass(frozen=True)
class Person:
    """A principal with its own address and hook."""

    org_id: str
    role: str
    channels: Mapping[str, str]

    @property
    def recipient(self) -> str:
        """Return its identity in the database."""
        return f"{self.org_id}/{self.role}"


@dataclass(frozen=True)
class Tenant:
    """An organization whose people are notified."""

    org_id: str
    agent_id: str
    people: Sequence[Person]

    def recipients_of(self, kind: str) -> list[Person]:
        """Return the recipients of an event of a kind."""
        return [each for each in self.people if each.role in TOLD[kind]]


@dataclass
class Carriers:
    """The mock mail server and Slack, with accepted messages and withheld answers.

    Attributes:
        mails: number of a mail → address, text and `Message-ID`.
        posts: number of a message of Slack → path of the hook and text.
        again: what was under way when a worker died: it has to come again.
        strikes: how many strikes left something unknown.
    """

    urls: Mapping[str, str]
    mails: dict[int, tuple[str, str, str]] = field(default_factory=dict)
    posts: dict[int, tuple[str, str]] = field(default_factory=dict)
    again: set[Message] = field(default_factory=set)
    strikes: int = 0
    news: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def follow(self) -> None:
        """Read accepted messages until cancelled."""
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
            while True:
                with suppress(httpx2.TransportError):
                    for mail in (await http.get(f"{self.urls['mail']}/mails")).json():
                        self.mails[mail["number"]] = (mail["recipients"][0], mail["text"], mail["message_id"])
                    for post in (await http.get(f"{self.urls['slack']}/messages")).json():
                        self.posts[post["number"]] = (post["hook"], post["message"]["text"])
                    async with self.news:
                        self.news.notify_all()
                await asyncio.sleep(LOOKS_EVERY)

    @property
    def came(self) -> Counter[Message]:
        """Return how often each address and hook received each event."""
        told = [(text, to) for to, text, _ in self.mails.values()] + [(text, to) for to, text in self.posts.values()]
        return Counter((found[0], to) for text, to in told if (found := _SUBJECT.search(text)))

    async def have(self, wanted: Collection[Message]) -> None:
        """Wait until all of these have arrived."""
        async with self.news, asyncio.timeout(END_SECONDS):
            await self.news.wait_for(lambda: self.came.keys() >= set(wanted))

    async def code(self, to: str) -> str:
        """Wait for the code sent to an address or a hook."""
        while True:
            async with self.news, asyncio.timeout(PATIENCE_SECONDS):
                told = [text for at, text, _ in self.mails.values() if at == to]
                told += [text for at, text in self.posts.values() if at == to]
                codes = [found[0] for text in told if (found := re.search(r"\b[0-9]{6}\b", text))]
                if codes:
                    return codes[-1]
                await self.news.wait()

    @asynccontextmanager
    async def holding(self, parts: Sequence[str]) -> AsyncIterator[None]:
        """Keep a message in flight during the kill and answer it afterwards."""
        async with httpx2.AsyncClient(trust_env=False, timeout=60) as http:
            for url in self.urls.values():
                await http.post(f"{url}/_control/hold", json={"hold": True})
            held = set[Message]()
            until = time.monotonic() + END_SECONDS
            while not held:
                if time.monotonic() > until:
                    raise NoResponse("no message was under way, so no strike could fall")
                await asyncio.sleep(0.05)
                for url in self.urls.values():
                    for to, text in (await http.get(f"{url}/_control/hold")).json()["held"]:
                        if found := _SUBJECT.search(text):
                            held.add((found[0], to))
            yield
            self.strikes += bool(FORGETS & set(parts))
            if "worker" in parts:
                self.again |= held
            for url in self.urls.values():
                await http.post(f"{url}/_control/hold", json={"hold": False})


async def run_notifications(setup: NotificationSetup, say: Say, stack: Stack) -> Findings:
    """Run once and return the findings."""
    findings = Findings()
    urls = {name: str(stack.sandboxes.dev[f"{name}_url"]) for name in ("mail", "slack")}
    carriers = Carriers(urls)
    database = Database(stack.postgres.url("bursar_api", "bursar"), stack.postgres.url("bursar_platform", "bursar"))
    following = asyncio.create_task(carriers.follow())
    first = RetryingClient(stack.api_url, f"{setup.seed} notifications", Journal())
    told: dict[Message, Person] = {}
    expected = Counter[tuple[str, str, str]]()
    try:
        _, buyer = await organization(first, stack, "Buyer of proposals")
        tenants = await asyncio.gather(
            *(_tenant(first, stack, carriers, f"{setup.seed}-{each}") for each in range(setup.organizations))
        )
        await first.close()
        say(f"  {setup.organizations} organizations with {len(ROLES)} people each, who verified an address and a hook")

        async def live(client: RetryingClient, _: Journal, number: int) -> None:
            tenant, kind = tenants[number % len(tenants)], ("contract", "alert", "ladder")[number // len(tenants) % 3]
            terms = {"agent_id": tenant.agent_id, "title": f"Fact {number}", "price": "5.00", "currency": "CREDIT"}
            proposal = {**terms, "review_period": "P10D"} if kind == "contract" else terms
            made = await give(client, buyer, "/contracts", proposal, f"notifications {number}")
            subject = made["id"] if kind == "contract" else await _alert(database, tenant.org_id, ALERTS[kind])
            wanted = {
                (subject, target): each for each in tenant.recipients_of(kind) for target in (*each.channels.values(),)
            }
            told.update(wanted)
            expected.update(
                (subject, each.recipient, channel)
                for each in tenant.recipients_of(kind)
                for channel in ("inbox", *each.channels)
            )
            try:
                await carriers.have(wanted)
            except TimeoutError:
                raise NoResponse(f"not everybody was told of {subject} within {END_SECONDS:.0f} s") from None

        load = Load(
            seed=setup.seed,
            what="facts",
            count=setup.facts,
            kills=setup.kills,
            parts=setup.parts,
            clients=setup.clients,
        )
        journal = await under_kills(load, say, stack, findings, live, around=carriers.holding)
        findings.check(f"{setup.facts} facts, and everybody told of each", journal.wrong)
        await _count(findings, stack, carriers, expected, set(told))
    finally:
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        await database.close()
    await prove(findings, stack)
    return findings


async def _tenant(client: RetryingClient, stack: Stack, carriers: Carriers, name: str) -> Tenant:
    """Make an organization with an agent and people, each of whom verifies an address and a hook."""
    org_id, owner = await organization(client, stack, f"Told {name}")
    agent = await give(client, owner, "/agents", {"name": f"Agent {name}"}, f"told {name} agent")

    async def person(role: str) -> Person:
        token = owner
        if role != "owner":
            wanted = {"organization_id": org_id, "principal": role, "role": role}
            token = (await give(client, owner, "/api-keys", wanted, f"told {name} {role}"))["secret"]
        address, hook = f"{role}-{name}@told.example", f"/services/T{name}/B0/{role}"
        wishes: list[tuple[str, dict[str, Any]]] = [
            (address, {"kind": "mail", "address": address}),
            (hook, {"kind": "slack", "url": f"{carriers.urls['slack']}{hook}"}),
        ]
        channels = {}
        for target, wish in wishes:
            made = (await give(client, token, "/notifications/channels", wish, f"told {target}"))["id"]
            code = {"code": await carriers.code(target)}
            await give(client, token, f"/notifications/channels/{made}/verify", code, f"told {target} code")
            channels[made] = target
        return Person(org_id, role, channels)

    return Tenant(org_id, agent["id"], await asyncio.gather(*(person(role) for role in ROLES)))


async def _alert(database: Database, org_id: str, kind: str) -> str:
    """Raise an alert as the product does until it is stored, and return its subject."""
    subject, until = new_id("pay"), time.monotonic() + PATIENCE_SECONDS
    while True:
        # By its key it is one alert, however often this is tried.
        try:
            async with database.platform() as session:
                severity = Severity.CRITICAL if kind == ALERTS["ladder"] else Severity.WARNING
                await alert.raise_alert(
                    session,
                    kind=kind,
                    subject=subject,
                    detail=f"Something is to be looked at: {subject}.",
                    org_id=org_id,
                    shared=True,
                    severity=severity,
                )
        except Exception as error:  # PostgreSQL is killed meanwhile, and says so in many ways.
            if time.monotonic() > until:
                raise NoResponse(f"the alert about {subject} could not be raised: {error}") from error
            await asyncio.sleep(0.2)
        else:
            return subject


async def _count(
    findings: Findings,
    stack: Stack,
    carriers: Carriers,
    expected: Counter[tuple[str, str, str]],
    wanted: set[Message],
) -> None:
    """Compare deliveries with the books' notifications, and these with the events."""
    rows: list[asyncpg.Record] = []
    deadline = time.monotonic() + END_SECONDS
    subjects = sorted({subject for subject, *_ in expected})
    while True:
        # What was answered last is written a moment later; what came while a strike fell, a minute later.
        async with books(stack) as connection:
            rows = await connection.fetch(
                "SELECT n.id, n.subject, n.recipient, n.channel, n.status, n.attempts, c.kind FROM notifications n "
                "LEFT JOIN notification_channels c ON c.id = n.channel "
                "WHERE n.subject = ANY($1) AND n.org_id = ANY($2)",
                subjects,
                sorted({recipient.partition("/")[0] for _, recipient, _ in expected}),
            )
        if all(row["status"] == "sent" for row in rows) or time.monotonic() > deadline:
            break
        await asyncio.sleep(0.5)
    noted = Counter((row["subject"], row["recipient"], row["channel"]) for row in rows)
    findings.check(
        f"{len(rows)} notifications in the books: of each fact each person once over each channel",
        [f"{each} is there {noted[each]} times" for each in noted | expected if noted[each] != expected[each]]
        + [f"{row['id']} is {row['status']}" for row in rows if row["status"] != "sent"],
    )
    came = carriers.came
    findings.check(
        f"{len(wanted)} mails and messages to Slack, each of which came at least once, and no others",
        [f"{each} did not come" for each in wanted - came.keys()] + [f"{each} came" for each in came.keys() - wanted],
    )
    twice = came.total() - len(came)
    findings.check(
        f"{twice} came again, at most {AT_ONCE} for each of {carriers.strikes} strikes that left them unknown",
        ([] if twice <= AT_ONCE * carriers.strikes else [f"{twice} came again"])
        + [f"{each} was under way and did not come again" for each in carriers.again if came[each] < 2],
    )
    ids = {message_id(f"notification:{row['id']}", "bursar.example"): row["attempts"] for row in rows}
    mails = Counter(name for _, text, name in carriers.mails.values() if _SUBJECT.search(text))
    findings.check(
        f"{mails.total()} mails under {len(mails)} names, those of their notifications, and no more often than tried",
        [f"{name} is no notification's" for name in mails.keys() - ids.keys()]
        + [
            f"{name} came {count} times and was tried {ids[name]}"
            for name, count in mails.items()
            if count > ids.get(name, count)
        ],
    )
