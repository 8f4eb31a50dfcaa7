"""The registry of metrics, and the periods of queries."""

from datetime import UTC, date, datetime, time, timedelta
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import assume, example, given, strategies as st

from dev.metrics import PAGE, page
from domain.common.calendar import first_moment
from domain.common.errors import QueryTooLarge, UnknownMetric
from domain.insight.metrics import METRICS, Measure, MetricUnit, available_metrics, metric_of
from domain.insight.query import (
    MOST_VALUES,
    Compare,
    Grain,
    MetricFigure,
    Query,
    QueryResult,
    QueryRow,
    check_size,
    comparison_bounds,
    interval_bounds,
)
from domain.insight.series import MAX_GROUPS, OTHERS, series_of

ZONES = ("UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe")
NAMED_ZONES = sorted(
    each for each in available_timezones() if "/" in each and not each.startswith(("posix/", "right/"))
)
NOW = datetime(2030, 1, 1, tzinfo=UTC)


def query(since: datetime, until: datetime, **more: object) -> Query:
    return Query(metrics=("spending",), since=since, until=until, **more)


def day(year: int, month: int, day: int, zone: str = "UTC") -> datetime:
    return datetime.combine(date(year, month, day), time(), ZoneInfo(zone))


def test_each_metric_reads_known_measures_and_has_a_page():
    assert page(PAGE.read_text("utf-8")) == PAGE.read_text("utf-8"), "run python -m dev.metrics"
    for metric in METRICS.values():
        assert metric.measures
        assert metric.value(dict.fromkeys(metric.measures, 3)) is not None
        assert metric.for_organizations or metric.for_platform
        assert metric.unit is not MetricUnit.RATIO or "/" in metric.formula
    assert {"agent", "organization", "provider", "model"} <= {
        name for metric in METRICS.values() for name in metric.dimensions
    }


def test_ratio_divides_sums_and_is_empty_for_a_zero_divisor():
    rate = METRICS["payments.success_rate"]
    made, failed = Measure.of("events.payments.succeeded"), Measure.of("events.payments.failed")
    assert rate.value({made: 3, failed: 1}) == Fraction(3, 4)
    assert rate.value({}) is None
    assert METRICS["spending"].value({}) == 0


def test_unknown_names_are_refused_with_the_closest_match():
    with pytest.raises(UnknownMetric, match=r"payments\.failed"):
        metric_of("payment.failed", platform=False)
    with pytest.raises(UnknownMetric, match="GET /analytics/metrics"):
        metric_of("zzz", platform=False)
    with pytest.raises(UnknownMetric):
        metric_of("revenue", platform=False)
    assert metric_of("revenue", platform=True).name == "revenue"
    assert "spending" not in available_metrics(platform=True)


@given(
    st.dates(date(2019, 1, 1), date(2027, 1, 1)),
    st.integers(1, 500),
    st.sampled_from(Grain),
    st.sampled_from(ZONES),
)
def test_intervals_cover_the_period_without_gaps_at_calendar_boundaries(
    first: date, days: int, grain: Grain, zone: str
):
    local = ZoneInfo(zone)
    since, until = (datetime.combine(at, time(), local) for at in (first, first + timedelta(days=days)))
    if grain is Grain.HOUR and days > 400:
        return
    bounds = interval_bounds(query(since, until, grain=grain, zone=zone))
    assert (bounds[0], bounds[-1]) == (since.astimezone(UTC), until.astimezone(UTC))
    assert all(begins < ends for begins, ends in pairwise(bounds))
    for bound in (at.astimezone(local) for at in bounds[1:-1]):
        if grain is Grain.HOUR:
            continue
        # Midnight, or the moment to which the clocks skip it.
        assert bound.time() <= time(1)
        assert grain is not Grain.WEEK or bound.weekday() == 0
        assert grain not in {Grain.MONTH, Grain.QUARTER, Grain.YEAR} or bound.day == 1
        assert grain is not Grain.YEAR or bound.month == 1


@pytest.mark.parametrize(
    ("since", "until", "grain"),
    [
        (day(2019, 1, 1), day(2025, 1, 1), None),
        (day(2023, 1, 1), day(2025, 1, 1), Grain.HOUR),
    ],
)
def test_too_large_query_names_a_size_that_fits(since: datetime, until: datetime, grain: Grain | None):
    with pytest.raises(QueryTooLarge, match="Ask for"):
        interval_bounds(query(since, until, grain=grain))


