"""Revenue of credits after refunds and chargebacks, by the payment's run and the batch."""

import pytest

from domain.common import accounts
from tests.support.books import Books, books, recognise
from tests.workflows.conftest import Stage
from tests.workflows.payment_driver import paid

__all__ = ["books"]

pytestmark = [pytest.mark.timeskip, pytest.mark.db]

MONEY = {"deferred": "deferred_revenue", "revenue": "revenue/credits", "breakage": "breakage"}


class Sums:
    """Changes of the platform's dollar accounts since its creation."""

    def __init__(self, books: Books) -> None:
        self.books = books
        self.before: dict[str, int] = {}

    async def now(self) -> dict[str, int]:
        await recognise(self.books.connections[0])
        found = await self.books.ledger.balances([accounts.platform(path, "USD") for path in MONEY.values()])
        return {
            name: balance.posted_minor - self.before.get(name, 0)
            for name, balance in zip(MONEY, found, strict=True)
            if balance.posted_minor != self.before.get(name, 0)
        }


@pytest.fixture
async def sums(books: Books):
    made = Sums(books)
    made.before = await made.now()
    yield made
    await books.assert_proven()


@pytest.mark.parametrize("recognised_before", [False, True])
async def test_refund_of_the_remainder_keeps_used_credits_as_revenue(stage: Stage, sums: Sums, recognised_before: bool):
    made = await paid(stage)
    assert await sums.now() == {"deferred": 1000}
    await made.spend(40_000_000)
    if recognised_before:
        assert await sums.now() == {"deferred": 600, "revenue": 400}
    await made.send("refund", amount_minor=600, reason="r")
    await made.refreshed()
    assert await sums.now() == {"revenue": 400}


@pytest.mark.parametrize("recognised_before", [False, True])
@pytest.mark.parametrize("won", [False, True])
async def test_chargeback_reverses_recognised_revenue_until_it_is_won(
    stage: Stage, sums: Sums, recognised_before: bool, won: bool
):
    made = await paid(stage)
    await made.spend(60_000_000)
    if recognised_before:
        assert await sums.now() == {"deferred": 400, "revenue": 600}
    ref = made.there.dispute()
    await made.refreshed()
    # What was not used is held, and still deferred.
    assert await sums.now() == {"deferred": 400, "revenue": -400}
    made.there.close_dispute(ref, won=won)
    await made.refreshed()
    assert await sums.now() == ({"deferred": 400, "revenue": 600} if won else {})
