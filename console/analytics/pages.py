"""Analytics of an organization: what was spent, what was earned, advice, and the comparison with others."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from starlette.responses import Response

from console.analytics import figures, view
from console.analytics.figures import Chosen, Sum
from console.analytics.view import Figure, agent_name, measured, tabs
from console.charts import Chart, Ranking, Unit
from console.format import amount, currency_name, decimal
from console.forms import Form, FormState, blank, read_form
from console.gateway import BACKGROUND, Answer, Wanted
from console.noun import Json, Noun
from console.noun_page import FormPage
from console.problems import answered
from console.reader import reader
from console.routing import COMMAND, tenant
from console.texts import N_, _, gettext
from console.visit import Visit
from console.widgets import Tab
from domain.common.access import Permission
from domain.common.money import CREDIT
from domain.insight.peers import MemberKind, PeerMetric
from domain.insight.spent import service_name

_PEERS = "/analytics/peers"
#: What the link of each kind of advice leads to.
ACTS = {
    "package": N_("View packages"),
    "annual_plan": N_("View plans"),
    "auto_topup": N_("Set automatic top-up"),
    "cheaper_agent": N_("View agent"),
    "unused": N_("View unused items"),
    "payment_method": N_("View payment methods"),
    "limit": N_("View limit"),
    "bulk": N_("View purchases"),
    "free_tier": N_("View payment policies"),
    "method": N_("View payment policies"),
    "arbitrage": N_("View details"),
    "model_swap": N_("Compare models"),
    "diversify": N_("View earnings"),
}
#: What the amount of advice is.
MEANINGS = {
    "saving": N_("Missed savings"),
    "stopped": N_("Declined"),
    "earning": N_("Missed revenue"),
    "at_risk": N_("Depends on one source"),
}
#: What organizations are compared by; agents are on their own pages.
METRICS = {
    PeerMetric.SPENDING: N_("Spent, in credits"),
    PeerMetric.PAYMENT_SUCCESS_RATE: N_("Payment success rate"),
    PeerMetric.COST_PER_1000_TOKENS: N_("Cost per 1,000 tokens"),
}
assert METRICS.keys() == {each for each in PeerMetric if each.of is MemberKind.ORGANIZATION}


@dataclass(frozen=True, slots=True, kw_only=True)
class AnalyticsPage(FormPage):
    """A page of figures with its tabs; `chosen` is the period of those that have one."""

    tabs: tuple[Tab, ...]
    chosen: Chosen


def _chosen(visit: Visit, path: str, zone: str) -> Chosen:
    today = datetime.now(ZoneInfo(zone)).date()
    return figures.chosen(visit.chosen("period", "compare"), today, f"{visit.base}{path}", zone)


def _page(visit: Visit, of: Chosen, path: str, form: FormState | None = None) -> AnalyticsPage:
    return AnalyticsPage(
        title=_("Analytics"),
        action=of.path,
        form=form or blank(),
        tabs=tabs(visit.base, path),
        chosen=of,
    )


async def show(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show what was spent on what, how long the balance lasts, and what would have saved money."""
    visit.need(Permission.READ_BILLING)
    of = _chosen(visit, "/analytics", visit.choices.zone or "UTC")
    # A forecast is by days in UTC, and so is what is drawn before it; nothing of it is compared.
    last = replace(_chosen(visit, "/analytics", "UTC"), compare=None)
    recent = replace(last, first=max(last.first, last.last - timedelta(days=view.SHOWN)), by_month=False)
    # Advice is for the organization to decide on, and not for operators. It is not live, and takes the longest to read.
    is_advised = not visit.me.is_platform and visit.request.headers.get(BACKGROUND) != "1"
    advice: dict[str, Wanted] = {"advice": ("/analytics/insights", {})} if is_advised else {}
    answers = await visit.ask_all(
        spending=of.ask("spending", by=("action",), scope=visit.scope),
        groups=of.ask("spending", by=("action", "model", "agent", "project"), over_time=False, scope=visit.scope),
        balance=recent.ask("balance", "burn_rate", scope=visit.scope),
        forecast=("/analytics/forecast", {"metric": "balance", "days": view.ahead_of(of), **visit.scope}),
        **advice,
    )
    # A key that reads its department alone has no advice.
    told = answers.get("advice") if "advice" in answers and answers["advice"].status != 403 else None
    for each in (*(answers[name] for name in ("spending", "groups", "balance")), *([told] if told else ())):
        answered(each)
    naming = await visit.naming(_mentioning(answers), "agent", "project", "title", "how", "taken")
    has_spent = answers["spending"].ok and answers["groups"].ok
    codes = _codes(answers["groups"], "spending") if has_spent else []
    charts, ranks = list[Chart | None](), list[Ranking | None]()
    for code in codes:
        charts += [_by_service(of, answers, code, len(codes) > 1)]
        names = {"agent": agent_name(naming), "project": agent_name(naming, _("No project"))}
        ranks += _ranks(answers, code, names, is_one=len(codes) == 1)
    values = {
        "figures": _figures(of, answers),
        "has_spent": has_spent,
        "spending": answers["spending"],
        "charts": [each for each in charts if each],
        "ranks": [each for each in ranks if each],
        "balance": answers["balance"],
        "drawn": view.balance(of, last.last, answers["balance"], answers["forecast"]),
        "runs_out": view.runs_out(view.ahead_of(of), answers["forecast"]),
        "advice": told,
        "naming": naming,
        "acts": {kind: gettext(words) for kind, words in ACTS.items()},
        "meanings": {kind: gettext(words) for kind, words in MEANINGS.items()},
        "taken": taken,
    }
    return await visit.show("analytics/page.html", _page(visit, of, "/analytics", form), values, status)


