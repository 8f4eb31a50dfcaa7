"""Limits are changed, frozen and moved while 200 callers spend; the answers are added up from outside."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import pytest

from domain.common.calendar import Window
from domain.credits.spend.control import Limit, LimitTerms, NewControl, SubjectKind
from ledger.controls import Controls
from ledger.spending import Spending
from ledger.spends import SpendOutcome
from tests.conftest import DatabaseUrls
from tests.support.books import NOW, Books, fresh, open_books
from tests.support.spends import Tenant, spend

pytestmark = pytest.mark.db

CALLERS = 200
Change = Callable[[], Awaitable[object]]


class Case:
    """An organization whose callers spend 1 each for one run, and the controls above it."""

    def __init__(self, books: Books, tenant: Tenant) -> None:
        self.books, self.tenant, self.run = books, tenant, fresh("run")
        self.free = asyncio.Queue[Spending]()
        for connection in books.connections[1:]:
            self.free.put_nowait(Spending(connection, tenant.org_id))

    async def open(self, run: str, limit: int | None, parent: UUID | None = None) -> UUID:
        new = NewControl(subject_kind=SubjectKind.RUN, subject_id=run, asset="CREDIT")
        above = None if parent is None else str(parent)
        return await self.write(None, {**new.columns(), **allowed(limit), "parent_id": above})

    async def write(self, control: UUID | None, wanted: dict[str, object]) -> UUID:
        written = await Controls(self.books.connections[0]).write(
            org_id=self.tenant.org_id, control_id=control, expected_version=None, wanted=wanted, by="owner",
            reason=None, command_id=fresh("command"), at=NOW,
        )  # fmt: skip
        return written.control_id

    async def call(self) -> SpendOutcome:
        client = await self.free.get()
        try:
            return (await client.charge(spend(1, run_id=self.run), at=NOW)).outcome
        finally:
            self.free.put_nowait(client)

    async def call_all(self, *changes: Change) -> Counter[SpendOutcome]:
        """Have 200 callers spend at once, and make the changes one after the other meanwhile."""

        async def change() -> None:
            for make in changes:
                await make()

        answers = asyncio.gather(*(self.call() for _ in range(CALLERS)))
        await asyncio.gather(answers, change())
        return Counter(answers.result())

    async def spent(self, control: UUID) -> int:
        return sum(
            [
                int(row["spent"])
                for row in await self.books.connections[0].fetch(
                    "SELECT spent FROM ledger.counters WHERE control_id = $1", control
                )
            ]
        )


def allowed(limit: int | None) -> dict[str, object]:
    limits = () if limit is None else (Limit(window=Window.LIFETIME, amount_minor=limit),)
    return LimitTerms(limits=limits).columns()


@pytest.fixture
async def case(database_urls: DatabaseUrls) -> AsyncIterator[Case]:
    async with open_books(database_urls.platform, clients=9) as books:
        yield Case(books, await Tenant.opened(books))


async def test_limits_that_are_raised_and_lowered_meanwhile_let_exactly_the_last_one_through(case: Case) -> None:
    control = await case.open(case.run, 20)
    during = await case.call_all(
        lambda: case.write(control, allowed(60)),
        lambda: case.write(control, allowed(5)),
        lambda: case.write(control, allowed(90)),
    )
    assert during[SpendOutcome.CHARGED] <= 90
    after = await case.call_all()
    assert during[SpendOutcome.CHARGED] + after[SpendOutcome.CHARGED] == 90 == await case.spent(control)
    lowered = await case.call_all(lambda: case.write(control, allowed(10)))
    assert lowered == {SpendOutcome.REFUSED: CALLERS}
    assert await case.tenant.balance() == (1_000_000 - 90, 0)
    await case.books.assert_proven()


async def test_nothing_is_spent_once_freezing_has_returned(case: Case) -> None:
    control = await case.open(case.run, None)
    frozen, began = asyncio.Event(), Counter[bool]()

    async def freeze() -> None:
        await case.write(control, {"status": "frozen"})
        frozen.set()

    async def call() -> tuple[bool, SpendOutcome]:
        late = frozen.is_set()
        began[late] += 1
        return late, await case.call()

    early = asyncio.gather(*(call() for _ in range(CALLERS)), return_exceptions=False)
    await asyncio.gather(early, freeze())
    late = await asyncio.gather(*(call() for _ in range(CALLERS)))
    assert {outcome for was_late, outcome in late if was_late} == {SpendOutcome.REFUSED}
    assert began[True] >= CALLERS
    await case.write(control, {"status": "active"})
    assert await case.call_all() == {SpendOutcome.CHARGED: CALLERS}
    await case.books.assert_proven()


async def test_a_control_that_is_moved_meanwhile_counts_every_spend_above_it_once(case: Case) -> None:
    there, here = await case.open(fresh("run"), 70), await case.open(fresh("run"), 80)
    control = await case.open(case.run, 1_000_000, there)
    answers = await case.call_all(
        lambda: case.write(control, {"parent_id": str(here)}),
        lambda: case.write(control, {"parent_id": str(there)}),
        lambda: case.write(control, {"parent_id": str(here)}),
    )
    # From here on it stands below the second one only, which is filled to its limit.
    more = await case.call_all()
    charged = answers[SpendOutcome.CHARGED] + more[SpendOutcome.CHARGED]
    assert await case.spent(control) == charged == await case.spent(there) + await case.spent(here)
    assert await case.spent(there) <= 70
    assert await case.spent(here) == 80
    await case.books.assert_proven()
