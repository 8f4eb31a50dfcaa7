"""Reads what models cost and bring in a period, and compares them."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import permutations

from sqlalchemy.ext.asyncio import AsyncSession

from domain.returns import model_economics as rules
from domain.returns.model_economics import LEAST_RUNS, Cell, Choice, Comparison, Grouping, Line
from domain.usage.model_class import ModelClass, class_of
from domain.usage.price_map import CURRENCY
from domain.usage.prices import DEFAULT
from repositories.returns import model_economics
from repositories.usage.model_price import PriceBook, Wanted

#: Of how many days runs are compared, and how many models with each other, if nobody says which.
DAYS, MOST_MODELS = 30, 8


async def lines(
    session: AsyncSession, org_id: str, by: Iterable[Grouping], *, since: datetime, until: datetime
) -> list[Line]:
    """Return the figures of a period; `since` and `until` are midnights in UTC."""
    calls = await model_economics.calls(session, org_id, since, until)
    return rules.lines(calls, await model_economics.runs(session, org_id, since, until), by)


async def classes(
    session: AsyncSession, prices: PriceBook, found: Iterable[Line], *, at: datetime
) -> dict[str, ModelClass]:
    """Return the classes of models at the prices of a time."""
    wanted = {line.model: Wanted(line.model, None, at) for line in found if line.model is not None}
    listed = await prices.prices_of(session, set(wanted.values()))
    found_classes = {}
    for model, each in wanted.items():
        price = listed[each]
        if price is None or price.version == DEFAULT:
            found_classes[model] = class_of(model)
        else:
            found_classes[model] = class_of(model, provider=price.provider, is_reasoning=price.is_reasoning)
    return found_classes


async def compare(
    session: AsyncSession,
    org_id: str,
    *,
    now: datetime,
    pairs: Iterable[tuple[Choice, Choice]] | None = None,
    since: datetime | None = None,
    currency: str = CURRENCY,
    value_pico: int | None = None,
) -> list[Comparison]:
    """Compare models by the runs with results of a period that ends with the day of `now`.

    Args:
        session: of the organization or the platform.
        org_id: the organization.
        now: the time; the day (UTC) that it is in is part of the period.
        pairs: the models to compare, each with the one that is chosen instead; None compares those with enough runs,
            each with each, of which there are at most `MOST_MODELS`.
        since: the midnight in UTC that the period begins with; None is that of `DAYS` ago.
        currency: of the costs.
        value_pico: what an accepted result is worth; None takes the mean of those compared that have a value.
    """
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    until = midnight + timedelta(days=1)
    runs = await model_economics.runs(session, org_id, since or until - timedelta(days=DAYS), until)
    chosen = _pairs(runs, currency) if pairs is None else pairs
    return [rules.compare(runs, a, b, currency, value_pico) for a, b in chosen]


def _pairs(runs: Iterable[Cell], currency: str) -> list[tuple[Choice, Choice]]:
    """Return each pair of the models with the most runs, both ways."""
    counted: dict[str, int] = {}
    for cell in runs:
        if cell.model is not None and cell.currency == currency:
            counted[cell.model] = counted.get(cell.model, 0) + cell.sums.runs
    models = sorted((model for model, found in counted.items() if found >= LEAST_RUNS), key=lambda it: -counted[it])
    return list(permutations(map(Choice, models[:MOST_MODELS]), 2))
