"""Referral rewards: both sides are granted credits once the platform has earned them. Pure.

The referrer is set when the organization is created. Its first payment must be past the time for chargebacks. The
rewards of both sides together are at most the final commission that the platform has earned from it by then.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.common.money import allocate

#: How long after the time for chargebacks further commission counts for the reward.
TERM = timedelta(days=180)
#: How much longer a referral waits while the referred organization has a debt, during which nothing counts as earned.
GRACE = timedelta(days=30)
#: How long a referral waits for a payment without refund, loss or dispute.
MAX_WAIT = timedelta(days=365)
#: How often a waiting referral is checked.
CHECK_INTERVAL = timedelta(days=1)


class ReferralStatus(StrEnum):
    """The status of a referral.

    Attributes:
        WAITING: there is no payment, it can still be charged back, or it has not earned enough.
        REWARDED: both sides were granted their credits.
        REFUSED: nothing is granted: the two are related, one is closed, or nothing was paid or earned in time.
        TAKEN_BACK: its payment was refunded or charged back, and the credits were clawed back.
    """

    WAITING = "waiting"
    REWARDED = "rewarded"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """What each side is granted at most, in minor units of credits; nothing where both are zero."""

    referrer_minor: int
    referred_minor: int

    @property
    def total_minor(self) -> int:
        """What a referral costs at most."""
        return self.referrer_minor + self.referred_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralFacts:
    """The facts of a referral.

    Attributes:
        referred_at: when the organization was made.
        paid_at: when the first payment without refund, loss or dispute was received; None if there is none.
        earned_minor: the final commission from it, in the currency of the price of a credit.
        related: whether the two organizations are related.
        owes: whether the referred organization has a debt.
        disputed: whether a bank has yet to decide on a payment of the referred organization. Such a payment does not
            count until then.
        states_same: whether the two are related only by a tax id that both state.
    """

    referred_at: datetime
    paid_at: datetime | None
    earned_minor: int
    related: bool
    owes: bool = False
    disputed: bool = False
    states_same: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralDecision:
    """The decision: `rewards` if credits are granted, else the reason for a refusal, or None to check again later."""

    rewards: Rewards | None = None
    refused: str | None = None


def decide(
    seen: ReferralFacts, rewards: Rewards, price: CreditPrice, *, window: timedelta, now: datetime
) -> ReferralDecision:
    """Return the new status of a waiting referral.

    The whole reward is granted as soon as commission covers it; at the end of the term, as much as it covers, in
    proportion. While a payment is disputed, no time ends. While both state one tax id, the reward waits, because one of
    them may state the other's for a night.

    Args:
        seen: what is known of it.
        rewards: the credits of each side.
        price: of a credit.
        window: how long a payment can be charged back.
        now: the time.
    """
    if seen.related:
        return ReferralDecision(refused="related")
    if seen.paid_at is None:
        return ReferralDecision(
            refused="not_paid" if now >= seen.referred_at + MAX_WAIT and not seen.disputed else None
        )
    if now < seen.paid_at + window:
        return ReferralDecision()
    is_over = now >= seen.paid_at + window + TERM + (GRACE if seen.owes else timedelta(0))
    if seen.states_same:
        return ReferralDecision(refused="related" if is_over else None)
    covered_minor = min(rewards.total_minor, credits_covered(seen.earned_minor, price))
    if covered_minor and covered_minor == rewards.total_minor:
        return ReferralDecision(rewards=rewards)
    if not is_over or seen.disputed:
        return ReferralDecision()
    if not covered_minor:
        return ReferralDecision(refused="nothing_earned")
    referrer, referred = allocate(covered_minor, [rewards.referrer_minor, rewards.referred_minor])
    return ReferralDecision(rewards=Rewards(referrer_minor=referrer, referred_minor=referred))


def credits_covered(earned_minor: int, price: CreditPrice) -> int:
    """Return how many credits are worth what was earned, in minor units, rounded down."""
    try:
        return price.buys(earned_minor) if earned_minor > 0 else 0
    except Invalid:
        return 0
