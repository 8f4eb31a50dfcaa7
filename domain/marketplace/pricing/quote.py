"""A price that is reserved for a client, valid once and for fifteen minutes."""

from datetime import datetime, timedelta

from domain.common.errors import QuoteExpired, QuoteUsed
from domain.common.money import allocate
from domain.marketplace.pricing.facts import WHOLE_BPS

QUOTE_LIFETIME = timedelta(minutes=15)


def discount_limit_bps(commission_bps: int, most_bps: int | None, *, bears_discounts: bool) -> int | None:
    """Return how much of a base price the platform gives for discounts at most, in basis points.

    It is paid from the commission, so it is never more; `most_bps` is the platform's own bound. None where the agent's
    organization bears discounts, which have no such bound.
    """
    if bears_discounts:
        return None
    return commission_bps if most_bps is None else min(commission_bps, most_bps)


def commission_of(base_minor: int, adjusted_minor: int, commission_bps: int, *, bears_discounts: bool) -> int:
    """Return the commission of a contract at an adjusted price, in basis points.

    A discount is taken off the commission first, so that the payee gets at least what the base price would have left
    it; rounded down, in the payee's favour, and never above the usual rate. Who bears discounts pays the usual
    commission on the lower price.
    """
    if bears_discounts or adjusted_minor >= base_minor:
        return commission_bps
    kept, _ = allocate(base_minor, [WHOLE_BPS - commission_bps, commission_bps])
    # Of a price of few units, what is left beside the rounded part can be more than the rate.
    return min(commission_bps, max(0, (adjusted_minor - kept) * WHOLE_BPS // adjusted_minor))


def require_usable(used: bool, expires_at: datetime, now: datetime) -> None:
    """Refuse a quote that was used or has expired.

    Raises:
        QuoteUsed: a contract was made with it.
        QuoteExpired: its fifteen minutes are over.
    """
    if used:
        raise QuoteUsed("A contract was made with this quote already. Ask for a new quote.")
    if now >= expires_at:
        raise QuoteExpired("The quote has expired. Ask for a new quote.")
