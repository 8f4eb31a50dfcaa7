"""Attacks on a small marketplace, each played against three ways to score: a plain mean, Beta(1,1), and the product.

Every day clients with a job see a few agents and take the one that ranks highest; now and then they try another. The
attacker knows the rules, and no trait relates it to its helpers: what `related` finds out counts for nothing anyway.
"""

import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from statistics import mean, stdev
from typing import Protocol

from dev.bench.reputation_market import Market
from domain.reputation.clients import ClientFact, client_increment, feedback_weight_e6
from domain.reputation.evidence import ONE_E6
from domain.reputation.facts import FactKind, increments, shares_of
from domain.reputation.score import rank_e6
from domain.reputation.weights import Stakes, weight_e6

START = date(2026, 1, 1)
WARM_UP, DAYS = 40, 100
AGENTS, CLIENTS, JOBS, SEEN = 30, 60, 20, 8
TRIES = 0.1
#: Values of jobs in cents, and how often each is.
VALUES, OFTEN = (5_00, 50_00, 500_00), (3, 6, 1)
COMMISSION = 0.05
CHEAP = 1_00
STAKES = Stakes()


@dataclass(frozen=True, slots=True)
class Job:
    agent: str
    client: str
    is_good: bool
    value: int


class Scorer(Protocol):
    name: str

    def sleep(self, day: date) -> None: ...
    def rank(self, agent: str) -> float: ...
    def take(self, job: Job) -> None: ...


class Mean:
    """The share of good jobs, one half for who has none; every job counts the same."""

    name = "mean"
    prior = 0

    def __init__(self) -> None:
        self.of: dict[str, list[int]] = {}

    def sleep(self, day: date) -> None:
        pass

    def rank(self, agent: str) -> float:
        bad, good = self.of.get(agent, (0, 0))
        whole = good + bad + 2 * self.prior
        return (good + self.prior) / whole if whole else 0.5

    def take(self, job: Job) -> None:
        self.of.setdefault(job.agent, [0, 0])[job.is_good] += 1


class PlainBeta(Mean):
    name = "Beta(1,1)"
    prior = 1


class Product:
    """`domain.reputation`: task success alone, ranked by its lower bound."""

    name = "product"

    def __init__(self) -> None:
        self.agents, self.clients = Market(START), Market(START)

    def sleep(self, day: date) -> None:
        self.agents.sleep(day)
        self.clients.sleep(day)

    def rank(self, agent: str) -> float:
        return rank_e6(self.agents.row(agent)) / ONE_E6

    def take(self, job: Job) -> None:
        commission = int(job.value * COMMISSION)
        rater = feedback_weight_e6(self.clients.row(job.client))
        weight = weight_e6(job.value, commission, rater, STAKES)
        for each in increments(shares_of(FactKind.RELEASED if job.is_good else FactKind.REFUNDED), weight):
            self.agents.take(job.agent, job.client, each.good_e6, each.bad_e6, rater)
        if job.is_good:
            whole = weight_e6(job.value, commission, ONE_E6, STAKES)
            for fact in (ClientFact.PAID, ClientFact.ACCEPTED):
                self.clients.take(job.client, job.agent, *client_increment(fact, whole), ONE_E6)


SCORERS: tuple[type[Mean] | type[Product], ...] = (Mean, PlainBeta, Product)


