"""Detection of unusual hours on synthetic series."""

from datetime import UTC, datetime
from math import exp, pi, sin
from random import Random

from domain.messages.alert.unusual import (
    HOUR,
    MAX_HOURS,
    MAX_HOURS_READ,
    MIN_WEEKS,
    SMOOTHED_HOURS,
    WEEK_HOURS,
    HourlyFigures,
    hours_to_read,
    is_unusual,
    merge_hours,
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
    series = node(1, MAX_HOURS + DAYS * 24)
    assert [at for at in range(MAX_HOURS, len(series) + 1) if is_unusual(series[at - MAX_HOURS : at])] == []


def test_lasting_threefold_spikes_are_found_within_six_hours():
    missed = []
    for seed in range(100):
        series, begins = node(seed, MAX_HOURS + 7 * 24), MAX_HOURS + Random(seed).randrange(6 * 24)
        spiked = [*series[:begins], *(3 * each for each in series[begins:])]
        if not any(is_unusual(spiked[at - MAX_HOURS : at]) for at in range(begins + 1, begins + 7)):
            missed.append(seed)
    assert len(missed) <= 20, f"missed with the seeds {missed}"


def test_a_steady_figure_is_unusual_from_half_as_much_again():
    steady = [1_000] * (MAX_HOURS - SMOOTHED_HOURS)
    assert is_unusual([*steady, 1_000, 1_000, 1_000]) is False
    assert is_unusual([*steady, 1_400, 1_400, 1_400]) is False
    assert is_unusual([*steady, 1_600, 1_600, 1_600]) is True


def test_one_odd_hour_is_not_enough():
    series = node(1, MAX_HOURS - 1)
    assert is_unusual([*series, 2 * series[-1]]) is False


def test_less_than_usual_is_not_unusual():
    assert is_unusual([*node(1, MAX_HOURS - SMOOTHED_HOURS), 0, 0, 0]) is False


def test_no_anomaly_is_reported_before_four_weeks_of_figures():
    least = MIN_WEEKS * WEEK_HOURS + SMOOTHED_HOURS
    assert is_unusual([0] * MAX_HOURS) is None
    assert is_unusual([*[0] * 500, *[10] * (least - 1)]) is None
    assert is_unusual([*[0] * 500, *[10] * least]) is False


NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
FULL = datetime(2026, 3, 1, 12, tzinfo=UTC)


def test_no_baseline_exists_when_most_hours_are_empty():
    assert is_unusual([*[5, *[0] * 8] * 149, 9, 9, 9][-MAX_HOURS:]) is None
    assert is_unusual([*[5, *[0] * 6] * 192, 0, 0, 0][-MAX_HOURS:]) is False


def test_hours_are_read_from_the_oldest_then_only_the_newest():
    kept, looks = None, 0
    while kept is None or kept.is_behind(NOW):
        ends = hours_to_read(kept, NOW)
        assert len(ends) <= MAX_HOURS_READ
        kept, looks = merge_hours(kept, ends, [(FULL - end) // HOUR for end in ends]), looks + 1
    assert looks <= MAX_HOURS // (MAX_HOURS_READ - SMOOTHED_HOURS) + 1
    assert kept == HourlyFigures(FULL, tuple(range(MAX_HOURS - 1, -1, -1)))
    ends = hours_to_read(kept, NOW + HOUR)
    assert ends == [FULL - 2 * HOUR, FULL - HOUR, FULL, FULL + HOUR]
    again = merge_hours(kept, ends, [7, 7, 7, 9])
    assert (len(again.figures), again.figures[-5:], again.until) == (MAX_HOURS, (3, 7, 7, 7, 9), FULL + HOUR)


def test_missed_hours_are_read_from_the_oldest():
    ends = hours_to_read(HourlyFigures(FULL - 2 * MAX_HOURS * HOUR, (1,) * MAX_HOURS), NOW)
    assert ends[0] == FULL - (MAX_HOURS - 1) * HOUR
    assert (
        merge_hours(HourlyFigures(FULL - 2 * MAX_HOURS * HOUR, (1,) * MAX_HOURS), ends, [2] * len(ends)).figures
        == (2,) * MAX_HOURS_READ
    )
