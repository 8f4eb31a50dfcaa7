"""What models cost and bring, by model, mode and kind of task, and whether one is worth it over another. Pure.

Figures of success and cost are estimates: they are floats inside, and leave as integers. Nobody is charged them.

The comparison is within strata of one kind of task and one size of input, because harder tasks go to dearer models:
over all tasks together, the better model looks worse. Differences of strata are averaged with the weights of Mantel and
Haenszel (1959), nₐ·n_b/(nₐ+n_b); strata with one of the two models alone say nothing. An interval of a share is that
of Wilson (1927).

Where routing has drawn the models, its odds went with what it knew of the task: with its value, the quality it needed
and what the budget had. Such runs are strata of their own by who was drawn from, and count by one over the odds in them
(Horvitz and Thompson 1952, as a ratio by Hájek 1971), so each model stands for all tasks that either could have got.
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

#: Of the standard normal distribution, for intervals that hold in 95 of 100 cases.
_Z = 1.959964
#: A stratum counts from so many runs of each model, and a comparison from so many in all strata that count.
LEAST_IN_STRATUM, LEAST_RUNS = 5, 30
#: Where nobody says what a result is worth, a model that succeeds at most this much less often counts as no worse.
MARGIN_E6 = 20_000


class Grouping(StrEnum):
    """By what figures can be grouped."""

    MODEL = "model"
    MODE = "mode"
    TASK_KIND = "task_kind"


class ComparisonVerdict(StrEnum):
    """Whether the second model is worth its cost over the first."""

    WORTH_IT = "worth_it"
    NOT_WORTH_IT = "not_worth_it"
    NOT_ENOUGH_DATA = "not_enough_data"


@dataclass(frozen=True, slots=True, kw_only=True)
class CallSums:
    """What some calls and runs add up to; all sums are exact.

    Attributes:
        tokens: all tokens; `output_tokens` those of answers, with reasoning.
        timed_tokens: tokens of the answers whose calls took `duration_ms`.
        estimated: calls with a unit that a substitute's price applies to.
        runs: runs with a result, of which `accepted` were accepted; `score_e6` is the sum of their scores.
        run_cost_pico: the cost of these runs; `square_pico` the sum of its squares, `accepted_pico` that of accepted.
        valued: accepted runs with a value in the currency, and `value_minor` its sum.
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
    """Sums of runs that count by weights; all are exact, in any unit of the weights.

    Attributes:
        weight: the sum of the weights; `accepted` that of accepted runs, `cost` that of weights times costs in pico.
        squared: the sum of the squares of the weights, and so on: of accepted runs, times costs, times squares of
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
        """Add two."""
        return WeightedSums(*map(int.__add__, self, other))

    @property
    def effective(self) -> float:
        """Return how many runs of equal weights say as much (Kish 1965)."""
        return self.weight**2 / self.squared


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSums:
    """The calls, or the runs with results, of one model and mode in one currency.

    Attributes:
        model: None for runs in which several models answered, or whose calls nobody reported.
        task_kind: of runs; None for calls, of which it is not known. `size` is the class of the length of its input.
        drawn_from: the plain names of the models that each of the runs could have got with odds above 0, if its model
            was drawn before its first call; empty otherwise. `drawn` has the runs by one over their odds.
        currency: None where a run has costs in several, or none.
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
    """The figures of one group in one currency; a member that it is not grouped by is None."""

    model: str | None
    mode: str | None
    task_kind: str | None
    currency: str | None
    sums: CallSums

    @property
    def per_1000_tokens_pico(self) -> int | None:
        """Return the cost of 1,000 tokens; None without tokens or a cost."""
        return self._each(1000 * self.sums.cost_pico, self.sums.tokens)

    @property
    def per_call_pico(self) -> int | None:
        return self._each(self.sums.cost_pico, self.sums.calls)

    @property
    def per_accepted_pico(self) -> int | None:
        """Return what all runs with a result cost for each accepted one; None without one or a cost."""
        return self._each(self.sums.run_cost_pico, self.sums.accepted)

    @property
    def tokens_per_second_e2(self) -> int | None:
        """Return the hundredths of tokens of answers a second; None where no call says how long it took."""
        return _ratio(100_000 * self.sums.timed_tokens, self.sums.duration_ms)

    @property
    def score_e6(self) -> int | None:
        """Return the mean score of runs with a result; None without one."""
        return _ratio(self.sums.score_e6, self.sums.runs)

    @property
    def success_e6(self) -> tuple[int, int, int] | None:
        """Return the share of accepted runs with the ends of its interval; None without runs."""
        return wilson(self.sums.accepted, self.sums.runs) if self.sums.runs else None

    def _each(self, cost_pico: int, number: int) -> int | None:
        return None if self.currency is None else _ratio(cost_pico, number)


