"""ROI of agents, projects and models, and revenue: its list, the report of external revenue, and one event."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from console import lists, picker
from console.analytics.figures import chosen
from console.charts import Chart, Series, Spark, Unit, line, spark
from console.format import percent, short_day
from console.forms import FormState, blank, corrected, query_form, read_form
from console.gateway import Answer, Refused, Wanted
from console.lists import ListResult
from console.noun import Json, Noun, beginning
from console.noun_page import FormPage, pick, select
from console.problems import answered
from console.reader import reader
from console.refusals import forbidden
from console.routing import COMMAND
from console.texts import N_, _, gettext
from console.visit import Visit
from domain.common.access import Permission
from domain.returns.revenue_event import REPORTABLE, RevenueSource, ShareRule

#: The most events that are listed as waiting.
_WAITING = 20
_SCOPES = {"agent": N_("Agents"), "project": N_("Projects"), "model": N_("Models")}
_CURRENCIES = (("USD", "USD"), ("EUR", "EUR"), ("CREDIT", N_("Credits")))
#: The words of kinds of costs.
COSTS = {
    "usage": N_("Usage"),
    "purchases": N_("Purchases"),
    "subscriptions": N_("Subscriptions"),
    "fees": N_("Fees"),
    "commission": N_("Commission"),
    "shared": N_("Shared"),
}
SOURCES = {
    RevenueSource.ESCROW: N_("Escrow"),
    RevenueSource.MARKETPLACE: N_("Marketplace"),
    RevenueSource.APP_STORE: N_("App store"),
    RevenueSource.ADS: N_("Advertising"),
    RevenueSource.SERVICE: N_("Service"),
    RevenueSource.OTHER: N_("Other"),
}
RULES = {
    ShareRule.DIRECT: N_("All to its own agent"),
    ShareRule.RUN: N_("By what each agent cost in its run"),
    ShareRule.EQUAL: N_("Equal"),
    ShareRule.MANUAL: N_("By weights"),
    ShareRule.FIXED: N_("By basis points"),
}
_NUMBERS = (1, 2, 3, 4)
_AGENTS: picker.Sources = {f"agent{number}": ("agents", {}) for number in _NUMBERS}


def title_of(event: Json) -> str:
    """Return the title of revenue: its source if the books have it, else the reference of who reported it."""
    return source_of(event) if event["transfer_id"] else str(event["reference"])


def source_of(event: Json) -> str:
    return gettext(SOURCES[event["source"]])


REVENUE = Noun(
    "/revenue",
    title=N_("Revenue"),
    folder="returns",
    at="/returns/revenue",
    name=title_of,
    above=((N_("ROI"), "/returns"),),
    change=Permission.MANAGE_BILLING,
)


async def show(visit: Visit) -> Response:
    """Show revenue, costs and what was spent, of a period: together, over time, and by agent, project or model."""
    visit.need(Permission.READ_BILLING)
    given = visit.chosen("scope", "period", "currency")
    scope = given["scope"] if given.get("scope") in _SCOPES else "agent"
    currency = given["currency"] if given.get("currency") in dict(_CURRENCIES) else "USD"
    zone = visit.choices.zone or "UTC"
    of = chosen(given, datetime.now(ZoneInfo(zone)).date(), f"{visit.base}/returns", zone)
    asked = {"scope": scope, "currency": currency, "from": f"{of.first}", "to": f"{of.last + timedelta(days=1)}"}
    roi = await visit.ask("/economics/roi", zone=zone, **asked, **visit.scope)
    if roi.problem is not None and roi.problem.code == "analytics.too_much":
        # Sums of days are kept in UTC.
        roi = await visit.ask("/economics/roi", **asked, **visit.scope)
    if roi.problem is None or roi.problem.code != "analytics.no_rate":
        answered(roi)
    form = query_form({"scope": scope, "period": of.form.value("period"), "currency": currency}, {})
    page = FormPage(title=_("ROI"), action=of.path, form=form)
    values = {
        "roi": roi,
        "zone": zone,
        "words": gettext(of.words),
        "days": f"from={of.first}&to={of.last}",
        "scopes": _shown(_SCOPES),
        "periods": of.periods,
        "currencies": _shown(dict(_CURRENCIES)),
        "costs": {kind: gettext(words) for kind, words in COSTS.items()},
        "note": note,
        "chart": chart(roi.body["total"], currency) if roi.ok and roi.body["data"] else None,
        "trend": trend,
        "naming": await visit.naming(roi.body["data"] if roi.ok and scope != "model" else (), "id"),
    }
    return await visit.show("returns/roi.html", page, values)


def _shown(words: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
    return tuple((value, gettext(each)) for value, each in words.items())


def note(row: Json) -> str:
    """Return the lower bound of an ROI and when the costs were paid back; empty without an ROI."""
    if row["roi"] is None:
        return ""
    prefs, days = reader().prefs, row["payback_days"]
    found = [] if row["roi_lower"] is None else [_("at least %(roi)s", roi=percent(row["roi_lower"], prefs))]
    if days is not None:
        found.append(_("paid back in %(days)s days", days=days) if days else _("paid back at once"))
    return ", ".join(found)


def chart(total: Json, currency: str) -> Chart:
    """Draw revenue and costs by week."""
    prefs = reader().prefs
    labels = [short_day(each["day"], prefs) for each in total["trend"]]
    series = [
        Series(label=label, values=tuple(Decimal(each[name]) for each in total["trend"]))
        for label, name in ((_("Revenue"), "revenue"), (_("Costs"), "costs"))
    ]
    return line(_("Revenue and costs by week"), labels, series, Unit(currency, prefs), head=_("Week from"))


def trend(row: Json, currency: str) -> Spark:
    """Draw the margin of a row by week."""
    prefs = reader().prefs
    margins = [Decimal(each["revenue"]) - Decimal(each["costs"]) for each in row["trend"]]
    return spark([short_day(each["day"], prefs) for each in row["trend"]], margins, Unit(currency, prefs))


def _waiting(visit: Visit) -> dict[str, Wanted]:
    visit.need(Permission.READ_BILLING)
    return {"waiting": (REVENUE.path, {"status": "reported", "limit": _WAITING, **visit.scope})}


async def of_list(visit: Visit, found: ListResult) -> dict[str, Any]:
    waiting = found.extra["waiting"]
    rows = [*found.rows, *(waiting.body["data"] if answered(waiting) else [])]
    return {
        "waiting": waiting,
        "naming": await visit.naming(rows, "agent_id", "project_id"),
        "title_of": title_of,
        "source_of": source_of,
        "reports": _may_report(visit),
    }


def _may_report(visit: Visit) -> bool:
    return visit.may(Permission.METER) and visit.may(Permission.READ_BILLING) and not visit.me.is_platform


async def of_report(visit: Visit, _form: FormState, _none: Json) -> dict[str, Any]:
    if not _may_report(visit):
        raise Refused(forbidden(visit.request))
    return {"sources": _shown({each: words for each, words in SOURCES.items() if each in REPORTABLE})}


async def of_event(visit: Visit, event: Json, _answers: Mapping[str, Answer]) -> dict[str, Any]:
    decides = visit.may(Permission.MANAGE_BILLING) and not visit.me.is_platform
    return {
        "naming": await visit.naming([event, *event["shares"]], "agent_id", "project_id", "reference"),
        "decides": decides,
        "source": source_of(event),
        "rule": gettext(RULES[event["shares_rule"]]),
        "rules": _shown({rule: words for rule, words in RULES.items() if rule != ShareRule.FIXED}),
        "agents": await lists.choices(visit, _AGENTS, blank()) if decides else {},
        "paid": paid,
    }


def paid(part: Json) -> str:
    """Return what was received of a part, less reversals and commission."""
    amount, back, commission = (Decimal(part[name]) for name in ("amount", "reversed_amount", "commission"))
    return f"{amount - back - commission:f}"


async def share(visit: Visit) -> Response:
    """Divide revenue between agents: by their run, equally, or by weights."""
    form = await read_form(visit.request, "rule", "version", *_AGENTS, *(f"weight{number}" for number in _NUMBERS))
    form, errors = await picker.resolved(visit, form, _AGENTS)
    if errors:
        return await REVENUE.show(visit, corrected(form, errors), 422)
    rule, named = form.text("rule"), [number for number in _NUMBERS if form.text(f"agent{number}")]
    body: dict[str, Any] = {"rule": rule, "version": form.maybe_whole("version")}
    if rule in {ShareRule.EQUAL, ShareRule.MANUAL}:
        body["parts"] = [
            {"agent_id": form.text(f"agent{number}")}
            | ({"weight": form.maybe_whole(f"weight{number}")} if rule == ShareRule.MANUAL else {})
            for number in named
        ]
    names = {f"parts.{at}.weight": f"weight{number}" for at, number in enumerate(named)}
    answer: Answer = await visit.command("PUT", f"{REVENUE.own(visit)}/shares", body, form.key)
    return await visit.concluded(form, answer, REVENUE.here(visit), "revenue.shared", show=REVENUE.show, names=names)


REVENUE.add("/returns", show)
REVENUE.list(
    select("status", N_("Status"), "revenue"),
    pick("agent_id", N_("Agent")),
    pick("project_id", N_("Project")),
    days=True,
    extra=_waiting,
    values=of_list,
    create="",
)
REVENUE.form(
    *("report", "revenue.reported", "source", "reference", "currency", "agent_id", "project_id", "evidence"),
    numbers=("amount",),
    title=N_("Report revenue"),
    lead=N_("It counts once a person or a statement has confirmed it."),
    begins=beginning(currency="USD"),
    sources={"agent_id": ("agents", {}), "project_id": ("projects", {})},
    values=of_report,
    needs=Permission.METER,
)
REVENUE.page(values=of_event)
REVENUE.command("confirm", "revenue.confirmed", "amount", body=lambda form: {"amount": form.maybe_number("amount")})
REVENUE.command("reject", "revenue.rejected", "amount", body=lambda _form: {})
REVENUE.command(
    *("reverse", "revenue.reversed", "reversed_amount"),
    body=lambda form: {"reversed_amount": form.number("reversed_amount")},
)
REVENUE.add(f"{REVENUE.one}/share", share, *COMMAND)
ROUTES = REVENUE.routes
