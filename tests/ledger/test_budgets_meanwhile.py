"""200 concurrent callers spend budgets that are cut, frozen and closed meanwhile; the test sums the answers itself."""

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest

from domain.budgets.budget import BudgetTerms, Pools
from domain.common.calendar import Window
from domain.credits.spend.control import ControlKind, Limit, LimitTerms, NewControl, Pool, SubjectKind
from ledger.controls import Controls
from ledger.spending import Spending
from ledger.spends import NewSpend, OnLimit, Spender, SpendOutcome
from tests.conftest import DatabaseUrls
from tests.support.books import NOW, Books, fresh, open_books
from tests.support.spends import Tenant

pytestmark = pytest.mark.db

CALLERS = 200
#: It divides none of the limits.
AMOUNT = 7


@dataclass(frozen=True)
class Ask:
    """The request of one caller."""

    pool: Pool = Pool.OPERATING
    on_limit: OnLimit = OnLimit.REFUSE


ASKS = (Ask(), Ask(on_limit=OnLimit.RESERVE), Ask(pool=Pool.RESERVE), Ask(pool=Pool.EMERGENCY))


class Studio:
    """An organization, its project and the project's agent, each with a budget nested in the previous one."""

    def __init__(self, books: Books, tenant: Tenant) -> None:
        self.books, self.tenant = books, tenant
        self.spender = Spender(project_id=fresh("project"), agent_id=fresh("agent"))
        self.number = itertools.count()
        self.free = asyncio.Queue[Spending]()
        for connection in books.connections[1:]:
            self.free.put_nowait(Spending(connection, tenant.org_id))

    async def begin(self) -> "Studio":
        whole = BudgetTerms(
            allowance=limits(week=500), pools=Pools(reserve_minor=120, emergency_minor=60, may_draw_reserve_minor=100)
        )
        self.organization = await self.open(SubjectKind.ORGANIZATION, self.tenant.org_id, whole)
        part = BudgetTerms(allowance=limits(day=390, week=400), pools=Pools(reserve_minor=90, emergency_minor=50))
        assert self.spender.project_id is not None
        self.project = await self.open(SubjectKind.PROJECT, self.spender.project_id, part, self.organization)
        own = BudgetTerms(allowance=limits(day=330), pools=Pools(may_draw_reserve_minor=60))
        assert self.spender.agent_id is not None
        self.agent = await self.open(SubjectKind.AGENT, self.spender.agent_id, own, self.project)
        return self

    async def open(self, kind: SubjectKind, subject: str, terms: BudgetTerms, parent: UUID | None = None) -> UUID:
        new = NewControl(subject_kind=kind, subject_id=subject, asset="CREDIT", kind=ControlKind.BUDGET)
        above = None if parent is None else str(parent)
        return await self.write(None, {**new.columns(), **terms.columns(), "parent_id": above})

    async def write(self, control: UUID | None, wanted: dict[str, object]) -> UUID:
        written = await Controls(self.books.connections[0]).write(
            org_id=self.tenant.org_id, control_id=control, expected_version=None, wanted=wanted, by="owner",
            reason=None, command_id=fresh("command"), at=NOW,
        )  # fmt: skip
        return written.control_id

    async def declare(self) -> None:
        until = (NOW + timedelta(hours=1)).isoformat()
        for control in (self.organization, self.project):
            await self.write(control, {"emergency_until": until})

    async def call(self, ask: Ask) -> SpendOutcome:
        client = await self.free.get()
        spend = NewSpend(
            key=fresh("use"),
            action="api_call",
            amount_minor=AMOUNT,
            spender=self.spender,
            pool=ask.pool,
            on_limit=ask.on_limit,
        )
        try:
            if next(self.number) % 2:
                return (await client.charge(spend, at=NOW)).outcome
            return (await client.authorize(spend, expires_at=NOW + timedelta(hours=1), at=NOW)).outcome
        finally:
            self.free.put_nowait(client)

    async def counted(self, control: UUID) -> dict[tuple[str, str], int]:
        rows = await self.books.connections[0].fetch(
            'SELECT "window", pool, held + spent AS used FROM ledger.counters WHERE control_id = $1', control
        )
        return {(row["window"], row["pool"]): row["used"] for row in rows}


