"""Cost and success of models by model, mode and kind of task, and comparison of two models. Pure.

Success and cost are estimates: floats inside, returned as integers, and never charged.

Models are compared within strata of one kind of task and size of input, because harder tasks go to dearer models: over
all tasks together, the better model looks worse. Differences of strata are averaged with the weights of Mantel and
Haenszel (1959), nₐ·n_b/(nₐ+n_b); strata with only one of the models do not count. Intervals of shares are those of
Wilson (1927).

If routing drew the model, its odds depended on the task: value, required quality and budget. Such runs are strata of
their own by set of candidates, and are weighted by the inverse of their odds (Horvitz and Thompson 1952, as a ratio by
Hájek 1971), so each model represents all tasks that either could have got.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from enum import StrEnum
from fractions import Fraction
from math import sqrt
from typing import NamedTuple

from domain.returns.result import WHOLE_E6
from domain.usage.amounts import minor_pico
from domain.usage.prices import plain_name
from domain.usage.token_usage import Mode

#: The quantile of the standard normal distribution for 95 % intervals.
_Z = 1.959964
#: The minimum number of runs of each model in a stratum, and in all strata of a comparison.
LEAST_IN_STRATUM, LEAST_RUNS = 5, 30
#: If results have no value, a model counts as no worse if its success rate is at most this much lower.
MARGIN_E6 = 20_000


class Grouping(StrEnum):
    """Dimension that figures are grouped by."""

    MODEL = "model"
    MODE = "mode"
    TASK_KIND = "task_kind"


class ComparisonVerdict(StrEnum):
    """Assessment of whether the second model is worth its cost over the first."""

    WORTH_IT = "worth_it"
    NOT_WORTH_IT = "not_worth_it"
    NOT_ENOUGH_DATA = "not_enough_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSums:
    """Exact sums of calls and runs.

    Attributes:
        tokens: all tokens; `output_tokens` those of answers, including reasoning.
        timed_tokens: output tokens of calls with a known duration, `duration_ms` in sum.
        estimated: calls with a unit that a substitute's price applies to.
        runs: runs with a result, `accepted` of them accepted; `score_e6` is the sum of their scores.
        run_cost_pico: the cost of these runs; `square_pico` the sum of its squares, `accepted_pico` that of accepted
            runs.
        valued: accepted runs with a value in the currency; `value_minor` is its sum.
    """

    calls: int = 0
    tokens: int = 0
    output_tokens: int = 0
    timed_tokens: int = 0
    duration_ms: int = 0
    estimated: int = 0
    cost_pico: int = 0
    runs: int = 0
    accepted: int = 0
    score_e6: int = 0
    run_cost_pico: int = 0
    square_pico: int = 0
    accepted_pico: int = 0
    valued: int = 0
    value_minor: int = 0

    def __add__(self, other: "CallSums") -> "CallSums":
        return CallSums(**{name: getattr(self, name) + getattr(other, name) for name in SUMMED})


SUMMED = tuple(field.name for field in fields(CallSums))


class WeightedSums(NamedTuple):
    """Exact sums of weighted runs, in any unit of the weights.

    Attributes:
        weight: the sum of the weights; `accepted` that of accepted runs, `cost` that of weights times costs in pico.
        squared: the sum of the squared weights; the others are those of accepted runs, times costs, times squared
            costs, and times costs of accepted runs.
    """

    weight: int = 0
    accepted: int = 0
    cost: int = 0
    squared: int = 0
    squared_accepted: int = 0
    squared_cost: int = 0
    squared_cost2: int = 0
    squared_accepted_cost: int = 0

    def plus(self, other: "WeightedSums") -> "WeightedSums":
        """Add two sums."""
        return WeightedSums(*map(int.__add__, self, other))

    @property
    def effective(self) -> float:
        """Return the effective sample size (Kish 1965)."""
        return self.weight**2 / self.squared


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSums:
    """Sums of the calls, or of the runs with results, of a model and mode in one currency.

    Attributes:
        model: None for runs with several models, or without reported calls.
        task_kind: of runs; None for calls. `size` is the class of the input's length.
        drawn_from: the plain names of the candidates with odds above 0, if routing drew the model before the first
            call; otherwise empty. `drawn` has the runs weighted by the inverse of their odds.
        currency: None for runs with costs in several currencies, or in none.
    """

    model: str | None
    mode: str | None
    currency: str | None
    sums: CallSums
    task_kind: str | None = None
    size: int = 0
    drawn_from: tuple[str, ...] = ()
    drawn: WeightedSums | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFigures:
    """Figures of a group in one currency; dimensions that it is not grouped by are None."""

    model: str | None
    mode: str | None
    task_kind: str | None
    currency: str | None
    sums: CallSums

    @property
    def per_1000_tokens_pico(self) -> int | None:
        """Return the cost of 1,000 tokens; None without tokens or cost."""
        return self._each(1000 * self.sums.cost_pico, self.sums.tokens)

    @property
    def per_call_pico(self) -> int | None:
        return self._each(self.sums.cost_pico, self.sums.calls)

    @property
    def per_accepted_pico(self) -> int | None:
        """Return the cost of runs with a result per accepted run; None without accepted runs or cost."""
        return self._each(self.sums.run_cost_pico, self.sums.accepted)

    @property
    def tokens_per_second_e2(self) -> int | None:
        """Return output tokens per second, in hundredths; None if no call has a duration."""
        return _ratio(100_000 * self.sums.timed_tokens, self.sums.duration_ms)

    @property
    def score_e6(self) -> int | None:
        """Return the mean score of runs with a result; None without runs."""
        return _ratio(self.sums.score_e6, self.sums.runs)

    @property
    def success_e6(self) -> tuple[int, int, int] | None:
        """Return the share of accepted runs, with the ends of its interval; None without runs."""
        return wilson(self.sums.accepted, self.sums.runs) if self.sums.runs else None

    def _each(self, cost_pico: int, number: int) -> int | None:
        return None if self.currency is None else _ratio(cost_pico, number)


class ModelChoice(NamedTuple):
    """A model in one mode, or in any."""

    model: str
    mode: Mode | None = None

    @classmethod
    def of(cls, text: str) -> "ModelChoice":
        """Parse `gpt-5` or `gpt-5:thinking`; a colon before another word is part of the name."""
        name, _, mode = text.rpartition(":")
        return cls(name, Mode(mode)) if name and mode in set(Mode) else cls(text)

    def __str__(self) -> str:
        return self.model if self.mode is None else f"{self.model}:{self.mode}"

    def meets(self, other: "ModelChoice") -> bool:
        """Return whether two choices overlap."""
        return self.model == other.model and (None in {self.mode, other.mode} or self.mode == other.mode)

    def has(self, cell: ModelSums) -> bool:
        """Return whether the runs are of this choice."""
        return cell.model == self.model and self.mode in {None, cell.mode}


class Estimate(NamedTuple):
    """An estimate with the ends of its 95 % interval."""

    value: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Effect of choosing `b` instead of `a` on a run, by strata with runs of both.

    Attributes:
        runs_a: compared runs of `a`, of `all_a` with a result; `runs_b` of `all_b` for `b`.
        strata: the number of compared strata.
        cost_pico: the additional cost of `b`; None, like `success_e6`, without a common stratum.
        success_e6: the difference in the success rate, in millionths.
        naive_success_e6: the same over all tasks together, which misleads if harder tasks go to one of them.
        per_success_pico: the cost of an additional success; None unless `b` succeeds more often and costs more, both
            with confidence.
        value_pico: the value of an accepted result; None if it is not known.
        is_randomised: whether the model of each compared run was drawn, with both among the candidates; modes never
            are.
    """

    a: ModelChoice
    b: ModelChoice
    currency: str
    runs_a: int
    runs_b: int
    all_a: int
    all_b: int
    strata: int
    cost_pico: Estimate | None
    success_e6: Estimate | None
    naive_success_e6: int | None
    per_success_pico: int | None
    value_pico: int | None
    is_randomised: bool
    verdict: ComparisonVerdict


