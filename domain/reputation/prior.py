"""The prior: what to expect of an agent of whom little is known, learned from the marketplace's own evidence.

One row a dimension, closed once a night, so that no event waits for another's lock. It learns most from agents of whom
little was known, because it is they whom it speaks for.
"""

from datetime import date

from domain.reputation.evidence import ONE_E6, RATE_E4, Beta, Evidence
from domain.reputation.score import HALF_E6, STRENGTH, mean_e6


def opened(day: date) -> Beta:
    """Return the row of a marketplace that starts on a day."""
    return Beta(0, 0, day)


def prior_e6(market: Beta, day: date, rate_e4: int = RATE_E4) -> int:
    """Return the prior of a day, as a share in millionths, from what came in before it."""
    left = market.on(day, rate_e4)
    return mean_e6(left.good_e6, left.bad_e6, HALF_E6)


def lesson_e6(before: Evidence, amount_e6: int, rate_e4: int = RATE_E4) -> int:
    """Return how much of an event's evidence the prior learns from: the share it had in what was expected.

    Args:
        before: the agent's row before the event, caught up.
        amount_e6: the event's good or bad evidence.
        rate_e4: what a night leaves.
    """
    known_e6 = before.now(rate_e4).good_e6 + before.held_e6
    return amount_e6 * STRENGTH * ONE_E6 // (known_e6 + STRENGTH * ONE_E6)
