"""Queries of metrics by `POST /analytics/query`, and readers of the answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any

from console.charts import OTHER, Chart, Ranking, Series, Unit, folded, ranking, stacked
from console.format import Prefs, local_time, month, percent, short_day, short_id
from console.forms import FormState, query_form
from console.gateway import Answer, Question, Wanted
from console.texts import N_, _, gettext
from domain.common.money import CREDIT

#: The periods to choose from, in days; a year is shown by month.
PERIODS = (("7", N_("7 days")), ("30", N_("30 days")), ("90", N_("90 days")), ("365", N_("12 months")))
COMPARISONS = (
    ("none", N_("Nothing")),
    ("previous", N_("Previous period")),
    ("last_year", N_("Previous year")),
)
#: So many rows of a ranking, the last of which is the rest.
_RANKS = 8
#: The most rows that are asked for of values that are added up by one of two dimensions.
_ROWS = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Chosen:
    """Period that the address names: its first and last day, and the period that it is compared with.

    Attributes:
        words: the period, as a title has it; marked for translation.
        starts: where each bar begins: every day, or every month.
    """

    path: str
    form: FormState
    first: date
    last: date
    zone: str
    by_month: bool
    compare: str | None
    words: str
    starts: tuple[date, ...]

    @property
    def periods(self) -> tuple[tuple[str, str], ...]:
        return tuple((value, gettext(words)) for value, words in PERIODS)

    @property
    def comparisons(self) -> tuple[tuple[str, str], ...]:
        return tuple((value, gettext(words)) for value, words in COMPARISONS)

    @property
    def days(self) -> int:
        return (self.last - self.first).days + 1

    def ask(
        self, *metrics: str, by: Sequence[str] = (), over_time: bool = True, scope: Mapping[str, str] | None = None
    ) -> Wanted:
        body: dict[str, Any] = {
            "metrics": list(metrics),
            "by": list(by),
            "from": self.first.isoformat(),
            "to": self.last.isoformat(),
            "grain": ("month" if self.by_month else "day") if over_time else None,
            "zone": self.zone,
            "compare": self.compare,
            **(scope or {}),
        }
        if len(by) > 1:
            body["limit"] = _ROWS
        return "/analytics/query", Question(body)

    def labels(self, prefs: Prefs) -> list[str]:
        return [month(each, prefs) if self.by_month else short_day(each, prefs) for each in self.starts]


def chosen(given: Mapping[str, str], today: date, path: str, zone: str, *, compare: str = "previous") -> Chosen:
    """Read the choice of an address; what is not to be chosen is 30 days, compared with what `compare` says."""
    period = given.get("period", "")
    period = period if period in dict(PERIODS) else "30"
    asked = given.get("compare", "")
    asked = asked if asked in dict(COMPARISONS) else compare
    by_month = period == "365"
    first = _months_before(today, 11) if by_month else today - timedelta(days=int(period) - 1)
    starts = [_months_before(today, back) for back in range(11, -1, -1)]
    days = [first + timedelta(days=number) for number in range((today - first).days + 1)]
    return Chosen(
        path=path,
        form=query_form({"period": period, "compare": asked}, {}),
        first=first,
        last=today,
        zone=zone,
        by_month=by_month,
        compare=None if asked == "none" else asked,
        words=dict(PERIODS)[period],
        starts=tuple(starts if by_month else days),
    )


def _months_before(day: date, months: int) -> date:
    index = day.year * 12 + day.month - 1 - months
    return date(index // 12, index % 12 + 1, 1)


@dataclass(frozen=True, slots=True)
class Sum:
    """A value of the period, and of the one that it is compared with; None where there is none."""

    value: Decimal | None
    before: Decimal | None

    def changed(self, prefs: Prefs) -> str:
        """Say by how much it has changed, in whole percent; empty where nothing can be compared."""
        if self.value is None or self.before is None:
            return ""
        if self.before <= 0:
            return "" if self.value == self.before else _("new")
        ratio = ((self.value - self.before) / self.before).quantize(Decimal("0.01"), ROUND_HALF_EVEN)
        if not ratio:
            return _("the same")
        share = percent(f"{ratio.copy_abs():f}", prefs)
        return _("%(share)s more", share=share) if ratio > 0 else _("%(share)s less", share=share)


def totals(answer: Answer, metric: str) -> dict[str | None, Sum]:
    """Return a metric over the whole period by currency, credits first; without one where it is no amount."""
    found = {
        each["currency"]: Sum(_decimal(each["value"]), _decimal(each["before"]))
        for each in (answer.body["totals"] if answer.ok else ())
        if each["metric"] == metric
    }
    return dict(sorted(found.items(), key=lambda pair: (pair[0] != CREDIT, pair[0] or "")))


def grouped(answer: Answer, metric: str, currency: str | None, dimension: str) -> dict[str | None, Sum]:
    """Add up a metric of the whole period by the values of a dimension; what was not told is under `OTHER`."""
    found: dict[str | None, list[Decimal]] = {}
    for row in answer.body["rows"]:
        for each in _values(row, metric, currency):
            line = found.setdefault(row["group"][dimension], [Decimal(0), Decimal(0)])
            line[0] += Decimal(each["value"] or 0)
            line[1] += Decimal(each["before"] or 0)
    whole = totals(answer, metric).get(currency)
    if whole is not None:
        rest = [(whole.value or Decimal(0)), (whole.before or Decimal(0))]
        rest = [left - sum((line[at] for line in found.values()), Decimal(0)) for at, left in enumerate(rest)]
        if any(left > 0 for left in rest):
            found[OTHER] = rest
    is_compared = any(
        each["before"] is not None for row in answer.body["rows"] for each in _values(row, metric, currency)
    )
    return {name: Sum(line[0], line[1] if is_compared else None) for name, line in found.items()}


def series(
    of: Chosen, answer: Answer, metric: str, currency: str | None, dimension: str = ""
) -> dict[str | None, tuple[Decimal | None, ...]]:
    """Return a metric by day or month: for each value of a dimension, or under None."""
    at = {start: index for index, start in enumerate(of.starts)}
    found: dict[str | None, list[Decimal | None]] = {}
    for row in answer.body["rows"]:
        start = local_time(row["at"], Prefs(zone=of.zone)).date()
        for each in _values(row, metric, currency):
            line = found.setdefault(row["group"][dimension] if dimension else None, [None] * len(at))
            if start in at and each["value"] is not None:
                line[at[start]] = Decimal(each["value"])
    return {name: tuple(line) for name, line in found.items()}


def bars(
    of: Chosen,
    title: str,
    lines: Mapping[Any, Sequence[Decimal | None]],
    name: Callable[[Any], str],
    unit: Unit,
) -> Chart | None:
    """Draw series on top of each other, the largest first; None if there is nothing to draw."""
    drawn = [
        Series(label=name(key), values=tuple(each or Decimal(0) for each in values))
        for key, values in sorted(lines.items(), key=lambda pair: -sum((each or 0 for each in pair[1]), Decimal(0)))
        if any(values)
    ]
    if not drawn:
        return None
    head = _("Month") if of.by_month else _("Day")
    return stacked(title, of.labels(unit.prefs), folded(drawn), unit, head=head)


def ranked(title: str, sums: Mapping[str | None, Sum], name: Callable[[str | None], str], unit: Unit) -> Ranking | None:
    """Rank the groups of a metric, each with its change; None if there is none, or nothing in a group."""
    rows = sorted(((key, each) for key, each in sums.items() if (each.value or 0) > 0), key=_largest)
    if all(key is None for key, _sum in rows):
        return None
    if len(rows) > _RANKS:
        rest = [each for _, each in rows[_RANKS - 1 :]]
        rows = [*rows[: _RANKS - 1], (OTHER, Sum(_added(each.value for each in rest), _added(e.before for e in rest)))]
    # Where there was nothing before, all of it is new, which each line need not say.
    has_before = any(each.before for _key, each in rows)
    labels: dict[str, tuple[Decimal, str]] = {}
    for key, each in rows:
        label = gettext(OTHER) if key == OTHER else name(key)
        label = f"{label}, {short_id(key)}" if label in labels and key else label
        labels[label] = each.value or Decimal(0), each.changed(unit.prefs) if has_before else ""
    return ranking(title, [(label, *each) for label, each in labels.items()], unit)


def _largest(row: tuple[str | None, Sum]) -> Decimal:
    return -(row[1].value or Decimal(0))


def _added(values: Iterable[Decimal | None]) -> Decimal | None:
    known = [each for each in values if each is not None]
    return sum(known, Decimal(0)) if known else None


def _values(row: Mapping[str, Any], metric: str, currency: str | None) -> list[Mapping[str, Any]]:
    return [each for each in row["values"] if each["metric"] == metric and each["currency"] == currency]


def _decimal(value: str | None) -> Decimal | None:
    return None if value is None else Decimal(value)
