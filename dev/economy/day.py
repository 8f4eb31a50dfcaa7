"""The day: what each kind of agent does, and whether the books answered as the second count says they must."""

import asyncio
import random
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from dev.economy.agent import KINDS, Agent, Kind
from dev.economy.count import Budget, Count, Slot, SpendRequest, slot_of
from dev.economy.report import Report
from dev.economy.world import ORG, World
from domain.common.calendar import Window
from domain.common.errors import Invalid
from domain.common.money import CREDIT, format_amount
from domain.credits.spend.control import SubjectKind
from domain.credits.spend.scope import Attribution, RequestedScope, ScopeObjects, SpendingKey, scope_of
from ledger.gateway import Ledger
from ledger.purchases import NewPurchase, Purchases
from ledger.spending import Spending
from ledger.spends import NewSpend, OnLimit, Pool, Spender, SpendOutcome, SpendResult

TICK = timedelta(minutes=10)
TICKS = 144
#: From these ticks on nothing is held any more, and nothing that was is still held: the day ends with what was paid.
LAST_HOLD, ALL_FREE = TICKS - 10, TICKS - 4
#: How long a reservation holds, and a purchase that nobody answers.
HELD = timedelta(hours=1)
#: When emergencies are declared, and when they end.
DECLARED, OVER = 54, 72
#: How often somebody asks for less after a refusal.
TRIES = 3


@dataclass
class Hold:
    """An open hold: the budgets that count it, and how it ends."""

    agent: Agent | None
    counted: tuple[tuple[Slot, int], ...]
    amount: int
    asset: str
    since: datetime
    end: Callable[[asyncpg.Connection, int, datetime], Awaitable[None]]
    is_purchase: bool
    expires_at: datetime


