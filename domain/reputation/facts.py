"""Conversion of facts about an agent, from escrows, calls, feedback and operators, to evidence by dimension.

A fact gives, in each of its dimensions, a share of its weight as good and bad evidence. The counterparty does not
matter here: SQL excludes facts between related organizations (`reputation_excluded`), and `weights` weighs the others.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from domain.common.errors import Invalid
from domain.reputation.evidence import Dimension

_WHOLE_E4 = 10_000
_HALF_E4 = 5_000
#: The maximum of an operator's report, in hundredths of a unit of evidence.
MAX_DELTA_E2 = 100


class FactKind(StrEnum):
    """Kind of a fact. A contract that was cancelled in time by agreement, or never funded, gives none."""

    RELEASED = "released"
    SPLIT = "split"
    REFUNDED = "refunded"
    UNDELIVERED = "undelivered"
    VALIDATED = "validated"
    DISPUTE_LOST = "dispute_lost"
    IN_TIME = "in_time"
    LATE = "late"
    RESPONDED = "responded"
    SLA_KEPT = "sla_kept"
    SLA_MISSED = "sla_missed"
    FEEDBACK = "feedback"
    REPORTED = "reported"


#: Sentence for each kind.
SENTENCES: Mapping[FactKind, str] = {
    FactKind.RELEASED: "A contract was paid out",
    FactKind.SPLIT: "A dispute was split",
    FactKind.REFUNDED: "Money was refunded after delivery",
    FactKind.UNDELIVERED: "Nothing was delivered in time",
    FactKind.VALIDATED: "A validator scored the work",
    FactKind.DISPUTE_LOST: "A dispute was lost",
    FactKind.IN_TIME: "Work was delivered in time",
    FactKind.LATE: "Work was delivered late",
    FactKind.RESPONDED: "A call was answered",
    FactKind.SLA_KEPT: "An agreed service level was kept",
    FactKind.SLA_MISSED: "An agreed service level was missed",
    FactKind.FEEDBACK: "The client gave feedback",
    FactKind.REPORTED: "An operator reported an event",
}


@dataclass(frozen=True, slots=True)
class DimensionShare:
    """Share of a fact in a dimension.

    Attributes:
        share_e4: the share of the fact's weight, in ten-thousandths.
        good_e4: the good part of it, in ten-thousandths: 10,000 is all good, 0 all bad.
    """

    dimension: Dimension
    share_e4: int
    good_e4: int


@dataclass(frozen=True, slots=True)
class Increment:
    """Evidence to add in one dimension, in millionths of a unit."""

    dimension: Dimension
    good_e6: int
    bad_e6: int


_D = Dimension
#: Dimensions of each fact, with their shares of the weight.
_DIMENSIONS: Mapping[FactKind, tuple[tuple[Dimension, int], ...]] = {
    FactKind.RELEASED: ((_D.TASK_SUCCESS, _WHOLE_E4),),
    FactKind.SPLIT: ((_D.TASK_SUCCESS, _WHOLE_E4),),
    FactKind.REFUNDED: ((_D.TASK_SUCCESS, _WHOLE_E4),),
    FactKind.UNDELIVERED: ((_D.TASK_SUCCESS, _WHOLE_E4), (_D.RELIABILITY, _WHOLE_E4)),
    FactKind.VALIDATED: ((_D.QUALITY, _WHOLE_E4),),
    FactKind.DISPUTE_LOST: ((_D.COLLABORATION, _WHOLE_E4), (_D.QUALITY, _HALF_E4)),
    FactKind.IN_TIME: ((_D.RELIABILITY, _WHOLE_E4),),
    FactKind.LATE: ((_D.RELIABILITY, _WHOLE_E4),),
    FactKind.RESPONDED: ((_D.RESPONSE_TIME, _WHOLE_E4),),
    FactKind.SLA_KEPT: ((_D.RELIABILITY, _HALF_E4),),
    FactKind.SLA_MISSED: ((_D.RELIABILITY, _HALF_E4),),
}
_GOOD = frozenset({FactKind.RELEASED, FactKind.IN_TIME, FactKind.SLA_KEPT})
_GRADED = frozenset({FactKind.SPLIT, FactKind.VALIDATED, FactKind.RESPONDED})


def shares_of(kind: FactKind, good_e4: int | None = None) -> tuple[DimensionShare, ...]:
    """Return the shares of a fact that the product has observed.

    Args:
        kind: any kind except `FEEDBACK` and `REPORTED`, see `feedback` and `reported`.
        good_e4: the good part, for a split (the payee's share), a validation (its score) and a response
            (`promptness_e4`).
    """
    if kind in _GRADED:
        if good_e4 is None or not 0 <= good_e4 <= _WHOLE_E4:
            raise ValueError(f"{kind} needs a share between 0 and {_WHOLE_E4}")
        return tuple(DimensionShare(dimension, share, good_e4) for dimension, share in _DIMENSIONS[kind])
    return tuple(
        DimensionShare(dimension, share, _WHOLE_E4 if kind in _GOOD else 0) for dimension, share in _DIMENSIONS[kind]
    )


def promptness_e4(response_ms: int, target_ms: int) -> int:
    """Return the good part of a response time: all within the target, half at twice the target, and so on."""
    return _WHOLE_E4 * target_ms // max(response_ms, target_ms)


def feedback(ratings: Mapping[str, int]) -> tuple[DimensionShare, ...]:
    """Return the shares of feedback: half of the weight in each rated dimension; 1 is all bad and 5 all good.

    Raises:
        Invalid: a rating is missing, off the scale or of an unknown dimension; `field` names it.
    """
    known = {dimension.value: dimension for dimension in Dimension}
    if not ratings:
        raise Invalid("Feedback must rate at least one dimension.", extra={"field": "ratings"})
    for name, rating in ratings.items():
        if name not in known:
            names = ", ".join(known)
            raise Invalid(f"Unknown dimension. The dimensions are {names}.", extra={"field": f"ratings.{name[:32]}"})
        if type(rating) is not int or not 1 <= rating <= 5:
            raise Invalid("A rating must be a whole number from 1 to 5.", extra={"field": f"ratings.{name}"})
    return tuple(
        DimensionShare(known[name], _HALF_E4, (rating - 1) * _WHOLE_E4 // 4) for name, rating in ratings.items()
    )


def scale_to_paid(said: tuple[DimensionShare, ...], paid_minor: int, of_minor: int) -> tuple[DimensionShare, ...]:
    """Scale feedback on a partly paid contract: ratings that are not bad are weighed by the paid part.

    Refunded money pays no commission, and good evidence must not be free of charge.
    """
    if paid_minor == of_minor:
        return said
    weighed = (
        each if each.good_e4 * 2 < _WHOLE_E4 else replace(each, share_e4=each.share_e4 * paid_minor // of_minor)
        for each in said
    )
    return tuple(each for each in weighed if each.share_e4)


def reported(dimension: Dimension, delta_e2: int) -> tuple[DimensionShare, ...]:
    """Return the share of an operator's report: at most one unit, good or bad by the sign.

    Args:
        dimension: the dimension.
        delta_e2: the report's `score_delta` in hundredths, from -100 to 100.

    Raises:
        Invalid: `delta_e2` is out of bounds.
    """
    if not -MAX_DELTA_E2 <= delta_e2 <= MAX_DELTA_E2:
        raise Invalid("score_delta must be between -1 and 1.", extra={"field": "score_delta"})
    return (DimensionShare(dimension, abs(delta_e2) * _WHOLE_E4 // MAX_DELTA_E2, _WHOLE_E4 if delta_e2 > 0 else 0),)


def is_bad(said: tuple[DimensionShare, ...]) -> bool:
    """Return whether a fact is more bad than good evidence."""
    return sum(each.share_e4 * (_WHOLE_E4 - 2 * each.good_e4) for each in said) > 0


def increments(
    said: tuple[DimensionShare, ...], weight_e6: int, bad_weight_e6: int | None = None
) -> tuple[Increment, ...]:
    """Convert a fact to evidence of its weight; the remainder of rounding counts as bad. A weight of 0 adds nothing.

    `bad_weight_e6`, by default `weight_e6` and never less, bounds the bad part of dimensions that are more bad than
    good. Small faults of good work never count more than its good part.
    """
    found = []
    most_bad_e6 = weight_e6 if bad_weight_e6 is None else bad_weight_e6
    for each in said:
        bad_amount = (most_bad_e6 if each.good_e4 * 2 < _WHOLE_E4 else weight_e6) * each.share_e4 // _WHOLE_E4
        good = weight_e6 * each.share_e4 // _WHOLE_E4 * each.good_e4 // _WHOLE_E4
        bad = bad_amount - bad_amount * each.good_e4 // _WHOLE_E4
        if good + bad:
            found.append(Increment(each.dimension, good, bad))
    return tuple(found)
