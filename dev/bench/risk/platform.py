"""A simulated platform: honest organizations act on a calendar, and the product's decisions say what takes place.

Decisions, counters and links are the product's, on PostgreSQL; time, payers and banks are simulated. What follows from
an act is counted for the entities of its decision, as the reader of events does.
"""

import random
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.common.money import amounts_from
from domain.risk.act import Act, EntityKind, Outcome, Point, Verdict, entity
from domain.risk.facts import Counter
from domain.risk.policy import RiskSettings
from providers.expressions import compile_rule
from repositories.risk import decision as decisions
from runtime.database import Database, driver_connection
from services.risk.decision import Risk, counted_entities

START = datetime(2026, 3, 2, tzinfo=UTC)
#: Days of honest acts before the first attack, so that attackers do not stand out as the only ones with a past.
BEFORE = 10
SETTINGS = RiskSettings(
    key=b"a key of the simulation",
    enforced=True,
    review_above=amounts_from("500.00"),
    price=CreditPrice(price=Decimal("0.10"), currency="USD"),
    # A loaded machine answers later than production must.
    within=timedelta(minutes=1),
)
_ORGANIZATION = text(
    "INSERT INTO organizations (id, name, created_by, command_id, created_at) VALUES (:id, :id, 'operator', :id, :at)"
)
_KEY = text("""
INSERT INTO api_keys (id, org_id, principal, role, secret_hash, created_by, command_id, created_at, place)
VALUES (:id, :org, :principal, 'owner', :hash, 'operator', :id, :at, 1)
""")
_HELD = "SELECT subject FROM risk_holds WHERE kind = $1 AND ended_at IS NULL AND until > $2"

Doing = Callable[[], Awaitable[None]]
Night = Callable[[AsyncSession, datetime], Awaitable[None]]


@dataclass
class Org:
    """A simulated organization.

    Attributes:
        at: the addresses that it acts from; `cards` are what it pays with.
        keys: ids of its API keys, the newest last.
        stops: the outcomes of its acts other than allow, with the rule, in the order of time.
    """

    id: str
    device: str
    at: list[str]
    cards: list[str]
    is_honest: bool
    keys: list[str] = field(default_factory=list)
    stops: list[tuple[datetime, Point, Outcome, str]] = field(default_factory=list)


