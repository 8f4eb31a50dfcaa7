"""What the readers of measures take and return."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

#: The most rows that a reader returns; whoever gets that many has not got all.
MAX_ROWS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasureQuery:
    """What is read: measures by interval and by dimensions.

    Attributes:
        session: the organization's for its own, the platform's otherwise.
        org_id: whose; None for all organizations.
        measures: the names, without their source.
        bounds: of the intervals, ascending, one more than there are.
        by, where: dimensions.
        now: nothing later is read.
        currency: what amounts are converted into afterwards; None: each stays in its asset.
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
    """A part of a measure: `asset` is empty for what is no amount."""

    place: int
    group: tuple[str | None, ...]
    measure: str
    asset: str
    value: int | Fraction
