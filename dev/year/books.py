"""The books of the year as a person reads them."""

from datetime import date, timedelta

from commands.books import shown, table
from dev.year.world import World, YearError
from domain.books.accounting import profit_and_loss
from domain.common.money import ISSUED, format_amount
from domain.usage.amounts import to_minor
from repositories.books import accounting
from repositories.usage import usage_report
from runtime.database import Database


async def read(world: World, year: int, months: int) -> list[str]:
    """Return the trial balance, profit and loss by quarter, and the balance sheet, by the product's own reports.

    Raises:
        YearError: a whole year, with the provider's fees, refunds and the cost of model calls, has lost money.
    """
    first, last = date(year, 1, 1), world.now().date()
    database = Database(world.settings.database_url, world.settings.platform_database_url, pool_size=1)
    quarters = [(date(year, month, 1), _end_of_quarter(year, month)) for month in range(1, months + 1, 3)]
    try:
        async with database.platform() as session:
            sums = await accounting.lines(session, first, last)
            by_quarter = [await accounting.lines(session, *quarter) for quarter in quarters]
            costs = [await usage_report.model_costs(session, *quarter, None) for quarter in quarters]
    finally:
        await database.close()
    lines = shown("trial-balance", sums, first, last, {})
    for asset in sorted({one.asset for one in sums} - ISSUED):
        results = [profit_and_loss(each, asset) for each in by_quarter]
        lines += ["", f"Profit and loss by quarter, {asset}"]
        rows = [["", *(f"{begin:%Y-%m}" for begin, _ in quarters), "year"]]
        for title, section in (("revenue", "revenue"), ("expenses", "expenses")):
            found = [dict(getattr(result, section).lines) for result in results]
            for name in sorted({name for each in found for name in each}):
                rows.append(_row(f"  {name}", [each.get(name, 0) for each in found], asset))
            rows.append(_row(title, [getattr(result, section).total_minor for result in results], asset))
        rows.append(_row("result", [result.result_minor for result in results], asset))
        # No bill of a model's provider comes in here; see `domain.books.accounting`.
        called = [to_minor(each.get(asset, 0), asset) for each in costs]
        rows.append(_row("model calls, at cost", called, asset))
        left = [result.result_minor - cost for result, cost in zip(results, called, strict=True)]
        rows.append(_row("left after fees, refunds and model calls", left, asset))
        if months == 12 and sum(left) <= 0:
            raise YearError("\n".join([f"the year has lost money in {asset}:", *table(rows)]))
        lines += table(rows)
    return [*lines, "", *shown("balance-sheet", sums, first, last, {})]


def _row(name: str, amounts: list[int], asset: str) -> list[str]:
    return [name, *(format_amount(minor, asset) for minor in amounts), format_amount(sum(amounts), asset)]


def _end_of_quarter(year: int, month: int) -> date:
    return date(year + 1, 1, 1) - timedelta(days=1) if month == 10 else date(year, month + 3, 1) - timedelta(days=1)
