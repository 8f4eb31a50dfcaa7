"""Priors: the expected score of an agent with little evidence, learned from the marketplace's evidence.

Each dimension has two rows, of newcomers and of proven agents, closed once a night, so that no event waits for
another's lock. They learn most from agents with little evidence, whom the prior describes.
"""

from collections.abc import Sequence
from datetime import date

from domain.reputation.evidence import ONE_E6, RATE_E4, Beta, Evidence, Priors
from domain.reputation.score import HALF_E6, STRENGTH, mean_e6


def initial_prior(day: date) -> Beta:
    """Return the initial row of a marketplace."""
    return Beta(0, 0, day)


def priors(newcomers: Beta, proven: Beta, day: date, rate_e4: int = RATE_E4) -> Priors:
    """Return the priors of a day from earlier evidence.

    Without evidence both are one half. The prior of proven agents is never lower than that of newcomers: otherwise good
    work could lower a score.
    """
    first, second = newcomers.on(day, rate_e4), proven.on(day, rate_e4)
    newcomer = mean_e6(first.good_e6, first.bad_e6, HALF_E6)
    return Priors(newcomer, max(newcomer, mean_e6(second.good_e6, second.bad_e6, newcomer)))


def lowest(days: Sequence[Priors]) -> Priors:
    """Return the lowest priors of one or more days, for catching up."""
    return Priors(min(each.newcomer_e6 for each in days), min(each.proven_e6 for each in days))


def learned_e6(before: Evidence, amount_e6: int, rate_e4: int = RATE_E4) -> int:
    """Return the part of an event's evidence that a prior learns from: the prior's share in the expectation.

    It goes to the row of newcomers or proven agents, by the agent's state before the event.

    Args:
        before: the agent's row before the event, caught up.
        amount_e6: the event's good or bad evidence.
        rate_e4: share left nightly.
    """
    known_e6 = before.now(rate_e4).good_e6 + before.held_e6
    return amount_e6 * STRENGTH * ONE_E6 // (known_e6 + STRENGTH * ONE_E6)
