"""Measures of an organization's spends, in credits, by the time of the use."""

from collections import defaultdict
from datetime import UTC, date
from fractions import Fraction

from sqlalchemy import text

from domain.common.money import CREDIT
from repositories.credits import spend_day
from repositories.insight.measures import MOST, Part, Wanted

#: The dimensions, with the columns of spends.
DIMENSIONS = {
    "action": "action",
    "agent": "agent_id",
    "department": "department_id",
    "project": "project_id",
    "model": "model",
}
_PRICES = text("""
SELECT m.day, m.asset, m.went AS paid, c.went AS credits
FROM ledger.cost_days c JOIN ledger.cost_days m USING (org_id, day, line, agent_id)
WHERE c.org_id = :org_id AND c.line = 'customers/credits' AND c.asset = 'CREDIT' AND m.asset <> 'CREDIT'
    AND c.day BETWEEN :first AND :last
""")


async def read(wanted: Wanted) -> list[Part]:
    """Return `used`, what was used and not refunded, `count`, the number of uses, and `paid` in money.

    Credits count in `paid` at what was paid in the mean for those used on the day (UTC); each interval is within a day.
    """
    assert wanted.org_id is not None
    columns = [DIMENSIONS[name] for name in wanted.by]
    rows = await spend_day.by_interval(
        wanted.session,
        wanted.org_id,
        [min(bound, max(wanted.now, wanted.bounds[0])) for bound in wanted.bounds],
        columns=columns,
        where={DIMENSIONS[name]: values for name, values in wanted.where.items()},
        most=MOST,
    )
    parts, prices = [], await _prices(wanted) if "paid" in wanted.measures else {}
    for row in rows:
        group = tuple(row[name] for name in columns)
        for asset, price in prices.get(wanted.bounds[row["place"]].astimezone(UTC).date(), ()):
            parts.append(Part(row["place"], group, "paid", asset, row["used"] * price))
        parts.append(Part(row["place"], group, "used", CREDIT, row["used"]))
        parts.append(Part(row["place"], group, "count", "", row["spends"]))
    return parts


async def _prices(wanted: Wanted) -> dict[date, list[tuple[str, Fraction]]]:
    """Return what was paid for a minor unit of the credits used on each day, in minor units of each currency."""
    first, last = (bound.astimezone(UTC).date() for bound in (wanted.bounds[0], wanted.bounds[-1]))
    found = defaultdict[date, list[tuple[str, Fraction]]](list)
    asked = {"org_id": wanted.org_id, "first": first, "last": last}
    for day, asset, paid, used in await wanted.session.execute(_PRICES, asked):
        found[day].append((asset, Fraction(paid, used)))
    return found
