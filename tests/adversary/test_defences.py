"""What each attack would gain without the rule that stands against it, by the rules alone: so the attacks can fail.

Each attack is reckoned twice, in cents: with the rule of the product, and with it switched off. A loss is what has left
the platform, less what came in and has not gone back.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from domain.billing.subscription import commands, proration
from domain.billing.subscription.proration import refundable_minor
from domain.common.credits import credit_price
from domain.common.errors import DomainError
from domain.marketplace import referral
from domain.marketplace.referral import ReferralFacts, Rewards
from domain.marketplace.sale import shares_of
from domain.payouts.payable import HoldBack, LotSlice, take_slices
from domain.payouts.recovery import PaymentUse, liable_amounts

NOW = datetime(2026, 3, 1, tzinfo=UTC)
ONE = 1_000_000
LOT = UUID(int=1)
PRICE = credit_price("0.10", "USD")
HOLD_BACK = HoldBack(usual=timedelta(days=14), floor=timedelta(days=7), refunds=timedelta(days=14))


def paid_out(credits: int, paid: int) -> int:
    """Return what leaves for all credits of a lot of earnings for which so many cents were paid."""
    lot = LotSlice(
        lot_id=LOT, agent_id="a", free_minor=credits, lot_minor=credits, gone_minor=0, paid_minor=paid, costed_minor=0
    )
    return sum(taken.worth_minor for taken in take_slices([lot], 10**9))


def wash(*, worth_of_lot: Callable[[int, int], int]) -> int:
    """Buy 10,000 credits for 299 dollars, and pay one's own second organization with them."""
    received, bought = 29_900, 10_000 * ONE
    creator = shares_of(bought, 9_000).creator_minor
    return paid_out(creator, worth_of_lot(creator, shares_of(received, 9_000).creator_minor)) - received


def test_wash_pair_gains_the_discount_without_the_cost_of_lots() -> None:
    assert wash(worth_of_lot=lambda _, cost: cost) <= 0
    assert wash(worth_of_lot=lambda credits, _: PRICE.of(credits)) == 60_100


def flip(*, refund: Callable[[int, int, int], int]) -> int:
    """Upgrade for 99 dollars, pay one's own agent with the 2,000 credits, and have the plan refunded."""
    received, granted, used = 9_900, 2_000 * ONE, 1_500 * ONE
    earned = shares_of(received * used // granted, 9_000).creator_minor
    return paid_out(shares_of(used, 9_000).creator_minor, earned) + refund(received, granted, used) - received


def test_plan_flip_gains_what_was_used_without_its_deduction() -> None:
    assert flip(refund=refundable_minor) <= 0
    assert flip(refund=lambda paid, granted, _: proration.refundable_minor(paid, granted, 0)) > 0


def refund_after_payout(hold_back: HoldBack) -> int:
    """Sell an agent to oneself, take the share out as soon as it can be, and give the agent back on the last day.

    The seller has nothing else and never comes back, so what it owes is lost.
    """
    received, days = 10_000, 14
    share = shares_of(received, 9_000).creator_minor
    given_back_at = NOW + timedelta(days=days) - timedelta(seconds=1)
    has_left = hold_back.window(None, given_back_at).sales_cutoff >= NOW
    return (share if has_left else 0) + received - received


def test_serial_refund_gains_the_share_without_holding_sales_back() -> None:
    short = HoldBack(usual=timedelta(days=7), floor=timedelta(days=7), refunds=timedelta(days=14))
    assert refund_after_payout(HOLD_BACK) <= 0
    assert refund_after_payout(short) <= 0
    assert refund_after_payout(HoldBack(usual=short.usual, floor=short.floor)) == 9_000


def ring(monkeypatch: pytest.MonkeyPatch | None) -> int:
    """Bring ten organizations of one's own, each of which pays 10 dollars and buys for all of it."""
    if monkeypatch is not None:
        monkeypatch.setattr(referral, "credits_covered", lambda _earned, _price: 10**12)
    both, loss = Rewards(referrer_minor=60 * ONE, referred_minor=40 * ONE), 0
    window = timedelta(days=120)
    for _ in range(10):
        shares = shares_of(1_000, 9_000)
        seen = ReferralFacts(referred_at=NOW, paid_at=NOW, earned_minor=shares.commission_minor, related=False)
        rewards = referral.decide(seen, both, PRICE, window=window, now=NOW + window + referral.TERM).rewards
        # Even if a granted credit were worth its price in money.
        loss += shares.creator_minor - 1_000 + (PRICE.of(rewards.total_minor) if rewards else 0)
    return loss


def test_referral_ring_gains_its_rewards_without_the_cap_of_commission(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ring(None) <= 0
    assert ring(monkeypatch) == 10 * (1_000 - 100)


def charge_then_payout(liability_period: timedelta) -> int:
    """Top up by a stolen card, work for it, be paid out on the day after the hold-back of a level, and charge back."""
    received, share = 10_000, shares_of(10_000, 9_000).creator_minor
    transfer = UUID(int=2)
    use = PaymentUse(transfer_id=transfer, source=str(transfer), used_minor=share, agent_id="a", org_id="o", at=NOW)
    commission = PaymentUse(transfer_id=transfer, source="", used_minor=received - share)
    disputed_at = NOW + timedelta(days=10)
    taken = liable_amounts([use, commission], 0, received, {"a": disputed_at - liability_period})
    return share - sum(minor for _, minor in taken)


def test_charge_then_payout_gains_the_share_if_creators_do_not_answer() -> None:
    assert charge_then_payout(HOLD_BACK.liability_period(None)) <= 0
    assert charge_then_payout(timedelta(0)) == 9_000


def farm(first_trial: Callable[..., Any], paid_for_trial: int) -> int:
    """Try a plan with each of five organizations that one card pays for, and pay one's own agent with the credits."""
    tried: list[str] = []
    loss = 0
    for number in range(5):
        try:
            first_trial(f"org_{number}", tried)
        except DomainError:
            continue
        tried.append(f"org_{number}")
        loss += paid_out(500 * ONE, paid_for_trial)
    return loss


def test_trial_farm_gains_credits_that_count_as_paid_and_once_for_each_trial() -> None:
    assert farm(commands.require_first_trial, 0) <= 0
    assert farm(commands.require_first_trial, PRICE.of(500 * ONE)) == 5_000
    assert farm(lambda *_: None, PRICE.of(500 * ONE)) == 25_000
