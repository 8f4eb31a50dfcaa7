"""Remainders of the budgets above a spender, as read and as the ledger counts them."""

from datetime import datetime, timedelta
from uuid import UUID

import pytest

from domain.budgets.budget import BudgetTerms, Pools
from domain.common.calendar import Window, window_end, zone_of
from domain.credits.spend.control import ControlKind, Limit, LimitTerms, NewControl, SubjectKind
from ledger.controls import Controls
from ledger.spending import Spending
from ledger.spends import NewSpend, OnLimit, Spender, SpendOutcome
from repositories.budgets.remaining import PoolRemaining, Remaining, remaining
from runtime.database import Database, driver_connection
from runtime.identity import new_id
from tests.support.spend_world import CREDIT, NOW, World

pytestmark = pytest.mark.db

NEXT_WEEK = window_end(Window.WEEK, NOW, zone_of("UTC"), 1) + timedelta(hours=1)


class Studio(World):
    """An organization with a project and an agent, each with a budget."""

    async def begin(self, credits: int = 1_000_000) -> "Studio":
        await super().begin(credits)
        self.spender = Spender(agent_id=new_id("agt"), project_id=new_id("prj"))
        return self

    async def budget(self, kind: SubjectKind, subject_id: str | None, terms: BudgetTerms) -> UUID:
        assert subject_id is not None
        new = NewControl(subject_kind=kind, subject_id=subject_id, asset="CREDIT", kind=ControlKind.BUDGET)
        async with self.database.platform() as session:
            written = await Controls(await driver_connection(session)).write(
                org_id=self.org, control_id=None, expected_version=None, wanted={**new.columns(), **terms.columns()},
                by="owner", reason=None, command_id=new_id("cmd"), at=NOW,
            )  # fmt: skip
        return written.control_id

    async def left(self, at: datetime = NOW) -> Remaining:
        async with self.database.platform() as session:
            return await remaining(session, self.org, self.spender, at=at)

    async def buy(self, credits: int, at: datetime = NOW, on_limit: OnLimit = OnLimit.REFUSE) -> SpendOutcome:
        new = NewSpend(
            key=new_id("key"), action="test", amount_minor=credits * CREDIT, spender=self.spender, on_limit=on_limit
        )
        async with self.database.platform() as session:
            return (await Spending(await driver_connection(session), self.org).charge(new, at=at)).outcome


def terms(*limits: tuple[Window, int], **pools: int) -> BudgetTerms:
    allowed = tuple(Limit(window=window, amount_minor=amount * CREDIT) for window, amount in limits)
    return BudgetTerms(
        allowance=LimitTerms(limits=allowed),
        pools=Pools(**{f"{name}_minor": amount * CREDIT for name, amount in pools.items()}),
    )


@pytest.fixture
async def studio(db: Database) -> Studio:
    return await Studio(db).begin()


def minor(left: PoolRemaining | None) -> int | None:
    return None if left is None else left.remaining_minor


async def test_the_day_the_project_and_what_refuses_first_are_told_apart(studio: Studio) -> None:
    await studio.budget(SubjectKind.AGENT, studio.spender.agent_id, terms((Window.DAY, 25), may_draw_reserve=10))
    week = terms((Window.WEEK, 100), reserve=50, emergency=20)
    project = await studio.budget(SubjectKind.PROJECT, studio.spender.project_id, week)
    assert await studio.buy(20) is SpendOutcome.CHARGED
    left = await studio.left()
    assert left.document() == {"daily": "5.00", "project": "10.00"}
    assert (minor(left.daily), minor(left.project)) == (5 * CREDIT, 10 * CREDIT)
    assert left.binding is not None
    assert (left.binding.subject_kind, left.binding.window) == ("agent", Window.DAY)
    assert await studio.buy(5) is SpendOutcome.CHARGED
    assert (await studio.left()).document() == {"daily": "0.00", "project": "5.00"}
    async with studio.database.platform() as session:
        await Controls(await driver_connection(session)).write(
            org_id=studio.org, control_id=project, expected_version=None, wanted={"status": "frozen"}, by="owner",
            reason=None, command_id=new_id("cmd"), at=NOW,
        )  # fmt: skip
    assert (await studio.left()).document() == {"daily": "0.00", "project": "0.00"}


async def test_an_allowance_of_its_own_draws_the_reserve_above(studio: Studio) -> None:
    await studio.budget(SubjectKind.AGENT, studio.spender.agent_id, terms((Window.DAY, 60), may_draw_reserve=10))
    week = terms((Window.WEEK, 100), reserve=50, emergency=20)
    await studio.budget(SubjectKind.PROJECT, studio.spender.project_id, week)
    assert await studio.buy(30) is SpendOutcome.CHARGED
    assert await studio.buy(6, on_limit=OnLimit.RESERVE) is SpendOutcome.CHARGED
    assert await studio.buy(6, on_limit=OnLimit.RESERVE) is SpendOutcome.REFUSED
    left = await studio.left()
    assert (left.reserve and left.reserve.remaining_minor) == 44 * CREDIT
    assert (left.allowance and left.allowance.remaining_minor) == 4 * CREDIT


async def test_what_is_carried_over_reads_before_the_first_spend_as_it_counts_after_it(studio: Studio) -> None:
    week = terms((Window.WEEK, 100), reserve=50, emergency=20, carry_over=10)
    await studio.budget(SubjectKind.PROJECT, studio.spender.project_id, week)
    assert await studio.buy(25) is SpendOutcome.CHARGED
    before = await studio.left(NEXT_WEEK)
    assert (minor(before.project), before.project and before.project.amount_minor) == (35 * CREDIT, 35 * CREDIT)
    assert await studio.buy(1, NEXT_WEEK) is SpendOutcome.CHARGED
    assert minor((await studio.left(NEXT_WEEK)).project) == 34 * CREDIT
    later = NEXT_WEEK + timedelta(days=7)
    assert minor((await studio.left(later)).project) == 40 * CREDIT
    assert await studio.buy(41, later) is SpendOutcome.REFUSED
    assert await studio.buy(40, later) is SpendOutcome.CHARGED
