"""Input and output of charts, and the drawing functions that all forms share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from markupsafe import Markup

from console.charts.scale import EXACT, Scale
from console.format import DEFAULT, MINUS, Prefs, amount, digits_of, percent, unit
from console.texts import N_, _, gettext

#: More points than this are no picture; the API's series end there too.
MAX_POINTS = 400
#: As many colours as there are; what is beyond is folded into one.
MAX_SERIES = 6
#: How many labels an axis along the bottom has at most.
_LABELS = 6
#: The side of every drawing's square, which the page stretches.
SIDE = 1000
#: The name of series and bars that are added up; marked for translation.
OTHER = N_("Other")


@dataclass(frozen=True, slots=True)
class Unit:
    """Unit of values: a currency's code; `%` for ratios; empty for numbers."""

    code: str = ""
    prefs: Prefs = DEFAULT

    def write(self, value: Decimal) -> str:
        """Write a value whole, with its unit."""
        if self.code == "%":
            return percent(f"{value:f}", self.prefs)
        if self.code:
            return amount(f"{value:f}", self.code, self.prefs).text
        return self._number(value)

    def tick(self, value: Decimal) -> str:
        """Write a value on an axis, whose unit stands elsewhere."""
        return percent(f"{value:f}", self.prefs) if self.code == "%" else self._number(value)

    @property
    def axis(self) -> str:
        """The unit of the numbers on an axis; empty if it stands with each, or they have none."""
        return "" if self.code in {"", "%"} else unit(self.code, Decimal(2))

    def _number(self, value: Decimal) -> str:
        return (MINUS if value < 0 else "") + digits_of(value.copy_abs(), self.prefs)


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


@dataclass(frozen=True, slots=True)
class Key:
    """A line of the legend: `paint` is a class of the styles."""

    label: str
    paint: str


@dataclass(frozen=True, slots=True)
class Label:
    """Label below a point, mostly empty; `spare` is left out where there is little room."""

    text: str
    spare: bool = False


@dataclass(frozen=True, slots=True)
class TableRow:
    """A row of the table: what was drawn above one label."""

    label: str
    cells: tuple[str, ...]


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
        along: one for each point.
        heads: of the table.
        rows: of the table, which has every value that was drawn.
    """

    kind: str
    title: str
    sentence: str
    note: str = ""
    svg: Markup | None = None
    up: tuple[str, ...] = ()
    unit: str = ""
    along: tuple[Label, ...] = ()
    legend: tuple[Key, ...] = ()
    heads: tuple[str, ...] = ()
    rows: tuple[TableRow, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Spark:
    sentence: str
    svg: Markup | None


def checked(labels: Sequence[str], series: Sequence[Series]) -> None:
    """Raise ValueError for what cannot be drawn: too much of it, or values without labels."""
    if len(labels) > MAX_POINTS:
        raise ValueError(f"A chart has at most {MAX_POINTS} points.")
    if len(series) > MAX_SERIES:
        raise ValueError(f"A chart has at most {MAX_SERIES} series.")
    for one in series:
        if len(one.values) != len(labels) or {len(one.low), len(one.high)} - {0, len(labels)}:
            raise ValueError(f"{one.label} has not one value for each label.")
        if len(one.low) != len(one.high) or not 0 <= one.ahead <= len(labels):
            raise ValueError(f"The interval or projection of {one.label} is not whole.")


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


def paint(number: int) -> str:
    return f"c{number + 1}"


def middle(index: int, count: int) -> Decimal:
    """Return where the point with that index stands: in the middle of its share of the width."""
    return (Decimal(2 * index + 1) * SIDE / (2 * count)).quantize(Decimal("0.1"))


def height(scale: Scale, value: Decimal) -> Decimal:
    return SIDE - scale.at(value, SIDE)


def along(labels: Sequence[str]) -> tuple[Label, ...]:
    """Return the labels of the axis along the bottom: all when they are few, else every so many of them."""
    stride = -(-len(labels) // _LABELS) or 1
    first = (stride - 1) // 2
    written = 0
    found = []
    for index, text in enumerate(labels):
        if index % stride == first:
            found.append(Label(text, spare=len(labels) > 3 and written % 2 == 1))
            written += 1
        else:
            found.append(Label(""))
    return tuple(found)


def up(scale: Scale, unit: Unit) -> tuple[str, ...]:
    return tuple(unit.tick(tick) for tick in reversed(scale.ticks))


def rules(scale: Scale) -> Markup:
    """Draw a line for each tick; that of zero is stronger."""
    drawn = Markup("")
    for tick in scale.ticks:
        strong = " zero" if tick == 0 else ""
        drawn += Markup('<path class="rule{}" d="M0 {}H{}"/>').format(strong, height(scale, tick), SIDE)
    return drawn


def plot(content: Markup) -> Markup:
    """Put a drawing into its square. Screen readers skip it: a sentence beside it says the same."""
    head = Markup('<svg class="plot" viewBox="0 0 {0} {0}" preserveAspectRatio="none" aria-hidden="true">').format(SIDE)
    return head + content + Markup("</svg>")


def table(
    labels: Sequence[str], series: Sequence[Series], unit: Unit, head: str
) -> tuple[tuple[str, ...], tuple[TableRow, ...]]:
    heads: list[str] = [head]
    columns: list[list[str]] = []
    for one in series:
        heads.append(one.label)
        columns.append([_cell(value, unit, index >= len(labels) - one.ahead) for index, value in enumerate(one.values)])
        if one.low:
            heads.append(_("%(label)s, interval", label=one.label))
            pairs = zip(one.low, one.high, strict=True)
            columns.append(["" if a is None or b is None else _interval(a, b, unit) for a, b in pairs])
    cells = zip(*columns, strict=True) if columns else ((),) * len(labels)
    return tuple(heads), tuple(TableRow(label, tuple(row)) for label, row in zip(labels, cells, strict=True))


def _cell(value: Decimal | None, unit: Unit, projected: bool) -> str:
    if value is None:
        return _("none")
    return _("%(value)s (projected)", value=unit.write(value)) if projected else unit.write(value)


def _interval(low: Decimal, high: Decimal, unit: Unit) -> str:
    return _("%(low)s to %(high)s", low=unit.write(low), high=unit.write(high))


def described(labels: Sequence[str], values: Sequence[Decimal | None], unit: Unit) -> str:
    """Say a series in a sentence: first, last, change, extremes."""
    known = [(value, label) for value, label in zip(values, labels, strict=True) if value is not None]
    if not known:
        return _("No data yet.")
    (first, begin), (last, end) = known[0], known[-1]
    if len(known) == 1:
        return _("%(value)s (%(at)s).", value=unit.write(first), at=begin)
    highest, lowest = _first_of(known, max), _first_of(known, min)
    if highest[0] == lowest[0]:
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
    extremes = _(
        "Highest %(high)s (%(high_at)s), lowest %(low)s (%(low_at)s).",
        high=unit.write(highest[0]),
        high_at=highest[1],
        low=unit.write(lowest[0]),
        low_at=lowest[1],
    )
    return f"{moved} {extremes}"


def _first_of(known: Sequence[tuple[Decimal, str]], pick: Callable[..., tuple[Decimal, str]]) -> tuple[Decimal, str]:
    return pick(known, key=lambda pair: pair[0])
