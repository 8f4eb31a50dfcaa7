"""The rules of forecasts, on synthetic series."""

from math import exp, pi, sin
from random import Random

import pytest
from hypothesis import given, strategies as st

from domain.common.errors import Invalid
from domain.insight.forecast import LEVELS, ORIGINS, Method, figures_needed, forecast

figures = st.lists(st.integers(min_value=0, max_value=10**9), min_size=figures_needed(10, 7), max_size=120)


@given(figures)
def test_interval_never_narrows_with_step_or_level(series: list[int]) -> None:
    made = forecast(series, steps=10, season=7)
    for of in (made.half_widths, made.half_widths_of_sum):
        reaches = [of(level) for level in LEVELS]
        for reach in reaches:
            assert list(reach) == sorted(reach)
        for step in zip(*reaches, strict=True):
            assert list(step) == sorted(step)


def test_constant_series_forecasts_its_value() -> None:
    made = forecast([500] * 60, steps=14, season=7)
    assert (set(made.values), set(made.half_widths(95)), set(made.half_widths_of_sum(95))) == ({500}, {0}, {0})
    assert (made.method, made.backtest.mase, made.backtest.coverage) == (Method.SEASONAL_NAIVE, 0.0, 1.0)


def test_an_exact_season_is_repeated() -> None:
    season = [3, 1, 4, 1, 5, 9, 2]
    made = forecast(season * 12, steps=10, season=7)
    assert made.method is Method.SEASONAL_NAIVE
    assert list(made.values) == (season * 2)[:10]


def test_noise_around_a_season_is_averaged() -> None:
    random = Random(7)
    shape = [100, 300, 500, 700, 500, 300, 100]
    made = forecast([shape[at % 7] + random.randint(-60, 60) for at in range(140)], steps=14, season=7)
    assert made.method is not Method.SEASONAL_NAIVE
    assert made.backtest.mase < 0.9
    assert made.backtest.origins == ORIGINS
    assert all(abs(value - shape[at % 7]) < 60 for at, value in enumerate(made.values))


def test_a_trend_is_followed() -> None:
    made = forecast([1_000 + 10 * at for at in range(140)], steps=7, season=7)
    assert made.values[-1] > 2_400
    assert made.method is not Method.SEASONAL_NAIVE


def test_longer_season_is_used_for_long_series() -> None:
    week = [round(1_000 * exp(sin(hour / 168 * 2 * pi))) for hour in range(168)]
    assert forecast(week * 5, steps=48, season=24, longer=168).season == 168
    assert forecast(week * 2, steps=48, season=24, longer=168).season == 24


def test_short_series_is_refused_with_its_required_length() -> None:
    with pytest.raises(Invalid) as refused:
        forecast([1] * 20, steps=10, season=7)
    assert (refused.value.error_code, refused.value.extra) == ("forecast.too_short", {"needed": 27, "available": 20})
    forecast([1] * figures_needed(10, 7), steps=10, season=7)


def test_intervals_contain_later_values() -> None:
    held = []
    for seed in range(40):
        random = Random(seed)
        series = [round(1_000 * exp(sin(at / 7 * 2 * pi) + random.gauss(0, 0.3))) for at in range(170)]
        made = forecast(series[:156], steps=14, season=7)
        of_each = zip(series[156:], made.values, made.half_widths(80), strict=True)
        held += [abs(came - value) <= reach for came, value, reach in of_each]
    assert 0.7 < sum(held) / len(held) < 0.9
