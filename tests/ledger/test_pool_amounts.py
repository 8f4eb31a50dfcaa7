"""Pools of a budget under moves, cuts and ordinary uses: none is negative, and they add up to the budget's amount.

Nothing is forced here, so what is left of the emergency pool is what nobody but an emergency may take.
"""

import contextlib
from datetime import timedelta
from uuid import UUID

import pytest
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule

from domain.budgets.budget import BudgetTerms, Calendar, PoolCounter, Pools, PoolState, window_states
from domain.common.calendar import Window
from domain.common.errors import Conflict
from domain.credits.spend.control import ControlKind, NewControl, Pool, SubjectKind
from ledger.purchases import Purchases
from ledger.spends import NewSpend, Pool as Drawn, Spender, SpendOutcome
from tests.conftest import DatabaseUrls
from tests.support.books import NOW, fresh
from tests.support.machines import OverBooks, run_machine
from tests.support.spends import Tenant, limits

pytestmark = pytest.mark.db

POOLS = (Pool.OPERATING, Pool.RESERVE, Pool.EMERGENCY)


class PoolAmounts(OverBooks):
    control: UUID | None = None

    @initialize()
    def open(self) -> None:
        self.tenant = self.wait(Tenant.opened(self.books))
        self.purchases = Purchases(self.books.connections[0], self.tenant.org_id)
        self.terms = self.stated(20000, 5000, 2000, Window.WEEK)
        new = NewControl(
            subject_kind=SubjectKind.ORGANIZATION, subject_id=self.tenant.org_id, asset="CREDIT",
            kind=ControlKind.BUDGET,
        )  # fmt: skip
        self.control = self.wait(self.tenant.write(None, new.columns() | self.terms.columns()))

    def stated(self, amount: int, reserve: int | None, emergency: int | None, of: Window) -> BudgetTerms:
        pools = Pools(reserve_minor=reserve, emergency_minor=emergency, may_draw_reserve_minor=reserve, pools_of=of)
        return BudgetTerms(allowance=limits(week=amount, month=amount * 2), pools=pools)

    def states(self) -> list[dict[Pool, PoolState]]:
        """Return the pools of the week and of the month, as the product shows them."""
        rows = self.wait(
            self.books.connections[0].fetch(
                'SELECT "window", pool, held, spent + forced - refunded AS spent, moved, carried FROM ledger.counters'
                " WHERE control_id = $1",
                self.control,
            )
        )
        counted: dict[Window, dict[Pool, PoolCounter]] = {Window.WEEK: {}, Window.MONTH: {}}
        for row in rows:
            counted[Window(row["window"])][Pool(row["pool"])] = PoolCounter(
                spent_minor=row["spent"], held_minor=row["held"], moved_minor=row["moved"], carried_minor=row["carried"]
            )
        states = window_states(self.terms.allowance.limits, self.terms.pools, counted, Calendar(), NOW)
        return [dict(state.pools) for state in states]

    def left(self, pool: Pool) -> int:
        return max((each[pool].remaining_minor for each in self.states() if pool in each), default=0)

    @rule(amount=st.integers(1, 20000), pool=st.sampled_from([Drawn.OPERATING, Drawn.RESERVE]))
    def use(self, amount: int, pool: Drawn) -> None:
        before = self.left(Pool.EMERGENCY)
        spend = NewSpend(key=fresh("use"), action="call", amount_minor=amount, spender=Spender(), pool=pool)
        spent = self.wait(self.tenant.spending.charge(spend, at=NOW))
        assert spent.outcome in {SpendOutcome.CHARGED, SpendOutcome.REFUSED, SpendOutcome.POOL_CLOSED}
        assert self.left(Pool.EMERGENCY) == before

    @rule(amount=st.integers(1, 2000), hours=st.integers(0, 2))
    def declare_and_draw(self, amount: int, hours: int) -> None:
        until = (NOW + timedelta(hours=hours)).isoformat()
        self.wait(self.tenant.write(self.control, {"emergency_until": until}))
        spend = NewSpend(key=fresh("use"), action="call", amount_minor=amount, spender=Spender(), pool=Drawn.EMERGENCY)
        self.wait(self.tenant.spending.charge(spend, at=NOW))

    @rule(pools=st.permutations(POOLS), amount=st.integers(1, 9000))
    def move(self, pools: list[Pool], amount: int) -> None:
        assert self.control is not None
        with contextlib.suppress(Conflict):
            self.wait(
                self.purchases.move_pool(
                    self.control, from_pool=Drawn(pools[0]), to_pool=Drawn(pools[1]), amount_minor=amount,
                    asset="CREDIT", by="owner", reason="needed there", command_id=fresh("move"), at=NOW,
                )
            )  # fmt: skip

    @rule(amount=st.integers(1, 25000), data=st.data(), of=st.sampled_from([Window.WEEK, Window.WEEK, Window.MONTH]))
    def cut(self, amount: int, data: st.DataObject, of: Window) -> None:
        emergency = data.draw(st.none() | st.integers(0, amount), "emergency")
        reserve = data.draw(st.none() | st.integers(0, amount - (emergency or 0)), "reserve")
        self.terms = self.stated(amount, reserve, emergency, of)
        self.wait(self.tenant.write(self.control, self.terms.columns()))

    @invariant()
    def no_pool_is_negative_and_all_add_up(self) -> None:
        if self.control is None:
            return
        for limit, pools in zip(self.terms.allowance.limits, self.states(), strict=True):
            sizes = [pools[pool].amount_minor for pool in POOLS if pool in pools]
            assert min(sizes) >= 0, (limit, pools)
            gone = [pools[pool] for pool in POOLS if pool in pools]
            assert sum(sizes) <= (limit.amount_minor or 0)
            if len(gone) == len(POOLS):
                assert sum(sizes) == limit.amount_minor


@pytest.mark.draws
def test_no_pool_is_negative_and_ordinary_uses_leave_the_emergency_pool(fresh_database_urls: DatabaseUrls) -> None:
    run_machine(PoolAmounts, fresh_database_urls.platform, clients=1, examples=60, steps=30)
