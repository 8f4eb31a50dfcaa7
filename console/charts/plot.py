"""Charts over time: lines, with dashes for what is projected and a band for an interval, and bars on top of each other.

Both return a `Chart`, which a macro of `parts/charts.html` prints, with the sentence and the table that say the same.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext
from typing import Any

from markupsafe import Markup

from console.charts.scale import EXACT, Scale, scale
from console.format import DEFAULT, MINUS, Prefs, amount, digits_of, percent, unit
from console.texts import N_, _, gettext

#: As many colours as there are; what is beyond is folded into one.
MAX_SERIES = 6
#: How many labels an axis along the bottom has at most.
_LABELS = 6
#: The side of every drawing's square, which the page stretches.
SIDE = 1000
#: The name of series and bars that are added up; marked for translation.
OTHER = N_("Other")
#: Bars take so much of their place while there are few, and more of it where a gap would be no line.
_WIDE, _DENSE = Decimal("0.64"), Decimal("0.86")
_MANY = 60
Points = list[tuple[Decimal, Decimal]]
Values = Sequence[Decimal | None]


@dataclass(frozen=True, slots=True)
class Unit:
    """Unit of values: a currency's code; `%` for ratios; empty for numbers."""

    code: str = ""
    prefs: Prefs = DEFAULT

    def write(self, value: Decimal) -> str:
        """Write a value whole, with its unit."""
        return self.tick(value) if self.code in {"", "%"} else amount(f"{value:f}", self.code, self.prefs).text

    def tick(self, value: Decimal) -> str:
        """Write a value on an axis, whose unit stands elsewhere."""
        if self.code == "%":
            return percent(f"{value:f}", self.prefs)
        return (MINUS if value < 0 else "") + digits_of(value.copy_abs(), self.prefs)

    @property
    def axis(self) -> str:
        """The unit of the numbers on an axis; empty if it stands with each, or they have none."""
        return "" if self.code in {"", "%"} else unit(self.code, Decimal(2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """One value for each label; None is a gap, and drawn as one.

    Attributes:
        ahead: how many of the last values are projected.
        low: where an interval begins, for each label; empty for none.
        high: where it ends.
    """

    label: str
    values: tuple[Decimal | None, ...]
    ahead: int = 0
    low: tuple[Decimal | None, ...] = ()
    high: tuple[Decimal | None, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A chart as `ui.figure` prints it.

    Attributes:
        kind: `line` or `bars`.
        sentence: what it shows, in words.
        note: what must be known to read it, such as an axis that does not begin at zero.
        svg: the plot alone, to be stretched; None if there is nothing to draw.
        up: the labels of the axis from top to bottom, evenly spaced.
        unit: of these labels.
        along: one for each point, mostly empty; and whether it is left out where there is little room.
        legend: the label of each series, in the order of their colours.
        heads: of the table.
        rows: of the table, which has every value that was drawn: the label and the cells.
    """

    kind: str
    title: str
    sentence: str
    note: str = ""
    svg: Markup | None = None
    up: tuple[str, ...] = ()
    unit: str = ""
    along: tuple[tuple[str, bool], ...] = ()
    legend: tuple[str, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[tuple[str, tuple[str, ...]], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    sentence: str
    svg: Markup | None


def line(title: str, labels: Sequence[str], series: Sequence[Series], unit: Unit, *, head: str = "") -> Chart:
    """Draw series as lines."""
    values = [v for one in series for row in (one.values, one.low, one.high) for v in row if v is not None]
    sentence = described(labels, series[0].values, unit)
    if len(series) > 1:
        sentence = " ".join(f"{one.label}: {described(labels, one.values, unit)}" for one in series)
    axis, drawn = scale(values) if values else None, Markup("")
    for number, one in enumerate(series if axis else ()):
        drawn += _line(one, f"c{number + 1}", scale(values), len(series) == 1)
    note = "" if axis is None or axis.has_zero else _("The axis does not start at zero.")
    return _chart("line", title, labels, series, unit, axis, drawn, sentence=sentence, head=head, note=note)


def stacked(
    title: str, labels: Sequence[str], series: Sequence[Series], unit: Unit, *, head: str = "", whole: bool = False
) -> Chart:
    """Draw series as bars on top of each other; what is below zero hangs below it."""
    columns = [[v for one in series if (v := one.values[index]) is not None] for index in range(len(labels))]
    with localcontext(EXACT):
        above = [sum((v for v in column if v > 0), Decimal(0)) for column in columns]
        below = [sum((v for v in column if v < 0), Decimal(0)) for column in columns]
        totals = [sum(column, Decimal(0)) if column else None for column in columns]
        sums = [(sum((v for v in one.values if v is not None), Decimal(0)), one.label) for one in series]
    sentence, is_drawn = described(labels, totals, unit), any(columns)
    if len(series) > 1 and is_drawn:
        largest, label = max(sums, key=lambda each: each[0])
        sentence += " " + _("Largest: %(label)s, %(value)s.", label=label, value=unit.write(largest))
    axis = scale([*above, *below], zero=True, whole=whole) if is_drawn else None
    drawn = _stacks(labels, series, axis) if axis else Markup("")
    return _chart("bars", title, labels, series, unit, axis, drawn, sentence=sentence, head=head)


def spark(labels: Sequence[str], values: Values, unit: Unit) -> Spark:
    """Draw one line without axes; the sentence says what its form does."""
    known = [value for value in values if value is not None]
    drawn = _plot(_line(Series(label="", values=tuple(values)), "c1", scale(known), True)) if known else None
    return Spark(sentence=described(labels, values, unit), svg=drawn)


def _chart(
    kind: str,
    title: str,
    labels: Sequence[str],
    series: Sequence[Series],
    unit: Unit,
    axis: Scale | None,
    drawn: Markup,
    *,
    sentence: str,
    head: str,
    note: str = "",
) -> Chart:
    """Return a chart with its axes, its legend and its table; without an axis it has the table alone."""
    heads, rows = _table(labels, series, unit, head or _("Day"))
    chart: dict[str, Any] = {"kind": kind, "title": title, "sentence": sentence, "heads": heads, "rows": rows}
    if axis is None:
        return Chart(**chart)
    rules = Markup("")
    for tick in axis.ticks:
        strong = " zero" if tick == 0 else ""
        rules += Markup('<path class="rule{}" d="M0 {}H{}"/>').format(strong, _height(axis, tick), SIDE)
    return Chart(
        **chart,
        note=note,
        svg=_plot(rules + drawn),
        up=tuple(unit.tick(tick) for tick in reversed(axis.ticks)),
        unit=unit.axis,
        along=along(labels),
        legend=tuple(one.label for one in series),
    )


def folded(series: Sequence[Series], most: int = MAX_SERIES) -> tuple[Series, ...]:
    """Return the series, those beyond the first ones added up as "Other", so that the sum stays the same."""
    if len(series) <= most:
        return tuple(series)
    kept, rest = series[: most - 1], series[most - 1 :]
    with localcontext(EXACT):
        columns = zip(*(one.values for one in rest), strict=True)
        known = [[value for value in column if value is not None] for column in columns]
        sums = tuple(sum(values, Decimal(0)) if values else None for values in known)
    return (*kept, Series(label=gettext(OTHER), values=sums))


def along(labels: Sequence[str]) -> tuple[tuple[str, bool], ...]:
    """Return the labels of the axis along the bottom: all when they are few, else every so many of them."""
    stride = -(-len(labels) // _LABELS) or 1
    first, is_crowded = (stride - 1) // 2, len(labels) > 3
    return tuple(
        (text, is_crowded and (index - first) // stride % 2 == 1) if index % stride == first else ("", False)
        for index, text in enumerate(labels)
    )


def _height(axis: Scale, value: Decimal) -> Decimal:
    return SIDE - axis.at(value, SIDE)


def _plot(content: Markup) -> Markup:
    """Put a drawing into its square. Screen readers skip it: a sentence beside it says the same."""
    head = Markup('<svg class="plot" viewBox="0 0 {0} {0}" preserveAspectRatio="none" aria-hidden="true">').format(SIDE)
    return head + content + Markup("</svg>")


def _stacks(labels: Sequence[str], series: Sequence[Series], axis: Scale) -> Markup:
    place = Decimal(SIDE) / len(labels)
    width = (place * (_WIDE if len(labels) <= _MANY else _DENSE)).quantize(Decimal("0.1"))
    drawn = Markup("")
    for index in range(len(labels)):
        x = (place * index + (place - width) / 2).quantize(Decimal("0.1"))
        ends = {True: Decimal(0), False: Decimal(0)}
        for number, one in enumerate(series):
            if not (value := one.values[index]):
                continue
            start = ends[value > 0]
            with localcontext(EXACT):
                end = ends[value > 0] = start + value
            y, foot = _height(axis, max(start, end)), _height(axis, min(start, end))
            drawn += Markup('<rect class="c{}" x="{}" y="{}" width="{}" height="{}"/>').format(
                number + 1, x, y, width, foot - y
            )
    return drawn


def _line(one: Series, colour: str, axis: Scale, alone: bool) -> Markup:
    count = len(one.values)
    # Each point stands in the middle of its share of the width.
    xs = [(Decimal(2 * index + 1) * SIDE / (2 * count)).quantize(Decimal("0.1")) for index in range(count)]
    drawn = Markup("")
    if one.low:
        for low, high in zip(_runs(one.low, xs, axis), _runs(one.high, xs, axis), strict=False):
            drawn += _path(f"band {colour}", f"{_through(high)}L{_through(low[::-1])[1:]}Z")
    booked = count - one.ahead
    for run in _runs(one.values[:booked], xs, axis):
        if alone and not one.low and len(run) > 1:
            base = _height(axis, Decimal(0)) if axis.has_zero else Decimal(SIDE)
            drawn += _path(f"area {colour}", f"{_through(run)}V{base}H{run[0][0]}Z")
        drawn += _stroke(f"line {colour}", run)
    # The dashes begin where the line ends.
    start = max(booked - 1, 0)
    for run in _runs(one.values[start:], xs[start:], axis) if one.ahead else ():
        drawn += _stroke(f"line {colour} ahead", run)
    return drawn


def _runs(values: Values, xs: Sequence[Decimal], axis: Scale) -> Iterator[Points]:
    run: Points = []
    for value, x in zip(values, xs, strict=False):
        if value is not None:
            run.append((x, _height(axis, value)))
        elif run:
            yield run
            run = []
    if run:
        yield run


def _stroke(classes: str, run: Points) -> Markup:
    return _path(f"{classes} dot", f"{_through(run)}h0") if len(run) == 1 else _path(classes, _through(run))


def _through(run: Points) -> str:
    return "M" + "L".join(f"{x} {y}" for x, y in run)


def _path(classes: str, d: str) -> Markup:
    return Markup('<path class="{}" d="{}"/>').format(classes, d)


def _table(
    labels: Sequence[str], series: Sequence[Series], unit: Unit, head: str
) -> tuple[tuple[str, ...], tuple[tuple[str, tuple[str, ...]], ...]]:
    heads: list[str] = [head]
    columns: list[list[str]] = []
    for one in series:
        heads.append(one.label)
        columns.append([_cell(value, unit, index >= len(labels) - one.ahead) for index, value in enumerate(one.values)])
        if one.low:
            heads.append(_("%(label)s, interval", label=one.label))
            columns.append([_interval(low, high, unit) for low, high in zip(one.low, one.high, strict=True)])
    cells = zip(*columns, strict=True) if columns else ((),) * len(labels)
    return tuple(heads), tuple((label, tuple(row)) for label, row in zip(labels, cells, strict=True))


def _cell(value: Decimal | None, unit: Unit, projected: bool) -> str:
    if value is None:
        return _("none")
    return _("%(value)s (projected)", value=unit.write(value)) if projected else unit.write(value)


def _interval(low: Decimal | None, high: Decimal | None, unit: Unit) -> str:
    return "" if low is None or high is None else _("%(low)s to %(high)s", low=unit.write(low), high=unit.write(high))


def described(labels: Sequence[str], values: Values, unit: Unit) -> str:
    """Say a series in a sentence: first, last, change, extremes."""
    known = [(value, label) for value, label in zip(values, labels, strict=True) if value is not None]
    if not known:
        return _("No data yet.")
    (first, begin), (last, end) = known[0], known[-1]
    if len(known) == 1:
        return _("%(value)s (%(at)s).", value=unit.write(first), at=begin)
    (high, high_at), (low, low_at) = (of(known, key=lambda pair: pair[0]) for of in (max, min))
    if high == low:
        return _("%(value)s from %(begin)s to %(end)s, unchanged.", value=unit.write(first), begin=begin, end=end)
    with localcontext(EXACT):
        change = last - first
    span = {"first": unit.write(first), "begin": begin, "last": unit.write(last), "end": end}
    span["change"] = unit.write(change.copy_abs())
    if change > 0:
        moved = _("From %(first)s (%(begin)s) to %(last)s (%(end)s), up %(change)s.", **span)
    elif change:
        moved = _("From %(first)s (%(begin)s) to %(last)s (%(end)s), down %(change)s.", **span)
    else:
        moved = _("From %(first)s (%(begin)s) to %(last)s (%(end)s), the same.", **span)
    extremes = {"high": unit.write(high), "high_at": high_at, "low": unit.write(low), "low_at": low_at}
    return f"{moved} " + _("Highest %(high)s (%(high_at)s), lowest %(low)s (%(low_at)s).", **extremes)
