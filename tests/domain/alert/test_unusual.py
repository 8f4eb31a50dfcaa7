"""When the hours of a figure are unusual, on made series."""

from datetime import UTC, datetime
from math import exp, pi, sin
from random import Random

from domain.messages.alert.unusual import (
    AT_ONCE,
    FEWEST_WEEKS,
    HOUR,
    KEPT,
    LATEST,
    WEEK_HOURS,
    Hours,
    is_unusual,
    joined,
    to_read,
)

DAYS = 168


def node(seed: int, hours: int) -> list[int]:
    """Return the events of each hour of a node: by day more than at night, half at weekends, with noise that lasts."""
    random, drift, made = Random(seed), 0.0, []
    for hour in range(hours):
        drift = 0.6 * drift + random.gauss(0, 0.2)
        pace = 40 * exp(0.9 * sin((hour % 24 - 9) / 24 * 2 * pi) + drift)
        pace *= 0.5 if hour // 24 % 7 > 4 else 1
        made.append(max(0, round(random.gauss(pace, pace**0.5))))
    return made


def test_a_normal_node_is_never_unusual_in_168_days():
    series = node(1, KEPT + DAYS * 24)
    assert [at for at in range(KEPT, len(series) + 1) if is_unusual(series[at - KEPT : at])] == []


def test_lasting_threefold_spikes_are_found_within_six_hours():
    missed = []
    for seed in range(100):
        series, begins = node(seed, KEPT + 7 * 24), KEPT + Random(seed).randrange(6 * 24)
        spiked = [*series[:begins], *(3 * each for each in series[begins:])]
        if not any(is_unusual(spiked[at - KEPT : at]) for at in range(begins + 1, begins + 7)):
            missed.append(seed)
    assert len(missed) <= 20, f"missed with the seeds {missed}"


def test_a_steady_figure_is_unusual_from_half_as_much_again():
    steady = [1_000] * (KEPT - LATEST)
    assert is_unusual([*steady, 1_000, 1_000, 1_000]) is False
    assert is_unusual([*steady, 1_400, 1_400, 1_400]) is False
    assert is_unusual([*steady, 1_600, 1_600, 1_600]) is True


def test_one_odd_hour_is_not_enough():
    series = node(1, KEPT - 1)
    assert is_unusual([*series, 2 * series[-1]]) is False


def test_less_than_usual_is_not_unusual():
    assert is_unusual([*node(1, KEPT - LATEST), 0, 0, 0]) is False


def test_nothing_is_said_before_four_weeks_of_figures():
    least = FEWEST_WEEKS * WEEK_HOURS + LATEST
    assert is_unusual([0] * KEPT) is None
    assert is_unusual([*[0] * 500, *[10] * (least - 1)]) is None
    assert is_unusual([*[0] * 500, *[10] * least]) is False


NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
FULL = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_nothing_is_usual_where_most_hours_have_nothing():
    assert is_unusual([*[5, *[0] * 8] * 149, 9, 9, 9][-KEPT:]) is None
    assert is_unusual([*[5, *[0] * 6] * 192, 0, 0, 0][-KEPT:]) is False


def test_hours_are_read_from_the_oldest_on_and_then_only_the_latest():
    kept, looks = None, 0
    while kept is None or kept.is_behind(NOW):
        ends = to_read(kept, NOW)
        assert len(ends) <= AT_ONCE
        kept, looks = joined(kept, ends, [(FULL - end) // HOUR for end in ends]), looks + 1
    assert looks <= KEPT // (AT_ONCE - LATEST) + 1
    assert kept == Hours(FULL, tuple(range(KEPT - 1, -1, -1)))
    ends = to_read(kept, NOW + HOUR)
    assert ends == [FULL - 2 * HOUR, FULL - HOUR, FULL, FULL + HOUR]
    again = joined(kept, ends, [7, 7, 7, 9])
    assert (len(again.figures), again.figures[-5:], again.until) == (KEPT, (3, 7, 7, 7, 9), FULL + HOUR)


def test_hours_that_nobody_read_in_time_are_read_from_the_oldest_on():
    ends = to_read(Hours(FULL - 2 * KEPT * HOUR, (1,) * KEPT), NOW)
    assert ends[0] == FULL - (KEPT - 1) * HOUR
    assert joined(Hours(FULL - 2 * KEPT * HOUR, (1,) * KEPT), ends, [2] * len(ends)).figures == (2,) * AT_ONCE
