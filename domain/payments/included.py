"""Default for the part of a plan's price that is for its included credits. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from domain.billing.plan import Plan, PlanPrice, Plans, max_for_credits
from domain.common.credits import CreditPrice
from domain.payments.topup import Package


def with_credits_priced(plans: Plans, usual: CreditPrice, packages: Sequence[Package]) -> Plans:
    """Fill in the part of each price that is for credits, where a plan includes credits and does not state the part.

    It is the cost of these credits by the cheapest package in the price's currency or the list price, at most
    `max_for_credits`. Without both it is `max_for_credits`.
    """

    def priced(plan: Plan, price: PlanPrice) -> PlanPrice:
        if not plan.credits_minor or price.credits_price_minor is not None:
            return price
        sold = [Fraction(each.price_minor, each.credits_minor) for each in packages if each.currency == price.currency]
        if usual.currency == price.currency:
            credits, money = usual.rate()
            sold.append(Fraction(money, credits))
        most = max_for_credits(price.amount_minor)
        cost = int(plan.credits_minor * price.interval.months * min(sold)) if sold else most
        return replace(price, credits_price_minor=max(1, min(cost, most)))

    return Plans(tuple(replace(plan, prices=tuple(priced(plan, each) for each in plan.prices)) for plan in plans.all))
