"""Charts show what they were given: ticks cover it, the table says it, and nothing breaks them."""

import re
from decimal import Decimal
from itertools import pairwise
from xml.etree import ElementTree

import pytest
from hypothesis import given, strategies as st

from console import charts
from console.charts.plot import SIDE, along
from console.charts.scale import scale
from tests.console.gallery import rendered

CREDITS = charts.Unit("CREDIT")
amounts = st.integers(-(10**24), 10**24).map(lambda minor: Decimal(minor).scaleb(-6))
parts = st.integers(0, 10**24).map(lambda minor: Decimal(minor).scaleb(-6))
known = st.lists(amounts, min_size=1, max_size=40)
gappy = st.lists(st.none() | amounts, max_size=40)


def labels(count: int) -> list[str]:
    return [f"Day {number}" for number in range(count)]


def series(values, label="Balance", **more) -> charts.Series:
    return charts.Series(label=label, values=tuple(values), **more)


def drawn(chart: charts.Chart) -> ElementTree.Element:
    return ElementTree.fromstring(str(chart.svg))


def numbers(svg: ElementTree.Element) -> list[Decimal]:
    texts = [text for node in svg.iter() for name in ("d", "x", "y", "width", "height") if (text := node.get(name))]
    return [Decimal(number) for text in texts for number in re.findall(r"-?[0-9.]+(?:E[+-]?[0-9]+)?", text)]


@given(known, st.booleans(), st.booleans())
def test_ticks_cover_every_value_and_are_even(values, zero, whole):
    found = scale(values, zero=zero, whole=whole)
    steps = {right - left for left, right in pairwise(found.ticks)}

    assert found.low <= min(values)
    assert max(values) <= found.high
    assert len(steps) == 1
    assert 2 <= len(found.ticks) <= 11


@given(known)
def test_a_step_is_1_2_two_and_a_half_or_5_times_a_power_of_ten(values):
    first, second, *_ = scale(values).ticks

    assert (second - first).normalize().as_tuple().digits in {(1,), (2,), (2, 5), (5,)}


@given(known)
def test_zero_is_on_the_axis_unless_all_is_far_from_it(values):
    spread, nearest = max(values) - min(values), min(abs(value) for value in values)

    assert scale(values, zero=True).has_zero
    assert scale(values).has_zero or spread * 4 < nearest


@given(st.lists(st.integers(0, 10**6).map(Decimal), min_size=1))
def test_what_is_counted_has_ticks_at_whole_numbers(values):
    assert all(tick == tick.to_integral_value() for tick in scale(values, whole=True).ticks)


@given(gappy)
def test_the_table_holds_every_value_that_was_drawn(values):
    chart = charts.line("Balance", labels(len(values)), [series(values)], CREDITS)

    assert [cells[0] for _label, cells in chart.rows] == ["none" if v is None else CREDITS.write(v) for v in values]
    assert chart.heads == ("Day", "Balance")


@given(gappy)
def test_a_line_stays_within_its_drawing(values):
    chart = charts.line("Balance", labels(len(values)), [series(values)], CREDITS)
    if any(value is not None for value in values):
        assert all(0 <= number <= SIDE for number in numbers(drawn(chart)))
        assert len(chart.up) == str(chart.svg).count("rule")
    else:
        assert chart.svg is None
        assert chart.sentence == "No data yet."


@given(st.lists(st.lists(st.none() | amounts, min_size=5, max_size=5), min_size=1, max_size=6))
def test_bars_stay_within_their_drawing_and_add_up(columns):
    given_series = [series(values, label=f"S{number}") for number, values in enumerate(columns)]
    chart = charts.stacked("Spending", labels(5), given_series, CREDITS)
    if chart.svg is None:
        return
    rects = [node for node in drawn(chart).iter() if node.tag == "rect"]

    assert all(0 <= number <= SIDE for number in numbers(drawn(chart)))
    assert len(rects) == sum(1 for values in columns for value in values if value)
    assert len(chart.rows) == 5


def test_a_gap_is_drawn_as_a_gap():
    chart = charts.line("Balance", labels(5), [series([Decimal(1), Decimal(2), None, Decimal(4), Decimal(5)])], CREDITS)

    assert sum("line" in node.get("class", "") for node in drawn(chart)) == 2


def test_a_point_alone_is_a_dot():
    chart = charts.line("Balance", labels(1), [series([Decimal(7)])], CREDITS)

    assert "dot" in str(chart.svg)
    assert chart.sentence == "7.00\N{NO-BREAK SPACE}credits (Day 0)."