class World:
    """The marketplace from its first day, with the attack that joins after the warm-up."""

    def __init__(self, scorer: Scorer, attack: "type[Attack]", seed: int) -> None:
        self.scorer, self.seed = scorer, seed
        self.chance = random.Random(seed)
        self.quality = {f"agent{n}": self.chance.uniform(0.8, 0.99) for n in range(AGENTS)}
        self.clients = [f"client{n}" for n in range(CLIENTS)]
        #: Agents of the attacker that clients can choose.
        self.joined: list[str] = []
        self.earned = dict.fromkeys(self.quality, 0)
        self.spent = 0
        self.day = 0
        self.attack = attack(self)

    def run(self, days: int = DAYS) -> "Found":
        for self.day in range(days):
            self.scorer.sleep(START + timedelta(days=self.day))
            if self.day >= WARM_UP:
                self.attack.act()
            for _ in range(JOBS):
                self._job()
            if self.day >= WARM_UP:
                self.attack.found.ranks.append(mean(self.place(agent) for agent in self.attack.shown()))
        self.attack.end()
        return self.attack.found

    def _job(self) -> None:
        client, value = self.chance.choice(self.clients), self.chance.choices(VALUES, OFTEN)[0]
        seen = self.chance.sample([*self.quality, *self.joined], SEEN)
        luck, tries = self.chance.random(), self.chance.random() < TRIES
        agent = seen[0] if tries else max(seen, key=self.scorer.rank)
        honest = agent in self.quality
        job = Job(agent, client, luck < (self.quality[agent] if honest else self.attack.works(value)), value)
        self.scorer.take(job)
        if self.day < WARM_UP:
            return
        if honest:
            self.earned[agent] += value * job.is_good
        elif not job.is_good:
            self.attack.cheated(job)

    def place(self, agent: str) -> float:
        """Return how many honest agents of a hundred rank below."""
        rank = self.scorer.rank(agent)
        others = [self.scorer.rank(other) for other in self.quality if other != agent]
        return 100 * sum((other < rank) + (other == rank) / 2 for other in others) / len(others)

    def buy(self, agent: str, client: str, value: int, *, is_good: bool = True) -> None:
        """Order from an agent by an accomplice, who gets the money back less the commission."""
        self.scorer.take(Job(agent, client, is_good, value))
        self.spent += int(value * COMMISSION) if is_good else 0


@dataclass(slots=True)
class Found:
    """Result of an attack.

    Attributes:
        ranks: how many honest agents of a hundred ranked below, day by day.
        points: points of 0 to 10 that the attack moved, and `cost` the cents that were paid for it.
        loss: cents of jobs that honest clients lost to cheats, or that the victim did not earn.
        of: what the victim earned without the attack.
        until: cheats of each agent until it was detected: below nine honest agents of ten.
        never: how many of them were not.
    """

    ranks: list[float] = field(default_factory=list)
    points: float = 0.0
    cost: int = 0
    loss: int = 0
    of: int = 0
    until: list[int] = field(default_factory=list)
    never: int = 0


class Attack:
    """An agent that joins after the warm-up, lets helpers raise it, and then does three jobs of ten."""

    name = ""

    def __init__(self, world: World) -> None:
        self.world = world
        self.found = Found()
        #: Cheats of who was not detected, and who was.
        self.cheats: dict[str, int] = {}
        self.caught: set[str] = set()

    def agents(self) -> list[str]:
        return ["x"]

    def act(self) -> None:
        """Do something at the start of a day: join and be raised on the first."""
        if self.world.day > WARM_UP:
            return
        self.world.joined = self.agents()
        before = self.rank()
        self.farm()
        self.found.points = 10 * (self.rank() - before)
        self.found.cost = self.world.spent // len(self.world.joined)

    def rank(self) -> float:
        return mean(self.world.scorer.rank(agent) for agent in self.shown())

    def farm(self) -> None:
        """Buy reputation."""

    def works(self, value: int) -> float:  # noqa: ARG002 (one attack looks at the value)
        """Return the chance that a job of this value is done well."""
        return 0.3

    def detected(self, agent: str) -> bool:
        return self.world.place(agent) < 10

    def cheated(self, job: Job) -> None:
        self.found.loss += job.value
        if job.agent in self.caught:
            return
        self.cheats[job.agent] = self.cheats.get(job.agent, 0) + 1
        if self.detected(job.agent):
            self.caught.add(job.agent)
            self.found.until.append(self.cheats.pop(job.agent))

    def shown(self) -> Sequence[str]:
        return self.world.joined

    def end(self) -> None:
        self.found.until += self.cheats.values()
        self.found.never = len(self.cheats)


class Whitewashing(Attack):
    name = "whitewashing"

    def act(self) -> None:
        """Come back under a new name as soon as that ranks higher than the old one."""
        if not self.world.joined or self.detected(self.world.joined[0]):
            self.world.joined = [f"x{self.world.day}"]

    def works(self, value: int) -> float:  # noqa: ARG002
        return 0.1

    def detected(self, agent: str) -> bool:
        return self.world.scorer.rank(agent) < self.world.scorer.rank("newcomer")