class ModelChoice(NamedTuple):
    """A model, in one mode or in any."""

    model: str
    mode: Mode | None = None

    @classmethod
    def of(cls, text: str) -> "ModelChoice":
        """Read `gpt-5` or `gpt-5:thinking`; a colon before another word belongs to the name."""
        name, _, mode = text.rpartition(":")
        return cls(name, Mode(mode)) if name and mode in set(Mode) else cls(text)

    def __str__(self) -> str:
        return self.model if self.mode is None else f"{self.model}:{self.mode}"

    def meets(self, other: "ModelChoice") -> bool:
        """Return whether some runs are of both."""
        return self.model == other.model and (None in {self.mode, other.mode} or self.mode == other.mode)

    def has(self, cell: ModelSums) -> bool:
        """Return whether runs are its own."""
        return cell.model == self.model and self.mode in {None, cell.mode}


class Estimate(NamedTuple):
    """A figure with the ends of the interval that holds it in 95 of 100 cases."""

    value: int
    low: int
    high: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What choosing `b` instead of `a` changes for a run; the strata that both have are compared, and no others.

    Attributes:
        runs_a: runs of `a` that were compared, of `all_a` with a result; `runs_b` of `all_b` for `b`.
        strata: how many strata were compared.
        cost_pico: how much dearer `b` is; None, like `success_e6`, where no stratum has both.
        success_e6: how much more often `b` succeeds, in millionths.
        naive_success_e6: the same over all tasks together, which is misleading where harder tasks go to one of them.
        per_success_pico: the cost of one more success; None where `b` does not surely succeed more often and cost more.
        value_pico: what an accepted result is worth; None where nobody says.
        is_randomised: the model of each run compared was drawn, from both among others. Nobody draws modes.
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
    """Return the figures by group and currency, the dearest first.

    Calls and their costs are those of all usage; by kind of task they are those of runs with a result, because the kind
    of others is not known. A group by model has runs in which several models answered under no model.
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
    """Return a quotient, rounded half to even; None where there is nothing to divide by."""
    return round(Fraction(part, whole)) if whole else None


def wilson(successes: int, runs: int) -> tuple[int, int, int]:
    """Return a share with the ends of its interval, in millionths; `runs` is not 0."""
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
        value_pico: what an accepted result is worth; None takes the mean of those compared that have a value.
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
    """Return the runs of a model by kind of task, size of input, and from whom it was drawn.

    The last is empty unless it has both of the names; then all runs weigh the same.
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
    """Return runs with a weight of 1."""
    first = (sums.runs, sums.accepted, sums.run_cost_pico)
    return WeightedSums(*first, *first, sums.square_pico, sums.accepted_pico)


def _naive(a: CallSums, b: CallSums) -> int | None:
    if not a.runs or not b.runs:
        return None
    return round(WHOLE_E6 * (Fraction(b.accepted, b.runs) - Fraction(a.accepted, a.runs)))


def _mean_value(sums: CallSums, currency: str) -> int | None:
    return _ratio(sums.value_minor * minor_pico(currency), sums.valued)


def _verdict(cost: Estimate, success: Estimate, benefit: Estimate | None) -> ComparisonVerdict:
    """Return the verdict by the benefit, what more successes are worth less what more they cost.

    Where nobody says what a success is worth, the second model must surely cost less and not succeed noticeably less
    often, or the reverse.
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
    """Estimate how much more a run of the second models brings: so much a success, and so much a pico of its cost."""
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

    The variance of a share is at least that of (x + ½)/(n + 1), so that a few runs that all succeed are not taken for
    certainty.
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
