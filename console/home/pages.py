"""Home of an organization: what waits, what was spent and on what, what is left, what is held, what happened last."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from starlette.responses import Response

from console.analytics.figures import PERIODS, Chosen, Sum, chosen
from console.format import decimal, local_time
from console.gateway import Answer, Query, Wanted
from console.problems import answered
from console.reader import reader
from console.routing import tenant
from console.texts import N_, gettext
from console.transaction import facts
from console.visit import Visit
from console.widgets import Page, Tab
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
    """Home; `tabs` choose the period of everything that has one."""

    base: str
    words: str = ""
    tabs: tuple[Tab, ...] = ()


async def show(visit: Visit) -> Response:
    """Show home, of the role: of readers of the organization's money, or of those who only spend."""
    return await (_of_readers(visit) if visit.may(Permission.READ_BILLING) else _of_spenders(visit))


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
    for name in ("summary", "spent", "stats", "latest"):
        answered(answers[name])
    subscription = answers.pop("subscription")
    values = {
        **{name: answers.get(name) for name in ("tasks", "summary", "spent", "stats", "latest")},
        **await _waiting(visit, answers),
        "subscription": subscription.body if subscription.ok else None,
        "facts": facts,
        "parts": {part: gettext(words) for part, words in PARTS.items()},
        "changed": changed,
        "is_new": is_new(*(answers[name] for name in ("stats", "summary", "spent"))),
        "expiring": expiring(answers["summary"].body["expiring"]) if answers["summary"].ok else (),
    }
    return await _page(visit, "home/page.html", values, of)


async def _of_spenders(visit: Visit) -> Response:
    open_ones: Query = {"open": "true", "limit": LATEST, **visit.scope}
    answers = await visit.ask_all(
        **_tasks(visit),
        balance=("/billing/balance", visit.scope),
        limits=("/spend-controls", open_ones),
        budgets=("/budgets", open_ones),
        uses=("/credits/usage", {"limit": LATEST, **visit.scope}),
    )
    for name in ("balance", "limits", "budgets", "uses"):
        answered(answers[name])
    values = {**{name: answers.get(name) for name in ("tasks", "balance", "limits", "budgets", "uses")}}
    return await _page(visit, "home/spender.html", {**values, **await _waiting(visit, answers)})


async def _page(visit: Visit, template: str, values: Json, of: Chosen | None = None) -> Response:
    organization = visit.organization
    assert organization is not None
    words = gettext(of.words) if of else ""
    tabs = [
        Tab(label=gettext(label), href=f"{visit.base}?period={value}", current=gettext(label) == words)
        for value, label in (PERIODS if of else ())
    ]
    page = HomePage(title=organization.name, base=visit.base, words=words, tabs=tuple(tabs))
    return await visit.show(template, page, values)


def _chosen(visit: Visit) -> Chosen:
    zone = visit.choices.zone or "UTC"
    today = local_time(datetime.now(UTC), visit.choices.prefs).date()
    return chosen(visit.chosen("period"), today, visit.base, zone)


def _tasks(visit: Visit) -> dict[str, Wanted]:
    """Ask what waits for the reader; what waits for operators is of all organizations, and on their overview."""
    return {} if visit.me.is_platform else {"tasks": ("/tasks", {"limit": LATEST})}


async def _waiting(visit: Visit, answers: Mapping[str, Answer]) -> dict[str, Any]:
    tasks = answers.get("tasks")
    if tasks is not None:
        answered(tasks)
    return {"naming": await visit.naming(_mentioning(answers), "title", "id"), "acts": ACTS, "task_href": task_href}


def _mentioning(answers: Mapping[str, Answer]) -> Iterator[Json]:
    """Yield what home shows of other objects: tasks, and escrows that hold money."""
    for name, of in (("tasks", "data"), ("summary", "escrows")):
        if name in answers and answers[name].ok:
            yield from answers[name].body[of][:LATEST]


def task_href(task: Json, base: str) -> str:
    """Return the address at which a task is done; empty if it has no page."""
    _act, noun = ACTS.get(task["kind"], ("", ""))
    return f"{base}/{noun}" if noun == "alerts" else f"{base}/{noun}/{task['object_id']}" if noun else ""


def is_new(stats: Answer, summary: Answer, spent: Answer) -> bool:
    """Return whether an account has used and earned nothing, holds nothing in escrow and spent nothing lately."""
    if not stats.ok or not summary.ok or not spent.ok:
        return False
    amounts = [stats.body["used"], *(each["total"] for each in spent.body["currencies"])]
    for each in summary.body["assets"]:
        amounts += [each["in_escrow"], each["earnings"]["total"]]
    return not any(map(decimal, amounts))


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
