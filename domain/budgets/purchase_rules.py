"""Settings of purchase orders. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseRules:
    """Settings of purchase orders.

    Attributes:
        hold: the length of an approved order's hold.
        margin: the additional part of the amount held in budgets in credits.
        issuing: see `domain.cards.card.issues_to`.
    """

    hold: timedelta
    margin: Decimal = Decimal(0)
    issuing: str | None = None
