"""Lower bound of the payout of a price. Pure."""

from domain.common.credits import CreditPrice
from domain.common.money import CREDIT, allocate
from domain.credits.lots import Sharing
from domain.marketplace.revenue_share import ALL_BPS


def least_payout(
    price_minor: int, currency: str, platform_bps: int, *, lowest: CreditPrice, sharing: Sharing
) -> tuple[int, str]:
    """Return the minimum payout of a payee, in minor units of a currency, and that currency.

    Credits are paid out at their purchase price, so it is the payee's share at the lowest price at which credits are
    sold. Granted credits are not paid out in money and are ignored. Each lot may lose a minor unit by rounding.

    Args:
        price_minor: in money, or in bought credits.
        currency: of the price.
        platform_bps: the platform's share, in basis points.
        lowest: the lowest price of a credit.
        sharing: the division of a discount on credits.
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
