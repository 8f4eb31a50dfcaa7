"""When a referral is rewarded: late, within what it has earned, and never for those who are related."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given, strategies as st

from domain.common.credits import credit_price
from domain.marketplace.referral import GRACE, MAX_WAIT, TERM, ReferralDecision, ReferralFacts, Rewards, decide
from tests.support.cases import for_each

NOW = datetime(2026, 3, 1, tzinfo=UTC)
WINDOW = timedelta(days=120)
PRICE = credit_price("0.10", "USD")
ONE = 1_000_000
BOTH = Rewards(referrer_minor=6 * ONE, referred_minor=4 * ONE)


def decided(now: datetime, earned: int = 100, rewards: Rewards = BOTH, **changes: Any) -> ReferralDecision:
    known: dict[str, Any] = {"referred_at": NOW, "paid_at": NOW, "earned_minor": earned, "related": False, **changes}
    return decide(ReferralFacts(**known), rewards, PRICE, window=WINDOW, now=now)


@for_each(
    "now, earned, changes, expected",
    [
        (NOW + WINDOW, 100, {}, ReferralDecision(rewards=BOTH)),
        (NOW + WINDOW - timedelta(seconds=1), 100, {}, ReferralDecision()),
        (NOW + WINDOW, 99, {}, ReferralDecision()),
        (
            NOW + WINDOW + TERM,
            50,
            {},
            ReferralDecision(rewards=Rewards(referrer_minor=3 * ONE, referred_minor=2 * ONE)),
        ),
        (NOW + WINDOW + TERM, 0, {}, ReferralDecision(refused="nothing_earned")),
        (NOW + WINDOW + TERM, -1, {}, ReferralDecision(refused="nothing_earned")),
        # What it owes on the last day, it may have paid soon after.
        (NOW + WINDOW + TERM, 0, {"owes": True}, ReferralDecision()),
        (NOW + WINDOW + TERM + GRACE - timedelta(seconds=1), 0, {"owes": True}, ReferralDecision()),
        (NOW + WINDOW + TERM + GRACE, 0, {"owes": True}, ReferralDecision(refused="nothing_earned")),
        (NOW, 100, {"related": True}, ReferralDecision(refused="related")),
        # Anybody can state another's tax id for a night: the reward waits until it is taken back.
        (NOW + WINDOW, 100, {"states_same": True}, ReferralDecision()),
        (NOW + WINDOW + TERM - timedelta(seconds=1), 100, {"states_same": True}, ReferralDecision()),
        (NOW + WINDOW + TERM, 100, {"states_same": True}, ReferralDecision(refused="related")),
        (NOW + MAX_WAIT - timedelta(seconds=1), 0, {"paid_at": None}, ReferralDecision()),
        (NOW + MAX_WAIT, 0, {"paid_at": None}, ReferralDecision(refused="not_paid")),
        # What is disputed on the last day counts if it is won.
        (NOW + MAX_WAIT, 0, {"paid_at": None, "disputed": True}, ReferralDecision()),
        (NOW + WINDOW + TERM, 0, {"disputed": True}, ReferralDecision()),
    ],
)
def test_reward_waits_for_the_window_and_for_commission(
    now: datetime, earned: int, changes: dict[str, Any], expected: ReferralDecision
) -> None:
    assert decided(now, earned, **changes) == expected


def test_without_bonuses_nobody_is_rewarded() -> None:
    nothing = Rewards(referrer_minor=0, referred_minor=0)
    assert decided(NOW + WINDOW + TERM, 100, nothing) == ReferralDecision(refused="nothing_earned")


@given(st.integers(0, 10**9), st.integers(0, 10**10), st.integers(0, 10**10), st.booleans())
def test_reward_is_never_worth_more_than_what_was_earned(earned: int, one: int, other: int, late: bool) -> None:
    wanted = Rewards(referrer_minor=one, referred_minor=other)
    given_to = decided(NOW + WINDOW + (TERM if late else timedelta(0)), earned, wanted).rewards
    if given_to is not None:
        assert 0 < given_to.total_minor <= wanted.total_minor
        # One credit costs 10 cents: 100,000 of its minor units a cent.
        assert given_to.total_minor <= earned * 100_000
