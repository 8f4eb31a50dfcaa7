"""Upright bars: series on top of each other over time, and how many are where."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from itertools import pairwise

from markupsafe import Markup

from console.charts.scale import EXACT, Scale, scale
from console.charts.shape import (
    SIDE,
    Chart,
    Key,
    Row,
    Series,
    Unit,
    along,
    checked,
    described,
    height,
    paint,
    plot,
    rules,
    table,
    up,
)

#: Bars take so much of their place while there are few, and more of it where a gap would be no line.
_WIDE, _DENSE = Decimal("0.64"), Decimal("0.86")
_MANY = 60


@dataclass(frozen=True, slots=True)
class Bin:
    """How many are at `low` or above it and below `high`."""

    low: Decimal
    high: Decimal
    count: int


def stacked(
    title: str, labels: Sequence[str], series: Sequence[Series], unit: Unit, *, head: str = "Day", whole: bool = False
) -> Chart:
    """Draw series as bars on top of each other; what is below zero hangs below it.

    Args:
        title: names the chart.
        labels: one for each bar.
        series: at most six, without intervals or projections.
        unit: of the values.
        head: what the labels are, for the table.
        whole: ticks at whole numbers only.

    Raises:
        ValueError: more than can be drawn, or series that do not fit the labels.
    """
    checked(labels, series)
    with localcontext(EXACT):
        above = [sum((v for v in column if v > 0), Decimal(0)) for column in _columns(labels, series)]
        below = [sum((v for v in column if v < 0), Decimal(0)) for column in _columns(labels, series)]
        totals = [None if not column else sum(column, Decimal(0)) for column in _columns(labels, series)]
    heads, rows = table(labels, series, unit, head)
    sentence = described(labels, totals, unit)
    if len(series) > 1 and any(total is not None for total in totals):
        sentence += f" {_largest(series, unit)}"
    if not any(v is not None for one in series for v in one.values):
        return Chart(kind="bars", title=title, sentence=sentence, heads=heads, rows=rows)
    axis = scale([*above, *below], zero=True, whole=whole)
    return Chart(
        kind="bars",
        title=title,
        sentence=sentence,
        svg=plot(rules(axis) + _stacks(labels, series, axis)),
        up=up(axis, unit),
        along=along(labels),
        legend=tuple(Key(one.label, paint(number)) for number, one in enumerate(series)),
        heads=heads,
        rows=rows,
    )


def histogram(
    title: str, bins: Sequence[Bin], unit: Unit, *, marker: Decimal | None = None, marked: str = "Yours"
) -> Chart:
    """Draw how many are in each bin, and where one of them stands.

    Args:
        title: names the chart.
        bins: side by side, each as wide as the others, in their order.
        unit: of their bounds.
        marker: a marked value; one outside of the bins is shown at their end.
        marked: whose value that is.

    Raises:
        ValueError: bins that leave a gap, overlap or differ in width.
    """
    labels = [f"{unit.tick(one.low)} to {unit.tick(one.high)}" for one in bins]
    with localcontext(EXACT):
        widths = {one.high - one.low for one in bins}
    if len(widths) > 1 or any(width <= 0 for width in widths):
        raise ValueError("The bins are not equally wide.")
    if any(left.high != right.low for left, right in pairwise(bins)):
        raise ValueError("The bins do not stand side by side.")
    series = Series(label="Number", values=tuple(Decimal(one.count) for one in bins))
    checked(labels, (series,))
    rows = tuple(
        Row(label, (f"{one.count}{_here(one, bins, marker, marked)}",)) for label, one in zip(labels, bins, strict=True)
    )
    heads = ("From, to", "Number")
    total = sum(one.count for one in bins)
    if not total:
        return Chart(kind="histogram", title=title, sentence="There is nothing yet.", heads=heads, rows=rows)
    most = max(range(len(bins)), key=lambda index: bins[index].count)
    sentence = f"Most are from {labels[most]}: {bins[most].count} of {total}."
    if marker is not None:
        sentence += f" {marked}: {unit.write(marker)}."
    axis = scale([Decimal(one.count) for one in bins], zero=True, whole=True)
    drawn = rules(axis) + _stacks(labels, (series,), axis)
    if marker is not None:
        drawn += Markup('<path class="cut-off" d="M{} 0V{}"/>').format(_across(marker, bins), SIDE)
    return Chart(
        kind="histogram",
        title=title,
        sentence=sentence,
        svg=plot(drawn),
        up=up(axis, Unit(prefs=unit.prefs)),
        along=along(labels),
        heads=heads,
        rows=rows,
    )


def _columns(labels: Sequence[str], series: Sequence[Series]) -> list[list[Decimal]]:
    return [[v for one in series if (v := one.values[index]) is not None] for index in range(len(labels))]


def _largest(series: Sequence[Series], unit: Unit) -> str:
    with localcontext(EXACT):
        sums = [sum((v for v in one.values if v is not None), Decimal(0)) for one in series]
    top = max(range(len(series)), key=lambda number: sums[number])
    return f"Most of it is {series[top].label}, {unit.write(sums[top])}."


def _stacks(labels: Sequence[str], series: Sequence[Series], axis: Scale) -> Markup:
    count = len(labels)
    place = Decimal(SIDE) / count
    width = (place * (_WIDE if count <= _MANY else _DENSE)).quantize(Decimal("0.1"))
    drawn = Markup("")
    for index in range(count):
        x = (place * index + (place - width) / 2).quantize(Decimal("0.1"))
        top = bottom = Decimal(0)
        for number, one in enumerate(series):
            value = one.values[index]
            if not value:
                continue
            with localcontext(EXACT):
                start = top if value > 0 else bottom
                end = start + value
            if value > 0:
                top = end
            else:
                bottom = end
            y, foot = height(axis, max(start, end)), height(axis, min(start, end))
            drawn += Markup('<rect class="{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                paint(number), x, y, width, foot - y
            )
    return drawn


def _across(marker: Decimal, bins: Sequence[Bin]) -> Decimal:
    with localcontext(EXACT):
        share = (marker - bins[0].low) / (bins[-1].high - bins[0].low)
    return (min(max(share, Decimal(0)), Decimal(1)) * SIDE).quantize(Decimal("0.1"))


def _here(one: Bin, bins: Sequence[Bin], marker: Decimal | None, marked: str) -> str:
    if marker is None:
        return ""
    first, last = one is bins[0], one is bins[-1]
    inside = (first or marker >= one.low) and (last or marker < one.high)
    return f", {marked.lower()} among them" if inside else ""