@given(
    st.integers(1, 20),
    st.integers(1, 9_000),
    st.sampled_from([Grain.HOUR, Grain.DAY]),
    st.sampled_from([None, Compare.PREVIOUS]),
    st.integers(1, 10_000),
)
def test_an_answer_has_a_bounded_number_of_values(
    metrics: int, intervals: int, grain: Grain, compare: Compare | None, limit: int
):
    length = timedelta(hours=1) if grain is Grain.HOUR else timedelta(days=1)
    intervals = intervals if grain is Grain.HOUR else min(intervals, 5 * 366)
    asked = Query(
        metrics=tuple(str(number) for number in range(metrics)),
        since=NOW,
        until=NOW + intervals * length,
        grain=grain,
        compare=compare,
        limit=limit,
    )
    values = min(intervals, limit) * metrics * (2 if compare else 1)
    if values <= MOST_VALUES:
        assert len(interval_bounds(asked)) == intervals + 1
    else:
        with pytest.raises(QueryTooLarge, match=f"{values:,} values.*Ask for fewer metrics"):
            interval_bounds(asked)
    # The same of what was found, such as groups.
    if values > MOST_VALUES:
        with pytest.raises(QueryTooLarge):
            check_size(asked, intervals, metrics)


@pytest.mark.parametrize(
    ("since", "until", "compare", "before"),
    [
        # A month with the month before, whatever its length; days keep their dates.
        (day(2024, 3, 1), day(2024, 4, 1), Compare.PREVIOUS, (day(2024, 2, 1), day(2024, 3, 1))),
        (day(2024, 1, 1), day(2024, 4, 1), Compare.PREVIOUS, (day(2023, 10, 1), day(2024, 1, 1))),
        (day(2024, 3, 4), day(2024, 3, 11), Compare.PREVIOUS, (day(2024, 2, 26), day(2024, 3, 4))),
        (day(2024, 2, 29), day(2024, 3, 1), Compare.LAST_YEAR, (day(2023, 2, 28), day(2023, 3, 1))),
        # The clocks change in the period: the days before it begin at midnight all the same.
        (
            day(2024, 3, 30, "Europe/Berlin"),
            day(2024, 4, 2, "Europe/Berlin"),
            Compare.PREVIOUS,
            (day(2024, 3, 27, "Europe/Berlin"), day(2024, 3, 30, "Europe/Berlin")),
        ),
    ],
)
def test_periods_are_compared_by_the_calendar(
    since: datetime, until: datetime, compare: Compare, before: tuple[datetime, datetime]
):
    zone = str(since.tzinfo)
    asked = query(since, until, compare=compare, zone="UTC" if zone == "UTC" else zone)
    bounds = comparison_bounds(asked, interval_bounds(asked), NOW)
    assert (bounds[0], bounds[-1]) == before


def begins_on(on: date, zone: str) -> datetime:
    return first_moment(on, ZoneInfo(zone))


@given(
    st.sampled_from(NAMED_ZONES),
    st.dates(date(1995, 1, 1), date(2036, 1, 1)),
    st.integers(1, 40),
    st.sampled_from((None, Grain.DAY, Grain.HOUR)),
)
@example("America/Santiago", date(2026, 9, 6), 1, Grain.DAY)
@example("America/Santiago", date(2026, 9, 7), 1, None)
@example("Asia/Beirut", date(2026, 3, 23), 7, Grain.DAY)
@example("Africa/Cairo", date(2026, 4, 24), 7, Grain.HOUR)
@example("America/Havana", date(2026, 3, 8), 1, Grain.HOUR)
@example("America/Havana", date(2026, 11, 1), 1, None)
def test_pitfall_67_days_are_compared_with_equally_many_earlier_dates_when_clocks_skip_midnight(
    zone: str, first: date, days: int, grain: Grain | None
):
    last = first + timedelta(days=days)
    since, until = begins_on(first, zone), begins_on(last, zone)
    # Two zones have skipped a whole date: no period begins or ends with it.
    assume([at.astimezone(ZoneInfo(zone)).date() for at in (since, until)] == [first, last])
    asked = query(since, until, compare=Compare.PREVIOUS, grain=grain, zone=zone)
    assume(not first.day == last.day == 1)  # compared with as many months
    bounds = interval_bounds(asked)
    before = comparison_bounds(asked, bounds, datetime(2040, 1, 1, tzinfo=UTC))
    assert (before[0], before[-1]) == (begins_on(first - timedelta(days=days), zone), since)
    begin = {begins_on(first + timedelta(days=number), zone): number for number in range(days + 1)}
    for bound, moved in zip(bounds, before, strict=True):
        if bound in begin:
            assert moved == begins_on(first + timedelta(days=begin[bound] - days), zone)


