"""What the pages of revenue show."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from console.format import Amount, Ident, Moment, Prefs, amount, ident, moment, money, percent
from console.forms import Form, FormState, blank
from console.gateway import Answer
from console.lists import ListPage, ListResult
from console.mentions import Naming, Sentence
from console.sections import unanswered
from console.status import STATUSES, Status, status_of
from console.widgets import Failed, FormPage, Link, Page
from domain.returns.revenue_event import ALL_BPS, REPORTABLE, RevenueSource, RevenueStatus, ShareRule

FILTERS = ("status", "agent_id", "project_id")
LABELS = {"status": "Status", "agent_id": "Agent", "project_id": "Project", "from": "From", "to": "To"}
_WORDS = {status: shown.word for status, shown in STATUSES["revenue"].items()}
SOURCES: Mapping[str, str] = {
    RevenueSource.ESCROW: "Escrow",
    RevenueSource.MARKETPLACE: "Marketplace",
    RevenueSource.APP_STORE: "App store",
    RevenueSource.ADS: "Advertising",
    RevenueSource.SERVICE: "Service",
    RevenueSource.OTHER: "Other",
}
_RULES: Mapping[str, str] = {
    ShareRule.DIRECT: "All to its own agent",
    ShareRule.RUN: "By what each agent cost in its run",
    ShareRule.EQUAL: "Equal",
    ShareRule.MANUAL: "By weights",
    ShareRule.FIXED: "By basis points",
}
#: The rules whose parts a form names, and how many parts it has.
WITH_PARTS = frozenset({ShareRule.EQUAL, ShareRule.MANUAL})
_PARTS = 4
FIELDS = tuple(f"{name}{number}" for number in range(1, _PARTS + 1) for name in ("agent", "weight"))
_OWN = ("", "Choose an agent")


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueRow:
    title: str
    source: str
    href: str
    agent: Sentence
    project: Sentence
    status: Status
    amount: Amount
    note: str
    at: Moment


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueList(ListPage):
    """What waits to be confirmed, and the list; `report` is empty for who may not report."""

    report: str
    statuses: tuple[tuple[str, str], ...]
    waiting: tuple[RevenueRow, ...]
    waiting_failed: Failed | None
    rows: tuple[RevenueRow, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenueReport(FormPage):
    sources: tuple[tuple[str, str], ...]
    agents: tuple[tuple[str, str], ...]
    projects: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SharePart:
    """A share: whose, of how much, and the amount that it comes to is the reader's to see in the returns."""

    agent: Sentence
    project: Sentence
    share: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RevenuePage(Page):
    """One event; each address is empty where the reader may not, or nothing waits."""

    confirming: FormState
    sharing: FormState
    reversing: FormState
    row: RevenueRow
    id: Ident
    facts: tuple[tuple[str, str], ...]
    times: tuple[tuple[str, Moment], ...]
    evidence: str
    reported: str
    confirm: str
    reject: str
    reverse: str
    share: str
    currency: str
    rule: str
    rules: tuple[tuple[str, str], ...]
    version: str
    shares: tuple[SharePart, ...]
    parts: tuple[tuple[str, str], ...]
    agents: tuple[tuple[str, str], ...]


def page(found: ListResult, naming: Naming, listed: str, report: str) -> RevenueList:
    """Return the list; what waits stands above it."""
    waiting = found.extra["waiting"]
    return RevenueList(
        title="Revenue",
        crumbs=(_above(listed),),
        report=report,
        listed=found.listed("Revenue", LABELS, words={"status": _WORDS}),
        statuses=(("", "Any"), *_WORDS.items()),
        waiting=tuple(_row(each, naming, listed) for each in (waiting.body["data"] if waiting.ok else ())),
        waiting_failed=unanswered("Waiting for confirmation", waiting, listed),
        rows=tuple(_row(each, naming, listed) for each in found.rows),
    )


def _above(listed: str) -> Link:
    return Link(label="ROI", href=listed.removesuffix("/revenue"))


def _row(event: Mapping[str, Any], naming: Naming, listed: str) -> RevenueRow:
    prefs, currency = naming.prefs, event["currency"]
    taken = event["reversed_amount"]
    return RevenueRow(
        title=SOURCES.get(event["source"], event["source"]) if event["transfer_id"] else event["reference"],
        source=SOURCES.get(event["source"], event["source"]),
        href=f"{listed}/{event['id']}",
        agent=naming(event["agent_id"]),
        project=naming(event["project_id"]),
        status=status_of("revenue", event["status"]),
        amount=amount(event["amount"], currency, prefs),
        note=f"{money(taken, currency, prefs)} reversed" if taken.strip("0.") else "",
        at=moment(event["occurred_at"], prefs),
    )


