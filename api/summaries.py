"""Counts of a list by state and currency, with the filters of the list."""

from collections.abc import Iterable
from typing import Self

from pydantic import Field

from api.fields import ResponseModel
from domain.money import format_amount
from repositories.listing import Counted


class StatusCount(ResponseModel):
    """How many there are in one state and currency, and their amounts together."""

    status: str
    currency: str
    count: int
    amount: str
    capped: bool = Field(description="Whether the state has more than were looked at: count and amount are at least.")


class StatusSummary(ResponseModel):
    """Counts by state and currency, of the newest 2,000 of each state at most."""

    by_status: list[StatusCount]

    @classmethod
    def of(cls, found: Iterable[Counted]) -> Self:
        """Show what was counted."""
        return cls(
            by_status=[
                StatusCount(
                    status=each.status,
                    currency=each.currency,
                    count=each.count,
                    amount=format_amount(each.amount_minor, each.currency),
                    capped=each.is_capped,
                )
                for each in found
            ]
        )