class Day:
    """A day of one organization."""

    def __init__(self, world: World, begins: datetime, seed: int) -> None:
        """Take the world; the same seed draws the same agents and wishes. Who comes first is up to the machine."""
        self.world, self.begins, self.seed = world, begins, seed
        self.draw = random.Random(seed)
        self.count = Count(world.worth)
        self.report = Report()
        self.agents: list[Agent] = []
        self.projects: dict[str, Budget] = {}
        self.holds: dict[str, Hold] = {}
        self._due: defaultdict[int, list[tuple[str, int]]] = defaultdict(list)
        self._tick = 0

    @property
    def now(self) -> datetime:
        """The time of the day."""
        return self.begins + self._tick * TICK

    # The budgets ------------------------------------------------------------------------------------------------------

    async def cast(self, projects: int, agents: int) -> None:
        """Open the budgets: half of the projects in Canadian dollars, half in credits."""
        self.count.worth = self.world.worth
        each = agents // projects
        whole = {"CAD": 2_500, CREDIT: 200_000_000}
        sums = 0
        plans = []
        for number in range(projects):
            asset = "CAD" if number % 2 else CREDIT
            dailies = [int(whole[asset] * self.draw.uniform(0.4, 1.6)) for _ in range(each)]
            # In every third project the agents' own budgets bind, in the others the project's.
            operating = int(sum(dailies) * (1.3 if number % 3 == 0 else 0.6))
            plans.append((f"prj_{number}", asset, dailies, operating))
            sums += self.world.worth.most(min(operating, sum(dailies)), asset, CREDIT, self.begins)
        organization = await self.world.budget(
            SubjectKind.ORGANIZATION,
            ORG,
            CREDIT,
            {Window.HOUR: sums // 8, Window.DAY: sums * 3 // 2, Window.MONTH: sums * 20},
        )
        for index, (name, asset, dailies, operating) in enumerate(plans):
            reserve, emergency = operating // 4, operating // 10
            budget = await self.world.budget(
                SubjectKind.PROJECT,
                name,
                asset,
                {Window.WEEK: operating + reserve + emergency},
                reserve=reserve,
                emergency=emergency,
                **({"may_draw_reserve": reserve // 3} if index % 4 < 2 else {}),
            )
            self.projects[name] = budget
            for number, daily in enumerate(dailies):
                await self._hire(
                    f"agt_{name}_{number}", KINDS[number % len(KINDS)], name, (budget, organization), daily
                )

    async def _hire(self, id_: str, kind: Kind, project: str, above: tuple[Budget, Budget], daily: int) -> None:
        more = {"per_spend": daily // 6} if kind is Kind.SPLITTING else {}
        limits = {Window.HOUR: daily // 3, Window.DAY: daily}
        own = await self.world.budget(SubjectKind.AGENT, id_, above[0].asset, limits, **more)
        draw = random.Random(f"{self.seed}/{id_}")
        self.agents.append(Agent(id_, kind, project, (own, *above), daily, draw, draw.randrange(ALL_FREE, TICKS)))

    def pools(self) -> list[tuple[str, str, str]]:
        """Return what was used of each pool of the projects' budgets and what is left, written out, by currency."""
        found: Counter[tuple[str, Pool, bool]] = Counter()
        for budget in self.projects.values():
            assert budget.pools_of is not None
            for pool in (Pool.OPERATING, Pool.RESERVE, Pool.EMERGENCY):
                slot = slot_of(budget.control_id, budget.pools_of, self.begins, pool)
                found[budget.asset, pool, True] += self.count.used[slot]
                found[budget.asset, pool, False] += budget.room(slot) - self.count.used[slot]
        return [
            (f"{pool}, {asset}", format_amount(used, asset), format_amount(found[asset, pool, False], asset))
            for (asset, pool, is_used), used in found.items()
            if is_used
        ]

    # The hours --------------------------------------------------------------------------------------------------------

    async def play(self) -> Report:
        """Play all ticks of the day."""
        for self._tick in range(TICKS + 1):
            await self._sweep()
            await asyncio.gather(*(self._end(key, part) for key, part in self._due.pop(self._tick, ())))
            if self._tick == TICKS:
                break
            if self._tick == DECLARED:
                for budget in list(self.projects.values())[::9]:
                    await self.world.declare(budget, self.begins + OVER * TICK, self.now)
            if self._tick % 6 == 0:
                for name in list(self.projects)[self._tick // 6 :: 24]:
                    await asyncio.gather(self._granted(name), self._granted(name))
            acting = [agent for agent in self.agents if self._acts(agent)]
            await asyncio.gather(*map(self._act, acting))
        self._prove(await self.world.counted(), await self.world.held())
        self.report.still_fits = self._still_fits()
        return self.report

    def _prove(self, books: dict[Slot, int], held: list[str]) -> None:
        """Compare what the books count with the second count, and that with what the budgets state."""
        self.report.stuck = [*held, *self.holds]
        count = {slot: used for slot, used in self.count.used.items() if used}
        for slot in books.keys() | count.keys():
            if books.get(slot, 0) != count.get(slot, 0):
                self.report.differs.append(f"{slot}: {books.get(slot, 0)}, and not {count.get(slot, 0)}")
        budgets = {budget.control_id: budget for agent in self.agents for budget in agent.chain}
        for slot, used in books.items():
            if used > budgets[slot[0]].room(slot):
                self.report.passed.append(f"{slot}: {used} of {budgets[slot[0]].room(slot)}")

    def _acts(self, agent: Agent) -> bool:
        """Return whether an agent acts in this tick: some do, more towards the end, and each once in the last ones."""
        often = 0.045 if self._tick < TICKS - 18 else 0.1
        return agent.draw.random() < often or self._tick == agent.last

    async def _act(self, agent: Agent) -> None:
        # Wishes end before the last hours, in which the windows of an hour still let through what waits.
        if self._tick < TICKS * 3 // 4:
            daily = self.world.worth.most(agent.daily, agent.chain[0].asset, CREDIT, self.now)
            agent.wants += int(daily * agent.draw.uniform(0.1, 0.35)) * (3 if agent.kind is Kind.GREEDY else 1)
        match agent.kind:
            case Kind.GREEDY:
                await asyncio.gather(
                    *(self._spend(agent, agent.wants // 3, or_reserve=True, tries=1) for _ in range(8))
                )
            case Kind.LEAKY if self._tick < LAST_HOLD:
                await self._hold(agent, agent.wants // 2, dies=agent.draw.random() < 0.4)
            case Kind.SPLITTING:
                await self._split(agent)
            case Kind.TURNED:
                await self._turn(agent)
            case Kind.STEADY if agent.draw.random() < 0.3 and self._tick < LAST_HOLD:
                await self._hold(agent, agent.wants // 2, dies=False)
        await self._spend(agent, agent.wants)

    async def _spend(self, agent: Agent, amount: int, *, or_reserve: bool = False, tries: int = TRIES) -> None:
        """Charge, and where it is too much, what the refusal says is left."""
        for _ in range(tries):
            if amount <= 0:
                return
            spent = await self._ask(
                agent, SpendRequest(chain=agent.chain, amount=amount, asset=CREDIT, at=self.now, or_reserve=or_reserve)
            )
            refusal = spent.refusal
            if refusal is None or refusal.remaining is None:
                return
            amount = min(amount - 1, self.world.worth.most(refusal.remaining, refusal.asset, CREDIT, self.now))

    async def _split(self, agent: Agent) -> None:
        """Buy outside what needs an approval; when it is refused, in parts that need none."""
        own = agent.chain[0]
        assert own.per_spend is not None
        part = self.world.worth.most(own.per_spend, own.asset, CREDIT, self.now)
        if agent.wants > part and self._tick < LAST_HOLD:
            await self._buy(agent, agent.wants)
        while agent.wants > part:
            if (
                await self._ask(agent, SpendRequest(chain=agent.chain, amount=part, asset=CREDIT, at=self.now))
            ).refusal:
                break

    async def _hold(self, agent: Agent, amount: int, *, dies: bool) -> None:
        """Reserve credits or buy outside; the result comes some ticks later, or never."""
        if agent.draw.random() < 0.5:
            await self._buy(agent, amount, dies=dies)
        elif amount > 0:
            asked = SpendRequest(chain=agent.chain, amount=amount, asset=CREDIT, at=self.now)
            await self._ask(agent, asked, holds=True, dies=dies)

    async def _buy(self, agent: Agent, amount: int, *, dies: bool = False, pool: Pool = Pool.OPERATING) -> None:
        asset = agent.draw.choice(("USD", "CAD"))
        paid = self.world.worth.most(amount, CREDIT, asset, self.now)
        if paid > 0:
            asked = SpendRequest(chain=agent.chain, amount=paid, asset=asset, at=self.now, pool=pool)
            await self._ask(agent, asked, holds=True, dies=dies)

    async def _granted(self, project: str) -> None:
        """A person grants all that is left of the reserve to a purchase of the project; another one does it as well."""
        budget, organization = self.projects[project], self.agents[0].chain[-1]
        slot = next(slot for slot, _ in budget.rooms(Pool.RESERVE, self.now, draws=True, granted=True))
        left = self.world.worth.most(budget.reserve - self.count.used[slot], budget.asset, "USD", self.now)
        if left > 0:
            asked = SpendRequest(
                chain=(budget, organization), amount=left, asset="USD", at=self.now, pool=Pool.RESERVE, granted=True
            )
            await self._ask(None, asked, holds=True, spender=Spender(project_id=project, principal="person"))

    # What is not an agent's to do -------------------------------------------------------------------------------------

    async def _turn(self, agent: Agent) -> None:
        """Name another agent, grant a purchase to itself, move a pool, and draw pools that may be closed."""
        other = agent.draw.choice(self.agents)
        if other is not agent:
            key = SpendingKey(key_id="key", agent_id=agent.id, attribution=Attribution(project_id=agent.project))
            try:
                scope_of(
                    key,
                    RequestedScope(agent_id=other.id),
                    ScopeObjects(agents={other.id: Attribution(project_id=other.project)}),
                )
            except Invalid:
                self.report.forged["tried"] += 1
            else:
                self.report.forged["could"] += 1
        async with self.world.as_tenant() as connection:
            mine = Purchases(connection, ORG)
            grant = NewPurchase(
                order_id=self.world.key(), number=0, asset="USD", amount_minor=1, spender=agent.spender, granted=True
            )
            await self._forge(connection, lambda: mine.authorize(grant, at=self.now))
            await self._forge(
                connection,
                lambda: mine.move_pool(
                    agent.chain[1].control_id,
                    from_pool=Pool.EMERGENCY,
                    to_pool=Pool.OPERATING,
                    amount_minor=1,
                    asset=agent.chain[1].asset,
                    by=agent.id,
                    reason="mine",
                    command_id=self.world.key(),
                    at=self.now,
                ),
            )
        for pool in (Pool.RESERVE, Pool.EMERGENCY):
            asked = SpendRequest(
                chain=agent.chain, amount=max(1, agent.wants // 4), asset=CREDIT, at=self.now, pool=pool
            )
            await self._ask(agent, asked)

    async def _forge(self, connection: asyncpg.Connection, call: Callable[[], Awaitable[object]]) -> None:
        self.report.forged["tried"] += 1
        try:
            async with connection.transaction():
                await call()
        except asyncpg.InsufficientPrivilegeError:
            return
        self.report.forged["could"] += 1

    # The books --------------------------------------------------------------------------------------------------------

    async def _ask(
        self,
        agent: Agent | None,
        asked: SpendRequest,
        *,
        holds: bool = False,
        dies: bool = False,
        spender: Spender | None = None,
    ) -> SpendResult:
        """Ask the books, and compare the answer with the second count before anybody else is answered."""
        who = "persons" if agent is None else agent.kind.value
        spender = spender or (Spender() if agent is None else agent.spender)
        key, part = self.world.key(), 100 if agent is None else agent.draw.randint(80, 100)
        async with self.world.transaction() as connection:
            if asked.asset == CREDIT:
                new = NewSpend(
                    key=key,
                    action="work",
                    amount_minor=asked.amount,
                    spender=spender,
                    pool=asked.pool,
                    on_limit=OnLimit.RESERVE if asked.or_reserve else OnLimit.REFUSE,
                )
                books = Spending(connection, ORG)
                spent = await (
                    books.authorize(new, expires_at=asked.at + HELD, at=asked.at)
                    if holds
                    else books.charge(new, at=asked.at)
                )
            else:
                bought = NewPurchase(
                    order_id=key,
                    number=0,
                    asset=asked.asset,
                    amount_minor=asked.amount,
                    spender=spender,
                    pool=asked.pool,
                    on_limit=OnLimit.RESERVE if asked.or_reserve else OnLimit.REFUSE,
                    granted=asked.granted,
                )
                spent = await Purchases(connection, ORG).authorize(bought, at=asked.at)
            self._compare(who, asked, spent, agent, key, holds=holds)
        if key in self.holds and not dies:
            after = 1 if agent is None else agent.draw.randint(1, 4)
            self._due[self._tick + after].append((key, part))
        return spent

    def _compare(
        self, who: str, asked: SpendRequest, spent: SpendResult, agent: Agent | None, key: str, *, holds: bool
    ) -> None:
        judged = self.count.judge(asked, holds=holds)
        self.report.asked[who] += 1
        through = spent.outcome in {SpendOutcome.CHARGED, SpendOutcome.RESERVED}
        if through and (not judged.fits or spent.pool is not judged.pool):
            self.report.passed.append(f"{asked} from {spent.pool}, and not {judged}")
        if not through and judged.fits:
            self.report.wrongly_refused.append(f"{asked} as {spent.outcome}: {spent.refusal}")
        if not through:
            reason = spent.outcome.value if spent.refusal is None else spent.refusal.reason.value
            self.report.refused[who, reason] += 1
            return
        self.count.take(judged.counted)
        credits = self.world.worth.most(asked.amount, asked.asset, CREDIT, asked.at)
        if agent is not None:
            agent.wants = max(0, agent.wants - credits)
        if not holds:
            self.report.got[who] += credits
            self.count.gone += asked.amount if asked.asset == CREDIT else 0
            return

        async def settle(connection: asyncpg.Connection, paid: int, at: datetime) -> None:
            assert spent.spend_id is not None
            await Spending(connection, ORG).settle(
                key=self.world.key(), spend_id=spent.spend_id, amount_minor=paid, at=at
            )

        async def pay(connection: asyncpg.Connection, paid: int, at: datetime) -> None:
            await Purchases(connection, ORG).move(
                key, 0, spent_minor=paid, returned_minor=asked.amount - paid, refunded_minor=0, at=at
            )

        self.holds[key] = Hold(
            agent=agent,
            counted=tuple(judged.counted),
            amount=asked.amount,
            asset=asked.asset,
            since=asked.at,
            end=settle if asked.asset == CREDIT else pay,
            is_purchase=asked.asset != CREDIT,
            expires_at=asked.at + HELD,
        )

    async def _end(self, key: str, part: int) -> None:
        """Pay a part of a hold, in hundredths, and give the rest back."""
        hold = self.holds.pop(key)
        paid = max(1, hold.amount * part // 100)
        async with self.world.transaction() as connection:
            await hold.end(connection, paid, self.now)
            self.count.settle(hold.counted, hold.amount, paid)
        self.count.gone += paid if hold.asset == CREDIT else 0
        credits = self.world.worth.most(paid, hold.asset, CREDIT, hold.since)
        who = "persons" if hold.agent is None else hold.agent.kind.value
        self.report.got[who] += credits
        if hold.agent is not None:
            hold.agent.wants += self.world.worth.most(hold.amount - paid, hold.asset, CREDIT, hold.since)

    async def _sweep(self) -> None:
        """Expire what is due, as the schedule does, and give back purchases that nobody answered."""
        due = {key: hold for key, hold in self.holds.items() if hold.expires_at <= self.now}
        async with self.world.transaction() as connection:
            while await Ledger(connection).expire_holds(now=self.now):
                pass
            for hold in due.values():
                if hold.is_purchase:
                    await hold.end(connection, 0, self.now)
                self.count.settle(hold.counted, hold.amount, 0)
        for key in due:
            del self.holds[key]
        self.report.expired += len(due)

    def _still_fits(self) -> int:
        """Return what is still wanted and would have fitted into the budgets of the day."""
        found, now = 0, self.now - TICK
        for agent in self.agents:
            amount = min(agent.wants, self.count.left(agent.chain, CREDIT, now))
            self.count.take(
                self.count.judge(SpendRequest(chain=agent.chain, amount=amount, asset=CREDIT, at=now)).counted
            )
            found += amount
        return found
