"""Quotes: prices reserved for a client, valid once and for fifteen minutes."""

from datetime import datetime, timedelta

from domain.common.errors import QuoteExpired, QuoteUsed
from domain.common.money import allocate
from domain.marketplace.pricing.facts import WHOLE_BPS

QUOTE_LIFETIME = timedelta(minutes=15)


def discount_limit_bps(commission_bps: int, most_bps: int | None, *, bears_discounts: bool) -> int | None:
    """Return the maximum discount that the platform pays, in basis points of the base price.

    It is paid from the commission, and limited by the platform's setting `most_bps`. None if the agent's organization
    bears discounts, which are not limited.
    """
    if bears_discounts:
        return None
    return commission_bps if most_bps is None else min(commission_bps, most_bps)


def commission_of(base_minor: int, adjusted_minor: int, commission_bps: int, *, bears_discounts: bool) -> int:
    """Return the commission of a contract at an adjusted price, in basis points.

    The commission pays the discount, so that the payee gets at least its share of the base price; rounded down in the
    payee's favour, and never above the usual rate. An organization that bears discounts pays the usual commission on
    the lower price.
    """
    if bears_discounts or adjusted_minor >= base_minor:
        return commission_bps
    kept, _ = allocate(base_minor, [WHOLE_BPS - commission_bps, commission_bps])
    # For a small price, rounding can leave more than the rate.
    return min(commission_bps, max(0, (adjusted_minor - kept) * WHOLE_BPS // adjusted_minor))


def require_usable(used: bool, expires_at: datetime, now: datetime) -> None:
    """Refuse a quote that was used or has expired.

    Raises:
        QuoteUsed: a contract was created with it.
        QuoteExpired: its fifteen minutes are over.
    """
    if used:
        raise QuoteUsed("A contract was made with this quote already. Ask for a new quote.")
    if now >= expires_at:
        raise QuoteExpired("The quote has expired. Ask for a new quote.")
