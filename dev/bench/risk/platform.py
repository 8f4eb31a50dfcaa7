"""A simulated platform, on which the product's decisions, detectors and cases say what takes place.

They run on PostgreSQL as in production; time, payers, banks and the operator are simulated. What follows from an act is
counted for the entities of its decision, as the reader of events does.
"""

import time
from collections import Counter as Tally
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from heapq import heappop, heappush
from random import Random

from temporalio.testing import ActivityEnvironment

from activities.risk.night import RiskNightActivities
from contracts.common.batch import BatchStep
from contracts.risk.night import DETECTORS, DetectFraud
from dev.bench.risk.rows import Rows, agent_of
from domain.common.access import Actor, Role
from domain.common.credits import CreditPrice
from domain.common.money import amounts_from
from domain.risk import case as case_rules
from domain.risk.act import EntityKind, Outcome, Point, RiskAct, StoredDecision, entity
from domain.risk.case import UNDECIDED, CaseResult, ListEntry
from domain.risk.facts import Counter
from domain.risk.rule import ListName
from domain.risk.settings import RiskSettings
from providers.expressions import compile_rule
from repositories.risk import case as cases, decision as decisions
from runtime import identity
from runtime.database import Database, driver_connection
from services.risk import case as case_service
from services.risk.decision import Risk, counted_entities

START = datetime(2026, 3, 2, tzinfo=UTC)
SETTINGS = RiskSettings(
    key=b"a key of the simulation",
    enforced=True,
    review_above=amounts_from("500.00"),
    price=CreditPrice(price=Decimal("0.10"), currency="USD"),
    # A loaded machine answers later than production must.
    within=timedelta(minutes=1),
)
OPERATOR = Actor(principal="kim", role=Role.OPERATOR)
SWEEP = timedelta(minutes=5)
_HELD = "SELECT subject FROM risk_holds WHERE kind = $1 AND ended_at IS NULL AND until > $2"
_CASES = "SELECT id, kind, org_ids FROM risk_cases WHERE created_at >= $1 AND created_at < $2"
_UNDECIDED = "SELECT id FROM risk_cases WHERE status = ANY ($1) ORDER BY id"

Doing = Callable[[], Awaitable[None]]