def _mentioning(answers: Mapping[str, Answer]) -> Iterator[Json]:
    if answers["groups"].ok:
        yield from (row["group"] for row in answers["groups"].body["rows"])
    if "advice" in answers and answers["advice"].ok:
        yield from answers["advice"].body["data"]


def _by_service(of: Chosen, answers: Mapping[str, Answer], code: str, is_one_of_many: bool) -> Chart | None:
    """Draw what was spent over time, by service."""
    title = _("Spent by service")
    if is_one_of_many:
        title = _("Spent by service, %(currency)s", currency=currency_name(code))
    lines = figures.series(of, answers["spending"], "spending", code, "action")
    return figures.bars(of, title, lines, _service, Unit(code, reader().prefs))


def _ranks(
    answers: Mapping[str, Answer], code: str, names: Mapping[str, Any], *, is_one: bool
) -> Iterator[Ranking | None]:
    kinds = (
        (_("By service"), "action", _service),
        (_("By model"), "model", lambda model: model or _("No model")),
        (_("By agent"), "agent", names["agent"]),
        (_("By project"), "project", names["project"]),
    )
    for title, dimension, name in kinds:
        whole = title if is_one else _("%(title)s, %(currency)s", title=title, currency=currency_name(code))
        sums = figures.grouped(answers["groups"], "spending", code, dimension)
        yield figures.ranked(whole, sums, name, Unit(code, reader().prefs))


def _service(action: str | None) -> str:
    return gettext(service_name(action)) if action else _("Other services")


def _figures(of: Chosen, answers: Mapping[str, Answer]) -> tuple[Figure, ...]:
    days = min(of.days, view.SHOWN + 1)
    pace = figures.totals(answers["balance"], "burn_rate").get(CREDIT, Sum(Decimal(0), None))
    a_day = amount(f"{round(pace.value or Decimal(0), 2):f}", CREDIT, reader().prefs)
    average = ((a_day, _("Average of %(days)s days", days=days)),) if answers["balance"].ok else ()
    return (
        spent_of(of, answers["groups"]),
        (_("Credits used a day"), average),
        measured(of, _("Balance"), answers["balance"], "balance"),
    )


def spent_of(of: Chosen, groups: Answer) -> Figure:
    """Return what was spent, as home has it, with its change."""
    sums = figures.totals(groups, "spending") or {CREDIT: Sum(Decimal(0), None)}
    values = [view.of_sum(of, each, code) for code, each in sums.items() if code and (code == CREDIT or each.value)]
    return _("Spent, %(period)s", period=gettext(of.words)), values if groups.ok else ()


def taken(advice: Json) -> str:
    """Say what was proposed on advice, and by whom; empty if nothing was."""
    found = advice["taken"]
    if found is None:
        return ""
    by = found["taken_by"].rpartition("/")[2]
    if found["purchase_order_id"]:
        return _("%(by)s has proposed the purchase %(purchase)s.", by=by, purchase=found["purchase_order_id"])
    return _("%(by)s has proposed a change: %(change)s", by=by, change=found["policy_change"])


async def proposed(visit: Visit, _form: Form, answer: Answer) -> Response:
    """Lead on to the purchase that advice has proposed; a change of a policy is shown with the advice."""
    order = answer.body["taken"]["purchase_order_id"]
    path = f"{visit.base}/purchases/{order}" if order else f"{visit.base}/analytics"
    return visit.done(path, "advice.taken", answer)