def limits(**amounts: int) -> LimitTerms:
    return LimitTerms(limits=tuple(Limit(window=Window(name), amount_minor=amount) for name, amount in amounts.items()))


@pytest.fixture
async def studio(database_urls: DatabaseUrls) -> AsyncIterator[Studio]:
    async with open_books(database_urls.platform, clients=9) as books:
        yield await Studio(books, await Tenant.opened(books)).begin()


async def test_200_callers_exceed_no_pool_of_three_nested_budgets_and_every_fitting_spend_is_accepted(
    studio: Studio,
) -> None:
    await studio.declare()
    asked = [ASKS[number % len(ASKS)] for number in range(CALLERS)]
    outcomes = await asyncio.gather(*map(studio.call, asked))
    done = sum(outcome in {SpendOutcome.CHARGED, SpendOutcome.RESERVED} for outcome in outcomes)
    assert set(outcomes) == {SpendOutcome.CHARGED, SpendOutcome.RESERVED, SpendOutcome.REFUSED}
    whole, part, own = [await studio.counted(each) for each in (studio.organization, studio.project, studio.agent)]
    assert own == {("day", "operating"): done * AMOUNT, ("day", "allowance"): own["day", "allowance"]}
    assert own["day", "operating"] <= 330
    assert own["day", "allowance"] <= 60
    # The pools are those of the nearest budget that has them: the project's.
    assert part["week", "operating"] + part["week", "reserve"] + part["week", "emergency"] == done * AMOUNT
    assert part["day", "operating"] == done * AMOUNT <= 390
    assert (part["week", "operating"] <= 260, part["week", "reserve"] <= 90, part["week", "emergency"] <= 50) == (
        *(True, True, True),
    )
    assert part["week", "reserve"] == own["day", "allowance"] == whole["week", "allowance"]
    assert whole["week", "operating"] == done * AMOUNT <= 320
    # Spends only ever add up: what fits now has fitted before, and was refused all the same.
    assert [await studio.call(ask) for ask in ASKS] == [SpendOutcome.REFUSED] * len(ASKS)
    await studio.books.assert_proven()


async def test_spends_are_refused_after_a_cut_a_freeze_and_the_end_of_an_emergency(studio: Studio) -> None:
    await studio.declare()
    over = dict.fromkeys(("emergency", "cut", "frozen"), False)
    late: Counter[tuple[str, SpendOutcome]] = Counter()

    async def call(ask: Ask) -> None:
        before = [name for name, done in over.items() if done]
        outcome = await studio.call(ask)
        late.update((name, outcome) for name in before if name != "emergency" or ask.pool is Pool.EMERGENCY)

    async def change() -> None:
        for control in (studio.organization, studio.project):
            await studio.write(control, {"emergency_until": None})
        over["emergency"] = True
        cut = BudgetTerms(allowance=limits(day=AMOUNT - 1))
        await studio.write(studio.agent, cut.columns())
        over["cut"] = True
        await studio.write(studio.project, {"status": "frozen"})
        over["frozen"] = True

    callers = [call(ASKS[number % len(ASKS)]) for number in range(CALLERS)]
    await asyncio.gather(*callers[:50], change(), *callers[50:])
    for ask in ASKS:
        await call(ask)
    assert {outcome for name, outcome in late if name != "emergency"} <= {
        SpendOutcome.REFUSED,
        SpendOutcome.POOL_CLOSED,
    }
    assert {outcome for name, outcome in late if name == "emergency"} == {SpendOutcome.POOL_CLOSED}
    assert late["frozen", SpendOutcome.REFUSED] >= 2
    await studio.books.assert_proven()
