"""The platform's analytics: figures with their change, and charts."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

from starlette.responses import Response

from console.analytics import figures
from console.analytics.figures import Chosen
from console.analytics.view import measured, tabs
from console.charts import Chart, Ranking, Series, Unit, line
from console.format import currency_name, titled
from console.gateway import Answer
from console.mentions import Naming
from console.platform.desk import operators
from console.problems import answered
from console.reader import reader
from console.texts import _
from console.visit import Visit
from console.widgets import Page

#: So many currencies of a figure are drawn, those with most of it.
_DRAWN = 2


async def show(visit: Visit) -> Response:
    of = figures.chosen(visit.chosen("period", "compare"), datetime.now(UTC).date(), f"{visit.base}/analytics", "UTC")
    answers = await visit.ask_all(
        money=of.ask("volume", "commission", "take_rate", "money.held"),
        revenue=of.ask("revenue", by=("stream",)),
        customers=of.ask("revenue", by=("organization",), over_time=False),
        mrr=of.ask("mrr"),
        payments=of.ask("payments.succeeded", "payments.failed", "payments.success_rate"),
        active=of.ask("active.organizations", "active.people", "active.agents"),
    )
    for each in answers.values():
        answered(each)
    customers, prefs = answers["customers"], reader().prefs
    rows = [row["group"] for row in customers.body["rows"]] if customers.ok else []
    naming = await visit.naming(rows, "organization")
    titles = {
        **{"money": _("Volume"), "revenue": _("Revenue"), "customers": _("Revenue by organization")},
        **{"mrr": _("Subscriptions"), "payments": _("Payments"), "active": _("Active")},
    }
    shown: tuple[tuple[str, str, str, dict[str, bool]], ...] = (
        (_("Volume"), "money", "volume", {}),
        (_("Commission"), "money", "commission", {}),
        (_("Revenue"), "revenue", "revenue", {}),
        (_("Monthly recurring revenue"), "mrr", "mrr", {"level": True}),
        (_("Held funds"), "money", "money.held", {"level": True}),
        (_("Successful payments"), "payments", "payments.success_rate", {"rate": True}),
        (_("Active organizations"), "active", "active.organizations", {}),
        (_("Active people"), "active", "active.people", {}),
        (_("Active agents"), "active", "active.agents", {}),
    )
    given = {
        "tabs": tabs(visit.base, "/analytics"),
        "chosen": of,
        "figures": tuple(
            measured(of, label, answers[name], metric, prefs, **how) for label, name, metric, how in shown
        ),
        "charts": tuple(charts(of, answers)),
        "ranks": tuple(customers_of(customers, naming)),
        "missing": tuple((titles[name], each) for name, each in answers.items() if not each.ok),
    }
    return await visit.show("platform/analytics/page.html", Page(title=_("Analytics")), given)


def charts(of: Chosen, answers: Mapping[str, Answer]) -> Iterator[Chart]:
    """Draw what could be read: bars of flows, and lines of levels."""
    money, payments, active = answers["money"], answers["payments"], answers["active"]
    yield from _bars(of, _("Volume"), money, "volume")
    yield from _bars(of, _("Revenue"), answers["revenue"], "revenue", "stream")
    yield from _lines(of, _("Monthly recurring revenue"), answers["mrr"], "mrr")
    yield from _lines(of, _("Held funds"), money, "money.held")
    words = {"payments.succeeded": _("Succeeded"), "payments.failed": _("Failed")}
    counted = dict(_counted(of, payments, words))
    drawn = figures.bars(of, _("Completed payments"), counted, str, Unit(prefs=reader().prefs))
    if drawn is not None:
        yield drawn
    words = {"active.organizations": _("Organizations"), "active.people": _("People"), "active.agents": _("Agents")}
    title = _("Active each month") if of.by_month else _("Active each day")
    if lines := tuple(Series(label=word, values=values) for word, values in _counted(of, active, words)):
        yield line(title, of.labels(reader().prefs), lines, Unit(prefs=reader().prefs))


def _codes(answer: Answer, metric: str) -> list[str]:
    return [code for code, each in figures.totals(answer, metric).items() if code and each.value][:_DRAWN]


def _bars(of: Chosen, title: str, answer: Answer, metric: str, dimension: str = "") -> Iterator[Chart]:
    for code in _codes(answer, metric):
        name = f"{title}, {currency_name(code)}"
        lines = figures.series(of, answer, metric, code, dimension)

        def label(stream: str | None, name: str = name) -> str:
            return titled(stream.rpartition("/")[2]) if stream else name

        chart = figures.bars(of, name, lines, label, Unit(code, reader().prefs))
        if chart is not None:
            yield chart


def _lines(of: Chosen, title: str, answer: Answer, metric: str) -> Iterator[Chart]:
    for code in _codes(answer, metric):
        name = f"{title}, {currency_name(code)}"
        drawn = Series(label=name, values=tuple(figures.series(of, answer, metric, code).get(None, ())))
        yield line(name, of.labels(reader().prefs), (drawn,), Unit(code, reader().prefs))


def _counted(of: Chosen, answer: Answer, words: Mapping[str, str]) -> Iterator[tuple[str, tuple[Decimal, ...]]]:
    for metric, word in words.items() if answer.ok else ():
        for values in figures.series(of, answer, metric, None).values():
            yield word, tuple(each or Decimal(0) for each in values)


def customers_of(answer: Answer, naming: Naming) -> Iterator[Ranking]:
    """Rank organizations by revenue, for each currency."""

    def name(id: str | None) -> str:
        return naming.names.get(id, id) if id else _("No organization")

    for code in _codes(answer, "revenue"):
        title = _("Revenue by organization, %(currency)s", currency=currency_name(code))
        sums = figures.grouped(answer, "revenue", code, "organization")
        found = figures.ranked(title, sums, name, Unit(code, naming.prefs))
        if found is not None:
            yield found


ROUTES = (operators("/analytics", show),)