async def show_earnings(visit: Visit) -> Response:
    """Show what was earned and paid out over time, and when the next payout is."""
    visit.need(Permission.READ_BILLING)
    of = _chosen(visit, "/analytics/earnings", "UTC")
    schedule: dict[str, Wanted] = {} if visit.me.is_platform else {"schedule": ("/billing/payouts/schedule", {})}
    answers = await visit.ask_all(
        earnings=of.ask("earnings", by=("agent",), scope=visit.scope),
        groups=of.ask("earnings", by=("agent",), over_time=False, scope=visit.scope),
        payouts=of.ask("payouts.paid", scope=visit.scope),
        preview=("/billing/payouts/preview", visit.scope),
        **schedule,
    )
    earnings, groups, payouts, preview = (answers[name] for name in ("earnings", "groups", "payouts", "preview"))
    for each in (earnings, groups, payouts):
        answered(each)
    rows = [row["group"] for row in groups.body["rows"]] if groups.ok else []
    name, prefs = agent_name(await visit.naming(rows, "agent")), reader().prefs
    earned = []
    for code in _codes(groups, "earnings") if earnings.ok else ():
        title, unit = _("Earnings in %(currency)s", currency=currency_name(code)), Unit(code, prefs)
        chart = figures.bars(of, title, figures.series(of, earnings, "earnings", code, "agent"), name, unit)
        by_agent = figures.ranked(_("By agent"), figures.grouped(groups, "earnings", code, "agent"), name, unit)
        earned.append((title, chart, by_agent))
    paid = []
    for code in _codes(payouts, "payouts.paid"):
        title = _("Payouts in %(currency)s", currency=currency_name(code))
        lines = figures.series(of, payouts, "payouts.paid", code)
        paid.append(figures.bars(of, title, lines, lambda _key: gettext(N_("Payouts")), Unit(code, prefs)))
    payable = preview.body["payable"] if preview.ok else ()
    ready = [(amount(each["available"], each["currency"], prefs), "") for each in payable if decimal(each["available"])]
    period = gettext(of.words)
    values = {
        "figures": (
            measured(of, _("Earned, %(period)s", period=period), earnings, "earnings"),
            measured(of, _("Paid out, %(period)s", period=period), payouts, "payouts.paid"),
            (_("Can be paid out now"), (ready or ((_("Nothing"), ""),)) if preview.ok else ()),
        ),
        "schedule": answers.get("schedule"),
        "pending": [each for each in payable if decimal(each["pending"])],
        "earnings": earnings if not earnings.ok else groups,
        "earned": earned,
        "payouts": payouts,
        "paid": [each for each in paid if each],
    }
    return await visit.show("analytics/earnings.html", _page(visit, of, "/analytics/earnings"), values)


def _codes(answer: Answer, metric: str) -> list[str]:
    return [code for code, each in figures.totals(answer, metric).items() if code is not None and each.value]


async def show_peers(visit: Visit, form: FormState | None = None, status: int = 200) -> Response:
    """Show where the organization stands among others that agreed to be compared."""
    visit.need(Permission.READ_BILLING)
    answers = await visit.ask_all(**{each.value: (_PEERS, {"metric": each.value, **visit.scope}) for each in METRICS})
    first = answers[PeerMetric.SPENDING.value]
    answered(first)
    rows = [(gettext(label), answers[each.value].body) for each, label in METRICS.items() if answers[each.value].ok]
    may_agree = visit.may(Permission.CHANGE_ORGANIZATION) and not visit.me.is_platform
    page = _page(visit, _chosen(visit, _PEERS, "UTC"), _PEERS, form)
    values = {"first": first, "rows": rows, "may_agree": may_agree}
    return await visit.show("analytics/peers.html", page, values, status)


async def agree(visit: Visit) -> Response:
    form = await read_form(visit.request, "agrees")
    body = {"agrees": form.text("agrees") == "yes"}
    answer = await visit.command("PUT", f"{_PEERS}/consent", body, form.key)
    notice = "peers.agreed" if body["agrees"] else "peers.withdrawn"
    return await visit.concluded(form, answer, f"{visit.base}{_PEERS}", notice, show=show_peers)


ADVICE = Noun(
    "/analytics/insights",
    title=N_("Analytics"),
    folder="analytics",
    at="/analytics",
)
ADVICE.command("dismiss", "advice.dismissed", show=show)
ADVICE.command("take", "advice.taken", done=proposed, show=show)
ADVICE.command("approve", "advice.approved", show=show)
ROUTES = (
    *ADVICE.routes,
    tenant("/analytics", show),
    tenant("/analytics/earnings", show_earnings),
    tenant(_PEERS, show_peers),
    tenant(f"{_PEERS}/consent", agree, COMMAND),
)