@pytest.mark.parametrize("value", ["0", "7", "-7", "1e30", "-1e30", "0.000000001"])
def test_values_that_are_all_equal_are_drawn(value):
    chart = charts.line("Balance", labels(3), [series([Decimal(value)] * 3)], charts.Unit())

    assert chart.sentence.endswith("unchanged.")
    assert len(set(chart.up)) == len(chart.up)


def test_an_axis_that_does_not_begin_at_zero_says_so():
    far = charts.line("Share", labels(2), [series([Decimal("0.971"), Decimal("0.973")])], charts.Unit("%"))
    near = charts.line("Share", labels(2), [series([Decimal("0.1"), Decimal("0.973")])], charts.Unit("%"))

    assert far.note
    assert not near.note


def test_a_projection_is_dashed_and_said_in_the_table():
    chart = charts.line("Balance", labels(4), [series(map(Decimal, (1, 2, 3, 4)), ahead=2)], CREDITS)

    assert "ahead" in str(chart.svg)
    assert [cells[0].endswith("(projected)") for _label, cells in chart.rows] == [False, False, True, True]


def test_an_interval_is_in_the_table_too():
    one = series([Decimal(5)] * 3, low=(Decimal(4),) * 3, high=(Decimal(6),) * 3)
    chart = charts.line("Score", labels(3), [one], charts.Unit())

    assert chart.heads == ("Day", "Balance", "Balance, interval")
    assert chart.rows[0] == ("Day 0", ("5", "4 to 6"))
    assert "band" in str(chart.svg)


@pytest.mark.parametrize("values", [["10312.25"], ["7", "7"], ["-3"], ["0"]])
def test_axis_of_values_that_are_all_equal_begins_at_zero(values: list[str]) -> None:
    found = scale([Decimal(value) for value in values])
    assert found.has_zero
    assert found.low <= Decimal(values[0]) <= found.high


@given(st.lists(st.lists(amounts, min_size=3, max_size=3), min_size=1, max_size=12))
def test_what_is_folded_keeps_the_sum(columns):
    given_series = [series(values, label=str(number)) for number, values in enumerate(columns)]
    found = charts.folded(given_series)

    assert len(found) <= 6
    for index in range(3):
        assert sum(one.values[index] for one in found) == sum(values[index] for values in columns)


@given(st.integers(0, 400))
def test_labels_are_few_and_each_point_has_its_place(count):
    found = along(labels(count))

    assert len(found) == count
    assert sum(bool(text) for text, _spare in found) <= 6
    assert any(text for text, _spare in found) == (count > 0)


@given(st.lists(parts, min_size=1, max_size=8))
def test_the_parts_of_a_bar_fill_it(values):
    found = charts.segments([(str(value), None, value, "c1") for value in values])
    if not any(values):
        assert found == ()
        return
    ends = [Decimal(one.start) + Decimal(one.width) for one in found]

    assert ends[-1] == 100
    assert [Decimal(one.start) for one in found[1:]] == ends[:-1]
    assert all(Decimal(one.width) >= 0 for one in found)


@given(parts, parts)
def test_a_meter_never_leaves_its_bar(used, limit):
    meter = charts.meter("Research", used, limit, "")

    assert 0 <= Decimal(meter.width) <= 100
    assert bool(meter.mark) == (used > limit > 0)
    assert (meter.tone == "bad") == (used >= limit)


def test_a_ranking_is_ordered():
    found = charts.ranking("Cost", [(str(number), Decimal(number), "more") for number in (1, 2)], CREDITS)

    assert [(meter.label, meter.width) for meter in found.meters] == [("2", "100.00"), ("1", "50.00")]
    assert {meter.note for meter in found.meters} == {"more"}


def test_labels_of_others_are_text_in_a_chart():
    attack = '"><script>alert(1)</script>'
    chart = charts.stacked(
        attack, [attack], [series([Decimal(1)], label=attack), series([Decimal(2)], label="b")], CREDITS
    )

    assert "<script" not in rendered("{{ ui.figure(chart) }}", chart=chart)


def test_nothing_is_said_to_be_nothing():
    assert charts.spark([], [], CREDITS).svg is None
    assert charts.ranking("Cost", [], CREDITS).sentence == "No data yet."
    assert charts.stacked("Spending", [], [], CREDITS).svg is None
