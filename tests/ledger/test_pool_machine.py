"""A model of a budget with pools, and the books under uses of credits, purchases outside, moves and emergencies.

A project has a budget of a week with a reserve, an emergency pool and a carry-over; its agent has one of a day below.
Each answer of the books is the one that the model gives beforehand, and every counter is the model's after each act.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from math import ceil
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from domain.common.errors import Conflict
from ledger.purchases import NewPurchase, Purchases
from ledger.rates import set_credit_rate
from ledger.spends import LiftedWindow, NewSpend, OnLimit, Pool, RefusalReason, Spender, SpendOutcome, SpendResult
from tests.conftest import DatabaseUrls
from tests.support.books import NOW, fresh
from tests.support.machines import PICKS, OverBooks, picked, run_machine
from tests.support.spends import Tenant, limits

pytestmark = pytest.mark.db

WEEK, DAY = 600, 300
AMOUNTS = st.integers(1, 90)
STEPS = st.sampled_from([timedelta(hours=1), timedelta(hours=20), timedelta(days=5)])
#: A hundred credits cost so much, in minor units, so a purchase in USD is converted by both. A credit is whole units of
#: CAD, because the parts of a lot are rounded together.
PRICES = {"CREDIT": 100, "CAD": 200, "USD": 60}
ASKED = st.sampled_from(
    [
        (Pool.OPERATING, OnLimit.REFUSE),
        (Pool.OPERATING, OnLimit.RESERVE),
        (Pool.RESERVE, OnLimit.REFUSE),
        (Pool.EMERGENCY, OnLimit.REFUSE),
    ]
)
#: Whose, which window, when it begins, and which pool.
Place = tuple[str, str, datetime, Pool]


@dataclass
class Counted:
    """Something that was let through: a use, a reservation or a purchase."""

    amount: int
    #: What all of it counts, in the budgets' currency; the same in each place.
    counts: int
    places: list[Place]
    spend_id: UUID | None = None
    order_id: str | None = None
    spent: int = 0
    returned: int = 0
    refunded: int = 0

    def used(self) -> int:
        kept = ceil(self.counts * (self.amount - self.returned) / self.amount)
        spent = ceil(self.counts * self.spent / self.amount)
        back = spent if self.refunded == self.spent else self.counts * self.refunded // self.amount
        return kept - back


@dataclass
class Model:
    now: datetime = NOW
    amount: int = WEEK
    reserve: int = 200
    emergency: int = 100
    carry_over: int = 50
    allowance: int = 80
    emergency_until: datetime = NOW
    moved: dict[Place, int] = field(default_factory=dict)
    carried: dict[datetime, int] = field(default_factory=dict)
    all: list[Counted] = field(default_factory=list)

    @property
    def day(self) -> datetime:
        return self.now.replace(hour=0, minute=0, second=0, microsecond=0)

    @property
    def week(self) -> datetime:
        return self.day - timedelta(days=self.day.weekday())

    def used(self, place: Place) -> int:
        return sum(each.used() for each in self.all if place in each.places)

    def operating(self, week: datetime) -> int:
        carried = self.carried.get(week, self.carried_now(week))
        moved = self.moved.get(("project", "week", week, Pool.OPERATING), 0)
        return self.amount - self.reserve - self.emergency + moved + carried

    def carried_now(self, week: datetime) -> int:
        if week <= NOW:
            return 0
        before = week - timedelta(days=7)
        left = self.amount - self.reserve - self.emergency
        if before in self.carried:
            left = self.operating(before) - self.used(("project", "week", before, Pool.OPERATING))
        return min(self.carry_over, max(0, left))

    def limit(self, place: Place) -> int:
        _, window, start, pool = place
        if window == "day":
            return DAY
        if pool is Pool.OPERATING:
            return self.operating(start)
        own = {Pool.RESERVE: self.reserve, Pool.EMERGENCY: self.emergency, Pool.ALLOWANCE: self.allowance}[pool]
        return own + self.moved.get(place, 0)

    def left(self, place: Place) -> int:
        """What is left of a pool, and of all pools of its window together, which pass no amount that was stated."""
        whose, window, start, pool = place
        own = self.limit(place) - self.used(place)
        if pool is Pool.ALLOWANCE or window == "day":
            return own
        carried = self.carried.get(start, self.carried_now(start) if pool is Pool.OPERATING else 0)
        pools = (Pool.OPERATING, Pool.RESERVE, Pool.EMERGENCY)
        return min(own, self.amount + carried - sum(self.used((whose, window, start, each)) for each in pools))

    def places(self, pool: Pool, granted: bool) -> list[Place]:
        found: list[Place] = [("agent", "day", self.day, Pool.OPERATING), ("project", "week", self.week, pool)]
        if pool is Pool.RESERVE and not granted:
            found.append(("project", "week", self.week, Pool.ALLOWANCE))
        return found

    def refusing(self, counts: int, pool: Pool, granted: bool, lifted: bool) -> Place | None:
        """The window that refuses longest, in the order of the books where two do."""
        refused = [
            place
            for place in self.places(pool, granted)
            if counts > self.left(place) and not (lifted and place[1] == "week")
        ]
        return max(refused, key=lambda place: place[1] == "week", default=None)

    def decide(
        self, counts: int, asked: Pool, on_limit: OnLimit, granted: bool = False, lifted: bool = False
    ) -> Pool | Place | None:
        """The pool that is drawn, or the place that refuses, or None where the pool is closed."""
        if asked is Pool.EMERGENCY and self.emergency_until <= self.now:
            return None
        refused = self.refusing(counts, asked, granted, lifted)
        if refused is None:
            return asked
        if on_limit is OnLimit.RESERVE and self.refusing(counts, Pool.RESERVE, granted, lifted) is None:
            return Pool.RESERVE
        return refused

    def change(self, amount: int, reserve: int, emergency: int) -> None:
        """Take new amounts: no pool goes below what was used of it, the operating pool yields last to the emergency."""
        if (amount, reserve, emergency) == (self.amount, self.reserve, self.emergency):
            return
        pools = (Pool.OPERATING, Pool.RESERVE, Pool.EMERGENCY)
        places: list[Place] = [("project", "week", self.week, pool) for pool in pools]
        used = [self.used(place) for place in places]
        used[0] -= self.carried.get(self.week, 0)
        operates, draws = max(0, used[0]), max(0, used[1])
        moved = [self.moved.get(place, 0) for place in places]
        third = max(0, used[2], min(emergency + moved[2], amount - operates - draws))
        third = min(third, amount)
        second = min(max(draws, min(reserve + moved[1], amount - third - operates)), amount - third)
        after = (amount - third - second - (amount - reserve - emergency), second - reserve, third - emergency)
        for place, was, new in zip(places, moved, after, strict=True):
            if was != new:
                self.moved[place] = new
                if place[3] is Pool.OPERATING:
                    self.carried.setdefault(self.week, self.carried_now(self.week))
        self.amount, self.reserve, self.emergency = amount, reserve, emergency

    def count(self, made: Counted) -> None:
        for _, window, start, pool in made.places:
            if window == "week" and pool is Pool.OPERATING:
                self.carried.setdefault(start, self.carried_now(start))
        self.all.append(made)


def worth(amount: int, asset: str) -> int:
    return -(-amount * PRICES["CAD"] // PRICES[asset])


class PoolMachine(OverBooks):
    @initialize()
    def open(self) -> None:
        self.model = Model()
        self.tenant = self.wait(Tenant.opened(self.books))
        connection = self.books.connections[0]
        for asset in ("CAD", "USD"):
            self.wait(
                set_credit_rate(connection, asset=asset, credit_minor=100, asset_minor=PRICES[asset], starts_at=NOW)
            )
        self.purchases = Purchases(connection, self.tenant.org_id)
        kept = {"kind": "budget", "asset": "CAD", "zone": "UTC", "week_starts": 1}
        pools = {"pools_of": "week", "reserve": 200, "emergency": 100, "carry_over": 50, "may_draw_reserve": 80}
        project = {"subject_kind": "project", "subject_id": "prj_1"}
        agent = {"subject_kind": "agent", "subject_id": "agt_1"}
        self.project = self.wait(self.tenant.write(None, kept | limits(week=WEEK).columns() | project | pools))
        below = {"parent_id": str(self.project)}
        self.agent = self.wait(self.tenant.write(None, kept | limits(day=DAY).columns() | agent | below))

    @rule(step=STEPS)
    def pass_time(self, step: timedelta) -> None:
        self.model.now += step

    @rule(hours=st.integers(-2, 30))
    def declare_emergency(self, hours: int) -> None:
        self.model.emergency_until = self.model.now + timedelta(hours=hours)
        self.wait(self.tenant.write(self.project, {"emergency_until": self.model.emergency_until.isoformat()}))

    @rule(amount=st.integers(50, 700), data=st.data(), allowance=st.integers(0, 120))
    def change(self, amount: int, data: st.DataObject, allowance: int) -> None:
        """Raise or cut the amount and the pools; what was used of each pool before stays there."""
        emergency = data.draw(st.integers(0, min(150, amount)), "emergency")
        reserve = data.draw(st.integers(0, min(300, amount - emergency)), "reserve")
        self.model.change(amount, reserve, emergency)
        self.model.allowance = allowance
        pools = {"reserve": reserve, "emergency": emergency, "may_draw_reserve": allowance}
        self.wait(self.tenant.write(self.project, limits(week=amount).columns() | pools, at=self.model.now))

    @rule(amount=AMOUNTS, asked=ASKED, reserves=st.booleans())
    def use(self, amount: int, asked: tuple[Pool, OnLimit], reserves: bool) -> None:
        pool, on_limit = asked
        spend = NewSpend(
            key=fresh("use"), action="call", amount_minor=amount, spender=Spender(agent_id="agt_1"), pool=pool,
            on_limit=on_limit,
        )  # fmt: skip
        now, client = self.model.now, self.tenant.spending
        expected = self.model.decide(worth(amount, "CREDIT"), pool, on_limit)
        if reserves:
            spent = self.wait(client.authorize(spend, expires_at=now + timedelta(days=30), at=now))
        else:
            spent = self.wait(client.charge(spend, at=now))
        if isinstance(expected, Pool):
            assert spent.pool is expected
            made = Counted(amount, worth(amount, "CREDIT"), self.model.places(expected, False), spent.spend_id)
            made.spent = 0 if reserves else amount
            self.model.count(made)
        self._as_expected(spent, expected, {True: SpendOutcome.RESERVED, False: SpendOutcome.CHARGED}[reserves])

    @rule(amount=AMOUNTS, asked=ASKED, granted=st.booleans(), lifts=st.booleans(), forced=st.booleans())
    def buy(self, amount: int, asked: tuple[Pool, OnLimit], granted: bool, lifts: bool, forced: bool) -> None:
        pool, on_limit = (asked[0], OnLimit.REFUSE) if forced else asked
        new = NewPurchase(
            order_id=fresh("po"), number=0, asset="USD", amount_minor=amount, spender=Spender(agent_id="agt_1"),
            pool=pool, on_limit=on_limit, granted=granted, forced=forced,
            lifted=[LiftedWindow(self.project, "week")] if lifts else [],
        )  # fmt: skip
        counts = worth(amount, "USD")
        expected = self.model.decide(counts, pool, on_limit, granted, lifts)
        if forced:
            # What has happened already counts in what there is to operate with where its pool is closed.
            expected = Pool.OPERATING if expected is None else pool
        spent = self.wait(self.purchases.authorize(new, at=self.model.now))
        again = self.wait(self.purchases.authorize(new, at=self.model.now))
        assert again.outcome is spent.outcome
        assert again.replayed is isinstance(expected, Pool)
        if isinstance(expected, Pool):
            assert spent.pool is expected
            made = Counted(amount, counts, self.model.places(expected, granted), order_id=new.order_id)
            made.spent = amount if forced else 0
            self.model.count(made)
        self._as_expected(spent, expected, SpendOutcome.RESERVED)

    def _as_expected(self, spent: SpendResult, expected: Pool | Place | None, passed: SpendOutcome) -> None:
        if isinstance(expected, Pool):
            assert spent.outcome is passed
        elif expected is None:
            assert spent.outcome is SpendOutcome.POOL_CLOSED
        else:
            assert spent.refusal is not None
            assert spent.refusal.reason is RefusalReason.LIMIT
            left = max(0, self.model.left(expected))
            # Of two pools of one window that refuse, either is named.
            assert spent.refusal.window == expected[1]
            if spent.refusal.pool is expected[3]:
                assert spent.refusal.remaining == left

    @rule(pick=PICKS, part=st.integers(1, 90), ends=st.booleans())
    def settle(self, pick: int, part: int, ends: bool) -> None:
        """Capture a part of what is held, and give the rest back or keep it."""
        held = [each for each in self.model.all if each.spent + each.returned < each.amount]
        if not held:
            return
        known = picked(held, pick)
        part = min(part, known.amount - known.spent - known.returned)
        if known.spend_id is not None:
            self.wait(
                self.tenant.spending.settle(
                    key=fresh("take"), spend_id=known.spend_id, amount_minor=part, more=not ends, at=self.model.now
                )
            )
        known.spent += part
        known.returned = known.amount - known.spent if ends else 0
        self._move(known)

    @rule(pick=PICKS)
    def release(self, pick: int) -> None:
        held = [each for each in self.model.all if each.spent + each.returned < each.amount]
        if not held:
            return
        known = picked(held, pick)
        if known.spend_id is not None:
            self.wait(self.tenant.spending.release(key=fresh("give"), spend_id=known.spend_id, at=self.model.now))
        known.returned = known.amount - known.spent
        self._move(known)

    @rule(pick=PICKS, part=st.integers(1, 90))
    def refund(self, pick: int, part: int) -> None:
        paid = [each for each in self.model.all if each.refunded < each.spent]
        if not paid:
            return
        known = picked(paid, pick)
        part = min(part, known.spent - known.refunded)
        if known.spend_id is not None:
            self.wait(
                self.tenant.spending.refund(
                    key=fresh("back"), spend_id=known.spend_id, amount_minor=part, at=self.model.now
                )
            )
        known.refunded += part
        self._move(known)

    def _move(self, known: Counted) -> None:
        if known.order_id is not None:
            self.wait(
                self.purchases.move(
                    known.order_id, 0, spent_minor=known.spent, returned_minor=known.returned,
                    refunded_minor=known.refunded, at=self.model.now,
                )
            )  # fmt: skip

    @rule(pools=st.permutations([Pool.OPERATING, Pool.RESERVE, Pool.EMERGENCY]), amount=st.integers(1, 200))
    def move(self, pools: list[Pool], amount: int) -> None:
        model = self.model
        places: list[Place] = [("project", "week", model.week, pool) for pool in pools[:2]]
        left = max(0, model.limit(places[0]) - model.used(places[0]))
        call = self.purchases.move_pool(
            self.project, from_pool=pools[0], to_pool=pools[1], amount_minor=amount, asset="CAD", by="owner",
            reason="needed there", command_id=fresh("move"), at=model.now,
        )  # fmt: skip
        # The counters are opened by a move that is refused as well.
        if Pool.OPERATING in pools[:2]:
            model.carried.setdefault(model.week, model.carried_now(model.week))
        if amount > left:
            with pytest.raises(Conflict) as refused:
                self.wait(call)
            assert refused.value.error_code == "budget.pool_too_small"
            return
        self.wait(call)
        for place, change in zip(places, (-amount, amount), strict=True):
            model.moved[place] = model.moved.get(place, 0) + change

    @invariant()
    def counters_are_the_models(self) -> None:
        if not hasattr(self, "agent"):
            return
        rows = self.wait(
            self.books.connections[0].fetch(
                'SELECT control_id, "window", starts_at, pool, carried, moved, held + spent + forced - refunded AS used'
                " FROM ledger.counters WHERE control_id = ANY ($1::uuid[])",
                [self.project, self.agent],
            )
        )
        names = {self.project: "project", self.agent: "agent"}
        there: dict[Place, int] = {}
        for row in rows:
            start = row["starts_at"].astimezone(UTC)
            place: Place = (names[row["control_id"]], row["window"], start, Pool(row["pool"]))
            there[place] = row["used"]
            assert row["moved"] == self.model.moved.get(place, 0)
            if place[1] == "week" and place[3] is Pool.OPERATING:
                assert row["carried"] == self.model.carried[start]
        assert {place: used for place, used in there.items() if used} == {
            place: self.model.used(place)
            for place in {place for each in self.model.all for place in each.places}
            if self.model.used(place)
        }


@pytest.mark.draws
def test_every_answer_and_counter_of_a_budget_is_the_models(fresh_database_urls: DatabaseUrls) -> None:
    run_machine(PoolMachine, fresh_database_urls.platform, clients=1, examples=40, steps=40)
