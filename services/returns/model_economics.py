"""Cost and success of models in a period, and their comparison."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from itertools import permutations
from typing import NamedTuple

from sqlalchemy.ext.asyncio import AsyncSession

from domain.returns import model_economics as rules
from domain.returns.model_economics import LEAST_RUNS, Comparison, Grouping, ModelChoice, ModelFigures, ModelSums
from domain.usage.model_class import ModelClass, class_of
from domain.usage.price_map import CURRENCY
from domain.usage.prices import DEFAULT
from repositories.returns import model_economics
from repositories.usage.model_price import PriceBook, PriceKey
from runtime.compute_thread import run_in_thread

#: The default period of a comparison in days, and the maximum number of models to compare by default.
DAYS, MOST_MODELS = 30, 8


class PeriodFigures(NamedTuple):
    """Figures of a period.

    Attributes:
        is_complete: whether they include all results of the period.
        self_reported: the number of self-reported results, which are excluded.
    """

    lines: list[ModelFigures]
    is_complete: bool
    self_reported: int


async def figures(
    session: AsyncSession, org_id: str, by: Iterable[Grouping], *, since: datetime, until: datetime
) -> PeriodFigures:
    """Return the figures of a period; `since` and `until` are midnights in UTC."""
    calls = await model_economics.calls(session, org_id, since, until)
    runs = await model_economics.runs(session, org_id, since, until)
    return PeriodFigures(
        await run_in_thread(rules.figures_by_group, calls, runs, by),
        *await model_economics.counts(session, org_id, since, until),
    )


async def classes(
    session: AsyncSession, prices: PriceBook, found: Iterable[ModelFigures], *, at: datetime
) -> dict[str, ModelClass]:
    """Return each model's class by the prices at a time."""
    wanted = {line.model: PriceKey(line.model, None, at) for line in found if line.model is not None}
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
    until: datetime,
    since: datetime | None = None,
    pairs: Iterable[tuple[ModelChoice, ModelChoice]] | None = None,
    currency: str = CURRENCY,
    value_pico: int | None = None,
) -> list[Comparison]:
    """Compare models by the period's runs with results.

    Args:
        session: of the organization or the platform.
        org_id: the organization.
        until: the end of the period, such as now.
        since: its beginning; None for `DAYS` before its end.
        pairs: pairs of models to compare; None for all pairs of up to `MOST_MODELS` models with enough runs.
        currency: of the costs.
        value_pico: the value of an accepted result; None for the mean of the compared results with a value.
    """
    runs = await model_economics.runs(session, org_id, since or until - timedelta(days=DAYS), until)
    chosen = _pairs(runs, currency) if pairs is None else pairs
    return [await run_in_thread(rules.compare, runs, a, b, currency, value_pico) for a, b in chosen]


def _pairs(runs: Iterable[ModelSums], currency: str) -> list[tuple[ModelChoice, ModelChoice]]:
    counted: dict[str, int] = {}
    for cell in runs:
        if cell.model is not None and cell.currency == currency:
            counted[cell.model] = counted.get(cell.model, 0) + cell.sums.runs
    models = sorted((model for model, found in counted.items() if found >= LEAST_RUNS), key=lambda it: -counted[it])
    return list(permutations(map(ModelChoice, models[:MOST_MODELS]), 2))
