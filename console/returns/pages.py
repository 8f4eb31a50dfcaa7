"""ROI of agents, projects and models, and revenue: its list, the report of external revenue, and one event."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from starlette.responses import Response

from console import lists, picker
from console.analytics.figures import PERIODS, chosen
from console.charts import Chart, Series, Spark, Unit, line, spark
from console.format import percent, short_day
from console.forms import Form, FormState, blank, corrected, query_form, read_form
from console.gateway import Answer, Refused, Wanted
from console.lists import ListResult
from console.noun import Json, Noun
from console.noun_page import FormPage, ObjectPage, pick, select
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
_SOURCES: picker.Sources = {"agent_id": ("agents", {}), "project_id": ("projects", {})}
_REPORTED = ("source", "reference", "amount", "currency", "agent_id", "project_id", "evidence")

REVENUE = Noun(
    "/revenue",
    title=N_("Revenue"),
    folder="returns",
    at="/returns/revenue",
    name="reference",
    above=((N_("ROI"), "/returns"),),
    change=Permission.MANAGE_BILLING,
)


async def show(visit: Visit) -> Response:
    """Show revenue, costs and what was spent, of a period: together, over time, and by agent, project or model."""
    visit.need(Permission.READ_BILLING)
    given = {"scope": "agent", "currency": "USD", **visit.chosen("scope", "period", "currency")}
    scope = given["scope"] if given["scope"] in _SCOPES else "agent"
    currency = given["currency"] if given["currency"] in dict(_CURRENCIES) else "USD"
    of = chosen(given, datetime.now(UTC).date(), f"{visit.base}/returns", "UTC")
    span = {"from": f"{of.first}", "to": f"{of.last + timedelta(days=1)}"}
    roi = await visit.ask("/economics/roi", scope=scope, currency=currency, **span, **visit.scope)
    has_rate = roi.problem is None or roi.problem.code != "analytics.no_rate"
    if has_rate:
        answered(roi)
    form = query_form({"scope": scope, "period": of.form.value("period"), "currency": currency}, {})
    page = FormPage(title=_("ROI"), base=visit.base, action=of.path, form=form)
    values = {
        "roi": roi,
        "has_rate": has_rate,
        "words": gettext(of.words),
        "days": f"from={of.first}&to={of.last}",
        "scopes": _shown(_SCOPES),
        "periods": _shown(dict(PERIODS)),
        "currencies": _shown(dict(_CURRENCIES)),
        "costs": {kind: gettext(words) for kind, words in COSTS.items()},
        "note": note,
        "chart": chart(roi.body["total"], currency) if roi.ok and roi.body["data"] else None,
        "trend": trend,
        "naming": await visit.naming(roi.body["data"] if roi.ok and scope != "model" else (), "id"),
    }
    return await visit.show("returns/page.html", page, values)


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


def title_of(event: Json) -> str:
    """Return the title of revenue: its source if the books have it, else the reference of who reported it."""
    return gettext(SOURCES[event["source"]]) if event["transfer_id"] else str(event["reference"])


def source_of(event: Json) -> str:
    return gettext(SOURCES[event["source"]])


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


async def show_report(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    if not _may_report(visit):
        raise Refused(forbidden(visit.request))
    shown = form or blank(currency="USD")
    page = FormPage(
        title=_("Report revenue"),
        crumbs=REVENUE.crumbs(visit),
        base=visit.base,
        action=f"{visit.base}/returns/report",
        form=shown,
        label=_("Report revenue"),
        lead=_("It counts once a person or a statement has confirmed it."),
        choices=await lists.choices(visit, _SOURCES, shown),
    )
    sources = tuple((str(each), gettext(words)) for each, words in SOURCES.items() if each in REPORTABLE)
    return await visit.show("returns/report.html", page, {"sources": sources}, status)


async def report(visit: Visit) -> Response:
    if not _may_report(visit):
        raise Refused(forbidden(visit.request))
    form = await read_form(visit.request, *_REPORTED)
    form, errors = await picker.resolved(visit, form, _SOURCES)
    if errors:
        return await show_report(visit, corrected(form, errors), 422)
    body = {name: form.maybe(name) for name in _REPORTED} | {"amount": form.number("amount")}
    answer = await visit.command("POST", REVENUE.path, body, form.key)
    where = REVENUE.here(visit, answer.body["id"]) if answer.ok else ""
    return await visit.concluded(form, answer, where, "revenue.reported", show=show_report)


async def show_one(visit: Visit, form: FormState | None = None, status: int = 200, *, act: str = "") -> Response:
    """Show one revenue event, its shares, and the forms of those who decide on it; `form` is of a refused act."""
    visit.need(Permission.READ_BILLING)
    event = await REVENUE.find(visit)
    decides = visit.may(Permission.MANAGE_BILLING) and not visit.me.is_platform
    forms = {each: form if form and act == each else blank() for each in ("confirm", "share", "reverse")}
    choices = await lists.choices(visit, _AGENTS, forms["share"]) if decides else {}
    page = ObjectPage(
        title=title_of(event),
        crumbs=REVENUE.crumbs(visit),
        base=visit.base,
        here=REVENUE.here(visit),
        form=blank(),
    )
    values = {
        "it": event,
        "naming": await visit.naming([event, *event["shares"]], "agent_id", "project_id", "reference"),
        "forms": forms,
        "decides": decides,
        "source": source_of(event),
        "rule": gettext(RULES[event["shares_rule"]]),
        "rules": _shown({rule: words for rule, words in RULES.items() if rule != ShareRule.FIXED}),
        "agents": list(choices.values()),
        "paid": paid,
    }
    return await visit.show("returns/event.html", page, values, status)


def paid(part: Json) -> str:
    """Return what was received of a part, less reversals and commission."""
    amount, back, commission = (Decimal(part[name]) for name in ("amount", "reversed_amount", "commission"))
    return f"{amount - back - commission:f}"


async def confirm(visit: Visit) -> Response:
    form = await read_form(visit.request, "amount")
    return await _decide(visit, form, "confirm", {"amount": form.maybe_number("amount")}, "revenue.confirmed")


async def reject(visit: Visit) -> Response:
    return await _decide(visit, await read_form(visit.request, "amount"), "reject", None, "revenue.rejected")


async def reverse(visit: Visit) -> Response:
    form = await read_form(visit.request, "reversed_amount")
    body = {"reversed_amount": form.number("reversed_amount")}
    return await _decide(visit, form, "reverse", body, "revenue.reversed")


async def _decide(visit: Visit, form: Form, act: str, body: Json | None, notice: str) -> Response:
    answer = await visit.command("POST", f"{REVENUE.own(visit)}/{act}", body, form.key)
    show = partial(show_one, act="reverse" if act == "reverse" else "confirm")
    return await visit.concluded(form, answer, REVENUE.here(visit), notice, show=show)


async def share(visit: Visit) -> Response:
    """Divide revenue between agents: by their run, equally, or by weights."""
    form = await read_form(visit.request, "rule", "version", *_AGENTS, *(f"weight{number}" for number in _NUMBERS))
    form, errors = await picker.resolved(visit, form, _AGENTS)
    errors = {**errors, **wrong_weights(form)}
    if errors:
        return await show_one(visit, corrected(form, errors), 422, act="share")
    rule, version = form.text("rule"), form.text("version")
    body: dict[str, Any] = {"rule": rule, "version": int(version) if version.isdecimal() else None}
    if rule in {ShareRule.EQUAL, ShareRule.MANUAL}:
        body["parts"] = [
            {"agent_id": form.text(f"agent{number}")}
            | ({"weight": int(form.number(f"weight{number}"))} if rule == ShareRule.MANUAL else {})
            for number in _NUMBERS
            if form.text(f"agent{number}")
        ]
    answer: Answer = await visit.command("PUT", f"{REVENUE.own(visit)}/shares", body, form.key)
    show = partial(show_one, act="share")
    return await visit.concluded(form, answer, REVENUE.here(visit), "revenue.shared", show=show)


def wrong_weights(form: Form) -> dict[str, str]:
    """Return the errors of weights of named agents that are no whole numbers."""
    return {
        f"weight{number}": _("Type a whole number.")
        for number in _NUMBERS
        if form.text("rule") == ShareRule.MANUAL
        and form.text(f"agent{number}")
        and not form.number(f"weight{number}").isdecimal()
    }


REVENUE.add("/returns", show)
REVENUE.add("/returns/report", show_report)
REVENUE.add("/returns/report", report, *COMMAND)
REVENUE.list(
    select("status", N_("Status"), "revenue"),
    pick("agent_id", N_("Agent")),
    pick("project_id", N_("Project")),
    days=True,
    extra=_waiting,
    values=of_list,
    create="",
)
REVENUE.add(REVENUE.one, show_one)
for _act, _send in (("confirm", confirm), ("reject", reject), ("reverse", reverse), ("share", share)):
    REVENUE.add(f"{REVENUE.one}/{_act}", _send, *COMMAND)
ROUTES = REVENUE.routes
