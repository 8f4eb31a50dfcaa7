"""Queries and results of the readers of measures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

#: The maximum number of rows of a reader; a result of that size is incomplete.
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureQuery:
    """Query of measures by interval and dimensions.

    Attributes:
        session: the organization's for its own, the platform's otherwise.
        org_id: the organization; None for all.
        measures: the names, without their source.
        bounds: of the intervals, ascending.
        by, where: dimensions to group by, and filters.
        now: the end of reading.
        currency: amounts are converted into it later; None: each stays in its asset.
    """

    session: AsyncSession
    org_id: str | None
    measures: frozenset[str]
    bounds: Sequence[datetime]
    by: Sequence[str] = ()
    where: Mapping[str, Sequence[str]] = field(default_factory=dict)
    now: datetime
    currency: str | None = None


class MeasurePart(NamedTuple):
    """Part of a measure; `asset` is empty unless it is an amount."""

    place: int
    group: tuple[str | None, ...]
    measure: str
    asset: str
    value: int | Fraction
