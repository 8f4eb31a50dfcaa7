"""The used part of a purchase, which is deducted from its refund."""

from dataclasses import dataclass
from datetime import datetime

from domain.common.errors import Invalid
from domain.marketplace.offer import OfferModel

#: The maximum number of uses that a price can include.
MAX_INCLUDED = 10**9


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedUsage:
    """Reported usage of an agent: the number of uses, and of days (UTC) with any."""

    uses: int
    days: int


def check_included(model: OfferModel, included_uses: int | None) -> None:
    """Check the number of uses that a price includes.

    Raises:
        Invalid: the model is not `one_time`, or the number is not from 1 to a billion.
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

    Of a month the days with a reported use count, of a single purchase the uses, if the offer limits them.

    Args:
        model: of the purchase.
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
    """Return the length of a period in days."""
    return max(1, (end - start).days)
