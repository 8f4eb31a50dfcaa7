"""Beta evidence that fades every night; bad evidence stops counting only as new evidence arrives.

A unit of evidence is one fully weighted observation, counted in millionths. A row keeps what it held when evidence last
came in, and the date of that; what it holds now is read from both. So n nights are one step of rate^n whoever takes
them, at once or one by one, and nothing is rounded twice.

Good evidence fades by itself. Bad evidence fades as well, but what has faded stays `held` until good evidence comes in,
unit for unit: silence improves nothing.
"""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

#: One unit of evidence, and the whole of a share: both are counted in millionths.
ONE_E6 = 1_000_000
#: The most evidence of one kind that a row holds: a million observations.
MAX_E6 = 10**12
#: What is left of evidence after a night, in ten-thousandths: 0.95 by default.
RATE_E4 = 9_500
#: Whoever earned so much good evidence is proven: as much as one counterparty can say, so that it takes two, or time.
PROVEN_E6 = 3 * ONE_E6
_SCALE = 10**12


class Dimension(StrEnum):
    """A dimension in which agents are scored."""

    TASK_SUCCESS = "task_success"
    RESPONSE_TIME = "response_time"
    RELIABILITY = "reliability"
    COLLABORATION = "collaboration"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True)
class Beta:
    """Good and bad evidence as of the date on which it last changed.

    Attributes:
        good_e6: good evidence on that date, in millionths of a unit, zero or more.
        bad_e6: bad evidence on that date, in millionths of a unit, zero or more.
        since: that date; evidence of the same date has not faded.
    """

    good_e6: int
    bad_e6: int
    since: date

    def on(self, day: date, rate_e4: int = RATE_E4) -> "Beta":
        """Return what is left on a day; a day before `since` changes nothing."""
        nights = (day - self.since).days
        if nights <= 0:
            return self
        return Beta(faded(self.good_e6, nights, rate_e4), faded(self.bad_e6, nights, rate_e4), day)

    def add(self, good_e6: int, bad_e6: int, day: date, rate_e4: int = RATE_E4) -> "Beta":
        """Return what is held once evidence of a day has come in; late evidence counts from `since`."""
        left = self.on(day, rate_e4)
        return Beta(min(MAX_E6, left.good_e6 + good_e6), min(MAX_E6, left.bad_e6 + bad_e6), left.since)


@dataclass(frozen=True, slots=True)
class Priors:
    """What may be expected without evidence, as shares in millionths, on one day or at the lowest of several.

    Attributes:
        newcomer_e6: of whoever is not proven.
        proven_e6: of whoever is, not less than that of newcomers.
    """

    newcomer_e6: int
    proven_e6: int

    def of(self, earned_e6: int) -> int:
        """Return the prior of an agent that has earned so much good evidence."""
        return self.proven_e6 if earned_e6 >= PROVEN_E6 else self.newcomer_e6


@dataclass(frozen=True, slots=True)
class Evidence:
    """What is known of one agent in one dimension: a row.

    Attributes:
        beta: the evidence when it last changed.
        held_e6: bad evidence that scores count, faded or not; never less than what is left of the bad evidence.
        earned_e6: all good evidence so far. It does not fade, and says only whether the agent is proven.
        prior_e6: what may be expected without evidence; it falls with the marketplace, and rises with good evidence
            only.
        through: the last date whose night was taken (`decayed_through`), never before `beta.since`.
    """

    beta: Beta
    held_e6: int
    earned_e6: int
    prior_e6: int
    through: date

    def now(self, rate_e4: int = RATE_E4) -> Beta:
        """Return the evidence as it is after the nights that were taken."""
        return self.beta.on(self.through, rate_e4)


def newcomer_evidence(day: date, priors: Priors) -> Evidence:
    """Return the row of a newcomer, who starts with the day's prior."""
    return Evidence(Beta(0, 0, day), 0, 0, priors.newcomer_e6, day)


def factor_e12(nights: int, rate_e4: int = RATE_E4) -> int:
    """Return rate^nights in 10⁻¹², rounded down: the table that SQL takes as a parameter."""
    return int(rate_e4**nights * _SCALE // 10 ** (4 * nights))


def faded(amount_e6: int, nights: int, rate_e4: int = RATE_E4) -> int:
    """Return what is left of an amount of `MAX_E6` at most after so many nights, rounded down once.

    It is the exact value without its fraction, or one less; for one night it is the exact one.
    docs/guides/reputation.md has the same in SQL, in which no product passes 64 bits.
    """
    return amount_e6 * factor_e12(nights, rate_e4) // _SCALE


def catch_up(evidence: Evidence, day: date, priors: Priors) -> Evidence:
    """Take the nights up to a day; nothing happens when they were taken already.

    Args:
        evidence: the row.
        day: the date of the last night to take.
        priors: the marketplace's lowest priors of the nights to take.
    """
    if day <= evidence.through:
        return evidence
    return replace(evidence, through=day, prior_e6=min(evidence.prior_e6, priors.of(evidence.earned_e6)))


def add(
    evidence: Evidence, good_e6: int, bad_e6: int, *, day: date, priors: Priors, rate_e4: int = RATE_E4
) -> Evidence:
    """Add evidence of a day to a row whose nights were taken; late evidence counts as of `through`.

    Good evidence lets go of as much held bad evidence as has faded, unit for unit, and a whole unit of it lifts the
    prior to the marketplace's.

    Args:
        evidence: the row. One that is behind is caught up first, as if the priors of the day were the lowest.
        good_e6: good evidence, zero or more.
        bad_e6: bad evidence, zero or more.
        day: when it came in.
        priors: the marketplace's priors of that day.
        rate_e4: what a night leaves.
    """
    row = catch_up(evidence, day, priors)
    beta = row.beta.add(good_e6, bad_e6, row.through, rate_e4)
    held = min(MAX_E6, max(beta.bad_e6, row.held_e6 + bad_e6 - good_e6))
    earned = min(MAX_E6, row.earned_e6 + good_e6)
    today = priors.of(earned)
    risen = row.prior_e6 + max(0, today - row.prior_e6) * min(good_e6, ONE_E6) // ONE_E6
    return Evidence(beta, held, earned, min(today, risen), row.through)