@dataclass
class Org:
    """A simulated organization.

    Attributes:
        at: its addresses; `cards` are what it pays with.
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

    def stopped_by(self) -> str:
        """Return the rule of the last act that did not take place."""
        return self.stops[-1][3] if self.stops else ""


class Platform:
    """The platform and its clock. Equal seeds repeat what happens."""

    def __init__(self, database: Database, rows: Rows, *, days: int, seed: int) -> None:
        """Plan nights and mornings of some days."""
        self.database, self.rows, self.draw = database, rows, Random(seed)
        self.risk = Risk(SETTINGS, compile_rule)
        self.now = START
        self.orgs: dict[str, Org] = {}
        self._detectors, self._environment = RiskNightActivities(database, SETTINGS.price), ActivityEnvironment()
        self._numbers, self._swept = 0, START
        self._agenda: list[tuple[datetime, int, Doing]] = []
        for day in range(1, days):
            self.plan(START + timedelta(days=day, hours=1), self._night)
            self.plan(START + timedelta(days=day, hours=9), self._morning)

    # The clock --------------------------------------------------------------------------------------------------------

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Give ids of this process the simulated time within the block."""
        vars(identity)["time"] = self
        try:
            yield
        finally:
            vars(identity)["time"] = time

    def time_ns(self) -> int:
        """Return the simulated time for ids."""
        return int(self.now.timestamp() * 1_000) * 1_000_000

    def plan(self, at: datetime, doing: Doing) -> None:
        """Let something happen at a time."""
        self._numbers += 1
        heappush(self._agenda, (at, self._numbers, doing))

    async def until(self, at: datetime) -> None:
        """Let all happen that is planned until a time, and go there."""
        while self._agenda and self._agenda[0][0] <= at:
            planned, _, doing = heappop(self._agenda)
            self.now = max(self.now, planned)
            await doing()
        self.now = max(self.now, at)

    async def wait(self, **given: float) -> None:
        """Go on by an amount of time."""
        await self.until(self.now + timedelta(**given))

    # Nights, sweeps and the operator ----------------------------------------------------------------------------------

    async def _night(self) -> None:
        for detector in DETECTORS:
            await self._environment.run(self._detectors.detect, DetectFraud(kind=detector, now=self.now))

    async def sweep(self) -> None:
        """Look for card testing and takeovers, unless that was done within five minutes."""
        if self.now - self._swept >= SWEEP:
            self._swept = self.now
            await self._environment.run(self._detectors.sweep, BatchStep(now=self.now))

    async def _morning(self) -> None:
        """Decide all cases: those of honest organizations are released, others refused and blocked for 30 days."""
        async with self.database.platform() as session:
            connection = await driver_connection(session)
            waiting = await connection.fetch(_UNDECIDED, sorted(status.value for status in UNDECIDED))
            for row in waiting:
                case = cases.state_of(await cases.get(session, row["id"], lock=True))  # type: ignore[arg-type]
                found = [self.orgs[org_id] for org_id in case.org_ids if org_id in self.orgs]
                guilty = [org for org in found if not org.is_honest]
                entries = tuple(
                    ListEntry(entity=f"organization:{org.id}", list=ListName.BLOCK, days=30) for org in guilty[:20]
                )
                result = CaseResult.REFUSE if guilty else CaseResult.RELEASE
                given = {"actor": OPERATOR.principal, "key_id": None, "result": result, "reason": "Seen."}
                outcome = case_rules.decide(case, self.now, entries=entries, **given)  # type: ignore[arg-type]
                command_id = self.name("cmd")
                outcome = case_rules.with_receipt(outcome, command_id)
                await cases.write(session, outcome, command_id=command_id, at=self.now)
                await case_service.take_effect(session, outcome, command_id=command_id, actor=OPERATOR, at=self.now)

    # Names ------------------------------------------------------------------------------------------------------------

    def name(self, prefix: str) -> str:
        """Return an id that is in the order of creation."""
        self._numbers += 1
        return f"{prefix}_{self._numbers:026d}"

    def address(self) -> str:
        """Return a public address, mostly of a network of its own."""
        return f"{self.draw.choice((45, 62, 81, 93))}.{self.draw.randrange(256)}.{self.draw.randrange(256)}.9"

    def new(self, *, is_honest: bool, at: list[str] | None = None, device: str | None = None) -> Org:
        """Return an organization that is not there yet."""
        org_id = self.name("org")
        return Org(org_id, device or f"device of {org_id}", at or [self.address()], [self.name("card")], is_honest)

    # Acts -------------------------------------------------------------------------------------------------------------

    async def sign_up(self, org: Org) -> bool:
        """Evaluate a sign-up as the platform does, and make the organization with a key if it may be."""
        seen = {EntityKind.DEVICE: org.device, EntityKind.ADDRESS: org.at[0]}
        command_id = self.name("cmd")
        act = RiskAct(point=Point.SIGNUP, actor=OPERATOR, org_id=None, subject=org.id, command_id=command_id, seen=seen)
        if (await self.decide(org, act)).outcome is not Outcome.ALLOW:
            return False
        await self.rows.organization(org.id, self.now)
        self.orgs[org.id] = org
        await self.make_key(org)
        return True

    async def make_key(self, org: Org) -> None:
        """Issue a key to an organization."""
        org.keys.append(self.name("key"))
        await self.rows.key(org.keys[-1], org.id, self.now)

    def _by(self, org: Org, address: str | None, device: str | None, agent: bool = False) -> Actor:
        return Actor(
            principal="owner",
            role=Role.AGENT if agent else Role.OWNER,
            org_id=org.id,
            agent_id=agent_of(org.id) if agent else None,
            key_id=org.keys[-1],
            address=address or org.at[0],
            device=device or org.device,
        )

    async def act(
        self,
        org: Org,
        point: Point,
        amount: int = 0,
        *,
        address: str | None = None,
        device: str | None = None,
        payee: str | None = None,
        seen: Mapping[EntityKind, str] | None = None,
        facts: Mapping[str, int | str] | None = None,
    ) -> StoredDecision:
        """Decide an act by an organization's newest key."""
        act = RiskAct(
            point=point,
            actor=self._by(org, address, device, agent=point is Point.DELIVER),
            org_id=org.id,
            subject=self.name("sub"),
            command_id=self.name("cmd"),
            amount_minor=amount,
            currency="USD" if amount else "",
            provider="stripe" if amount else "",
            counterparty_org_id=payee,
            seen=seen or {},
            facts=facts or {},
        )
        return await self.decide(org, act)

    async def decide(self, org: Org, act: RiskAct) -> StoredDecision:
        """Decide an act now, and note what stops it."""
        await self.sweep()
        async with self.database.platform() as session:
            verdict = await self.risk.decide(session, act, self.now)
        if verdict.outcome is not Outcome.ALLOW:
            org.stops.append((self.now, act.point, verdict.outcome, verdict.rule or ""))
        return verdict

    async def pay(self, org: Org, amount: int, card: str, address: str, *, is_good: bool) -> tuple[str, str]:
        """Pay on session; only a card's owner passes a challenge.

        Returns `paid`, `declined`, or the outcome that stops it, and the id of what was paid.
        """
        verdict = await self.act(org, Point.PAYMENT, amount, address=address)
        if verdict.outcome in {Outcome.BLOCK, Outcome.REVIEW}:
            return verdict.outcome.value, ""
        is_challenged = verdict.outcome is Outcome.CHALLENGE
        is_paid = is_good and (org.is_honest or not is_challenged)
        counts = {Counter.PAID: 1, Counter.PAID_VALUE: amount} if is_paid else {Counter.DECLINED: 1}
        await self.follow(org, counts, address=address, card=card)
        if is_paid:
            return "paid", await self.rows.payment(org.id, amount, self.now)
        return (Outcome.CHALLENGE.value if is_challenged else "declined"), ""

    async def follow(
        self, org: Org, counts: Mapping[Counter, int], *, address: str | None = None, card: str | None = None
    ) -> None:
        """Count what follows from an act, and link the card that the provider reports."""
        seen = {} if card is None else {EntityKind.INSTRUMENT: card}
        by = self._by(org, address, None)
        act = RiskAct(point=Point.PAYMENT, actor=by, org_id=org.id, subject="", command_id="", seen=seen)
        async with self.database.platform() as session:
            connection = await driver_connection(session)
            await decisions.count(connection, counted_entities(act.entities(SETTINGS.key)), counts, self.now)
            stored = None if card is None else entity(EntityKind.INSTRUMENT, card, SETTINGS.key)
            if stored is not None:
                await decisions.link(connection, [stored], org.id, self.now)

    async def refund(self, org: Org, payment_id: str, amount: int) -> bool:
        """Refund a payment to its payer, and return whether that takes place."""
        passes = (await self.act(org, Point.REFUND, amount)).outcome is Outcome.ALLOW
        if passes:
            await self.rows.refund(payment_id, amount)
        return passes

    async def fund(self, payer: Org, payee: Org, amount: int) -> bool:
        """Award and fund a job, and return whether that takes place."""
        await self.act(payer, Point.AWARD, payee=payee.id)
        return (await self.act(payer, Point.FUND, amount, payee=payee.id)).outcome is Outcome.ALLOW

    async def deliver(self, payee: Org, payer: Org, amount: int, *, seconds: int, artifact: str) -> str | None:
        """Deliver a funded job; return its escrow, or None if the delivery does not take place."""
        seen, facts = {EntityKind.ARTIFACT: artifact}, {"delivered_minutes": seconds // 60}
        if (await self.act(payee, Point.DELIVER, payee=payer.id, seen=seen, facts=facts)).outcome is not Outcome.ALLOW:
            return None
        return await self.rows.escrow(payer.id, payee.id, amount, self.now)

    async def release(self, escrow_id: str, payee: Org, payer: Org, seconds: int, *, silent: bool = False) -> None:
        """Release an escrow, on approval or because nobody reviewed it in time."""
        await self.rows.release(escrow_id)
        await self.rows.delivered(payer.id, payee.id, seconds, self.now)
        if silent:
            act = RiskAct(point=Point.DELIVER, actor=OPERATOR, org_id=payee.id, subject="", command_id="")
            async with self.database.platform() as session:
                counted = counted_entities(act.entities(None))
                connection = await driver_connection(session)
                await decisions.count(connection, counted, {Counter.SILENT_RELEASES: 1}, self.now)

    async def rate(self, payer: Org, payee: Org) -> bool:
        """Give the best feedback on a job, and return whether that takes place."""
        passes = (await self.act(payer, Point.FEEDBACK, payee=payee.id)).outcome is Outcome.ALLOW
        if passes:
            await self.rows.rating(payer.id, payee.id, self.now)
        return passes

    # What was stopped -------------------------------------------------------------------------------------------------

    async def held(self, kind: str) -> set[str]:
        """Return the subjects of open holds."""
        async with self.database.platform() as session:
            connection = await driver_connection(session)
            return {row["subject"] for row in await connection.fetch(_HELD, kind, self.now)}

    def honest_stops(self) -> Tally[tuple[str, str]]:
        """Return how many acts of honest organizations each rule stopped or challenged, with the outcome."""
        honest = [org for org in self.orgs.values() if org.is_honest]
        return Tally((rule, outcome.value) for org in honest for _, _, outcome, rule in org.stops)

    async def cases_since(self, since: datetime) -> list[tuple[str, set[str]]]:
        """Return the kinds and the organizations of cases that were opened since a time."""
        async with self.database.platform() as session:
            connection = await driver_connection(session)
            found = await connection.fetch(_CASES, since, self.now + timedelta(seconds=1))
        return [(row["kind"], set(row["org_ids"])) for row in found]
