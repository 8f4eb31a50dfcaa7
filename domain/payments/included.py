"""The part of a plan's price that is for its included credits, where the plan does not state it. Pure."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction

from domain.billing.plan import Plan, PlanPrice, Plans, max_for_credits
from domain.common.credits import CreditPrice
from domain.payments.topup import Package


def with_credits_priced(plans: Plans, usual: CreditPrice, packages: Sequence[Package]) -> Plans:
    """Return the plans with a part for credits in each price that has none stated, of a plan that includes credits.

    It is what these credits cost by the package that sells them cheapest in the price's currency, or at the list price,
    and at most `MOST_FOR_CREDITS_BPS` of the price. Without either it is that most.
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
