"""Home of an organization: what waits, what was spent and on what, what is left, what is held, what happened last."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.responses import RedirectResponse, Response

from console.analytics.figures import PERIODS, Chosen, Sum, chosen
from console.analytics.view import measured
from console.earnings.pages import why_not
from console.format import decimal, local_time
from console.gateway import Answer, Query, Wanted
from console.problems import answered
from console.reader import reader
from console.reputation.scores import DIMENSIONS
from console.routing import tenant
from console.spend_control.subjects import called
from console.texts import N_, _, gettext
from console.transaction import facts
from console.visit import Visit
from console.widgets import Page, Tab, address
from domain.common.access import Permission

#: The number of rows in each list of home.
LATEST = 5
_SPENT = 6

Json = Mapping[str, Any]

#: By the kind of a task: what is to be done, and the noun whose page it is done on.
ACTS: Mapping[str, tuple[str, str]] = {
    "to_accept": (N_("Accept terms"), "contracts"),
    "to_fund": (N_("Fund"), "escrows"),
    "to_deliver": (N_("Deliver"), "escrows"),
    "to_sign": (N_("Sign delivery"), "escrows"),
    "to_score": (N_("Score delivery"), "escrows"),
    "to_decide": (N_("Decide"), "escrows"),
    "to_approve": (N_("Approve purchase"), "purchases"),
    "allocation": (N_("Accept daily budgets"), "allocations"),
    "to_confirm": (N_("Confirm revenue"), "returns/revenue"),
    "evidence_due": (N_("Send evidence"), "disputes"),
    "invoice_due": (N_("Pay"), "invoices"),
    "difference": (N_("Resolve discrepancy"), "reconciliation/differences"),
    "alert": (N_("Review alert"), "alerts"),
}
#: The words of the parts of what is spent.
PARTS = {
    "uses": N_("Uses"),
    "jobs": N_("Jobs"),
    "agents": N_("Agents bought"),
    "purchases": N_("Purchases outside"),
    "subscriptions": N_("Plans and slots"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HomePage(Page):
    """Home; `tabs` choose the period of everything that has one, `sides` between spending and earnings."""

    words: str = ""
    tabs: tuple[Tab, ...] = ()
    sides: tuple[Tab, ...] = ()


async def show(visit: Visit) -> Response:
    """Show home: what is spent, what agents earn, or what those may spend who read no more."""
    if visit.me.confined or not visit.may(Permission.READ_BILLING):
        return await _of_spenders(visit)
    return await (_of_creators(visit) if visit.chosen("side").get("side") == "earnings" else _of_readers(visit))


async def _of_readers(visit: Visit) -> Response:
    of = _chosen(visit)
    span = {"from": of.first.isoformat(), "to": of.last.isoformat(), "zone": of.zone}
    answers = await visit.ask_all(
        **_tasks(visit),
        summary=("/billing/summary", visit.scope),
        spent=("/analytics/spent", {**span, "limit": _SPENT, **visit.scope}),
        stats=("/credits/stats", visit.scope),
        subscription=("/billing/subscription", visit.scope),
        latest=("/billing/activity", {"limit": LATEST, **visit.scope}),
    )
    subscription = answers.pop("subscription")
    for answer in answers.values():
        answered(answer)
    summary = answers["summary"]
    spends = is_spending(answers["stats"], summary, answers["spent"])
    earns = summary.ok and is_earning(summary.body)
    if earns and not spends and not visit.chosen("side"):
        return RedirectResponse(f"{visit.base}?side=earnings", 303)
    values = {
        **{"tasks": None, **answers},
        **await _waiting(visit, answers),
        "subscription": subscription.body if subscription.ok else None,
        "facts": facts,
        "parts": {part: gettext(words) for part, words in PARTS.items()},
        "changed": changed,
        "is_new": not spends and not earns,
        "expiring": expiring(summary.body["expiring"]) if summary.ok else (),
    }
    return await _page(visit, "home/page.html", values, of, "spending" if earns else "")


async def _of_creators(visit: Visit) -> Response:
    # What is earned is added up by days in UTC.
    of = chosen(visit.chosen("period"), datetime.now(UTC).date(), visit.base, "UTC")
    answers = await visit.ask_all(
        **_tasks(visit),
        summary=("/billing/summary", visit.scope),
        earned=of.ask("earnings", over_time=False, scope=visit.scope),
        preview=("/billing/payouts/preview", visit.scope),
        schedule=("/billing/payouts/schedule", visit.scope),
        feedback=("/reputation/feedback", {"limit": LATEST, **visit.scope}),
    )
    for answer in answers.values():
        answered(answer)
    label, preview = _("Earned, %(period)s", period=gettext(of.words)), answers["preview"]
    values = {
        **{"tasks": None, **answers},
        **await _waiting(visit, answers),
        "earned": measured(of, label, answers["earned"], "earnings"),
        "why_not": why_not(preview.body) if preview.ok else "",
        "labels": DIMENSIONS,
    }
    return await _page(visit, "home/creator.html", values, of, "earnings")


async def _of_spenders(visit: Visit) -> Response:
    open_ones: Query = {"open": "true", "limit": LATEST, **visit.scope}
    answers = await visit.ask_all(
        **_tasks(visit),
        limits=("/spend-controls", open_ones),
        budgets=("/budgets", open_ones),
        refusals=("/spend-controls/refusals", {"limit": LATEST, **visit.scope}),
        keys=("/api-keys", {"active": "true", "limit": LATEST, **visit.scope}),
        uses=("/credits/usage", {"limit": LATEST, **visit.scope}),
    )
    for answer in answers.values():
        answered(answer)
    values = {"tasks": None, **answers, **await _waiting(visit, answers), "called": called}
    return await _page(visit, "home/spender.html", values)


async def _page(visit: Visit, template: str, values: Json, of: Chosen | None = None, side: str = "") -> Response:
    organization = visit.organization
    assert organization is not None
    words = of.words if of else ""
    tabs = [
        Tab(label=gettext(label), href=address(visit.base, [("side", side), ("period", value)]), current=label == words)
        for value, label in (PERIODS if of else ())
    ]
    sides = [
        Tab(label=label, href=f"{visit.base}?side={value}", current=value == side)
        for value, label in (("spending", _("Spending")), ("earnings", _("Earnings")))
        if side
    ]
    words = gettext(words) if words else ""
    page = HomePage(title=organization.name, words=words, tabs=tuple(tabs), sides=tuple(sides))
    return await visit.show(template, page, values)


def _chosen(visit: Visit) -> Chosen:
    zone = visit.choices.zone or "UTC"
    today = local_time(datetime.now(UTC), visit.choices.prefs).date()
    return chosen(visit.chosen("period"), today, visit.base, zone)


def _tasks(visit: Visit) -> dict[str, Wanted]:
    """Ask what waits for the reader; what waits for operators is of all organizations, and on their overview."""
    return {} if visit.me.is_platform else {"tasks": ("/tasks", {"limit": LATEST})}


async def _waiting(visit: Visit, answers: Mapping[str, Answer]) -> dict[str, Any]:
    naming = await visit.naming(_mentioning(answers), "title", "id", "agent_id")
    return {"naming": naming, "acts": ACTS, "task_href": task_href}


def _mentioning(answers: Mapping[str, Answer]) -> Iterator[Json]:
    """Yield what home shows of other objects: tasks, escrows that hold money, and declined charges."""
    for name, of in (("tasks", "data"), ("summary", "escrows"), ("refusals", "data")):
        if name in answers and answers[name].ok:
            yield from answers[name].body[of][:LATEST]


def task_href(task: Json, base: str) -> str:
    """Return the address at which a task is done; empty if it has no page."""
    _act, noun = ACTS.get(task["kind"], ("", ""))
    return f"{base}/{noun}" if noun == "alerts" else f"{base}/{noun}/{task['object_id']}" if noun else ""


def is_spending(stats: Answer, summary: Answer, spent: Answer) -> bool:
    """Return whether an account used credits, spent lately or holds money in an escrow; true if that is not known."""
    if not (stats.ok and summary.ok and spent.ok):
        return True
    amounts = [stats.body["used"], *(each["total"] for each in spent.body["currencies"])]
    return any(map(decimal, [*amounts, *(each["in_escrow"] for each in summary.body["assets"])]))


def is_earning(summary: Json) -> bool:
    """Return whether agents have earnings, also on their way to the bank, or work for money in an escrow."""
    parts = ((each["pending"], each["in_payouts"], each["earnings"]["total"]) for each in summary["assets"])
    return any(decimal(part) for each in parts for part in each)


def expiring(lots: Iterable[Json]) -> tuple[Json, ...]:
    """Return what expires next; lots that expire at one moment are added up."""
    sums: dict[tuple[str, str], Decimal] = {}
    for each in lots:
        line = each["expires_at"], each["currency"]
        sums[line] = sums.get(line, Decimal(0)) + decimal(each["amount"])
    return tuple({"expires_at": at, "currency": code, "amount": f"{left:f}"} for (at, code), left in sums.items())[
        :LATEST
    ]


def changed(total: str, before: str | None) -> str:
    """Say by how much an amount differs from the period before, in whole percent; empty if that is not known."""
    return Sum(decimal(total), None if before is None else decimal(before)).changed(reader().prefs)


ROUTES = (tenant("", show),)
