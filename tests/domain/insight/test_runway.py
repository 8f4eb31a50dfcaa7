"""The day on which a balance runs out."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from hypothesis import given, strategies as st

from domain.billing.plan import Interval
from domain.billing.subscription.state import (
    ChangeKind,
    PaymentRequest,
    PlanChange as PlanChange,
    Subscription,
    SubscriptionStatus,
    YearBill,
)
from domain.insight.runway import (
    BalanceChange,
    BalanceChangeKind,
    CreditBooks,
    daily_uses,
    expected_credits,
    project_balance,
)
from tests.domain.subscription.building import ANCHOR, MONTH, YEAR, created, month, terms

FIRST = date(2026, 3, 1)


def day(number: int) -> date:
    return FIRST + timedelta(days=number)


def test_balance_runs_out_on_the_first_uncovered_day():
    found = project_balance(CreditBooks(lots=((100, None),)), [40, 40, 20, 1, 5], FIRST)
    assert (found.balances, found.runs_out, found.expired) == ((60, 20, 0, 0, 0), day(3), ())
    assert project_balance(CreditBooks(lots=((100, None),)), [40, 40, 20], FIRST).runs_out is None


def test_expiring_credits_are_used_first_and_lapse_after_their_day():
    found = project_balance(CreditBooks(lots=((50, day(1)), (100, None))), [10, 10, 10], FIRST)
    assert (found.balances, found.expired) == ((140, 100, 90), (BalanceChange(day(1), BalanceChangeKind.EXPIRY, 30),))


def test_lots_are_used_in_their_order_and_not_by_their_expiry():
    found = project_balance(CreditBooks(lots=((50, None), (50, day(0)))), [10], FIRST)
    assert (found.balances, found.expired) == ((40,), (BalanceChange(day(0), BalanceChangeKind.EXPIRY, 50),))


def test_incoming_credits_pay_debt_first_and_only_paid_ones_are_certain():
    books = CreditBooks(
        lots=((10, None),),
        owed_minor=25,
        coming=(
            BalanceChange(day(2), BalanceChangeKind.RENEWAL, 30),
            BalanceChange(day(1), BalanceChangeKind.GRANT, 20),
        ),
    )
    assert project_balance(books, [5, 5, 5], FIRST).balances == (5, 0, 20)
    certain = project_balance(books.certain(), [5, 5, 5], FIRST)
    assert (certain.balances, certain.runs_out) == ((5, 0, 0), day(2))


@given(
    st.lists(st.tuples(st.integers(1, 100), st.none() | st.integers(0, 12).map(day)), max_size=6),
    st.lists(st.integers(0, 60), min_size=1, max_size=12),
)
def test_forecast_conserves_credits(lots: list[tuple[int, date | None]], used: list[int]) -> None:
    found = project_balance(CreditBooks(lots=tuple(lots)), used, FIRST)
    had, gone = sum(amount for amount, _ in lots), sum(change.amount_minor for change in found.expired)
    taken = had - gone - found.balances[-1]
    assert taken <= sum(used)
    assert (taken < sum(used)) is (found.runs_out is not None)


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 40)), min_size=1, max_size=20), st.integers(0, 60))
def test_upper_bound_uses_the_higher_sum(days: list[tuple[int, int]], already: int) -> None:
    values = [value for value, _ in days]
    reaches = sorted(reach for _, reach in days)
    low, middle, high = ([*daily_uses(values, [sign * reach for reach in reaches], already)] for sign in (-1, 0, 1))
    assert all(use >= 0 for use in (*low, *middle, *high))
    assert sum(low) <= sum(middle) <= sum(high)
    assert sum(middle) == max(0, sum(values) - already)


def paid(interval: Interval = MONTH, **changes: object) -> Subscription:
    base = created(interval=interval, status=SubscriptionStatus.ACTIVE, anchor=ANCHOR)
    months = interval.months
    base = replace(base, period=month(0, months), paid_through=month(0, months).end, paid_bill="in_0")
    return replace(base, **changes)


UNTIL = month(3).start
CREDITS = terms("starter").credits_minor


def test_a_plan_is_renewed_each_month_unless_it_ends():
    assert CREDITS > 0
    assert [*expected_credits(paid(), UNTIL)] == [
        BalanceChange(month(n).start.date(), BalanceChangeKind.RENEWAL, CREDITS) for n in (1, 2)
    ]
    assert [*expected_credits(paid(cancel_at_period_end=True), UNTIL)] == []
    assert [*expected_credits(paid(ends_by_suspension=True), UNTIL)] == []
    assert [*expected_credits(paid(status=SubscriptionStatus.PAST_DUE), UNTIL)] == []
    net = paid(terms=replace(terms("starter"), net_days=10))
    assert next(change.day for change in expected_credits(net, UNTIL)) == month(1).start.date() + timedelta(days=10)


def test_a_downgrade_renews_with_its_own_credits():
    lower = replace(terms("starter"), credits_minor=7)
    change = PlanChange(
        kind=ChangeKind.DOWNGRADE, terms=lower, command_id="cmd_2", acts_at=month(1).start, most_minor=0
    )
    assert {each.amount_minor for each in expected_credits(paid(change=change), UNTIL)} == {7}


def test_months_of_a_paid_year_are_certain_and_the_next_year_is_not():
    bills = (YearBill(bill_ref="in_0", paid_minor=1_200, left_minor=1_100, credits_minor=CREDITS),)
    year = paid(YEAR, granted_until=month(0).end, months_granted=1, year_bills=bills)
    found = [*expected_credits(year, month(13).start)]
    assert [change.kind for change in found] == [BalanceChangeKind.GRANT] * 11 + [BalanceChangeKind.RENEWAL]
    assert [change.day for change in found] == [month(n).start.date() for n in range(1, 13)]


def test_an_open_invoice_of_a_plan_brings_its_credits_when_it_is_due():
    due = datetime(2026, 3, 10, tzinfo=UTC)
    requests = (PaymentRequest(bill_ref="in_1", credits_minor=5, due_at=due),)
    found = [*expected_credits(paid(requests=requests, cancel_at_period_end=True), UNTIL)]
    assert found == [BalanceChange(due.date(), BalanceChangeKind.INVOICE, 5)]
