"""Measures of an organization's spends, in credits, by the time of the use."""

from domain.common.money import CREDIT
from repositories.credits import spend_day
from repositories.insight.measures import MAX_ROWS, MeasurePart, MeasureQuery

#: The dimensions, with the columns of spends.
DIMENSIONS = {
    "action": "action",
    "agent": "agent_id",
    "department": "department_id",
    "project": "project_id",
    "model": "model",
}


async def read(wanted: MeasureQuery) -> list[MeasurePart]:
    """Return `used`, what was used and not refunded, `count`, the number of uses, and `paid`, in money.

    Where a currency of money is asked for, what was used is what was paid for it.
    """
    assert wanted.org_id is not None
    in_money, parts = wanted.currency not in {None, CREDIT}, list[MeasurePart]()
    bounds = [min(bound, max(wanted.now, wanted.bounds[0])) for bound in wanted.bounds]
    columns = [DIMENSIONS[name] for name in wanted.by]
    where = {DIMENSIONS[name]: values for name, values in wanted.where.items()}
    if "paid" in wanted.measures or ("used" in wanted.measures and in_money):
        for row in await spend_day.paid(
            wanted.session, wanted.org_id, bounds, columns=columns, where=where, most=MAX_ROWS
        ):
            group = tuple(row[name] for name in columns)
            parts += [MeasurePart(row["place"], group, name, row["asset"], row["cost"]) for name in ("paid", "used")]
    if not in_money:
        parts = [part for part in parts if part.measure == "paid"]
    if "count" in wanted.measures or not in_money:
        for row in await spend_day.by_interval(
            wanted.session, wanted.org_id, bounds, columns=columns, where=where, most=MAX_ROWS
        ):
            group = tuple(row[name] for name in columns)
            parts.append(MeasurePart(row["place"], group, "count", "", row["spends"]))
            if not in_money:
                parts.append(MeasurePart(row["place"], group, "used", CREDIT, row["used"]))
    return parts
