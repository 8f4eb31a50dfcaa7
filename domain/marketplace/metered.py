"""How much of a purchase was used before its refund, which is deducted from the refund."""

from dataclasses import dataclass
from datetime import datetime

from domain.common.errors import Invalid
from domain.marketplace.offer import OfferModel

#: The most uses that a price can be declared for.
MAX_INCLUDED = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedUsage:
    """The reported usage of an agent: the number of uses, and of days (UTC) with any."""

    uses: int
    days: int


def check_included(model: OfferModel, included_uses: int | None) -> None:
    """Check the number of uses that a price includes.

    Raises:
        Invalid: only an agent that is sold once has one, from 1 to a billion.
    """
    if included_uses is None:
        return
    if model is not OfferModel.ONE_TIME or not 1 <= included_uses <= MAX_INCLUDED:
        raise Invalid(
            f"included_uses must be from 1 to {MAX_INCLUDED}, and is allowed for one_time agents only.",
            extra={"field": "included_uses"},
        )


def used_minor(
    model: OfferModel, price_minor: int, metered: ReportedUsage, *, included_uses: int | None, days: int | None
) -> int:
    """Return the used part of a price, rounded down in favour of the buyer.

    A month is used by the day: each day with a reported use counts. A single purchase is used by its uses, if the offer
    says how many the price includes.

    Args:
        model: how it was sold.
        price_minor: the price.
        metered: usage since the period began.
        included_uses: the number of uses that the price includes; None for any number.
        days: the length of the period; None for a purchase without one.
    """
    if model is OfferModel.MONTHLY and days is not None:
        return price_minor * min(metered.days, days) // days
    if model is OfferModel.ONE_TIME and included_uses is not None:
        return price_minor * min(metered.uses, included_uses) // included_uses
    return 0


def days_of(start: datetime, end: datetime) -> int:
    """Return how many days a period has."""
    return max(1, (end - start).days)