def figures_by_group(
    calls: Iterable[ModelSums], runs: Iterable[ModelSums], by: Iterable[Grouping]
) -> list[ModelFigures]:
    """Return the figures by group and currency, the most expensive first.

    Calls and costs are those of all usage; by kind of task, only those of runs with a result, whose kind is known. By
    model, runs with several models are under None.
    """
    wanted = frozenset(by)
    found: dict[tuple[str | None, ...], CallSums] = defaultdict(CallSums)

    def add(cell: ModelSums, sums: CallSums) -> None:
        found[(*(getattr(cell, name) if name in wanted else None for name in Grouping), cell.currency)] += sums

    for cell in runs:
        add(cell, cell.sums if Grouping.TASK_KIND in wanted else _of_results(cell.sums))
    for cell in () if Grouping.TASK_KIND in wanted else calls:
        add(cell, cell.sums)
    order = sorted(found.items(), key=lambda item: (-item[1].cost_pico, [name or "" for name in item[0]]))
    return [
        ModelFigures(model=model, mode=mode, task_kind=kind, currency=currency, sums=sums)
        for (model, mode, kind, currency), sums in order
    ]


def _of_results(sums: CallSums) -> CallSums:
    return CallSums(**{name: getattr(sums, name) for name in SUMMED[SUMMED.index("runs") :]})


