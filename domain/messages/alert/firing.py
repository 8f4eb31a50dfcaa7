"""When a rule fires: once, and again only after its figure was good for the cool-down and its window is over.

There is one state for each rule and subject. It is updated at each evaluation, in the order of time.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum


class Phase(StrEnum):
    """The phase of a rule for one subject."""

    #: Nothing was seen yet.
    UNSEEN = "unseen"
    #: The next bad figure fires.
    ARMED = "armed"
    FIRING = "firing"


class FiringAction(StrEnum):
    """The action after an evaluation."""

    FIRE = "fire"
    RESOLVE = "resolve"


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringTerms:
    """How a rule fires.

    Attributes:
        cool_down: how long the figure must be good before the alert is resolved and the rule is armed again.
        quiet: how long after firing it cannot fire again; None for ever.
        is_edge: whether a figure that is bad at the first evaluation does not fire.
    """

    cool_down: timedelta
    quiet: timedelta | None
    is_edge: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class FiringState:
    """The state of a rule for one subject.

    Attributes:
        good_since: since when the figure of a firing rule is good; None while it is bad.
        fired_at: when it last fired.
    """

    phase: Phase = Phase.UNSEEN
    good_since: datetime | None = None
    fired_at: datetime | None = None


def terms_after_start(terms: FiringTerms, *, began_good: bool) -> FiringTerms:
    """Return the terms for a figure that is known to have begun as good, so a bad one has crossed the threshold."""
    return replace(terms, is_edge=False) if began_good else terms


def evaluate(
    terms: FiringTerms, standing: FiringState, bad: bool | None, now: datetime
) -> tuple[FiringState, FiringAction | None]:
    """Return the rule's state after an evaluation of its figure, and the action.

    Args:
        terms: of the rule.
        standing: the state before.
        bad: whether the figure meets the condition; None if it is unknown, which changes nothing.
        now: the time of the evaluation, not before the last one.
    """
    if bad is None:
        return standing, None
    if standing.phase is Phase.FIRING:
        if bad:
            return replace(standing, good_since=None), None
        since = standing.good_since or now
        if now - since < terms.cool_down:
            return replace(standing, good_since=since), None
        return replace(standing, phase=Phase.ARMED, good_since=None), FiringAction.RESOLVE
    if not bad:
        return replace(standing, phase=Phase.ARMED), None
    if standing.phase is Phase.UNSEEN and terms.is_edge:
        return standing, None
    if standing.fired_at is not None and (terms.quiet is None or now < standing.fired_at + terms.quiet):
        return standing, None
    return FiringState(phase=Phase.FIRING, fired_at=now), FiringAction.FIRE
