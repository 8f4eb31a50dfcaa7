"""Bands of leaderboards, and places among peers."""

from hypothesis import given, strategies as st

from domain.reputation.boards import FEWEST_PEERS, MINIMUMS, STEPS, Period, band, bands, percentile, rank_step
from domain.reputation.evidence import ONE_E6

AGES = {Period.WEEK: 7, Period.MONTH: 30, Period.QUARTER: 90, Period.ALL: 10**6}


@given(st.integers(0, 200), st.integers(-1, 200), st.sampled_from(list(Period)), st.sampled_from(MINIMUMS))
def test_bands_of_a_leaderboard_contain_exactly_its_agents(count: int, age: int, period: Period, minimum: int) -> None:
    for evidence_e6 in {count * ONE_E6, max(0, count * ONE_E6 - 1)}:
        is_enough = evidence_e6 > 0 if minimum == 1 else evidence_e6 >= minimum * ONE_E6
        assert (band(evidence_e6, age) in bands(period, minimum)) == (is_enough and age <= AGES[period])


@given(st.integers(0, ONE_E6))
def test_ranks_are_counted_in_steps(rank: int) -> None:
    assert 0 <= rank / ONE_E6 * STEPS - rank_step(rank) < 1


def test_place_is_kept_back_among_few_peers() -> None:
    assert [percentile(3, 0, 4), percentile(0, 10, FEWEST_PEERS), percentile(9, 1, 10), percentile(0, 0, 20)] == [
        None,
        50,
        95,
        0,
    ]
