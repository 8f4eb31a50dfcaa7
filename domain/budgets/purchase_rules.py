"""The settings of purchase orders. Pure."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PurchaseRules:
    """How approved orders are held, and who pays for them by cards.

    Attributes:
        hold: for how long.
        margin: how much more than their amount is held in budgets in credits, as a part of it.
        issuing: see `domain.cards.card.issues_to`.
    """

    hold: timedelta
    margin: Decimal = Decimal(0)
    issuing: str | None = None
