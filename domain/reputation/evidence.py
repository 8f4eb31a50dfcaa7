"""Beta evidence with nightly decay; bad evidence stops counting only as new evidence arrives.

A unit of evidence is one fully weighted observation, counted in millionths. A row stores the amounts as of the date of
the last evidence, and present amounts are computed from both. So n nights are one step of rate^n, however they are
processed, and nothing is rounded twice.

Good evidence decays. Bad evidence decays as well, but the decayed part stays `held` until good evidence arrives, unit
for unit: waiting improves nothing.
"""

from dataclasses import dataclass, replace
from datetime import date
from enum import StrEnum

#: One unit of evidence, and a share of 1, in millionths.
ONE_E6 = 1_000_000
#: The maximum evidence of one kind in a row: a million observations.
MAX_E6 = 10**12
#: Default share of evidence left after a night, in ten-thousandths.
RATE_E4 = 9_500
#: Good evidence after which an agent is proven: the maximum of one counterparty, so that it takes two, or time.
PROVEN_E6 = 3 * ONE_E6
_SCALE = 10**12


class Dimension(StrEnum):
    """Dimension of an agent's score."""

    TASK_SUCCESS = "task_success"
    RESPONSE_TIME = "response_time"
    RELIABILITY = "reliability"
    COLLABORATION = "collaboration"
    QUALITY = "quality"


@dataclass(frozen=True, slots=True)
class Beta:
    """Good and bad evidence as of the date of its last change.

    Attributes:
        good_e6: good evidence on that date, in millionths of a unit, zero or more.
        bad_e6: bad evidence on that date, in millionths of a unit, zero or more.
        since: that date; evidence of the same date has not decayed.
    """

    good_e6: int
    bad_e6: int
    since: date

    def on(self, day: date, rate_e4: int = RATE_E4) -> "Beta":
        """Return the evidence left on a day; a day before `since` changes nothing."""
        nights = (day - self.since).days
        if nights <= 0:
            return self
        return Beta(faded(self.good_e6, nights, rate_e4), faded(self.bad_e6, nights, rate_e4), day)

    def add(self, good_e6: int, bad_e6: int, day: date, rate_e4: int = RATE_E4) -> "Beta":
        """Return the evidence with that of a day added; late evidence counts from `since`."""
        left = self.on(day, rate_e4)
        return Beta(min(MAX_E6, left.good_e6 + good_e6), min(MAX_E6, left.bad_e6 + bad_e6), left.since)


@dataclass(frozen=True, slots=True)
class Priors:
    """Priors as shares in millionths, of one day or the lowest of several.

    Attributes:
        newcomer_e6: of agents that are not proven.
        proven_e6: of proven agents, not less than that of newcomers.
    """

    newcomer_e6: int
    proven_e6: int

    def of(self, earned_e6: int) -> int:
        """Return the prior of an agent with this amount of good evidence so far."""
        return self.proven_e6 if earned_e6 >= PROVEN_E6 else self.newcomer_e6


@dataclass(frozen=True, slots=True)
class Evidence:
    """Evidence about an agent in a dimension: a row.

    Attributes:
        beta: the evidence as of its last change.
        held_e6: bad evidence in scores, decayed or not; never less than the bad evidence left.
        earned_e6: all good evidence so far, without decay; it determines only whether the agent is proven.
        prior_e6: the prior; it falls with the marketplace, and rises with good evidence only.
        through: the date of the last nightly decay (`decayed_through`), never before `beta.since`.
    """

    beta: Beta
    held_e6: int
    earned_e6: int
    prior_e6: int
    through: date

    def now(self, rate_e4: int = RATE_E4) -> Beta:
        """Return the evidence as of `through`."""
        return self.beta.on(self.through, rate_e4)


def newcomer_evidence(day: date, priors: Priors) -> Evidence:
    """Return the row of a newcomer with the day's prior."""
    return Evidence(Beta(0, 0, day), 0, 0, priors.newcomer_e6, day)


def factor_e12(nights: int, rate_e4: int = RATE_E4) -> int:
    """Return rate^nights in 10⁻¹², rounded down, for the table in SQL."""
    return int(rate_e4**nights * _SCALE // 10 ** (4 * nights))


def faded(amount_e6: int, nights: int, rate_e4: int = RATE_E4) -> int:
    """Return the part of an amount, at most `MAX_E6`, left after some nights, rounded down once.

    It is the exact value rounded down, or one less; for one night it is exact. docs/guides/reputation.md has the same
    in SQL, where no product exceeds 64 bits.
    """
    return amount_e6 * factor_e12(nights, rate_e4) // _SCALE


def catch_up(evidence: Evidence, day: date, priors: Priors) -> Evidence:
    """Apply the decay up to a day. Idempotent.

    Args:
        evidence: the row.
        day: the date of the last night.
        priors: the marketplace's lowest priors of these nights.
    """
    if day <= evidence.through:
        return evidence
    return replace(evidence, through=day, prior_e6=min(evidence.prior_e6, priors.of(evidence.earned_e6)))


def add(
    evidence: Evidence, good_e6: int, bad_e6: int, *, day: date, priors: Priors, rate_e4: int = RATE_E4
) -> Evidence:
    """Add evidence of a day to a row; late evidence counts as of `through`.

    Good evidence releases decayed bad evidence, unit for unit, and a whole unit of it raises the prior to the
    marketplace's.

    Args:
        evidence: the row. If it is behind, it is caught up first, with the priors of the day.
        good_e6: good evidence, zero or more.
        bad_e6: bad evidence, zero or more.
        day: the date of the evidence.
        priors: the marketplace's priors of that day.
        rate_e4: the share left after a night.
    """
    row = catch_up(evidence, day, priors)
    beta = row.beta.add(good_e6, bad_e6, row.through, rate_e4)
    held = min(MAX_E6, max(beta.bad_e6, row.held_e6 + bad_e6 - good_e6))
    earned = min(MAX_E6, row.earned_e6 + good_e6)
    today = priors.of(earned)
    risen = row.prior_e6 + max(0, today - row.prior_e6) * min(good_e6, ONE_E6) // ONE_E6
    return Evidence(beta, held, earned, min(today, risen), row.through)