@given(st.sampled_from(NAMED_ZONES), st.dates(date(1996, 1, 1), date(2036, 1, 1)), st.sampled_from(Compare))
@example("America/Asuncion", date(2023, 10, 1), Compare.PREVIOUS)
@example("America/Asuncion", date(2023, 11, 1), Compare.PREVIOUS)
@example("America/Asuncion", date(2024, 10, 1), Compare.LAST_YEAR)
def test_months_and_years_are_compared_by_dates_where_clocks_skip_midnight(zone: str, on: date, compare: Compare):
    first, following = on.replace(day=1), (on.replace(day=1) + timedelta(days=31)).replace(day=1)
    begins, ends = (
        each.replace(year=each.year - 1) if compare is Compare.LAST_YEAR else (each - timedelta(days=1)).replace(day=1)
        for each in (first, following)
    )
    asked = query(begins_on(first, zone), begins_on(following, zone), compare=compare, grain=Grain.DAY, zone=zone)
    before = comparison_bounds(asked, interval_bounds(asked), datetime(2040, 1, 1, tzinfo=UTC))
    assert (before[0], before[-1]) == (begins_on(begins, zone), begins_on(ends, zone))
    assert before == sorted(before)


def test_missing_date_of_a_month_is_compared_with_nothing():
    asked = query(day(2023, 3, 1), day(2023, 4, 1), compare=Compare.PREVIOUS, grain=Grain.DAY)
    bounds = comparison_bounds(asked, interval_bounds(asked), NOW)
    lengths = [ends - begins for begins, ends in pairwise(bounds)]
    assert lengths == [timedelta(days=1)] * 28 + [timedelta(0)] * 3
    assert bounds[-1] == day(2023, 3, 1)


def test_running_day_is_compared_with_the_previous_day_from_midnight():
    now = datetime(2024, 3, 10, 13, 27, tzinfo=UTC)
    asked = query(day(2024, 3, 10), now, compare=Compare.PREVIOUS)
    assert comparison_bounds(asked, interval_bounds(asked), now) == [
        day(2024, 3, 9),
        datetime(2024, 3, 9, 13, 15, tzinfo=UTC),
    ]


def test_running_period_is_compared_with_the_same_elapsed_time():
    now = datetime(2024, 3, 10, 12, 40, tzinfo=UTC)
    asked = query(day(2024, 3, 1), day(2024, 4, 1), compare=Compare.PREVIOUS, grain=Grain.WEEK)
    bounds = comparison_bounds(asked, interval_bounds(asked), now)
    assert bounds[0] == day(2024, 2, 1)
    assert bounds[-1] == datetime(2024, 2, 10, 12, 30, tzinfo=UTC)
    assert len(bounds) == len(interval_bounds(asked))


def test_small_groups_of_an_additive_series_are_merged():
    bounds = [day(2024, 1, 1), day(2024, 1, 2), day(2024, 1, 3)]
    rows = tuple(
        QueryRow(bounds[1], {"action": f"a{number:02}"}, (MetricFigure("spends", None, number),))
        for number in range(1, 13)
    )
    shown = series_of(
        QueryResult(rows=rows, totals=(), as_of=NOW, is_complete=True), bounds, METRICS["spends"], "CREDIT"
    )
    assert len(shown) == MAX_GROUPS
    assert (shown[0].group, shown[0].values) == ("a12", (0, 12))
    assert (shown[-1].group, shown[-1].values) == (OTHERS, (0, 6))
    rates = tuple(
        QueryRow(bounds[0], {"provider": name}, (MetricFigure("x", None, Fraction(1, 2)),)) for name in ("a", "b")
    )
    answer = QueryResult(rows=rates, totals=(), as_of=NOW, is_complete=True)
    found = series_of(answer, bounds, METRICS["payments.success_rate"], "CREDIT")
    assert [one.values for one in found] == [(Fraction(1, 2), None)] * 2
