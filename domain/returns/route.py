"""Chooses the model or the agent for a call by what came of earlier calls, within the pace of a budget. Pure.

Thompson sampling: a candidate is chosen as often as it is likely to be the best one, given what came of its calls of
the kind, shrunk to what came of all its calls and to how easy the kind is for all. Its odds are counted over fixed
points of a lattice instead of drawn, so they are known; a small part is shared equally among all that are admissible.
The choice is drawn by exactly these odds, which are kept: comparisons weigh by them.

The price of the budget is a multiplier that rises after a call dearer than what the budget has for one, and falls
after a cheaper one. Sources are in `docs/guides/routing.md`. Quality is a float between 0 and 1 in here, because it is
an estimate; costs are integers of 10⁻¹² of the currency, and odds integers of a millionth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cache
from hashlib import sha256
from math import sqrt
from statistics import NormalDist

#: What odds, scores and multiples are counted in: a whole one.
ONE = 1_000_000
#: The part of the odds that all admissible candidates share equally.
EXPLORED_E6 = 50_000
#: The most results that the all-round rate counts for beside those of the kind of task.
MOST_PRIOR = 30
#: The results of a kind that say as much about how easy it is for all as nothing does.
PRIOR_EASE = 10
#: The costs that an expectation counts for beside those measured.
PRIOR_COSTS = 5
#: A cost above so many reference costs counts as that many.
MOST_MULTIPLE = 10_000
#: The price of the budget at first, and by how much it moves after a call at twice what the budget has for one; a call
#: that is dearer still moves it by so many steps at most, so that one expectation that was wrong does not decide.
START_E6, STEP_E6, MOST_STEPS = 100_000, 3_000, 10
#: A candidate whose chance to reach the quality is less is out, unless none is better.
LEAST_CHANCE = 0.05
#: How much the window before counts in the expected number of calls, in windows; and the shortest time, as a part of a
#: window, from whose calls those of its rest are expected where no window was before.
_BEFORE_E6, _LEAST_E6 = 100_000, 10_000
#: The interval of a cost holds its mean in nine of ten cases.
_INTERVAL = 1.645
#: Points of the lattice, a prime; and its generator.
_POINTS, _GENERATOR = 257, 76
_QUANTILES = tuple(NormalDist().inv_cdf((at + 0.5) / _POINTS) for at in range(_POINTS))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutcomeSums:
    """What the outcomes of a candidate add up to.

    Attributes:
        results: how many outcomes.
        score_e6: the sum of their scores, in millionths.
        costs: how many of them had a cost.
        cost_e6: the sum of these costs, in millionths of the reference cost at the decision.
        square_e6: the sum of the squares of these multiples.
    """

    results: int = 0
    score_e6: int = 0
    costs: int = 0
    cost_e6: int = 0
    square_e6: int = 0


class ExclusionReason(StrEnum):
    """Why a candidate is out."""

    NO_PRICE = "no_price"
    NO_RATE = "no_rate"
    OVER_MAX_COST = "over_max_cost"
    OVER_BUDGET = "over_budget"
    BELOW_QUALITY = "below_quality"


_WHY_OUT = {
    ExclusionReason.NO_PRICE: "It has no price.",
    ExclusionReason.NO_RATE: "Its price cannot be converted, because there is no exchange rate.",
    ExclusionReason.OVER_MAX_COST: "It is expected to cost more than max_cost.",
    ExclusionReason.OVER_BUDGET: "It is expected to cost more than what is left of the budget.",
    ExclusionReason.BELOW_QUALITY: "Its chance to reach the quality is below 5 %, and another candidate's is not.",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A model or an agent that could take a call.

    Attributes:
        name: the model's name or the agent's id.
        reference_pico: what a call of the reference size costs by its price; None without a price.
        of_kind: what came of its calls of the kind of task; `all_round`, of all its calls.
        is_whole: the price is that of a whole task, so the size of other candidates' calls says nothing of its cost.
        out: why it has no price.
    """

    name: str
    reference_pico: int | None
    of_kind: OutcomeSums = OutcomeSums()
    all_round: OutcomeSums = OutcomeSums()
    is_whole: bool = False
    out: ExclusionReason = ExclusionReason.NO_PRICE


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetPace:
    """What the binding budget has for calls.

    Attributes:
        left_pico: what is left to spend.
        per_call_pico: the same for each call that is expected in the rest of the window; None where that is unknown.
        price_e6: the quality, in millionths, that costing as much as `per_call_pico` must bring.
    """

    left_pico: int
    per_call_pico: int | None = None
    price_e6: int = START_E6

    def next_price_e6(self, cost_pico: int) -> int:
        """Return the price after a call of some cost."""
        if not self.per_call_pico:
            return self.price_e6
        moved = STEP_E6 * (cost_pico - self.per_call_pico) // self.per_call_pico
        return min(ONE, max(0, self.price_e6 + min(moved, MOST_STEPS * STEP_E6)))