class Platform:
    """The platform, its clock, and its honest organizations; a function of the seed."""

    def __init__(self, database: Database, *, honest: int, days: int, seed: int, nights: Night | None = None) -> None:
        """Plan what the honest do; `nights` runs at two o'clock of each simulated day."""
        self.database, self.draw = database, random.Random(seed)
        self.risk = Risk(SETTINGS, compile_rule)
        self.now = START
        self.orgs: dict[str, Org] = {}
        self._numbers = 0
        self._nights = nights
        self._agenda: list[tuple[datetime, int, Doing]] = []
        for day in range(1, BEFORE + days):
            self.plan(START + timedelta(days=day, hours=2), self._night)
        offices = [self.address() for _ in range(max(1, honest // 60))]
        for _ in range(honest):
            self._plan_honest(offices, days)

    # The clock ------------------------------------------------------------------------------------------------

    def plan(self, at: datetime, doing: Doing) -> None:
        """Let something happen at a time."""
        self._numbers += 1
        heappush(self._agenda, (at, self._numbers, doing))

    async def until(self, at: datetime) -> None:
        """Let all happen that is planned until a time, and go there."""
        while self._agenda and self._agenda[0][0] <= at:
            self.now, _, doing = heappop(self._agenda)
            await doing()
        self.now = at

    async def wait(self, **time: float) -> None:
        """Go on by an amount of time."""
        await self.until(self.now + timedelta(**time))

    async def _night(self) -> None:
        if self._nights is not None:
            async with self.database.platform() as session:
                await self._nights(session, self.now)

    # Names ----------------------------------------------------------------------------------------------------

    def name(self, prefix: str) -> str:
        """Return an id that is in the order of creation."""
        self._numbers += 1
        return f"{prefix}_{self._numbers:026d}"

    def address(self) -> str:
        """Return a public address of a network of its own."""
        return f"{self.draw.choice((45, 62, 81, 93))}.{self.draw.randrange(256)}.{self.draw.randrange(256)}.9"

    def new(self, *, is_honest: bool, at: list[str] | None = None, device: str | None = None) -> Org:
        """Return an organization that is not there yet."""
        org_id = self.name("org")
        return Org(org_id, device or f"device of {org_id}", at or [self.address()], [self.name("card")], is_honest)

    # Acts -----------------------------------------------------------------------------------------------------

    async def sign_up(self, org: Org) -> bool:
        """Evaluate a sign-up as the platform does, and make the organization with a key if it may be."""
        operator = Actor(principal="platform", role=Role.OPERATOR)
        seen = {EntityKind.DEVICE: org.device, EntityKind.ADDRESS: org.at[0]}
        act = Act(
            point=Point.SIGNUP, actor=operator, org_id=None, subject=org.id, command_id=self.name("cmd"), seen=seen
        )
        verdict = await self.decide(org, act)
        if verdict.outcome is not Outcome.ALLOW:
            return False
        async with self.database.platform() as session:
            await session.execute(_ORGANIZATION, {"id": org.id, "at": self.now})
        self.orgs[org.id] = org
        await self.make_key(org)
        return True

    async def make_key(self, org: Org) -> None:
        """Issue a key to an organization."""
        key = self.name("key")
        row = {"id": key, "org": org.id, "principal": key, "hash": key.encode(), "at": self.now}
        async with self.database.platform() as session:
            await session.execute(_KEY, row)
        org.keys.append(key)

    async def act(self, org: Org, point: Point, amount: int = 0, **given: object) -> Verdict:
        """Decide an act of an organization's newest key; `given` are further fields of `Act`."""
        address = str(given.pop("address", org.at[0]))
        actor = Actor(
            principal="owner",
            role=Role.OWNER,
            org_id=org.id,
            key_id=org.keys[-1],
            address=address,
            device=str(given.pop("device", org.device)),
        )
        fields: dict[str, object] = {"subject": self.name("sub"), "command_id": self.name("cmd"), **given}
        if amount:
            fields |= {"amount_minor": amount, "currency": "USD", "provider": "stripe"}
        return await self.decide(org, Act(point=point, actor=actor, org_id=org.id, **fields))  # type: ignore[arg-type]

    async def decide(self, org: Org, act: Act) -> Verdict:
        """Decide an act now, and note what stops it."""
        async with self.database.platform() as session:
            verdict = await self.risk.decide(session, act, self.now)
        if verdict.outcome is not Outcome.ALLOW:
            org.stops.append((self.now, act.point, verdict.outcome, verdict.rule or ""))
        return verdict

    async def pay(self, org: Org, amount: int, card: str, address: str, *, is_good: bool) -> str:
        """Pay on session: `paid`, `declined`, or the outcome that stops it. Only a card's owner passes a challenge."""
        verdict = await self.act(org, Point.PAYMENT, amount, address=address)
        if verdict.outcome in {Outcome.BLOCK, Outcome.REVIEW}:
            return verdict.outcome.value
        is_challenged = verdict.outcome is Outcome.CHALLENGE
        is_paid = is_good and (org.is_honest or not is_challenged)
        counts = {Counter.PAID: 1, Counter.PAID_VALUE: amount} if is_paid else {Counter.DECLINED: 1}
        await self.follow(org, counts, address=address, card=card)
        if is_challenged and not is_paid:
            return Outcome.CHALLENGE.value
        return "paid" if is_paid else "declined"

    async def follow(
        self, org: Org, counts: Mapping[Counter, int], *, address: str | None = None, card: str | None = None
    ) -> None:
        """Count what follows from an act, and link the card that the provider reports."""
        actor = Actor(
            principal="owner",
            role=Role.OWNER,
            org_id=org.id,
            key_id=org.keys[-1],
            address=address or org.at[0],
            device=org.device,
        )
        seen = {} if card is None else {EntityKind.INSTRUMENT: card}
        act = Act(point=Point.PAYMENT, actor=actor, org_id=org.id, subject="", command_id="", seen=seen)
        async with self.database.platform() as session:
            connection = await driver_connection(session)
            await decisions.count(connection, counted_entities(act.entities(SETTINGS.key)), counts, self.now)
            if card is not None:
                stored = entity(EntityKind.INSTRUMENT, card, SETTINGS.key)
                await decisions.link(connection, [] if stored is None else [stored], org.id, self.now)

    async def held(self, kind: str) -> set[str]:
        """Return the subjects of open holds."""
        async with self.database.platform() as session:
            connection = await driver_connection(session)
            return {row["subject"] for row in await connection.fetch(_HELD, kind, self.now)}

    # The honest -----------------------------------------------------------------------------------------------

    def _plan_honest(self, offices: list[str], days: int) -> None:
        """Plan the life of an honest organization: sign-up, payments, keys, refunds, and sales of one of four."""
        draw, home = self.draw, self.address()
        org = self.new(is_honest=True, at=[draw.choice(offices)] if draw.random() < 0.15 else [home])
        org.cards += [self.name("card") for _ in range(draw.random() < 0.15)]
        joins = START + timedelta(days=draw.uniform(0, BEFORE + days - 1))

        async def join() -> None:
            if await self.sign_up(org):
                for at, doing in self._life(org, START + timedelta(days=BEFORE + days)):
                    self.plan(at, doing)

        self.plan(joins, join)

    def _life(self, org: Org, end: datetime) -> Iterator[tuple[datetime, Doing]]:
        draw, at, sells = self.draw, self.now, self.draw.random() < 0.25
        usual = draw.lognormvariate(8, 1)
        earned: datetime | None = None
        while (at := at + timedelta(hours=draw.expovariate(1 / 72))) < end:
            yield at, lambda: self._honest_payment(org, max(100, round(usual * draw.uniform(0.3, 2))))
            if draw.random() < 0.03:
                yield at + timedelta(hours=3), lambda: self._honest_refund(org, round(usual))
            if draw.random() < 0.02:
                yield at + timedelta(hours=1), lambda: self.make_key(org)
            if sells:
                yield at + timedelta(hours=5), lambda: self._honest_delivery(org)
                since = earned = earned or at + timedelta(hours=6)
                paid_at = since + timedelta(hours=max(30.0, draw.gauss(14 * 24, 4 * 24)))
                if paid_at < at + timedelta(hours=6):
                    hours = int((at - since).total_seconds()) // 3600
                    yield at + timedelta(hours=6), lambda hours=hours: self._honest_payout(org, hours)

    async def _honest_payment(self, org: Org, amount: int) -> None:
        address = org.at[0] if self.draw.random() < 0.85 else self.address()
        for card in (org.cards[0], org.cards[-1], org.cards[0]):
            is_good = self.draw.random() > 0.05
            if await self.pay(org, amount, card, address, is_good=is_good) != "declined":
                return
            self.now += timedelta(seconds=40)

    async def _honest_refund(self, org: Org, amount: int) -> None:
        await self.act(org, Point.REFUND, amount)

    async def _honest_delivery(self, org: Org) -> None:
        await self.act(
            org, Point.DELIVER, seen={EntityKind.ARTIFACT: self.name("sha")}, facts={"delivered_minutes": 300}
        )

    async def _honest_payout(self, org: Org, hours: int) -> None:
        await self.act(org, Point.PAYOUT, 5_000, facts={"first_earning_hours": hours})

    def stopped_honest(self, since: datetime, until: datetime) -> Tally[str]:
        """Return how many honest organizations were blocked, reviewed and challenged within a time."""
        found: Tally[str] = Tally()
        for org in self.orgs.values():
            if org.is_honest:
                found.update({outcome.value for at, _, outcome, _ in org.stops if since <= at < until})
        return found

    def honest_stops(self) -> Tally[tuple[str, str]]:
        """Return how many acts of honest organizations each rule stopped, with its outcome."""
        honest = [org for org in self.orgs.values() if org.is_honest]
        return Tally((rule, outcome.value) for org in honest for _, _, outcome, rule in org.stops)

    def honest(self) -> int:
        """Return how many honest organizations have signed up."""
        return sum(org.is_honest for org in self.orgs.values())
