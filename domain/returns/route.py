"""Routing of a call to a model or agent by the outcomes of earlier calls, within the pace of a budget. Pure.

Thompson sampling: the odds of a candidate are the probability that it is the best one, given the outcomes of its calls
of the kind, shrunk towards those of all its calls and the ease of the kind. They are computed over fixed points of a
lattice, so they are known exactly; a small part is shared equally among all admissible candidates. The choice is drawn
by these odds, which are stored, because comparisons weight by them.

The price of the budget is a multiplier that rises after a call that cost more than the budget has per call, and falls
after a cheaper one. Sources are in `docs/guides/routing.md`. Quality is an estimate, a float between 0 and 1; costs are
integers of 10⁻¹² of the currency, and odds integers of a millionth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from math import sqrt
from statistics import NormalDist

#: The unit of odds, scores and multiples: 1 in millionths.
ONE = 1_000_000
#: The part of the odds that all admissible candidates share equally.
EXPLORED_E6 = 50_000
#: The maximum weight of a candidate's overall success rate, in results of the kind of task.
MOST_PRIOR = 30
#: The weight of the prior for the ease of a kind of task, in results.
PRIOR_EASE = 10
#: The weight of the expected cost, in measured costs.
PRIOR_COSTS = 5
#: The cap of a cost, in reference costs.
MOST_MULTIPLE = 10_000
#: The initial price of the budget, its change after a call at twice the budget per call, and the maximum change in such
#: steps, so that one wrong expectation does not decide.
START_E6, STEP_E6, MOST_STEPS = 100_000, 3_000, 10
#: The minimum chance of reaching the quality; candidates below it are out, unless none is above.
LEAST_CHANCE = 0.05
#: The weight of the previous window in the expected number of calls, in windows; and without one, the minimum elapsed
#: part of the window to extrapolate from.
_BEFORE_E6, _LEAST_E6 = 100_000, 10_000
#: The quantile for 90 % intervals of the mean cost.
_INTERVAL = 1.645
#: The number of points of the lattice, a prime, and its generator.
_POINTS, _GENERATOR = 257, 76
_QUANTILES = tuple(NormalDist().inv_cdf((at + 0.5) / _POINTS) for at in range(_POINTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSums:
    """Sums of the outcomes of a candidate.

    Attributes:
        results: the number of outcomes.
        score_e6: the sum of their scores, in millionths.
        costs: the number of outcomes with a cost.
        cost_e6: the sum of these costs, in millionths of the reference cost at the decision.
        square_e6: the sum of the squares of these multiples.
    """

    results: int = 0
    score_e6: int = 0
    costs: int = 0
    cost_e6: int = 0
    square_e6: int = 0


class ExclusionReason(StrEnum):
    """Reason why a candidate is out."""

    NO_PRICE = "no_price"
    NO_RATE = "no_rate"
    OVER_MAX_COST = "over_max_cost"
    OVER_BUDGET = "over_budget"
    BELOW_QUALITY = "below_quality"


_WHY_OUT = {
    ExclusionReason.NO_PRICE: "It has no price.",
    ExclusionReason.NO_RATE: "Its price cannot be converted, because there is no exchange rate.",
    ExclusionReason.OVER_MAX_COST: "It is expected to cost more than max_cost.",
    ExclusionReason.OVER_BUDGET: "It is expected to exceed the rest of the budget.",
    ExclusionReason.BELOW_QUALITY: "Its chance to reach the quality is below 5 %, and another candidate's is not.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model or an agent that could take a call.

    Attributes:
        name: the model's name or the agent's id.
        reference_pico: the cost of a call of the reference size by its price; None without a price.
        of_kind: sums of its outcomes of the kind of task; `all_round`, of all its outcomes.
        is_whole: whether the price is for a whole task, so that the size of other candidates' calls does not matter.
        out: the reason why it has no price.
    """

    name: str
    reference_pico: int | None
    of_kind: OutcomeSums = OutcomeSums()
    all_round: OutcomeSums = OutcomeSums()
    is_whole: bool = False
    out: ExclusionReason = ExclusionReason.NO_PRICE


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPace:
    """Remaining money of the binding budget.

    Attributes:
        left_pico: the remaining amount.
        per_call_pico: the same per call expected in the rest of the window; None if that is unknown.
        price_e6: the quality, in millionths, that a cost of `per_call_pico` must bring.
    """

    left_pico: int
    per_call_pico: int | None = None
    price_e6: int = START_E6

    def next_price_e6(self, cost_pico: int) -> int:
        """Return the price after a call."""
        if not self.per_call_pico:
            return self.price_e6
        moved = STEP_E6 * (cost_pico - self.per_call_pico) // self.per_call_pico
        return min(ONE, max(0, self.price_e6 + min(moved, MOST_STEPS * STEP_E6)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRequest:
    """Constraints of a call; amounts in 10⁻¹² of the currency; None: not given."""

    quality_e6: int | None = None
    value_pico: int | None = None
    max_cost_pico: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedCandidate:
    """A candidate in the ranking; fields are None without a price.

    Attributes:
        cost_pico: the expected cost, with the interval `low_pico` to `high_pico`.
        quality_e6: the expected score.
        chance_e6: the probability that its mean score reaches the quality.
        odds_e6: the probability that it is chosen; all add up to 1,000,000.
        results: the number of its outcomes of the kind of task.
        out: the reason why it cannot be chosen.
    """

    name: str
    cost_pico: int | None = None
    low_pico: int | None = None
    high_pico: int | None = None
    quality_e6: int | None = None
    chance_e6: int | None = None
    odds_e6: int = 0
    results: int = 0
    out: ExclusionReason | None = None


def calls_left(*, calls: int, before: int | None, elapsed_e6: int, first_e6: int) -> int:
    """Return the expected number of calls in the rest of a window.

    Args:
        calls: the calls of the window so far, including this one.
        before: the calls of the previous window; None if it is unknown.
        elapsed_e6: the elapsed part of the window.
        first_e6: the elapsed part at its first call, at which a budget without a previous window began.
    """
    if before is None:
        seen, over_e6 = calls * ONE, max(_LEAST_E6, elapsed_e6 - first_e6)
    else:
        seen, over_e6 = calls * ONE + before * _BEFORE_E6, elapsed_e6 + _BEFORE_E6
    return max(1, seen * (ONE - elapsed_e6) // (over_e6 * ONE))


def elapsed_e6(starts_at: datetime, resets_at: datetime, now: datetime) -> int:
    """Return the elapsed part of a window, in millionths."""
    return (now - starts_at) * ONE // (resets_at - starts_at)


def rank_candidates(
    candidates: Sequence[Candidate], wish: RoutingRequest, pace: BudgetPace | None
) -> list[RankedCandidate]:
    """Return the candidates with their odds, the highest first; all odds are 0 without an admissible one."""
    size, ease = _size_of_kind(candidates), _ease_of_kind(candidates)
    estimates = [_Estimate.of(each, wish, size, ease) for each in candidates if each.reference_pico is not None]
    out: dict[str, ExclusionReason] = {each.name: each.out for each in candidates if each.reference_pico is None}
    for each in estimates:
        if wish.max_cost_pico is not None and each.cost_pico > wish.max_cost_pico:
            out[each.name] = ExclusionReason.OVER_MAX_COST
        elif pace is not None and each.cost_pico > pace.left_pico:
            out[each.name] = ExclusionReason.OVER_BUDGET
    hopeful = {each.name for each in estimates if each.name not in out and each.chance >= LEAST_CHANCE}
    if hopeful:
        out |= {each.name: ExclusionReason.BELOW_QUALITY for each in estimates if each.name not in out.keys() | hopeful}
    admissible = sorted(
        (each for each in estimates if each.name not in out), key=lambda each: (each.cost_pico, each.name)
    )
    odds = dict(zip((each.name for each in admissible), _odds(admissible, wish, pace), strict=True))
    ranked = [each.ranked(odds.get(each.name, 0), out.get(each.name)) for each in estimates]
    ranked += [RankedCandidate(name=each.name, out=each.out) for each in candidates if each.reference_pico is None]
    return sorted(ranked, key=lambda each: (-each.odds_e6, each.out is not None, each.name))


def draw_choice(ranked: Sequence[RankedCandidate], key: str) -> RankedCandidate | None:
    """Draw the choice by the odds, deterministically by the key; None without an admissible candidate."""
    ticket = int.from_bytes(sha256(key.encode()).digest()) % ONE
    for each in ranked:
        ticket -= each.odds_e6
        if ticket < 0:
            return each
    return None


def explain_rank(ranked: RankedCandidate) -> str:
    """Explain a candidate's place in the ranking in a sentence."""
    if ranked.out is not None:
        return _WHY_OUT[ranked.out]
    if not ranked.results:
        return "There are no results of this kind of task yet, so its other results and its list price count."
    one = ranked.results == 1
    return f"{ranked.results} {'result' if one else 'results'} of this kind of task and its other results count."


@dataclass(frozen=True, slots=True)
class _Estimate:
    name: str
    results: int
    mean: float
    deviation: float
    chance: float
    cost_pico: int
    low_pico: int
    high_pico: int

    @classmethod
    def of(cls, candidate: Candidate, wish: RoutingRequest, size: float, ease: float) -> "_Estimate":
        """Estimate quality by a beta distribution, and cost by a mean shrunk towards that of the kind."""
        kind, everything = candidate.of_kind, candidate.all_round
        rate = min(0.99, max(0.01, _rate(everything) + ease))
        prior = min(MOST_PRIOR, max(2, everything.results))
        weight = kind.results + prior
        mean = (kind.score_e6 / ONE + prior * rate) / weight
        deviation = sqrt(mean * (1 - mean) / (weight + 1))
        wanted = None if wish.quality_e6 is None else wish.quality_e6 / ONE
        chance = 1.0 if wanted is None else 1 - NormalDist(mean, deviation or 1e-9).cdf(wanted)
        costs = kind.costs + PRIOR_COSTS
        size = 1.0 if candidate.is_whole else size
        multiple = (kind.cost_e6 / ONE + PRIOR_COSTS * size) / costs
        # Nothing is known about the spread before the first costs; as wide as the mean is what one guesses.
        spread = (kind.square_e6 / ONE + PRIOR_COSTS * 2 * size * size) / costs - multiple * multiple
        error = _INTERVAL * sqrt(max(0.0, spread) / costs)
        reference = candidate.reference_pico or 0
        return cls(
            candidate.name,
            kind.results,
            mean,
            deviation,
            chance,
            round(reference * multiple),
            round(reference * max(0.0, multiple - error)),
            round(reference * (multiple + error)),
        )

    def ranked(self, odds_e6: int, out: ExclusionReason | None) -> RankedCandidate:
        return RankedCandidate(
            name=self.name,
            cost_pico=self.cost_pico,
            low_pico=self.low_pico,
            high_pico=self.high_pico,
            quality_e6=round(self.mean * ONE),
            chance_e6=round(self.chance * ONE),
            odds_e6=odds_e6,
            results=self.results,
            out=out,
        )


def _rate(sums: OutcomeSums) -> float:
    return (sums.score_e6 / ONE + 1) / (sums.results + 2)


def _ease_of_kind(candidates: Sequence[Candidate]) -> float:
    """Return the difference between the candidates' success in the kind of task and overall, shrunk towards 0."""
    more = sum(each.of_kind.score_e6 / ONE - each.of_kind.results * _rate(each.all_round) for each in candidates)
    return more / (sum(each.of_kind.results for each in candidates) + PRIOR_EASE)


def _size_of_kind(candidates: Sequence[Candidate]) -> float:
    """Return the mean cost of a call of the kind in reference costs, over all candidates; without any, of all kinds."""
    sized = [each for each in candidates if not each.is_whole]
    for sums in ([each.of_kind for each in sized], [each.all_round for each in sized]):
        if costs := sum(each.costs for each in sums):
            return sum(each.cost_e6 for each in sums) / ONE / costs
    return 1.0


def _odds(admissible: Sequence[_Estimate], wish: RoutingRequest, pace: BudgetPace | None) -> list[int]:
    """Return the odds of candidates, ordered by cost, in millionths that add up exactly."""
    if not admissible:
        return []
    wins = [0] * len(admissible)
    wanted = None if wish.quality_e6 is None else wish.quality_e6 / ONE
    penalties = [_penalty(each.cost_pico, wish, pace) for each in admissible]
    columns = [_column(at) for at in range(len(admissible))]
    for point in range(_POINTS):
        best, best_key = 0, (False, -2e18)
        for at, each in enumerate(admissible):
            quality = min(1.0, max(0.0, each.mean + each.deviation * columns[at][point]))
            reaches = wanted is None or quality >= wanted
            if not reaches:
                key = (False, quality)
            elif wanted is not None and wish.value_pico is None:
                key = (True, -each.cost_pico)
            else:
                key = (True, quality - penalties[at])
            if key > best_key:
                best, best_key = at, key
        wins[best] += 1
    equal = EXPLORED_E6 // len(admissible)
    odds = [equal + (ONE - EXPLORED_E6) * won // _POINTS for won in wins]
    odds[wins.index(max(wins))] += ONE - sum(odds)
    return odds


def _penalty(cost_pico: int, wish: RoutingRequest, pace: BudgetPace | None) -> float:
    """Return the quality that a cost must bring, by the value of a good result and the pace of the budget."""
    penalty = 0.0
    if wish.value_pico:
        penalty += cost_pico / wish.value_pico
    if pace is not None and pace.per_call_pico is not None:
        penalty += pace.price_e6 / ONE * cost_pico / max(1, pace.per_call_pico)
    return penalty


@cache
def _column(at: int) -> tuple[float, ...]:
    """Return a candidate's deviations at the lattice points: each quantile once, in its own order."""
    factor = pow(_GENERATOR, at, _POINTS)
    return tuple(_QUANTILES[point * factor % _POINTS] for point in range(_POINTS))
