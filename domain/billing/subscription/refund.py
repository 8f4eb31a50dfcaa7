"""Refunds of a subscription's bill: its credits are clawed back first, and used ones reduce the refund."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from uuid import UUID

from domain.billing.subscription.accrual import DeferredRevenue
from domain.billing.subscription.proration import refundable_minor
from domain.billing.subscription.state import CreditGrant


@dataclass(frozen=True, slots=True, kw_only=True)
class RemainingLot:
    """What is left of a lot that a bill granted, and can be taken: what a hold has pinned is not.

    Attributes:
        lot_id: of the books.
        free_minor: credits that are left of `amount_minor`.
        paid_minor: what all of it cost, in the bill's currency.
    """

    lot_id: UUID
    free_minor: int
    amount_minor: int
    paid_minor: int

    @property
    def cost_minor(self) -> int:
        """The cost of the rest, rounded down: using credits before a refund brings no gain."""
        return self.paid_minor * self.free_minor // self.amount_minor


@dataclass(frozen=True, slots=True, kw_only=True)
class LostCredits:
    """Credits of a bill that a lost dispute took back by one transfer, and what they cost, in the bill's currency."""

    transfer_id: UUID
    credits_minor: int
    cost_minor: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RestoredCredits:
    """The lost credits that are granted again; their cost comes from deferred revenue first, then from revenue."""

    credits_minor: int
    unearned_minor: int
    earned_minor: int

    @property
    def cost_minor(self) -> int:
        """The cost of the credits that are granted again."""
        return self.unearned_minor + self.earned_minor


def to_restore(lost: LostCredits, deferred: DeferredRevenue) -> RestoredCredits:
    """Return the lost credits to grant again; their cost is at most what credit notes have left for them."""
    most = min(lost.cost_minor, deferred.credits_left_minor)
    unearned = min(most, deferred.left_minor)
    earned = min(most - unearned, deferred.accrued_minor)
    cost = unearned + earned
    credits = lost.credits_minor if cost == lost.cost_minor else lost.credits_minor * cost // lost.cost_minor
    return RestoredCredits(credits_minor=credits, unearned_minor=unearned, earned_minor=earned)


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditNoteSources:
    """The sources of a credit note's net amount: deferred revenue, recognized revenue, and a rounding difference."""

    unearned_minor: int
    earned_minor: int
    rounding_minor: int


def after_clawback(deferred: DeferredRevenue, rest: Iterable[RemainingLot]) -> DeferredRevenue:
    """Return a bill after its credits were clawed back as far as they are there."""
    return replace(deferred, granted_minor=deferred.granted_minor - sum(lot.cost_minor for lot in rest))


def creditable_minor(gross_minor: int, deferred: DeferredRevenue, *, credited_gross_minor: int) -> int:
    """Return what of a bill can still be credited, with its tax.

    Args:
        gross_minor: what was received, with tax.
        deferred: the bill, after its credits were taken back.
        credited_gross_minor: the sum of earlier credit notes, with tax.
    """
    left = refundable_minor(gross_minor, deferred.amount_minor, deferred.granted_minor)
    return max(0, left - credited_gross_minor)


def used_minor(gross_minor: int, deferred: DeferredRevenue) -> int:
    """Return the price of a bill's used credits, with tax, after its other credits were taken back."""
    return gross_minor - refundable_minor(gross_minor, deferred.amount_minor, deferred.granted_minor)


def split_credit_note(deferred: DeferredRevenue, net_minor: int) -> CreditNoteSources:
    """Take a credit note's net amount from deferred revenue first, then from recognized revenue."""
    unearned = min(net_minor, deferred.left_minor)
    earned = min(net_minor - unearned, deferred.accrued_minor)
    return CreditNoteSources(unearned_minor=unearned, earned_minor=earned, rounding_minor=net_minor - unearned - earned)


def net_cost(grant: CreditGrant, *, net_minor: int, gross_minor: int) -> int:
    """Return what a grant costs; what all grants of a bill cost adds up to the part of it that is for credits.

    Args:
        grant: what is granted, with what of the bill goes with it.
        net_minor: the part of its bill that is for credits, without tax.
        gross_minor: all that was received by its bill, with tax.
    """
    before = grant.paid_before_minor
    return (before + grant.paid_minor) * net_minor // gross_minor - before * net_minor // gross_minor


def credits_left(credits_minor: int, cost_minor: int, deferred: DeferredRevenue, *, gone_minor: int) -> tuple[int, int]:
    """Return what a further month of a year grants and costs: less if a part of its money was refunded or disputed.

    Args:
        credits_minor: what the month grants.
        cost_minor: what that costs, without tax.
        deferred: the bill.
        gone_minor: the part of the received money that was refunded or is disputed, without tax; credit notes cover
            some of it.
    """
    left = min(deferred.left_minor, deferred.credits_left_minor) - max(0, gone_minor - deferred.credited_minor)
    cost = max(0, min(cost_minor, left))
    if not (gone_minor or deferred.credited_minor) or (cost == cost_minor and left > 0):
        return credits_minor, cost
    # What costs less than a minor unit is granted as long as something is left of the money.
    return credits_minor * cost // max(1, cost_minor), cost