def _ratio(part: int, whole: int) -> int | None:
    """Return a quotient, rounded half to even; None for a division by zero."""
    return round(Fraction(part, whole)) if whole else None


def wilson(successes: int, runs: int) -> tuple[int, int, int]:
    """Return a share with the ends of its Wilson interval, in millionths; `runs` is not 0."""
    share, z2 = successes / runs, _Z * _Z
    middle = (share + z2 / (2 * runs)) / (1 + z2 / runs)
    half = _Z / (1 + z2 / runs) * sqrt(share * (1 - share) / runs + z2 / (4 * runs * runs))
    ends = (max(0, middle - half), min(1, middle + half))
    return round(share * WHOLE_E6), round(ends[0] * WHOLE_E6), round(ends[1] * WHOLE_E6)


def compare(
    runs: Sequence[ModelSums], a: ModelChoice, b: ModelChoice, currency: str, value_pico: int | None = None
) -> Comparison:
    """Compare two models.

    Args:
        runs: of the organization, of any models and in any currency.
        a: the first model.
        b: the second one.
        currency: of the costs; runs with costs in another currency are left out.
        value_pico: the value of an accepted result; None for the mean of the compared results with a value.
    """
    names = frozenset(plain_name(choice.model) for choice in (a, b) if choice.mode is None)
    of_a, of_b = (_strata(runs, choice, currency, names) for choice in (a, b))
    counted = [
        key
        for key in sorted(of_a.keys() & of_b.keys())
        if min(of_a[key].weighed.effective, of_b[key].weighed.effective) >= LEAST_IN_STRATUM
    ]
    common = [(of_a[key], of_b[key]) for key in counted]
    compared_a, compared_b = (sum((pair[place].sums for pair in common), CallSums()) for place in (0, 1))
    all_a, all_b = (sum((each.sums for each in strata.values()), CallSums()) for strata in (of_a, of_b))
    both = compared_a + compared_b
    worth = _mean_value(both, currency) if value_pico is None else value_pico
    cost, success = _difference(common, 0, 1), _difference(common, WHOLE_E6, 0)
    verdict, per_success = ComparisonVerdict.NOT_ENOUGH_DATA, None
    if cost is not None and success is not None:
        if min(compared_a.runs, compared_b.runs) >= LEAST_RUNS:
            verdict = _verdict(cost, success, None if worth is None else _difference(common, worth, -1))
        if cost.low > 0 and success.low > 0:
            per_success = round(Fraction(cost.value * WHOLE_E6, success.value))
    return Comparison(
        a=a,
        b=b,
        currency=currency,
        runs_a=compared_a.runs,
        runs_b=compared_b.runs,
        all_a=all_a.runs,
        all_b=all_b.runs,
        strata=len(common),
        cost_pico=cost,
        success_e6=success,
        naive_success_e6=_naive(all_a, all_b),
        per_success_pico=per_success,
        value_pico=worth,
        is_randomised=bool(counted) and all(drawn_from for _, _, drawn_from in counted),
        verdict=verdict,
    )


class _Stratum(NamedTuple):
    sums: CallSums = CallSums()
    weighed: WeightedSums = WeightedSums()


