"""The weight of a fact: by the value at stake and the commission paid, the rater's trust, and its earlier evidence."""

from dataclasses import dataclass
from datetime import date

from domain.reputation.evidence import ONE_E6, PROVEN_E6, RATE_E4, faded

#: The most that one fact counts for, however much was at stake: two units.
MOST_E6 = 2 * ONE_E6
#: The most that one counterparty of full standing counts for in one dimension: three units.
COUNTERPARTY_E6 = PROVEN_E6


@dataclass(frozen=True, slots=True)
class Stakes:
    """The marketplace's scale, in minor units of the currency that values are compared in.

    Attributes:
        typical_minor: the value of a typical contract, which counts one unit.
        unit_commission_minor: the commission that one unit of evidence costs at least.
    """

    typical_minor: int = 50_00
    unit_commission_minor: int = 2_50

    def __post_init__(self) -> None:
        if self.typical_minor <= 0 or self.unit_commission_minor <= 0:
            raise ValueError("a typical value and the commission of a unit are positive")


@dataclass(frozen=True, slots=True)
class GivenEvidence:
    """The evidence that one counterparty has given an agent in one dimension, as of a date: a row.

    Related organizations are one counterparty. What it gave in good evidence fades as the evidence does; what it gave
    in bad evidence does not, because bad evidence may be held.
    """

    good_e6: int
    bad_e6: int
    since: date


def weight_e6(value_minor: int, commission_minor: int | None, rater_e6: int, stakes: Stakes) -> int:
    """Return the weight of a fact, in millionths of a unit: 0 for what cost no commission in money.

    Args:
        value_minor: what was at stake, without credits that were given away.
        commission_minor: the commission paid in money. For money that went back, what it would have paid. None where
            there is none to pay and the value alone counts, as of payments.
        rater_e6: the trust in whoever caused the fact, as a share; `ONE_E6` for what the product saw itself.
        stakes: the scale.
    """
    staked = MOST_E6 * value_minor // (value_minor + stakes.typical_minor)
    if commission_minor is not None:
        staked = min(staked, ONE_E6 * commission_minor // stakes.unit_commission_minor)
    return staked * rater_e6 // ONE_E6


def saturated(
    given: GivenEvidence, good_e6: int, bad_e6: int, day: date, rater_e6: int, rate_e4: int = RATE_E4
) -> tuple[int, int, GivenEvidence]:
    """Return how much of one counterparty's evidence counts, and its new total.

    Each unit counts by the part that is left of `COUNTERPARTY_E6` times the counterparty's standing, so that the sum
    never passes that, however many there are. Good and bad evidence are bounded each for itself.

    Args:
        given: what the counterparty has given before.
        good_e6: good evidence, with that standing in its weight (`weight_e6`).
        bad_e6: bad evidence, with that standing in its weight.
        day: when it came in; evidence from before `given.since` counts as of that date.
        rater_e6: the trust in the counterparty, as a share.
        rate_e4: what a night leaves.
    """
    most = COUNTERPARTY_E6 * rater_e6 // ONE_E6
    before = faded(given.good_e6, max(0, (day - given.since).days), rate_e4)
    good = _left(good_e6, before, most)
    bad = _left(bad_e6, given.bad_e6, most)
    return good, bad, GivenEvidence(before + good, given.bad_e6 + bad, max(day, given.since))


def saturated_reports(
    given: GivenEvidence, praised: GivenEvidence, good_e6: int, bad_e6: int, day: date, rate_e4: int = RATE_E4
) -> tuple[int, int, GivenEvidence, GivenEvidence]:
    """Return how much of what an operator reports counts, the new total, and the operator's own praise.

    All operators together are one counterparty, because whoever has a key of theirs can issue others. There is no money
    behind reports, and they may be a stream: the reports of one operator have one bound, good and bad, and fade alike,
    so that many of them keep the share of good ones. The praise of others takes no room from what an operator reports
    as bad. Otherwise whoever praises a friend would hide what others complain of later.

    Args:
        given: what all operators have reported before.
        praised: the good evidence that this operator's praise takes of its own bound, whatever others have praised.
        good_e6: good evidence.
        bad_e6: bad evidence; both together are one unit at most.
        day: when it came in; reports from before a total's `since` count as of that date.
        rate_e4: what a night leaves.
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
