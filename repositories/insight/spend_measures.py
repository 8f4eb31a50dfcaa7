"""Measures of an organization's spends, in credits, by the time of the use."""

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


async def read(wanted: Wanted) -> list[Part]:
    """Return `used`, what was used and not refunded, and `count`, the number of uses."""
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
    parts = []
    for row in rows:
        group = tuple(row[name] for name in columns)
        parts.append(Part(row["place"], group, "used", CREDIT, row["used"]))
        parts.append(Part(row["place"], group, "count", "", row["spends"]))
    return parts
