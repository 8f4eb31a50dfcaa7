"""Scores from evidence: stars for people, expected success, and the lower bound for ranking.

With a prior of the strength of two observations, the posterior is Beta(good + 2p, held + 2(1 - p)). Stars use p = ½, so
that they describe this agent alone; `expected_e6` and `rank_e6` use the row's learned prior. All are shares in
millionths; points of 0 to 10 are for display only.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

from domain.reputation.evidence import ONE_E6, RATE_E4, Dimension, Evidence

#: Strength of the prior, in observations.
STRENGTH = 2
#: Score without evidence: 5.0 of 10.
HALF_E6 = ONE_E6 // 2
#: Standard deviations, in hundredths: of the 90 % interval, and of the rank.
INTERVAL_E2 = 164
RANK_E2 = 100
#: Weights of the dimensions in the overall score, in ten-thousandths.
OVERALL_E4: Mapping[Dimension, int] = {
    Dimension.TASK_SUCCESS: 4_000,
    Dimension.QUALITY: 2_000,
    Dimension.RELIABILITY: 2_000,
    Dimension.RESPONSE_TIME: 1_000,
    Dimension.COLLABORATION: 1_000,
}


@dataclass(frozen=True, slots=True)
class Score:
    """Score for display, in millionths: the mean and its 90 % interval."""

    mean_e6: int
    low_e6: int
    high_e6: int


def mean_e6(good_e6: int, bad_e6: int, prior_e6: int) -> int:
    """Return the posterior's mean, rounded down. Good evidence never lowers it, bad evidence never raises it."""
    return (good_e6 + STRENGTH * prior_e6) * ONE_E6 // (good_e6 + bad_e6 + STRENGTH * ONE_E6)


def lower_e6(good_e6: int, bad_e6: int, prior_e6: int, deviations_e2: int) -> int:
    """Return the mean less `deviations_e2` standard deviations, at least zero.

    The variance of Beta(a, b) with mean m is m(1 - m) / (a + b + 1). Good evidence never lowers the bound: above zero
    the deviation rises by less than the mean does, and it falls with the number of observations. Rounding preserves
    that. Bad evidence may raise it by a millionth, because means are rounded first.
    """
    mean = mean_e6(good_e6, bad_e6, prior_e6)
    above = good_e6 + bad_e6 + (STRENGTH + 1) * ONE_E6
    return max(0, mean - isqrt(deviations_e2**2 * mean * (ONE_E6 - mean) * ONE_E6 // (10_000 * above)))


def stars(evidence: Evidence, rate_e4: int = RATE_E4) -> Score:
    """Return the score for display in a dimension, with a prior of one half."""
    good, bad = evidence.now(rate_e4).good_e6, evidence.held_e6
    return Score(
        mean_e6=mean_e6(good, bad, HALF_E6),
        low_e6=lower_e6(good, bad, HALF_E6, INTERVAL_E2),
        high_e6=ONE_E6 - lower_e6(bad, good, HALF_E6, INTERVAL_E2),
    )


def expected_e6(evidence: Evidence, rate_e4: int = RATE_E4) -> int:
    """Return the expected share of good evidence, with the learned prior."""
    return mean_e6(evidence.now(rate_e4).good_e6, evidence.held_e6, evidence.prior_e6)


def rank_e6(evidence: Evidence, rate_e4: int = RATE_E4) -> int:
    """Return the rank: the expectation less one standard deviation. It never rises without new evidence."""
    return lower_e6(evidence.now(rate_e4).good_e6, evidence.held_e6, evidence.prior_e6, RANK_E2)


def overall(scores: Mapping[Dimension, Score]) -> Score:
    """Return the weighted score of all dimensions; their independent deviations add in squares."""
    mean = sum(OVERALL_E4[dimension] * score.mean_e6 for dimension, score in scores.items()) // 10_000
    below = isqrt(sum((OVERALL_E4[each] * (score.mean_e6 - score.low_e6)) ** 2 for each, score in scores.items()))
    over = isqrt(sum((OVERALL_E4[each] * (score.high_e6 - score.mean_e6)) ** 2 for each, score in scores.items()))
    return Score(mean, max(0, mean - below // 10_000), min(ONE_E6, mean + over // 10_000))


def overall_e6(shares_e6: Mapping[Dimension, int]) -> int:
    """Return the weighted mean of the dimensions' shares: the overall rank from their ranks."""
    return sum(OVERALL_E4[dimension] * share for dimension, share in shares_e6.items()) // 10_000


def points(share_e6: int) -> str:
    """Format a share as points of 0 to 10 with two decimals: 500000 is `"5.00"`; a star is two points."""
    hundredths = share_e6 // 1_000
    return f"{hundredths // 100}.{hundredths % 100:02d}"
