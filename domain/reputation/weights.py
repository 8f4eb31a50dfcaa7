"""Weight of a fact: by value and commission, the trust in the rater, and the rater's earlier evidence."""

from dataclasses import dataclass
from datetime import date

from domain.reputation.evidence import ONE_E6, PROVEN_E6, RATE_E4, faded

#: The maximum weight of a fact: two units.
MOST_E6 = 2 * ONE_E6
#: The maximum evidence of a fully trusted counterparty in a dimension: three units.
COUNTERPARTY_E6 = PROVEN_E6


@dataclass(frozen=True, slots=True)
class Stakes:
    """Scale of weights, in minor units of the currency of comparison.

    Attributes:
        typical_minor: the value of a typical contract, which weighs one unit.
        unit_commission_minor: the minimum commission for a unit of evidence.
    """

    typical_minor: int = 50_00
    unit_commission_minor: int = 2_50

    def __post_init__(self) -> None:
        if self.typical_minor <= 0 or self.unit_commission_minor <= 0:
            raise ValueError("a typical value and the commission of a unit are positive")


@dataclass(frozen=True, slots=True)
class GivenEvidence:
    """Evidence from one counterparty about an agent in a dimension, as of a date: a row.

    Related organizations are one counterparty. The good total decays as evidence does; the bad total does not, because
    bad evidence may be held.
    """

    good_e6: int
    bad_e6: int
    since: date


def weight_e6(value_minor: int, commission_minor: int | None, rater_e6: int, stakes: Stakes) -> int:
    """Return the weight of a fact, in millionths of a unit: 0 without commission in money.

    Args:
        value_minor: the value at stake, without granted credits.
        commission_minor: the commission paid in money, or for refunded money the one that it would have paid. None if
            only the value counts, as for payments.
        rater_e6: the trust in the rater, in millionths; `ONE_E6` for facts that the product observed.
        stakes: the scale.
    """
    staked = MOST_E6 * value_minor // (value_minor + stakes.typical_minor)
    if commission_minor is not None:
        staked = min(staked, ONE_E6 * commission_minor // stakes.unit_commission_minor)
    return staked * rater_e6 // ONE_E6


def saturated(
    given: GivenEvidence, good_e6: int, bad_e6: int, day: date, rater_e6: int, rate_e4: int = RATE_E4
) -> tuple[int, int, GivenEvidence]:
    """Return the counted part of a counterparty's evidence, and its new total.

    The bound is `COUNTERPARTY_E6` times the counterparty's trust; evidence counts by the unused share of it. Good and
    bad evidence are bounded separately.

    Args:
        given: the counterparty's earlier total.
        good_e6: good evidence, weighed by that trust (`weight_e6`).
        bad_e6: bad evidence, weighed likewise.
        day: the date of the evidence; before `given.since` that date counts.
        rater_e6: the trust in the counterparty, as a share.
        rate_e4: share left nightly.
    """
    most = COUNTERPARTY_E6 * rater_e6 // ONE_E6
    before = faded(given.good_e6, max(0, (day - given.since).days), rate_e4)
    good = _left(good_e6, before, most)
    bad = _left(bad_e6, given.bad_e6, most)
    return good, bad, GivenEvidence(before + good, given.bad_e6 + bad, max(day, given.since))


def saturated_reports(
    given: GivenEvidence, praised: GivenEvidence, good_e6: int, bad_e6: int, day: date, rate_e4: int = RATE_E4
) -> tuple[int, int, GivenEvidence, GivenEvidence]:
    """Return the counted part of an operator's report, the new total, and the operator's own total of praise.

    All operators together are one counterparty, because an operator can issue keys to others. Reports cost nothing and
    may be frequent. So good and bad reports of an operator share a bound and decay alike, and many of them keep the
    share of good ones. Other operators' praise leaves this operator's bound for complaints.

    Args:
        given: the total of all operators.
        praised: this operator's total of praise against its own bound.
        good_e6: good evidence.
        bad_e6: bad evidence; both together are at most one unit.
        day: the date of the report; before a total's `since` that date counts.
        rate_e4: the share left after a night.
    """
    before, own = _faded(given, day, rate_e4), _faded(praised, day, rate_e4)
    good = _left(good_e6, before.good_e6 + before.bad_e6, COUNTERPARTY_E6)
    bad = _left(bad_e6, own.good_e6 + before.bad_e6, COUNTERPARTY_E6)
    room = _left(good_e6, own.good_e6 + before.bad_e6, COUNTERPARTY_E6)
    total = GivenEvidence(before.good_e6 + good, before.bad_e6 + bad, before.since)
    return good, bad, total, GivenEvidence(own.good_e6 + room, 0, own.since)


def _faded(given: GivenEvidence, day: date, rate_e4: int) -> GivenEvidence:
    nights = max(0, (day - given.since).days)
    good, bad = faded(given.good_e6, nights, rate_e4), faded(given.bad_e6, nights, rate_e4)
    return GivenEvidence(good, bad, max(day, given.since))


def _left(amount_e6: int, before_e6: int, most_e6: int) -> int:
    return amount_e6 * (most_e6 - before_e6) // most_e6 if before_e6 < most_e6 else 0
