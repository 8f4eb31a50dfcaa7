"""Measures of an organization's spends, by time of use."""

from repositories.credits import spend_day
from repositories.insight.measures import MAX_ROWS, MeasurePart, MeasureQuery

#: The dimensions and their columns of spends.
DIMENSIONS = {
    "action": "action",
    "agent": "agent_id",
    "department": "department_id",
    "project": "project_id",
    "model": "model",
}


async def read(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return `count`, the number of uses, and `paid`, the purchase price of used credits less refunds, in money."""
    assert wanted.org_id is not None
    bounds = [min(bound, max(wanted.now, wanted.bounds[0])) for bound in wanted.bounds]
    columns = [DIMENSIONS[name] for name in wanted.by]
    where = {DIMENSIONS[name]: values for name, values in wanted.where.items()}
    parts = list[MeasurePart]()
    if "paid" in wanted.measures:
        for row in await spend_day.paid(
            wanted.session, wanted.org_id, bounds, columns=columns, where=where, most=MAX_ROWS
        ):
            group = tuple(row[name] for name in columns)
            parts.append(MeasurePart(row["place"], group, "paid", row["asset"], row["cost"]))
    if "count" in wanted.measures:
        for row in await spend_day.by_interval(
            wanted.session, wanted.org_id, bounds, columns=columns, where=where, most=MAX_ROWS
        ):
            parts.append(MeasurePart(row["place"], tuple(row[name] for name in columns), "count", "", row["spends"]))
    return parts
