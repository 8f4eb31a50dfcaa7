"""What the platform's analytics show: figures with their change, and charts."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.analytics import figures
from console.analytics.figures import Chosen
from console.analytics.view import Figure, measured, tabs
from console.charts import Chart, Ranking, Series, Unit, line
from console.format import currency_name, titled
from console.gateway import Answer
from console.mentions import Naming
from console.sections import unanswered
from console.texts import _
from console.widgets import Failed, Page, Tab

BASE = "/console/platform"
PLACE = f"{BASE}/analytics"
#: So many currencies of a figure are drawn, those with most of it.
_DRAWN = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Overview(Page):
    """The page. `failed` has a section for each question that was not answered."""

    tabs: tuple[Tab, ...]
    chosen: Chosen
    figures: tuple[Figure, ...]
    charts: tuple[Chart, ...]
    ranks: tuple[Ranking, ...]
    failed: tuple[Failed, ...]


def mentioning(answers: Mapping[str, Answer]) -> Iterator[Mapping[str, Any]]:
    if answers["customers"].ok:
        yield from (row["group"] for row in answers["customers"].body["rows"])


def page(of: Chosen, answers: Mapping[str, Answer], naming: Naming) -> Overview:
    """Return the page for the answers `money`, `revenue`, `customers`, `mrr`, `payments` and `active`."""
    money, payments, active = answers["money"], answers["payments"], answers["active"]
    titles = {
        "money": _("Volume"),
        "revenue": _("Revenue"),
        "customers": _("Revenue by organization"),
        "mrr": _("Subscriptions"),
        "payments": _("Payments"),
        "active": _("Active organizations"),
    }
    failed = (unanswered(titles[name], each, PLACE) for name, each in answers.items())
    return Overview(
        title=_("Analytics"),
        tabs=tabs(BASE, "/analytics"),
        chosen=of,
        figures=(
            measured(of, _("Volume"), money, "volume"),
            measured(of, _("Commission"), money, "commission"),
            measured(of, _("Revenue"), answers["revenue"], "revenue"),
            measured(of, _("Monthly recurring revenue"), answers["mrr"], "mrr"),
            measured(of, _("Held funds"), money, "money.held"),
            measured(of, _("Successful payments"), payments, "payments.success_rate", rate=True),
            measured(of, _("Active organizations"), active, "active.organizations"),
            measured(of, _("Active people"), active, "active.people"),
            measured(of, _("Active agents"), active, "active.agents"),
        ),
        charts=(
            *_bars(of, _("Volume"), money, "volume", naming),
            *_bars(of, _("Revenue"), answers["revenue"], "revenue", naming, "stream"),
            *_lines(of, _("Monthly recurring revenue"), answers["mrr"], "mrr", naming),
            *_lines(of, _("Held funds"), money, "money.held", naming),
            *_counted(
                of,
                _("Completed payments"),
                payments,
                {"payments.succeeded": _("Succeeded"), "payments.failed": _("Failed")},
                naming,
            ),
            *_active(of, active, naming),
        ),
        ranks=tuple(_customers(answers["customers"], naming)),
        failed=tuple(each for each in failed if each is not None),
    )


def _codes(answer: Answer, metric: str) -> list[str]:
    return [code for code, each in figures.totals(answer, metric).items() if code and each.value][:_DRAWN]


def _bars(of: Chosen, title: str, answer: Answer, metric: str, naming: Naming, dimension: str = "") -> Iterator[Chart]:
    for code in _codes(answer, metric):
        name = _("%(title)s, %(currency)s", title=title, currency=currency_name(code))
        lines = figures.series(of, answer, metric, code, dimension)
        chart = figures.bars(of, name, lines, _streams(name), Unit(code, naming.prefs))
        if chart is not None:
            yield chart


def _streams(name: str) -> Callable[[str | None], str]:
    return lambda stream: titled(stream.rpartition("/")[2]) if stream else name


def _lines(of: Chosen, title: str, answer: Answer, metric: str, naming: Naming) -> Iterator[Chart]:
    for code in _codes(answer, metric):
        name = _("%(title)s, %(currency)s", title=title, currency=currency_name(code))
        values = figures.series(of, answer, metric, code).get(None, ())
        drawn = Series(label=name, values=tuple(values))
        yield line(name, of.labels(naming.prefs), (drawn,), Unit(code, naming.prefs))


def _counted(of: Chosen, title: str, answer: Answer, metrics: Mapping[str, str], naming: Naming) -> Iterator[Chart]:
    if answer.ok:
        lines = {
            word: values
            for metric, word in metrics.items()
            for values in figures.series(of, answer, metric, None).values()
        }
        chart = figures.bars(of, title, lines, str, Unit(prefs=naming.prefs))
        if chart is not None:
            yield chart


def _active(of: Chosen, answer: Answer, naming: Naming) -> Iterator[Chart]:
    names = {"active.organizations": _("Organizations"), "active.people": _("People"), "active.agents": _("Agents")}
    if answer.ok:
        drawn = tuple(
            Series(label=word, values=tuple(each or Decimal(0) for each in values))
            for metric, word in names.items()
            for values in figures.series(of, answer, metric, None).values()
        )
        if drawn:
            yield line(
                _("Active each month") if of.by_month else _("Active each day"),
                of.labels(naming.prefs),
                drawn,
                Unit(prefs=naming.prefs),
            )


def _customers(answer: Answer, naming: Naming) -> Iterator[Ranking]:
    for code in _codes(answer, "revenue"):
        sums = figures.grouped(answer, "revenue", code, "organization")
        title = _("Revenue by organization, %(currency)s", currency=currency_name(code))
        found = figures.ranked(
            title, sums, lambda id: naming.names.get(id, id) if id else _("No organization"), Unit(code, naming.prefs)
        )
        if found is not None:
            yield found
