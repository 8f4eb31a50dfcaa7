"""The rules of forecasts, on made series."""

from math import exp, pi, sin
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.common.errors import Invalid
from domain.insight.forecast import ORIGINS, Method, forecast, needed, points

figures = st.lists(st.integers(min_value=0, max_value=10**9), min_size=needed(10, 7), max_size=120)


@given(figures)
def test_no_interval_is_narrower_at_a_later_step_or_than_a_lower_level(series: list[int]) -> None:
    made = forecast(series, steps=10, season=7)
    for reach in made.reaches:
        assert list(reach) == sorted(reach)
    for reaches in zip(*made.reaches, strict=True):
        assert list(reaches) == sorted(reaches)


@given(figures)
def test_points_are_whole_and_within_their_bounds(series: list[int]) -> None:
    for point in points(forecast(series, steps=10, season=7), least=0, most=1_000):
        assert isinstance(point.value, int)
        for low, high in point.intervals:
            assert 0 <= low <= point.value <= high <= 1_000


def test_a_constant_series_stays() -> None:
    made = forecast([500] * 60, steps=14, season=7)
    assert {(point.value, point.intervals) for point in points(made)} == {(500, ((500, 500),) * 3)}
    assert (made.method, made.backtest.mase, made.backtest.coverage) == (Method.SEASONAL_NAIVE, 0.0, 1.0)


def test_an_exact_season_is_repeated() -> None:
    season = [3, 1, 4, 1, 5, 9, 2]
    made = forecast(season * 12, steps=10, season=7)
    assert made.method is Method.SEASONAL_NAIVE
    assert [point.value for point in points(made)] == (season * 2)[:10]


def test_noise_about_a_season_is_averaged() -> None:
    random = Random(7)
    shape = [100, 300, 500, 700, 500, 300, 100]
    made = forecast([shape[at % 7] + random.randint(-60, 60) for at in range(140)], steps=14, season=7)
    assert made.method is not Method.SEASONAL_NAIVE
    assert made.backtest.mase < 0.9
    assert made.backtest.origins == ORIGINS
    assert all(abs(point.value - shape[at % 7]) < 60 for at, point in enumerate(points(made)))


def test_a_trend_is_followed() -> None:
    made = forecast([1_000 + 10 * at for at in range(140)], steps=7, season=7)
    assert made.values[-1] > 2_400
    assert made.method is not Method.SEASONAL_NAIVE


def test_a_longer_season_is_used_where_the_series_is_long_enough() -> None:
    week = [round(1_000 * exp(sin(hour / 168 * 2 * pi))) for hour in range(168)]
    assert forecast(week * 5, steps=48, season=24, longer=168).season == 168
    assert forecast(week * 2, steps=48, season=24, longer=168).season == 24


def test_a_short_series_is_refused_with_what_it_needs() -> None:
    with pytest.raises(Invalid) as refused:
        forecast([1] * 20, steps=10, season=7)
    assert (refused.value.error_code, refused.value.extra) == ("forecast.too_short", {"needed": 27, "available": 20})
    forecast([1] * needed(10, 7), steps=10, season=7)


def test_intervals_hold_what_comes() -> None:
    held = []
    for seed in range(40):
        random = Random(seed)
        series = [round(1_000 * exp(sin(at / 7 * 2 * pi) + random.gauss(0, 0.3))) for at in range(170)]
        found = points(forecast(series[:156], steps=14, season=7))
        ends = [point.intervals[1] for point in found]
        held += [low <= came <= high for came, (low, high) in zip(series[156:], ends, strict=True)]
    assert 0.7 < sum(held) / len(held) < 0.9
