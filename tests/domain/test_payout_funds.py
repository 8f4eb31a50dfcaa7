"""Payouts that wait for funds are retried after the platform's balance has grown."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from domain.common.errors import WrongPayoutState
from domain.payments.payment.event_types import currencies_available
from domain.payouts.payout.commands import (
    FUNDS_RETRY_DELAY,
    MAX_WOKEN_PAYOUTS,
    SOON_ANYWAY,
    funds_available,
    funds_short,
)
from domain.payouts.payout.state import Payout, PayoutStatus
from tests.support.cases import for_each

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
ASKED = Payout(
    payout_id="po_1",
    org_id="org_1",
    provider="stripe",
    account_ref="acct_1",
    destination="bank",
    currency="USD",
    amount_minor=1000,
)
WAITING = funds_short(ASKED, NOW).payout


def woken(payout: Payout, now: datetime = NOW, place: int = 0) -> Payout:
    return funds_available(payout, now, place=place, event_id="evt_1").payout


def test_waiting_payout_is_tried_in_a_minute_and_each_younger_one_a_second_later() -> None:
    assert woken(WAITING).next_at == NOW + FUNDS_RETRY_DELAY
    assert woken(WAITING, place=3).next_at == NOW + FUNDS_RETRY_DELAY + timedelta(seconds=3)
    assert woken(WAITING) == replace(WAITING, next_at=NOW + FUNDS_RETRY_DELAY)


@pytest.mark.parametrize(("place", "seconds"), [(-(10**18), 0), (10**18, MAX_WOKEN_PAYOUTS)])
def test_place_that_no_event_has_delays_no_longer_than_the_last_one(place: int, seconds: int) -> None:
    assert woken(WAITING, place=place).next_at == NOW + FUNDS_RETRY_DELAY + timedelta(seconds=seconds)


def test_burst_of_events_makes_one_try() -> None:
    once = woken(WAITING)
    last = woken(WAITING, place=MAX_WOKEN_PAYOUTS)
    for later in (timedelta(0), timedelta(seconds=59), FUNDS_RETRY_DELAY):
        for each in (once, last):
            with pytest.raises(WrongPayoutState):
                woken(each, NOW + later)
    with pytest.raises(WrongPayoutState):
        woken(replace(WAITING, next_at=NOW + SOON_ANYWAY))
    assert (
        woken(funds_short(once, NOW + FUNDS_RETRY_DELAY).payout, NOW + FUNDS_RETRY_DELAY).next_at
        == NOW + 2 * FUNDS_RETRY_DELAY
    )


@pytest.mark.parametrize("status", [each for each in PayoutStatus if each is not PayoutStatus.WAITING_FOR_FUNDS])
def test_payout_that_does_not_wait_for_funds_is_unchanged(status: PayoutStatus) -> None:
    with pytest.raises(WrongPayoutState):
        woken(replace(WAITING, status=status))


@for_each(
    "balance, currencies",
    [
        ({"available": [{"amount": 1, "currency": "usd"}, {"amount": 5, "currency": "eur"}]}, {"USD", "EUR"}),
        ({"available": [{"amount": 0, "currency": "usd"}, {"amount": -5, "currency": "eur"}]}, set()),
        ({"available": ["usd", {"currency": "usd"}, {"amount": 1}, {"amount": "1", "currency": "usd"}]}, set()),
        (None, set()),
        ([], set()),
        ({}, set()),
        ({"available": None}, set()),
        ({"available": {"usd": 1}}, set()),
    ],
)
def test_currencies_are_available_of_which_the_balance_has_something(balance: object, currencies: set[str]) -> None:
    assert currencies_available(balance) == currencies