def _strata(
    runs: Iterable[ModelSums], choice: ModelChoice, currency: str, names: frozenset[str]
) -> dict[tuple[str, int, tuple[str, ...]], _Stratum]:
    """Return the runs of a model by kind of task, size of input, and set of candidates.

    The set is empty unless it includes both names; then all runs have equal weights.
    """
    found: dict[tuple[str, int, tuple[str, ...]], _Stratum] = defaultdict(_Stratum)
    for cell in runs:
        if choice.has(cell) and cell.currency == currency and cell.task_kind is not None:
            drawn = cell.drawn if len(names) > 1 and names <= set(cell.drawn_from) else None
            key = cell.task_kind, cell.size, () if drawn is None else cell.drawn_from
            sums, weighed = found[key]
            found[key] = _Stratum(sums + cell.sums, weighed.plus(drawn or _equal(cell.sums)))
    return found


def _equal(sums: CallSums) -> WeightedSums:
    """Give each run a weight of 1."""
    first = (sums.runs, sums.accepted, sums.run_cost_pico)
    return WeightedSums(*first, *first, sums.square_pico, sums.accepted_pico)


def _naive(a: CallSums, b: CallSums) -> int | None:
    if not a.runs or not b.runs:
        return None
    return round(WHOLE_E6 * (Fraction(b.accepted, b.runs) - Fraction(a.accepted, a.runs)))


def _mean_value(sums: CallSums, currency: str) -> int | None:
    return _ratio(sums.value_minor * minor_pico(currency), sums.valued)


def _verdict(cost: Estimate, success: Estimate, benefit: Estimate | None) -> ComparisonVerdict:
    """Return the verdict by the benefit: the value of additional successes less the additional cost.

    Without a value of successes, the second model must cost less with confidence and not succeed noticeably less often,
    or the reverse.
    """
    if benefit is not None:
        is_worth, is_not = benefit.low > 0, benefit.high < 0
    else:
        is_worth = cost.high < 0 and success.low >= -MARGIN_E6
        is_not = cost.low > 0 and success.high <= MARGIN_E6
    return (
        ComparisonVerdict.WORTH_IT
        if is_worth
        else ComparisonVerdict.NOT_WORTH_IT
        if is_not
        else ComparisonVerdict.NOT_ENOUGH_DATA
    )


def _difference(common: Sequence[tuple[_Stratum, _Stratum]], per_success: int, per_cost: int) -> Estimate | None:
    """Estimate the difference between the models' runs, given the worth of a success and of a pico of cost."""
    total = value = variance = 0.0
    for a, b in common:
        runs_a, runs_b = a.weighed.effective, b.weighed.effective
        weight = runs_a * runs_b / (runs_a + runs_b)
        (mean_a, spread_a), (mean_b, spread_b) = (_mean(each, per_success, per_cost) for each in (a, b))
        total += weight
        value += weight * (mean_b - mean_a)
        variance += weight * weight * (spread_a + spread_b)
    if not total:
        return None
    middle, half = value / total, _Z * sqrt(variance) / total
    return Estimate(round(middle), round(middle - half), round(middle + half))


def _mean(stratum: _Stratum, per_success: int, per_cost: int) -> tuple[float, float]:
    """Return the mean of a stratum and the variance of that mean.

    The variance of a share is at least that of (x + ½)/(n + 1), so that a few successful runs are not certainty.
    """
    by, runs = stratum.weighed, stratum.sums.runs
    whole, rest = by.weight, runs - 1

    # Exact until they are divided: sums of squares and squares of sums are nearly equal, and huge.
    def spread(of_both: int, one: tuple[int, int], other: tuple[int, int]) -> float:
        (first, square), (second, other_square) = one, other
        crossed = square * second + other_square * first
        return runs * (of_both * whole**2 - crossed * whole + first * second * by.squared) / (rest * whole**4)

    accepted, cost = (by.accepted, by.squared_accepted), (by.cost, by.squared_cost)
    effective = by.effective
    share = (by.accepted / whole * effective + 0.5) / (effective + 1)
    of_success = max(share * (1 - share) / effective * runs / rest, spread(by.squared_accepted, accepted, accepted))
    of_cost = spread(by.squared_cost2, cost, cost)
    both = spread(by.squared_accepted_cost, accepted, cost)
    mean = (per_success * by.accepted + per_cost * by.cost) / whole
    return mean, max(0.0, per_success**2 * of_success + per_cost**2 * of_cost + 2 * per_success * per_cost * both)