@dataclass(frozen=True, slots=True, kw_only=True)
class RoutingRequest:
    """What a caller wants of the call; amounts in 10⁻¹² of the currency, None where it says nothing."""

    quality_e6: int | None = None
    value_pico: int | None = None
    max_cost_pico: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RankedCandidate:
    """A candidate in the ranking; all but the name are None without a price.

    Attributes:
        cost_pico: the expected cost, between `low_pico` and `high_pico`.
        quality_e6: the expected score.
        chance_e6: how likely its mean score reaches the quality.
        odds_e6: how likely it is the choice; the odds of all add up to 1,000,000.
        results: the outcomes of the kind of task behind it.
        out: why it cannot be the choice.
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
    """Return how many calls to expect in the rest of a window.

    Args:
        calls: the calls of the window up to now, with this one.
        before: the calls of the window before; None if it is unknown.
        elapsed_e6: how much of the window is over.
        first_e6: how much was over at the first of its calls. A budget without a window before began with that one.
    """
    if before is None:
        seen, over_e6 = calls * ONE, max(_LEAST_E6, elapsed_e6 - first_e6)
    else:
        seen, over_e6 = calls * ONE + before * _BEFORE_E6, elapsed_e6 + _BEFORE_E6
    return max(1, seen * (ONE - elapsed_e6) // (over_e6 * ONE))


def elapsed_e6(starts_at: datetime, resets_at: datetime, now: datetime) -> int:
    """Return how much of a window is over, in millionths."""
    return (now - starts_at) * ONE // (resets_at - starts_at)


def rank_candidates(
    candidates: Sequence[Candidate], wish: RoutingRequest, pace: BudgetPace | None
) -> list[RankedCandidate]:
    """Return the candidates with their odds, the likeliest first; without an admissible one all odds are 0."""
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
    """Draw the choice by the odds; the same key draws the same. None if nothing is admissible."""
    ticket = int.from_bytes(sha256(key.encode()).digest()) % ONE
    for each in ranked:
        ticket -= each.odds_e6
        if ticket < 0:
            return each
    return None


def explain_rank(ranked: RankedCandidate) -> str:
    """Say in a sentence why a candidate is where it is."""
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
        """Estimate quality by a beta distribution, and the cost by a mean that is shrunk to the kind's."""
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
    """Return how much better than all round the candidates do in the kind of task, which is hard or easy for all."""
    more = sum(each.of_kind.score_e6 / ONE - each.of_kind.results * _rate(each.all_round) for each in candidates)
    return more / (sum(each.of_kind.results for each in candidates) + PRIOR_EASE)


def _size_of_kind(candidates: Sequence[Candidate]) -> float:
    """Return what a call of the kind costs, in reference costs, by all candidates that have done some; else of any."""
    sized = [each for each in candidates if not each.is_whole]
    for sums in ([each.of_kind for each in sized], [each.all_round for each in sized]):
        if costs := sum(each.costs for each in sums):
            return sum(each.cost_e6 for each in sums) / ONE / costs
    return 1.0


def _odds(admissible: Sequence[_Estimate], wish: RoutingRequest, pace: BudgetPace | None) -> list[int]:
    """Return the odds of candidates, the cheapest first, in millionths that add up exactly."""
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
    """Return the quality that a cost must bring: by what a good result is worth, and by the pace of the budget."""
    penalty = 0.0
    if wish.value_pico:
        penalty += cost_pico / wish.value_pico
    if pace is not None and pace.per_call_pico is not None:
        penalty += pace.price_e6 / ONE * cost_pico / max(1, pace.per_call_pico)
    return penalty


@cache
def _column(at: int) -> tuple[float, ...]:
    """Return the deviations of a candidate at the points: each quantile once, in an order that is its own."""
    factor = pow(_GENERATOR, at, _POINTS)
    return tuple(_QUANTILES[point * factor % _POINTS] for point in range(_POINTS))
