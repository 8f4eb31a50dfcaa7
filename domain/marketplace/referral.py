"""Referral rewards: both parties are granted credits once the platform has earned them. Pure.

The referrer is set when the organization is created. Its first payment must be past the chargeback window. The rewards
of both together are at most the final commission that the platform has earned from it.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from domain.common.credits import CreditPrice
from domain.common.errors import Invalid
from domain.common.money import allocate

#: Time after the chargeback window in which further commission counts.
TERM = timedelta(days=180)
#: Additional waiting time while the referred organization has a debt, during which no commission counts.
GRACE = timedelta(days=30)
#: Maximum waiting time for a payment without refund, loss or dispute.
MAX_WAIT = timedelta(days=365)
#: Interval of checks of a waiting referral.
CHECK_INTERVAL = timedelta(days=1)


class ReferralStatus(StrEnum):
    """The status of a referral.

    Attributes:
        WAITING: no payment yet, or it can still be charged back, or has not earned enough.
        REWARDED: both parties were granted credits.
        REFUSED: no grant, because the two are related, one is closed, or nothing was paid or earned in time.
        TAKEN_BACK: the payment was refunded or charged back, and the credits were clawed back.
    """

    WAITING = "waiting"
    REWARDED = "rewarded"
    REFUSED = "refused"
    TAKEN_BACK = "taken_back"


@dataclass(frozen=True, slots=True, kw_only=True)
class Rewards:
    """Maximum grants of both parties, in minor units of credits; both zero turns rewards off."""

    referrer_minor: int
    referred_minor: int

    @property
    def total_minor(self) -> int:
        """Return the maximum cost of a referral."""
        return self.referrer_minor + self.referred_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class ReferralFacts:
    """Facts about a referral.

    Attributes:
        referred_at: the creation of the referred organization.
        paid_at: the receipt of the first payment without refund, loss or dispute; None without one.
        earned_minor: the final commission from it, in the currency of the price of a credit.
        related: whether the two organizations are related.
        owes: whether the referred organization has a debt.
        disputed: whether a dispute of a payment of the referred organization is open. Such a payment does not count.
        states_same: whether the same stated tax id is all that relates the two.
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
    """Decision on a referral: `rewards` if granted, else the reason for a refusal, or None to check again later."""

    rewards: Rewards | None = None
    refused: str | None = None


def decide(
    seen: ReferralFacts, rewards: Rewards, price: CreditPrice, *, window: timedelta, now: datetime
) -> ReferralDecision:
    """Decide a waiting referral.

    The whole reward is granted as soon as commission covers it; at the end of the term, the covered part in proportion.
    Time limits pause while a payment is disputed. While both state one tax id, the reward waits, because one of them
    may have stated the other's only temporarily.

    Args:
        seen: the facts.
        rewards: the maximum grants.
        price: of a credit.
        window: the chargeback window of a payment.
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
    """Convert earned commission to credits, in minor units, rounded down."""
    try:
        return price.buys(earned_minor) if earned_minor > 0 else 0
    except Invalid:
        return 0
