"""Lines over time: with the area below a single one, a band for an interval, dashes for what is projected."""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from markupsafe import Markup

from console.charts.scale import Scale, scale
from console.charts.shape import (
    SIDE,
    Chart,
    Key,
    Series,
    Spark,
    Unit,
    along,
    checked,
    described,
    height,
    middle,
    paint,
    plot,
    rules,
    table,
    up,
)
from console.texts import N_, _, gettext

Points = list[tuple[Decimal, Decimal]]
FROM_ABOVE = N_("The axis does not start at zero.")


def line(title: str, labels: Sequence[str], series: Sequence[Series], unit: Unit, *, head: str = "") -> Chart:
    """Draw series as lines."""
    checked(labels, series)
    values = [v for one in series for row in (one.values, one.low, one.high) for v in row if v is not None]
    sentence = described(labels, series[0].values, unit) if len(series) == 1 else _each(labels, series, unit)
    heads, rows = table(labels, series, unit, head or _("Day"))
    if not values:
        return Chart(kind="line", title=title, sentence=sentence, heads=heads, rows=rows)
    axis = scale(values)
    drawn = rules(axis)
    for number, one in enumerate(series):
        drawn += _series(one, paint(number), axis, len(series) == 1)
    return Chart(
        kind="line",
        title=title,
        sentence=sentence,
        note="" if axis.has_zero else gettext(FROM_ABOVE),
        svg=plot(drawn),
        up=up(axis, unit),
        unit=unit.axis,
        along=along(labels),
        legend=tuple(Key(one.label, paint(number)) for number, one in enumerate(series)),
        heads=heads,
        rows=rows,
    )


def spark(labels: Sequence[str], values: Sequence[Decimal | None], unit: Unit) -> Spark:
    """Draw one line without axes; the sentence says what its form does."""
    series = Series(label="", values=tuple(values))
    checked(labels, (series,))
    known = [value for value in values if value is not None]
    sentence = described(labels, values, unit)
    if not known:
        return Spark(sentence=sentence, svg=None)
    return Spark(sentence=sentence, svg=plot(_series(series, paint(0), scale(known), True)))


def _each(labels: Sequence[str], series: Sequence[Series], unit: Unit) -> str:
    return " ".join(f"{one.label}: {described(labels, one.values, unit)}" for one in series)


def _series(one: Series, colour: str, axis: Scale, alone: bool) -> Markup:
    count = len(one.values)
    xs = [middle(index, count) for index in range(count)]
    drawn = Markup("")
    if one.low:
        lows, highs = _runs(one.low, xs, axis), _runs(one.high, xs, axis)
        for low, high in zip(lows, highs, strict=False):
            drawn += _path(f"band {colour}", f"{_through(high)}L{_through(low[::-1])[1:]}Z")
    booked = count - one.ahead
    for run in _runs(one.values[:booked], xs, axis):
        if alone and not one.low and len(run) > 1:
            base = height(axis, Decimal(0)) if axis.has_zero else Decimal(SIDE)
            drawn += _path(f"area {colour}", f"{_through(run)}V{base}H{run[0][0]}Z")
        drawn += _stroke(f"line {colour}", run)
    if one.ahead:
        # The dashes begin where the line ends.
        start = max(booked - 1, 0)
        for run in _runs(one.values[start:], xs[start:], axis):
            drawn += _stroke(f"line {colour} ahead", run)
    return drawn


def _runs(values: Sequence[Decimal | None], xs: Sequence[Decimal], axis: Scale) -> Iterator[Points]:
    run: Points = []
    for value, x in zip(values, xs, strict=False):
        if value is not None:
            run.append((x, height(axis, value)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _stroke(classes: str, run: Points) -> Markup:
    if len(run) == 1:
        return _path(f"{classes} dot", f"{_through(run)}h0")
    return _path(classes, _through(run))


def _through(run: Points) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in run)


def _path(classes: str, d: str) -> Markup:
    return Markup('<path class="{}" d="{}"/>').format(classes, d)
