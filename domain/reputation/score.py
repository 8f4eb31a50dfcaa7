"""Scores from evidence: stars for people, the expected success, and the bound that ranks.

With a prior of the strength of two observations, the posterior is Beta(good + 2p, held + 2(1 - p)). Stars take p = ½,
so they say what is known of this agent and nothing about others; `expected_e6` and `rank_e6` take the row's learned
prior. All are shares in millionths; points of 0 to 10 are made for showing alone.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isqrt

from domain.reputation.evidence import ONE_E6, RATE_E4, Dimension, Evidence

#: How many observations the prior is worth.
STRENGTH = 2
#: What somebody without evidence is shown with: 5.0 of 10.
HALF_E6 = ONE_E6 // 2
#: Standard deviations, in hundredths: of an interval that holds nine times out of ten, and of the bound that ranks.
INTERVAL_E2 = 164
RANK_E2 = 100
#: What a dimension counts for in the overall score, in ten-thousandths.
OVERALL_E4: Mapping[Dimension, int] = {
    Dimension.TASK_SUCCESS: 4_000,
    Dimension.QUALITY: 2_000,
    Dimension.RELIABILITY: 2_000,
    Dimension.RESPONSE_TIME: 1_000,
    Dimension.COLLABORATION: 1_000,
}


@dataclass(frozen=True, slots=True)
class Score:
    """A score to show, as shares in millionths: the mean, and between what it lies nine times out of ten."""

    mean_e6: int
    low_e6: int
    high_e6: int


def mean_e6(good_e6: int, bad_e6: int, prior_e6: int) -> int:
    """Return the posterior's mean, rounded down. More good never lowers it, more bad never raises it."""
    return (good_e6 + STRENGTH * prior_e6) * ONE_E6 // (good_e6 + bad_e6 + STRENGTH * ONE_E6)


def lower_e6(good_e6: int, bad_e6: int, prior_e6: int, deviations_e2: int) -> int:
    """Return the mean less so many standard deviations, never below zero.

    The variance of Beta(a, b) with mean m is m(1 - m) / (a + b + 1). More good never lowers the bound: where it is
    above zero, the deviation rises by less than the mean does, and it falls with the number of observations. Rounding
    keeps that. More bad may raise it by a millionth, because means are rounded first.
    """
    mean = mean_e6(good_e6, bad_e6, prior_e6)
    above = good_e6 + bad_e6 + (STRENGTH + 1) * ONE_E6
    return max(0, mean - isqrt(deviations_e2**2 * mean * (ONE_E6 - mean) * ONE_E6 // (10_000 * above)))


def stars(evidence: Evidence, rate_e4: int = RATE_E4) -> Score:
    """Return the score to show in one dimension: a prior of one half, whatever the marketplace is like."""
    good, bad = evidence.now(rate_e4).good_e6, evidence.held_e6
    return Score(
        mean_e6=mean_e6(good, bad, HALF_E6),
        low_e6=lower_e6(good, bad, HALF_E6, INTERVAL_E2),
        high_e6=ONE_E6 - lower_e6(bad, good, HALF_E6, INTERVAL_E2),
    )


def expected_e6(evidence: Evidence, rate_e4: int = RATE_E4) -> int:
    """Return the share of good that is to be expected next, with the learned prior."""
    return mean_e6(evidence.now(rate_e4).good_e6, evidence.held_e6, evidence.prior_e6)


def rank_e6(evidence: Evidence, rate_e4: int = RATE_E4) -> int:
    """Return the key that ranks: what is expected, less one standard deviation. It falls in silence, or stays."""
    return lower_e6(evidence.now(rate_e4).good_e6, evidence.held_e6, evidence.prior_e6, RANK_E2)


def overall(scores: Mapping[Dimension, Score]) -> Score:
    """Return the weighted score of all five dimensions; the deviations of independent dimensions add in squares."""
    mean = sum(OVERALL_E4[dimension] * score.mean_e6 for dimension, score in scores.items()) // 10_000
    below = isqrt(sum((OVERALL_E4[each] * (score.mean_e6 - score.low_e6)) ** 2 for each, score in scores.items()))
    over = isqrt(sum((OVERALL_E4[each] * (score.high_e6 - score.mean_e6)) ** 2 for each, score in scores.items()))
    return Score(mean, max(0, mean - below // 10_000), min(ONE_E6, mean + over // 10_000))


def overall_e6(shares_e6: Mapping[Dimension, int]) -> int:
    """Return the weighted mean of five shares: the overall rank from the dimensions' ranks."""
    return sum(OVERALL_E4[dimension] * share for dimension, share in shares_e6.items()) // 10_000


def points(share_e6: int) -> str:
    """Write a share as points of 0 to 10 with two decimals: 500000 is `"5.00"`; a star is two points."""
    hundredths = share_e6 // 1_000
    return f"{hundredths // 100}.{hundredths % 100:02d}"
