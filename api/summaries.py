"""Counts of a list by state and currency, with the filters of the list."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Self

from pydantic import Field

from api.fields import Exact, ResponseModel
from domain.common.money import format_amount
from repositories.common.listing import StatusTotal


class StatusCount(ResponseModel):
    """The number of objects in one state and currency, and the sum of their amounts."""

    status: str
    currency: str
    count: int
    amount: Exact
    capped: bool = Field(description="Whether not all were counted: `count` and `amount` are then lower bounds.")


class StatusSummary(ResponseModel):
    """Counts by state and currency. At most the newest 2,000 of each state are counted."""

    by_status: list[StatusCount]

    @classmethod
    def of(cls, found: Iterable[StatusTotal]) -> Self:
        return cls(by_status=[StatusCount(**_shown(each)) for each in found])


class ProviderCount(StatusCount):
    """The number of objects of one provider in one state and currency, and the sum of their amounts."""

    provider: str


class PaymentsSummary(StatusSummary):
    """Counts by state and currency, and by provider. At most the newest 2,000 of each state are counted."""

    by_provider: list[ProviderCount]

    @classmethod
    def of(cls, found: Iterable[StatusTotal]) -> Self:
        by_provider = sorted(found, key=lambda each: (each.group, each.status, each.currency))
        whole: dict[tuple[str, str], StatusTotal] = {}
        for each in by_provider:
            at = each.status, each.currency
            so_far = whole.get(at, replace(each, count=0, amount_minor=0))
            count, amount = so_far.count + each.count, so_far.amount_minor + each.amount_minor
            whole[at] = replace(so_far, count=count, amount_minor=amount)
        return cls(
            by_status=[StatusCount(**_shown(whole[at])) for at in sorted(whole)],
            by_provider=[ProviderCount(**_shown(each), provider=each.group) for each in by_provider],
        )


def _shown(counted: StatusTotal) -> dict[str, Any]:
    return {
        "status": counted.status,
        "currency": counted.currency,
        "count": counted.count,
        "amount": format_amount(counted.amount_minor, counted.currency),
        "capped": counted.is_capped,
    }