class SybilRing(Attack):
    name = "Sybil ring"
    helpers = 20
    each = 10
    value = CHEAP

    def farm(self) -> None:
        for helper in range(self.helpers):
            for agent in self.world.joined:
                for _ in range(self.each):
                    self.world.buy(agent, f"helper{helper}", self.value)


class DearRing(SybilRing):
    name = "Sybil ring, typical jobs"
    each = 1
    value = STAKES.typical_minor


class BallotStuffing(SybilRing):
    name = "ballot stuffing"
    helpers = 1
    each = 200


class Collusion(SybilRing):
    name = "collusion"
    helpers = 5
    each = 8

    def agents(self) -> list[str]:
        return [f"x{n}" for n in range(5)]


class BadMouthing(Attack):
    name = "bad-mouthing"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.victim = max(world.quality, key=world.quality.__getitem__)

    def act(self) -> None:
        """Order typical jobs from the best agent on ten days, and have the money sent back: that pays no commission."""
        if self.world.day < WARM_UP + 10:
            before = self.rank()
            for helper in range(5):
                self.world.buy(self.victim, f"helper{helper}", STAKES.typical_minor, is_good=False)
            self.found.points += 10 * (before - self.rank())

    def shown(self) -> Sequence[str]:
        return [self.victim]

    def end(self) -> None:
        alone = World(type(self.world.scorer)(), NoAttack, self.world.seed)
        alone.run()
        self.found.of = alone.earned[self.victim]
        self.found.loss = self.found.of - self.world.earned[self.victim]


class NoAttack(BadMouthing):
    def act(self) -> None:
        """Leave everybody alone."""

    def end(self) -> None:
        """Leave nothing to say."""


class OnOff(Attack):
    name = "on-off"

    def __init__(self, world: World) -> None:
        super().__init__(world)
        world.joined = self.agents()

    def act(self) -> None:
        """Leave it to `works`, from the first day on."""

    def works(self, value: int) -> float:  # noqa: ARG002
        """Cheat on five days of fifteen."""
        days = self.world.day - WARM_UP
        return 0.05 if days >= 0 and days % 15 < 5 else 0.97


class BigCheat(Attack):
    name = "cheap deeds, one big cheat"

    def farm(self) -> None:
        """Do cheap jobs well for honest clients."""
        for client in self.world.clients[:50]:
            self.world.buy("x", client, CHEAP)

    def works(self, value: int) -> float:
        return 0.97 if value < max(VALUES) else 0.0


ATTACKS: tuple[type[Attack], ...] = (
    Whitewashing,
    SybilRing,
    DearRing,
    BallotStuffing,
    BadMouthing,
    OnOff,
    Collusion,
    BigCheat,
)


def interval(values: Sequence[float], form: str) -> str:
    """Write a mean and half of its interval of 95 %, from one value a seed."""
    if not any(values):
        return "-"
    half = 1.96 * stdev(values) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return f"{mean(values):{form}} ± {half:{form}}"


def row(name: str, scorer: str, found: Sequence[Found]) -> str:
    """Write what one attack came to against one way to score."""
    loss = interval([each.loss / 100 for each in found], ",.0f")
    if before := sum(each.of for each in found):
        loss += f" ({sum(each.loss for each in found) / before:.0%})"
    until = interval([mean(each.until) for each in found if each.until], ".1f")
    if never := sum(each.never for each in found):
        until += f"; {never} of {sum(len(each.until) for each in found)} never"
    cells = (
        name,
        scorer,
        interval([mean(each.ranks) for each in found], ".0f"),
        interval([each.points for each in found], ".2f"),
        interval([each.cost / 100 / each.points for each in found if each.cost and each.points > 0], ".2f"),
        loss,
        until,
    )
    return f"| {' | '.join(cells)} |"


def table(seeds: Iterable[int]) -> list[str]:
    """Play every attack against every way to score, on the same seeds, and write the table."""
    rows = ["| attack | scored by | rank, of 100 | points moved | cost of a point | loss | cheats until detected |"]
    rows.append("|---|---|---|---|---|---|---|")
    tried = list(seeds)
    for attack in ATTACKS:
        for scorer in SCORERS:
            found = [World(scorer(), attack, seed).run() for seed in tried]
            rows.append(row(attack.name, scorer.name, found))
    return rows
