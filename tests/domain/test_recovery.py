"""Uncovered loss of a payment: credits count at their price."""

import pytest
from hypothesis import given, strategies as st

from domain.payouts.recovery import Loss, PricedCredits, shortfall, uncovered_loss

ONE = 1_000_000
#: 100 credits for ten dollars.
SALE = PricedCredits(paid_minor=1_000, sold_minor=100 * ONE)
_AMOUNTS = st.integers(0, 10**12)
_PRICED = st.builds(
    PricedCredits, amount_minor=_AMOUNTS, paid_minor=st.integers(0, 10**9), sold_minor=st.integers(1, 10**12)
)
_LOSSES = st.builds(
    lambda owed, short, repaid, more: Loss(
        owed_minor=owed, short_minor=short, repaid_minor=min(repaid, owed), answered_minor=min(repaid, owed) + more
    ),
    _AMOUNTS,
    _AMOUNTS,
    _AMOUNTS,
    _AMOUNTS,
)


def taken(credits: int, cents: int, of: int) -> PricedCredits:
    return PricedCredits(amount_minor=credits * ONE, paid_minor=cents, sold_minor=of * ONE)


@pytest.mark.parametrize(
    ("given_back", "short"),
    [
        ([taken(100, 1_000, 100)], 0),
        ([taken(100, 500, 100)], 50),
        ([taken(100, 0, 100)], 100),
        ([taken(50, 2_000, 100), taken(50, 0, 100)], 0),  # dear ones make up for those that nobody paid for
        ([taken(100, 2_000, 100)], 0),
        ([], 0),
    ],
)
def test_recovered_credits_count_at_their_price(given_back: list[PricedCredits], short: int) -> None:
    assert shortfall(given_back, SALE) == short * ONE


def test_less_than_a_minor_unit_of_money_is_the_rounding_of_prices() -> None:
    nearly = PricedCredits(amount_minor=100 * ONE, paid_minor=9_999, sold_minor=1_000 * ONE)
    assert shortfall([nearly], SALE) == 0
    assert shortfall([PricedCredits(amount_minor=100 * ONE, paid_minor=999, sold_minor=100 * ONE)], SALE) == ONE // 10


@given(st.lists(_PRICED, max_size=5), _PRICED)
def test_shortfall_never_exceeds_the_recovered_credits(given_back: list[PricedCredits], sale: PricedCredits) -> None:
    assert 0 <= shortfall(given_back, sale) <= sum(each.amount_minor for each in given_back)


@given(_LOSSES, _AMOUNTS, st.lists(_PRICED, max_size=5), st.none() | _PRICED)
def test_creators_are_never_liable_for_more_than_the_loss(
    loss: Loss, owes: int, paid: list[PricedCredits], sale: PricedCredits | None
) -> None:
    debt, short = uncovered_loss(loss, owes, paid, sale)
    assert 0 <= debt <= owes
    assert short >= 0
    assert debt + short <= max(0, loss.owed_minor + loss.short_minor - loss.answered_minor)


def test_payments_of_a_debt_count_at_their_price() -> None:
    loss = Loss(owed_minor=100 * ONE, short_minor=0)
    assert uncovered_loss(loss, 100 * ONE, [], SALE) == (100 * ONE, 0)
    assert uncovered_loss(loss, 0, [taken(100, 1_000, 100)], SALE) == (0, 0)
    assert uncovered_loss(loss, 0, [taken(100, 500, 100)], SALE) == (0, 50 * ONE)
    # Half of it is still owed, and the other half was paid with what nobody paid for.
    assert uncovered_loss(loss, 50 * ONE, [taken(50, 0, 100)], SALE) == (50 * ONE, 50 * ONE)
    # What a creator has answered for is not asked for again.
    answered = Loss(owed_minor=100 * ONE, short_minor=0, repaid_minor=0, answered_minor=45 * ONE)
    assert uncovered_loss(answered, 0, [taken(100, 500, 100)], SALE) == (0, 5 * ONE)
