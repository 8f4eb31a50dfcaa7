"""Upright bars: series on top of each other over time."""

from collections.abc import Sequence
from decimal import Decimal, localcontext

from markupsafe import Markup

from console.charts.scale import EXACT, Scale, scale
from console.charts.shape import (
    SIDE,
    Chart,
    Key,
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
from console.texts import _

#: Bars take so much of their place while there are few, and more of it where a gap would be no line.
_WIDE, _DENSE = Decimal("0.64"), Decimal("0.86")
_MANY = 60


def stacked(
    title: str, labels: Sequence[str], series: Sequence[Series], unit: Unit, *, head: str = "", whole: bool = False
) -> Chart:
    """Draw series as bars on top of each other; what is below zero hangs below it."""
    checked(labels, series)
    with localcontext(EXACT):
        above = [sum((v for v in column if v > 0), Decimal(0)) for column in _columns(labels, series)]
        below = [sum((v for v in column if v < 0), Decimal(0)) for column in _columns(labels, series)]
        totals = [None if not column else sum(column, Decimal(0)) for column in _columns(labels, series)]
    heads, rows = table(labels, series, unit, head or _("Day"))
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
        unit=unit.axis,
        along=along(labels),
        legend=tuple(Key(one.label, paint(number)) for number, one in enumerate(series)),
        heads=heads,
        rows=rows,
    )


def _columns(labels: Sequence[str], series: Sequence[Series]) -> list[list[Decimal]]:
    return [[v for one in series if (v := one.values[index]) is not None] for index in range(len(labels))]


def _largest(series: Sequence[Series], unit: Unit) -> str:
    with localcontext(EXACT):
        sums = [sum((v for v in one.values if v is not None), Decimal(0)) for one in series]
    top = max(range(len(series)), key=lambda number: sums[number])
    return _("Largest: %(label)s, %(value)s.", label=series[top].label, value=unit.write(sums[top]))


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