def report(form: FormState, choices: Mapping[str, Answer], base: str) -> RevenueReport:
    return RevenueReport(
        title="Report revenue",
        crumbs=(Link(label="ROI", href=f"{base}/returns"), Link(label="Revenue", href=f"{base}/returns/revenue")),
        form=form,
        action=f"{base}/returns/report",
        sources=tuple((str(each), SOURCES[each]) for each in SOURCES if each in REPORTABLE),
        agents=(("", "No agent"), *_named(choices["agents"])),
        projects=(("", "No project"), *_named(choices["projects"])),
    )


def _named(answer: Answer) -> list[tuple[str, str]]:
    return [(each["id"], each["name"]) for each in (answer.body["data"] if answer.ok else ())]


def parts(form: Form, rule: str) -> list[dict[str, Any]]:
    found = []
    for number in range(1, _PARTS + 1):
        weight = form.number(f"weight{number}")
        if form.text(f"agent{number}"):
            part: dict[str, Any] = {"agent_id": form.text(f"agent{number}")}
            if rule != ShareRule.EQUAL:
                part["weight"] = int(weight) if weight.isdecimal() else None
            found.append(part)
    return found


def wrong_weights(form: Form) -> dict[str, str]:
    named = [number for number in range(1, _PARTS + 1) if form.text(f"agent{number}")]
    is_weighed = form.text("rule") == ShareRule.MANUAL
    return {
        f"weight{number}": "Type a whole number."
        for number in named
        if is_weighed and not form.number(f"weight{number}").isdecimal()
    }


def one(
    event: Mapping[str, Any],
    forms: Mapping[str, FormState],
    naming: Naming,
    listed: str,
    choices: Mapping[str, Answer],
    *,
    decides: bool,
) -> RevenuePage:
    """Return an event.

    `forms` has the form of the act that was refused; `decides` says whether the reader may confirm and share it.
    """
    prefs, here, status = naming.prefs, f"{listed}/{event['id']}", event["status"]
    currency, is_reported = event["currency"], event["transfer_id"] is None
    waits = decides and status == RevenueStatus.REPORTED
    taken = decides and is_reported and status in {RevenueStatus.CONFIRMED, RevenueStatus.REVERSED}
    row = _row(event, naming, listed)
    times = (("Occurred", "occurred_at"), ("Confirmed" if status != "rejected" else "Rejected", "confirmed_at"))
    return RevenuePage(
        title=row.title,
        crumbs=(_above(listed), Link(label="Revenue", href=listed)),
        confirming=forms.get("confirm") or blank(),
        sharing=forms.get("share") or blank(),
        reversing=forms.get("reverse") or blank(),
        row=row,
        id=ident(event["id"]),
        facts=tuple(_facts(event, prefs)),
        times=tuple((label, moment(event[name], prefs)) for label, name in times if event[name]),
        evidence=event["evidence"] or "",
        reported=event["reported_amount"] or "",
        confirm=f"{here}/confirm" if waits else "",
        reject=f"{here}/reject" if waits else "",
        reverse=f"{here}/reverse" if taken else "",
        share=f"{here}/share" if decides and status != RevenueStatus.REJECTED else "",
        currency=currency,
        rule=_RULES.get(event["shares_rule"], event["shares_rule"]),
        rules=tuple((name, words) for name, words in _RULES.items() if name != ShareRule.FIXED),
        version=str(event["shares_version"]),
        shares=tuple(
            SharePart(
                agent=naming(each["agent_id"]),
                project=naming(each["project_id"]),
                share=percent(f"{each['bps'] / ALL_BPS:.4f}", prefs),
            )
            for each in event["shares"]
        ),
        parts=tuple((f"agent{number}", f"weight{number}") for number in range(1, _PARTS + 1)),
        agents=(_OWN, *_named(choices["agents"])) if "agents" in choices else (),
    )


def _paid(part: Mapping[str, Any], prefs: Prefs) -> str:
    amount, back, commission = (Decimal(part[name]) for name in ("amount", "reversed_amount", "commission"))
    return money(f"{amount - back - commission:f}", part["currency"], prefs)


def _facts(event: Mapping[str, Any], prefs: Prefs) -> list[tuple[str, str]]:
    currency = event["currency"]
    shown = [
        ("Source", SOURCES.get(event["source"], event["source"])),
        ("Reference", event["reference"]),
        ("Reported", event["reported_amount"] and money(event["reported_amount"], currency, prefs)),
        ("Commission", event["commission"].strip("0.") and money(event["commission"], currency, prefs)),
        ("Reversed", event["reversed_amount"].strip("0.") and money(event["reversed_amount"], currency, prefs)),
        ("In money", ", ".join(_paid(each, prefs) for each in event["money"])),
        ("Reported by", event["reported_by"] and event["reported_by"].rpartition("/")[2]),
        ("Decided by", event["confirmed_by"] and event["confirmed_by"].rpartition("/")[2]),
        ("Run", event["run_id"]),
    ]
    return [(label, value) for label, value in shown if value]
