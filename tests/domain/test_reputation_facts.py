"""Evidence of an agent from facts, and the sums of response times."""

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from domain.common.errors import Invalid
from domain.reputation.evidence import ONE_E6, Dimension
from domain.reputation.facts import DimensionShare, FactKind, feedback, increments, promptness_e4, reported, shares_of
from domain.reputation.timing import BOUNDS_MS, Timing, add_response, average_ms, percentile_ms
from tests.support.cases import for_each

UNTIMED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
GRADED = {FactKind.SPLIT, FactKind.VALIDATED, FactKind.RESPONDED}
TIMES = st.lists(st.integers(0, 10**9), max_size=80)


def said(kind, good=None):
    return {each.dimension.value: (each.good_e6, each.bad_e6) for each in increments(shares_of(kind, good), ONE_E6)}


def test_escrows_give_evidence_whether_the_task_succeeded():
    assert said(FactKind.RELEASED) == {"task_success": (ONE_E6, 0)}
    assert said(FactKind.SPLIT, 3_000) == {"task_success": (300_000, 700_000)}
    assert said(FactKind.REFUNDED) == {"task_success": (0, ONE_E6)}
    assert said(FactKind.UNDELIVERED) == {"task_success": (0, ONE_E6), "reliability": (0, ONE_E6)}


def test_other_facts_give_evidence_in_their_dimensions():
    assert said(FactKind.VALIDATED, 9_200) == {"quality": (920_000, 80_000)}
    assert said(FactKind.DISPUTE_LOST) == {"collaboration": (0, ONE_E6), "quality": (0, 500_000)}
    assert said(FactKind.IN_TIME) == {"reliability": (ONE_E6, 0)}
    assert said(FactKind.LATE) == {"reliability": (0, ONE_E6)}
    assert said(FactKind.SLA_MISSED) == {"reliability": (0, 500_000)}
    assert said(FactKind.RESPONDED, promptness_e4(400, 200)) == {"response_time": (500_000, 500_000)}
    assert promptness_e4(0, 200) == promptness_e4(200, 200) == 10_000


@for_each("kind", sorted(GRADED))
@for_each("good", [None, -1, 10_001])
def test_graded_fact_without_its_grade_is_refused(kind, good):
    with pytest.raises(ValueError, match="needs a share"):
        shares_of(kind, good)


@UNTIMED
@given(
    st.sampled_from([kind for kind in FactKind if kind not in {FactKind.FEEDBACK, FactKind.REPORTED}]),
    st.integers(0, 10_000),
    st.integers(0, 2 * ONE_E6),
)
def test_no_fact_counts_more_than_its_weight_in_any_dimension(kind, good, weight):
    found = increments(shares_of(kind, good), weight)
    assert all(each.good_e6 >= 0 and each.bad_e6 >= 0 and each.good_e6 + each.bad_e6 <= weight for each in found)
    assert len({each.dimension for each in found}) == len(found)


def test_feedback_takes_half_of_its_weight():
    ratings = {"quality": 5, "collaboration": 1, "reliability": 2}
    found = {each.dimension.value: (each.good_e6, each.bad_e6) for each in increments(feedback(ratings), ONE_E6)}
    assert found == {"quality": (500_000, 0), "collaboration": (0, 500_000), "reliability": (125_000, 375_000)}


@pytest.mark.parametrize(
    ("ratings", "field"),
    [
        ({}, "ratings"),
        ({"speed": 3}, "ratings.speed"),
        ({"quality": 0}, "ratings.quality"),
        ({"quality": 6}, "ratings.quality"),
        ({"quality": True}, "ratings.quality"),
    ],
)
def test_feedback_off_the_scale_names_the_field(ratings, field):
    with pytest.raises(Invalid) as refused:
        feedback(ratings)
    assert refused.value.extra["field"] == field


def test_reported_event_moves_one_unit_at_most():
    assert increments(reported(Dimension.QUALITY, 40), ONE_E6)[0].good_e6 == 400_000
    assert increments(reported(Dimension.QUALITY, -100), ONE_E6)[0].bad_e6 == ONE_E6
    assert increments(reported(Dimension.QUALITY, 0), ONE_E6) == ()
    for delta in (-101, 101):
        with pytest.raises(Invalid):
            reported(Dimension.QUALITY, delta)


@UNTIMED
@given(st.integers(0, 10_000), st.integers(0, 2 * ONE_E6), st.integers(0, 2 * ONE_E6))
def test_only_bad_evidence_has_a_separate_weight(good_e4, weight, more):
    said = (DimensionShare(Dimension.QUALITY, 10_000, good_e4),)
    before, after = increments(said, weight), increments(said, weight, weight + more)
    if good_e4 >= 5_000 or not more:
        assert after == before
    else:
        good = before[0].good_e6 if before else 0
        assert [each.good_e6 for each in after] == [good] * len(after)
        assert sum(each.bad_e6 for each in after) >= sum(each.bad_e6 for each in before)
    assert increments((DimensionShare(Dimension.QUALITY, 10_000, 0),), 0, ONE_E6)[0].bad_e6 == ONE_E6


def histogram(times):
    timing = Timing()
    for each in times:
        timing = add_response(timing, each)
    return timing


@UNTIMED
@given(TIMES, TIMES)
def test_histograms_are_the_same_in_any_order(one, other):
    assert histogram([*one, *other]) == histogram([*other, *one])


@UNTIMED
@given(st.lists(st.integers(1, BOUNDS_MS[-1]), min_size=1, max_size=80), st.integers(1, 100))
def test_percentile_is_a_fifth_too_high_at_most(times, percent):
    true = sorted(times)[-(-len(times) * percent // 100) - 1]
    assert true <= percentile_ms(histogram(times), percent) <= max(true + 1, true * 12 // 10)


def test_newcomer_answers_zero_and_averages_are_rounded():
    assert (average_ms(Timing()), percentile_ms(Timing())) == (0, 0)
    assert average_ms(histogram([1, 2])) == 2
    assert percentile_ms(histogram([2**40])) == BOUNDS_MS[-1]
