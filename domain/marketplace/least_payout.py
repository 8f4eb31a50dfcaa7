"""The least that is paid out of a price. Pure."""

from domain.common.credits import CreditPrice
from domain.common.money import CREDIT, allocate
from domain.credits.lots import Sharing
from domain.marketplace.revenue_share import ALL_BPS


def least_payout(
    price_minor: int, currency: str, platform_bps: int, *, lowest: CreditPrice, sharing: Sharing
) -> tuple[int, str]:
    """Return the least that a payee is paid out, in minor units of a currency, and that currency.

    Credits are paid out for what was paid for them, so it is the payee's share of what they cost where they are sold
    cheapest. Granted credits, for which nothing was paid, are left out: they are not paid out in money. Each lot that
    pays may take a minor unit by rounding.

    Args:
        price_minor: in money, or in credits that are bought.
        currency: of the price.
        platform_bps: the platform's part of it, in basis points.
        lowest: the lowest price at which a credit is sold.
        sharing: how a discount of credits is shared.
    """
    parts = [ALL_BPS - platform_bps, platform_bps]
    if currency != CREDIT:
        return allocate(price_minor, parts)[0], currency
    credits, money = lowest.rate()
    cost = price_minor * money // credits
    share = cost * parts[0] // ALL_BPS
    if sharing.list_price is not None and sharing.list_price.currency == lowest.currency:
        credits, money = sharing.list_price.rate()
        share = min(cost, max(share, price_minor * money // credits * parts[0] // ALL_BPS))
    return share, lowest.currency
